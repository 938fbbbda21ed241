"""The audit log, what anchors it outside of the database, and what was found when it was checked."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    FetchedValue,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import INET
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class AuditLog(Table, table=True):
    """Who did what; append-only, in the transaction of what it records, outlives its subjects (no foreign keys).

    Written by the database's function `within_append_audit` only, which numbers and chains; partitioned by month.
    """

    __tablename__ = "audit_logs"
    __table_args__ = (
        CheckConstraint("result in ('success','failure','denied')", name="result"),
        Index("ix_audit_logs_org_id_created_at", "org_id", "created_at"),
        Index("ix_audit_logs_resource", "org_id", "resource_type", "resource_id"),
        Index("ix_audit_logs_org_id_run_id", "org_id", "run_id", postgresql_where=text("run_id is not null")),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """Position in the organisation's log, from 1, without gaps."""
    created_at: Timestamp = Field(
        default=None,
        primary_key=True,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("clock_timestamp()")},
    )
    """Never earlier than that of the entry before."""
    id: str = Field(sa_type=Text)
    actor_type: str = Field(sa_type=Text)
    """`api_key`, `user`, `workflow`, `system` or `anonymous`."""
    actor_id: str | None = Field(default=None, sa_type=Text)
    """A pseudonym: names stand in `users` and `api_keys`, where they can be erased."""
    action: str = Field(sa_type=Text)
    """`noun.past`."""
    resource_type: str = Field(sa_type=Text)
    resource_id: str | None = Field(default=None, sa_type=Text)
    run_id: str | None = Field(default=None, sa_type=Text)
    """The run that the entry is about, whatever its resource."""
    result: str = Field(default="success", sa_type=Text)
    details: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    """Kept as the text that was hashed: `json`, not `jsonb`."""
    request_id: str | None = Field(default=None, sa_type=Text)
    ip_address: str | None = Field(default=None, sa_type=INET)
    user_agent: str | None = Field(default=None, sa_type=Text)
    form: int = Field(sa_type=SmallInteger)
    """What is hashed, and how: 1; 0 for entries that were chained by a migration, after they had been written."""
    hash: bytes = Field(sa_type=LargeBinary)


class AuditHead(Table, table=True):
    """The last audit entry of an organisation; its row lock orders the entries."""

    __tablename__ = "audit_heads"

    org_id: str = Field(primary_key=True, sa_type=Text)
    seq: int = bigint_field(0)
    hash: bytes = Field(
        default=None, sa_type=LargeBinary, nullable=False, sa_column_kwargs={"server_default": FetchedValue()}
    )
    entry_at: Timestamp | None = timestamp_field()


class AuditCheckpoint(Table, table=True):
    """A signed statement of where an organisation's chains stood; the copy that counts is in the object store."""

    __tablename__ = "audit_checkpoints"

    org_id: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    audit_seq: int = bigint_field(None)
    ledger_version: int = bigint_field(None)
    document: bytes = Field(sa_type=LargeBinary)
    """Byte for byte what is stored under the checkpoint's key."""
    created_at: Timestamp = created_at_field()
    stored_at: Timestamp | None = timestamp_field()
    """When the object store had it."""


class AuditArchive(Table, table=True):
    """A month of an organisation's audit log that lies in the object store, and may be dropped after seven years."""

    __tablename__ = "audit_archives"

    org_id: str = Field(primary_key=True, sa_type=Text)
    month: Timestamp = Field(primary_key=True, sa_type=DateTime(timezone=True))
    """The month's first instant, UTC."""
    from_seq: int = bigint_field(None)
    to_seq: int = bigint_field(None)
    entries: int = bigint_field(None)
    hash: bytes = Field(sa_type=LargeBinary)
    """Hash of entry `to_seq`: where the chain goes on."""
    object_key: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text)
    size_bytes: int = bigint_field(None)
    created_at: Timestamp = created_at_field()


class AuditVerification(Table, table=True):
    """What the last scheduled verification of an organisation found."""

    __tablename__ = "audit_verifications"

    org_id: str = Field(primary_key=True, sa_type=Text)
    audit_entries: int = bigint_field(None)
    ledger_entries: int = bigint_field(None)
    checkpoints: int = bigint_field(None)
    findings: list[dict[str, Any]] = json_field(nullable=False)
    checked_at: Timestamp = created_at_field()
