"""The second wall between organisations: what PostgreSQL itself shows the application's role, whatever the query asks.

The first wall, that every store function filters by its organisation, is tried in test_tenancy_of_stores.
"""

import ast
import asyncio
import random
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from infra import check
from infra.database import Database, plain_url
from infra.embedded.servers import APP_ROLE
from infra.embedded.supervisor import EmbeddedServers
from infra.settings import Settings
from schema.ids import new_id
from schema.states import LIVE, RUN_TRANSITIONS, RunStatus
from schema.store import reconcile
from schema.store.direct import Statement
from tests.integration.conftest import Org, make_org
from tests.integration.test_migrations import EMPTY, alembic
from tests.integration.test_migrations import empty_database as empty_database
from tests.integration.test_tenancy_of_stores import furnish
from tests.support.ledger import run_in, seed

ROOT = Path(__file__).parents[2]

OF_A_PERSON = {
    **dict.fromkeys(("sessions", "user_identities"), "user_id"),
    **dict.fromkeys(("oidc_requests", "sign_in_attempts"), "proof"),
}
"""Which setting shows the rows that are a person's and no organisation's."""
WITHOUT_ORG_ID = {
    "organisations": "its id is the organisation",
    "users": "a person may be a member of several organisations; seen through a membership",
    "sessions": "a person's; seen by the person (app.user_id), found by its secret",
    "user_identities": "a person's; seen by the person",
    "oidc_requests": "seen by who knows the state (app.proof)",
    "sign_in_attempts": "seen by who knows the account or address (app.proof)",
    "run_transitions": "the same for every organisation; the application may only read it",
    "alembic_version": "the migrations' own; the application sees nothing of it",
}
"""Each has row-level security all the same."""

TABLES = """
    select c.relname::text as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
      pg_get_userbyid(c.relowner)::text as owner,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped)
        as has_org,
      array(select format('%s %s', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        from pg_policy p where p.polrelid = c.oid and p.polcmd = '*'
          and p.polroles = array['swissbrain_app'::regrole::oid]) as policies,
      (select count(*) from pg_policy p where p.polrelid = c.oid) as policy_count
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'f')
"""
"""Partitions included: a query of a partition does not pass its parent's policy."""


