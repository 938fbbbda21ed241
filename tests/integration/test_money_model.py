"""The ledger against a small model, and every point at which a transaction can break off (reliability.md 2.7)."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from schema.contracts.research import Subtask
from schema.errors import (
    Conflict,
    HoldClosed,
    IdempotencyMismatch,
    IllegalTransition,
    InsufficientCredits,
    StorageUnavailable,
)
from schema.money import PCR_PER_UCR, capture_ucr
from schema.states import RunStatus
from schema.store import agents, billing, runs
from schema.store.audit import SYSTEM
from schema.store.billing import Settlement
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound, end, new_run, pcr, project, rows_of, run_in, ucr, use

S = RunStatus
_Result = TypeVar("_Result")

STEPS = 30
CEILING = 10
START = 25
"""Credits at the beginning: two runs fit, three do not."""


@dataclass
class ModelRun:
    """A run, as the model sees it. All amounts in micro-credits, use in pico-credits."""

    status: str = "created"
    attempt: int = 1
    hold: int = 0
    metered: int = 0
    raised: dict[int, int] = field(default_factory=dict)
    used: dict[tuple[int, int], int] = field(default_factory=dict)
    moved: dict[int, Settlement] = field(default_factory=dict)


class Driver:
    """A database in an event loop of its own thread: Hypothesis calls rules without one."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="model", daemon=True)
        self._thread.start()
        self.owner_db = Database(url, pool_size=3, application_name="tests-model")

    def run(self, work: Awaitable[_Result]) -> _Result:
        async def awaited() -> _Result:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(30)

    def close(self) -> None:
        self.run(self.owner_db.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Money(RuleBasedStateMachine):
    """Any order of purchases, starts, use, ends, retries, raises and refunds, with repeats of all of them."""

    driver: Driver

    def __init__(self) -> None:
        super().__init__()
        self.org: Org = self.driver.run(make_org(self.driver.owner_db, credits_amount=Decimal(START)))
        self.balance = ucr(START)
        self.purchases: dict[int, int] = {}
        self.runs: dict[str, ModelRun] = {}
        self.charges: dict[str, int] = {}
        """What is left to refund of each charge."""
        self.refunds: dict[int, tuple[str, int]] = {}
        self.entries = 1

    @property
    def reserved(self) -> int:
        return sum(run.hold for run in self.runs.values())

    @property
    def available(self) -> int:
        return self.balance - self.reserved

    def act(self, work: Callable[[AsyncSession], Awaitable[_Result]]) -> _Result | Exception:
        """Run one transaction; a refusal is returned."""

        async def transaction() -> _Result:
            async with self.driver.owner_db.transaction(self.org.id) as session:
                return await work(session)

        refusals = (InsufficientCredits, IllegalTransition, IdempotencyMismatch, Conflict, HoldClosed)
        try:
            return self.driver.run(transaction())
        except refusals as error:
            return error

    def pick(self, index: int) -> tuple[str, ModelRun]:
        return list(self.runs.items())[index % len(self.runs)]

    @rule(key=st.integers(0, 3), credits=st.integers(1, 3))
    def purchase(self, key: int, credits: int) -> None:
        outcome = self.act(
            lambda session: billing.purchase(session, self.org.id, amount_ucr=ucr(credits), idempotency_key=str(key))
        )
        if key in self.purchases:
            assert isinstance(outcome, IdempotencyMismatch) is (self.purchases[key] != credits)
        else:
            assert not isinstance(outcome, Exception)
            self.purchases[key] = credits
            self.balance += ucr(credits)
            self.entries += 1

    @precondition(lambda self: len(self.runs) < 4)
    @rule()
    def create(self) -> None:
        outcome = self.act(lambda session: new_run(session, self.org, ceiling=CEILING))
        assert isinstance(outcome, str)
        self.runs[outcome] = ModelRun()

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 3))
    def start(self, index: int) -> None:
        run_id, run = self.pick(index)
        self._open(run_id, run, runs.start_run, {"created"}, run.attempt)

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 3))
    def retry(self, index: int) -> None:
        run_id, run = self.pick(index)
        self._open(run_id, run, runs.retry_run, {"failed"}, run.attempt + 1)

    def _open(self, run_id: str, run: ModelRun, call: Any, allowed: set[str], attempt: int) -> None:
        async def work(session: AsyncSession) -> None:
            await call(session, self.org.id, run_id, SYSTEM)
            for status in [S.PENDING, S.RUNNING] if attempt > 1 else [S.RUNNING]:
                assert await project(session, self.org.id, await runs.get_run(session, self.org.id, run_id), status)

        outcome = self.act(work)
        if run.status not in allowed:
            assert isinstance(outcome, IllegalTransition)
        elif self.available < ucr(CEILING):
            assert isinstance(outcome, InsufficientCredits)
        else:
            assert outcome is None
            run.status, run.attempt, run.hold, run.metered = "running", attempt, ucr(CEILING), 0
            self.entries += 1

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 3), number=st.integers(0, 4), amount_pcr=st.integers(0, pcr(4)), late=st.booleans())
    def meter(self, index: int, number: int, amount_pcr: int, late: bool) -> None:
        run_id, run = self.pick(index)
        attempt = run.attempt - 1 if late and run.attempt > 1 else run.attempt
        items = [use(run_id, number, attempt=attempt, amount_pcr=amount_pcr)]
        outcome = self.act(
            lambda session: billing.meter(
                session, self.org.id, run_id=run_id, attempt=attempt, agent_number=1, items=items
            )
        )
        if attempt != run.attempt or run.hold == 0:
            assert isinstance(outcome, HoldClosed)
            return
        if (attempt, number) not in run.used:
            run.used[attempt, number] = min(amount_pcr, run.hold * PCR_PER_UCR - run.metered)
            run.metered += run.used[attempt, number]
        assert outcome == run.used[attempt, number]

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 3), status=st.sampled_from([S.COMPLETED, S.CANCELLED, S.FAILED, S.FAILED]))
    def close(self, index: int, status: RunStatus) -> None:
        run_id, run = self.pick(index)
        outcome = self.act(lambda session: end(session, self.org.id, run_id, status, attempt=run.attempt))
        if run.status == "created":
            if status is S.CANCELLED:
                assert outcome == Settlement(0, 0)
                run.status, run.moved[run.attempt] = "cancelled", Settlement(0, 0)
            else:
                assert isinstance(outcome, IllegalTransition)
            return
        if run.status == "running":
            charged = 0 if status is S.FAILED else capture_ucr(run.metered, run.hold)
            run.moved[run.attempt] = Settlement(charged, run.hold - charged)
            self.entries += (charged > 0) + (run.hold > charged)
            self.balance -= charged
            run.status, run.hold = status.value, 0
            if charged:
                self.charges[self._charge_of(run_id, run.attempt)] = charged
        assert outcome == run.moved[run.attempt]

    def _charge_of(self, run_id: str, attempt: int) -> str:
        ledger = self.act(
            lambda session: billing.list_ledger(session, self.org.id, limit=9, run_id=run_id, type="charge")
        )
        assert isinstance(ledger, tuple)
        [charge] = [entry.id for entry in ledger[0] if entry.attempt == attempt]
        return charge

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 3), key=st.integers(0, 2), credits=st.integers(1, 8))
    def raise_hold(self, index: int, key: int, credits: int) -> None:
        """Pause, add, go on: in one transaction, so that the run is never seen paused."""
        run_id, run = self.pick(index)

        async def work(session: AsyncSession) -> None:
            locked = await runs.lock_run(session, self.org.id, run_id)
            if locked.status == "running":
                assert await project(session, self.org.id, locked, S.PAUSED)
            await runs.raise_hold(
                session,
                self.org.id,
                run_id,
                added_ucr=ucr(credits),
                idempotency_key=f"{run_id} {locked.attempt} {key}",
                actor=SYSTEM,
            )
            if locked.status == "paused":
                assert await project(session, self.org.id, locked, S.RESUMING)
                assert await project(session, self.org.id, locked, S.RUNNING)

        outcome = self.act(work)
        name = run.attempt * 10 + key
        if name in run.raised:
            assert isinstance(outcome, IdempotencyMismatch) is (run.raised[name] != credits)
        elif run.status != "running":
            assert isinstance(outcome, IllegalTransition)
        elif self.available < ucr(credits):
            assert isinstance(outcome, InsufficientCredits)
        else:
            assert outcome is None
            run.raised[name] = credits
            run.hold += ucr(credits)
            self.entries += 1

    @precondition(lambda self: self.charges)
    @rule(index=st.integers(0, 3), key=st.integers(0, 2), amount_ucr=st.integers(1, ucr(6)))
    def refund(self, index: int, key: int, amount_ucr: int) -> None:
        charge_id = list(self.charges)[index % len(self.charges)]
        outcome = self.act(
            lambda session: billing.refund(
                session, self.org.id, charge_id=charge_id, amount_ucr=amount_ucr, idempotency_key=str(key)
            )
        )
        if key in self.refunds:
            assert isinstance(outcome, IdempotencyMismatch) is (self.refunds[key] != (charge_id, amount_ucr))
        elif amount_ucr > self.charges[charge_id]:
            assert isinstance(outcome, Conflict)
        else:
            assert not isinstance(outcome, Exception)
            self.refunds[key] = (charge_id, amount_ucr)
            self.charges[charge_id] -= amount_ucr
            self.balance += amount_ucr
            self.entries += 1

    @invariant()
    def the_balance_is_the_models(self) -> None:
        balance = self.act(lambda session: billing.get_balance(session, self.org.id))
        assert not isinstance(balance, Exception)
        found = (balance.balance_ucr, balance.reserved_ucr, balance.available_ucr, balance.version)
        assert found == (self.balance, self.reserved, self.available, self.entries)

    def teardown(self) -> None:
        self.driver.run(assert_sound(self.driver.owner_db))


