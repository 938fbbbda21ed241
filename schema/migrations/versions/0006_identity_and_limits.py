"""How people come in: passwords, sessions, OpenID identities, invitations; and what members may spend in a month.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from schema.migrations.tenancy import define_across, protect, protect_by

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PERSON = "(select nullif(current_setting('app.user_id', true), ''))"
"""The person that the transaction is for, NULL where none is set."""
PROOF = "(select decode(nullif(current_setting('app.proof', true), ''), 'hex'))"
"""The hash that the transaction was shown, of a state or of whom it throttles."""
OF_A_PERSON = {
    "sessions": f"user_id = {PERSON}",
    "user_identities": f"user_id = {PERSON}",
    "oidc_requests": f"state_sha256 = {PROOF}",
    "sign_in_attempts": f"subject_sha256 = {PROOF}",
}
"""Rows of no organisation: seen by the person whom a secret has proven, or by who knows what they are found by."""

FUNCTIONS = (
    (
        "across_person_by_email",
        "p_email text",
        "table (id text, password_hash text)",
        "select id, password_hash from users where email = p_email and kind = 'person'",
    ),
    (
        "across_person_by_identity",
        "p_issuer text, p_subject text",
        "table (id text, password_hash text)",
        "select u.id, null::text from users u join user_identities i on i.user_id = u.id"
        " where i.issuer = p_issuer and i.subject = p_subject",
    ),
    (
        # Returns a row only to who knows the secret, as across_api_key does.
        "across_session",
        "p_id text, p_token_sha256 bytea",
        "setof sessions",
        "select * from sessions where id = p_id and token_sha256 = p_token_sha256",
    ),
    (
        "across_forget_sign_ins",
        "p_sessions_kept interval, p_failures_kept interval",
        "bigint",
        "with s as (delete from sessions where expires_at < clock_timestamp() - p_sessions_kept returning 1),"
        " o as (delete from oidc_requests where expires_at < clock_timestamp() returning 1),"
        " a as (delete from sign_in_attempts where last_at < clock_timestamp() - p_failures_kept returning 1)"
        " select (select count(*) from s) + (select count(*) from o) + (select count(*) from a)",
    ),
    (
        # Row-level security shows a user to the organisations that have it as a member; a new one has none yet.
        "across_create_user",
        "p_id text, p_kind text, p_email text, p_name text, p_password_hash text",
        "boolean",
        "with made as (insert into users (id, kind, email, name, password_hash, password_changed_at)"
        " values (p_id, p_kind, p_email, p_name, p_password_hash,"
        " case when p_password_hash is not null then clock_timestamp() end)"
        " on conflict (email) do nothing returning 1) select exists (select from made)",
    ),
    (
        "across_organisations_of",
        "p_user_id text",
        "table (id text, name text, role text)",
        "select o.id, o.name, m.role from memberships m join organisations o on o.id = m.org_id"
        " where m.user_id = p_user_id and m.removed_at is null order by m.created_at, m.org_id",
    ),
)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _at(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def upgrade() -> None:
    _people()
    _spending()
    _sessions()
    _invitations()
    for table, condition in OF_A_PERSON.items():
        protect_by(table, condition)
    protect("invitations", deletable=False)
    protect("member_usage_windows", deletable=False)
    for name, parameters, returns, body in FUNCTIONS:
        define_across(name, parameters, returns, body)


def _people() -> None:
    op.execute("update users set email = lower(email)")
    op.add_column("users", sa.Column("kind", sa.Text(), server_default="person", nullable=False))
    op.add_column("users", _text("password_hash", nullable=True))
    op.add_column("users", _at("password_changed_at"))
    op.alter_column("users", "email", nullable=True)
    op.create_check_constraint(op.f("ck_users_kind"), "users", "kind in ('person','service')")
    op.create_check_constraint(op.f("ck_users_address"), "users", "(kind = 'person') = (email is not null)")
    op.create_check_constraint(op.f("ck_users_password"), "users", "kind = 'person' or password_hash is null")
    op.add_column("memberships", sa.Column("monthly_limit_ucr", sa.BigInteger(), nullable=True))
    op.add_column("memberships", _at("removed_at"))
    op.create_check_constraint(op.f("ck_memberships_monthly_limit"), "memberships", "monthly_limit_ucr >= 0")


def _spending() -> None:
    op.add_column("credit_holds", _text("user_id", nullable=True))
    op.create_table(
        "member_usage_windows",
        _text("org_id"),
        _text("user_id"),
        _at("period_start", nullable=False),
        sa.Column("held_ucr", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("captured_ucr", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("held_ucr >= 0 and captured_ucr >= 0", name=op.f("ck_member_usage_windows_amounts")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisations.id"], name=op.f("fk_member_usage_windows_org_id_organisations")
        ),
        sa.PrimaryKeyConstraint("org_id", "user_id", "period_start", name=op.f("pk_member_usage_windows")),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        _text("id"),
        _text("user_id"),
        _text("current_org_id"),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        _text("method"),
        _text("ip_address", nullable=True),
        _text("user_agent", nullable=True),
        _now("created_at"),
        _now("last_seen_at"),
        _at("expires_at", nullable=False),
        _at("revoked_at"),
        sa.CheckConstraint("method in ('password','oidc')", name=op.f("ck_sessions_method")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "user_identities",
        _text("issuer"),
        _text("subject"),
        _text("user_id"),
        _now("created_at"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_identities_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_user_identities")),
    )
    op.create_index("ix_user_identities_user_id", "user_identities", ["user_id"])
    op.create_table(
        "oidc_requests",
        sa.Column("state_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("browser_sha256", sa.LargeBinary(), nullable=False),
        _text("nonce"),
        _text("code_verifier"),
        _text("return_to"),
        _text("invitation", nullable=True),
        _text("link_user_id", nullable=True),
        _now("created_at"),
        _at("expires_at", nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name=op.f("pk_oidc_requests")),
    )
    op.create_index("ix_oidc_requests_expires_at", "oidc_requests", ["expires_at"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("subject_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _now("last_at"),
        _at("blocked_until"),
        sa.PrimaryKeyConstraint("subject_sha256", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index("ix_sign_in_attempts_last_at", "sign_in_attempts", ["last_at"])


def _invitations() -> None:
    op.create_table(
        "invitations",
        _text("id"),
        _text("org_id"),
        _text("role"),
        _text("email", nullable=True),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        _text("invited_by"),
        _now("created_at"),
        _at("expires_at", nullable=False),
        _at("revoked_at"),
        _at("accepted_at"),
        _text("accepted_by", nullable=True),
        sa.CheckConstraint("role in ('owner','admin','member','viewer')", name=op.f("ck_invitations_role")),
        sa.CheckConstraint("(accepted_at is null) = (accepted_by is null)", name=op.f("ck_invitations_accepted")),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name=op.f("fk_invitations_org_id_organisations")),
        sa.ForeignKeyConstraint(
            ["org_id", "invited_by"],
            ["memberships.org_id", "memberships.user_id"],
            name=op.f("fk_invitations_org_id_invited_by_memberships"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_invitations_org_id_id")),
    )
    op.create_index("ix_invitations_org_id_created_at", "invitations", ["org_id", "created_at"])


def downgrade() -> None:
    for name, *_ in FUNCTIONS:
        op.execute(f"drop function {name}")
    for table in ("invitations", "sign_in_attempts", "oidc_requests", "user_identities", "sessions"):
        op.drop_table(table)
    op.drop_table("member_usage_windows")
    op.drop_column("credit_holds", "user_id")
    op.drop_column("memberships", "removed_at")
    op.drop_column("memberships", "monthly_limit_ucr")
    for name in ("ck_users_password", "ck_users_address", "ck_users_kind"):
        op.drop_constraint(op.f(name), "users")
    op.execute("update users set email = id || '@service.invalid' where email is null")
    op.alter_column("users", "email", nullable=False)
    for name in ("password_changed_at", "password_hash", "kind"):
        op.drop_column("users", name)
