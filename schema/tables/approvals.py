"""Calls of tools that wait, or waited, for a person."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, created_at_field, timestamp_field


class Approval(Table, table=True):
    """One call; what is to be called never changes (a trigger), only what became of it."""

    __tablename__ = "approvals"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        UniqueConstraint("org_id", "operation_key"),
        CheckConstraint("status in ('pending','approved','denied','expired','cancelled')", name="status"),
        CheckConstraint("(status = 'pending') = (decided_at is null)", name="decided"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        Index("ix_approvals_org_id_created_at", "org_id", "created_at"),
        Index("ix_approvals_run_id", "org_id", "run_id"),
        Index(
            "ix_approvals_untold",
            "decided_at",
            postgresql_where=text("status in ('approved','denied') and taken_at is null"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    attempt: int
    agent_number: int
    step: int
    operation_key: str = Field(sa_type=Text)
    tool: str = Field(sa_type=Text)
    tool_version: str = Field(sa_type=Text)
    effect: str = Field(sa_type=Text)
    arguments_json: str = Field(sa_type=Text)
    """Exactly what the tool will be called with, as canonical JSON."""
    arguments_sha256: str = Field(sa_type=Text)
    """Of tool, version and arguments (`schema/contracts/policy.py`): what is approved is what runs."""
    rule: str = Field(sa_type=Text)
    """Why it waits."""
    reason: str = Field(default="", sa_type=Text)
    """What the model says that it wants it for: not to be believed."""
    status: str = Field(default="pending", sa_type=Text)
    created_at: Timestamp = created_at_field()
    expires_at: Timestamp = timestamp_field(nullable=False)
    decided_at: Timestamp | None = timestamp_field()
    decided_by: str | None = Field(default=None, sa_type=Text)
    note: str | None = Field(default=None, sa_type=Text)
    taken_at: Timestamp | None = timestamp_field()
    """When the agent took the decision up; an approved call is made from then on."""
