"""Approvals: calls of tools that wait for an administrator; list them, read them exactly, decide."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import Caller, PolicyAdmin, RunsReader, SecuredRoute
from api.deps import ApprovalId
from api.idempotency import Idempotent, Outcome, once
from api.paging import Page, PageSince, seal
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.views import approvals as views
from schema.store import approvals
from schema.store.idempotency import Asked
from schema.tables.approvals import Approval

router = APIRouter(prefix="/approvals", tags=["approvals"], route_class=SecuredRoute)

DENY = views.DenyCall()


@router.get("", response_model=views.ApprovalPage)
async def list_approvals(
    caller: RunsReader,
    page: Annotated[Page, Depends(PageSince(r"appr_[0-9a-f]{32}"))],
    api: Api,
    status: Annotated[views.ApprovalStatus | None, Query(description="Only those in this status.")] = None,
    run_id: Annotated[str | None, Query(pattern=r"^run_[0-9a-f]{32}$", description="Only those of this run.")] = None,
) -> Response:
    """List calls that wait, or waited, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await approvals.list_approvals(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, status=status, run_id=run_id
        )
    return JsonAnswer(
        views.ApprovalPage(approvals=[views.approval_view(row) for row in rows], next_cursor=seal(cursor))
    )


@router.get("/{approval_id}", response_model=views.ApprovalView)
async def get_approval(approval_id: ApprovalId, caller: RunsReader, api: Api) -> Response:
    """Read one call, with its arguments exactly."""
    async with api.database.transaction(caller.org_id) as session:
        row = await approvals.get(session, caller.org_id, approval_id)
    return JsonAnswer(views.approval_view(row))


@router.post("/{approval_id}/approve", response_model=views.ApprovalView)
async def approve_call(
    approval_id: ApprovalId, caller: PolicyAdmin, asked: Idempotent, api: Api, body: views.ApproveCall
) -> Response:
    """Let a call be made, once, exactly as it was read; the run goes on. Approving it again changes nothing."""
    return await _decide(api, caller, asked, approval_id, True, body.arguments_sha256, body.note)


@router.post("/{approval_id}/deny", response_model=views.ApprovalView)
async def deny_call(
    approval_id: ApprovalId,
    caller: PolicyAdmin,
    asked: Idempotent,
    api: Api,
    body: Annotated[views.DenyCall, Body(description="`{}`, a note, or no body.")] = DENY,
) -> Response:
    """Refuse a call; the agent goes on without it. Denying it again changes nothing."""
    return await _decide(api, caller, asked, approval_id, False, None, body.note)


async def _decide(
    api: Services, caller: Caller, asked: Asked, approval_id: str, approve: bool, sha256: str | None, note: str | None
) -> Response:
    decided: list[Approval] = []

    async def work(session: AsyncSession) -> Outcome:
        approval = await approvals.decide(
            session,
            caller.org_id,
            approval_id,
            approve=approve,
            arguments_sha256=sha256,
            note=note,
            user_id=caller.user_id,
            actor=caller.actor,
        )
        decided.append(approval)
        return Outcome(200, views.approval_view(approval))

    answer, _ = await once(api.database, caller.org_id, asked, work)
    for approval in decided:
        # From here the decision stands. Where the agent is not told now, the reconciler tells it within a minute.
        await api.live.publish(approval.run_id)
        await api.orchestrator.try_tell_decided(approval.run_id, approval.agent_number, approval.id)
    return answer
