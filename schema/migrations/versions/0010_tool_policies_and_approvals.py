"""What agents may do, by organisation and by run, and the calls that wait for a person (docs/decisions/0016).

Revision ID: 0010
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.tenancy import define_across, protect

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

FIXED = (
    *("id", "org_id", "run_id", "attempt", "agent_number", "step", "operation_key", "tool", "tool_version", "effect"),
    *("arguments_json", "arguments_sha256", "rule", "reason", "created_at", "expires_at"),
)
KEPT = " or ".join(f"new.{column} is distinct from old.{column}" for column in FIXED)
GUARD = f"""
create function keep_approval() returns trigger language plpgsql as $body$ begin
  if {KEPT} then
    raise exception 'what an approval is for does not change' using errcode = 'restrict_violation';
  end if;
  if old.status <> 'pending' and (
    new.status <> old.status or new.decided_at is distinct from old.decided_at
    or new.decided_by is distinct from old.decided_by or new.note is distinct from old.note
  ) then
    raise exception 'an approval that was decided stays as it is' using errcode = 'restrict_violation';
  end if;
  return new;
end $body$
"""


def _time(name: str, *, nullable: bool = True, now: bool = False) -> sa.Column[object]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _int(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), nullable=False)


def upgrade() -> None:
    for table in ("organisations", "runs"):
        op.add_column(table, sa.Column("tool_policy", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_table(
        "approvals",
        _text("id"),
        _text("org_id"),
        _text("run_id"),
        *(_int(name) for name in ("attempt", "agent_number", "step")),
        *(_text(name) for name in ("operation_key", "tool", "tool_version", "effect", "arguments_json")),
        *(_text(name) for name in ("arguments_sha256", "rule", "reason", "status")),
        _time("created_at", nullable=False, now=True),
        _time("expires_at", nullable=False),
        _time("decided_at"),
        _text("decided_by", nullable=True),
        _text("note", nullable=True),
        _time("taken_at"),
        sa.CheckConstraint(
            "status in ('pending','approved','denied','expired','cancelled')", name=op.f("ck_approvals_status")
        ),
        sa.CheckConstraint("(status = 'pending') = (decided_at is null)", name=op.f("ck_approvals_decided")),
        sa.ForeignKeyConstraint(
            ["org_id", "run_id"], ["runs.org_id", "runs.id"], name=op.f("fk_approvals_org_id_run_id_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_approvals_org_id_id")),
        sa.UniqueConstraint("org_id", "operation_key", name=op.f("uq_approvals_org_id_operation_key")),
    )
    op.create_index("ix_approvals_org_id_created_at", "approvals", ["org_id", "created_at"])
    op.create_index("ix_approvals_run_id", "approvals", ["org_id", "run_id"])
    op.create_index(
        "ix_approvals_untold",
        "approvals",
        ["decided_at"],
        postgresql_where=sa.text("status in ('approved','denied') and taken_at is null"),
    )
    op.execute(GUARD)
    op.execute("create trigger keep_approval before update on approvals for each row execute function keep_approval()")
    protect("approvals")
    define_across(
        "across_untold_approvals",
        "p_older_than interval, p_limit int",
        "table (org_id text, id text, run_id text, agent_number int)",
        "select approval.org_id, approval.id, approval.run_id, approval.agent_number from approvals approval"
        " join runs run on run.org_id = approval.org_id and run.id = approval.run_id"
        " where approval.status in ('approved','denied') and approval.taken_at is null"
        " and run.attempt = approval.attempt and run.status in ('pending','running','paused','resuming','retrying')"
        " and approval.decided_at < clock_timestamp() - p_older_than order by random() limit p_limit",
    )


def downgrade() -> None:
    op.execute("drop function across_untold_approvals")
    op.drop_table("approvals")
    op.execute("drop function keep_approval")
    for table in ("organisations", "runs"):
        op.drop_column(table, "tool_policy")
