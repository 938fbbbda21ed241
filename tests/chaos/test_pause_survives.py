"""A paused run outlives everything, and Temporal's own command line finds and resumes it.

Pass threshold: after `kill -9` of the whole stack the run is still paused and not one event was written meanwhile; it
is found by `RunStatus`; `temporal workflow signal` resumes it; report and charge are those of an undisturbed run; every
invariant counts 0.
"""

import json
import subprocess
import time

import pytest

from infra.embedded.servers import script
from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

TASK = (
    "How do class definitions work in Python? What is an assignment statement? How are comparisons evaluated? "
    "What power does the Zephyr-9 have? Who makes it?"
)
PAUSE_TRIES = 5
SHOWN_WITHIN_S = 30.0


def temporal(stack: Stack, *arguments: str) -> str:
    """Run the `temporal` that stands beside this interpreter; returns what it printed."""
    endpoint = stack.endpoint
    where = ["--address", endpoint["temporal_address"], "--namespace", endpoint["temporal_namespace"]]
    done = subprocess.run([script("temporal"), *arguments, *where], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def paused_run(stack: Stack) -> str:
    """Return a run that was paused before it was done; one that was faster than the pause is let go."""
    for _ in range(PAUSE_TRIES):
        run_id = stack.create(TASK, max_agents=5)
        stack.start(run_id)
        while stack.run(run_id)["status"] == "pending":
            time.sleep(0.02)
        answer = stack.call("POST", f"/api/v1/runs/{run_id}/pause", json={})
        if answer.is_success and reached(stack, run_id, "paused") and not done(stack, run_id):
            return run_id
    raise AssertionError(f"{PAUSE_TRIES} runs were done before their pause")


def reached(stack: Stack, run_id: str, status: str) -> bool:
    """Wait until the run is in `status`; False when it ends before."""
    deadline = time.monotonic() + 60
    while (run := stack.run(run_id))["status"] != status:
        if run["status"] in ("completed", "failed", "cancelled"):
            return False
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return True


def done(stack: Stack, run_id: str) -> bool:
    """Tell whether nothing but the end is left to pause."""
    return any(event["type"] == "report.written" for event in stack.events(run_id))


def listed(stack: Stack, query: str) -> set[str]:
    """Return the workflow ids that `temporal workflow list` finds."""
    printed = temporal(stack, "workflow", "list", "--query", query, "--output", "json")
    return {each["execution"]["workflowId"] for each in json.loads(printed or "[]") or []}


def until_listed(stack: Stack, run_id: str, query: str) -> None:
    """Wait, a bounded time, until visibility shows the run: it is written a moment after the fact."""
    deadline = time.monotonic() + SHOWN_WITHIN_S
    while run_id not in listed(stack, query):
        assert time.monotonic() < deadline, f"{run_id} is not found by {query}"
        time.sleep(0.3)


def test_paused_run_survives_everything_and_a_signal_resumes_it(stack: Stack) -> None:
    """Paused, killed, started again, found, signalled, completed: as if nothing had been."""
    undisturbed = stack.create(TASK, max_agents=5)
    stack.start(undisturbed)
    expected = stack.finished(undisturbed)
    assert expected["status"] == "completed", expected

    run_id = paused_run(stack)
    before = stack.events(run_id)
    assert before[-1]["type"] == "run.paused", before[-1]
    assert stack.run(run_id)["credits_reserved"] > 0
    until_listed(stack, run_id, 'RunStatus="paused"')

    stack.kill_everything()
    stack.up()
    assert stack.run(run_id)["status"] == "paused"
    until_listed(stack, run_id, 'RunStatus="paused" AND ExecutionStatus="Running"')
    # Another run, start to end: the worker works again, and still nothing moves in the paused one.
    other = stack.create("What is a comparison?", max_agents=1)
    stack.start(other)
    assert stack.finished(other)["status"] == "completed"
    assert stack.events(run_id) == before, "something ran while the run was paused"

    temporal(stack, "workflow", "signal", "--workflow-id", run_id, "--name", "resume")
    run = stack.finished(run_id)
    assert run["status"] == "completed", run
    assert stack.report(run_id) == stack.report(undisturbed)
    assert run["credits_charged"] == expected["credits_charged"]
    worked = [event for event in stack.events(run_id)[len(before) :] if event["type"] == "tool.completed"]
    print(f"events before the pause: {len(before)}; tools after the resume: {len(worked)}")
    until_listed(stack, run_id, 'RunStatus="completed"')
    assert run_id not in listed(stack, 'RunStatus="paused"')
    stack.check()


def test_no_tool_starts_while_paused(stack: Stack) -> None:
    """Between the event that says paused and the one that says resumed there is none of a tool or a thought."""
    run_id = paused_run(stack)
    paused = len(stack.events(run_id))
    other = stack.create("What is a comparison?", max_agents=1)
    stack.start(other)
    assert stack.finished(other)["status"] == "completed"
    assert len(stack.events(run_id)) == paused
    stack.post(f"/api/v1/runs/{run_id}/resume")
    assert stack.finished(run_id)["status"] == "completed"
    types = [event["type"] for event in stack.events(run_id)]
    assert types.index("run.resumed") == paused or types[paused] == "run.status_changed", types[paused:]
    stack.check()
