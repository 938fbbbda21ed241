"""What is kept for how long, what was archived, erased and exported, and the keys that seal secrets."""

from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class RetentionPolicy(Table, table=True):
    """An organisation's own retention, days; None: the default of `schema/policies.py`."""

    __tablename__ = "retention_policies"
    __table_args__ = (
        CheckConstraint(
            "artifacts_days between 1 and 36500 and runs_days between 1 and 36500"
            " and archives_days between 0 and 36500",
            name="days",
        ),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    artifacts_days: int | None = Field(default=None)
    """Until a run's files move to its archive."""
    runs_days: int | None = Field(default=None)
    """After its end, until a run moves to its archive."""
    archives_days: int | None = Field(default=None)
    """After that, until the archive is deleted; 0: at the next sweep."""
    updated_at: Timestamp = created_at_field()


class RunArchive(Table, table=True):
    """Where a run is that retention took out of the database, or whose files it took away."""

    __tablename__ = "run_archives"
    __table_args__ = (
        CheckConstraint("archived_at is null or bundle is not null", name="bundle"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_run_archives_expires_at", "expires_at", postgresql_where=text("archived_at is not null")),
        Index("ix_run_archives_org_id_user_id", "org_id", "user_id"),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    run_id: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    run_created_at: Timestamp = Field(sa_type=DateTime(timezone=True))
    bundle: dict[str, Any] | None = json_field()
    """`ObjectRef` of its rows; None while they are still in the database."""
    artifacts: dict[str, Any] | None = json_field()
    """`ObjectRef` of the ZIP with its files and the texts that it cites."""
    created_at: Timestamp = created_at_field()
    archived_at: Timestamp | None = timestamp_field()
    expires_at: Timestamp | None = timestamp_field()


class ObjectDeletion(Table, table=True):
    """An object that may have lost its last reference: written with the deletion of a row, done by the next sweep."""

    __tablename__ = "object_deletions"
    __table_args__ = (ForeignKeyConstraint(["org_id"], ["organisations.id"]),)

    org_id: str = Field(primary_key=True, sa_type=Text)
    object_key: str = Field(primary_key=True, sa_type=Text)
    requested_at: Timestamp = created_at_field()


class Erasure(Table, table=True):
    """A person's data that was erased from an organisation: what, and when. Names the person by id only."""

    __tablename__ = "erasures"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('processing','completed','failed')", name="status"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    user_id: str = Field(sa_type=Text)
    status: str = Field(default="processing", sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    erased: dict[str, Any] = json_field(nullable=False)
    """Kind -> number, counted in the transactions that erased."""
    error: dict[str, Any] | None = json_field()
    created_at: Timestamp = created_at_field()
    completed_at: Timestamp | None = timestamp_field()


class DataExport(Table, table=True):
    """A copy of a person's or an organisation's data, for them to take away."""

    __tablename__ = "data_exports"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('processing','completed','failed')", name="status"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    user_id: str | None = Field(default=None, sa_type=Text)
    """Whose; None: the whole organisation's."""
    status: str = Field(default="processing", sa_type=Text)
    requested_by: str = Field(sa_type=Text)
    object_key: str | None = Field(default=None, sa_type=Text)
    sha256: str | None = Field(default=None, sa_type=Text)
    size_bytes: int = bigint_field()
    error: dict[str, Any] | None = json_field()
    created_at: Timestamp = created_at_field()
    completed_at: Timestamp | None = timestamp_field()
    expires_at: Timestamp | None = timestamp_field()


class DataKey(Table, table=True):
    """An organisation's key, wrapped by the deployment's master key; the newest number seals, every one opens."""

    __tablename__ = "data_keys"
    __table_args__ = (
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_data_keys_master_key_id", "master_key_id"),
    )

    org_id: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    wrapped: bytes = Field(sa_type=LargeBinary)
    master_key_id: str = Field(sa_type=Text)
    created_at: Timestamp = created_at_field()
