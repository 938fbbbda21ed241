"""MCP servers as tool sources, over streamable HTTP and over standard streams, with the official SDK on both sides."""

import json
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError
from temporalio.client import Client

from activities.research.citations import check_citations
from activities.sources.mcp import McpServer, list_tools, only_text, read_servers, registered_name, strict
from activities.tools.executor import ToolExecutor
from activities.tools.mcp_tool import McpSource, mcp_sources
from activities.tools.registry import builtin_tools
from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from schema.contracts.tools import Effect, ToolOutput
from schema.errors import SourceTemporarilyUnavailable, SourceUnavailable, ToolInputInvalid
from schema.prices import tool_pcr
from tests.integration.conftest import Org, make_org
from tests.integration.test_corpus_search import Agent
from tests.integration.test_source_runs import run
from tests.support.mcp_server import McpHttpServer
from tests.support.platform import platform

ROOT = Path(__file__).parents[2]
STDIO = {
    "command": sys.executable,
    "args": ["-m", "tests.support.mcp_server"],
    "env": {"PYTHONPATH": str(ROOT), "GIVEN": "here"},
}


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[McpHttpServer]:
    """The server over HTTP."""
    async with McpHttpServer() as running:
        yield running


async def tools_of(servers: dict[str, Any]) -> dict[str, McpSource]:
    """Connect as a worker does at its start."""
    read = read_servers(json.dumps(servers))
    return {source.spec.name: source for source in mcp_sources(read, await list_tools(read))}


@pytest.fixture(params=["http", "stdio"])
def configured(request: pytest.FixtureRequest, server: McpHttpServer) -> dict[str, Any]:
    """Each way to reach it."""
    return {"Hand Book": {"url": server.url} if request.param == "http" else STDIO}


async def call(
    sources: dict[str, McpSource], db: Database, objects: ObjectStore, org: Org, name: str, **arguments: Any
) -> ToolOutput:
    """Call a tool as an agent does."""
    context = Agent(db, objects, org.id, "At what temperature does gallium melt?").context
    registry = builtin_tools(outside=sources.values())
    return await ToolExecutor(registry).execute(name, arguments, context, (name,))


async def test_its_tools_are_tools(configured: dict[str, Any], db: Database, objects: ObjectStore, org: Org) -> None:
    """Listed, priced, checked, called; the text is kept and its passages are spans of it."""
    sources = await tools_of(configured)
    name = "mcp.hand_book_search_docs2"
    assert set(sources) == {name, *(f"mcp.hand_book_{tool}" for tool in ("lookup", "broken", "environment"))}
    spec = sources[name].spec
    assert spec.effect is Effect.EGRESS
    assert spec.cost_pcr == tool_pcr(name) > 0
    assert spec.input_schema["additionalProperties"] is False
    output = await call(sources, db, objects, org, name, query="gallium")
    [snapshot] = output.snapshots
    text = (await objects.get(snapshot.object)).decode()
    assert snapshot.uri == "mcp:Hand Book/search-Docs2"
    assert "29.76" in output.passages[0].text
    for passage in output.passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.source.snapshot_sha256 == snapshot.object.sha256
    assert "500 grams" in (await call(sources, db, objects, org, name, query="gallium")).passages[0].text


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_docs2", {}),
        ("search_docs2", {"query": 7}),
        ("search_docs2", {"query": "x", "path": "/etc/passwd"}),
        ("lookup", {"metal": "gallium", "grams": "many"}),
    ],
)
async def test_arguments_must_fit_its_schema(
    server: McpHttpServer, db: Database, objects: ObjectStore, org: Org, tool: str, arguments: dict[str, Any]
) -> None:
    sources = await tools_of({"h": {"url": server.url}})
    with pytest.raises(ToolInputInvalid):
        await call(sources, db, objects, org, f"mcp.h_{tool}", **arguments)


