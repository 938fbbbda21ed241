"""The organisation's documents, the passages they are searched by, and snapshots of what was read."""

from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field

INDEXED_DIMENSIONS = (384, 768, 1024, 1536)
"""Lengths of vectors that have an index of nearest neighbours; others are compared one by one."""


class Document(Table, table=True):
    """One document of an organisation's corpus."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('processing','ready','failed')", name="status"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_documents_org_id_created_at", "org_id", "created_at"),
        Index("ix_documents_org_id_content_sha256", "org_id", "content_sha256"),
        Index("ix_documents_org_id_file_id", "org_id", "file_id", postgresql_where=text("file_id is not null")),
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
    """ISO 639-1, of what is written; None: too little to tell."""
    search_config: str = Field(default="english", sa_type=Text, sa_column_kwargs={"server_default": "english"})
    """PostgreSQL's text search configuration that its passages are indexed with."""
    embedding_model: str | None = Field(default=None, sa_type=Text)
    """Whose vectors all its passages have; None: they have none, or not all (yet)."""
    author: str | None = Field(default=None, sa_type=Text)
    published_at: Timestamp | None = timestamp_field()
    trust: float | None = Field(default=None)
    """Set by the organisation, 0..1; None: the default of its kind."""
    characters: int = bigint_field()
    passages: int = Field(default=0)
    file_id: str | None = Field(default=None, sa_type=Text)
    """The file that it was made of: only runs that the file is attached to find it. None: it is of the corpus."""
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
        *(
            Index(
                f"ix_document_passages_embedding_{dimensions}",
                literal_column(f"(embedding::vector({dimensions}))").label("nearest"),
                postgresql_using="hnsw",
                postgresql_ops={"nearest": "vector_cosine_ops"},
                postgresql_where=text(f"vector_dims(embedding) = {dimensions}"),
            )
            for dimensions in INDEXED_DIMENSIONS
        ),
    )

    document_id: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True)
    org_id: str = Field(sa_type=Text)
    start_offset: int
    end_offset: int
    heading: str = Field(default="", sa_type=Text)
    """Headings above the passage; searched with a higher weight, not part of the span."""
    text: str = Field(sa_type=Text)
    terms: Any = Field(default=None, sa_type=TSVECTOR, nullable=False)
    """Made when it is written, by the document's configuration: headings with weight A, the text with weight B."""
    embedding: Any = Field(default=None, sa_type=Vector, nullable=True)
    """Of headings and text together, unit length; None: not embedded (yet)."""
    file_id: str | None = Field(default=None, sa_type=Text)
    """As the document has it, so that a search need not join."""
    embedding_model: str | None = Field(default=None, sa_type=Text)
    """Name of the embedder that made it; only vectors of one name are compared."""


class Snapshot(Table, table=True):
    """A text that was read, content-addressed; what claims and citations point into."""

    __tablename__ = "snapshots"
    __table_args__ = (ForeignKeyConstraint(["org_id"], ["organisations.id"]),)

    org_id: str = Field(primary_key=True, sa_type=Text)
    sha256: str = Field(primary_key=True, sa_type=Text)
    """SHA-256 of the UTF-8 text."""
    object_key: str = Field(sa_type=Text)
    size_bytes: int = bigint_field()
    fingerprint: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Sketch of the text, by which copies are found (`activities/research/copies.py`)."""
    language: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
