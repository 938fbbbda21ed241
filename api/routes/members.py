"""Members and service accounts: who is in the organisation, in which role, and what they may spend.

Nobody acts on, or gives, a role above their own. Service accounts are members of kind `service`: they are changed and
removed here too.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import MembersAdmin, MembersReader, SecuredRoute
from api.deps import UserId
from api.idempotency import Idempotent, Outcome, once
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import identity as views
from schema.errors import Forbidden
from schema.permissions import Role
from schema.store import members, users

router = APIRouter(tags=["members"], route_class=SecuredRoute)

UPDATE = views.UpdateMember()
PageOfUsers = Annotated[Page, Depends(PageOf(r"user_[0-9a-f]{32}"))]


@router.get("/members", response_model=views.MemberList)
async def list_members(caller: MembersReader, page: PageOfUsers, api: Api) -> Response:
    """List the people in the organisation."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await members.list_members(
            session, caller.org_id, kind=users.PERSON, limit=page.limit, cursor=page.cursor
        )
    shown = [views.member_view(row) for row in rows]
    return JsonAnswer(views.MemberList(members=shown, next_cursor=seal(cursor)))


@router.get("/members/{user_id}", response_model=views.MemberView)
async def get_member(user_id: UserId, caller: MembersReader, api: Api) -> Response:
    """Read a member or service account."""
    async with api.database.transaction(caller.org_id) as session:
        member = await members.get_member(session, caller.org_id, user_id)
    return JsonAnswer(views.member_view(member))


@router.patch("/members/{user_id}", response_model=views.MemberView)
async def update_member(user_id: UserId, caller: MembersAdmin, api: Api, body: views.UpdateMember = UPDATE) -> Response:
    """Change a member's role or monthly spending limit, or both; the last owner keeps the role."""
    async with api.database.transaction(caller.org_id) as session:
        await members.get_member(session, caller.org_id, user_id)
        if body.role is not None:
            await members.change_role(
                session, caller.org_id, user_id, role=body.role, acting=caller.role, actor=caller.actor
            )
        if "monthly_limit" in body.model_fields_set:
            await members.limit_member(
                session, caller.org_id, user_id, limit_ucr=body.limit_ucr, acting=caller.role, actor=caller.actor
            )
        member = await members.get_member(session, caller.org_id, user_id)
    return JsonAnswer(views.member_view(member))


@router.delete("/members/{user_id}", status_code=204, response_class=Response)
async def remove_member(user_id: UserId, caller: MembersAdmin, api: Api) -> Response:
    """Remove a member or service account, and end every key of it here, from now on; the last owner stays."""
    async with api.database.transaction(caller.org_id) as session:
        await members.remove_member(session, caller.org_id, user_id, acting=caller.role, actor=caller.actor)
    return Response(status_code=204)


@router.post("/service-accounts", status_code=201, response_model=views.MemberView)
async def create_service_account(
    caller: MembersAdmin, asked: Idempotent, body: views.CreateServiceAccount, api: Api
) -> Response:
    """Make a principal for programs: it owns API keys (`POST /api-keys`), and cannot sign in."""
    if body.role is Role.OWNER:
        raise Forbidden("A service account cannot own an organisation; give it another role.")
    members.require_rank(caller.role, body.role)

    async def work(session: AsyncSession) -> Outcome:
        made = await members.create_service_account(
            session, caller.org_id, name=body.name, role=body.role, actor=caller.actor
        )
        return Outcome(201, views.member_view(made), location=f"/api/v1/members/{made.user.id}")

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer


@router.get("/service-accounts", response_model=views.ServiceAccountList)
async def list_service_accounts(caller: MembersReader, page: PageOfUsers, api: Api) -> Response:
    """List the organisation's service accounts."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await members.list_members(
            session, caller.org_id, kind=users.SERVICE, limit=page.limit, cursor=page.cursor
        )
    shown = [views.member_view(row) for row in rows]
    return JsonAnswer(views.ServiceAccountList(service_accounts=shown, next_cursor=seal(cursor)))