@pytest.mark.parametrize("examples", [12, pytest.param(100, marks=pytest.mark.extended)])
def test_the_ledger_agrees_with_the_model(servers: EmbeddedServers, examples: int) -> None:
    driver = Driver(servers.stack.owner_url)
    bounds = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(type("MoneyHere", (Money,), {"driver": driver}), settings=bounds)
    finally:
        driver.close()


# Every point at which a transaction can break off.


class Crash(Exception):
    """The process ends here."""


@contextmanager
def crash_after(database: Database, statements: int) -> Iterator[list[str]]:
    """Raise after the given number of statements, the last of which has been executed; yields what was executed."""
    executed: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)
        if len(executed) == statements:
            raise Crash(statement)

    event.listen(database.engine.sync_engine, "after_cursor_execute", count)
    try:
        yield executed
    finally:
        event.remove(database.engine.sync_engine, "after_cursor_execute", count)


@pytest_asyncio.fixture
async def fragile(servers: EmbeddedServers) -> AsyncIterator[Database]:
    """A pool of its own, whose connections nobody else uses."""
    database = Database(servers.stack.settings.database_url.get_secret_value(), pool_size=1, pool_overflow=0)
    yield database
    await database.close()


async def _paused(session: AsyncSession, org: Org) -> str:
    return await run_in(session, org, S.PAUSED)


