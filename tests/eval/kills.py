"""Part (f): the same run with 50 injected worker kills gives the same report and the same charge.

Runs are started one after the other so that some are always at work; the worker is killed as soon as it is back, each
time a little later than the time before, so that the kills meet the runs at many different moments.
"""

import random
import time

from tests.eval.asking import Bench, StackAsker
from tests.eval.metrics import Measure, Table, share
from tests.eval.planted import wide_task
from tests.eval.planting import Split, plant, tasks
from tests.support.stack import TERMINAL, Stack

KILLS = 50
RUNS_AT_ONCE = 4
DOCUMENTS = 120
AGENTS = 4
TOKENS = 60_000
PAUSE_MAX_S = 1.5
FINISH_WITHIN_S = 300.0


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Measure part (f); there is nothing to kill in memory."""
    if bench.memory:
        return [Table("(f) worker kills", notes=["skipped: it needs the stack"])]
    world = plant(seed, split)
    facts = next(tasks(world, 1, AGENTS, seed=seed, conflicts=False))
    about = {fact.thing for fact in facts}
    kept = [name for name in world.files if world.things.get(name) in about]
    others = [name for name in world.files if name not in kept]
    files = {name: world.files[name] for name in [*kept, *others][:DOCUMENTS]}
    task = wide_task(facts)
    with bench.stack() as stack:
        asker = StackAsker(stack, files)
        expected = asker.ask([task], agents=AGENTS, tokens=TOKENS)[0]
        run_ids, met = _kill_while_running(stack, task, random.Random(seed))
        same_report = same_charge = completed = 0
        for run_id in run_ids:
            ended = stack.finished(run_id, FINISH_WITHIN_S)
            completed += ended["status"] == "completed"
            if ended["status"] == "completed":
                answer = asker.answer(run_id, task)
                same_report += (answer.markdown, answer.sidecar) == (expected.markdown, expected.sidecar)
                same_charge += answer.credits == expected.credits
        broken = stack.check()
    total = len(run_ids)
    table = Table(f"(f) {KILLS} kills of the worker over {total} runs of one task, seed {seed}")
    table.measures = [
        share("runs completed", completed, total, floor=1.0),
        share("same report and citations as the undisturbed run", same_report, total, floor=1.0),
        share("same charge", same_charge, total, floor=1.0),
        Measure("runs that a kill met half way", met, floor=RUNS_AT_ONCE, of=f"of {total}"),
    ]
    table.notes = [broken.strip()]
    return [table]


def _kill_while_running(stack: Stack, task: str, draw: random.Random) -> tuple[list[str], int]:
    """Kill the worker KILLS times while runs are at work; return the runs and how many a kill met."""
    run_ids: list[str] = []
    met: set[str] = set()
    for _ in range(KILLS):
        live = [run_id for run_id in run_ids if stack.run(run_id)["status"] not in TERMINAL]
        while len(live) < RUNS_AT_ONCE:
            live.append(stack.create(task, max_agents=AGENTS, max_tokens=TOKENS))
            stack.start(live[-1])
            run_ids.append(live[-1])
        time.sleep(draw.uniform(0.2, PAUSE_MAX_S))
        met |= {run_id for run_id in live if stack.run(run_id)["status"] not in TERMINAL}
        stack.returned("worker", stack.kill("worker"))
    return run_ids, len(met)
