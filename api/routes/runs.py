"""Runs: create, list, read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.archived import from_archive
from api.auth import RunsReader, RunsWriter, SecuredRoute
from api.deps import RunId
from api.idempotency import Idempotent, Outcome, once
from api.links import presigned
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import runs as views
from schema.errors import NotFound
from schema.ids import RUN, new_id
from schema.outputs import fields_of_schema
from schema.states import RunStatus
from schema.store import archives, artifacts, billing, files, forms, organisations, runs

router = APIRouter(prefix="/runs", tags=["runs"], route_class=SecuredRoute)


@router.post("", status_code=201, response_model=views.CreatedRun)
async def create_run(caller: RunsWriter, asked: Idempotent, body: views.CreateRun, api: Api) -> Response:
    """Create a run. Nothing is held and nothing happens until it is started; unstarted, it ends after 24 hours."""

    async def work(session: AsyncSession) -> Outcome:
        await files.require_files(session, caller.org_id, body.context.get("files") or ())
        run = await runs.create_run(
            session,
            caller.org_id,
            run_id=new_id(RUN),
            user_id=caller.user_id,
            name=body.stored_name,
            description=body.description,
            task=body.task,
            context=body.stored_context,
            max_agents=body.max_agents,
            max_tokens=body.stored_tokens,
            rows=body.rows,
            tool_policy=body.tool_policy(await organisations.tool_policy(session, caller.org_id)),
            actor=caller.actor,
        )
        if body.table is not None:
            await forms.create_table(session, caller.org_id, run.id, body.table.spec)
        if body.output_schema is not None:
            fields = fields_of_schema(body.output_schema)
            await forms.create_output(session, caller.org_id, run.id, body.output_schema, fields)
        return Outcome(201, views.created(run), location=f"/api/v1/runs/{run.id}")

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer


@router.get("", response_model=views.RunList)
async def list_runs(
    caller: RunsReader,
    page: Annotated[Page, Depends(PageOf(r"run_[0-9a-f]{32}"))],
    api: Api,
    status: Annotated[RunStatus | None, Query(description="Only runs in this status.")] = None,
) -> Response:
    """List the organisation's runs, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await runs.list_runs(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, status=status.value if status else None
        )
    return JsonAnswer(views.RunList(runs=[views.summary(run) for run in rows], next_cursor=seal(cursor)))


@router.get("/{run_id}", response_model=views.RunView)
async def get_run(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """Read a run in full, with its artifacts and the commands that are possible now; once archived, from there."""
    async with api.database.transaction(caller.org_id) as session:
        try:
            run = await runs.get_run(session, caller.org_id, run_id)
        except NotFound:
            archive = await archives.get_archive(session, caller.org_id, run_id)
            return JsonAnswer(await from_archive(api.objects, archive))
        hold = await billing.hold_of(session, caller.org_id, run_id, run.attempt)
        found = await artifacts.list_artifacts(session, caller.org_id, run_id)
        form = await forms.find_form(session, caller.org_id, run_id)
        is_table = form is not None and form.kind == forms.TABLE
        progress = await forms.progress_of(session, caller.org_id, run_id) if is_table else None
    shown = [views.artifact_link(artifact, await presigned(api.objects, artifact)) for artifact in found]
    return JsonAnswer(views.full(run, hold, shown, form, progress))


@router.get("/{run_id}/status-changes", response_model=views.StatusChangeList)
async def list_status_changes(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """List every status that the run was in, over all its attempts."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        changes = await runs.list_status_changes(session, caller.org_id, run_id)
    return JsonAnswer(
        views.StatusChangeList(
            status_changes=[
                views.StatusChange(
                    attempt=change.attempt,
                    from_status=change.from_status,
                    to_status=change.to_status,
                    at=change.at,
                )
                for change in changes
            ]
        )
    )
