"""Migrations on an empty database, and what the schema promises, read from PostgreSQL's catalogue."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infra.database import Database, plain_url
from infra.embedded.servers import APP_ROLE, OWNER_ROLE
from infra.embedded.supervisor import EmbeddedServers
from schema.states import RUN_TRANSITIONS, RunStatus
from schema.tables import metadata
from tests.integration.conftest import Org
from tests.support.ledger import assert_sound, run_in, step

EMPTY = "swissbrain_empty"

CONTRACT = {
    # specification 2.1
    *("runs", "tasks", "steps", "artifacts", "workspaces", "workspace_members", "billing_ledger", "credit_balances"),
    *("email_ingestions", "oauth_connectors", "audit_logs"),
    # referenced or needed there, and defined nowhere (D4)
    *("organisations", "users", "memberships", "agents", "api_keys", "credit_holds", "usage", "idempotency_keys"),
    *("run_events", "exports", "invoices"),
}
OF_A_PERSON = {"users", "sessions", "user_identities", "oidc_requests", "sign_in_attempts"}
NOT_OF_ONE_TENANT = OF_A_PERSON | {"organisations", "run_transitions", "alembic_version"}
APPEND_ONLY = {"billing_ledger", "audit_logs", "usage", "run_status_changes", "audit_archives"}
NEVER_DELETED = APPEND_ONLY | {
    "credit_balances",
    "credit_holds",
    "usage_windows",
    "member_usage_windows",
    "invitations",
    "audit_heads",
    "audit_checkpoints",
}
ONLY_READ = {"run_transitions", "alembic_version", "audit_logs", "audit_heads"}
"""Given by the migrations, or written by a function of the database alone."""


@pytest_asyncio.fixture
async def empty_database(servers: EmbeddedServers) -> AsyncIterator[str]:
    """An empty database beside the one that the other tests use; its URL as the owner."""
    stack = servers.stack
    superuser = await asyncpg.connect(stack.database_url("postgres", "postgres_superuser_password", "postgres"))
    try:
        await superuser.execute(f"DROP DATABASE IF EXISTS {EMPTY} WITH (FORCE)")
        await superuser.execute(f"CREATE DATABASE {EMPTY} OWNER {OWNER_ROLE}")
        inside = await asyncpg.connect(stack.database_url("postgres", "postgres_superuser_password", EMPTY))
        await inside.execute(f"ALTER SCHEMA public OWNER TO {OWNER_ROLE}")
        await inside.execute("CREATE EXTENSION vector")
        await inside.execute("CREATE EXTENSION pg_trgm")
        await inside.close()
        yield stack.database_url(OWNER_ROLE, "postgres_owner_password", EMPTY)
        await superuser.execute(f"DROP DATABASE {EMPTY} WITH (FORCE)")
    finally:
        await superuser.close()


async def alembic(servers: EmbeddedServers, url: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schema.migrations", *arguments),
        env={**servers.process_environment, "SWISSBRAIN_DATABASE_OWNER_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


SHAPE = """
select json_build_object(
  'columns', (select json_agg(format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
      order by table_name, column_name) from information_schema.columns where table_schema = 'public'),
  'constraints', (select json_agg(format('%s %s', conname, pg_get_constraintdef(oid)) order by conname, oid::text)
      from pg_constraint where connamespace = 'public'::regnamespace),
  'indexes', (select json_agg(indexdef order by indexname) from pg_indexes where schemaname = 'public'),
  'triggers', (select json_agg(pg_get_triggerdef(oid) order by tgname, tgrelid::regclass::text)
      from pg_trigger where not tgisinternal),
  'functions', (select json_agg(p.proname order by p.proname) from pg_proc p
      where p.pronamespace = 'public'::regnamespace
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')),
  'privileges', (select json_agg(format('%s %s %s', table_name, grantee, privilege_type)
      order by table_name, grantee, privilege_type) from information_schema.role_table_grants
      where table_schema = 'public' and grantee = 'swissbrain_app'))
"""


async def shape(url: str) -> dict[str, list[str] | None]:
    """Return what the database consists of."""
    connection = await asyncpg.connect(plain_url(url))
    try:
        found = json.loads(await connection.fetchval(SHAPE))
    finally:
        await connection.close()
    return {kind: sorted(rows) if rows else None for kind, rows in found.items()}


async def test_up_down_and_up_again_from_an_empty_database(servers: EmbeddedServers, empty_database: str) -> None:
    """D1 to D4: 11 of the 11 tables did not load."""
    await alembic(servers, empty_database, "upgrade", "head")
    first = await shape(empty_database)
    assert await shape(servers.stack.owner_url) == first
    await alembic(servers, empty_database, "downgrade", "base")
    below = await shape(empty_database)
    tables = {line.partition(".")[0] for line in below["columns"] or []}
    assert tables <= {"alembic_version"}
    assert (below["triggers"], below["functions"], below["privileges"]) == (None, None, None)
    await alembic(servers, empty_database, "upgrade", "head")
    assert await shape(empty_database) == first
    # The models say the same as the migrations.
    assert "No new upgrade operations detected" in await alembic(servers, empty_database, "check")
    # The tables of a later migration are the application's without grants of their own.
    connection = await asyncpg.connect(plain_url(empty_database))
    try:
        await connection.execute("create table later (id bigint)")
        query = "select privilege_type from information_schema.role_table_grants where table_name = 'later'"
        granted = {row[0] for row in await connection.fetch(f"{query} and grantee = $1", APP_ROLE)}
    finally:
        await connection.close()
    assert granted == {"SELECT", "INSERT", "UPDATE", "DELETE"}


async def test_every_model_constraint_is_in_the_database(owner_db: Database) -> None:
    """`alembic check` does not compare CHECK constraints."""
    expected = {
        (table.name, constraint.name)
        for table in metadata.sorted_tables
        for constraint in table.constraints
        if constraint.name is not None
    }
    query = "select conrelid::regclass::text, conname from pg_constraint where contype in ('c', 'f', 'u', 'p')"
    async with owner_db.transaction(None) as session:
        found = {tuple(row) for row in await session.execute(text(query))}
    assert {(table, str(name)) for table, name in expected} <= found


async def catalogue(owner_db: Database, query: str) -> list[tuple]:
    async with owner_db.transaction(None) as session:
        return [tuple(row) for row in await session.execute(text(query))]


TABLES = """select c.oid::regclass::text from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"""


async def test_every_table_of_the_contract_exists(owner_db: Database) -> None:
    tables = {row[0] for row in await catalogue(owner_db, TABLES)}
    assert tables >= CONTRACT
    assert tables == {table.name for table in metadata.sorted_tables} | {"alembic_version"}


async def test_every_row_names_its_organisation(owner_db: Database) -> None:
    """D18."""
    tables = {row[0] for row in await catalogue(owner_db, TABLES)}
    with_org = await catalogue(
        owner_db,
        "select table_name from information_schema.columns"
        " where table_schema = 'public' and column_name = 'org_id' and is_nullable = 'NO' and data_type = 'text'",
    )
    assert tables - {row[0] for row in with_org} == NOT_OF_ONE_TENANT


async def test_every_reference_between_tenants_rows_carries_the_organisation(owner_db: Database) -> None:
    """Row-level security does not see foreign keys: only a composite key keeps them within a tenant (finding 9)."""
    references = await catalogue(
        owner_db,
        """select conname, conrelid::regclass::text, confrelid::regclass::text,
             (select array_agg(attname::text order by n) from unnest(conkey) with ordinality k(num, n)
              join pg_attribute on attrelid = conrelid and attnum = k.num),
             (select array_agg(attname::text order by n) from unnest(confkey) with ordinality k(num, n)
              join pg_attribute on attrelid = confrelid and attnum = k.num)
           from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace""",
    )
    assert len(references) > 25
    for name, table, target, columns, target_columns in references:
        if target == "organisations":
            assert (columns, target_columns) == (["org_id"], ["id"]), name
        elif target == "users":
            assert columns == ["user_id"], name
            assert table in {"memberships", "runs"} | OF_A_PERSON, name
        else:
            assert (columns[0], target_columns[0]) == ("org_id", "org_id"), name
            assert len(columns) >= 2, name


async def test_ledger_usage_holds_and_audit_outlive_runs(owner_db: Database) -> None:
    """D14."""
    references = await catalogue(
        owner_db,
        "select conrelid::regclass::text from pg_constraint where contype = 'f' and confrelid = 'runs'::regclass",
    )
    assert not {row[0] for row in references} & {"billing_ledger", "usage", "credit_holds", "audit_logs", "invoices"}


async def test_every_time_has_a_zone_and_comes_from_the_database(owner_db: Database) -> None:
    """D16."""
    times = await catalogue(
        owner_db,
        "select table_name, column_name, data_type, column_default from information_schema.columns"
        " where table_schema = 'public' and (data_type ~ 'time|date' or column_name ~ '_at$')",
    )
    assert len(times) > 40
    for table, column, kind, default in times:
        assert kind == "timestamp with time zone", (table, column)
        if column in ("created_at", "updated_at", "added_at", "received_at"):
            assert default == "clock_timestamp()", (table, column)


async def test_amounts_are_integers(owner_db: Database) -> None:
    """D11."""
    columns = await catalogue(
        owner_db,
        "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'"
        " and (column_name ~ '_(ucr|pcr|minor|bytes|ms)$' or column_name ~ 'tokens')",
    )
    assert len(columns) > 20
    assert {kind for _, _, kind in columns} == {"bigint"}
    inexact = "select data_type from information_schema.columns where table_schema = 'public' and data_type ~ 'numeric'"
    assert await catalogue(owner_db, inexact) == []


async def test_no_constraint_or_index_stands_twice(owner_db: Database) -> None:
    """D25."""
    doubles = await catalogue(
        owner_db,
        """select indrelid::regclass::text, array_agg(indexrelid::regclass::text) from pg_index
           where indrelid::regclass::text !~ '^pg_'
           group by indrelid, indkey::text, coalesce(pg_get_expr(indpred, indrelid), '') having count(*) > 1""",
    )
    assert doubles == []


async def test_what_the_application_may_do(owner_db: Database, db: Database) -> None:
    privileges = await catalogue(
        owner_db,
        "select table_name, privilege_type from information_schema.role_table_grants"
        f" where table_schema = 'public' and grantee = '{APP_ROLE}'",
    )
    may: dict[str, set[str]] = {}
    for table, privilege in privileges:
        if table.startswith("audit_logs_"):  # A month.
            assert privilege == "SELECT", table
            continue
        may.setdefault(table, set()).add(privilege)
    for table, allowed in may.items():
        expected = {"SELECT", "INSERT", "UPDATE", "DELETE"}
        if table in APPEND_ONLY:
            expected -= {"UPDATE"}
        if table in NEVER_DELETED:
            expected -= {"DELETE"}
        if table in ONLY_READ:
            expected = {"SELECT"}
        assert allowed == expected, table
    assert set(may) == {row[0] for row in await catalogue(owner_db, TABLES)}
    async with db.transaction(None) as session:
        roles = "select rolsuper, rolcreatedb, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user"
        assert tuple((await session.execute(text(roles))).one()) == (False, False, False, False)
    for statement in (
        "create table own (id int)",
        "alter table billing_ledger disable trigger all",
        "drop trigger deny_change on billing_ledger",
        "drop table audit_logs",
        "insert into run_transitions values ('completed', 'running')",
        "set session_replication_role = replica",
    ):
        with pytest.raises(DBAPIError) as refused:
            async with db.transaction(None) as session:
                await session.execute(text(statement))
        assert getattr(refused.value.orig, "sqlstate", "") == "42501", statement


async def test_append_only_tables_refuse_their_owner_by_trigger(owner_db: Database) -> None:
    """Statements that touch rows of every organisation are tried in test_billing; here, that the triggers stand."""
    triggers = await catalogue(
        owner_db,
        "select tgrelid::regclass::text, tgname, tgenabled from pg_trigger where tgname ~ '^deny' and not tgisinternal",
    )
    # Each month of the audit log is a table of its own, with the same triggers.
    tables = {name for name, in await catalogue(owner_db, "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = 'audit_logs'::regclass")} | APPEND_ONLY | {"audit_checkpoints"}  # fmt: skip
    assert len(tables) > 12
    assert {(table, name) for table, name, _ in triggers} == {
        (table, name) for table in tables for name in ("deny_change", "deny_truncate")
    }
    assert {enabled for _, _, enabled in triggers} <= {"O", b"O"}


async def test_the_database_has_the_transition_table(owner_db: Database) -> None:
    rows = await catalogue(owner_db, "select from_status, to_status from run_transitions")
    assert set(rows) == {(a.value, b.value) for a, b in RUN_TRANSITIONS}


async def test_every_status_of_a_run_and_no_other_is_accepted(owner_db: Database) -> None:
    """D6: `banana` was a status."""
    [(rule,)] = await catalogue(
        owner_db, "select pg_get_constraintdef(oid) from pg_constraint where conname = 'ck_runs_status'"
    )
    assert all(f"'{status.value}'" in rule for status in RunStatus)
    assert rule.count("::text") >= len(RunStatus)


async def test_retention_deletes_a_run_with_its_history_and_leaves_its_money(
    db: Database, owner_db: Database, org: Org
) -> None:
    """D14: with foreign keys from the ledger the delete failed; a status history that denies deletes did the same."""
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, RunStatus.COMPLETED)
        kept = await run_in(session, org, RunStatus.CREATED)
    names = ("run_status_changes", "run_events", "artifacts", "billing_ledger", "credit_holds")
    counts = ", ".join(f"(select count(*) from {name} where run_id = :id)" for name in names)
    async with db.transaction(org.id) as session:
        await session.execute(text("delete from runs where id = :id"), {"id": run_id})
        assert tuple((await session.execute(text(f"select {counts}"), {"id": run_id})).one()) == (0, 0, 0, 2, 1)
        await step(session, org.id, kept, RunStatus.CANCELLED)
    await assert_sound(owner_db)
