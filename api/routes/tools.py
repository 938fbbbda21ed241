"""Tools: what agents may use."""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import RunsReader, SecuredRoute
from api.serialisation import JsonAnswer
from api.views import work as views
from schema.contracts.tools import ToolSpec

router = APIRouter(prefix="/tools", tags=["tools"], route_class=SecuredRoute)

SPECS: tuple[ToolSpec, ...] = ()


@router.get("", response_model=views.ToolList)
async def list_tools(_caller: RunsReader) -> Response:
    """List the tools that agents may use, with their schemas and prices."""
    return JsonAnswer(views.ToolList(tools=[views.tool_view(tool) for tool in SPECS]))
