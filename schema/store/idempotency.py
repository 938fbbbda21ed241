"""Idempotency keys: claimed and answered in the transaction of their work, so that neither exists without the other.

Two forms. Work that PostgreSQL does alone: `look_up`, the work, `store`, in one transaction. Work that goes on
outside of it (an Update of a workflow): `claim` binds the key to its request in a short transaction, the outside work
is deduplicated by an identifier that is derived from the key, and `store` keeps the answer in another short
transaction. A crash between the two leaves a claim without an answer: a repetition goes on with the same outside
work, and gets its answer.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from schema.errors import IdempotencyInFlight, IdempotencyMismatch
from schema.tables.operations import IdempotencyKey

UNANSWERED = 102
"""`status_code` of a claim whose work goes on (HTTP 102, Processing); never sent."""
_IN_FLIGHT_RETRY_AFTER_S = 1.0
_TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 5))")


@dataclass(frozen=True)
class Asked:
    """One request, as its idempotency sees it."""

    route: str
    """Method and path with its ids."""
    key: str
    """The caller's key; it names nothing without organisation and route (`defects.md` D45)."""
    fingerprint: str
    """SHA-256 of what was asked for."""


@dataclass(frozen=True)
class StoredAnswer:
    """An answer, as it was sent."""

    status_code: int
    content_type: str
    body: bytes


async def look_up(session: AsyncSession, org_id: str, asked: Asked) -> StoredAnswer | None:
    """Take the key for this transaction; return the answer that was given before, if one was.

    Raises:
        IdempotencyInFlight: another transaction holds the key.
        IdempotencyMismatch: the key was used with another request.
    """
    row = await _take(session, org_id, asked)
    if row is None or row.status_code == UNANSWERED:
        return None
    return StoredAnswer(row.status_code, row.content_type, row.body)


@dataclass(frozen=True)
class Claim:
    """A key that is bound to its request."""

    first: bool
    """Whether this call bound it; False: an earlier one did, and its work may be done or under way."""
    answer: StoredAnswer | None
    """What was answered before, if it was."""
    claimed_at: datetime
    """Tells this claim from one of the same key that was forgotten."""


async def claim(session: AsyncSession, org_id: str, asked: Asked) -> Claim:
    """Bind the key to its request before work that goes on outside of PostgreSQL.

    Raises:
        IdempotencyInFlight: another transaction holds the key at this moment.
        IdempotencyMismatch: the key was used with another request.
    """
    row = await _take(session, org_id, asked)
    if row is None:
        await _write(session, org_id, asked, StoredAnswer(UNANSWERED, "", b""))
        made = await _read(session, org_id, asked)
        assert made is not None
        return Claim(True, None, made.created_at)
    if row.status_code == UNANSWERED:
        return Claim(False, None, row.created_at)
    return Claim(False, StoredAnswer(row.status_code, row.content_type, row.body), row.created_at)


async def store(session: AsyncSession, org_id: str, asked: Asked, answer: StoredAnswer) -> StoredAnswer:
    """Keep the answer; where a concurrent repetition kept one first, return that one: the first stands."""
    if await _write(session, org_id, asked, answer):
        return answer
    row = await _read(session, org_id, asked)
    return StoredAnswer(row.status_code, row.content_type, row.body) if row else answer


async def _take(session: AsyncSession, org_id: str, asked: Asked) -> IdempotencyKey | None:
    name = f"{org_id}|{asked.route}|{asked.key}"
    if not (await session.execute(_TRY_LOCK, {"name": name})).scalar_one():
        raise IdempotencyInFlight(
            "A request with this Idempotency-Key is being answered. Repeat it in a second to get its answer.",
            retry_after_s=_IN_FLIGHT_RETRY_AFTER_S,
        )
    row = await _read(session, org_id, asked)
    if row is not None and row.fingerprint != asked.fingerprint:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used before with another request. Choose a new key for a new request."
        )
    return row


async def _read(session: AsyncSession, org_id: str, asked: Asked) -> IdempotencyKey | None:
    query = select(IdempotencyKey).where(
        IdempotencyKey.org_id == org_id, IdempotencyKey.route == asked.route, IdempotencyKey.key == asked.key
    )
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


async def _write(session: AsyncSession, org_id: str, asked: Asked, answer: StoredAnswer) -> bool:
    """Insert the row, or answer a claim; tell whether it was written. A given answer is never replaced."""
    given = {"status_code": answer.status_code, "content_type": answer.content_type, "body": answer.body}
    statement = upsert(IdempotencyKey).values(
        org_id=org_id, route=asked.route, key=asked.key, fingerprint=asked.fingerprint, **given
    )
    written = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "route", "key"],
            # Not the time of the claim: what goes on outside is found again by it.
            set_=given,
            where=IdempotencyKey.__table__.c.status_code == UNANSWERED,  # type: ignore[attr-defined]
        ).returning(IdempotencyKey.__table__.c.key)  # type: ignore[attr-defined]
    )
    return written.scalar_one_or_none() is not None
