"""A dependency that dies, hangs or is away while runs go on, on a stack of its own.

Pass threshold: a run that a server's death or silence meets ends completed with the report and the charge of an
undisturbed run; while Temporal or PostgreSQL is silent, a command is refused with 503, Retry-After and a problem, in
bounded time, and nothing is held; without Redis nothing is lost at all; every invariant counts 0.

A killed server is restarted by the supervisor at once; SIGSTOP is a server that hangs for as long as the test says.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from tests.support.stack import FULL_TEXT_ALONE, Stack
from tests.support.texts import PLANTED, python_topics

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

TASK = "How do Python class definitions, comparisons and assignment statements work? What power does the Zephyr-9 have?"
RUNS = 3
SILENT_S = 6.0
"""How long a server hangs: longer than a workflow task and a database activity may take."""
REFUSED_WITHIN_S = 45.0
SERVERS = (
    "postgres",
    "temporal",
    *(pytest.param(name, marks=pytest.mark.extended) for name in ("redis", "s3")),
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this module's own: what is done to it here must not meet other tests."""
    running = Stack(tmp_path_factory.mktemp("dependencies") / "data", env=FULL_TEXT_ALONE).up()
    topics = python_topics()
    running.upload({name: topics[name] for name in sorted(topics)[:20]} | PLANTED)
    yield running
    running.down()


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> tuple[str, float]:
    """The report and the charge of a run that nothing happens to."""
    run_id = stack.create(TASK, max_agents=4)
    stack.start(run_id)
    run = stack.finished(run_id)
    assert run["status"] == "completed", run
    return stack.report(run_id), run["credits_charged"]


@contextlib.contextmanager
def silent(stack: Stack, name: str) -> Iterator[None]:
    """Stop a server and everything below it: connections stay open, and nobody answers."""
    first = psutil.Process(int(stack.endpoint["pids"][name]))
    family = [first, *first.children(recursive=True)]
    try:
        for process in family:
            process.suspend()
        yield
    finally:
        for process in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def hang(stack: Stack, name: str) -> None:
    """Let a server be silent for a while."""
    with silent(stack, name):
        time.sleep(SILENT_S)  # The fault itself, not a wait for anything.


def kill(stack: Stack, name: str) -> None:
    """kill -9 a server; the supervisor brings it back."""
    stack.returned(name, stack.kill(name))


def under_way(stack: Stack) -> list[str]:
    """Start runs, and return when all have begun to work."""
    run_ids = [stack.create(TASK, max_agents=4) for _ in range(RUNS)]
    for run_id in run_ids:
        stack.start(run_id)
    deadline = time.monotonic() + 60
    while not any(event["type"] == "tool.completed" for event in stack.events(run_ids[0])):
        assert time.monotonic() < deadline, "the runs do not begin"
        time.sleep(0.05)
    return run_ids


def refused(stack: Stack, method: str, path: str, key: str, within_s: float = REFUSED_WITHIN_S) -> httpx.Response:
    """Send one request that must be refused as unavailable, in time."""
    endpoint, began = stack.endpoint, time.monotonic()
    answer = httpx.request(
        method,
        f"{endpoint['api_url']}{path}",
        headers={"Authorization": f"Bearer {endpoint['api_key']}", "Idempotency-Key": key},
        json={} if method == "POST" else None,
        timeout=within_s,
    )
    print(f"{method} {path.rpartition('/')[2]}: {answer.status_code} after {time.monotonic() - began:.1f} s")
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["status"] == 503
    return answer


