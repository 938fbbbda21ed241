"""Runs and their money, straight through the stores: for tests below the workflow."""

import asyncio
import os
import random
from collections import deque
from collections.abc import Awaitable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.database import Database
from schema.contracts.common import ObjectRef
from schema.ids import RUN, new_id, operation_key
from schema.money import PCR_PER_UCR, credits_to_ucr
from schema.states import RUN_TRANSITIONS, TERMINAL, RunStatus
from schema.store import artifacts, invariants, runs
from schema.store.artifacts import NewArtifact
from schema.store.audit import SYSTEM
from schema.store.billing import UsageItem
from schema.store.runs import Ending, Projection
from schema.tables import metadata
from schema.tables.runs import Run
from tests.integration.conftest import Org

_Result = TypeVar("_Result")


def ucr(credits: str | int) -> int:
    """Return credits as micro-credits."""
    return credits_to_ucr(Decimal(credits))


def pcr(credits: str | int) -> int:
    """Return credits as pico-credits."""
    return ucr(credits) * PCR_PER_UCR


def seed() -> int:
    """Draw a seed, or take the one of TEST_SEED; printed, so that a failure shows it."""
    drawn = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"TEST_SEED={drawn}")
    return drawn


async def at_once(work: Sequence[Awaitable[_Result]], *kinds: type[Exception]) -> tuple[list[_Result], list[Exception]]:
    """Await all at once; return the results and the errors of `kinds`; any other error is raised."""
    results: list[_Result] = []
    errors: list[Exception] = []
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, kinds):
            errors.append(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            results.append(outcome)
    return results, errors


async def assert_sound(owner_db: Database) -> None:
    """Assert every invariant, over all organisations."""
    async with owner_db.transaction(None) as session:
        found = await invariants.violations(session)
    assert found == {}, found


def use(run_id: str, step: int = 0, *, attempt: int = 1, agent: int = 1, amount_pcr: int = 0) -> UsageItem:
    """Return one tool call's use."""
    key = operation_key(run_id, attempt, agent, step, "act")
    return UsageItem(operation_key=key, kind="tool", item="corpus.search", amount_pcr=amount_pcr, calls=1)


async def new_run(session: AsyncSession, org: Org, *, ceiling: str | int = 10) -> str:
    """Create a run that holds `ceiling` credits when it starts, with the report that a completed run must have."""
    run_id = new_id(RUN)
    await runs.create_run(
        session,
        org.id,
        run_id=run_id,
        user_id=org.owner_id,
        name="test",
        description=None,
        task="test",
        context={"max_credits": str(ceiling)},
        max_agents=100,
        max_tokens=10_000_000,
    )
    report = ObjectRef(key=f"{org.id}/artifacts/{run_id}", sha256="0" * 64, size_bytes=1)
    await artifacts.put_artifact(session, org.id, run_id, NewArtifact("research_report.md", "text/markdown", report))
    return run_id


def path_to(status: RunStatus) -> list[RunStatus]:
    """Return the shortest legal way from `created` to a status within one attempt, both included."""
    ways = deque([[RunStatus.CREATED]])
    while ways:
        way = ways.popleft()
        if way[-1] is status:
            return way
        if way[-1] in TERMINAL:
            continue
        ways.extend([*way, to] for at, to in sorted(RUN_TRANSITIONS) if at is way[-1] and to not in way)
    raise AssertionError(f"{status} cannot be reached")


async def step(session: AsyncSession, org_id: str, run_id: str, target: RunStatus) -> None:
    """Bring a run one transition on, as the product does."""
    run = await runs.lock_run(session, org_id, run_id)
    current = RunStatus(run.status)
    if current is RunStatus.CREATED and target is RunStatus.PENDING:
        await runs.start_run(session, org_id, run_id, SYSTEM)
    elif current is RunStatus.CREATED:
        await runs.cancel_created(session, org_id, run_id, SYSTEM)
    elif current is RunStatus.FAILED:
        await runs.retry_run(session, org_id, run_id, SYSTEM)
    elif target in TERMINAL:
        await end(session, org_id, run_id, target, attempt=run.attempt)
    else:
        assert await project(session, org_id, run, target)


async def project(session: AsyncSession, org_id: str, run: Run, status: RunStatus, *, seq: int | None = None) -> bool:
    """Project a status onto the run's present attempt."""
    projection = Projection(run.attempt, run.seq + 1 if seq is None else seq, status, None, status.value)
    return await runs.project(session, org_id, run.id, projection, actor=SYSTEM)


async def end(session: AsyncSession, org_id: str, run_id: str, status: RunStatus, *, attempt: int = 1) -> Any:
    """End an attempt."""
    error = {"code": "provider_unavailable", "detail": "test"} if status is RunStatus.FAILED else None
    ending = Ending(attempt, 1_000, status, f"Run {status.value}", error)
    return await runs.close(session, org_id, run_id, ending, actor=SYSTEM)


async def run_in(session: AsyncSession, org: Org, status: RunStatus, *, ceiling: str | int = 10) -> str:
    """Create a run and bring it to a status on the shortest legal way."""
    run_id = await new_run(session, org, ceiling=ceiling)
    for target in path_to(status)[1:]:
        await step(session, org.id, run_id, target)
    return run_id


async def rows_of(session: AsyncSession, org_id: str) -> dict[str, list[Any]]:
    """Return every row that the organisation has, by table."""
    query = " union all ".join(
        f"select '{table.name}', to_jsonb(t) from {table.name} t where org_id = :org_id"
        for table in metadata.sorted_tables
        if "org_id" in table.columns
    )
    found: dict[str, list[Any]] = {}
    for table, row in await session.execute(text(query), {"org_id": org_id}):
        found.setdefault(table, []).append(row)
    return {table: sorted(rows, key=str) for table, rows in found.items()}
