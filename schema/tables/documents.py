"""The organisation's documents, the passages they are searched by, and snapshots of what was read."""

from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class Document(Table, table=True):
    """One document of an organisation's corpus."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('processing','ready','failed')", name="status"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_documents_org_id_created_at", "org_id", "created_at"),
        Index("ix_documents_org_id_content_sha256", "org_id", "content_sha256"),
        Index("ix_documents_processing", "created_at", postgresql_where=text("status = 'processing'")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    """File name as uploaded."""
    title: str = Field(default="", sa_type=Text)
    mime_type: str = Field(sa_type=Text)
    object_key: str = Field(sa_type=Text)
    content_sha256: str = Field(sa_type=Text)
    size_bytes: int = bigint_field()
    status: str = Field(default="processing", sa_type=Text)
    error: dict[str, Any] | None = json_field()
    snapshot_sha256: str | None = Field(default=None, sa_type=Text)
    """Hash of the extracted text; the snapshot that claims point into."""
    language: str | None = Field(default=None, sa_type=Text)
    author: str | None = Field(default=None, sa_type=Text)
    published_at: Timestamp | None = timestamp_field()
    trust: float | None = Field(default=None)
    """Set by the organisation, 0..1; None: the default of its kind."""
    characters: int = bigint_field()
    passages: int = Field(default=0)
    created_by: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
    ready_at: Timestamp | None = timestamp_field()
    deleted_at: Timestamp | None = timestamp_field()


class DocumentPassage(Table, table=True):
    """A span of a document's text: `snapshot_text[start:end] == text`."""

    __tablename__ = "document_passages"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "document_id"], ["documents.org_id", "documents.id"], ondelete="CASCADE"),
        Index("ix_document_passages_terms", "terms", postgresql_using="gin"),
        Index("ix_document_passages_org_id", "org_id"),
    )

    document_id: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True)
    org_id: str = Field(sa_type=Text)
    start_offset: int
    end_offset: int
    heading: str = Field(default="", sa_type=Text)
    """Headings above the passage; searched with a higher weight, not part of the span."""
    text: str = Field(sa_type=Text)
    terms: Any = Field(
        default=None,
        sa_type=TSVECTOR,
        sa_column_args=[
            Computed(
                "setweight(to_tsvector('english', heading), 'A') || setweight(to_tsvector('english', text), 'B')",
                persisted=True,
            )
        ],
    )


class Snapshot(Table, table=True):
    """A text that was read, content-addressed; what claims and citations point into."""

    __tablename__ = "snapshots"
    __table_args__ = (ForeignKeyConstraint(["org_id"], ["organisations.id"]),)

    org_id: str = Field(primary_key=True, sa_type=Text)
    sha256: str = Field(primary_key=True, sa_type=Text)
    """SHA-256 of the UTF-8 text."""
    object_key: str = Field(sa_type=Text)
    size_bytes: int = bigint_field()
    created_at: Timestamp = created_at_field()
