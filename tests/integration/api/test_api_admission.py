"""Admission: what is refused with 429 before anything is held."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.client import Client

from infra import admission
from infra.admission import Admission
from infra.database import Database
from infra.settings import Settings
from schema.policies import ADMISSION_RETRY_AFTER
from schema.store import billing
from tests.integration.api.conftest import Caller, eventually, serving


async def test_a_start_is_refused_while_accepted_work_waits_too_long(
    api_settings: Settings, caller: Caller, db: Database, temporal_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a worker every start was accepted, and its hold stood for nothing."""
    settings = api_settings.model_copy(update={"temporal_task_queue_prefix": f"ad-{uuid.uuid4().hex[:8]}-"})
    monkeypatch.setattr(admission, "BACKLOG_AGE_MAX", timedelta(seconds=1))
    monkeypatch.setattr(admission, "BACKLOG_ASKED_EVERY", timedelta(0))
    async with serving(settings) as running, Caller(running.url, caller.org, caller.key) as client:
        await client.start()  # Nobody is there to take it.
        asking = Admission(temporal_client, settings)

        async def old() -> bool:
            return await asking.backlog_age() > timedelta(seconds=1.5)

        await eventually(old)
        async with db.transaction(caller.org.id) as session:
            held = (await billing.get_balance(session, caller.org.id)).reserved_ucr
        run = await client.create()
        refused = await client.post(f"/api/v1/runs/{run['id']}/start", idem="later")
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited"), refused.text
        assert int(refused.headers["retry-after"]) == ADMISSION_RETRY_AFTER.total_seconds()
        assert refused.json()["backlog_age_s"] > 1
        async with db.transaction(caller.org.id) as session:
            assert (await billing.get_balance(session, caller.org.id)).reserved_ucr == held
        assert (await client.get(f"/api/v1/runs/{run['id']}")).json()["status"] == "created"
        monkeypatch.setattr(admission, "BACKLOG_AGE_MAX", timedelta(minutes=5))
        # What was refused is not kept under its key: the same request is accepted once there is room.
        assert (await client.post(f"/api/v1/runs/{run['id']}/start", idem="later")).status_code == 200


async def test_the_limit_of_live_runs_is_said_before_anything_is_held(
    caller: Caller, owner_db: Database, worker: None
) -> None:
    async with owner_db.transaction(caller.org.id) as session:
        await session.execute(text("update organisations set runs_live_max = 1 where id = :id"), {"id": caller.org.id})
    run_id = await caller.start()
    other = await caller.create()
    refused = await caller.post(f"/api/v1/runs/{other['id']}/start")
    assert (refused.status_code, refused.json()["limit"]) == (429, 1)
    assert "retry-after" in refused.headers
    await caller.post(f"/api/v1/runs/{run_id}/cancel")
    await caller.until(run_id, "cancelled")
    assert (await caller.post(f"/api/v1/runs/{other['id']}/start")).status_code == 200
    await caller.post(f"/api/v1/runs/{other['id']}/cancel")
