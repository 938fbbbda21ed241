"""Exports of runs: who asked, the look of an organisation, and those whose workflow may be lost.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.tenancy import define_across

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exports", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("organisations", sa.Column("theme", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_check_constraint(
        op.f("ck_exports_file"), "exports", "(status = 'completed') = (artifact_id is not null)"
    )
    op.create_index("ix_exports_org_id_run_id", "exports", ["org_id", "run_id"])
    op.create_index("ix_exports_processing", "exports", ["created_at"], postgresql_where=sa.text("status = 'processing'"))
    define_across(
        "across_processing_exports",
        "p_older_than interval, p_limit int",
        "table (org_id text, id text)",
        "select org_id, id from exports where status = 'processing'"
        " and created_at < clock_timestamp() - p_older_than order by random() limit p_limit",
    )


def downgrade() -> None:
    op.execute("drop function across_processing_exports")
    op.drop_index("ix_exports_processing", "exports")
    op.drop_index("ix_exports_org_id_run_id", "exports")
    op.drop_constraint(op.f("ck_exports_file"), "exports")
    op.drop_column("organisations", "theme")
    op.drop_column("exports", "created_by")
