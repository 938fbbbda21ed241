"""kill -9 of the worker, the API and the whole stack, each at ten different moments of a run.

Pass threshold: every run ends completed, with the same report text and the same charge as an undisturbed run, and
every invariant counts 0. Ten runs are started a little apart, so that one kill meets each of them at another moment;
the moments (number of events so far) are printed and must differ.
"""

import time
from collections.abc import Callable

import pytest

from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("chaos")]

TASK = "How do Python class definitions, comparisons and assignment statements work? What power does the Zephyr-9 have?"
RUNS = 10
APART_S = 0.45


@pytest.fixture(scope="session")
def undisturbed(stack: Stack) -> tuple[str, float]:
    """The report and the charge of a run that nothing happens to."""
    run_id = stack.create(TASK, max_agents=4)
    stack.start(run_id)
    run = stack.finished(run_id)
    assert run["status"] == "completed", run
    assert run["credits_charged"] > 0
    return stack.report(run_id), run["credits_charged"]


def _kill_worker(stack: Stack) -> None:
    stack.returned("worker", stack.kill("worker"))


def _kill_api(stack: Stack) -> None:
    stack.returned("api", stack.kill("api"))


def _kill_everything(stack: Stack) -> None:
    stack.kill_everything()
    stack.up()


@pytest.mark.parametrize("kill", [_kill_worker, _kill_api, _kill_everything], ids=["worker", "api", "everything"])
def test_same_report_and_same_charge(
    stack: Stack, undisturbed: tuple[str, float], kill: Callable[[Stack], None]
) -> None:
    """Whatever dies, and whenever: same text, same charge, nothing left open."""
    run_ids = [stack.create(TASK, max_agents=4) for _ in range(RUNS)]
    for run_id in run_ids:
        stack.start(run_id)
        time.sleep(APART_S)
    moments = [len(stack.events(run_id)) for run_id in run_ids]
    kill(stack)
    print(f"events at the kill: {moments}")
    for run_id in run_ids:
        run = stack.finished(run_id)
        assert run["status"] == "completed", run
        assert (stack.report(run_id), run["credits_charged"]) == undisturbed
    assert len(set(moments)) >= RUNS // 2, "the kill met the runs at too few different moments"
    stack.check()
