"""Commands that meet each other: identical requests at once, and random interleavings of every command.

Pass threshold: 20 identical creations make one run; 20 starts, of one key or of twenty, make one hold and one workflow.
After 24 interleavings (200 in `make chaos`) every attempt has ended in exactly one legal terminal status, what a
command answered is what happened, every refusal is a problem+json of an expected code, reserved credits are 0,
no workflow is open, and every invariant counts 0. The seed is printed; set SWISSBRAIN_TEST_SEED to repeat it.
"""

import asyncio
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from schema.states import RUN_TRANSITIONS, TERMINAL, RunStatus
from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

AT_ONCE = 20
TERMINATED = 12
"""Runs whose workflow an operator terminates: the reconciler fails them, so that retries have something to race for."""
LANES = 10
"""Interleavings that go on at the same time."""
ENDS_WITHIN_S = 90.0
COMMANDS = ("pause", "resume", "cancel", "retry", "finish")
REFUSALS = {
    (409, "illegal_transition"),
    (409, "idempotency_in_flight"),
    (409, "conflict"),
    (503, "orchestrator_unavailable"),
    (503, "storage_unavailable"),
}
"""What a command may be refused with; a 503 must say when to come back."""
SMALL = {"max_agents": 1, "max_tokens": 10_000}
T = TypeVar("T")


@dataclass
class Sent:
    """One command and its answer."""

    command: str
    answer: httpx.Response

    @property
    def refusal(self) -> tuple[int, str] | None:
        """The refusal's status and code; None for a success."""
        return None if self.answer.is_success else (self.answer.status_code, self.answer.json()["code"])


@dataclass
class Told:
    """A run and everything that it was told."""

    run_id: str
    sent: list[Sent] = field(default_factory=list)


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    """A client with a socket for every thread."""
    endpoint = stack.endpoint
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    headers = {"Authorization": f"Bearer {endpoint['api_key']}"}
    with httpx.Client(base_url=endpoint["api_url"], headers=headers, limits=limits, timeout=60) as client:
        yield client


