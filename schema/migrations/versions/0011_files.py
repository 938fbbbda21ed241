"""Files that users give to runs, questions about their data, and documents that only some runs may find.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.tenancy import ORGANISATION, define_across, define_within, protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MARK = "table (org_id text, id text)"

ACROSS = (
    (
        "across_processing_files",
        "p_older_than interval, p_limit int",
        MARK,
        "select org_id, id from files where status = 'processing' and deleted_at is null"
        " and changed_at < clock_timestamp() - p_older_than order by changed_at limit p_limit",
    ),
    (
        # Past their end, deleted a while ago, or never uploaded to the end.
        "across_due_files",
        "p_kept interval, p_upload_within interval, p_limit int",
        MARK,
        "select org_id, id from files where expires_at < clock_timestamp()"
        " or deleted_at < clock_timestamp() - p_kept"
        " or (status = 'uploading' and created_at < clock_timestamp() - p_upload_within)"
        " order by random() limit p_limit",
    ),
)
# Beside `within_passages_matching`, which workers of the release before still call.
PASSAGES_READABLE = (
    "within_passages_readable",
    "p_org_id text, p_document_id text, p_any_term tsquery, p_corpus boolean, p_files text[]",
    "table (document_id text, number int, terms tsvector)",
    "select passage.document_id, passage.number, passage.terms from document_passages passage"
    f" where passage.org_id = p_org_id and passage.org_id = {ORGANISATION}"
    " and (p_document_id is null or passage.document_id = p_document_id)"
    " and ((p_corpus and passage.file_id is null) or passage.file_id = any (p_files))"
    " and passage.terms @@ p_any_term",
)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=True)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def upgrade() -> None:
    op.create_table(
        "files",
        *(_text(name) for name in ("id", "org_id", "name", "mime_type")),
        _text("kind", nullable=True),
        _text("object_key"),
        _text("upload_id", nullable=True),
        _text("content_sha256", nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        _text("status"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _text("unit", nullable=True),
        sa.Column("amount", sa.Integer(), nullable=True),
        sa.Column("kept", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("charged_ucr", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("portions", sa.Integer(), nullable=False),
        sa.Column("portions_done", sa.Integer(), nullable=False),
        _json("result"),
        _json("outputs"),
        _text("document_id", nullable=True),
        _json("error"),
        _text("created_by", nullable=True),
        _now("created_at"),
        _now("changed_at"),
        *(_time(name) for name in ("ready_at", "expires_at", "deleted_at")),
        sa.CheckConstraint("status in ('uploading','processing','ready','failed')", name=op.f("ck_files_status")),
        sa.CheckConstraint("kind in ('data','document','image','audio','video')", name=op.f("ck_files_kind")),
        sa.CheckConstraint(
            "size_bytes > 0 and attempt >= 1 and portions >= 0 and portions_done >= 0", name=op.f("ck_files_numbers")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name=op.f("fk_files_org_id_organisations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_files_org_id_id")),
    )
    op.create_index("ix_files_org_id_content_sha256", "files", ["org_id", "content_sha256"])
    op.create_index(
        "ix_files_processing", "files", ["changed_at"], postgresql_where=sa.text("status = 'processing'")
    )
    op.create_index("ix_files_expires_at", "files", ["expires_at"])
    op.create_table(
        "file_questions",
        *(_text(name) for name in ("id", "org_id", "file_id", "question", "status")),
        _json("others"),
        _json("answer"),
        _json("error"),
        _text("created_by", nullable=True),
        _now("created_at"),
        _time("answered_at"),
        sa.CheckConstraint("status in ('waiting','answered','refused')", name=op.f("ck_file_questions_status")),
        sa.ForeignKeyConstraint(
            ["org_id", "file_id"], ["files.org_id", "files.id"], name=op.f("fk_file_questions_org_id_file_id_files"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_questions")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_file_questions_org_id_id")),
    )
    op.create_index("ix_file_questions_org_id_file_id", "file_questions", ["org_id", "file_id"])
    op.add_column("documents", _text("file_id", nullable=True))
    op.create_index(
        "ix_documents_org_id_file_id", "documents", ["org_id", "file_id"],
        postgresql_where=sa.text("file_id is not null"),
    )
    op.add_column("document_passages", _text("file_id", nullable=True))
    for table in ("files", "file_questions"):
        protect(table)
    for name, parameters, returns, body in ACROSS:
        define_across(name, parameters, returns, body)
    define_within(*PASSAGES_READABLE)


def downgrade() -> None:
    op.execute(f"drop function {PASSAGES_READABLE[0]}")
    for name, *_ in ACROSS:
        op.execute(f"drop function {name}")
    op.drop_column("document_passages", "file_id")
    op.drop_index("ix_documents_org_id_file_id", "documents")
    op.drop_column("documents", "file_id")
    op.drop_table("file_questions")
    op.drop_table("files")
