"""What hangs on a run: its agents, tasks, steps, sources and claims."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.auth import RunsReader, SecuredRoute
from api.deps import AgentId, RunId, SourceId
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import work as views
from schema.contracts.common import ObjectRef
from schema.store import research, runs, snapshots
from schema.tables.research import Claim

router = APIRouter(tags=["work"], route_class=SecuredRoute)


@router.get("/runs/{run_id}/agents", response_model=views.AgentList)
async def list_agents(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """List a run's agents, by number."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        rows = await runs.list_agents(session, caller.org_id, run_id)
    return JsonAnswer(views.AgentList(agents=[views.agent_view(row) for row in rows]))


@router.get("/agents/{agent_id}", response_model=views.AgentView)
async def get_agent(agent_id: AgentId, caller: RunsReader, api: Api) -> Response:
    """Read one agent."""
    async with api.database.transaction(caller.org_id) as session:
        agent = await runs.get_agent(session, caller.org_id, agent_id)
    return JsonAnswer(views.agent_view(agent))


@router.get("/runs/{run_id}/tasks", response_model=views.TaskList)
async def list_tasks(run_id: RunId, caller: RunsReader, api: Api) -> Response:
    """List the subtasks of a run's plan, in order."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        rows = await runs.list_tasks(session, caller.org_id, run_id)
    return JsonAnswer(views.TaskList(tasks=[views.task_view(row) for row in rows]))


@router.get("/runs/{run_id}/steps", response_model=views.StepList)
async def list_steps(
    run_id: RunId,
    caller: RunsReader,
    page: Annotated[Page, Depends(PageOf(r"\d{1,9}\|\d{1,9}\|\d{1,9}\|step_[0-9a-f]{32}"))],
    api: Api,
    agent: Annotated[int | None, Query(ge=0, le=10_000, description="Only this agent's; 0 is the run itself.")] = None,
) -> Response:
    """List what a run's agents did, step by step."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        rows, cursor = await runs.list_steps(
            session, caller.org_id, run_id, agent_number=agent, limit=page.limit, cursor=page.cursor
        )
    return JsonAnswer(views.StepList(steps=[views.step_view(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/runs/{run_id}/sources", response_model=views.SourceList)
async def list_sources(
    run_id: RunId,
    caller: RunsReader,
    page: Annotated[Page, Depends(PageOf(r"\d{1,10}\|\d\.\d{1,6}\|src_[0-9a-f]{32}"))],
    api: Api,
) -> Response:
    """List every source that a run met, used or not and why: the cited ones by number, then the others by score."""
    async with api.database.transaction(caller.org_id) as session:
        run = await runs.get_run(session, caller.org_id, run_id)
        rows, cursor = await research.list_sources(session, caller.org_id, run_id, limit=page.limit, cursor=page.cursor)
    shown = [views.source_view(row, finished=run.quality is not None) for row in rows]
    return JsonAnswer(views.SourceList(sources=shown, next_cursor=seal(cursor)))


@router.get("/runs/{run_id}/sources/{source_id}", response_model=views.SourceDetail)
async def get_source(
    run_id: RunId,
    source_id: SourceId,
    caller: RunsReader,
    page: Annotated[Page, Depends(PageOf(r"[\x21-\x7e]{1,200}"))],
    api: Api,
) -> Response:
    """Read one source with what was drawn from it, and the very text around each span."""
    async with api.database.transaction(caller.org_id) as session:
        run = await runs.get_run(session, caller.org_id, run_id)
        listed = await research.get_source(session, caller.org_id, run_id, source_id)
        sha256 = listed.source.snapshot_sha256
        claims: list[Claim] = []
        refs: list[ObjectRef] = []
        cursor: str | None = None
        if sha256 is not None:
            claims, cursor = await research.list_claims(
                session, caller.org_id, run_id, limit=page.limit, cursor=page.cursor, snapshot_sha256=sha256
            )
            refs = await snapshots.snapshot_refs(session, caller.org_id, [sha256] if claims else [])
    snapshot = (await api.objects.get(refs[0])).decode() if refs else ""
    return JsonAnswer(
        views.source_detail(
            listed, finished=run.quality is not None, claims=claims, snapshot=snapshot, next_cursor=seal(cursor)
        )
    )


@router.get("/runs/{run_id}/claims", response_model=views.ClaimList)
async def list_claims(
    run_id: RunId, caller: RunsReader, page: Annotated[Page, Depends(PageOf(r"[\x21-\x7e]{1,200}"))], api: Api
) -> Response:
    """List what a run drew from its sources, each claim with the span that shows it."""
    async with api.database.transaction(caller.org_id) as session:
        await runs.get_run(session, caller.org_id, run_id)
        rows, cursor = await research.list_claims(session, caller.org_id, run_id, limit=page.limit, cursor=page.cursor)
    return JsonAnswer(views.ClaimList(claims=[views.claim_view(row) for row in rows], next_cursor=seal(cursor)))
