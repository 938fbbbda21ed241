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
from tests.support.bombs import MB, bombs
from tests.support.platform import platform

PREFIX = "bombs-"
MAY_BE_READ = {"html-deep"}
"""Harmless as it is read: what matters is that it ends."""


@pytest.mark.extended
async def test_bombs_are_refused_and_nothing_else_notices(
    settings: Settings, temporal_client: Client, owner_db: Database, org: Org
) -> None:
    """Of each an end and a reason; the process keeps its size; others are answered; no hold is left."""
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
                assert reason in str(document), f"{what}: {document}"
            grown = (max(sizes) - before) / MB
            assert grown < 200, f"the worker grew by {grown:.0f} MB"
            # After all that a plain file is read.
            answer = await client.post("/api/v1/documents", files=[("file", ("a.txt", b"Plain text.", "text/plain"))])
            assert (await _ended(client, answer.json()["documents"][0]["id"]))["status"] == "ready"
        finally:
            noise.cancel()
        assert asked
        assert set(asked) == {200}
        balance = (await client.get("/api/v1/billing/balance")).json()
        assert balance["reserved"] == 0, balance


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