def until_ready(stack: Stack, within_s: float = 60) -> None:
    """Wait until the API says that every dependency answers."""
    deadline = time.monotonic() + within_s
    while not stack._answers():
        assert time.monotonic() < deadline, "the stack is not ready again"
        time.sleep(0.1)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    "fault", [pytest.param(kill, id="killed"), pytest.param(hang, id="hangs", marks=pytest.mark.extended)]
)
def test_a_run_survives_a_server(
    stack: Stack, undisturbed: tuple[str, float], name: str, fault: Callable[[Stack, str], None]
) -> None:
    """Whichever server dies or hangs: same report, same charge."""
    run_ids = under_way(stack)
    moments = [len(stack.events(run_id)) for run_id in run_ids]
    began = time.monotonic()
    fault(stack, name)
    for run_id in run_ids:
        run = stack.finished(run_id)
        assert run["status"] == "completed", run
        assert (stack.report(run_id), run["credits_charged"]) == undisturbed
    print(f"{name} {fault.__name__} at events {moments}: all completed {time.monotonic() - began:.1f} s later")
    until_ready(stack)
    stack.check()


def test_runs_complete_without_redis(stack: Stack, undisturbed: tuple[str, float]) -> None:
    """Redis is a hint: a run that never sees it starts, is followed and completes."""
    with silent(stack, "redis"):
        run_id = stack.create(TASK, max_agents=4)
        stack.start(run_id)
        run = stack.finished(run_id)
        assert run["status"] == "completed", run
        assert (stack.report(run_id), run["credits_charged"]) == undisturbed
    until_ready(stack)
    stack.check()


def test_start_without_temporal_holds_nothing(stack: Stack, undisturbed: tuple[str, float]) -> None:
    """503 with Retry-After, nothing held; the same key starts the run once Temporal is back."""
    run_id, key = stack.create(TASK, max_agents=4), uuid.uuid4().hex
    before = stack.get("/api/v1/billing/balance")
    with silent(stack, "temporal"):
        answer = refused(stack, "POST", f"/api/v1/runs/{run_id}/start", key)
        assert answer.json()["code"] == "orchestrator_unavailable"
        assert stack.run(run_id)["status"] == "created"
        assert stack.get("/api/v1/billing/balance") == before
        assert stack.get("/api/v1/billing/ledger", params={"run_id": run_id})["entries"] == []
    until_ready(stack)
    assert stack.call("POST", f"/api/v1/runs/{run_id}/start", key=key, json={}).status_code == 200
    run = stack.finished(run_id)
    assert (stack.report(run_id), run["credits_charged"]) == undisturbed
    stack.check()


def test_cancel_without_temporal_is_refused_and_the_same_key_goes_on(stack: Stack) -> None:
    """A command to a run under way: 503 while Temporal is silent; afterwards the key is good for the same command."""
    run_id, key = under_way(stack)[-1], uuid.uuid4().hex
    with silent(stack, "temporal"):
        refused(stack, "POST", f"/api/v1/runs/{run_id}/cancel", key)
    until_ready(stack)
    answer = stack.call("POST", f"/api/v1/runs/{run_id}/cancel", key=key, json={})
    assert answer.status_code in (200, 202, 409), answer.text
    run = stack.finished(run_id)
    assert run["status"] == ("completed" if answer.status_code == 409 else "cancelled"), answer.text
    for other in stack.get("/api/v1/runs", params={"limit": 10})["runs"]:
        if other["status"] != "created":
            stack.finished(other["id"])
    stack.check()


def test_requests_without_postgresql_are_refused(stack: Stack) -> None:
    """503 as problem+json within a bounded time, not a request that hangs; afterwards the same key works."""
    run_id, key = stack.create(TASK, max_agents=4), uuid.uuid4().hex
    with silent(stack, "postgres"):
        answer = refused(stack, "POST", f"/api/v1/runs/{run_id}/start", key)
        assert answer.json()["code"] == "storage_unavailable"
        refused(stack, "GET", f"/api/v1/runs/{run_id}", key)
        health = httpx.get(f"{stack.endpoint['api_url']}/healthz", timeout=10)
        assert health.status_code == 200, "a process whose database hangs is still alive"
    until_ready(stack)
    assert stack.run(run_id)["status"] == "created"
    assert stack.call("POST", f"/api/v1/runs/{run_id}/start", key=key, json={}).status_code == 200
    assert stack.finished(run_id)["status"] == "completed"
    stack.check()
