"""Files that users give to runs, and the questions that are asked about their data."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


class File(Table, table=True):
    """One file of an organisation."""

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('uploading','processing','ready','failed')", name="status"),
        CheckConstraint("kind in ('data','document','image','audio','video')", name="kind"),
        CheckConstraint("size_bytes > 0 and attempt >= 1 and portions >= 0 and portions_done >= 0", name="numbers"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_files_org_id_content_sha256", "org_id", "content_sha256"),
        Index("ix_files_processing", "changed_at", postgresql_where=text("status = 'processing'")),
        Index("ix_files_expires_at", "expires_at"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    """As uploaded."""
    mime_type: str = Field(sa_type=Text)
    """As claimed; once inspected, by its content."""
    kind: str | None = Field(default=None, sa_type=Text)
    """None: not inspected (yet)."""
    object_key: str = Field(sa_type=Text)
    """`ORG/files/ID`: of this file alone."""
    upload_id: str | None = Field(default=None, sa_type=Text)
    """Of the object store's upload in parts, while it lasts."""
    content_sha256: str | None = Field(default=None, sa_type=Text)
    size_bytes: int = bigint_field()
    status: str = Field(default="processing", sa_type=Text)
    attempt: int = Field(default=1)
    """Part of the key of what it holds and is charged."""
    unit: str | None = Field(default=None, sa_type=Text)
    amount: int | None = Field(default=None)
    """What the reading is counted in, and how much of it: `audio.minute`, 61."""
    kept: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    """Read before, from the same content: nothing was charged."""
    charged_ucr: int = bigint_field()
    """What its reading cost, micro-credits."""
    portions: int = Field(default=0)
    portions_done: int = Field(default=0)
    result: dict[str, Any] | None = json_field()
    """Reference to the object with what was found in it."""
    outputs: list[dict[str, Any]] | None = json_field()
    """Files that were made of it: name, media type, and a reference each."""
    document_id: str | None = Field(default=None, sa_type=Text)
    """The document by which runs that it is attached to find it."""
    error: dict[str, Any] | None = json_field()
    created_by: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
    changed_at: Timestamp = created_at_field()
    ready_at: Timestamp | None = timestamp_field()
    expires_at: Timestamp | None = timestamp_field()
    deleted_at: Timestamp | None = timestamp_field()


class FileQuestion(Table, table=True):
    """One question about a file's data, and its answer with the query that it came from."""

    __tablename__ = "file_questions"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('waiting','answered','refused')", name="status"),
        ForeignKeyConstraint(["org_id", "file_id"], ["files.org_id", "files.id"], ondelete="CASCADE"),
        Index("ix_file_questions_org_id_file_id", "org_id", "file_id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    file_id: str = Field(sa_type=Text)
    question: str = Field(sa_type=Text)
    """Empty where it is asked how the file and `others` belong together."""
    others: list[str] | None = json_field()
    """Files that its relations are asked to."""
    status: str = Field(default="waiting", sa_type=Text)
    answer: dict[str, Any] | None = json_field()
    error: dict[str, Any] | None = json_field()
    created_by: str | None = Field(default=None, sa_type=Text)
    created_at: Timestamp = created_at_field()
    answered_at: Timestamp | None = timestamp_field()
