"""The chains as they stand in the database, for whoever verifies, anchors or archives them.

The hashing is the database's (migration 0007) and `schema/chain.py`'s; writing the log is `audit.py`'s.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.chain import GENESIS, Link, Log
from schema.contracts.common import ObjectRef
from schema.tables.audit import AuditArchive, AuditCheckpoint, AuditHead

READ_AT_ONCE = 2_000
"""Entries that one query returns while a chain is walked."""

SEQ_MAX = 2**63 - 1

_FIELDS = {
    Log.AUDIT: "org_id, seq::text, id, actor_type, actor_id, action, resource_type, resource_id, run_id, result,"
    " details::text, request_id, host(ip_address), user_agent, chain_micros(created_at)",
    Log.LEDGER: "org_id, version::text, id, type, posted_delta_ucr::text, held_delta_ucr::text, posted_after_ucr::text,"
    " held_after_ucr::text, run_id, attempt::text, hold_id, reverses_id, invoice_id, idempotency_key, fingerprint,"
    " description, details::text, created_by, chain_micros(created_at)",
}
"""The hashed fields, in their order (form 1, and 0)."""
_TABLES = {Log.AUDIT: ("audit_logs", "seq"), Log.LEDGER: ("billing_ledger", "version")}


@dataclass(frozen=True)
class Heads:
    """Where an organisation's chains stand."""

    audit_seq: int
    audit_hash: bytes
    ledger_version: int
    ledger_hash: bytes
    """Of the entry `ledger_version`, where it is there."""


async def organisations(session: AsyncSession) -> list[str]:
    """Return every organisation that has an audit log or a ledger: an act of the platform, of ids only."""
    return list((await session.execute(text("select across_audited_organisations()"))).scalars())


async def get_heads(session: AsyncSession, org_id: str) -> Heads:
    """Return the heads that the database keeps, for the verifier to doubt."""
    head = (await session.execute(select(AuditHead).where(AuditHead.org_id == org_id))).scalar_one_or_none()
    query = text(
        "select b.version, l.hash from credit_balances b left join billing_ledger l"
        " on l.org_id = b.org_id and l.version = b.version where b.org_id = :org_id"
    )
    ledger = (await session.execute(query, {"org_id": org_id})).one_or_none()
    return Heads(
        audit_seq=head.seq if head else 0,
        audit_hash=head.hash if head else GENESIS,
        ledger_version=ledger[0] if ledger else 0,
        ledger_hash=(ledger[1] if ledger else None) or GENESIS,
    )


async def read_chain(
    session: AsyncSession, org_id: str, log: Log, *, after: int = 0, upto: int = SEQ_MAX
) -> AsyncIterator[list[Link]]:
    """Yield an organisation's entries from `after` (exclusive) to `upto` by rising number, thousands at a time."""
    table, number = _TABLES[log]
    # Two entries of one number may stand on both sides of a page's end: a page begins where the last one ended.
    query = text(
        f"select {number}, form, hash, array[{_FIELDS[log]}] from {table}"  # noqa: S608
        f" where org_id = :org_id and {number} > :after and {number} <= :upto"
        f" order by {number}, created_at, id limit :n offset :skip"
    )
    skip = 0
    while True:
        given = {"org_id": org_id, "after": after, "upto": upto, "n": READ_AT_ONCE, "skip": skip}
        rows = (await session.execute(query, given)).all()
        if rows:
            yield [Link(seq, form, tuple(fields), hash_) for seq, form, hash_, fields in rows]
        if len(rows) < READ_AT_ONCE:
            return
        last = rows[-1][0]
        at_last = sum(1 for row in rows if row[0] == last)
        after, skip = (last - 1, at_last) if last - 1 > after else (after, skip + len(rows))


async def ledger_of_run(session: AsyncSession, org_id: str, run_id: str) -> list[tuple[Link, bytes]]:
    """Return a run's entries of the ledger, by rising number, each with the hash of the entry before it."""
    # Names are the constants above.
    query = text(
        f"select version, form, hash, array[{_FIELDS[Log.LEDGER]}], (select p.hash from billing_ledger p"  # noqa: S608
        " where p.org_id = b.org_id and p.version = b.version - 1)"
        " from billing_ledger b where org_id = :org_id and run_id = :run_id order by version"
    )
    rows = await session.execute(query, {"org_id": org_id, "run_id": run_id})
    return [(Link(seq, form, tuple(fields), own), before or GENESIS) for seq, form, own, fields, before in rows]


async def last_checkpoint(session: AsyncSession, org_id: str) -> AuditCheckpoint | None:
    """Return the newest checkpoint that the database knows of."""
    query = select(AuditCheckpoint).where(AuditCheckpoint.org_id == org_id)
    found = await session.execute(query.order_by(col(AuditCheckpoint.number).desc()).limit(1))
    return found.scalar_one_or_none()


