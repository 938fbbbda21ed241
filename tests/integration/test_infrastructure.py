"""The clients on the real servers: transactions, objects, wake-ups, readiness; and what they raise without them."""

import asyncio
import time
import urllib.request
from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.client import Client

from infra.database import Database, driver_of
from infra.health import is_ready, readiness
from infra.live import Live
from infra.objects import ObjectStore, content_disposition
from infra.settings import Settings
from infra.temporal import connect
from schema.contracts.common import ObjectRef
from schema.errors import Conflict, InvariantViolated, NotFound, OrchestratorUnavailable, StorageUnavailable
from schema.store.direct import Statement

NOWHERE = "127.0.0.1:1"


async def test_transaction_commits_and_carries_its_organisation(db: Database) -> None:
    async with db.transaction("org_1") as session:
        assert await session.scalar(text("SELECT current_setting('app.org_id')")) == "org_1"
    async with db.transaction(None) as session:
        assert await session.scalar(text("SELECT current_setting('app.org_id')")) == ""


async def test_the_driver_below_a_session_is_in_its_transaction(db: Database) -> None:
    async with db.transaction("org_1") as session:
        driver = await driver_of(session)
        assert driver.is_in_transaction()
        assert await driver.fetchval("select current_setting('app.org_id')") == "org_1"


async def test_transaction_rolls_back(owner_db: Database) -> None:
    async with owner_db.transaction(None) as session:
        await session.execute(text("CREATE TABLE IF NOT EXISTS test_rollback (n int)"))
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is rolled back.
        async with owner_db.transaction(None) as session:
            await session.execute(text("INSERT INTO test_rollback VALUES (1)"))
            raise ZeroDivisionError
    async with owner_db.transaction(None) as session:
        assert await session.scalar(text("SELECT count(*) FROM test_rollback")) == 0
        await session.execute(text("DROP TABLE test_rollback"))


async def test_the_application_may_not_define_or_pass(db: Database) -> None:
    async with db.transaction(None) as session:
        row = (
            await session.execute(
                text(
                    "SELECT rolsuper, rolbypassrls, rolcreatedb, has_schema_privilege(current_user, 'public', 'CREATE')"
                    " FROM pg_roles WHERE rolname = current_user"
                )
            )
        ).one()
    assert tuple(row) == (False, False, False, False)


async def test_an_error_of_the_block_passes_through(db: Database) -> None:
    """The block may do more than SQL: its own OSError says nothing about the database."""
    for error in (OSError("of the block"), TimeoutError("of the block"), ConnectionResetError("of the block")):
        with pytest.raises(type(error), match="of the block"):
            async with db.transaction(None):
                raise error


async def test_database_away() -> None:
    away = Database(f"postgresql://nobody:x@{NOWHERE}/none")
    with pytest.raises(StorageUnavailable):
        await away.ping()
    with pytest.raises(StorageUnavailable):
        async with away.transaction(None):
            raise AssertionError("unreachable")
    await away.close()


async def test_ended_connection_and_busy_pool_are_unavailable(settings: Settings) -> None:
    single = Database(settings.database_url.get_secret_value(), pool_size=1, pool_overflow=0, pool_timeout_s=0.2)
    with pytest.raises(StorageUnavailable):  # noqa: PT012 - the transaction is what fails.
        async with single.transaction(None) as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            with pytest.raises(StorageUnavailable, match="busy"):
                await single.ping()
            await _terminate(settings, pid)
            await session.execute(text("SELECT 1"))
    await single.ping()
    await single.close()


async def test_connections_lost_while_idle_are_not_handed_out(settings: Settings) -> None:
    """A restarted server costs no request: the pool notices, without asking the server at every checkout."""
    pool = Database(settings.database_url.get_secret_value(), pool_size=2, pool_overflow=0)
    async with pool.transaction(None) as first, pool.transaction(None) as second:
        pids = [await session.scalar(text("SELECT pg_backend_pid()")) for session in (first, second)]
    for pid in pids:
        await _terminate(settings, pid)
    for _ in pids:
        async with pool.transaction(None) as session:
            assert await session.scalar(text("SELECT pg_backend_pid()")) not in pids
    await pool.close()


