"""What a run read and what it drew from it: sources with their scores, and claims with their spans."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, created_at_field, json_field, timestamp_field


class Source(Table, table=True):
    """A source that a run met, with the three parts of its score: read, looked at and left out, or failed to load."""

    __tablename__ = "sources"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint(
            "relevance between 0 and 1 and trust between 0 and 1 and recency between 0 and 1", name="score"
        ),
        CheckConstraint("outcome in ('read','left_out','failed')", name="outcome"),
        CheckConstraint("outcome <> 'read' or snapshot_sha256 is not null", name="read"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["org_id", "snapshot_sha256"], ["snapshots.org_id", "snapshots.sha256"]),
        UniqueConstraint("org_id", "run_id", "snapshot_sha256"),
        Index("ix_sources_org_id_snapshot_sha256", "org_id", "snapshot_sha256"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    snapshot_sha256: str | None = Field(default=None, sa_type=Text)
    """What was read; None: nothing was."""
    kind: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    uri: str = Field(sa_type=Text)
    canonical_uri: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    """The address without what does not change the page (`activities/research/addresses.py`)."""
    addresses: dict[str, Any] = json_field(nullable=False)
    """Every address where this very text was met -> its title there."""
    outcome: str = Field(default="read", sa_type=Text, sa_column_kwargs={"server_default": "read"})
    detail: str | None = Field(default=None, sa_type=Text)
    """Why it was left out, or what failed."""
    copy_of: str | None = Field(default=None, sa_type=Text)
    """The source of this run that it is a copy of; found when the report is written."""
    document_id: str | None = Field(default=None, sa_type=Text)
    published_at: Timestamp | None = timestamp_field()
    relevance: float
    trust: float
    recency: float
    reasons: dict[str, Any] = json_field(nullable=False)
    number: int | None = Field(default=None)
    """Its `[n]` in the report; None: read and not cited."""
    created_at: Timestamp = created_at_field()


class Claim(Table, table=True):
    """A statement and the span that shows it."""

    __tablename__ = "claims"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["org_id", "run_id", "snapshot_sha256"],
            ["sources.org_id", "sources.run_id", "sources.snapshot_sha256"],
            ondelete="CASCADE",
        ),
        CheckConstraint("start_offset >= 0 and end_offset > start_offset", name="span"),
        Index("ix_claims_run_id_agent_number", "run_id", "agent_number"),
    )

    run_id: str = Field(primary_key=True, sa_type=Text)
    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    agent_number: int
    step: int
    snapshot_sha256: str = Field(sa_type=Text)
    start_offset: int
    end_offset: int
    text: str = Field(sa_type=Text)
    quote: str = Field(sa_type=Text)
    relevance: float = Field(default=0.0)
    drawn_by: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
