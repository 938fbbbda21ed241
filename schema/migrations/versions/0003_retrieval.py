"""Retrieval: vectors beside the full text, a search configuration per document, what a run met and left out, domains.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects import postgresql

from schema.tables.documents import INDEXED_DIMENSIONS

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("search_config", sa.Text(), server_default="english", nullable=False))
    op.add_column("documents", sa.Column("embedding_model", sa.Text(), nullable=True))
    # The configuration is the document's own now, so the terms are written with the row; those that are there stay.
    op.execute("alter table document_passages alter column terms drop expression")
    op.execute("update document_passages set terms = '' where terms is null")
    op.alter_column("document_passages", "terms", nullable=False)
    op.add_column("document_passages", sa.Column("embedding", Vector(), nullable=True))
    op.add_column("document_passages", sa.Column("embedding_model", sa.Text(), nullable=True))
    for dimensions in INDEXED_DIMENSIONS:
        op.execute(
            f"create index ix_document_passages_embedding_{dimensions} on document_passages"
            f" using hnsw ((embedding::vector({dimensions})) vector_cosine_ops)"
            f" where vector_dims(embedding) = {dimensions}"
        )
    op.add_column("snapshots", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.add_column("snapshots", sa.Column("language", sa.Text(), nullable=True))
    op.alter_column("sources", "snapshot_sha256", nullable=True)
    op.add_column("sources", sa.Column("canonical_uri", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "sources", sa.Column("addresses", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    )
    op.alter_column("sources", "addresses", server_default=None)
    op.add_column("sources", sa.Column("outcome", sa.Text(), server_default="read", nullable=False))
    op.add_column("sources", sa.Column("detail", sa.Text(), nullable=True))
    op.add_column("sources", sa.Column("copy_of", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_sources_outcome"), "sources", "outcome in ('read','left_out','failed')")
    op.create_check_constraint(
        op.f("ck_sources_read"), "sources", "outcome <> 'read' or snapshot_sha256 is not null"
    )
    op.create_table(
        "domain_reputations",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("trust", sa.Float(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("trust between 0 and 1", name=op.f("ck_domain_reputations_trust")),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name=op.f("fk_domain_reputations_org_id_organisations")),
        sa.PrimaryKeyConstraint("org_id", "domain", name=op.f("pk_domain_reputations")),
    )


def downgrade() -> None:
    op.drop_table("domain_reputations")
    op.execute("delete from sources where snapshot_sha256 is null")
    op.drop_constraint(op.f("ck_sources_read"), "sources")
    op.drop_constraint(op.f("ck_sources_outcome"), "sources")
    for column in ("copy_of", "detail", "outcome", "addresses", "canonical_uri"):
        op.drop_column("sources", column)
    op.alter_column("sources", "snapshot_sha256", nullable=False)
    op.drop_column("snapshots", "language")
    op.drop_column("snapshots", "fingerprint")
    for dimensions in INDEXED_DIMENSIONS:
        op.drop_index(f"ix_document_passages_embedding_{dimensions}", table_name="document_passages")
    op.drop_column("document_passages", "embedding_model")
    op.drop_column("document_passages", "embedding")
    op.drop_column("document_passages", "terms")
    op.execute(
        "alter table document_passages add column terms tsvector generated always as"
        " (setweight(to_tsvector('english', heading), 'A') || setweight(to_tsvector('english', text), 'B')) stored"
    )
    op.create_index("ix_document_passages_terms", "document_passages", ["terms"], postgresql_using="gin")
    op.drop_column("documents", "embedding_model")
    op.drop_column("documents", "search_config")