async def test_direct_transactions_end_as_the_others_do(settings: Settings, owner_db: Database) -> None:
    """Committed at the end, rolled back by an exception, cut off by the server: as one of SQLAlchemy's."""
    single = Database(settings.database_url.get_secret_value(), pool_size=1, pool_overflow=0, pool_timeout_s=0.2)
    async with owner_db.transaction(None) as session:
        await session.execute(text("CREATE TABLE test_direct (org text)"))
        await session.execute(text("GRANT ALL ON test_direct TO swissbrain_app"))
    insert = Statement("INSERT INTO test_direct SELECT current_setting('app.org_id', true) RETURNING org")
    count = Statement("SELECT count(*) AS n, pg_backend_pid() AS pid FROM test_direct")
    async with single.direct("o'; select '1") as connection:
        assert (await insert.row(connection, {}))["org"] == "o'; select '1"
        with pytest.raises(StorageUnavailable):
            async with single.direct("org_2"):
                raise AssertionError("unreachable")
    with pytest.raises(OSError, match="of the block"):  # noqa: PT012 - the transaction is what fails.
        async with single.direct("org_2") as connection:
            await insert.row(connection, {})
            raise OSError("of the block")
    with pytest.raises(StorageUnavailable):  # noqa: PT012 - the transaction is what fails.
        async with single.direct("org_2") as connection:
            await insert.row(connection, {})
            await _terminate(settings, (await count.row(connection, {}))["pid"])
            await insert.row(connection, {})
    async with single.direct("org_2") as connection:
        before = await count.row(connection, {})
    await _terminate(settings, before["pid"])
    async with single.direct("org_2") as connection:
        after = await count.row(connection, {})
    assert (before["n"], after["n"]) == (1, 1)
    async with owner_db.transaction(None) as session:
        await session.execute(text("DROP TABLE test_direct"))
    await single.close()


async def test_an_organisation_ends_with_its_transaction(settings: Settings) -> None:
    """Whatever the organisation is called, and whoever uses the connection next."""
    single = Database(settings.database_url.get_secret_value(), pool_size=1, pool_overflow=0)
    setting = text("SELECT current_setting('app.org_id', true)")
    for org_id in ("org_1", "o'; select '1", "back\\slash", None, "org_2"):
        async with single.transaction(org_id) as session:
            assert await session.scalar(setting) == (org_id or "")
    async with single.engine.connect() as connection:
        assert await connection.scalar(setting) == ""
    await single.close()


async def _terminate(settings: Settings, pid: int) -> None:
    # A role may end its own sessions.
    other = Database(settings.database_url.get_secret_value(), pool_size=1)
    async with other.transaction(None) as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await other.close()


async def test_deadlock_asks_to_try_again(owner_db: Database) -> None:
    async def both(first: int, second: int, ready: asyncio.Barrier) -> None:
        async with owner_db.transaction(None) as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": first})
            await ready.wait()
            await session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": second})

    barrier = asyncio.Barrier(2)
    ends = await asyncio.gather(both(71, 72, barrier), both(72, 71, barrier), return_exceptions=True)
    (loser,) = [end for end in ends if end is not None]
    assert isinstance(loser, StorageUnavailable)
    assert loser.facts == {"sqlstate": "40P01"}


async def test_object_round_trip(objects: ObjectStore) -> None:
    data = b"content" * 100_000
    ref = await objects.put("test/round-trip", data, "text/plain")
    assert await objects.get(ref) == data
    assert b"".join([chunk async for chunk in objects.stream(ref)]) == data
    assert await objects.exists(ref.key)
    assert await objects.put("test/round-trip", data, "text/plain") == ref


async def test_an_object_is_never_overwritten(objects: ObjectStore) -> None:
    ref = await objects.put("test/once", b"first")
    with pytest.raises(Conflict):
        await objects.put("test/once", b"second")
    assert await objects.get(ref) == b"first"


async def test_missing_and_foreign_objects(objects: ObjectStore) -> None:
    gone = ObjectRef(key="test/never", sha256="0" * 64, size_bytes=1)
    assert not await objects.exists(gone.key)
    with pytest.raises(NotFound):
        await objects.get(gone)
    with pytest.raises(NotFound):
        [chunk async for chunk in objects.stream(gone)]
    await objects.delete(gone.key)
    ref = await objects.put("test/other", b"other")
    with pytest.raises(InvariantViolated):
        await objects.get(ref.model_copy(update={"sha256": "0" * 64}))
    await objects.delete(ref.key)
    assert not await objects.exists(ref.key)


