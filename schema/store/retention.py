"""What is kept for how long, and the deletion of what is not: files, runs, documents, objects.

Rows and the wish to delete their objects change in one transaction; the objects follow (`object_deletions`), once
nothing points to them any more. Ledger, usage, holds and the audit log are nobody's to delete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from schema.policies import (
    ARCHIVES_KEPT_DAYS,
    ARTIFACTS_KEPT_DAYS,
    DELETED_DOCUMENT_KEPT,
    FILE_UPLOAD_WITHIN,
    RUNS_KEPT_DAYS,
)
from schema.store import audit
from schema.store.audit import Actor
from schema.tables.retention import RetentionPolicy


@dataclass(frozen=True)
class Kept:
    """An organisation's retention in days, defaults filled in."""

    artifacts_days: int = ARTIFACTS_KEPT_DAYS
    runs_days: int = RUNS_KEPT_DAYS
    archives_days: int = ARCHIVES_KEPT_DAYS


@dataclass(frozen=True)
class Mark:
    """Something that is due: of whom, and its id (of an object, its key)."""

    org_id: str
    id: str


async def get_policy(session: AsyncSession, org_id: str) -> Kept:
    """Return how long the organisation keeps what."""
    query = select(RetentionPolicy).where(RetentionPolicy.org_id == org_id)
    row = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        return Kept()
    own = {name: getattr(row, name) for name in ("artifacts_days", "runs_days", "archives_days")}
    return Kept(**{name: days for name, days in own.items() if days is not None})


async def artifacts_kept_for(session: AsyncSession, org_id: str) -> timedelta:
    """Return how long a file of a run can be downloaded."""
    return timedelta(days=(await get_policy(session, org_id)).artifacts_days)


async def set_policy(session: AsyncSession, org_id: str, changes: dict[str, int | None], *, actor: Actor) -> Kept:
    """Change how long the organisation keeps what; files that are there get the new end too.

    Args:
        changes: any of `artifacts_days`, `runs_days` (1 to 36500) and `archives_days` (0 to 36500); None: the default.
    """
    before = await get_policy(session, org_id)
    if changes:
        row = upsert(RetentionPolicy).values(org_id=org_id, **changes)
        await session.execute(row.on_conflict_do_update(index_elements=["org_id"], set_=changes))
    after = await get_policy(session, org_id)
    if after != before:
        by = timedelta(days=after.artifacts_days - before.artifacts_days)
        await session.execute(_MOVE_ENDS, {"org_id": org_id, "by": by})
        await audit.record(
            session,
            org_id,
            actor=actor,
            action="retention.changed",
            resource_type="organisation",
            resource_id=org_id,
            details=vars(after),
        )
    return after


# ---- What is due, across all organisations.


