"""Row-level security for a migration: what every table of tenants gets, and the functions that may look past it.

A migration that makes a table with `org_id` calls `protect` on it, in `upgrade`; dropping the table drops the rest.
Migrations that have run have run: what these functions do to a table must not change, add another one instead.
See docs/decisions/0012-row-level-security.md.
"""

from alembic import op

APP_ROLE = "swissbrain_app"
"""The role of API and workers: owns nothing, and passes no policy."""
ORGANISATION = "(select nullif(current_setting('app.org_id', true), ''))"
"""The transaction's organisation, NULL where none is set; read once a statement, and fit for an index."""
POLICY = "tenant"


def protect(table: str, *, column: str = "org_id", append_only: bool = False, deletable: bool = True) -> None:
    """Let the application see and write only those rows of `table` whose `column` names the transaction's organisation.

    Enables and forces row-level security, adds the policy, and grants what the application may do. Each partition of
    a partitioned table needs it too: a query of the partition itself does not pass the parent's policy.

    Args:
        append_only: the application may insert and read; the triggers that deny a change are 0002's `deny_change`.
        deletable: False keeps DELETE from the application.
    """
    for statement in protection(table, column=column, append_only=append_only, deletable=deletable):
        op.execute(statement)


def protect_by(table: str, condition: str, *, privileges: str = "select, insert, update, delete") -> None:
    """Do as `protect` does for a table without `org_id`: the application sees and writes rows that meet `condition`."""
    for statement in _protection(table, condition, privileges):
        op.execute(statement)


def unprotect(table: str) -> None:
    """Undo `protect` for a table that stays; privileges stay too."""
    op.execute(f"drop policy {POLICY} on {table}")
    op.execute(f"alter table {table} no force row level security")
    op.execute(f"alter table {table} disable row level security")


def protection(table: str, *, column: str = "org_id", append_only: bool = False, deletable: bool = True) -> list[str]:
    """Return the statements of `protect`, for tables that are made elsewhere, such as next month's partition."""
    privileges = "select, insert"
    if not append_only:
        privileges += ", update, delete" if deletable else ", update"
    return _protection(table, f"{column} = {ORGANISATION}", privileges)


def _protection(table: str, condition: str, privileges: str) -> list[str]:
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy {POLICY} on {table} to {APP_ROLE} using ({condition}) with check ({condition})",
        # The default privileges of 0002 have given more.
        f"revoke all on {table} from {APP_ROLE}",
        f"grant {privileges} on {table} to {APP_ROLE}",
    ]


def define_across(name: str, parameters: str, returns: str, body: str, *, language: str = "sql") -> None:
    """Make a function that the application may call and that row-level security does not bind (SECURITY DEFINER).

    For the few acts that begin before an organisation is known. Returns as little as its caller needs: an organisation
    and ids, never content, unless the caller proves that it is theirs. It runs as the tables' owner, with a search
    path that no caller can change, and only the application may call it.

    Args:
        name: must begin with `across_`; a test reads who calls it.
        parameters: `p_id text, p_limit int`; without defaults.
    """
    if not name.startswith("across_"):
        raise ValueError(f"{name} must begin with across_: tests find what looks past row-level security by it")
    _define(name, parameters, returns, body, language=language)


def define_within(name: str, parameters: str, returns: str, body: str) -> None:
    """Make a function that keeps to the transaction's organisation by its own text, for the sake of an index.

    Below a policy PostgreSQL does not use an index for an operator that is not marked leakproof: full text (`@@`),
    trigrams, JSON. Such a search, run as the tables' owner, does.

    Args:
        name: must begin with `within_`.
        body: must compare `org_id` with ORGANISATION.
    """
    if not name.startswith("within_") or ORGANISATION not in body:
        raise ValueError(f"{name} must begin with within_, and name the transaction's organisation")
    _define(name, parameters, returns, body)


def _define(name: str, parameters: str, returns: str, body: str, *, language: str = "sql") -> None:
    op.execute(
        f"create function {name}({parameters}) returns {returns} language {language} security definer"
        f" set search_path = public, pg_temp as $body$ {body} $body$"
    )
    types = ", ".join(parameter.split(maxsplit=1)[1] for parameter in parameters.split(",") if parameter.strip())
    op.execute(f"revoke all on function {name}({types}) from public")
    op.execute(f"grant execute on function {name}({types}) to {APP_ROLE}")