async def _failed(session: AsyncSession, org: Org) -> str:
    return await run_in(session, org, S.FAILED)


async def _created(session: AsyncSession, org: Org) -> str:
    return await new_run(session, org)


async def _pending(session: AsyncSession, org: Org) -> str:
    return await run_in(session, org, S.PENDING)


async def _used(session: AsyncSession, org: Org) -> str:
    run_id = await run_in(session, org, S.RUNNING)
    run = await runs.lock_run(session, org.id, run_id)
    await agents.record_plan(session, org.id, run, (Subtask(number=1, title="one", question="what?"),))
    items = [use(run_id, amount_pcr=pcr("2.5"))]
    await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)
    return run_id


async def _charged(session: AsyncSession, org: Org) -> str:
    run_id = await _used(session, org)
    await end(session, org.id, run_id, S.COMPLETED)
    return run_id


async def _start(session: AsyncSession, org: Org, run_id: str) -> Any:
    return (await runs.start_run(session, org.id, run_id, SYSTEM)).status


async def _retry(session: AsyncSession, org: Org, run_id: str) -> Any:
    return (await runs.retry_run(session, org.id, run_id, SYSTEM)).status


async def _project(session: AsyncSession, org: Org, run_id: str) -> Any:
    return await project(session, org.id, await runs.get_run(session, org.id, run_id), S.RUNNING, seq=1)


async def _meter(session: AsyncSession, org: Org, run_id: str) -> Any:
    items = [use(run_id, number, amount_pcr=pcr(4)) for number in range(1, 4)]
    return await billing.meter(session, org.id, run_id=run_id, attempt=1, agent_number=1, items=items)


