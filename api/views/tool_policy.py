"""What agents may do: how it is asked for and shown."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from api.tool_specs import tool_specs
from api.views.base import Ask, Text, View
from schema.contracts.policy import ToolPolicy
from schema.policies import (
    APPROVAL_EXPIRES,
    APPROVAL_EXPIRES_MAX,
    CANARIES_MAX,
    CANARY_LENGTH_MAX,
    CANARY_LENGTH_MIN,
    POLICY_TOOLS_MAX,
)

_OUTSIDE = re.compile(r"mcp\.[a-z0-9_]{1,200}")


def known_tools(names: list[str]) -> list[str]:
    """Refuse names that no tool has; which tools MCP servers offer, only the worker knows."""
    known = {spec.name for spec in tool_specs()}
    for name in names:
        if name not in known and not _OUTSIDE.fullmatch(name):
            raise ValueError(f"there is no tool {name[:100]!r}; `GET /tools` lists them")
    if len(set(names)) != len(names):
        raise ValueError("must name each tool once")
    return names


ToolName = Annotated[
    Text,
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [spec.name for spec in tool_specs()]},
                {"type": "string", "pattern": f"^{_OUTSIDE.pattern}$"},
            ]
        }
    ),
]
ToolNames = Annotated[
    list[ToolName],
    Field(max_length=POLICY_TOOLS_MAX, json_schema_extra={"uniqueItems": True}),
    AfterValidator(known_tools),
]
Canary = Annotated[Text, Field(min_length=CANARY_LENGTH_MIN, max_length=CANARY_LENGTH_MAX)]


class SetToolPolicy(Ask):
    """What the organisation's agents may do by default, in runs that are created from now on."""

    tools: ToolNames | None = Field(
        default=None, min_length=1, description="Tools that agents may call; null: all that a run's sources offer."
    )
    free_browsing: bool = Field(
        default=False, description="Agents may fetch addresses that neither the task nor a source gave them."
    )
    require_approval: ToolNames = Field(
        default_factory=list,
        description="Tools of which every call waits for an administrator: `web.fetch`, say.",
    )
    approval_expires_s: int = Field(
        default=int(APPROVAL_EXPIRES.total_seconds()),
        ge=1,
        le=int(APPROVAL_EXPIRES_MAX.total_seconds()),
        description="A call that nobody decided on for this long is refused, in seconds.",
    )
    canaries: list[Canary] = Field(
        default_factory=list,
        max_length=CANARIES_MAX,
        description="Texts planted in private documents: a call or report that carries one is stopped. Not shown.",
    )

    @property
    def stored(self) -> ToolPolicy:
        """Return it as it is kept."""
        return ToolPolicy(
            tools=None if self.tools is None else tuple(self.tools),
            free_browsing=self.free_browsing,
            require_approval=tuple(self.require_approval),
            approval_expires_s=self.approval_expires_s,
            canaries=tuple(self.canaries),
        )


class ToolPolicyView(View):
    """What agents may do."""

    tools: list[str] | None
    free_browsing: bool
    require_approval: list[str]
    approval_expires_s: int
    canaries: int
    """How many there are; they are not shown."""


def tool_policy_view(policy: ToolPolicy) -> ToolPolicyView:
    """Show a policy."""
    return ToolPolicyView(
        tools=None if policy.tools is None else list(policy.tools),
        free_browsing=policy.free_browsing,
        require_approval=list(policy.require_approval),
        approval_expires_s=policy.approval_expires_s,
        canaries=len(policy.canaries),
    )


def policy_of(stored: dict[str, Any] | None) -> ToolPolicyView:
    """Show the policy of a run; one from before there were policies has the product's defaults."""
    return tool_policy_view(ToolPolicy.model_validate(stored or {}))
