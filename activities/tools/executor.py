"""The one way to call a tool: allow-list, arguments, time, answer, size."""

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from activities.tools.context import ToolContext
from activities.tools.registry import ToolRegistry
from activities.tools.tool import Tool
from schema.contracts.tools import Effect, ToolOutput
from schema.errors import InvariantViolated, SourceTemporarilyUnavailable, ToolInputInvalid, ToolNotAllowed
from schema.policies import PAYLOAD_BYTES_MAX, TOOL_ARGUMENTS_BYTES_MAX

_FIELD_ERRORS_MAX = 20


class ToolExecutor:
    """Calls tools on behalf of agents."""

    def __init__(self, registry: ToolRegistry) -> None:
        self._registry = registry

    async def execute(
        self, name: str, arguments: Mapping[str, Any], context: ToolContext, allowed: Collection[str]
    ) -> ToolOutput:
        """Call a tool once.

        Args:
            allowed: names of the tools that this agent may use.

        Raises:
            ToolNotAllowed: the agent may not use it, or there is no such tool.
            ToolInputInvalid: `errors` lists each field that does not fit.
            SourceTemporarilyUnavailable: it took longer than its timeout.
            InvariantViolated: the tool broke its own contract.
            SwissbrainError: whatever the tool itself raises.
            CancelledError: after the tool has cleaned up.
        """
        tool, checked = self.check(name, arguments, allowed)
        return await self.call(tool, checked, context)

    def check(self, name: str, arguments: Mapping[str, Any], allowed: Collection[str]) -> tuple[Tool, BaseModel]:
        """Find a tool and read its arguments, without calling it.

        Raises:
            ToolNotAllowed, ToolInputInvalid: as `execute`.
        """
        tool = self._registry.find(name) if name in allowed else None
        if tool is None:
            raise ToolNotAllowed(f"The tool {name[:100]!r} is not among those this agent may use.", tool=name[:100])
        return tool, _checked_arguments(tool, arguments)

    def effect_of(self, name: str) -> Effect | None:
        """Say what a tool does to the world; None: there is no such tool."""
        tool = self._registry.find(name)
        return tool.spec.effect if tool is not None else None

    async def call(self, tool: Tool, checked: BaseModel, context: ToolContext) -> ToolOutput:
        """Call a tool once, with arguments that `check` read.

        Raises:
            SourceTemporarilyUnavailable, InvariantViolated, SwissbrainError, CancelledError: as `execute`.
        """
        name = tool.spec.name
        timeout_s = tool.spec.timeout_s
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                output = await tool.call(checked, context)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise SourceTemporarilyUnavailable(f"{name} did not finish within {timeout_s:g} s.", tool=name) from error
        _check_output(tool, output)
        return output


def _checked_arguments(tool: Tool, arguments: Mapping[str, Any]) -> BaseModel:
    size_bytes = len(json.dumps(dict(arguments), default=str).encode())
    if size_bytes > TOOL_ARGUMENTS_BYTES_MAX:
        raise ToolInputInvalid(
            f"The arguments of {tool.spec.name} are {size_bytes} bytes; {TOOL_ARGUMENTS_BYTES_MAX} are taken.",
            tool=tool.spec.name,
            errors=[],
        )
    try:
        return tool.arguments.model_validate(dict(arguments))
    except ValidationError as error:
        errors = [
            {"field": ".".join(str(part) for part in each["loc"]), "message": each["msg"]}
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        fields = ", ".join(each["field"] or "the arguments" for each in errors[:_FIELD_ERRORS_MAX])
        raise ToolInputInvalid(
            f"The arguments do not fit {tool.spec.name}: {fields}.",
            tool=tool.spec.name,
            errors=errors[:_FIELD_ERRORS_MAX],
        ) from error


def _check_output(tool: Tool, output: ToolOutput) -> None:
    """Hold the tool to its contract; what fails here is a bug of ours."""
    name = tool.spec.name
    try:
        tool.answer.model_validate(output.data)
    except ValidationError as error:
        raise InvariantViolated(f"{name} answered what does not fit its output schema.", tool=name) from error
    for passage in output.passages:
        if passage.start < 0 or passage.end - passage.start != len(passage.text) or not passage.text:
            raise InvariantViolated(f"{name} returned a passage that is not a span.", tool=name)
    size_bytes = len(output.model_dump_json().encode())
    if size_bytes > PAYLOAD_BYTES_MAX:
        raise InvariantViolated(f"{name} returned {size_bytes} bytes.", tool=name, limit=PAYLOAD_BYTES_MAX)