async def due_artifacts(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return ended runs that have files past their end."""
    return await _marks(session, "across_due_artifacts(:limit)", limit=limit)


async def due_runs(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return runs that ended longer ago than their organisation keeps them."""
    return await _marks(session, "across_due_runs(:days, :limit)", days=RUNS_KEPT_DAYS, limit=limit)


async def due_archives(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return the runs of archives past their end."""
    return await _marks(session, "across_due_archives(:limit)", limit=limit)


async def due_exports(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return exports of data past their end."""
    return await _marks(session, "across_due_exports(:limit)", limit=limit)


async def due_documents(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return documents that were deleted a while ago."""
    return await _marks(session, "across_deleted_documents(:kept, :limit)", kept=DELETED_DOCUMENT_KEPT, limit=limit)


async def due_files(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return files past their end, those that were deleted a while ago, and uploads that nobody completed."""
    return await _marks(
        session,
        "across_due_files(:kept, :upload, :limit)",
        kept=DELETED_DOCUMENT_KEPT,
        upload=FILE_UPLOAD_WITHIN,
        limit=limit,
    )


async def due_objects(session: AsyncSession, *, limit: int) -> list[Mark]:
    """Return objects that somebody wanted deleted, the oldest wish first."""
    return await _marks(session, "across_object_deletions(:limit)", limit=limit)


async def unfinished_requests(session: AsyncSession, *, older_than: timedelta, limit: int) -> list[Mark]:
    """Return erasures and exports that should have ended."""
    return await _marks(session, "across_unfinished_requests(:age, :limit)", age=older_than, limit=limit)


async def _marks(session: AsyncSession, call: str, **parameters: Any) -> list[Mark]:
    # `call` is one of the above.
    rows = await session.execute(text(f"select org_id, id from {call}"), parameters)  # noqa: S608
    return [Mark(**row) for row in rows.mappings()]


# ---- Deletion, within one organisation.


async def delete_run_rows(session: AsyncSession, org_id: str, run_id: str) -> bool:
    """Delete a run with all that hangs on it, and ask for the deletion of its objects; False when it is gone already.

    The caller holds the run's lock and knows that it has ended.
    """
    parameters = {"org_id": org_id, "run_id": run_id}
    snapshots = list((await session.execute(_SNAPSHOTS_OF_RUN, parameters)).scalars())
    await session.execute(_ASK_FOR_RUNS_OBJECTS, parameters)
    gone = (await session.execute(_DELETE_RUN, parameters)).scalar_one_or_none()
    await delete_snapshots(session, org_id, snapshots)
    return gone is not None


async def delete_snapshots(session: AsyncSession, org_id: str, sha256s: Sequence[str]) -> None:
    """Delete those of the snapshots that no source and no document points to; ask for the deletion of their objects."""
    if sha256s:
        await session.execute(_DELETE_SNAPSHOTS, {"org_id": org_id, "sha256s": list(sha256s)})


async def delete_document_rows(session: AsyncSession, org_id: str, document_id: str) -> bool:
    """Delete a document for good, with its passages; ask for the deletion of its object; False when it is gone."""
    row = (await session.execute(_DELETE_DOCUMENT, {"org_id": org_id, "document_id": document_id})).one_or_none()
    if row is None:
        return False
    await ask_for_deletion(session, org_id, [row.object_key])
    await delete_snapshots(session, org_id, [row.snapshot_sha256] if row.snapshot_sha256 else [])
    return True


@dataclass(frozen=True)
class DeletedFile:
    """What a deleted file leaves behind in the object store."""

    object_key: str
    upload_id: str | None
    content_sha256: str | None
    """None: its content is still that of another file, whose readings stay."""


async def delete_file_rows(session: AsyncSession, org_id: str, file_id: str) -> DeletedFile | None:
    """Delete a file for good, with its document and its questions; ask for the deletion of its object.

    What a run cites of it stays readable there. None: it is gone already, or is being read.
    """
    parameters = {"org_id": org_id, "file_id": file_id}
    row = (await session.execute(_DELETE_FILE, parameters)).one_or_none()
    if row is None:
        return None
    await ask_for_deletion(session, org_id, [row.object_key])
    for document_id in list((await session.execute(_DOCUMENTS_OF_FILE, parameters)).scalars()):
        await delete_document_rows(session, org_id, document_id)
    left = (await session.execute(_SAME_CONTENT, {"org_id": org_id, "sha256": row.content_sha256})).scalar_one()
    return DeletedFile(row.object_key, row.upload_id, None if left else row.content_sha256)


async def mark_artifacts_deleted(session: AsyncSession, org_id: str, run_id: str) -> int:
    """Note of a run's files that they are no longer there, and ask for the deletion of their objects."""
    keys = list((await session.execute(_EXPIRE_ARTIFACTS, {"org_id": org_id, "run_id": run_id})).scalars())
    await ask_for_deletion(session, org_id, keys)
    return len(keys)


async def ask_for_deletion(session: AsyncSession, org_id: str, object_keys: Sequence[str]) -> None:
    """Ask for the deletion of objects; the next sweep deletes those that nothing points to."""
    if object_keys:
        await session.execute(_ASK, {"org_id": org_id, "keys": list(object_keys)})


async def is_referenced(session: AsyncSession, org_id: str, object_key: str) -> bool:
    """Tell whether a row of the organisation points to an object."""
    return bool((await session.execute(_REFERENCED, {"org_id": org_id, "key": object_key})).scalar_one())


async def unreferenced(session: AsyncSession, org_id: str, object_keys: Sequence[str]) -> list[str]:
    """Return those of an organisation's objects that no row points to."""
    rows = await session.execute(_UNREFERENCED, {"org_id": org_id, "keys": list(object_keys)})
    return sorted(rows.scalars())


async def forget_deletion(session: AsyncSession, org_id: str, object_key: str) -> None:
    """Take back the wish to delete an object: it was done, or something points to it."""
    await session.execute(_FORGET, {"org_id": org_id, "key": object_key})


async def asked_for_deletion(session: AsyncSession, org_id: str, *, limit: int) -> list[Mark]:
    """Return the organisation's objects whose deletion was asked for."""
    rows = await session.execute(_ASKED, {"org_id": org_id, "limit": limit})
    return [Mark(org_id, key) for key in rows.scalars()]


_KEYS = bindparam("keys", type_=ARRAY(TEXT))
_SHA256S = bindparam("sha256s", type_=ARRAY(TEXT))
_STEP_OBJECT = "coalesce(output #>> '{object,key}', output #>> '{value,key}')"

_MOVE_ENDS = text(
    "update artifacts set expires_at = expires_at + cast(:by as interval) where org_id = :org_id and deleted_at is null"
    " and expires_at is not null"
)
_SNAPSHOTS_OF_RUN = text(
    "select distinct snapshot_sha256 from sources where org_id = :org_id and run_id = :run_id"
    " and snapshot_sha256 is not null"
)
_ASK = text(
    "insert into object_deletions (org_id, object_key) select :org_id, unnest(:keys) on conflict do nothing"
).bindparams(_KEYS)
_ASK_FOR_RUNS_OBJECTS = text(
    "insert into object_deletions (org_id, object_key)"  # noqa: S608 - a constant expression.
    " select :org_id, object_key from artifacts where org_id = :org_id and run_id = :run_id"
    f" union select :org_id, {_STEP_OBJECT} from steps where org_id = :org_id and run_id = :run_id"
    f" and {_STEP_OBJECT} is not null on conflict do nothing"
)
_DELETE_RUN = text("delete from runs where org_id = :org_id and id = :run_id returning id")
_DELETE_SNAPSHOTS = text(
    "with gone as (delete from snapshots s where s.org_id = :org_id and s.sha256 = any(:sha256s)"
    " and not exists (select from sources x where x.org_id = s.org_id and x.snapshot_sha256 = s.sha256)"
    " and not exists (select from documents d where d.org_id = s.org_id and d.snapshot_sha256 = s.sha256)"
    " returning object_key)"
    " insert into object_deletions (org_id, object_key) select :org_id, object_key from gone on conflict do nothing"
).bindparams(_SHA256S)
_DELETE_DOCUMENT = text(
    "delete from documents where org_id = :org_id and id = :document_id returning object_key, snapshot_sha256"
)
_DELETE_FILE = text(
    "delete from files f where org_id = :org_id and id = :file_id and not exists (select from credit_holds h"
    " where h.org_id = f.org_id and h.run_id = f.id and h.state = 'open')"
    " returning object_key, upload_id, content_sha256"
)
_DOCUMENTS_OF_FILE = text("select id from documents where org_id = :org_id and file_id = :file_id")
_SAME_CONTENT = text(
    "select exists (select from files where org_id = :org_id and content_sha256 = cast(:sha256 as text))"
)
_EXPIRE_ARTIFACTS = text(
    "update artifacts set deleted_at = clock_timestamp() where org_id = :org_id and run_id = :run_id"
    " and deleted_at is null returning object_key"
)
_POINTS = (
    "exists (select from artifacts where org_id = :org_id and object_key = @key and deleted_at is null)"  # noqa: S608
    " or exists (select from documents where org_id = :org_id and object_key = @key)"
    " or exists (select from snapshots where org_id = :org_id and object_key = @key)"
    f" or exists (select from steps where org_id = :org_id and {_STEP_OBJECT} = @key)"
    " or exists (select from run_archives where org_id = :org_id and (bundle ->> 'key' = @key"
    " or artifacts ->> 'key' = @key))"
    " or exists (select from data_exports where org_id = :org_id and object_key = @key)"
    " or exists (select from files where org_id = :org_id and object_key = @key)"
    " or exists (select from organisations where id = :org_id and theme #>> '{logo,key}' = @key)"
    " or exists (select from files where org_id = :org_id and content_sha256 = split_part(@key, '/', 3)"
    " and @key like '%/readings/%')"
)
"""Tells whether a row points to the object `@key`."""
_REFERENCED = text(f"select {_POINTS.replace('@key', 'cast(:key as text)')}")
_UNREFERENCED = text(
    f"select wanted.key from unnest(:keys) as wanted (key) where not ({_POINTS.replace('@key', 'wanted.key')})"  # noqa: S608
).bindparams(_KEYS)
_FORGET = text("delete from object_deletions where org_id = :org_id and object_key = :key")
_ASKED = text("select object_key from object_deletions where org_id = :org_id order by requested_at limit :limit")
