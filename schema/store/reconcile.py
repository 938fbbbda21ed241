"""What the reconciler looks for, across all organisations: rows that may have lost their workflow."""

from datetime import timedelta

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.states import LIVE, RunStatus
from schema.tables.documents import Document
from schema.tables.runs import Run


async def live_runs(session: AsyncSession, *, unchanged_for: timedelta, limit: int) -> list[Run]:
    """Return runs in a live status whose row did not change for a while, in random order.

    A healthy run that is paused for weeks stays in this list: in any fixed order, `limit` of them would hide every
    other run for ever.
    """
    query = (
        select(Run)
        .where(col(Run.status).in_(sorted(LIVE)), col(Run.updated_at) < func.clock_timestamp() - unchanged_for)
        .order_by(func.random())
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def unstarted_runs(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[Run]:
    """Return runs that were created and not started for longer than `older_than`."""
    query = (
        select(Run)
        .where(Run.status == RunStatus.CREATED.value, col(Run.created_at) < func.clock_timestamp() - older_than)
        .order_by(col(Run.created_at))
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def processing_documents(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[Document]:
    """Return documents whose ingestion should have ended long ago."""
    query = (
        select(Document)
        .where(
            Document.status == "processing",
            col(Document.deleted_at).is_(None),
            col(Document.created_at) < func.clock_timestamp() - older_than,
        )
        .order_by(col(Document.created_at))
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())
