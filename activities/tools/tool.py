"""The contract of a tool, and how its specification is derived from its models."""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from activities.tools.context import ToolContext
from schema.contracts.tools import Effect, ToolOutput, ToolSpec
from schema.prices import MCP_PREFIX, TOOL_CALL_PCR, tool_pcr


class Arguments(BaseModel):
    """Base of a tool's arguments: nothing that is not declared, strings without surrounding blanks."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Answer(BaseModel):
    """Base of a tool's `data`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tool(Protocol):
    """Something an agent can do."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool says of itself."""

    @property
    def arguments(self) -> type[Arguments]:
        """The model of the arguments; its JSON Schema is the specification's."""

    @property
    def answer(self) -> type[Answer]:
        """The model of `ToolOutput.data`."""

    async def call(self, arguments: Any, context: ToolContext) -> ToolOutput:
        """Do it once. `arguments` is an instance of the tool's own model, validated.

        A cancel arrives as `CancelledError`: clean up, and let it through.
        """


def specify(
    name: str,
    description: str,
    arguments: type[Arguments],
    answer: type[Answer],
    *,
    version: str,
    timeout_s: float,
    effect: Effect,
    idempotent: bool,
) -> ToolSpec:
    """Derive a tool's specification from its models; a tool without a price has cost -1, which no registry takes."""
    return ToolSpec(
        name=name,
        version=version,
        description=description,
        input_schema=arguments.model_json_schema(),
        output_schema=answer.model_json_schema(mode="serialization"),
        timeout_s=timeout_s,
        cost_pcr=tool_pcr(name) if name in TOOL_CALL_PCR or name.startswith(MCP_PREFIX) else -1,
        effect=effect,
        idempotent=idempotent,
    )
