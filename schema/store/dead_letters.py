"""Dead letters: work that was given up after its retries, kept until somebody replays it."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.ids import DEAD_LETTER as PREFIX
from schema.ids import derived_id
from schema.tables.runs import DeadLetter


async def record(
    session: AsyncSession,
    org_id: str,
    *,
    kind: str,
    subject_id: str,
    attempt: int,
    error: dict[str, Any],
    run_id: str | None = None,
) -> None:
    """Keep one dead letter per subject and attempt. `kind`: run, agent or document."""
    await session.execute(
        upsert(DeadLetter)
        .values(
            id=derived_id(PREFIX, org_id, kind, subject_id, attempt),
            org_id=org_id,
            run_id=run_id,
            kind=kind,
            subject_id=subject_id,
            error=error,
        )
        .on_conflict_do_nothing()
    )


async def list_dead_letters(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, replayed: bool = False
) -> tuple[list[DeadLetter], str | None]:
    """Return a page of dead letters, newest first; those already replayed only when asked for."""
    query = select(DeadLetter).where(DeadLetter.org_id == org_id)
    if cursor is not None:
        at, _, letter_id = cursor.partition("|")
        query = query.where(
            func.row(DeadLetter.created_at, DeadLetter.id) < func.row(datetime.fromisoformat(at), letter_id)
        )
    if not replayed:
        query = query.where(col(DeadLetter.replayed_at).is_(None))
    order = (col(DeadLetter.created_at).desc(), col(DeadLetter.id).desc())
    rows = list((await session.execute(query.order_by(*order).limit(limit + 1))).scalars())
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], f"{last.created_at.isoformat()}|{last.id}" if last is not None else None


async def get_dead_letter(session: AsyncSession, org_id: str, letter_id: str) -> DeadLetter:
    """Return one dead letter.

    Raises:
        NotFound: the organisation has no such dead letter.
    """
    query = select(DeadLetter).where(DeadLetter.org_id == org_id, DeadLetter.id == letter_id)
    if (letter := (await session.execute(query)).scalar_one_or_none()) is None:
        raise NotFound("There is no such dead letter.")
    return letter


async def count_of(session: AsyncSession, org_id: str, *, kind: str, subject_id: str) -> int:
    """Count the dead letters of one subject, replayed ones too."""
    query = select(func.count()).where(
        DeadLetter.org_id == org_id, DeadLetter.kind == kind, DeadLetter.subject_id == subject_id
    )
    return int((await session.execute(query)).scalar_one())


async def mark_subject_replayed(session: AsyncSession, org_id: str, *, kind: str, subject_id: str) -> None:
    """Close the dead letters of a subject that is no run."""
    await session.execute(
        update(DeadLetter)
        .where(
            col(DeadLetter.org_id) == org_id,
            col(DeadLetter.kind) == kind,
            col(DeadLetter.subject_id) == subject_id,
            col(DeadLetter.replayed_at).is_(None),
        )
        .values(replayed_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


async def mark_replayed(session: AsyncSession, org_id: str, *, run_id: str) -> None:
    """Close the dead letters of a run that is retried."""
    await session.execute(
        update(DeadLetter)
        .where(
            col(DeadLetter.org_id) == org_id, col(DeadLetter.run_id) == run_id, col(DeadLetter.replayed_at).is_(None)
        )
        .values(replayed_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
