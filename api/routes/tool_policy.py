"""Tool policy: what the organisation's agents may do by default."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import PolicyAdmin, RunsReader, SecuredRoute
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import tool_policy as views
from schema.store import organisations

router = APIRouter(prefix="/tool-policy", tags=["tools"], route_class=SecuredRoute)


@router.get("", response_model=views.ToolPolicyView)
async def get_tool_policy(caller: RunsReader, api: Api) -> Response:
    """Read what agents of a new run may do, unless the run asks for less."""
    async with api.database.transaction(caller.org_id) as session:
        policy = await organisations.tool_policy(session, caller.org_id)
    return JsonAnswer(views.tool_policy_view(policy))


@router.put("", response_model=views.ToolPolicyView)
async def set_tool_policy(caller: PolicyAdmin, body: views.SetToolPolicy, api: Api) -> Response:
    """Set what agents may do, for runs that are created from now on; those that exist keep what they have."""
    async with api.database.transaction(caller.org_id) as session:
        await organisations.set_tool_policy(session, caller.org_id, body.stored, actor=caller.actor)
    return JsonAnswer(views.tool_policy_view(body.stored))
