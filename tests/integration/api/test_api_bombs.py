"""Hostile files through the real API and the real worker: refused, while everything else goes on as before."""

import asyncio
import time
from typing import Any

import psutil
import pytest
from temporalio.client import Client

from infra.database import Database
from infra.settings import Settings
from tests.integration.api.conftest import Caller, eventually, make_key, serving
from tests.integration.conftest import Org
from tests.integration.test_http import answering
from tests.integration.test_http import serving as serving_pages
from tests.support.bombs import MB, bombs
from tests.support.platform import platform
from tests.support.scripted import ScriptedReasoner
from tests.support.stack import TERMINAL

PREFIX = "bombs-"
MAY_BE_READ = {"html-deep"}
"""Harmless as it is read: what matters is that it ends."""
AS_PICTURES = {"picture": "pixels", "picture-as-text": "pixels"}
"""Refused by what reads pictures, where the text reader would say that it is one."""


@pytest.mark.extended
async def test_bombs_are_refused_and_nothing_else_notices(
    settings: Settings, temporal_client: Client, owner_db: Database, org: Org
) -> None:
    """Of each an end and a reason; the process keeps its size; others are answered."""
    settings = settings.model_copy(update={"temporal_task_queue_prefix": PREFIX})
    made = await asyncio.to_thread(bombs)
    key = await make_key(owner_db, org)
    asked: list[int] = []
    sizes: list[int] = []

    async def others(client: Caller) -> None:
        while True:
            asked.append((await client.get("/api/v1/runs")).status_code)
            sizes.append(psutil.Process().memory_info().rss)
            await asyncio.sleep(0.1)

    async with (
        platform(settings, temporal_client, PREFIX),
        serving(settings) as api,
        Caller(api.url, org, key) as client,
        Caller(api.url, org, key) as bystander,
    ):
        ready = await eventually(lambda: _levels(client))
        assert set(ready) <= {"landlock", "bubblewrap", "gvisor"}
        before, noise = psutil.Process().memory_info().rss, asyncio.create_task(others(bystander))
        try:
            files = [("file", (name, data, "application/octet-stream")) for name, data, _ in made.values()]
            answer = await client.post("/api/v1/documents", files=files)
            assert answer.status_code == 201, answer.text
            documents = zip(made.items(), answer.json()["documents"], strict=True)
            for (what, (_, _, reason)), uploaded in documents:
                document = await _ended(client, uploaded["id"])
                if what in MAY_BE_READ:
                    continue
                assert document["status"] == "failed", what
                assert AS_PICTURES.get(what, reason) in str(document), f"{what}: {document}"
            grown = (max(sizes) - before) / MB
            assert grown < 200, f"the worker grew by {grown:.0f} MB"
            # After all that a plain file is read.
            answer = await client.post("/api/v1/documents", files=[("file", ("a.txt", b"Plain text.", "text/plain"))])
            assert (await _ended(client, answer.json()["documents"][0]["id"]))["status"] == "ready"
        finally:
            noise.cancel()
        assert asked
        assert set(asked) == {200}


MET_BY_A_RUN = {
    "pdf-stream": "application/pdf",
    "pdf-and-zip": "application/pdf",
    "xml-laughs": "application/xml",
    "one-word": "text/plain",
    "picture-as-text": "text/plain",
}
"""Of each bomb what its server calls it."""


@pytest.mark.extended
async def test_a_run_that_meets_bombs_ends_and_its_hold_is_released(
    settings: Settings, temporal_client: Client, owner_db: Database, org: Org
) -> None:
    """A run that fetches bombs: held while they are refused and others are served, then charged for nothing of them."""
    made, key = bombs(), await make_key(owner_db, org)
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def hold_still(method: str, step: int) -> None:
        if method == "next_action" and step == len(MET_BY_A_RUN) - 1:
            halfway.set()
            await go_on.wait()

    async def page(head: bytes, writer: asyncio.StreamWriter) -> None:
        name = head.split()[1].decode().strip("/")
        if name in MET_BY_A_RUN:
            await answering(made[name][1], content_type=MET_BY_A_RUN[name])(head, writer)
        else:
            await answering(b"", "404 Not Found")(head, writer)

    async with serving_pages(page) as (port, _):
        urls = [f"http://127.0.0.1:{port}/{name}" for name in MET_BY_A_RUN]
        prefix = f"bombs-run-{port}-"
        own = settings.model_copy(
            update={"temporal_task_queue_prefix": prefix, "fetch_allowed_private_hosts": (f"127.0.0.1:{port}",)}
        )
        script = ScriptedReasoner(
            agents=1,
            steps=len(urls),
            tool="web.fetch",
            arguments=lambda agent, step: {"url": urls[step]},
            before=lambda method, agent, step: hold_still(method, step),
        )
        async with (
            platform(own, temporal_client, prefix, reasoner=script),
            serving(own) as api,
            Caller(api.url, org, key) as client,
        ):
            run_id = await client.start(task=f"What do {' '.join(urls)} say?", max_agents=1)
            async with asyncio.timeout(60):
                await halfway.wait()
            # All but one are refused; the hold stands, and a stranger's file is read meanwhile.
            reserved = (await client.get("/api/v1/billing/balance")).json()["reserved"]
            assert reserved > 0
            answer = await client.post("/api/v1/documents", files=[("file", ("a.txt", b"Plain text.", "text/plain"))])
            assert (await _ended(client, answer.json()["documents"][0]["id"]))["status"] == "ready"
            assert (await client.get(f"/api/v1/runs/{run_id}")).json()["status"] == "running"
            go_on.set()
            ended = await eventually(lambda: _terminal(client, run_id), within_s=60)
            log = (await client.get(f"/api/v1/runs/{run_id}/logs", params={"limit": 200})).json()["logs"]
            refused = [event for event in log if event["type"] == "tool.failed"]
            assert len(refused) == len(urls), log
            for event, name in zip(refused, MET_BY_A_RUN, strict=True):
                assert made[name][2] in str(event), event
            balance = (await client.get("/api/v1/billing/balance")).json()
            assert balance["reserved"] == 0, (ended, balance)
            entries = (await client.get("/api/v1/billing/ledger", params={"run_id": run_id})).json()["entries"]
            moved = {entry["type"]: entry["amount"] for entry in entries}
            assert moved["hold"] == reserved
            assert moved["release"] + moved.get("charge", 0) == moved["hold"]
            usage = (await client.get("/api/v1/billing/usage", params={"run_id": run_id})).json()["usage"]
            assert "web.fetch" not in {item["item"] for item in usage}


async def _terminal(client: Caller, run_id: str) -> dict[str, Any] | None:
    run: dict[str, Any] = (await client.get(f"/api/v1/runs/{run_id}")).json()
    return run if run["status"] in TERMINAL else None


async def _levels(client: Caller) -> list[str] | None:
    found: list[str] | None = (await client.get("/readyz")).json()["sandbox"]
    return found


async def _ended(client: Caller, document_id: str) -> dict[str, Any]:
    """Wait until a document is read or refused; the product's own limit is a minute."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        document: dict[str, Any] = (await client.get(f"/api/v1/documents/{document_id}")).json()
        if document["status"] != "processing":
            return document
        await asyncio.sleep(0.1)
    raise AssertionError("the document is still being read")
