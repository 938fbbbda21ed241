"""The executor and the registry hold every tool to the contract."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field

from activities.tools.context import ToolContext
from activities.tools.executor import ToolExecutor
from activities.tools.registry import ToolRegistry, builtin_tools
from activities.tools.tool import Answer, Arguments, specify
from infra.http import SafeHttpClient
from schema.contracts.research import Passage, Score, SourceKind, SourceRef
from schema.contracts.tools import Effect, ToolOutput
from schema.errors import InvariantViolated, SourceTemporarilyUnavailable, ToolInputInvalid, ToolNotAllowed
from schema.policies import PAYLOAD_BYTES_MAX
from schema.prices import TOOL_CALL_PCR, tool_pcr

CONTEXT = ToolContext(
    org_id="org_1",
    run_id="run_1",
    agent_number=1,
    step=1,
    query="",
    now=datetime(2026, 1, 1, tzinfo=UTC),
    db=cast(Any, None),
    objects=cast(Any, None),
    http=SafeHttpClient(),
    heartbeat=lambda: None,
)


class EchoArguments(Arguments):
    """What to echo."""

    text: str = Field(min_length=1, max_length=10)
    times: int = Field(default=1, ge=1, le=3)


class EchoAnswer(Answer):
    """The echo."""

    text: str


class Echo:
    """A tool whose behaviour the test chooses."""

    arguments = EchoArguments
    answer = EchoAnswer

    def __init__(
        self,
        behave: Callable[[EchoArguments], Awaitable[ToolOutput]] | None = None,
        name: str = "web.fetch",
        timeout_s: float = 5,
    ) -> None:
        self._behave = behave
        self.spec = specify(
            name,
            "Echo.",
            EchoArguments,
            EchoAnswer,
            version="1",
            timeout_s=timeout_s,
            effect=Effect.READ,
            idempotent=True,
        )

    async def call(self, arguments: EchoArguments, context: ToolContext) -> ToolOutput:
        """Behave."""
        if self._behave is not None:
            return await self._behave(arguments)
        return ToolOutput(data={"text": arguments.text * arguments.times})


def executor(tool: Any) -> ToolExecutor:
    """Make an executor of one tool."""
    return ToolExecutor(ToolRegistry([tool]))


async def test_calls_the_tool_with_validated_arguments() -> None:
    """Blanks are stripped, defaults filled."""
    output = await executor(Echo()).execute("web.fetch", {"text": " a "}, CONTEXT, ("web.fetch",))
    assert output.data == {"text": "a"}


@pytest.mark.parametrize(("name", "allowed"), [("web.fetch", ()), ("web.fetch", ("corpus.search",)), ("x.y", ("x.y",))])
async def test_only_what_is_allowed_is_called(name: str, allowed: tuple[str, ...]) -> None:
    """A tool that is not on the list, or that there is not, is refused alike."""
    with pytest.raises(ToolNotAllowed):
        await executor(Echo()).execute(name, {"text": "a"}, CONTEXT, allowed)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({}, ["text"]),
        ({"text": "a", "other": 1}, ["other"]),
        ({"text": ""}, ["text"]),
        ({"text": "   "}, ["text"]),
        ({"text": "a" * 11, "times": 4}, ["text", "times"]),
        ({"text": None}, ["text"]),
        ({"text": ["a"], "times": "x"}, ["text", "times"]),
    ],
)
async def test_arguments_that_do_not_fit_are_named(arguments: dict[str, Any], fields: list[str]) -> None:
    """Each field that is wrong is named; its value is not repeated."""
    with pytest.raises(ToolInputInvalid) as refusal:
        await executor(Echo()).execute("web.fetch", arguments, CONTEXT, ("web.fetch",))
    assert [error["field"] for error in refusal.value.facts["errors"]] == fields


async def test_a_slow_tool_is_stopped_and_cleans_up() -> None:
    """The timeout is the tool's own, and its cleanup runs before the answer."""
    cleaned = []

    async def slow(arguments: EchoArguments) -> ToolOutput:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)
        raise AssertionError

    with pytest.raises(SourceTemporarilyUnavailable):
        await executor(Echo(slow, timeout_s=0.05)).execute("web.fetch", {"text": "a"}, CONTEXT, ("web.fetch",))
    assert cleaned == [True]