async def rows(url: str, query: str, *parameters: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(plain_url(url))
    try:
        return list(await connection.fetch(query, *parameters))
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def application_url(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


async def test_no_table_escapes(settings: Settings) -> None:
    tables = await rows(settings.owner_url, TABLES)
    assert len(tables) > 30
    assert {table["name"] for table in tables if not table["has_org"]} == set(WITHOUT_ORG_ID)
    setting = "NULLIF(current_setting('app.org_id'::text, true), ''::text)"
    for table in tables:
        assert table["enabled"], table["name"]
        if table["name"] == "alembic_version":
            assert table["policy_count"] == 0
            continue
        assert table["forced"], table["name"]
        # A second policy would widen the first.
        assert (len(table["policies"]), table["policy_count"]) == (1, 1), table["name"]
        name = OF_A_PERSON.get(table["name"], "org_id")
        assert setting.replace("org_id", name) in table["policies"][0], table["name"]
        if table["has_org"]:
            condition = f'(org_id = ( SELECT {setting} AS "nullif"))'
            assert table["policies"] == [f"{condition} {condition}"], table["name"]


async def test_no_view_or_function_escapes(settings: Settings) -> None:
    views = await rows(
        settings.owner_url,
        "select relname::text, relkind::text, reloptions from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')",
    )
    for view in views:
        assert view["relkind"] == "v", f"{view['relname']}: no policy binds a materialised view"
        assert {"security_invoker=true", "security_invoker=on"} & set(view["reloptions"] or ()), view["relname"]
    functions = await rows(
        settings.owner_url,
        """select p.proname::text as name, p.proconfig as config,
             p.prosrc as source, p.proowner = to_regrole('swissbrain_owner') as owned,
             has_function_privilege('public', p.oid, 'execute') as public
           from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef
             and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')""",
    )
    assert functions
    for function in functions:
        assert function["name"].startswith(("across_", "within_")), function["name"]
        if function["name"].startswith("within_"):
            assert "org_id = (select nullif(current_setting('app.org_id', true), ''))" in function["source"]
        assert function["config"] == ["search_path=public, pg_temp"], function["name"]
        assert (function["owned"], function["public"]) == (True, False), function["name"]


async def test_the_application_role_passes_no_policy(application_url: str, settings: Settings) -> None:
    [role] = await rows(
        settings.owner_url,
        "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication from pg_roles where rolname = $1",
        APP_ROLE,
    )
    assert not any(role)
    owned = "select count(*) from pg_shdepend where refobjid = $1::regrole and deptype = 'o'"
    assert [row[0] for row in await rows(settings.owner_url, owned, APP_ROLE)] == [0]
    member = "select rolname::text from pg_roles where rolname <> $1 and pg_has_role($1, oid, 'member')"
    assert await rows(settings.owner_url, member, APP_ROLE) == []
    for statement in (
        "set role swissbrain_owner",
        "alter table runs disable row level security",
        "drop policy tenant on runs",
        "create policy mine on runs using (true)",
        "alter role swissbrain_app bypassrls",
        "truncate runs cascade",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rows(application_url, statement)


COLUMNS = """
    select a.attrelid::regclass::text as table, a.attname::text as name, a.atttypid::regtype::text as type
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
      and (not a.atthasdef or a.attname = 'org_id')
    order by 1, a.attnum
"""
VALUES = {
    **dict.fromkeys(("bigint", "integer", "smallint", "numeric", "double precision", "real"), "1"),
    "boolean": "false",
    "timestamp with time zone": "now()",
    "date": "now()",
    "jsonb": "'{{}}'",
    "json": "'{{}}'",
    "bytea": "'{}'",
    "inet": "'127.0.0.1'",
    "vector": "'[1]'",
    "tsvector": "''",
    "text[]": "'{{}}'",
    "text": "'{}'",
    "interval": "'1 s'",
}
"""A value of each type; `{}` stands for something of the organisation's own."""


async def fill(url: str, *organisations: str) -> None:
    """Give each organisation a row in every table, by what the catalogue says of its columns.

    Other constraints than NOT NULL and UNIQUE are dropped: a row of a future table must need no line here.
    """
    owner = await asyncpg.connect(plain_url(url))
    try:
        for table, constraint in await owner.fetch(
            "select conrelid::regclass::text, conname from pg_constraint where contype in ('c', 'f')"
            " and connamespace = 'public'::regnamespace and conparentid = 0 and coninhcount = 0"
        ):
            await owner.execute(f'alter table {table} drop constraint "{constraint}"')
        columns: dict[str, list[asyncpg.Record]] = {}
        for column in await owner.fetch(COLUMNS):
            columns.setdefault(column["table"], []).append(column)
        for table in set(columns) - {"run_transitions", "alembic_version"}:
            await owner.execute(f"alter table {table} disable trigger user")
            for organisation in organisations:
                values = {column["name"]: VALUES[column["type"]].format(organisation) for column in columns[table]}
                names = ", ".join(f'"{name}"' for name in values)
                await owner.execute(f"insert into {table} ({names}) values ({', '.join(values.values())})")
    finally:
        await owner.close()


async def test_without_an_organisation_there_are_no_rows(servers: EmbeddedServers, empty_database: str) -> None:
    """The rule of the issue: a direct SQL session as the application, no organisation set, every table."""
    await alembic(servers, empty_database, "upgrade", "head")
    organisations = ("org_a", "org_b")
    await fill(empty_database, *organisations)
    stack = servers.stack
    superuser = await asyncpg.connect(stack.database_url("postgres", "postgres_superuser_password", EMPTY))
    application = await asyncpg.connect(stack.database_url(APP_ROLE, "postgres_app_password", EMPTY))
    tables = [row["name"] for row in await superuser.fetch(TABLES)]
    partitioned = [row[0] for row in await superuser.fetch(EMPTY_BY_DESIGN)]
    try:
        for table in tables:
            there = await superuser.fetchval(f'select count(*) from "{table}"')
            assert there > 0 or table in partitioned, f"{table}: 0 rows of nothing would prove nothing"
            assert await application.fetchval(f'select count(*) from "{table}"') == 0, table
        for organisation in ("", "org_nobody", "' or true --"):
            async with application.transaction():
                await application.execute("select set_config('app.org_id', $1, true)", organisation)
                for table in set(tables) - {"run_transitions"}:
                    assert await application.fetchval(f'select count(*) from "{table}"') == 0, (table, organisation)
        for mine in organisations:
            async with application.transaction():
                await application.execute("select set_config('app.org_id', $1, true)", mine)
                for table in set(tables) - set(WITHOUT_ORG_ID) - set(partitioned):
                    seen = await application.fetch(f'select distinct org_id from "{table}"')
                    assert [row[0] for row in seen] == [mine], table
                for table in ("organisations", "users"):
                    assert [row[0] for row in await application.fetch(f"select id from {table}")] == [mine], table
                assert await application.fetchval("select count(*) from run_transitions") == len(RUN_TRANSITIONS)
                assert await application.fetchval("select count(*) from alembic_version") == 0
        # It ended with its transaction.
        assert await application.fetchval("select count(*) from runs") == 0
    finally:
        await application.close()
        await superuser.close()


async def test_a_database_with_rows_goes_up_and_down(servers: EmbeddedServers, empty_database: str) -> None:
    await alembic(servers, empty_database, "upgrade", "0004")
    for statement in (
        "insert into organisations (id, name, fairness_weight, runs_live_max) values ('org_old', 'x', 1, 1)",
        "insert into users (id, email, name) values ('usr_old', 'old@test.invalid', '')",
        "insert into memberships (org_id, user_id, role) values ('org_old', 'usr_old', 'owner')",
    ):
        await rows(empty_database, statement)
    application = servers.stack.database_url(APP_ROLE, "postgres_app_password", EMPTY)
    count = "select (select count(*) from memberships) + (select count(*) from users)"
    for revision, seen in (("head", 0), ("0004", 2)):
        await alembic(servers, empty_database, "upgrade" if revision == "head" else "downgrade", revision)
        assert [row[0] for row in await rows(application, count)] == [seen]
        assert [row[0] for row in await rows(empty_database, count)] == [2]


EMPTY_BY_DESIGN = "select relname::text from pg_class where relispartition"
"""Partitions of other months hold nothing; test_no_table_escapes reads their policies."""


async def test_rows_of_another_cannot_be_written(
    db: Database, owner_db: Database, org: Org, application_url: str
) -> None:
    other = await make_org(owner_db)
    theirs = await furnish(db, other)
    application = await asyncpg.connect(plain_url(application_url))
    insert = "insert into snapshots (org_id, sha256, object_key, size_bytes) values ($1, $2, 'k', 1)"
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await application.execute(insert, org.id, "aa" * 32)
        transaction = application.transaction()
        await transaction.start()
        await application.execute("select set_config('app.org_id', $1, true)", org.id)
        for statement, *parameters in (
            (insert, other.id, "aa" * 32),
            (f"{insert} on conflict (org_id, sha256) do update set object_key = 'mine'", other.id, "ab" * 32),
            ("insert into organisations (id, name, fairness_weight, runs_live_max) values ('org_x', 'x', 1, 1)",),
            ("insert into users (id, email, name) values ('usr_x', 'x@test.invalid', '')",),
            ("insert into memberships (org_id, user_id, role) values ($1, $2, 'owner')", other.id, org.owner_id),
            ("update memberships set org_id = $1", other.id),
            ("update credit_balances set org_id = $1", other.id),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                async with application.transaction():
                    await application.execute(statement, *parameters)
        for statement in (
            f"update runs set name = 'mine' where id = '{theirs.running}'",
            f"delete from documents where id = '{theirs.document}'",
            f"delete from organisations where id = '{other.id}'",
            f"update users set email = 'mine' where id = '{other.owner_id}'",
        ):
            assert (await application.execute(statement)).endswith(" 0"), statement
        # A composite key: row-level security alone does not see the reference.
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await application.execute(
                "insert into exports (id, org_id, run_id, format, options, status)"
                " values ($1, $2, $3, 'pdf', '{}', 'processing')",
                *(new_id("x"), org.id, theirs.running),
            )
        await transaction.rollback()
    finally:
        await application.close()


async def test_two_organisations_on_two_connections_never_meet(
    owner_db: Database, org: Org, application_url: str
) -> None:
    """Interleaved through one pool, some rolled back or cancelled in the middle: each sees its own rows only."""
    other = await make_org(owner_db)
    chance = random.Random(seed())
    pool = Database(application_url, pool_size=2, pool_overflow=0, pool_timeout_s=60)
    everything = text("select org_id from credit_balances union all select id from organisations")
    directly = Statement("select string_agg(distinct org_id, ' ') as seen, count(*) as n from credit_balances")
    plan = [(chance.choice((org.id, other.id, None)), chance.random(), chance.random() / 500) for _ in range(400)]

    async def request(org_id: str | None, kind: float, pause_s: float) -> int:
        if org_id is not None and kind < 0.4:
            async with pool.direct(org_id) as connection:
                await asyncio.sleep(pause_s)
                row = await directly.row(connection, {})
                assert (row["seen"], row["n"]) == (org_id, 1)
            return 1
        try:
            async with asyncio.timeout(pause_s if kind > 0.95 else None), pool.transaction(org_id) as session:
                for _ in range(2):
                    seen = [row[0] for row in await session.execute(everything)]
                    assert seen == ([org_id] * 2 if org_id else []), (org_id, seen)
                    await asyncio.sleep(pause_s)
                if kind > 0.85:
                    raise ZeroDivisionError
        except (ZeroDivisionError, TimeoutError):
            return 0
        return 1

    async with asyncio.timeout(60):
        done = sum(await asyncio.gather(*(request(*each) for each in plan)))
    assert done > 250
    async with pool.transaction(None) as first, pool.transaction(None) as second:
        for session in (first, second):
            assert (await session.execute(everything)).all() == []
    await pool.close()


async def test_an_opening_that_is_given_up_lets_the_next_in(application_url: str) -> None:
    """Nobody waits for a connection that no longer opens: a pool's time-out is for connections that are in use."""
    pool = Database(application_url, pool_size=1, pool_overflow=0, pool_timeout_s=60)

    async def request() -> None:
        async with pool.transaction(None):
            pass

    opening, waiting = asyncio.create_task(request()), asyncio.create_task(request())
    await asyncio.sleep(0.001)
    opening.cancel()
    async with asyncio.timeout(20):
        await waiting
    assert opening.cancelled()
    await pool.close()


async def test_what_looks_past_it_returns_marks_of_every_organisation(
    db: Database, owner_db: Database, org: Org
) -> None:
    """The list of live statuses stands in the function's text, as in the index that serves it."""
    other = await make_org(owner_db)
    marks: dict[str, tuple[str, str]] = {}
    for each in (org, other):
        async with db.transaction(each.id) as session:
            for status in (RunStatus.CREATED, RunStatus.COMPLETED, *sorted(LIVE)):
                marks[await run_in(session, each, status)] = (each.id, status.value)
    async with db.transaction(None) as session:
        age = timedelta(0)
        live = await reconcile.live_runs(session, unchanged_for=age, limit=100_000)
        unstarted = await reconcile.unstarted_runs(session, older_than=age, limit=100_000)
    for found, statuses in ((live, {status.value for status in LIVE}), (unstarted, {"created"})):
        ours = {mark.id: (mark.org_id, mark.status) for mark in found if mark.id in marks}
        assert ours == {run_id: mark for run_id, mark in marks.items() if mark[1] in statuses}


def test_a_check_that_would_see_nothing_says_so(application_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="owner"):
        check.main(["--database-url", application_url])


MAY_BELONG_TO_NOBODY = {
    *("api/auth.py", "api/routes/sign_in.py", "api/routes/oidc.py", "api/routes/sessions.py"),
    *("activities/reconcile/activities.py", "infra/check.py", "infra/evidence.py", "activities/audit/activities.py"),
    *("activities/retention/activities.py", "infra/key_rotation.py", "infra/ledger.py"),
    "infra/embedded/backup.py",
}
"""Who may open a transaction of no organisation: who proves a key or a person, the reconciler, `swissbrain check`, the
upkeep of the audit log, retention, the operator's rotation of keys, rebuilding of balances
and backup."""
MAY_LOOK_PAST = {
    f"schema/store/{name}.py"
    for name in (
        *("api_keys", "chain", "erasures", "members", "oidc", "reconcile", "retention", "sessions", "sign_in", "users"),
    )
}
"""Which stores call the functions `across_...` that row-level security does not bind."""


def test_who_may_look_past_it() -> None:
    nobody, past = set(), set()
    for folder in ("api", "activities", "infra", "schema/store", "client", "workflows", "worker.py"):
        path = ROOT / folder
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = file.relative_to(ROOT).as_posix()
            source = file.read_text(encoding="utf-8")
            if not any(word in source for word in ("across_", "transaction(", "direct(")):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "across_" in node.value:
                    past.add(name)
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("transaction", "direct")
                    and not (name == "infra/database.py" and not node.args)
                    and (not node.args or isinstance(node.args[0], ast.Constant))
                ):
                    nobody.add(name)
    assert nobody == MAY_BELONG_TO_NOBODY
    assert past == MAY_LOOK_PAST
