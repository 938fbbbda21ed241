"""Retention, archives of runs, erasures, exports of data, and the keys that seal connectors' tokens.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from schema.migrations.tenancy import define_across, protect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STEP_OBJECT = "coalesce(output #>> '{object,key}', output #>> '{value,key}')"
ENDED = "'completed','failed','cancelled'"
MARK = "table (org_id text, id text)"

FUNCTIONS = (
    (
        "across_due_artifacts",
        "p_limit int",
        MARK,
        "select r.org_id, r.id from runs r"
        f" where r.status in ({ENDED}) and exists (select from artifacts a where a.org_id = r.org_id and a.run_id = r.id"
        " and a.deleted_at is null and a.expires_at < clock_timestamp()) order by random() limit p_limit",
    ),
    (
        "across_due_runs",
        "p_kept_days int, p_limit int",
        MARK,
        "select r.org_id, r.id from runs r left join retention_policies p using (org_id)"
        f" where r.status in ({ENDED})"
        " and coalesce(r.completed_at, r.updated_at)"
        " < clock_timestamp() - make_interval(days => coalesce(p.runs_days, p_kept_days))"
        " order by random() limit p_limit",
    ),
    (
        "across_due_archives",
        "p_limit int",
        "table (org_id text, id text)",
        "select org_id, run_id from run_archives where expires_at < clock_timestamp() and archived_at is not null"
        " order by expires_at limit p_limit",
    ),
    (
        "across_due_exports",
        "p_limit int",
        MARK,
        "select org_id, id from data_exports where expires_at < clock_timestamp() and object_key is not null"
        " order by expires_at limit p_limit",
    ),
    (
        "across_deleted_documents",
        "p_kept interval, p_limit int",
        MARK,
        "select org_id, id from documents where deleted_at < clock_timestamp() - p_kept order by deleted_at limit p_limit",
    ),
    (
        "across_object_deletions",
        "p_limit int",
        "table (org_id text, id text)",
        "select org_id, object_key from object_deletions order by requested_at limit p_limit",
    ),
    (
        "across_unfinished_requests",
        "p_older_than interval, p_limit int",
        "table (org_id text, id text)",
        "select org_id, id from erasures where status = 'processing'"
        " and created_at < clock_timestamp() - p_older_than"
        " union all select org_id, id from data_exports where status = 'processing'"
        " and created_at < clock_timestamp() - p_older_than limit p_limit",
    ),
    (
        # Only of somebody whom no organisation knows any more.
        "across_forget_user",
        "p_user_id text",
        "boolean",
        "with gone as (update users set name = '', password_hash = null,"
        " email = case when kind = 'person' then 'erased-' || id || '@erased.invalid' end where id = p_user_id"
        " and not exists (select from memberships where user_id = p_user_id and removed_at is null) returning id),"
        " s as (delete from sessions where user_id in (select id from gone)),"
        " i as (delete from user_identities where user_id in (select id from gone))"
        " select count(*) > 0 from gone",
    ),
)
TABLES = ("retention_policies", "run_archives", "object_deletions", "erasures", "data_exports", "data_keys")


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=True)


def _of_organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name=op.f(f"fk_{table}_org_id_organisations"))


def upgrade() -> None:
    op.create_table(
        "retention_policies",
        _text("org_id"),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("artifacts_days", "runs_days", "archives_days")),
        _now("updated_at"),
        sa.CheckConstraint(
            "artifacts_days between 1 and 36500 and runs_days between 1 and 36500 and archives_days between 0 and 36500",
            name=op.f("ck_retention_policies_days"),
        ),
        _of_organisation("retention_policies"),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_retention_policies")),
    )
    op.create_table(
        "run_archives",
        *(_text(name) for name in ("org_id", "run_id", "user_id", "name", "status")),
        sa.Column("run_created_at", sa.DateTime(timezone=True), nullable=False),
        _json("bundle"),
        _json("artifacts"),
        _now("created_at"),
        _time("archived_at"),
        _time("expires_at"),
        _of_organisation("run_archives"),
        sa.CheckConstraint("archived_at is null or bundle is not null", name=op.f("ck_run_archives_bundle")),
        sa.PrimaryKeyConstraint("org_id", "run_id", name=op.f("pk_run_archives")),
    )
    op.create_index(
        "ix_run_archives_expires_at", "run_archives", ["expires_at"], postgresql_where=sa.text("archived_at is not null")
    )
    op.create_index("ix_run_archives_org_id_user_id", "run_archives", ["org_id", "user_id"])
    op.create_table(
        "object_deletions",
        _text("org_id"),
        _text("object_key"),
        _now("requested_at"),
        _of_organisation("object_deletions"),
        sa.PrimaryKeyConstraint("org_id", "object_key", name=op.f("pk_object_deletions")),
    )
    op.create_table(
        "erasures",
        *(_text(name) for name in ("id", "org_id", "user_id", "status", "requested_by")),
        sa.Column("erased", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _json("error"),
        _now("created_at"),
        _time("completed_at"),
        sa.CheckConstraint("status in ('processing','completed','failed')", name=op.f("ck_erasures_status")),
        _of_organisation("erasures"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_erasures_org_id_id")),
    )
    op.create_table(
        "data_exports",
        *(_text(name) for name in ("id", "org_id")),
        _text("user_id", nullable=True),
        *(_text(name) for name in ("status", "requested_by")),
        _text("object_key", nullable=True),
        _text("sha256", nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        _json("error"),
        _now("created_at"),
        _time("completed_at"),
        _time("expires_at"),
        sa.CheckConstraint("status in ('processing','completed','failed')", name=op.f("ck_data_exports_status")),
        _of_organisation("data_exports"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_exports")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_data_exports_org_id_id")),
    )
    op.create_table(
        "data_keys",
        _text("org_id"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        _text("master_key_id"),
        _now("created_at"),
        _of_organisation("data_keys"),
        sa.PrimaryKeyConstraint("org_id", "number", name=op.f("pk_data_keys")),
    )
    op.create_index("ix_data_keys_master_key_id", "data_keys", ["master_key_id"])
    # Which objects other steps still point to: what they brought when it was large.
    op.create_index(
        "ix_steps_object_key",
        "steps",
        ["org_id", sa.text(STEP_OBJECT)],
        postgresql_where=sa.text(f"{STEP_OBJECT} is not null"),
    )
    op.create_index("ix_artifacts_org_id_object_key", "artifacts", ["org_id", "object_key"])
    op.create_index(
        "ix_artifacts_expires_at", "artifacts", ["expires_at"], postgresql_where=sa.text("deleted_at is null")
    )
    op.create_index("ix_sources_org_id_snapshot_sha256", "sources", ["org_id", "snapshot_sha256"])
    # A mail outlives the run that it asked for.
    op.drop_constraint("fk_email_ingestions_org_id_run_id_runs", "email_ingestions")
    op.create_foreign_key(
        "fk_email_ingestions_org_id_run_id_runs", "email_ingestions", "runs", ["org_id", "run_id"], ["org_id", "id"],
        ondelete="SET NULL (run_id)",
    )
    for table in TABLES:
        protect(table)
    for name, parameters, returns, body in FUNCTIONS:
        define_across(name, parameters, returns, body)


def downgrade() -> None:
    for name, *_ in FUNCTIONS:
        op.execute(f"drop function {name}")
    op.drop_constraint("fk_email_ingestions_org_id_run_id_runs", "email_ingestions")
    op.create_foreign_key(
        "fk_email_ingestions_org_id_run_id_runs", "email_ingestions", "runs", ["org_id", "run_id"], ["org_id", "id"]
    )
    op.drop_index("ix_sources_org_id_snapshot_sha256", "sources")
    op.drop_index("ix_artifacts_expires_at", "artifacts")
    op.drop_index("ix_artifacts_org_id_object_key", "artifacts")
    op.drop_index("ix_steps_object_key", "steps")
    for table in reversed(TABLES):
        op.drop_table(table)
