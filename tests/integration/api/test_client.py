"""The Python client and the command line against the real API."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client as TemporalClient
from typer.testing import CliRunner

from client.cli import app
from client.client import ApiError, Client
from infra.database import Database
from infra.objects import ObjectStore
from schema.states import RunStatus
from schema.store import artifacts
from schema.store.artifacts import NewArtifact
from tests.integration.api.conftest import TASK, Caller, Running
from tests.integration.api.waiting_calls import ARGUMENTS, wait_for

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def client(api: Running, caller: Caller) -> Iterator[Client]:
    with Client(api.url, caller.key or "") as made:
        yield made


@pytest.fixture
def command(api: Running, caller: Caller, tmp_path: Path) -> Callable[..., Any]:
    """Run `swissbrain ...` with an endpoint file, on a thread."""
    (tmp_path / "endpoint.json").write_text(json.dumps({"api_url": api.url, "api_key": caller.key}))

    async def run(*arguments: str, status: int = 0) -> str:
        found = await asyncio.to_thread(
            CliRunner().invoke, app, [*arguments, "--data-dir", str(tmp_path)], catch_exceptions=False
        )
        assert found.exit_code == status, found.output
        return found.output

    return run


async def test_a_run_by_the_client(
    client: Client, caller: Caller, temporal_client: TemporalClient, db: Database, objects: ObjectStore
) -> None:
    run = await asyncio.to_thread(client.create_run, TASK, max_agents=2, idempotency_key="once")
    again = await asyncio.to_thread(client.create_run, TASK, max_agents=2, idempotency_key="once")
    assert run == again
    await asyncio.to_thread(client.start_run, run["id"])
    await caller.until(run["id"], "running")
    ref = await objects.put(f"{caller.org.id}/report/x", b"# Report", "text/markdown")
    async with db.transaction(caller.org.id) as session:
        new = NewArtifact("research_report.md", "text/markdown", ref)
        await artifacts.put_artifact(session, caller.org.id, run["id"], new)
    following = asyncio.create_task(asyncio.to_thread(lambda: list(client.follow(run["id"]))))
    await temporal_client.get_workflow_handle(run["id"]).signal("end", RunStatus.COMPLETED.value)
    async with asyncio.timeout(20):
        lines = await following
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["type"] == "run.completed"
    assert (await asyncio.to_thread(client.wait_for_run, run["id"]))["status"] == "completed"
    assert await asyncio.to_thread(client.report, run["id"]) == "# Report"
    assert [line["seq"] for line in await asyncio.to_thread(lambda: list(client.logs(run["id"])))] == [
        line["seq"] for line in lines
    ]
    with pytest.raises(ApiError) as refused:
        await asyncio.to_thread(client.command, run["id"], "pause")
    assert (refused.value.status, refused.value.code) == (409, "illegal_transition")


async def test_the_client_pages(client: Client, caller: Caller) -> None:
    made = [(await caller.create())["id"] for _ in range(3)]
    assert [run["id"] for run in await asyncio.to_thread(lambda: list(client.list_runs(limit=2)))] == made[:0:-1]


def test_a_client_without_an_api_says_so() -> None:
    with Client("http://127.0.0.1:1", "sk_x") as client, pytest.raises(ApiError) as away:
        client.balance()
    assert (away.value.status, away.value.code) == (0, "unreachable")


def test_a_busy_api_is_asked_again_with_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ReadError("cut")
        if len(keys) == 2:
            return httpx.Response(503, headers={"retry-after": "0"}, json={"code": "storage_unavailable"})
        return httpx.Response(201, json={"id": "run_1"})

    with Client("http://api.test", "sk_x", transport=httpx.MockTransport(answer)) as client:
        assert client.create_run(TASK) == {"id": "run_1"}
    assert len(set(keys)) == 1 < len(keys) == 3


async def test_the_command_line(command: Callable[..., Any], tmp_path: Path, caller: Caller) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("The tide comes in twice a day.")
    (corpus / "b.md").write_text("# Tides")
    (corpus / "empty.txt").write_text("")
    (corpus / "c.bin").write_bytes(b"\x00\x01")
    assert "a.txt" in await command("corpus", "add", str(corpus))
    listed = json.loads(await command("corpus", "list", "--json"))
    assert sorted(document["name"] for document in listed) == ["a.txt", "b.md"]
    await command("corpus", "remove", listed[0]["id"])

    run_id = (await command("run", TASK, "--no-follow", "--agents", "2", "--source", "corpus")).strip()
    await caller.until(run_id, "running")
    assert json.loads(await command("runs", "pause", run_id))["status"] == "paused"
    resumed = json.loads(await command("runs", "resume", run_id, "--add-credits", "2.5"))
    assert resumed["status"] == "running"
    assert json.loads(await command("runs", "show", run_id))["credits_reserved"] == 28.5
    assert json.loads(await command("runs", "cancel", run_id, "--reason", "enough"))["status"] == "cancelled"
    assert "illegal_transition" in await command("runs", "retry", run_id, status=1)
    assert "Run created" in await command("runs", "logs", run_id)
    assert "cancelled" in await command("runs", "logs", run_id, "--follow")
    assert run_id in json.dumps(json.loads(await command("runs", "list", "--json")))
    assert run_id in await command("runs", "list")
    assert json.loads(await command("balance"))["available"] == 997.5
    assert json.loads(await command("buy", "10.25"))["amount"] == 10.25
    assert json.loads(await command("ledger", "--run", run_id, "--json"))[0]["type"] == "release"


async def test_keys_by_the_command_line(command: Callable[..., Any], api: Running) -> None:
    key_id, key = (await command("keys", "create", "ci", "--scope", "runs:read")).split()
    with Client(api.url, key) as client:
        assert await asyncio.to_thread(lambda: list(client.list_runs())) == []
        await command("keys", "revoke", key_id)
        with pytest.raises(ApiError, match="revoked"):
            await asyncio.to_thread(client.balance)
    assert key_id in await command("keys", "list")


async def test_approvals_by_the_command_line(command: Callable[..., Any], caller: Caller, db: Database) -> None:
    run_id = await caller.start()
    first, second = [await wait_for(db, caller, run_id, step) for step in range(2)]
    assert first["id"] in await command("approvals", "list", "--status", "pending", "--run", run_id)
    assert json.loads(await command("approvals", "show", first["id"]))["arguments"] == ARGUMENTS
    unsure = await command("approvals", "approve", first["id"], status=1)
    assert first["arguments_json"] in unsure, "what is approved is shown before"
    assert (await caller.get(f"/api/v1/approvals/{first['id']}")).json()["status"] == "pending"
    said = await command("approvals", "approve", first["id"], "--yes", "--note", "read it")
    assert json.loads(said.partition("\n")[2])["status"] == "approved"
    assert json.loads(await command("approvals", "deny", second["id"]))["status"] == "denied"
    listed = json.loads(await command("approvals", "list", "--json"))
    assert [(each["id"], each["status"], each["note"]) for each in listed] == [
        (second["id"], "denied", None),
        (first["id"], "approved", "read it"),
    ]


def test_without_an_endpoint_the_command_line_says_what_to_do(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["balance", "--data-dir", str(tmp_path)])
    assert found.exit_code == 2
    assert "swissbrain up" in found.output


async def test_files_by_the_client_and_the_command(
    client: Client, command: Callable[..., Any], caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole and in parts, waited for, asked, saved, attached to a run by their path, and taken away."""
    table = tmp_path / "rivers.csv"
    table.write_text("River,Country,Length (km)\nRhine,Germany,1233\nElbe,Germany,1094\nPo,Italy,652\n")
    whole = await asyncio.to_thread(client.upload_file, table, idempotency_key="whole")
    assert (await asyncio.to_thread(client.upload_file, table, idempotency_key="whole"))["id"] == whole["id"]
    ready = await asyncio.to_thread(client.wait_for_file, whole["id"], timeout_s=60)
    assert (ready["status"], ready["kind"]) == ("ready", "data")
    monkeypatch.setattr("client.files.WHOLE_BYTES_MAX", 0)
    told: list[int] = []
    parted = await asyncio.to_thread(client.upload_file, table, idempotency_key="parts", progress=told.append)
    assert told == [table.stat().st_size]
    assert (await asyncio.to_thread(client.wait_for_file, parted["id"], timeout_s=60))["kept"]
    assert (await asyncio.to_thread(client.upload_file, table, idempotency_key="parts"))["id"] == parted["id"]
    asked = await asyncio.to_thread(client.ask_file, whole["id"], "Which country has most rivers?")
    assert asked["answer"]["rows"] == [["Germany", 2]]

    added = await command("files", "add", str(table))
    assert "ready" in added
    assert "0.0 credits" in added
    shown = json.loads(await command("files", "show", whole["id"]))
    assert shown["result"]["tables"][0]["rows"] == 3
    assert "Germany" in await command("files", "ask", whole["id"], "Which country has most rivers?")
    assert "The columns are" in await command("files", "ask", whole["id"], "What colour is the sea?", status=1)
    saved = tmp_path / "saved"
    await command("files", "outputs", whole["id"], "--save", str(saved))
    assert (saved / "rivers.csv").read_bytes() == table.read_bytes()
    run_id = (await command("run", "What is known?", "--file", str(table), "--no-follow")).split()[-1]
    assert len((await caller.get(f"/api/v1/runs/{run_id}")).json()["context"]["files"]) == 1
    await command("files", "remove", whole["id"])
    assert whole["id"] not in await command("files", "list")