async def _complete(session: AsyncSession, org: Org, run_id: str) -> Any:
    return await end(session, org.id, run_id, S.COMPLETED)


async def _fail(session: AsyncSession, org: Org, run_id: str) -> Any:
    return await end(session, org.id, run_id, S.FAILED)


async def _raise(session: AsyncSession, org: Org, run_id: str) -> Any:
    run = await runs.raise_hold(session, org.id, run_id, added_ucr=ucr(5), idempotency_key="raise", actor=SYSTEM)
    return run.status


async def _refund(session: AsyncSession, org: Org, run_id: str) -> Any:
    entries, _ = await billing.list_ledger(session, org.id, limit=1, run_id=run_id, type="charge")
    entry = await billing.refund(session, org.id, charge_id=entries[0].id, amount_ucr=1, idempotency_key="refund")
    return entry.posted_delta_ucr


async def _cancel(session: AsyncSession, org: Org, run_id: str) -> Any:
    return (await runs.cancel_created(session, org.id, run_id, SYSTEM)).status


@pytest.mark.parametrize(
    ("prepare", "work", "result", "repeated"),
    [
        pytest.param(_created, _start, "pending", IllegalTransition, id="start_run"),
        pytest.param(_created, _cancel, "cancelled", IllegalTransition, id="cancel_created"),
        pytest.param(_failed, _retry, "retrying", IllegalTransition, id="retry_run"),
        pytest.param(_pending, _project, True, False, id="project"),
        pytest.param(_used, _meter, pcr("7.5"), pcr("7.5"), id="meter"),
        pytest.param(
            _used, _complete, Settlement(ucr("2.5"), ucr("7.5")), Settlement(ucr("2.5"), ucr("7.5")), id="complete"
        ),
        pytest.param(_used, _fail, Settlement(0, ucr(10)), Settlement(0, ucr(10)), id="fail"),
        pytest.param(_paused, _raise, "paused", "paused", id="raise_hold"),
        pytest.param(_charged, _refund, 1, 1, id="refund"),
    ],
)
async def test_a_crash_after_any_statement_leaves_nothing(
    fragile: Database,
    owner_db: Database,
    org: Org,
    prepare: Callable[[AsyncSession, Org], Awaitable[str]],
    work: Callable[[AsyncSession, Org, str], Awaitable[Any]],
    result: Any,
    repeated: Any,
) -> None:
    """D33: a crash between ledger and balance was permanent. Exhaustive: the failure moves through every statement."""
    async with owner_db.transaction(org.id) as session:
        run_id = await prepare(session, org)
        before = await rows_of(session, org.id)

    async def attempt() -> Any:
        async with fragile.transaction(org.id) as session:
            return await work(session, org, run_id)

    for statements in itertools.count(1):
        with crash_after(fragile, statements):
            try:
                outcome = await attempt()
            except Crash:
                outcome = Crash
        if outcome is not Crash:
            break
        async with owner_db.transaction(org.id) as session:
            assert await rows_of(session, org.id) == before, f"after statement {statements}"
        if statements % 5 == 0:
            await assert_sound(owner_db)
    assert statements > 4
    assert outcome == result
    await assert_sound(owner_db)
    async with owner_db.transaction(org.id) as session:
        done = await rows_of(session, org.id)
    assert done != before
    # The answer was lost after the commit: the repeat moves nothing.
    if isinstance(repeated, type):
        with pytest.raises(repeated):
            await attempt()
    else:
        assert await attempt() == repeated
    async with owner_db.transaction(org.id) as session:
        assert await rows_of(session, org.id) == done


async def test_a_killed_connection_leaves_nothing(fragile: Database, owner_db: Database, org: Org) -> None:
    """The backend dies with the transaction open; the next attempt gets another connection."""
    async with owner_db.transaction(org.id) as session:
        run_id = await new_run(session, org)
        before = await rows_of(session, org.id)

    async def die() -> None:
        async with fragile.transaction(org.id) as session:
            await _start(session, org, run_id)
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StorageUnavailable):
        await die()
    async with owner_db.transaction(org.id) as session:
        assert await rows_of(session, org.id) == before
    async with fragile.transaction(org.id) as session:
        assert await _start(session, org, run_id) == "pending"
    await assert_sound(owner_db)
