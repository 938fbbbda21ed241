"""What is kept for how long, archives of runs, and a person's right to a copy and to erasure."""

from collections.abc import Mapping
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import DataAdmin, RunsReader, SecuredRoute
from api.deps import DataExportId, ErasureId, RunId
from api.idempotency import Idempotent, Outcome, once
from api.links import presigned_file
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.views import privacy as views
from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.contracts.retention import EraseInput, ExportDataInput
from schema.errors import SwissbrainError
from schema.store import archives, data_exports, erasures, retention
from schema.tables.retention import DataExport

log = structlog.get_logger(__name__)

router = APIRouter(tags=["privacy"], route_class=SecuredRoute)


@router.get("/retention", response_model=views.RetentionView)
async def get_retention(caller: RunsReader, api: Api) -> Response:
    """Read how long the organisation keeps what."""
    async with api.database.transaction(caller.org_id) as session:
        kept = await retention.get_policy(session, caller.org_id)
    return JsonAnswer(views.retention_view(kept))


@router.patch("/retention", response_model=views.RetentionView)
async def change_retention(caller: DataAdmin, body: views.ChangeRetention, api: Api) -> Response:
    """Change how long the organisation keeps what. The sweep of the next hour goes by it."""
    async with api.database.transaction(caller.org_id) as session:
        kept = await retention.set_policy(
            session, caller.org_id, body.model_dump(exclude_unset=True), actor=caller.actor
        )
    return JsonAnswer(views.retention_view(kept))


@router.get("/archives", response_model=views.ArchivePage)
async def list_archives(
    caller: RunsReader, page: Annotated[Page, Depends(PageOf(r"run_[0-9a-f]{32}"))], api: Api
) -> Response:
    """List runs that are only in the archive, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await archives.list_archives(session, caller.org_id, limit=page.limit, cursor=page.cursor)
    return JsonAnswer(views.ArchivePage(archives=[views.archived_run(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/runs/{run_id}/archive", response_model=views.ArchiveView)
async def get_archive(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """Read where a run's archive is; each `s3_url` ends after some minutes."""
    async with api.database.transaction(caller.org_id) as session:
        archive = await archives.get_archive(session, caller.org_id, run_id)
    bundle = await _file(api.objects, archive.bundle, f"{run_id}.jsonl.gz", "application/gzip")
    files = await _file(api.objects, archive.artifacts, f"{run_id}.zip", "application/zip")
    return JsonAnswer(views.archive_view(archive, bundle, files))


@router.post("/erasures", status_code=202, response_model=views.ErasureView)
async def erase_person(caller: DataAdmin, asked: Idempotent, body: views.CreateErasure, api: Api) -> Response:
    """Erase a person's data from the organisation: their runs, documents, keys, mails, name and address. For good.

    Their keys end at once. Live runs are cancelled, and what they used is charged. The ledger and the audit log stay,
    and name the person by id only.
    """
    started: list[EraseInput] = []

    async def work(session: AsyncSession) -> Outcome:
        made = await erasures.create_erasure(session, caller.org_id, body.user_id, actor=caller.actor)
        started.append(EraseInput(org_id=caller.org_id, erasure_id=made.id, user_id=made.user_id))
        return Outcome(202, views.erasure_view(made), location=f"/api/v1/erasures/{made.id}")

    answer, _ = await once(api.database, caller.org_id, asked, work)
    await _start(api, started)
    return answer


@router.get("/erasures", response_model=views.ErasurePage)
async def list_erasures(
    caller: DataAdmin, page: Annotated[Page, Depends(PageOf(r"erase_[0-9a-f]{32}"))], api: Api
) -> Response:
    """List erasures, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await erasures.list_erasures(session, caller.org_id, limit=page.limit, cursor=page.cursor)
    return JsonAnswer(views.ErasurePage(erasures=[views.erasure_view(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/erasures/{erasure_id}", response_model=views.ErasureView)
async def get_erasure(erasure_id: ErasureId, caller: DataAdmin, api: Api) -> Response:
    """Read how far an erasure is, and what it erased."""
    async with api.database.transaction(caller.org_id) as session:
        erasure = await erasures.get_erasure(session, caller.org_id, erasure_id)
    return JsonAnswer(views.erasure_view(erasure))


@router.post("/data-exports", status_code=202, response_model=views.DataExportView)
async def export_data(caller: DataAdmin, asked: Idempotent, body: views.CreateDataExport, api: Api) -> Response:
    """Have a person's data, or the whole organisation's, put into a ZIP: JSON lines per table, and their files."""
    started: list[ExportDataInput] = []

    async def work(session: AsyncSession) -> Outcome:
        made = await data_exports.create_export(session, caller.org_id, body.user_id, actor=caller.actor)
        started.append(ExportDataInput(org_id=caller.org_id, export_id=made.id, user_id=made.user_id))
        return Outcome(202, views.data_export_view(made, None), location=f"/api/v1/data-exports/{made.id}")

    answer, _ = await once(api.database, caller.org_id, asked, work)
    await _start(api, started)
    return answer


@router.get("/data-exports/{data_export_id}", response_model=views.DataExportView)
async def get_data_export(data_export_id: DataExportId, caller: DataAdmin, api: Api) -> Response:
    """Read how far an export is, and where; its `s3_url` ends after some minutes."""
    async with api.database.transaction(caller.org_id) as session:
        export = await data_exports.get_export(session, caller.org_id, data_export_id)
    return JsonAnswer(views.data_export_view(export, await _exported(api.objects, export)))


async def _exported(objects: ObjectStore, export: DataExport) -> views.ArchivedFile | None:
    if export.object_key is None:
        return None
    ref = {"key": export.object_key, "sha256": export.sha256, "size_bytes": export.size_bytes}
    return await _file(objects, ref, f"{export.id}.zip", "application/zip")


async def _file(
    objects: ObjectStore, ref: Mapping[str, object] | None, filename: str, mime_type: str
) -> views.ArchivedFile | None:
    if ref is None:
        return None
    object = ObjectRef.model_validate(ref)
    return views.archived_file(object, await presigned_file(objects, object, filename=filename, mime_type=mime_type))


async def _start(api: Services, inputs: list[EraseInput] | list[ExportDataInput]) -> None:
    """Start what was promised; what cannot be started now, the sweep of retention starts."""
    for input in inputs:
        try:
            await api.orchestrator.start_request(input)
        except SwissbrainError as error:
            log.warning("request.start_deferred", org_id=input.org_id, error=str(error))
