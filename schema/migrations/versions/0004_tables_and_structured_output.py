"""What a run fills in: tables of items and columns, and structured outputs.

Revision ID: 0004
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _json(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "run_forms",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        _json("columns", nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        _json("output_schema"),
        _json("output"),
        _now("created_at"),
        sa.CheckConstraint("kind in ('table','output')", name=op.f("ck_run_forms_kind")),
        sa.CheckConstraint(
            "kind <> 'output' or jsonb_typeof(output_schema) = 'object'", name=op.f("ck_run_forms_schema_of_output")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "run_id"], ["runs.org_id", "runs.id"], name=op.f("fk_run_forms_org_id_run_id_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_forms")),
        sa.UniqueConstraint("org_id", "run_id", name=op.f("uq_run_forms_org_id_run_id")),
    )
    op.create_table(
        "table_rows",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        _json("cells"),
        sa.Column("filled", sa.Integer(), nullable=False),
        _now("updated_at"),
        sa.CheckConstraint("number >= 1 and filled >= 0", name=op.f("ck_table_rows_counters")),
        sa.ForeignKeyConstraint(
            ["org_id", "run_id"], ["run_forms.org_id", "run_forms.run_id"],
            name=op.f("fk_table_rows_org_id_run_id_run_forms"), ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_table_rows")),
    )


def downgrade() -> None:
    op.drop_table("table_rows")
    op.drop_table("run_forms")
