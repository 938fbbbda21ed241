"""Archived runs: the rows of a run as they go into its bundle, and where the bundle is."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.errors import NotFound
from schema.store import retention
from schema.tables.retention import RunArchive
from schema.tables.runs import Run

DELETED_WITH_RUN = {
    "runs": "id",
    "run_status_changes": "id",
    "run_events": "seq",
    "tasks": "sequence_number",
    "agents": "number",
    "steps": "agent_number, sequence_number, id",
    "approvals": "id",
    "artifacts": "name",
    "exports": "id",
    "sources": "id",
    "claims": "id",
    "run_forms": "run_id",
    "table_rows": "number",
}
"""Every table whose rows go with their run -> the order of its rows in the bundle; a test holds it against the keys."""
KEPT_BESIDE = {"credit_holds": "attempt", "usage": "operation_key"}
"""Copied into the bundle, and kept in the database too: the ledger's own."""


@dataclass(frozen=True)
class Row:
    """One row of a run, as JSON."""

    table: str
    values: dict[str, Any]


async def rows_of_run(session: AsyncSession, org_id: str, run_id: str) -> list[Row]:
    """Return every row of a run, those that others point to first, in an order that is always the same."""
    found: list[Row] = []
    for table, order in (DELETED_WITH_RUN | KEPT_BESIDE).items():
        key = "id" if table == "runs" else "run_id"
        # Names are the constants above.
        query = f"select to_jsonb(t) from {table} t where org_id = :org_id and {key} = :run_id order by {order}"  # noqa: S608
        rows = await session.execute(text(query), {"org_id": org_id, "run_id": run_id})
        found += [Row(table, values) for values in rows.scalars()]
    return found


async def cited_snapshots(session: AsyncSession, org_id: str, run_id: str) -> list[ObjectRef]:
    """Return the texts that a run's report cites."""
    rows = await session.execute(_CITED, {"org_id": org_id, "run_id": run_id})
    return [ObjectRef(key=row.object_key, sha256=row.sha256, size_bytes=row.size_bytes) for row in rows]


async def find_archive(session: AsyncSession, org_id: str, run_id: str) -> RunArchive | None:
    """Return where a run was archived; None: nothing of it was."""
    query = select(RunArchive).where(RunArchive.org_id == org_id, RunArchive.run_id == run_id)
    return (await session.execute(query)).scalar_one_or_none()


async def get_archive(session: AsyncSession, org_id: str, run_id: str) -> RunArchive:
    """Return where a run was archived.

    Raises:
        NotFound: nothing of it was, or the organisation has no such run.
    """
    found = await find_archive(session, org_id, run_id)
    if found is None:
        is_there = select(Run.id).where(Run.org_id == org_id, Run.id == run_id)
        if (await session.execute(is_there)).scalar_one_or_none() is not None:
            raise NotFound(f"run {run_id} has not been archived; read it at /api/v1/runs/{run_id}")
        raise NotFound(f"there is no run {run_id}, nor an archive of one")
    return found


async def list_archives(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[RunArchive], str | None]:
    """Return the runs that are only in the archive, newest first, and where the next page begins."""
    query = select(RunArchive).where(RunArchive.org_id == org_id, col(RunArchive.archived_at).is_not(None))
    if cursor is not None:
        query = query.where(col(RunArchive.run_id) < cursor)
    rows = list((await session.execute(query.order_by(col(RunArchive.run_id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].run_id if len(rows) > limit else None


async def put_artifacts_archive(session: AsyncSession, org_id: str, run: Run, files: ObjectRef) -> None:
    """Record where the files of a run are, and that the run has them no longer. The caller holds the run's lock."""
    before = await find_archive(session, org_id, run.id)
    if before is not None and before.artifacts is not None and before.artifacts["key"] != files.key:
        await retention.ask_for_deletion(session, org_id, [before.artifacts["key"]])  # A retry has made newer ones.
    await _put(session, org_id, run, artifacts=files.model_dump(mode="json"))
    await retention.mark_artifacts_deleted(session, org_id, run.id)


async def put_run_archive(session: AsyncSession, org_id: str, run: Run, bundle: ObjectRef) -> None:
    """Record where a run is, and delete its rows. The caller holds the run's lock, and has read the bundle back."""
    kept = await retention.get_policy(session, org_id)
    now = func.clock_timestamp()
    await _put(
        session,
        org_id,
        run,
        bundle=bundle.model_dump(mode="json"),
        archived_at=now,
        expires_at=now + func.make_interval(0, 0, 0, kept.archives_days),
    )
    await retention.delete_run_rows(session, org_id, run.id)


async def _put(session: AsyncSession, org_id: str, run: Run, **values: Any) -> None:
    row = upsert(RunArchive).values(
        org_id=org_id,
        run_id=run.id,
        user_id=run.user_id,
        name=run.name,
        status=run.status,
        run_created_at=run.created_at,
        **values,
    )
    changed = values | {"name": run.name, "status": run.status}
    await session.execute(row.on_conflict_do_update(index_elements=["org_id", "run_id"], set_=changed))


async def delete_archive(session: AsyncSession, org_id: str, run_id: str) -> bool:
    """Delete an archive's row and ask for the deletion of its objects; False when it is gone already."""
    row = (await session.execute(_DELETE, {"org_id": org_id, "run_id": run_id})).one_or_none()
    if row is None:
        return False
    await retention.ask_for_deletion(session, org_id, [key for key in row if key is not None])
    return True


_CITED = text(
    "select distinct s.sha256, s.object_key, s.size_bytes from sources x"
    " join snapshots s on s.org_id = x.org_id and s.sha256 = x.snapshot_sha256"
    " where x.org_id = :org_id and x.run_id = :run_id and x.number is not null order by s.sha256"
)
_DELETE = text(
    "delete from run_archives where org_id = :org_id and run_id = :run_id"
    " returning bundle ->> 'key', artifacts ->> 'key'"
)
