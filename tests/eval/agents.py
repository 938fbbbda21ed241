"""Part (g): wide research (ten agents) against one agent on the same tasks and with the same budget."""

from collections.abc import Sequence

from tests.eval.asking import Answer, Bench
from tests.eval.metrics import Measure, Table, share
from tests.eval.planted import AGENTS, TOKENS, Judge, Tally, wide_task
from tests.eval.planting import Fact, Split, plant, tasks

TASKS = 8


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (g)."""
    world = plant(seed, split)
    asked = list(tasks(world, TASKS, AGENTS, seed=seed + 1, conflicts=False))
    wide, single = Tally(), Tally()
    with bench.asker(world.files) as asker:
        judge = Judge(world, asker)
        spent = {}
        for agents, tally in ((AGENTS, wide), (1, single)):
            answers = asker.ask([wide_task(facts) for facts in asked], agents=agents, tokens=TOKENS)
            _judge(judge, asked, answers, tally)
            spent[agents] = sum(answer.credits for answer in answers)
    table = Table(
        f"(g) {len(asked)} tasks of {AGENTS} questions, {TOKENS:,} tokens each, seed {seed}, templates {split}"
    )
    table.measures = [
        share(f"fact recall, {AGENTS} agents", wide.found, wide.asked, floor=0.9),
        share("fact recall, one agent", single.found, single.asked, ceiling=wide.found / max(1, wide.asked) - 1e-6),
        share(f"cited sentences that answer a question, {AGENTS} agents", wide.on_topic, wide.sentences),
        share("cited sentences that answer a question, one agent", single.on_topic, single.sentences),
        Measure(f"credits charged, {AGENTS} agents", round(spent[AGENTS], 2)),
        Measure("credits charged, one agent", round(spent[1], 2)),
    ]
    table.notes = [f"missed: {line}" for line in wide.missed]
    return [table]


def _judge(judge: Judge, asked: Sequence[Sequence[Fact]], answers: Sequence[Answer], tally: Tally) -> None:
    for facts, answer in zip(asked, answers, strict=True):
        judge.judge(facts, answer, tally)
