"""Exports of runs: asked for, watched, downloaded."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import RunsReader, RunsWriter, SecuredRoute
from api.deps import ExportId, RunId
from api.downloads import DOWNLOAD, IfNoneMatch, download
from api.idempotency import Idempotent, Outcome, once
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import exports as views
from schema.contracts.exports import ExportRunInput
from schema.errors import Conflict, Gone
from schema.store import exports, organisations, runs
from schema.store.exports import Exported

router = APIRouter(tags=["exports"], route_class=SecuredRoute)

_AGAIN_AFTER_S = 2.0


@router.post("/runs/{run_id}/export", status_code=202, response_model=views.ExportView)
async def export_run(
    run_id: RunId, caller: RunsWriter, asked: Idempotent, body: views.CreateExport, api: Api
) -> Response:
    """Have a completed run made into a file: a document, a deck, JSON, or a pack that can be verified elsewhere.

    It costs nothing: the work is the run's. Read the export until it is `completed`, then download it.
    """
    started: list[ExportRunInput] = []

    async def work(session: AsyncSession) -> Outcome:
        made = await exports.create_export(
            session,
            caller.org_id,
            run_id,
            body.format,
            body.options,
            created_by=caller.user_id,
            actor=caller.actor,
        )
        started.append(exports.order_of(made))
        return Outcome(202, views.export_view(Exported(made, None)), location=f"/api/v1/exports/{made.id}")

    answer, _ = await once(api.database, caller.org_id, asked, work)
    for order in started:
        async with api.database.transaction(caller.org_id) as session:
            organisation = await organisations.get_organisation(session, caller.org_id)
        await api.orchestrator.try_export(order, organisation)
    return answer


@router.get("/runs/{run_id}/exports", response_model=views.ExportList)
async def list_exports(
    run_id: RunId, caller: RunsReader, page: Annotated[Page, Depends(PageOf(r"export_[0-9a-f]{32}"))], api: Api
) -> Response:
    """List a run's exports, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        rows, cursor = await exports.list_exports(session, caller.org_id, run_id, limit=page.limit, cursor=page.cursor)
    return JsonAnswer(views.ExportList(exports=[views.export_view(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/exports/{export_id}", response_model=views.ExportView)
async def get_export(export_id: ExportId, caller: RunsReader, api: Api) -> Response:
    """Read how far an export is, and what became of it."""
    async with api.database.transaction(caller.org_id) as session:
        found = await exports.get_export(session, caller.org_id, export_id)
    return JsonAnswer(views.export_view(found))


@router.get("/exports/{export_id}/download", response_class=Response, responses=DOWNLOAD)
async def download_export(
    export_id: ExportId, caller: RunsReader, api: Api, if_none_match: IfNoneMatch = None
) -> Response:
    """Download an export's file, checked against its hash on the way."""
    async with api.database.transaction(caller.org_id) as session:
        found = await exports.get_export(session, caller.org_id, export_id)
    status = found.export.status
    if found.expired:
        raise Gone("The file of this export has expired; export the run again.")
    if status == "processing":
        raise Conflict("The export is not ready yet.", status=status, retry_after_s=_AGAIN_AFTER_S)
    if found.artifact is None:
        why = (found.export.error or {}).get("detail", "")
        raise Conflict(f"The export is {status} and has no file. {why}".strip(), status=status)
    return await download(api, found.artifact, if_none_match)
