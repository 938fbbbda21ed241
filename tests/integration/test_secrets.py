"""Secrets: keys are rotated while runs are in flight, tokens are sealed, and planted secrets are found nowhere."""

import asyncio
import io
import sqlite3
import subprocess
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import text
from temporalio.client import Client

from infra.codec import Keyring
from infra.database import Database, plain_url
from infra.embedded.servers import postgres_program
from infra.embedded.supervisor import EmbeddedServers
from infra.key_rotation import add, promote, rewrap, used_keys, used_masters, without
from infra.settings import Settings
from infra.temporal import connect
from infra.vault import Vault
from schema.errors import InvariantViolated, NotFound
from schema.ids import CONNECTOR, new_id
from schema.states import RunStatus
from schema.store import connectors
from schema.store.connectors import SealedTokens
from tests.integration.api.conftest import Caller, make_key, serving
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound
from tests.support.platform import platform

TEXT = "The harbour of Portishead was dug in 1879. Its tides rise by thirteen metres in spring."


async def ids_in(client: Client, workflow_id: str) -> set[str]:
    """Return the ids of the keys that a workflow's history names."""
    found = set()
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    for key_id in ("rotation-1", "rotation-2"):
        if any(key_id.encode() in event.SerializeToString() for event in history.events):
            found.add(key_id)
    return found


@pytest.mark.extended
async def test_keys_are_rotated_under_runs_in_flight(settings: Settings, org: Org, owner_db: Database) -> None:
    """Add, roll, promote, roll, retire, each time with new workers on the runs of the old ones: nothing is lost."""
    prefix = f"rotation-{uuid.uuid4().hex[:8]}-"
    stages = [Keyring.generate("rotation-1")]
    stages.append(add(stages[0], "rotation-2"))
    stages.append(promote(stages[1], "rotation-2"))
    assert [Keyring.parse(keys).newest for keys in stages] == ["rotation-1", "rotation-1", "rotation-2"]
    runs: list[str] = []
    for number, keys in enumerate(stages):
        own = settings.model_copy(update={"payload_keys": SecretStr(keys)})
        async with platform(own, await connect(own), prefix) as stage:
            if not number:
                await stage.upload(org.id, {"harbour.txt": TEXT})
            begun = [await stage.create(org.id, org.owner_id, f"What of the tides? {number}.{n}") for n in range(3)]
            for run_id in begun:
                await stage.start(org.id, run_id)
            runs += begun
            if number < len(stages) - 1:
                # The workers go in the middle of it.
                await stage.until(org.id, begun[0], RunStatus.RUNNING, *[RunStatus.COMPLETED])
            else:
                ended = [await stage.until(org.id, run_id) for run_id in runs]
                assert {run.status for run in ended} == {RunStatus.COMPLETED}, [run.last_error for run in ended]
                named = [await ids_in(stage.client, run_id) for run_id in runs]
                assert "rotation-1" in named[0]
                assert {"rotation-1", "rotation-2"} in named, "no run met the change of keys"
                assert named[-1] == {"rotation-2"}
                used = await used_keys(stage.client)
                assert used["rotation-1"] >= 1
                assert used["rotation-2"] >= 3
    await assert_sound(owner_db)
    # Without the old key its histories cannot be read: why `retire` counts them first.
    with pytest.raises(ValueError, match="promote another"):
        without(stages[2], "rotation-2")
    assert list(Keyring.parse(without(stages[2], "rotation-1")).keys) == ["rotation-2"]