async def test_a_timeout_inside_the_tool_is_its_own() -> None:
    """Only the executor's deadline is reported as the executor's."""

    async def fails(arguments: EchoArguments) -> ToolOutput:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await executor(Echo(fails)).execute("web.fetch", {"text": "a"}, CONTEXT, ("web.fetch",))


async def test_cancel_passes_through_after_cleanup() -> None:
    """A cancelled call is cancelled, not failed."""
    started, cleaned = asyncio.Event(), []

    async def slow(arguments: EchoArguments) -> ToolOutput:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)
        raise AssertionError

    task = asyncio.ensure_future(executor(Echo(slow)).execute("web.fetch", {"text": "a"}, CONTEXT, ("web.fetch",)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]


def passage(text: str, start: int, end: int) -> Passage:
    """Make a passage."""
    source = SourceRef(
        snapshot_sha256="0" * 64,
        kind=SourceKind.WEB,
        title="",
        uri="",
        score=Score(relevance=0, trust=0, recency=0),
    )
    return Passage(source=source, start=start, end=end, text=text)


@pytest.mark.parametrize(
    "output",
    [
        ToolOutput(data={}),
        ToolOutput(data={"text": "a", "more": 1}),
        ToolOutput(data={"text": "a"}, passages=(passage("abc", 0, 2),)),
        ToolOutput(data={"text": "a"}, passages=(passage("", 0, 0),)),
        ToolOutput(data={"text": "a"}, passages=(passage("abc", -1, 2),)),
        ToolOutput(data={"text": "a" * PAYLOAD_BYTES_MAX}),
    ],
)
async def test_a_tool_that_breaks_its_contract_is_a_bug(output: ToolOutput) -> None:
    """The executor does not pass on what does not fit."""

    async def broken(arguments: EchoArguments) -> ToolOutput:
        return output

    with pytest.raises(InvariantViolated):
        await executor(Echo(broken)).execute("web.fetch", {"text": "a"}, CONTEXT, ("web.fetch",))


def test_registry_refuses_unsound_tools() -> None:
    """Duplicates, tools without a price, names and timeouts out of bounds, and schemas that are not strict."""
    registry = ToolRegistry([Echo()])
    for tool, complaint in (
        (Echo(), "already"),
        (Echo(name="no.price"), "price"),
        (Echo(name="corpus search"), "noun.verb"),
        (Echo(name="corpus.search", timeout_s=0), "at most"),
        (Echo(name="corpus.search", timeout_s=100_000), "at most"),
    ):
        with pytest.raises(ValueError, match=complaint):
            registry.register(tool)

    class Inner(BaseModel):
        """Takes anything."""

        a: int = 0

    class Loose(Arguments):
        """Strict outside, loose inside."""

        inner: Inner = Inner()

    class Loosest(Arguments):
        """Takes any property."""

        model_config = ConfigDict(extra="allow")

    for arguments in (Loose, Loosest):
        tool = Echo(name="corpus.search")
        tool.spec = tool.spec.model_copy(update={"input_schema": arguments.model_json_schema()})
        with pytest.raises(ValueError, match="strict"):
            registry.register(tool)


def test_builtin_tools_are_sound() -> None:
    """Every tool of the product is priced, described, bounded, and its schemas are valid."""
    specs = builtin_tools().specs
    assert {spec.name for spec in specs} == set(TOOL_CALL_PCR)
    for spec in specs:
        Draft202012Validator.check_schema(spec.input_schema)
        Draft202012Validator.check_schema(spec.output_schema)
        assert spec.cost_pcr == tool_pcr(spec.name)
        assert all(field.get("description") for field in spec.input_schema["properties"].values())
