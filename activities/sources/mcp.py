"""MCP servers as sources: what the operator configures, and how their tools are listed and called.

A server is reached by streamable HTTP or started as a process (stdio), with the official SDK. Its address or command is
the operator's and nobody else's, so it may be private and need not pass `SafeHttpClient`; redirects and proxies from
the environment are off all the same. A session lives for one call. What a server says is data.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, model_validator

from schema.contracts.research import SourceKind
from schema.contracts.tools import Effect
from schema.errors import SourceTemporarilyUnavailable, SourceUnavailable
from schema.policies import MCP_SERVERS_MAX, MCP_TEXT_CHARACTERS_MAX, MCP_TOOLS_MAX

if TYPE_CHECKING:
    # The SDK takes a second to import, which only a deployment with servers should pay.
    from mcp import Client

LIST_TIMEOUT_S = 20.0

log = structlog.get_logger(__name__)


class McpServer(BaseModel):
    """One server, as the operator configures it: either `url` or `command`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(default=None, pattern=r"^https?://")
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, SecretStr] = Field(default_factory=dict)
    """All that the process gets beside PATH and HOME."""
    kind: SourceKind = SourceKind.WEB
    """What its answers are scored as, and which `context.sources` lets agents ask it."""
    tools: tuple[str, ...] | None = None
    """Names of the tools that agents may call; None: all of them."""
    effect: Effect = Effect.EGRESS
    """What a call does to the world: `egress` for a server that only looks things up, `write` for one that changes
    something; then every call waits for a person (docs/injection.md)."""
    timeout_s: float = Field(default=60.0, gt=0, le=110)

    @model_validator(mode="after")
    def _one_way(self) -> "McpServer":
        if (self.url is None) == (self.command is None):
            raise ValueError("give either url or command")
        if self.effect is Effect.READ:
            raise ValueError("a call of a server leaves the platform: effect is egress or write")
        return self


class McpTool(BaseModel):
    """One tool as its server describes it."""

    model_config = ConfigDict(frozen=True)

    server: str
    name: str
    description: str
    input_schema: dict[str, Any]


def read_servers(document: str) -> dict[str, McpServer]:
    """Read the setting: a JSON object, server name -> `McpServer`.

    Raises:
        ValueError: it is not one, or names too many.
    """
    servers = TypeAdapter(dict[str, McpServer]).validate_json(document)
    if len(servers) > MCP_SERVERS_MAX:
        raise ValueError(f"at most {MCP_SERVERS_MAX} MCP servers can be used")
    return servers


async def list_tools(servers: Mapping[str, McpServer]) -> list[McpTool]:
    """List the tools that agents may call, of all servers at once; a server that does not answer is left out."""
    found = await asyncio.gather(*(_tools_of(name, server) for name, server in servers.items()))
    return [tool for tools in found for tool in tools]


async def _tools_of(name: str, server: McpServer) -> list[McpTool]:
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S), _session(server) as client:
            listed, cursor = list[Any](), None
            while len(listed) < MCP_TOOLS_MAX:
                page = await client.list_tools(cursor=cursor)
                listed += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
    except Exception as error:  # Whatever a foreign server does: the product starts without it.
        log.warning("mcp server is not used", server=name, error=repr(_innermost(error))[:300])
        return []
    return [
        McpTool(server=name, name=tool.name, description=tool.description or "", input_schema=tool.input_schema)
        for tool in listed[:MCP_TOOLS_MAX]
        if server.tools is None or tool.name in server.tools
    ]


async def call_tool(server: McpServer, tool: McpTool, arguments: Mapping[str, Any]) -> str:
    """Call a tool once and return the text of its answer.

    Raises:
        SourceTemporarilyUnavailable: the server could not be reached, or did not answer.
        SourceUnavailable: it said that the call failed, or answered no text.
    """
    import httpx2
    from mcp import MCPError

    try:
        async with asyncio.timeout(server.timeout_s), _session(server) as client:
            result = await client.call_tool(tool.name, dict(arguments))
    except (MCPError, OSError, RuntimeError, TimeoutError, httpx2.HTTPError, ExceptionGroup) as error:
        cause = _innermost(error)
        if isinstance(cause, MCPError):
            raise SourceUnavailable(f"{tool.server} refused the call: {cause.error.message[:300]}") from error
        raise SourceTemporarilyUnavailable(f"The MCP server {tool.server} did not answer.") from error
    parts = [text for item in result.content if isinstance(text := getattr(item, "text", None), str)]
    text = "\n\n".join(parts).strip()
    if result.is_error:
        raise SourceUnavailable(f"{tool.server} says that {tool.name} failed: {' '.join(text.split())[:300]}")
    if not text:
        raise SourceUnavailable(f"{tool.server} answered no text.")
    return text[:MCP_TEXT_CHARACTERS_MAX]


@asynccontextmanager
async def _session(server: McpServer) -> "AsyncIterator[Client]":
    import httpx2
    from mcp import Client, StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.command is not None:
        environment = {name: value.get_secret_value() for name, value in server.env.items()}
        parameters = StdioServerParameters(command=server.command, args=list(server.args), env=environment)
        async with Client(stdio_client(parameters)) as client:
            yield client
        return
    headers = {name: value.get_secret_value() for name, value in server.headers.items()}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=server.timeout_s, follow_redirects=False, trust_env=False) as http,
        Client(streamable_http_client(server.url or "", http_client=http)) as client,
    ):
        yield client


def _innermost(error: BaseException) -> BaseException:
    """Return what is inside the groups that task groups wrap failures in."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


_UNNAMED = re.compile(r"[^a-z0-9]+")


def registered_name(server: str, tool: str) -> str:
    """Return the name of a tool in the registry: `mcp.SERVER_TOOL`, in letters, digits and underscores."""
    return "mcp." + _UNNAMED.sub("_", f"{server}_{tool}".lower()).strip("_")


def strict(schema: Any) -> Any:
    """Return a JSON Schema whose objects take no property that they do not declare."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {key: value if key in ("default", "enum", "const") else strict(value) for key, value in schema.items()}
    if tight.get("type") == "object" or (isinstance(tight.get("properties"), dict) and "type" not in tight):
        tight |= {"type": "object", "additionalProperties": False}
    return tight


def only_text(schema: Mapping[str, Any]) -> str | None:
    """Return the name of the one text that a tool needs; None where it needs more, or something else."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    required: Sequence[str] = schema.get("required", ())
    texts = [name for name, value in properties.items() if isinstance(value, dict) and value.get("type") == "string"]
    if len(required) == 1 and required[0] in texts:
        return str(required[0])
    return texts[0] if not required and len(properties) == 1 and texts else None