async def test_a_token_opens_only_where_it_was_sealed(db: Database, owner_db: Database, org: Org) -> None:
    vault = Vault(Keyring.parse(first := Keyring.generate("master-1")))
    connector_id, token = new_id(CONNECTOR), "canary-token-0123456789"
    async with db.transaction(org.id) as session:
        access = await vault.seal(session, org.id, connector_id, "access_token", SecretStr(token))
        refresh = await vault.seal(session, org.id, connector_id, "refresh_token", SecretStr("refresh"))
        await connectors.put_connector(
            session,
            org.id,
            connector_id,
            user_id=org.owner_id,
            provider="gmail",
            provider_user_id="them",
            scopes=["mail.read"],
            tokens=SealedTokens(access, refresh),
        )
    async with db.transaction(org.id) as session:
        row = await connectors.get_connector(session, org.id, connector_id, lock=True)
        opened = await vault.open(session, org.id, connector_id, "access_token", row.access_token)
        assert opened.get_secret_value() == token
        assert token not in repr(opened)
        assert token.encode() not in row.access_token
        # Another row, another column, altered, cut.
        flipped = access[:-1] + bytes([access[-1] ^ 1])
        for subject, column, sealed in (
            (new_id(CONNECTOR), "access_token", access),
            (connector_id, "refresh_token", access),
            (connector_id, "access_token", flipped),
            (connector_id, "access_token", access[:10]),
        ):
            with pytest.raises(InvariantViolated):
                await vault.open(session, org.id, subject, column, sealed)
    # Another organisation, which has a key of the same number.
    other = await make_org(owner_db)
    async with db.transaction(other.id) as session:
        await vault.seal(session, other.id, connector_id, "access_token", SecretStr("x"))
        with pytest.raises(InvariantViolated):
            await vault.open(session, other.id, connector_id, "access_token", access)
        with pytest.raises(NotFound):
            await connectors.get_connector(session, other.id, connector_id)
    # A wrapped key that is put in place of another organisation's.
    async with owner_db.transaction(None) as session:
        theirs = "(select wrapped from data_keys where org_id = :a)"
        await session.execute(
            text(f"update data_keys set wrapped = {theirs} where org_id = :b"), {"a": org.id, "b": other.id}
        )
    async with db.transaction(other.id) as session:
        with pytest.raises(InvariantViolated):
            await vault.seal(session, other.id, connector_id, "access_token", SecretStr("x"))
    async with owner_db.transaction(None) as session:
        await session.execute(text("delete from data_keys where org_id = :b"), {"b": other.id})

    # A new master key: what is sealed is not touched, and opens; then the old one can go.
    both = Keyring.parse(promote(add(first, "master-2")))
    assert await rewrap(owner_db, both) >= 1
    assert "master-1" not in await used_masters(owner_db)
    only_new = Vault(Keyring.parse(without(promote(add(first, "x")), "master-1")))
    async with db.transaction(org.id) as session:
        assert (await connectors.get_connector(session, org.id, connector_id)).access_token == access
        with pytest.raises(InvariantViolated):
            await only_new.open(session, org.id, connector_id, "access_token", access)
    newest = Vault(Keyring("master-2", {"master-2": both.keys["master-2"]}))
    async with db.transaction(org.id) as session:
        assert (await newest.open(session, org.id, connector_id, "access_token", access)).get_secret_value() == token
        # A new data key seals what comes; what came before opens still.
        assert await newest.rotate_data_key(session, org.id) == 2
        again = await newest.seal(session, org.id, connector_id, "access_token", SecretStr("new"))
        assert again[1:5] != access[1:5]
        await connectors.put_tokens(session, org.id, connector_id, SealedTokens(again, refresh))
        assert (
            await newest.open(session, org.id, connector_id, "refresh_token", refresh)
        ).get_secret_value() == "refresh"
        assert (await newest.open(session, org.id, connector_id, "access_token", again)).get_secret_value() == "new"


