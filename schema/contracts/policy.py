"""What the agents of one run may do: chosen when the run is created, fixed from there, and checked at every call."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from schema.contracts.common import Contract
from schema.policies import APPROVAL_EXPIRES


class ToolPolicy(Contract):
    """An organisation's defaults, or one run's own, which are never wider."""

    tools: tuple[str, ...] | None = None
    """Names of the tools that agents may call; None: all that the run's sources offer."""
    free_browsing: bool = False
    """Agents may fetch addresses that neither the task nor a source gave them."""
    require_approval: tuple[str, ...] = ()
    """Names of tools of which every call waits for a person."""
    approval_expires_s: int = Field(default=int(APPROVAL_EXPIRES.total_seconds()), gt=0)
    """A call that nobody decided on for this long is refused."""
    canaries: tuple[str, ...] = ()
    """Texts planted in private documents: a call or a report that carries one, in any encoding, is stopped."""

    def permits(self, tool: str) -> bool:
        """Tell whether agents may call a tool at all."""
        return self.tools is None or tool in self.tools

    def narrowed(
        self, *, tools: Sequence[str] | None, free_browsing: bool | None, require_approval: Sequence[str]
    ) -> "ToolPolicy":
        """Return the policy of a run that asks for these: nothing that the organisation closed is opened.

        Args:
            tools: None, as `free_browsing` None: as the organisation has it.
        """
        asked = self.tools if tools is None else tuple(dict.fromkeys(tools))
        if self.tools is not None and asked is not None:
            asked = tuple(tool for tool in asked if tool in self.tools)
        return self.model_copy(
            update={
                "tools": asked,
                "free_browsing": self.free_browsing and free_browsing is not False,
                "require_approval": tuple(dict.fromkeys((*self.require_approval, *require_approval))),
            }
        )


def canonical_json(value: Mapping[str, Any]) -> str:
    """Return arguments as the one text that stands for them: sorted keys, no white space, ASCII.

    Escaped, so that nothing in it looks like something else to whoever decides.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def call_digest(tool: str, version: str, arguments_json: str) -> str:
    """Return the SHA-256 that binds an approval to one call: `TOOL`, line break, `VERSION`, line break, JSON."""
    return hashlib.sha256(f"{tool}\n{version}\n{arguments_json}".encode()).hexdigest()
