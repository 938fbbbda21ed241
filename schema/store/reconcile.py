"""What the reconciler looks for, across all organisations: rows that may have lost their workflow.

Row-level security shows the application one organisation at a time. These call the functions of migration 0005 that
look past it, and return an organisation and ids; what a row holds is read in a transaction of its organisation.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class RunMark:
    """A run, and where its row stood."""

    org_id: str
    id: str
    attempt: int
    seq: int
    status: str
    updated_at: datetime


@dataclass(frozen=True)
class DocumentMark:
    """A document, a file, or an export."""

    org_id: str
    id: str


@dataclass(frozen=True)
class HoldMark:
    """A hold, and the attempt that it pays."""

    org_id: str
    id: str
    run_id: str
    attempt: int


async def live_runs(session: AsyncSession, *, unchanged_for: timedelta, limit: int) -> list[RunMark]:
    """Return runs in a live status whose row did not change for a while, in random order.

    A healthy run that is paused for weeks stays in this list: in any fixed order, `limit` of them would hide every
    other run for ever.
    """
    rows = await session.execute(_LIVE_RUNS, {"age": unchanged_for, "limit": limit})
    return [RunMark(**row) for row in rows.mappings()]


async def unstarted_runs(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[RunMark]:
    """Return runs that were created and not started for longer than `older_than`."""
    rows = await session.execute(_UNSTARTED_RUNS, {"age": older_than, "limit": limit})
    return [RunMark(**row) for row in rows.mappings()]


async def processing_documents(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[DocumentMark]:
    """Return documents whose ingestion should have ended long ago."""
    rows = await session.execute(_PROCESSING_DOCUMENTS, {"age": older_than, "limit": limit})
    return [DocumentMark(**row) for row in rows.mappings()]


async def processing_files(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[DocumentMark]:
    """Return files whose reading shows no progress for long."""
    rows = await session.execute(_PROCESSING_FILES, {"age": older_than, "limit": limit})
    return [DocumentMark(**row) for row in rows.mappings()]


async def processing_exports(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[DocumentMark]:
    """Return exports of runs that should have ended by now, in random order."""
    rows = await session.execute(_PROCESSING_EXPORTS, {"age": older_than, "limit": limit})
    return [DocumentMark(**row) for row in rows.mappings()]


async def expired_holds(session: AsyncSession, *, limit: int, grace: timedelta) -> list[HoldMark]:
    """Return open holds past their deadline by more than `grace`."""
    rows = await session.execute(_EXPIRED_HOLDS, {"age": grace, "limit": limit})
    return [HoldMark(**row) for row in rows.mappings()]


@dataclass(frozen=True)
class ApprovalMark:
    """An approval that was decided, and the agent that waits for it."""

    org_id: str
    id: str
    run_id: str
    agent_number: int


async def untold_approvals(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[ApprovalMark]:
    """Return decisions that no agent has taken up for a while, of live runs, in random order."""
    rows = await session.execute(_UNTOLD_APPROVALS, {"age": older_than, "limit": limit})
    return [ApprovalMark(**row) for row in rows.mappings()]


async def forget_answers(session: AsyncSession, *, older_than: timedelta) -> int:
    """Delete the answers of idempotency keys that are older than `older_than`; returns how many."""
    return int((await session.execute(_FORGET_ANSWERS, {"age": older_than})).scalar_one())


_LIVE_RUNS = text("select * from across_live_runs(:age, :limit)")
_UNSTARTED_RUNS = text("select * from across_unstarted_runs(:age, :limit)")
_PROCESSING_DOCUMENTS = text("select * from across_processing_documents(:age, :limit)")
_PROCESSING_FILES = text("select * from across_processing_files(:age, :limit)")
_PROCESSING_EXPORTS = text("select * from across_processing_exports(:age, :limit)")
_EXPIRED_HOLDS = text("select * from across_expired_holds(:age, :limit)")
_UNTOLD_APPROVALS = text("select * from across_untold_approvals(:age, :limit)")
_FORGET_ANSWERS = text("select across_forget_answers(:age)")
