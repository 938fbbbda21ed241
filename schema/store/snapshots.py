"""Snapshots: the text of a source as it was read, kept by its hash."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.tables.documents import Snapshot


async def put_snapshot(
    session: AsyncSession,
    org_id: str,
    snapshot: ObjectRef,
    *,
    fingerprint: bytes | None = None,
    language: str | None = None,
) -> None:
    """Record a snapshot whose text is stored; recording it again changes nothing but what was not known."""
    row = {
        "org_id": org_id,
        "sha256": snapshot.sha256,
        "object_key": snapshot.key,
        "size_bytes": snapshot.size_bytes,
        "fingerprint": fingerprint,
        "language": language,
    }
    statement = postgresql.insert(Snapshot).values(**row)
    if fingerprint is None and language is None:
        await session.execute(statement.on_conflict_do_nothing())
        return
    given = {
        "fingerprint": func.coalesce(Snapshot.fingerprint, fingerprint),
        "language": func.coalesce(Snapshot.language, language),
    }
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id", "sha256"], set_=given))


async def fingerprints(session: AsyncSession, org_id: str, sha256s: Sequence[str]) -> dict[str, bytes]:
    """Return the fingerprints of the snapshots with these hashes, where they have one."""
    query = select(Snapshot.sha256, Snapshot.fingerprint).where(
        Snapshot.org_id == org_id, col(Snapshot.sha256).in_(list(sha256s)), col(Snapshot.fingerprint).is_not(None)
    )
    return {sha256: fingerprint for sha256, fingerprint in await session.execute(query) if fingerprint}


async def snapshot_refs(session: AsyncSession, org_id: str, sha256s: Sequence[str]) -> list[ObjectRef]:
    """Return where the snapshots with these hashes are kept, ordered by hash; unknown ones are left out."""
    query = (
        select(Snapshot)
        .where(Snapshot.org_id == org_id, col(Snapshot.sha256).in_(list(sha256s)))
        .order_by(col(Snapshot.sha256))
    )
    rows = (await session.execute(query)).scalars()
    return [ObjectRef(key=row.object_key, sha256=row.sha256, size_bytes=row.size_bytes) for row in rows]
