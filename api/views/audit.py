"""The audit log, as it is shown."""

from typing import Any, Literal

from api.serialisation import Instant
from api.views.base import Listing, View
from schema.tables.audit import AuditLog, AuditVerification

AuditOutcome = Literal["success", "failure", "denied"]


class AuditActor(View):
    """Who acted."""

    type: str
    """`api_key`, `user`, `workflow`, `system` or `anonymous`."""
    id: str | None
    """A pseudonym that stays."""
    name: str | None
    """Null where the actor has none, or where it was erased."""


class AuditEntryView(View):
    """One entry of the audit log."""

    id: str
    seq: int
    """Position in the organisation's log, from 1, without gaps."""
    at: Instant
    actor: AuditActor
    action: str
    outcome: AuditOutcome
    resource_type: str
    resource_id: str | None
    run_id: str | None
    details: dict[str, Any] | None
    request_id: str | None
    ip_address: str | None
    user_agent: str | None
    hash: str
    """SHA-256 over the entry and the hash of the one before, hexadecimal."""


class AuditPage(Listing):
    """A page of the audit log, newest first."""

    entries: list[AuditEntryView]


class AuditFindingView(View):
    """One thing that a verification found wrong."""

    log: str
    """`audit`, `ledger` or `checkpoints`."""
    kind: str
    seq: int
    """The first broken entry."""
    expected: str
    found: str


class AuditVerificationView(View):
    """What the last scheduled verification found; `checked_at` is null before the first."""

    checked_at: Instant | None
    audit_entries: int
    ledger_entries: int
    checkpoints: int
    findings: list[AuditFindingView]


def entry_view(entry: AuditLog, name: str | None) -> AuditEntryView:
    """Show an entry."""
    return AuditEntryView(
        id=entry.id,
        seq=entry.seq,
        at=entry.created_at,
        actor=AuditActor(type=entry.actor_type, id=entry.actor_id, name=name),
        action=entry.action,
        outcome=entry.result,
        resource_type=entry.resource_type,
        resource_id=entry.resource_id,
        run_id=entry.run_id,
        details=entry.details,
        request_id=entry.request_id,
        ip_address=None if entry.ip_address is None else str(entry.ip_address),
        user_agent=entry.user_agent,
        hash=entry.hash.hex(),
    )


def verification_view(found: AuditVerification | None) -> AuditVerificationView:
    """Show a verification."""
    if found is None:
        return AuditVerificationView(checked_at=None, audit_entries=0, ledger_entries=0, checkpoints=0, findings=[])
    return AuditVerificationView(
        checked_at=found.checked_at,
        audit_entries=found.audit_entries,
        ledger_entries=found.ledger_entries,
        checkpoints=found.checkpoints,
        findings=[
            AuditFindingView.model_validate({name: item[name] for name in AuditFindingView.model_fields})
            for item in found.findings
        ],
    )