async def test_presigned_link_downloads_under_its_name(objects: ObjectStore) -> None:
    ref = await objects.put("test/presigned", b"deck")
    url = await objects.presign_get(
        ref.key, filename='Zürich "deck".pptx', content_type="application/x-deck", expires=timedelta(minutes=1)
    )

    def download() -> tuple[bytes, str, str]:
        with urllib.request.urlopen(url) as answer:
            return answer.read(), answer.headers["Content-Type"], answer.headers["Content-Disposition"]

    assert await asyncio.to_thread(download) == (
        b"deck",
        "application/x-deck",
        content_disposition('Zürich "deck".pptx'),
    )


async def test_object_store_away() -> None:
    away = ObjectStore(f"http://{NOWHERE}", access_key="a", secret_key="b", bucket="none")
    ref = ObjectRef(key="k", sha256="0" * 64, size_bytes=1)
    for act in (away.ping, away.ensure_bucket, lambda: away.get(ref), lambda: away.put("k", b"")):
        with pytest.raises(StorageUnavailable):
            await act()
    await away.close()


async def test_wake_up(settings: Settings) -> None:
    live = Live(settings.redis_url.get_secret_value())
    async with live.subscribe("run_1") as wakes:
        assert await wakes.wait(0.1), "the first round needs no wake-up"
        assert await wakes.wait(5), "listening has begun"
        await live.publish("run_2")
        assert not await wakes.wait(0.2)
        await live.publish("run_1")
        await live.publish("run_1")
        assert await wakes.wait(5)
        async for _ in wakes:
            break
    await live.close()


async def test_wake_up_from_another_process_client(settings: Settings) -> None:
    sender, receiver = (Live(settings.redis_url.get_secret_value()) for _ in range(2))
    async with receiver.subscribe("run_1") as one, receiver.subscribe("run_1") as two:
        for wakes in (one, two):
            await wakes.wait(5)
            await wakes.wait(5)
        await sender.publish("run_1")
        assert await one.wait(5)
        assert await two.wait(5)
    await sender.close()
    await receiver.close()


async def test_redis_away_is_only_silence() -> None:
    away = Live(f"redis://{NOWHERE}/0")
    began = time.monotonic()
    for _ in range(50):
        await away.publish("run_1")
    assert time.monotonic() - began < 5
    async with away.subscribe("run_1", poll_s=0.05) as wakes:
        rounds = 0
        async for _ in wakes:
            rounds += 1
            if rounds == 3:
                break
    await away.close()


async def test_temporal_away_is_orchestrator_unavailable() -> None:
    settings = Settings.model_validate({"temporal_address": NOWHERE})
    with pytest.raises(OrchestratorUnavailable):
        await connect(settings)
    assert await connect(settings, lazy=True)


async def test_readiness_names_what_does_not_answer(
    settings: Settings, db: Database, objects: ObjectStore, temporal_client: Client
) -> None:
    live = Live(settings.redis_url.get_secret_value())
    answers = await readiness(database=db, objects=objects, live=live, temporal=temporal_client)
    assert answers == {"temporal": "ok", "postgres": "ok", "s3": "ok", "redis": "ok"}
    assert is_ready(answers)
    await live.close()

    away = Database(f"postgresql://nobody:x@{NOWHERE}/none")
    no_objects = ObjectStore(f"http://{NOWHERE}", access_key="a", secret_key="b", bucket="none")
    no_live = Live(f"redis://{NOWHERE}/0")
    no_temporal = await connect(Settings.model_validate({"temporal_address": NOWHERE}), lazy=True)
    began = time.monotonic()
    answers = await readiness(database=away, objects=no_objects, live=no_live, temporal=no_temporal)
    assert answers == {
        "temporal": "error: OrchestratorUnavailable",
        "postgres": "error: StorageUnavailable",
        "s3": "error: StorageUnavailable",
        "redis": "error: ConnectionError",
    }
    assert not is_ready(answers)
    assert time.monotonic() - began < 5
    for client in (away, no_objects, no_live):
        await client.close()
