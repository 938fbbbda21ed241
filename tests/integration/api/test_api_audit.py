"""The audit log through the API: every call is in it before its answer leaves; who may read it; kill -9."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.trail import Trail
from client.cli import app as cli
from infra.checkpoints import Signer
from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.evidence import Evidence
from infra.locked import LockedStore
from infra.settings import Settings
from schema.errors import StorageUnavailable
from schema.store.audit import PLATFORM, SYSTEM, Entry
from tests.integration.api.conftest import Caller, Running, eventually, make_key
from tests.integration.conftest import Org, make_org
from tests.integration.test_audit_chain import CLEAR, tamper

SECRET = "very secret task text"


async def entries(caller: Caller, **asked: str | int) -> list[dict]:
    answer = await caller.get("/api/v1/audit", params={"limit": 200, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


async def test_calls_reads_changes_and_refusals_are_recorded(api: Running, caller: Caller, owner_db: Database) -> None:
    run = (await caller.post("/api/v1/runs", json={"task": SECRET, "name": SECRET})).json()
    read = await caller.get(f"/api/v1/runs/{run['id']}", headers={"user-agent": "Mozilla/5"})
    await caller.get(f"/api/v1/runs/run_{'0' * 32}")
    weak = await make_key(owner_db, caller.org, ("runs:read",))
    async with Caller(api.url, caller.org, weak) as poor:
        assert (await poor.post("/api/v1/billing/purchases", json={"credits": "1"})).status_code == 403
        assert (await poor.get("/api/v1/audit")).status_code == 403
    await caller.post("/api/v1/billing/purchases", json={"credits": "1"})

    [seen] = await entries(caller, action="data.read", resource_id=run["id"])
    assert seen["request_id"] == read.headers["x-request-id"]
    assert (seen["outcome"], seen["run_id"], seen["user_agent"]) == ("success", run["id"], "Mozilla/5")
    assert seen["actor"]["type"] == "api_key"
    assert seen["actor"]["name"] == "test"
    assert seen["ip_address"] == "127.0.0.1"
    assert seen["details"] == {
        "method": "GET",
        "route": "/api/v1/runs/{run_id}",
        "status": 200,
        "scopes": ["runs:read"],
    }
    refused = await entries(caller, outcome="denied")
    assert [entry["details"]["scopes"] for entry in refused] == [["audit:read"], ["billing:admin"]]
    assert {entry["action"] for entry in refused} == {"access.denied"}
    about = {entry["action"] for entry in await entries(caller, run_id=run["id"])}
    assert about == {"run.created", "data.read"}
    everything = await entries(caller)
    assert {"run.created", "credits.purchased", "api.called", "api_key.created"} <= {e["action"] for e in everything}
    assert [entry["seq"] for entry in everything] == list(range(len(everything), 0, -1))
    assert SECRET not in str(everything)
    assert str(caller.key) not in str(everything)
    [missed] = await entries(caller, resource_id=f"run_{'0' * 32}")
    assert (missed["outcome"], missed["action"]) == ("failure", "api.called")


async def test_filters_and_pages(caller: Caller) -> None:
    for _ in range(5):
        await caller.get("/api/v1/billing/balance")
    found: list[int] = []
    cursor = None
    while True:
        asked = {"action": "data.read", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await caller.get("/api/v1/audit", params=asked)).json()
        found += [entry["seq"] for entry in page["entries"] if "balance" in entry["details"]["route"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 5
    now = datetime.now(UTC)
    past, future = (now - timedelta(hours=1)).isoformat(), (now + timedelta(hours=1)).isoformat()
    assert await entries(caller, **{"from": past, "to": future})
    assert await entries(caller, **{"from": future}) == []
    assert await entries(caller, to=past) == []
    key_id = "key_" + str(caller.key).split("_")[1]
    assert {entry["actor"]["id"] for entry in await entries(caller, actor=key_id)} == {key_id}
    for bad in (
        {"from": "yesterday"},
        {"from": "0.5"},
        {"to": "1700000000"},
        {"from": "2026-01-01T00:00:00"},
        {"outcome": "x"},
        {"cursor": "x"},
        {"run_id": "x"},
    ):
        assert (await caller.get("/api/v1/audit", params=bad)).status_code in (400, 422), bad


async def test_one_sees_nothing_of_another_organisation(caller: Caller, other: Caller) -> None:
    await caller.get("/api/v1/billing/balance")
    mine = {entry["id"] for entry in await entries(caller)}
    theirs = {entry["id"] for entry in await entries(other)}
    assert mine
    assert theirs
    assert not mine & theirs
    answer = await caller.get("/api/v1/audit/verification")
    assert answer.status_code == 200
    assert answer.json()["findings"] == []


async def test_strangers_are_counted_once_a_second(api: Running, anonymous: Caller, owner_db: Database) -> None:
    key = f"sk_{'a' * 32}_{'A' * 43}_000000"
    for _ in range(20):
        answer = await anonymous.get("/api/v1/runs", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 401

    async def counted() -> int:
        async with owner_db.transaction(PLATFORM) as session:
            query = (
                "select coalesce(sum((details->>'requests')::int), 0) from audit_logs"
                " where org_id = 'platform' and action = 'authentication.failed'"
            )
            return int((await session.execute(text(query))).scalar_one()) >= 20

    await eventually(counted)


async def test_a_stranger_who_comes_while_others_are_written_is_written_next(
    api: Running, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail: Trail = api.app.state.services.trail
    database = api.app.state.services.database
    real, late = database.transaction, f"key_{uuid.uuid4().hex}"

    def begin(org_id: str | None) -> Any:
        if org_id == PLATFORM:
            monkeypatch.setattr(database, "transaction", real)
            trail.count_stranger("127.0.0.1", "GET", late)
        return real(org_id)

    monkeypatch.setattr(database, "transaction", begin)
    trail.count_stranger("127.0.0.1", "GET", None)

    async def written() -> bool:
        async with owner_db.transaction(PLATFORM) as session:
            query = text("select count(*) from audit_logs where org_id = 'platform' and actor_id = :late")
            return bool((await session.execute(query, {"late": late})).scalar_one())

    await eventually(written, 10)


async def test_an_answer_whose_entry_is_not_written_is_withheld(
    api: Running, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise StorageUnavailable("The audit log does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(Trail, "write", fails)
        answer = await caller.get("/api/v1/billing/balance")
        assert answer.status_code == 503
        assert "balance" not in answer.json()
        refused = await caller.get(f"/api/v1/runs/run_{'0' * 32}")
        assert refused.status_code == 404  # Gives nothing away.
    assert (await caller.get("/api/v1/billing/balance")).status_code == 200


async def test_entries_that_come_together_are_written_together(db: Database, org: Org) -> None:
    trail = Trail(db)
    await asyncio.gather(*(trail.write(org.id, Entry(SYSTEM, "x.y", "x", str(n))) for n in range(50)))
    await trail.close()
    async with db.transaction(org.id) as session:
        query = "select count(*), count(distinct xmin::text) from audit_logs where org_id = :org and action = 'x.y'"
        written, transactions = (await session.execute(text(query), {"org": org.id})).one()
    assert written == 50
    assert transactions <= 5


async def test_what_was_answered_is_in_the_log_after_kill_9(
    servers: EmbeddedServers, api_settings: Settings, owner_db: Database, db: Database
) -> None:
    """The API in a process of its own, killed while it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**servers.process_environment, "SWISSBRAIN_TEMPORAL_TASK_QUEUE_PREFIX": "api-tests-"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "api.app:create_app", "--factory", "--port", str(port), "--no-access-log"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    org = await make_org(owner_db)
    answered: list[str] = []
    bought = 0
    async with Caller(f"http://127.0.0.1:{port}", org, await make_key(owner_db, org)) as client:

        async def up() -> bool:
            try:
                return (await client.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        async def read() -> None:
            nonlocal bought
            while True:
                try:
                    answer = await client.get("/api/v1/billing/balance")
                    answered.append(answer.headers["x-request-id"])
                    answer = await client.post("/api/v1/billing/purchases", json={"credits": "1"})
                    bought += answer.status_code == 201
                    answered.append(answer.headers["x-request-id"])
                except httpx.TransportError:
                    return

        try:
            await eventually(up, within_s=60)
            readers = [asyncio.create_task(read()) for _ in range(8)]

            async def busy() -> bool:
                return len(answered) > 24

            await eventually(busy, within_s=60)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        await asyncio.gather(*readers)
    async with db.transaction(org.id) as session:
        query = "select request_id, action from audit_logs where org_id = :org"
        rows = (await session.execute(text(query), {"org": org.id})).all()
        query = "select count(*) from billing_ledger where org_id = :org and type = 'purchase'"
        posted = (await session.execute(text(query), {"org": org.id})).scalar_one()
    recorded = {row[0] for row in rows if row[1] in ("data.read", "api.called")}
    assert set(answered) <= recorded
    assert posted >= bought + 1
    assert sum(row[1] == "credits.purchased" for row in rows) == posted
    store = LockedStore.from_settings(api_settings)
    assert (await Evidence(db, store, Signer.from_settings(api_settings)).verify(org.id)).findings == []
    await store.close()


async def test_the_command_line_lists_and_verifies(
    api: Running, caller: Caller, servers: EmbeddedServers, owner_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await caller.get("/api/v1/billing/balance")
    monkeypatch.setenv("SWISSBRAIN_API_URL", api.url)
    monkeypatch.setenv("SWISSBRAIN_API_KEY", str(caller.key))
    listed = await asyncio.to_thread(CliRunner().invoke, cli, ["audit", "list", "--action", "data.read"])
    assert listed.exit_code == 0, listed.output
    assert "data.read" in listed.output

    async def verify() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "client.cli", "audit", "verify", "--org", caller.org.id),
            env={**servers.process_environment, "SWISSBRAIN_DATABASE_OWNER_URL": servers.stack.owner_url},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    code, output = await verify()
    assert (code, output[:2]) == (0, "ok"), output
    change = "update audit_logs set actor_type = 'nobody' where org_id = :org and seq = 2"
    await tamper(owner_db, caller.org, change)
    code, output = await verify()
    assert (code, "audit entry 2: altered" in output) == (1, True), output
    await tamper(owner_db, caller.org, *CLEAR)  # Invariants are counted over all organisations.