@pytest.fixture
def dice() -> random.Random:
    """A generator whose seed is printed."""
    seed = int(os.environ.get("SWISSBRAIN_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"SWISSBRAIN_TEST_SEED={seed}")
    return random.Random(seed)


def post(http: httpx.Client, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
    """Send one POST, once."""
    return http.post(path, json=body or {}, headers={"Idempotency-Key": key or uuid.uuid4().hex})


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all calls from threads that are let go at the same moment."""
    barrier = threading.Barrier(len(calls))

    def go(call: Callable[[], T]) -> T:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(go, calls))


def check_refusal(answer: httpx.Response) -> None:
    """A refusal is a problem of an expected code that says what to do."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert (answer.status_code, problem["code"]) in REFUSALS, answer.text
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0


def ledger_of(stack: Stack, run_id: str) -> Counter[str]:
    """Count the run's ledger entries by type."""
    entries = stack.get("/api/v1/billing/ledger", params={"run_id": run_id, "limit": 200})["entries"]
    return Counter(entry["type"] for entry in entries)


async def executions_of(stack: Stack, run_id: str) -> list[WorkflowExecutionStatus | None]:
    """Return the status of every execution of the run's workflow that Temporal ever had."""
    endpoint = stack.endpoint
    client = await Client.connect(endpoint["temporal_address"], namespace=endpoint["temporal_namespace"])
    return [found.status async for found in client.list_workflows(f'WorkflowId="{run_id}"')]


def test_identical_creations_make_one_run(stack: Stack, http: httpx.Client) -> None:
    """20 identical POST /runs at once: one run; every other answer is that run, or 409 to come back."""
    key, name = uuid.uuid4().hex, f"race {uuid.uuid4().hex}"
    body = {"name": name, "task": "What is a class definition?", **SMALL}
    answers = at_once([lambda: post(http, "/api/v1/runs", body, key=key)] * AT_ONCE)
    print(f"creations: {Counter(answer.status_code for answer in answers)}")
    for answer in answers:
        if not answer.is_success:
            check_refusal(answer)
    made = {answer.json()["id"] for answer in answers if answer.is_success}
    assert len(made) == 1
    assert sum(answer.status_code == 201 for answer in answers) == 1
    named = [run for run in stack.get("/api/v1/runs", params={"limit": 200})["runs"] if run["name"] == name]
    assert [run["id"] for run in named] == [made.pop()]
    stack.check()


@pytest.mark.parametrize("same_key", [True, False], ids=["one-key", "twenty-keys"])
def test_starts_at_once_hold_once(stack: Stack, http: httpx.Client, same_key: bool) -> None:
    """20 POST /start at once: one hold, one workflow, one charge."""
    run_id, key = stack.create("What is a class definition?", **SMALL), uuid.uuid4().hex
    keys = [key if same_key else uuid.uuid4().hex for _ in range(AT_ONCE)]
    answers = at_once([lambda key=key: post(http, f"/api/v1/runs/{run_id}/start", key=key) for key in keys])
    print(f"starts: {Counter(answer.status_code for answer in answers)}")
    for answer in answers:
        if not answer.is_success:
            check_refusal(answer)
    started = [answer for answer in answers if answer.is_success]
    assert started
    assert len({answer.content for answer in started}) == 1
    if not same_key:
        assert len(started) == 1
    assert stack.finished(run_id)["status"] == "completed"
    assert ledger_of(stack, run_id) == {"hold": 1, "charge": 1, "release": 1}
    assert len(asyncio.run(executions_of(stack, run_id))) == 1
    stack.check()


@pytest.mark.parametrize("interleavings", [24, pytest.param(200, marks=pytest.mark.extended)])
def test_any_interleaving_ends_once(stack: Stack, http: httpx.Client, dice: random.Random, interleavings: int) -> None:
    """Pause, resume, cancel, retry, finish and completion, at random moments, from threads of their own."""
    began = time.monotonic()
    victims = [Told(stack.create(f"What is a comparison? {n}", **SMALL)) for n in range(TERMINATED)]
    asyncio.run(start_and_terminate(stack, http, victims))
    plans = [random.Random(dice.random()) for _ in range(interleavings - TERMINATED)]
    with ThreadPoolExecutor(LANES) as lanes:
        told = list(lanes.map(lambda plan: interleave(stack, http, plan), plans))
    print(f"{len(told)} interleavings took {time.monotonic() - began:.0f} s")
    with ThreadPoolExecutor(TERMINATED) as lanes:
        told += lanes.map(lambda pair: race_for_retry(stack, http, *pair), [(v, dice.random()) for v in victims])
    print(f"all {len(told)} took {time.monotonic() - began:.0f} s")
    ends = Counter(check_end(stack, each) for each in told)
    print(f"ends: {dict(ends)}")
    print(f"answers: {dict(sorted(answers_of(told).items()))}")
    assert len(told) == interleavings
    assert {end[-1] for end in ends} == {"completed", "cancelled"}, "a run failed, or the interleavings met too little"
    assert sum(count for end, count in ends.items() if len(end) > 1) > 0, "no retry was ever taken"
    asyncio.run(no_open_workflow(stack, [each.run_id for each in told]))
    assert float(stack.get("/api/v1/billing/balance")["reserved"]) == 0
    stack.check()


def answers_of(told: Sequence[Told]) -> Counter[str]:
    """Count the answers by command and outcome."""
    return Counter(
        f"{sent.command} {sent.answer.status_code if sent.refusal is None else ' '.join(map(str, sent.refusal))}"
        for each in told
        for sent in each.sent
    )


def interleave(stack: Stack, http: httpx.Client, plan: random.Random) -> Told:
    """Start a run, send it two to five commands at random moments, and bring it to an end."""
    told = Told(stack.create(f"What is a comparison? {plan.random()}", **SMALL))
    assert post(http, f"/api/v1/runs/{told.run_id}/start").is_success
    weights = (4, 3, 1, 1, 1)  # A cancel or finish ends the story: more of them would leave nothing to interleave.
    commands = plan.choices(COMMANDS, weights, k=plan.randint(2, 5))
    send_all(http, told, [(plan.uniform(0, 1.2), command) for command in commands])
    bring_to_end(stack, http, told, plan)
    return told


def send_all(http: httpx.Client, told: Told, commands: Sequence[tuple[float, str]]) -> None:
    """Send each command after its delay, from a thread of its own."""

    def send(delay_s: float, command: str) -> None:
        time.sleep(delay_s)  # The random moment itself, not a wait for anything.
        told.sent.append(Sent(command, post(http, f"/api/v1/runs/{told.run_id}/{command}")))

    with ThreadPoolExecutor(len(commands)) as threads:
        list(threads.map(lambda item: send(*item), commands))


def bring_to_end(stack: Stack, http: httpx.Client, told: Told, plan: random.Random) -> None:
    """Resume, finish or cancel what is left paused, until the run has ended."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (run := stack.run(told.run_id))["status"] not in TERMINAL:
        assert time.monotonic() < deadline, f"{told.run_id} is still {run['status']} ({run.get('status_detail')})"
        if run["status"] == "paused":
            command = plan.choice(("resume", "resume", "finish", "cancel"))
            told.sent.append(Sent(command, post(http, f"/api/v1/runs/{told.run_id}/{command}")))
        time.sleep(0.25)


async def start_and_terminate(stack: Stack, http: httpx.Client, victims: Sequence[Told]) -> None:
    """Start each run, and terminate its workflow at once, as an operator may."""
    endpoint = stack.endpoint
    client = await Client.connect(endpoint["temporal_address"], namespace=endpoint["temporal_namespace"])
    for victim in victims:
        victim.sent.append(Sent("start", post(http, f"/api/v1/runs/{victim.run_id}/start")))
        await client.get_workflow_handle(victim.run_id).terminate("chaos")


def race_for_retry(stack: Stack, http: httpx.Client, told: Told, seed: float) -> Told:
    """Let several retries and other commands race as soon as the reconciler has failed the run."""
    plan, deadline = random.Random(seed), time.monotonic() + 2 * ENDS_WITHIN_S
    while (run := stack.run(told.run_id))["status"] not in TERMINAL:
        assert time.monotonic() < deadline, f"the reconciler left {told.run_id} {run['status']}"
        time.sleep(0.2)
    commands = ["retry", "retry", "retry", plan.choice(COMMANDS), plan.choice(COMMANDS)]
    send_all(http, told, [(plan.uniform(0, 0.3), command) for command in commands])
    assert sum(sent.command == "retry" and sent.refusal is None for sent in told.sent) <= 1, "two retries were taken"
    bring_to_end(stack, http, told, plan)
    return told


def check_end(stack: Stack, told: Told) -> tuple[str, ...]:
    """Check one run: its history is legal, each attempt ended once, and the answers told the truth.

    Returns:
        The terminal status of each attempt.
    """
    for sent in told.sent:
        if sent.refusal is not None:
            check_refusal(sent.answer)
    run = stack.run(told.run_id)
    changes = stack.get(f"/api/v1/runs/{told.run_id}/status-changes")["status_changes"]
    for change in changes:
        if change["from_status"] is not None:
            assert (RunStatus(change["from_status"]), RunStatus(change["to_status"])) in RUN_TRANSITIONS, changes
    ends: dict[int, list[str]] = {}
    for change in changes:
        ends.setdefault(change["attempt"], [])
        if change["to_status"] in TERMINAL:
            ends[change["attempt"]].append(change["to_status"])
    assert all(len(found) == 1 for found in ends.values()), changes
    assert changes[-1]["to_status"] == run["status"]
    if any(sent.command == "cancel" and sent.answer.status_code == 200 for sent in told.sent):
        assert run["status"] == "cancelled", [(sent.command, sent.answer.text) for sent in told.sent]
    ledger = ledger_of(stack, told.run_id)
    assert ledger["hold"] == len(ends)
    return tuple(ends[attempt][0] for attempt in sorted(ends))


async def no_open_workflow(stack: Stack, run_ids: Sequence[str], within_s: float = 30.0) -> None:
    """Wait, a bounded time, until no run and no agent of these runs is open."""
    endpoint = stack.endpoint
    client = await Client.connect(endpoint["temporal_address"], namespace=endpoint["temporal_namespace"])
    wanted = set(run_ids)
    deadline = time.monotonic() + within_s
    while True:
        found = client.list_workflows(f'ExecutionStatus="Running" AND OrgId="{endpoint["org_id"]}"')
        still_open = [each.id async for each in found if each.id.partition("/")[0] in wanted]
        if not still_open:
            break
        assert time.monotonic() < deadline, f"still open: {still_open}"
        await asyncio.sleep(0.2)
    for run_id in run_ids:
        try:
            described = await client.get_workflow_handle(run_id).describe()
        except RPCError as error:
            raise AssertionError(f"{run_id} has no workflow: {error.message}") from error
        assert described.status is not WorkflowExecutionStatus.RUNNING
