"""Runs over HTTP: create, start, pause, resume, cancel, retry, finish, read."""

import pytest
from temporalio.client import Client

from infra.database import Database
from schema.states import RunStatus
from schema.store import billing, invariants
from tests.integration.api.conftest import TASK, Caller

pytestmark = pytest.mark.usefixtures("worker")


async def test_create_answers_as_the_contract_shows(caller: Caller) -> None:
    answer = await caller.post(
        "/api/v1/runs",
        json={
            "name": "Research AI market trends",
            "description": "Analyze recent AI market developments",
            "task": "research the latest AI market trends and provide insights",
            "max_agents": 10,
            "max_tokens": 100000,
            "context": {"industry": "AI/ML", "focus": "market trends"},
        },
    )
    assert answer.status_code == 201
    assert '"credits_reserved":50.00' in answer.text
    run = answer.json()
    base = f"/api/v1/runs/{run['id']}"
    assert answer.headers["location"] == base
    assert run["_links"] == {"self": base, "start": f"{base}/start", "cancel": f"{base}/cancel"}
    assert (run["org_id"], run["user_id"], run["status"]) == (caller.org.id, caller.org.owner_id, "created")
    assert run["created_at"].endswith("Z")


async def test_a_run_goes_through_its_life(caller: Caller, temporal_client: Client) -> None:
    made = await caller.create(max_agents=3)
    path = f"/api/v1/runs/{made['id']}"
    started = await caller.post(f"{path}/start", json={})
    assert started.status_code == 200, started.text
    assert started.json()["status"] == "pending"
    assert started.json()["started_at"]
    assert (started.json()["agent_count"], started.json()["tokens_used"]) == (0, 0)
    await caller.until(made["id"], "running")

    paused = await caller.post(f"{path}/pause", json={})
    assert (paused.status_code, paused.json()["status"], paused.json()["agents_paused"]) == (200, "paused", 5)
    assert paused.json()["paused_at"]
    again = await caller.post(f"{path}/pause", json={})
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    assert again.json()["current_status"] == "paused"

    resumed = await caller.post(f"{path}/resume", json={})
    assert (resumed.status_code, resumed.json()["status"]) == (200, "running")
    assert resumed.json()["resumed_at"]

    held = (await caller.get(path)).json()
    assert held["credits_reserved"] == 29.0
    assert {"pause", "cancel", "finish"} <= held["_links"].keys()
    assert not {"start", "resume", "retry"} & held["_links"].keys()

    cancelled = await caller.post(f"{path}/cancel", json={"reason": "enough"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled"), cancelled.text
    assert '"credits_refunded":26.50' in cancelled.text
    assert '"credits_charged":2.50' in cancelled.text
    run = (await caller.get(path)).json()
    assert (run["status"], run["credits_reserved"], run["credits_charged"]) == ("cancelled", 0.0, 2.5)
    assert not {"start", "pause", "resume", "cancel", "retry", "finish"} & run["_links"].keys()
    late = await caller.post(f"{path}/cancel", json={})
    assert late.status_code == 409


async def test_a_created_run_is_cancelled_without_a_workflow(caller: Caller, temporal_client: Client) -> None:
    run = await caller.create()
    answer = await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert '"credits_refunded":0.00' in answer.text
    started = await caller.post(f"/api/v1/runs/{run['id']}/start")
    assert started.status_code == 409


async def test_a_failed_run_is_retried_as_the_next_attempt(
    caller: Caller, temporal_client: Client, db: Database
) -> None:
    run_id = await caller.start()
    await caller.until(run_id, "running")
    await temporal_client.get_workflow_handle(run_id).signal("end", RunStatus.FAILED.value)
    failed = await caller.until(run_id, "failed")
    assert (failed["credits_charged"], failed["credits_released"]) == (0.0, 50.0)
    assert "retry" in failed["_links"]

    retried = await caller.post(f"/api/v1/runs/{run_id}/retry", json={})
    assert retried.status_code == 200, retried.text
    assert (retried.json()["status"], retried.json()["attempt_number"]) == ("retrying", 2)
    assert '"credits_reserved":50.00' in retried.text
    await caller.until(run_id, "running")
    await temporal_client.get_workflow_handle(run_id).signal("end", RunStatus.COMPLETED.value)
    done = await caller.until(run_id, "completed")
    assert (done["attempt_number"], done["credits_charged"]) == (2, 2.5)


async def test_finish_is_accepted(caller: Caller) -> None:
    run_id = await caller.start()
    await caller.until(run_id, "running")
    answer = await caller.post(f"/api/v1/runs/{run_id}/finish")
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert (await caller.post(f"/api/v1/runs/{run_id}/cancel")).status_code == 200


async def test_resume_with_credits_raises_the_hold_once(caller: Caller, db: Database) -> None:
    run_id = await caller.start()
    await caller.until(run_id, "running")
    await caller.post(f"/api/v1/runs/{run_id}/pause")
    body = {"add_credits": 12.5}
    first = await caller.post(f"/api/v1/runs/{run_id}/resume", json=body, idem="more")
    assert first.status_code == 200, first.text
    again = await caller.post(f"/api/v1/runs/{run_id}/resume", json=body, idem="more")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (await caller.get(f"/api/v1/runs/{run_id}")).json()["credits_reserved"] == 62.5
    other_amount = await caller.post(f"/api/v1/runs/{run_id}/resume", json={"add_credits": 1}, idem="more")
    assert other_amount.status_code == 422
    await caller.post(f"/api/v1/runs/{run_id}/cancel")


async def test_max_credits_lowers_the_hold(caller: Caller) -> None:
    run = await caller.create(max_credits=7.25)
    assert run["credits_reserved"] == 7.25
    answer = await caller.get(f"/api/v1/runs/{run['id']}")
    assert '"max_credits":7.25' in answer.text
    assert answer.json()["context"] == {}


async def test_a_start_beyond_the_credits_holds_nothing(caller: Caller, db: Database) -> None:
    run = await caller.create(max_agents=100, max_tokens=10_000_000)
    refused = await caller.post(f"/api/v1/runs/{run['id']}/start", idem="dear")
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    async with db.transaction(caller.org.id) as session:
        assert (await billing.get_balance(session, caller.org.id)).reserved_ucr == 0
    assert (await caller.get(f"/api/v1/runs/{run['id']}")).json()["status"] == "created"
    await caller.post("/api/v1/billing/purchases", json={"credits": 5000})
    # A refusal is not stored: the same key works once the cause is gone.
    started = await caller.post(f"/api/v1/runs/{run['id']}/start", idem="dear")
    assert started.status_code == 200, started.text
    await caller.until(run["id"], "running")
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")


async def test_too_many_live_runs_are_refused_before_any_hold(caller: Caller, owner_db: Database, db: Database) -> None:
    from sqlalchemy import text

    async with owner_db.transaction(caller.org.id) as session:
        await session.execute(text("update organisations set runs_live_max = 1 where id = :id"), {"id": caller.org.id})
    first, second = await caller.create(), await caller.create()
    assert (await caller.post(f"/api/v1/runs/{first['id']}/start")).status_code == 200
    refused = await caller.post(f"/api/v1/runs/{second['id']}/start")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    async with db.transaction(caller.org.id) as session:
        assert (await billing.get_balance(session, caller.org.id)).reserved_ucr == 50_000_000
    await caller.post(f"/api/v1/runs/{first['id']}/cancel")


@pytest.mark.slow
async def test_a_cancel_that_takes_long_answers_202_and_then_200(caller: Caller) -> None:
    from tests.integration.api.stub_run import SLOW

    run_id = await caller.start()
    await caller.until(run_id, "running")
    body = {"reason": SLOW}
    first = await caller.post(f"/api/v1/runs/{run_id}/cancel", json=body, idem="slow")
    assert (first.status_code, first.json()["status"]) == (202, "running"), first.text
    second = await caller.post(f"/api/v1/runs/{run_id}/cancel", json=body, idem="slow")
    assert (second.status_code, second.json()["status"]) == (200, "cancelled"), second.text
    third = await caller.post(f"/api/v1/runs/{run_id}/cancel", json=body, idem="slow")
    assert (third.status_code, third.content) == (200, second.content)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "task"),
        ({"task": ""}, "task"),
        ({"task": "   "}, "task"),
        ({"task": "x" * 100_000}, "task"),
        ({"task": "nul \x00"}, "task"),
        ({"task": 5}, "task"),
        ({"task": TASK, "max_agents": 0}, "max_agents"),
        ({"task": TASK, "max_agents": 10_000}, "max_agents"),
        ({"task": TASK, "max_agents": "10"}, "max_agents"),
        ({"task": TASK, "max_agents": True}, "max_agents"),
        ({"task": TASK, "max_tokens": 1}, "max_tokens"),
        ({"task": TASK, "max_tokens": 2**70}, "max_tokens"),
        ({"task": TASK, "name": "x" * 256}, "name"),
        ({"task": TASK, "max_credits": 0}, "max_credits"),
        ({"task": TASK, "max_credits": 0.0000001}, "max_credits"),
        ({"task": TASK, "max_credits": "NaN"}, "max_credits"),
        ({"task": TASK, "context": {"sources": ["moon"]}}, "context"),
        ({"task": TASK, "context": {"sources": []}}, "context"),
        ({"task": TASK, "context": {"sources": [["web"]]}}, "context"),
        ({"task": TASK, "context": {"max_credits": 1}}, "context"),
        ({"task": TASK, "context": {"big": "x" * 70_000}}, "context"),
        ({"task": TASK, "context": {"deep\x00": 1}}, "context"),
        ({"task": TASK, "context": []}, "context"),
        ({"task": TASK, "status": "completed"}, "status"),
        ({"task": TASK, "org_id": "org_1"}, "org_id"),
        ({"task": TASK, "credits_reserved": 0}, "credits_reserved"),
    ],
)
async def test_bad_fields_are_named(caller: Caller, body: dict[str, object], field: str) -> None:
    answer = await caller.post("/api/v1/runs", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "validation_failed"
    assert field in [error["field"].split(".")[0] for error in problem["errors"]]


@pytest.mark.parametrize(
    "body",
    [b'{"task": "a\\ud800b"}', b'{"task": "ok", "context": {"n": NaN}}', b'{"task": "ok", "context": {"n": 1e999}}'],
)
async def test_json_that_cannot_be_stored_is_refused(caller: Caller, body: bytes) -> None:
    answer = await caller.post("/api/v1/runs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text


async def test_broken_json_and_other_media_types(caller: Caller) -> None:
    broken = await caller.post("/api/v1/runs", content=b'{"task": ', headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "invalid_request")
    form = await caller.post("/api/v1/runs", data={"task": TASK})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_format")


async def test_a_long_unicode_task_is_kept(caller: Caller) -> None:
    task = "Überprüfung 漢字 🦆 " * 900
    run = await caller.create(task=task)
    shown = (await caller.get(f"/api/v1/runs/{run['id']}")).json()
    assert shown["task"] == task.strip()
    assert len(shown["name"]) <= 80


async def test_lists_are_paged_and_filtered(caller: Caller, other: Caller) -> None:
    made = [(await caller.create())["id"] for _ in range(5)]
    await other.create()
    await caller.post(f"/api/v1/runs/{made[0]}/cancel")
    seen, cursor = [], None
    while True:
        page = (await caller.get("/api/v1/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [run["id"] for run in page["runs"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == made[::-1]
    only = (await caller.get("/api/v1/runs", params={"status": "cancelled"})).json()
    assert [run["id"] for run in only["runs"]] == made[:1]
    for bad in ({"cursor": "zzz"}, {"cursor": "YzE6eA"}):
        answer = await caller.get("/api/v1/runs", params=bad)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    for bad in ({"limit": 0}, {"limit": 201}, {"status": "lost"}):
        assert (await caller.get("/api/v1/runs", params=bad)).status_code == 422


async def test_the_books_are_in_order(owner_db: Database, caller: Caller) -> None:
    run_id = await caller.start()
    await caller.until(run_id, "running")
    await caller.post(f"/api/v1/runs/{run_id}/cancel")
    async with owner_db.transaction(caller.org.id) as session:
        assert await invariants.violations(session) == {}