async def stored_checkpoints(session: AsyncSession, org_id: str) -> int:
    """Return the number of the newest checkpoint that the object store has taken; 0 where there is none."""
    query = select(func.max(AuditCheckpoint.number)).where(
        AuditCheckpoint.org_id == org_id, col(AuditCheckpoint.stored_at).is_not(None)
    )
    return int((await session.execute(query)).scalar_one() or 0)


async def put_checkpoint(session: AsyncSession, org_id: str, *, number: int, heads: Heads, document: bytes) -> None:
    """Keep a checkpoint before it goes to the object store; another one of the same number violates the key."""
    session.add(
        AuditCheckpoint(
            org_id=org_id,
            number=number,
            audit_seq=heads.audit_seq,
            ledger_version=heads.ledger_version,
            document=document,
        )
    )
    await session.flush()


async def mark_stored(session: AsyncSession, org_id: str, number: int) -> None:
    """Note that the object store has the checkpoint."""
    await session.execute(
        update(AuditCheckpoint)
        .where(
            col(AuditCheckpoint.org_id) == org_id,
            col(AuditCheckpoint.number) == number,
            col(AuditCheckpoint.stored_at).is_(None),
        )
        .values(stored_at=func.clock_timestamp())
    )


# Months.


async def ensure_partitions(session: AsyncSession, *, months: int) -> int:
    """Make the partitions of this month and of `months` more; returns how many were missing."""
    return int((await session.execute(text("select across_ensure_audit_partitions(:n)"), {"n": months})).scalar_one())


async def ended_months(session: AsyncSession) -> list[datetime]:
    """Return the months (their first instants) whose entries have been kept for seven years."""
    return list((await session.execute(text("select across_ended_audit_months()"))).scalars())


async def drop_month(session: AsyncSession, month: datetime) -> None:
    """Drop a month; the database refuses where seven years are not over, or an organisation's are not archived."""
    await session.execute(text("select across_drop_audit_month(:month)"), {"month": month})


async def get_archive(session: AsyncSession, org_id: str, month: datetime) -> AuditArchive | None:
    """Return the archive of a month."""
    query = select(AuditArchive).where(AuditArchive.org_id == org_id, AuditArchive.month == month)
    return (await session.execute(query)).scalar_one_or_none()


async def last_archive(session: AsyncSession, org_id: str) -> AuditArchive | None:
    """Return the archive after which the chain goes on in the database."""
    query = select(AuditArchive).where(AuditArchive.org_id == org_id)
    found = await session.execute(query.order_by(col(AuditArchive.to_seq).desc()).limit(1))
    return found.scalar_one_or_none()


async def first_seq(session: AsyncSession, org_id: str) -> int | None:
    """Return the number of the first audit entry that is there."""
    query = text("select min(seq) from audit_logs where org_id = :org_id")
    found: int | None = (await session.execute(query, {"org_id": org_id})).scalar_one()
    return found


@dataclass
class Span:
    """What of a month was read."""

    first: int = 0
    last: int = 0
    entries: int = 0
    hash: bytes = b""
    """Of the entry `last`."""

    def add(self, lines: list[dict[str, Any]]) -> None:
        """Count further entries."""
        self.first = self.first or lines[0]["seq"]
        self.last, self.hash = lines[-1]["seq"], bytes.fromhex(lines[-1]["hash"])
        self.entries += len(lines)


async def read_month(session: AsyncSession, org_id: str, month: datetime) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield an organisation's entries of one month as they are archived, thousands at a time.

    A line is `{"seq", "form", "hash", "fields"}`: what `schema.chain.link_hash` needs to prove it.
    """
    query = text(
        f"select seq, form, encode(hash, 'hex') as hash, array[{_FIELDS[Log.AUDIT]}] as fields from audit_logs"  # noqa: S608
        " where org_id = :org_id and created_at >= :month and created_at < :month + interval '1 month'"
        " and seq > :after order by seq limit :n"
    )
    after = 0
    while True:
        given = {"org_id": org_id, "month": month, "after": after, "n": READ_AT_ONCE}
        lines = [dict(row._mapping) for row in await session.execute(query, given)]
        if lines:
            yield lines
        if len(lines) < READ_AT_ONCE:
            return
        after = lines[-1]["seq"]


async def put_archive(session: AsyncSession, org_id: str, month: datetime, span: Span, stored: ObjectRef) -> None:
    """Note that a month lies in the object store."""
    session.add(
        AuditArchive(
            org_id=org_id,
            month=month,
            from_seq=span.first,
            to_seq=span.last,
            entries=span.entries,
            hash=span.hash,
            object_key=stored.key,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
        )
    )
    await session.flush()
