"""Row-level security on every table, and the few functions that look past it (docs/decisions/0012).

Takes an exclusive lock on each table for a moment; no row is read or rewritten.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

from schema.migrations.tenancy import APP_ROLE, ORGANISATION, define_across, define_within, protect, protect_by, unprotect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TENANT = (
    *("agents", "api_keys", "artifacts", "claims", "dead_letters", "document_passages", "documents"),
    *("domain_reputations", "email_ingestions", "exports", "idempotency_keys", "invoices", "memberships"),
    *("oauth_connectors", "run_events", "run_forms", "runs", "snapshots", "sources", "steps", "table_rows"),
    *("tasks", "workspace_members", "workspaces"),
)
KEPT = ("audit_heads", "credit_balances", "credit_holds", "usage_windows")
"""Rows that the application changes and never deletes."""
APPEND_ONLY = ("audit_logs", "billing_ledger", "run_status_changes", "usage")

MEMBER = f"exists (select from memberships where memberships.user_id = users.id and memberships.org_id = {ORGANISATION})"
LIVE = "'pending','running','paused','resuming','retrying'"
"""As constants, so that ix_runs_live serves."""

RUN_MARK = "table (org_id text, id text, attempt int, seq bigint, status text, updated_at timestamptz)"

FUNCTIONS = (
    (
        # Returns a row only to who knows the secret: the application cannot list keys with it.
        "across_api_key",
        "p_id text, p_secret_sha256 bytea",
        "setof api_keys",
        "select * from api_keys where id = p_id and secret_sha256 = p_secret_sha256 and revoked_at is null"
        " and (expires_at is null or expires_at > clock_timestamp())",
    ),
    (
        # In random order: a healthy run that is paused for weeks stays in this list, and in any fixed order p_limit of
        # them would hide every other run for ever.
        "across_live_runs",
        "p_unchanged_for interval, p_limit int",
        RUN_MARK,
        f"select org_id, id, attempt, seq, status, updated_at from runs where status in ({LIVE})"
        " and updated_at < clock_timestamp() - p_unchanged_for order by random() limit p_limit",
    ),
    (
        "across_unstarted_runs",
        "p_older_than interval, p_limit int",
        RUN_MARK,
        "select org_id, id, attempt, seq, status, updated_at from runs where status = 'created'"
        " and created_at < clock_timestamp() - p_older_than order by created_at limit p_limit",
    ),
    (
        "across_processing_documents",
        "p_older_than interval, p_limit int",
        "table (org_id text, id text)",
        "select org_id, id from documents where status = 'processing' and deleted_at is null"
        " and created_at < clock_timestamp() - p_older_than order by created_at limit p_limit",
    ),
    (
        "across_expired_holds",
        "p_grace interval, p_limit int",
        "table (org_id text, id text, run_id text, attempt int)",
        "select org_id, id, run_id, attempt from credit_holds where state = 'open'"
        " and expires_at < clock_timestamp() - p_grace order by expires_at limit p_limit",
    ),
    (
        "across_forget_answers",
        "p_older_than interval",
        "bigint",
        "with gone as (delete from idempotency_keys where created_at < clock_timestamp() - p_older_than returning 1)"
        " select count(*) from gone",
    ),
)

# Takes the organisation too, as every query does: the first wall stands beside the second.
PASSAGES_MATCHING = (
    "within_passages_matching",
    "p_org_id text, p_document_id text, p_any_term tsquery",
    "table (document_id text, number int, terms tsvector)",
    "select passage.document_id, passage.number, passage.terms from document_passages passage"
    f" where passage.org_id = p_org_id and passage.org_id = {ORGANISATION}"
    " and (p_document_id is null or passage.document_id = p_document_id) and passage.terms @@ p_any_term",
)

ROLES_ARE_APART = f"""
do $$ begin
  if not (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) then
    raise exception 'the owner % is bound by row-level security', current_user
      using hint = format('As a superuser: ALTER ROLE %I BYPASSRLS', current_user);
  end if;
  if (select rolsuper or rolbypassrls from pg_roles where rolname = '{APP_ROLE}')
    or pg_has_role('{APP_ROLE}', current_user, 'MEMBER')
  then
    raise exception 'the role {APP_ROLE} passes row-level security'
      using hint = 'As a superuser: ALTER ROLE {APP_ROLE} NOSUPERUSER NOBYPASSRLS, and revoke the owner''s role from it';
  end if;
end $$
"""


def upgrade() -> None:
    op.execute(ROLES_ARE_APART)
    for table in TENANT:
        protect(table)
    for table in KEPT:
        protect(table, deletable=False)
    for table in APPEND_ONLY:
        protect(table, append_only=True)
    protect("organisations", column="id")
    protect_by("users", MEMBER)
    # The same for every organisation, and for nobody without one.
    protect_by("run_transitions", f"{ORGANISATION} is not null", privileges="select")
    # No policy: the application sees nothing, the owner (not forced) everything.
    op.execute("alter table alembic_version enable row level security")
    for name, parameters, returns, body in FUNCTIONS:
        define_across(name, parameters, returns, body)
    define_within(*PASSAGES_MATCHING)


def downgrade() -> None:
    for name, *_ in (*FUNCTIONS, PASSAGES_MATCHING):
        op.execute(f"drop function {name}")
    op.execute("alter table alembic_version disable row level security")
    for table in (*TENANT, *KEPT, *APPEND_ONLY, "organisations", "users", "run_transitions"):
        unprotect(table)
