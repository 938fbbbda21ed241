"""Idempotency keys and the audit log."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import INET
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field


class IdempotencyKey(Table, table=True):
    """The stored answer of a POST; claimed and stored in the transaction of its work."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    route: str = Field(primary_key=True, sa_type=Text)
    """Method and path with its ids, so that a key is scoped to organisation and endpoint."""
    key: str = Field(primary_key=True, sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    """SHA-256 of the request's body."""
    status_code: int
    content_type: str = Field(sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    """The rendered answer, byte for byte."""
    created_at: Timestamp = created_at_field()


class AuditLog(Table, table=True):
    """Who did what; append-only, in the transaction of what it records, outlives its subjects (no foreign keys)."""

    __tablename__ = "audit_logs"
    __table_args__ = (
        UniqueConstraint("org_id", "seq"),
        CheckConstraint("result in ('success','failure','denied')", name="result"),
        Index("ix_audit_logs_org_id_created_at", "org_id", "created_at"),
        Index("ix_audit_logs_resource", "org_id", "resource_type", "resource_id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    seq: int = bigint_field(None)
    """Position in the organisation's log, from 1, without gaps."""
    actor_type: str = Field(sa_type=Text)
    """`api_key`, `user`, `workflow` or `system`."""
    actor_id: str | None = Field(default=None, sa_type=Text)
    action: str = Field(sa_type=Text)
    """`noun.past`."""
    resource_type: str = Field(sa_type=Text)
    resource_id: str | None = Field(default=None, sa_type=Text)
    result: str = Field(default="success", sa_type=Text)
    details: dict[str, Any] | None = json_field()
    request_id: str | None = Field(default=None, sa_type=Text)
    ip_address: str | None = Field(default=None, sa_type=INET)
    user_agent: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()


class AuditHead(Table, table=True):
    """Number of the last audit entry of an organisation; its row lock orders the entries."""

    __tablename__ = "audit_heads"
    __table_args__ = (ForeignKeyConstraint(["org_id"], ["organisations.id"]),)

    org_id: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(default=0, sa_type=BigInteger)
