"""Approvals: how a call that waits is shown, and decided on."""

import json
from typing import Any, Literal

from pydantic import Field

from api.serialisation import Instant
from api.views.base import Ask, FilledText, Listing, View
from schema.ids import agent_id
from schema.policies import APPROVAL_NOTE_LENGTH_MAX
from schema.tables.approvals import Approval

ApprovalStatus = Literal["pending", "approved", "denied", "expired", "cancelled"]


class ApproveCall(Ask):
    """An approval of exactly the call that was read."""

    arguments_sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="`arguments_sha256` as it was read: another call is not approved by it."
    )
    note: FilledText | None = Field(default=None, max_length=APPROVAL_NOTE_LENGTH_MAX)


class DenyCall(Ask):
    """A denial."""

    note: FilledText | None = Field(default=None, max_length=APPROVAL_NOTE_LENGTH_MAX, description="For the audit log.")


class ApprovalView(View):
    """A call of a tool that waits, or waited, for a person."""

    id: str
    status: ApprovalStatus
    run_id: str
    agent_id: str
    attempt: int
    step: int
    tool: str
    tool_version: str
    effect: str
    arguments: dict[str, Any]
    """What the tool will be called with."""
    arguments_json: str
    """The same, letter by letter, as the hash is made of it; characters outside ASCII are escaped."""
    arguments_sha256: str
    """SHA-256 of tool, version and `arguments_json`: what is approved is what runs."""
    rule: str
    """Why it waits: `required` by policy, `consequential`, or `rule_of_two`."""
    reason: str
    """What the model says it is for. It may have been written by whoever wrote the page: do not rely on it."""
    created_at: Instant
    expires_at: Instant
    decided_at: Instant | None
    decided_by: str | None
    note: str | None
    links: dict[str, str] = Field(alias="_links")


class ApprovalPage(Listing):
    """A page of approvals, newest first."""

    approvals: list[ApprovalView]


def approval_view(approval: Approval) -> ApprovalView:
    """Show an approval."""
    own = f"/api/v1/approvals/{approval.id}"
    links = {"self": own, "run": f"/api/v1/runs/{approval.run_id}"}
    if approval.status == "pending":
        links |= {"approve": f"{own}/approve", "deny": f"{own}/deny"}
    return ApprovalView(
        id=approval.id,
        status=approval.status,
        run_id=approval.run_id,
        agent_id=agent_id(approval.run_id, approval.agent_number),
        attempt=approval.attempt,
        step=approval.step,
        tool=approval.tool,
        tool_version=approval.tool_version,
        effect=approval.effect,
        arguments=json.loads(approval.arguments_json),
        arguments_json=approval.arguments_json,
        arguments_sha256=approval.arguments_sha256,
        rule=approval.rule,
        reason=approval.reason,
        created_at=approval.created_at,
        expires_at=approval.expires_at,
        decided_at=approval.decided_at,
        decided_by=approval.decided_by,
        note=approval.note,
        links=links,
    )
