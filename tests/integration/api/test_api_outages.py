"""What is away is said, with Retry-After; nothing is held; what does not need it goes on."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from infra.database import Database
from infra.settings import Settings
from schema.store import billing
from tests.integration.api.conftest import TASK, Caller, serving

NOWHERE = "127.0.0.1:1"


def broken(settings: Settings, part: str) -> Settings:
    changes: dict[str, dict[str, Any]] = {
        "temporal": {"temporal_address": NOWHERE},
        "postgres": {"database_url": SecretStr(f"postgresql://swissbrain_app:x@{NOWHERE}/swissbrain")},
        "s3": {"s3_endpoint_url": f"http://{NOWHERE}"},
        "redis": {"redis_url": SecretStr(f"redis://{NOWHERE}/0")},
    }
    return settings.model_copy(update=changes[part])


def is_away(answer: httpx.Response, code: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert int(answer.headers["retry-after"]) >= 1
    return (answer.status_code, answer.json()["code"]) == (503, code)


async def test_without_redis_the_process_is_degraded_and_stays_in_service(
    api_settings: Settings, caller: Caller
) -> None:
    """A readiness probe that fails with Redis takes every pod out at once, for what only slows live logs."""
    async with serving(broken(api_settings, "redis")) as running, httpx.AsyncClient(base_url=running.url) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "redis" in answer.json()["detail"]
        assert answer.json()["checks"]["redis"].startswith("error")


@pytest.mark.parametrize("part", ["temporal", "postgres", "s3"])
async def test_readiness_names_what_is_away(api_settings: Settings, caller: Caller, part: str) -> None:
    async with serving(broken(api_settings, part)) as running, httpx.AsyncClient(base_url=running.url) as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert part in answer.json()["detail"]
        assert {name for name, state in answer.json()["checks"].items() if state != "ok"} == {part}


async def test_all_is_ready(api: Any) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert set(answer.json()["checks"].values()) == {"ok"}


async def test_without_temporal_nothing_is_held(api_settings: Settings, caller: Caller, db: Database) -> None:
    async with (
        serving(broken(api_settings, "temporal")) as running,
        Caller(running.url, caller.org, caller.key) as client,
    ):
        run = await client.create()
        path = f"/api/v1/runs/{run['id']}"
        assert is_away(await client.post(f"{path}/start", idem="go"), "orchestrator_unavailable")
        async with db.transaction(caller.org.id) as session:
            assert (await billing.get_balance(session, caller.org.id)).reserved_ucr == 0
        assert (await client.get(path)).json()["status"] == "created"
        # What PostgreSQL decides alone still works.
        assert (await client.post(f"{path}/pause")).status_code == 409
        assert (await client.post(f"{path}/cancel")).status_code == 200


async def test_a_command_without_temporal_is_given_later_with_the_same_key(
    api_settings: Settings, caller: Caller, worker: None
) -> None:
    run_id = await caller.start()
    await caller.until(run_id, "running")
    async with (
        serving(broken(api_settings, "temporal")) as running,
        Caller(running.url, caller.org, caller.key) as client,
    ):
        assert is_away(await client.post(f"/api/v1/runs/{run_id}/pause", idem="halt"), "orchestrator_unavailable")
    answer = await caller.post(f"/api/v1/runs/{run_id}/pause", idem="halt")
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")
    await caller.post(f"/api/v1/runs/{run_id}/cancel")


async def test_a_command_without_a_worker_is_unavailable(caller: Caller, api_settings: Settings) -> None:
    settings = api_settings.model_copy(update={"temporal_task_queue_prefix": "nobody-"})
    async with serving(settings) as running, Caller(running.url, caller.org, caller.key) as client:
        run_id = await client.start()
        answer = await client.post(f"/api/v1/runs/{run_id}/cancel")
        assert is_away(answer, "orchestrator_unavailable")


async def test_without_postgres_every_call_says_so(api_settings: Settings, caller: Caller) -> None:
    async with (
        serving(broken(api_settings, "postgres")) as running,
        Caller(running.url, caller.org, caller.key) as client,
    ):
        for answer in (await client.get("/api/v1/runs"), await client.post("/api/v1/runs", json={"task": TASK})):
            assert is_away(answer, "storage_unavailable")
        assert (await client.get("/api/v1/openapi.json")).status_code == 200


async def test_without_s3_only_objects_are_away(api_settings: Settings, caller: Caller) -> None:
    async with serving(broken(api_settings, "s3")) as running, Caller(running.url, caller.org, caller.key) as client:
        await client.create()
        files = {"file": ("a.txt", b"text", "text/plain")}
        assert is_away(await client.post("/api/v1/documents", files=files, idem="up"), "storage_unavailable")
    again = await caller.post("/api/v1/documents", files=files, idem="up")
    assert again.status_code == 201, again.text


async def test_without_redis_nothing_is_lost(api_settings: Settings, caller: Caller, worker: None) -> None:
    async with serving(broken(api_settings, "redis")) as running, Caller(running.url, caller.org, caller.key) as client:
        run_id = await client.start()
        await client.until(run_id, "running")
        assert (await client.post(f"/api/v1/runs/{run_id}/cancel")).status_code == 200
        stream = await client.get(f"/api/v1/runs/{run_id}/logs?stream=true")
        assert "event: run.cancelled" in stream.text
        assert "event: end" in stream.text
