"""Tools: what agents may use.

The API does not import the tools. It shows the specifications that they had at build time, from `api/tools.json`;
`tests/unit/api/test_api_tools.py` compares the file with the registry and says how to write it anew.
"""

from fastapi import APIRouter
from starlette.responses import Response

from api.auth import RunsReader, SecuredRoute
from api.serialisation import JsonAnswer
from api.tool_specs import tool_specs
from api.views import work as views

router = APIRouter(prefix="/tools", tags=["tools"], route_class=SecuredRoute)


@router.get("", response_model=views.ToolList)
async def list_tools(_caller: RunsReader) -> Response:
    """List the tools that agents may use, with their schemas and prices."""
    return JsonAnswer(views.ToolList(tools=[views.tool_view(tool) for tool in tool_specs()]))