async def test_two_arguments(server: McpHttpServer, db: Database, objects: ObjectStore, org: Org) -> None:
    sources = await tools_of({"h": {"url": server.url, "kind": "academic", "tools": ["lookup"]}})
    assert set(sources) == {"mcp.h_lookup"}, "only the named tool"
    assert sources["mcp.h_lookup"].hint.argument is None
    output = await call(sources, db, objects, org, "mcp.h_lookup", metal="gallium", grams=5)
    assert "5 grams of gallium" in output.passages[0].text
    assert output.snapshots[0].kind.value == "academic"


async def test_its_failure_is_ours(server: McpHttpServer, db: Database, objects: ObjectStore, org: Org) -> None:
    sources = await tools_of({"h": {"url": server.url}})
    with pytest.raises(SourceUnavailable, match="broken failed"):
        await call(sources, db, objects, org, "mcp.h_broken", query="x")


async def test_a_process_gets_only_what_is_configured(
    monkeypatch: pytest.MonkeyPatch, db: Database, objects: ObjectStore, org: Org
) -> None:
    monkeypatch.setenv("SWISSBRAIN_S3_SECRET_KEY", "hidden")
    sources = await tools_of({"h": STDIO})
    for name, value in (("GIVEN", "here"), ("SWISSBRAIN_S3_SECRET_KEY", "absent")):
        output = await call(sources, db, objects, org, "mcp.h_environment", variable=name)
        assert f"is {value} in" in output.passages[0].text


async def test_a_server_that_is_away(db: Database, objects: ObjectStore, org: Org) -> None:
    """At the start of the worker it is left out; later it is a failed call that may be tried again."""
    assert await tools_of({"gone": {"url": "http://127.0.0.1:1/mcp"}, "none": {"command": "/no/such/command"}}) == {}
    async with McpHttpServer() as leaving:
        sources = await tools_of({"h": {"url": leaving.url}})
    with pytest.raises(SourceTemporarilyUnavailable):
        await call(sources, db, objects, org, "mcp.h_search_docs2", query="gallium")


@pytest.mark.timeout(120)
async def test_a_run_cites_what_a_server_said(
    settings: Settings, temporal_client: Client, server: McpHttpServer, owner_db: Database
) -> None:
    servers = {"handbook": {"url": server.url, "tools": ["search-Docs2"]}, "gone": {"url": "http://127.0.0.1:1/mcp"}}
    values = {"mcp_servers": SecretStr(json.dumps(servers))}
    prefix = f"mcp-{uuid.uuid4().hex[:8]}-"
    async with platform(settings.model_copy(update=values), temporal_client, prefix) as running:
        org = await make_org(owner_db)
        outcome = await run(running, org, "At what temperature does gallium melt?", ["web"])
        assert await running.violations() == {}
    assert check_citations(outcome.report, outcome.sidecar, outcome.snapshots.__getitem__) == []
    assert "29.76" in outcome.report
    assert [row.uri for row in outcome.read] == ["mcp:handbook/search-Docs2"]
    assert outcome.degraded == [("mcp:gone", "web")]


def test_configuration() -> None:
    assert McpServer(url="https://mcp.example.org/").kind.value == "web"
    for wrong in ({}, {"url": "https://a.example/", "command": "x"}, {"url": "ftp://x"}, {"command": "x", "more": 1}):
        with pytest.raises(ValidationError):
            McpServer.model_validate(wrong)
    with pytest.raises(ValueError, match="at most"):
        read_servers(json.dumps({f"s{number}": {"command": "x"} for number in range(30)}))


def test_names_and_schemas() -> None:
    assert registered_name("My-Docs 2", "Search.All!") == "mcp.my_docs_2_search_all"
    loose = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}
    tight = strict(loose)
    assert tight["additionalProperties"] is False
    assert tight["properties"]["a"]["additionalProperties"] is False
    assert only_text({"properties": {"q": {"type": "string"}, "n": {"type": "integer"}}, "required": ["q"]}) == "q"
    assert only_text({"properties": {"q": {"type": "string"}}}) == "q"
    assert only_text({"properties": {"q": {"type": "string"}, "r": {"type": "string"}}, "required": ["q", "r"]}) is None
    assert only_text({"properties": {"n": {"type": "integer"}}, "required": ["n"]}) is None
