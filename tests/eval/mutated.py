"""Part (d): reports of real runs are altered in every way that matters; the gate must catch all of it.

The mutations are in `tests/support/mutations.py`, one altered report at a time. A swapped citation that states the very
same fact of the same thing, as the planted corpus knows, is no wrong one and is not counted.
"""

from collections import defaultdict

from activities.research.citations import Sidecar, check_citations
from tests.eval.asking import Bench
from tests.eval.metrics import Table, share
from tests.eval.planted import AGENTS, TOKENS, Judge, wide_task
from tests.eval.planting import Split, Thing, plant, tasks
from tests.support.mutations import Mutation, mutations

TASKS = 3


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (d)."""
    world = plant(seed, split)
    asked = [wide_task(facts) for facts in tasks(world, TASKS, AGENTS, seed=seed + 2)]
    caught: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    missed, false_alarms = [], 0
    with bench.asker(world.files) as asker:
        judge = Judge(world, asker)
        for answer in asker.ask(asked, agents=AGENTS, tokens=TOKENS):
            sidecar = Sidecar.model_validate(answer.sidecar)
            false_alarms += bool(check_citations(answer.markdown, sidecar, asker.texts.__getitem__))
            for altered in mutations(answer.markdown, sidecar, asker.texts, seed=seed):
                if altered.kind == "swap citations" and _still_shown(judge, altered, sidecar):
                    continue
                problems = check_citations(altered.markdown, altered.sidecar, altered.snapshots.__getitem__)
                caught[altered.kind][0] += bool(problems)
                caught[altered.kind][1] += 1
                if not problems:
                    missed.append(f"missed: {altered.kind} (forged: {altered.forged}): {altered.sentence}")
    table = Table(f"(d) mutations of {TASKS} reports, seed {seed}")
    table.measures = [share(f"caught: {kind}", *counts, floor=1.0) for kind, counts in sorted(caught.items())]
    table.measures.append(
        share("unaltered reports that the gate complains about", false_alarms, len(asked), ceiling=0.0)
    )
    table.notes = missed
    return [table]


def _still_shown(judge: Judge, altered: Mutation, before: Sidecar) -> bool:
    """Tell whether the spans that a sentence has now state what those state that it had."""
    was, now = (_stated(judge, sidecar, altered.sentence) for sidecar in (before, altered.sidecar))
    return altered.forged and bool(was & now)


def _stated(judge: Judge, sidecar: Sidecar, sentence: str) -> set[tuple[Thing, str, str]]:
    cited = [each.model_dump(mode="json") for each in sidecar.sentences if each.text == sentence]
    return {(said.thing, said.attribute, said.value) for each in cited for said in judge.said_by(each)}