@pytest.mark.extended
async def test_planted_secrets_are_found_nowhere(
    servers: EmbeddedServers, settings: Settings, owner_db: Database, org: Org, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run with planted secrets; then logs, histories, Redis and a whole dump are searched for them.

    `allowed` says where each may be: a document's text is in the database, and nowhere in clear besides.
    """
    mark = uuid.uuid4().hex
    provider_key, document = f"canary-provider-{mark}", f"canary-document-{mark}"
    master = Keyring.generate("master-1")
    key = await make_key(owner_db, org)
    canaries = {
        "api key": key.split("_")[2] if key.count("_") > 2 else key,
        "provider key": provider_key,
        "document": document,
        "token": f"canary-token-{mark}",
        "payload key": (settings.payload_keys or SecretStr("")).get_secret_value().partition(":")[2],
        "master key": master.partition(":")[2],
        "database password": servers.stack.secrets["postgres_app_password"],
        "s3 secret": servers.stack.secrets["s3_secret_key"],
    }
    assert all(len(canary) > 12 for canary in canaries.values()), {k: len(v) for k, v in canaries.items()}
    own = settings.model_copy(
        update={"brave_api_key": SecretStr(provider_key), "master_keys": SecretStr(master), "log_level": "debug"}
    )
    prefix = f"canary-{mark[:8]}-"
    own = own.model_copy(update={"temporal_task_queue_prefix": prefix})
    async with platform(own, await connect(own), prefix) as stage, serving(own) as api:
        vault = Vault(Keyring.parse(master))
        async with stage.db.transaction(org.id) as session:
            connector_id = new_id(CONNECTOR)
            sealed = await vault.seal(session, org.id, connector_id, "access_token", SecretStr(canaries["token"]))
            await connectors.put_connector(
                session,
                org.id,
                connector_id,
                user_id=org.owner_id,
                provider="gmail",
                provider_user_id="them",
                scopes=[],
                tokens=SealedTokens(sealed),
            )
        async with Caller(api.url, org, key) as caller:
            sent = f"The tide at Portishead is {document} metres high, and rises twice a day."
            await caller.post("/api/v1/documents", files=[("file", ("tides.txt", sent.encode(), "text/plain"))])
            made = await caller.create(task=f"How high is the tide at Portishead, {document}?", max_agents=2)
            assert (await caller.post(f"/api/v1/runs/{made['id']}/start", json={})).status_code == 200
            run = await caller.until(made["id"], "completed")
            assert run["status"] == "completed"
            # A request that fails says what came, and not the key.
            assert (await caller.post("/api/v1/runs", json={"task": 5})).status_code == 422
        raw = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
        histories = io.BytesIO()
        async for found in raw.list_workflows(f'OrgId = "{org.id}"'):
            history = await raw.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
            histories.writelines(event.SerializeToString() for event in history.events)
        assert histories.tell() > 10_000
    redis = Redis.from_url(settings.redis_url.get_secret_value())
    cached = io.BytesIO()
    async for name in redis.scan_iter(count=1000):
        cached.write(name + b"\n" + (await redis.dump(name) or b"") + b"\n")
    await redis.aclose()
    places = {
        "logs of the processes": "".join(capfd.readouterr()).encode(),
        "logs of the servers": b"".join(path.read_bytes() for path in servers.data.logs.glob("*.log")),
        "histories": histories.getvalue(),
        "Temporal's database": await asyncio.to_thread(
            whole_sqlite, servers.data.root / "temporal" / "temporal.sqlite"
        ),
        "Redis": cached.getvalue(),
        "dump": await asyncio.to_thread(dump, settings.owner_url),
    }
    assert all(places[name] for name in places if name != "Redis"), {name: len(data) for name, data in places.items()}
    found_in = {
        name: {place for place, data in places.items() if canary.encode() in data} for name, canary in canaries.items()
    }
    allowed: dict[str, set[str]] = {"document": {"dump"}}
    assert {name: where for name, where in found_in.items() if where} == allowed
    # The search finds what is there: the same text of the document, in the dump.
    assert document.encode() in places["dump"]


def whole_sqlite(path: Path) -> bytes:
    """Return every value of a SQLite database, its write-ahead log included."""
    found = io.BytesIO()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = [row[0].decode() for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'):
                found.writelines(value if isinstance(value, bytes) else str(value).encode() for value in row)
    return found.getvalue()


def dump(url: str) -> bytes:
    """Return the whole database as pg_dump writes it."""
    done: Any = subprocess.run(
        [postgres_program("pg_dump"), "--dbname", plain_url(url)], capture_output=True, check=True, timeout=120
    )
    return bytes(done.stdout)
