"""The transition table in the database and in the stores: every pair, every order of arrival (D6, D37, D54, D58)."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from infra.database import Database
from schema.contracts.research import Subtask
from schema.errors import IllegalTransition
from schema.states import LIVE, RUN_TRANSITIONS, TERMINAL, AgentStatus, RunCommand, RunStatus, allows
from schema.store import agents, billing, dead_letters, events, runs
from schema.store.agents import AgentProgress
from schema.store.audit import SYSTEM
from schema.store.billing import Settlement
from schema.store.runs import Projection
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound, end, new_run, path_to, pcr, project, run_in, seed, step, ucr, use

S = RunStatus


@pytest_asyncio.fixture(autouse=True)
async def _sound(owner_db: Database) -> AsyncIterator[None]:
    """Every test leaves every invariant at zero."""
    yield
    await assert_sound(owner_db)


class Undo(Exception):
    """Rolls a transaction back."""


async def tried(db: Database, org: Org, work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    """Return what `work` returns, or the exception that it raises; in either case undone."""
    outcome: Any = None
    try:
        async with db.transaction(org.id) as session:
            try:
                outcome = await work(session)
            except (IntegrityError, IllegalTransition) as error:
                outcome = error
            raise Undo
    except Undo:
        return outcome


@pytest.mark.parametrize("source", list(S))
async def test_the_trigger_allows_what_the_table_allows(db: Database, org: Org, source: S) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, source)
    for target in S:

        async def write(session: AsyncSession, target: S = target) -> None:
            statement = text("update runs set status = :status where id = :id")
            await session.execute(statement, {"status": target.value, "id": run_id})

        outcome = await tried(db, org, write)
        if source is target or (source, target) in RUN_TRANSITIONS:
            assert outcome is None, (source, target, outcome)
        else:
            assert isinstance(outcome, IntegrityError), (source, target)
            assert "may not go from" in str(outcome.orig)


@pytest.mark.parametrize("source", list(S))
async def test_a_projection_moves_only_between_live_statuses(db: Database, org: Org, source: S) -> None:
    """What opens or ends an attempt moves money too, and has a function of its own."""
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, source)
    for target in S:

        async def write(session: AsyncSession, target: S = target) -> bool:
            return await project(session, org.id, await runs.get_run(session, org.id, run_id), target)

        outcome = await tried(db, org, write)
        if source in TERMINAL:
            assert outcome is False, (source, target)
        elif source in LIVE and target in LIVE and (source is target or (source, target) in RUN_TRANSITIONS):
            assert outcome is True, (source, target, outcome)
        else:
            assert isinstance(outcome, IllegalTransition), (source, target, outcome)
            assert outcome.facts == {"status": source.value}


@pytest.mark.parametrize("source", list(S))
async def test_an_attempt_ends_only_as_the_table_allows(db: Database, org: Org, source: S) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, source)
    for target in S:

        async def write(session: AsyncSession, target: S = target) -> tuple[Settlement, str]:
            moved = await end(session, org.id, run_id, target)
            return moved, (await runs.get_run(session, org.id, run_id)).status

        outcome = await tried(db, org, write)
        held = 0 if source is S.CREATED else ucr(10)
        if source in TERMINAL:
            settled = Settlement(0, 0) if path_to(source) == [S.CREATED, S.CANCELLED] else Settlement(0, held)
            assert outcome == (settled, source.value)
        elif target in TERMINAL and (source, target) in RUN_TRANSITIONS:
            assert outcome == (Settlement(0, held), target.value)
        else:
            assert isinstance(outcome, IllegalTransition), (source, target, outcome)


@pytest.mark.parametrize("source", list(S))
async def test_commands_of_postgresql_are_allowed_where_the_table_says(db: Database, org: Org, source: S) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, source)
    commands = {
        RunCommand.START: lambda session: runs.start_run(session, org.id, run_id, SYSTEM),
        RunCommand.RETRY: lambda session: runs.retry_run(session, org.id, run_id, SYSTEM),
        RunCommand.CANCEL: lambda session: runs.cancel_created(session, org.id, run_id, SYSTEM),
    }
    for command, call in commands.items():
        outcome = await tried(db, org, call)
        # A live run is cancelled by its workflow; PostgreSQL alone cancels what was never started.
        allowed = source is S.CREATED if command is RunCommand.CANCEL else allows(command, source)
        assert isinstance(outcome, IllegalTransition) is not allowed, (command, source, outcome)
        if not allowed:
            assert outcome.facts["status"] == source.value


async def test_every_edge_is_walked_with_its_money(db: Database, owner_db: Database, org: Org) -> None:
    """Each transition once, committed, from a run that came there on a legal way; then the run is ended."""
    for source, target in sorted(RUN_TRANSITIONS):
        async with db.transaction(org.id) as session:
            run_id = await run_in(session, org, source)
            await step(session, org.id, run_id, target)
            run = await runs.get_run(session, org.id, run_id)
            assert run.status == target.value
            hold = await billing.hold_of(session, org.id, run_id, run.attempt)
            assert (hold is not None and hold.state == "open") is (target in LIVE)
            changes = await runs.list_status_changes(session, org.id, run_id)
            walked = [*(status.value for status in path_to(source)), target.value]
            assert [change.to_status for change in changes] == walked
            assert [change.from_status for change in changes] == [None, *walked[:-1]]
            log = await events.list_events(session, org.id, run_id)
            assert [event.seq for event in log] == list(range(1, len(log) + 1))
    await assert_sound(owner_db)


async def test_a_walk_through_three_attempts(db: Database, org: Org) -> None:
    """D41: one terminal status, one hold and one settlement per attempt."""
    async with db.transaction(org.id) as session:
        run_id = await new_run(session, org)
        await step(session, org.id, run_id, S.PENDING)
        for attempt in (1, 2, 3):
            if attempt > 1:
                await step(session, org.id, run_id, S.RETRYING)
                await step(session, org.id, run_id, S.PENDING)
            await step(session, org.id, run_id, S.RUNNING)
            items = [use(run_id, attempt=attempt, amount_pcr=pcr(attempt))]
            await billing.meter(session, org.id, run_id=run_id, attempt=attempt, agent_number=1, items=items)
            moved = await end(session, org.id, run_id, S.COMPLETED if attempt == 3 else S.FAILED, attempt=attempt)
            assert moved == (Settlement(ucr(3), ucr(7)) if attempt == 3 else Settlement(0, ucr(10)))
            letters, _ = await dead_letters.list_dead_letters(session, org.id, limit=10)
            assert len(letters) == (0 if attempt == 3 else 1)
        changes = await runs.list_status_changes(session, org.id, run_id)
        ends = [(change.attempt, change.to_status) for change in changes if RunStatus(change.to_status) in TERMINAL]
        assert ends == [(1, "failed"), (2, "failed"), (3, "completed")]
        # An end of an attempt that is over says what it moved, and moves nothing.
        assert await end(session, org.id, run_id, S.COMPLETED, attempt=1) == Settlement(0, ucr(10))
        assert await end(session, org.id, run_id, S.CANCELLED, attempt=9) == Settlement(0, 0)


# Projections never go backwards.


async def test_late_and_repeated_projections_change_nothing(db: Database, org: Org) -> None:
    dice = random.Random(seed())
    way = [S.RUNNING, S.PAUSED, S.RESUMING, S.RUNNING, S.RETRYING, S.PENDING, S.RUNNING]
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, S.PENDING)
    for seq, status in enumerate(way, 1):
        async with db.transaction(org.id) as session:
            assert await project(session, org.id, await runs.get_run(session, org.id, run_id), status, seq=seq)
        for _ in range(3):
            late = dice.randrange(1, seq + 1)
            async with db.transaction(org.id) as session:
                run = await runs.get_run(session, org.id, run_id)
                events_before = run.event_seq
                assert not await project(session, org.id, run, dice.choice(list(S)), seq=late)
                run = await runs.lock_run(session, org.id, run_id)
                assert (run.seq, run.status, run.event_seq) == (seq, status.value, events_before)


async def test_twenty_identical_projections_are_one(db: Database, org: Org) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, S.PENDING)

    async def write() -> bool:
        async with db.transaction(org.id) as session:
            projection = Projection(1, 1, S.RUNNING, None, "Run started")
            return await runs.project(session, org.id, run_id, projection, actor=SYSTEM)

    assert Counter(await asyncio.gather(*(write() for _ in range(20)))) == {True: 1, False: 19}


async def test_a_projection_of_another_attempt_is_not_written(db: Database, org: Org) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, S.FAILED)
        await step(session, org.id, run_id, S.RETRYING)
        for attempt in (1, 3):
            projection = Projection(attempt, 99, S.PENDING, None, "from another attempt")
            assert not await runs.project(session, org.id, run_id, projection, actor=SYSTEM)
        assert (await runs.get_run(session, org.id, run_id)).status == "retrying"


@pytest.mark.parametrize(
    ("source", "assignment", "constraint"),
    [
        (S.RUNNING, "seq = seq - 1", "run_projection_order"),
        (S.RUNNING, "attempt = attempt + 1, seq = 0", "run_attempts"),
        (S.COMPLETED, "attempt = attempt + 1, seq = 0", "run_attempts"),
        (S.RUNNING, "attempt = attempt - 1, seq = 1000", "run_projection_order"),
        (S.RUNNING, "status = 'banana'", "run_transitions"),
        (S.CREATED, "event_seq = -1", "ck_runs_counters"),
    ],
)
async def test_the_trigger_refuses_to_go_back(
    db: Database, org: Org, source: S, assignment: str, constraint: str
) -> None:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, source)

    async def write(session: AsyncSession) -> None:
        await session.execute(text(f"update runs set {assignment} where id = :id"), {"id": run_id})

    outcome = await tried(db, org, write)
    assert isinstance(outcome, IntegrityError)
    assert outcome.orig.__cause__.constraint_name == constraint  # type: ignore[union-attr]


async def test_an_agents_late_progress_leaves_the_next_attempt_alone(db: Database, org: Org) -> None:
    async def statuses(session: AsyncSession) -> tuple[str, str]:
        [agent] = await runs.list_agents(session, org.id, run_id)
        [task] = await runs.list_tasks(session, org.id, run_id)
        await session.refresh(agent)
        await session.refresh(task)
        return agent.status, task.status

    async def advance(session: AsyncSession, attempt: int, status: AgentStatus) -> None:
        progress = AgentProgress(number=1, attempt=attempt, status=status, steps=1)
        await agents.advance(session, org.id, run_id, progress)

    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, S.RUNNING)
        run = await runs.lock_run(session, org.id, run_id)
        await agents.record_plan(session, org.id, run, (Subtask(number=1, title="one", question="what?"),))
        await advance(session, 1, AgentStatus.RUNNING)
        assert await statuses(session) == ("running", "running")
        await end(session, org.id, run_id, S.FAILED)
        assert await statuses(session) == ("failed", "failed")
        await step(session, org.id, run_id, S.RETRYING)
        await advance(session, 2, AgentStatus.COMPLETED)
        await advance(session, 1, AgentStatus.RUNNING)
        assert await statuses(session) == ("completed", "completed")


# Every order of arrival.

TOGETHER = 5


@pytest.mark.parametrize("interleavings", [30, pytest.param(200, marks=pytest.mark.extended)])
async def test_any_interleaving_ends_in_one_legal_state_per_attempt(
    db: Database, owner_db: Database, interleavings: int
) -> None:
    """D58. Start, cancel, ends and retries race on each run (200 in `make chaos`); who loses is refused, and leaves
    nothing."""
    dice = random.Random(seed())
    orgs = [await make_org(owner_db) for _ in range(TOGETHER)]
    outcomes: Counter[str] = Counter()
    for _ in range(interleavings // TOGETHER):
        ended = await asyncio.gather(*(interleave(db, org, random.Random(dice.random())) for org in orgs))
        outcomes.update(" ".join(ends) for ends in ended)
    print(dict(outcomes))
    assert sum(outcomes.values()) == interleavings
    assert len(outcomes) >= 4, "the interleavings no longer differ"
    await assert_sound(owner_db)
    for org in orgs:
        async with db.transaction(org.id) as session:
            balance = await billing.get_balance(session, org.id)
            assert balance.reserved_ucr == 0
            last, _ = await billing.list_ledger(session, org.id, limit=1)
            assert (balance.balance_ucr, balance.version) == (last[0].posted_after_ucr, last[0].version)


async def interleave(db: Database, org: Org, dice: random.Random) -> list[str]:
    """Let several tasks work on one run at once; return the terminal statuses of its attempts, in order."""
    async with db.transaction(org.id) as session:
        run_id = await new_run(session, org)

    async def act(work: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        try:
            async with db.transaction(org.id) as session:
                await work(session)
        except IllegalTransition:
            pass

    async def run_attempt(session: AsyncSession) -> None:
        """What a workflow would do next, wherever the run stands."""
        run = await runs.lock_run(session, org.id, run_id)
        targets = [to for at, to in sorted(RUN_TRANSITIONS) if at == run.status]
        if run.status == S.RUNNING and dice.random() < 0.5:
            key = run.seq
            items = [use(run_id, key, attempt=run.attempt, amount_pcr=pcr("0.3"))]
            await billing.meter(session, org.id, run_id=run_id, attempt=run.attempt, agent_number=1, items=items)
        elif RunStatus(run.status) in LIVE and targets:
            await step(session, org.id, run_id, dice.choice(targets))

    works = [
        *[lambda session: runs.start_run(session, org.id, run_id, SYSTEM)] * 2,
        *[lambda session: runs.cancel_created(session, org.id, run_id, SYSTEM)] * dice.randrange(2),
        *[run_attempt] * 4,
        lambda session: end(session, org.id, run_id, dice.choice([S.FAILED, S.FAILED, S.CANCELLED, S.COMPLETED])),
        *[lambda session: runs.retry_run(session, org.id, run_id, SYSTEM)] * 2,
        lambda session: end(session, org.id, run_id, dice.choice([S.CANCELLED, S.FAILED]), attempt=2),
    ]
    # The first two race with each other; the others arrive in any order, three at a time.
    later = works[1:]
    dice.shuffle(later)
    works = works[:1] + later
    for first in range(0, len(works), 3):
        await asyncio.gather(*(act(work) for work in works[first : first + 3]))
    async with db.transaction(org.id) as session:
        run = await runs.lock_run(session, org.id, run_id)
        if RunStatus(run.status) not in TERMINAL:
            await step(session, org.id, run_id, S.CANCELLED)
        changes = await runs.list_status_changes(session, org.id, run_id)
        ends = [(change.attempt, change.to_status) for change in changes if RunStatus(change.to_status) in TERMINAL]
        assert [attempt for attempt, _ in ends] == list(range(1, run.attempt + 1))
        assert all((RunStatus(c.from_status), RunStatus(c.to_status)) in RUN_TRANSITIONS for c in changes[1:])
        for attempt, status in ends:
            hold = await billing.hold_of(session, org.id, run_id, attempt)
            assert hold is None or hold.state == "settled"
            assert hold is not None or [change.to_status for change in changes] == ["created", "cancelled"]
            assert status != "failed" or hold is None or hold.captured_ucr == 0
        log = await events.list_events(session, org.id, run_id)
        assert log[-1].type == f"run.{ends[-1][1]}"
    return [status for _, status in ends]
