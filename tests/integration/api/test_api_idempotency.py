"""The Idempotency-Key on the real database: once, the same answer, and never another organisation's."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from infra.database import Database
from schema.store import billing, idempotency, runs
from schema.store.idempotency import Asked, StoredAnswer
from tests.integration.api.conftest import TASK, Caller

pytestmark = pytest.mark.usefixtures("worker")
BODY = {"task": TASK}


@pytest.mark.parametrize("path", ["/runs", "/billing/purchases", "/billing/refunds", "/api-keys", "/documents"])
async def test_a_post_without_a_key_is_refused(caller: Caller, path: str) -> None:
    answer = await caller.post(f"/api/v1{path}", json=BODY, idem=None)
    assert (answer.status_code, answer.json()["code"]) == (400, "missing_idempotency_key")


async def test_commands_need_a_key(caller: Caller) -> None:
    run = await caller.create()
    for command in ("start", "pause", "resume", "cancel", "retry", "finish"):
        answer = await caller.post(f"/api/v1/runs/{run['id']}/{command}", idem=None)
        assert (answer.status_code, answer.json()["code"]) == (400, "missing_idempotency_key")


@pytest.mark.parametrize("key", ["x" * 256, "caf\u00e9", "tab\tbed"])
async def test_an_unusable_key_is_refused(caller: Caller, key: str) -> None:
    headers = {"idempotency-key": key.encode("latin-1")}
    answer = await caller.post("/api/v1/runs", json=BODY, idem=None, headers=headers)
    assert answer.status_code == 400, answer.text


async def test_255_characters_are_a_key(caller: Caller) -> None:
    assert (await caller.post("/api/v1/runs", json=BODY, idem="x" * 255)).status_code == 201


async def test_a_key_on_a_get_is_ignored(caller: Caller) -> None:
    assert (await caller.get("/api/v1/runs", headers={"idempotency-key": "x" * 300})).status_code == 200


async def test_a_repetition_gets_the_stored_bytes(caller: Caller) -> None:
    first = await caller.post("/api/v1/runs", json=BODY, idem="one")
    assert (first.status_code, first.headers.get("idempotent-replayed")) == (201, None)
    # Other white space and another order say the same.
    again = await caller.post(
        "/api/v1/runs",
        content=b'{ "task" : "%s" }' % TASK.encode(),
        idem="one",
        headers={"content-type": "application/json"},
    )
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == first.content
    assert len((await caller.get("/api/v1/runs")).json()["runs"]) == 1


async def test_another_body_is_a_mismatch(caller: Caller) -> None:
    await caller.post("/api/v1/runs", json=BODY, idem="one")
    answer = await caller.post("/api/v1/runs", json={"task": "another"}, idem="one")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


async def test_organisation_and_route_scope_the_key(caller: Caller, other: Caller) -> None:
    mine = await caller.post("/api/v1/runs", json=BODY, idem="shared")
    theirs = await other.post("/api/v1/runs", json=BODY, idem="shared")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    bought = await caller.post("/api/v1/billing/purchases", json={"credits": 1}, idem="shared")
    assert bought.status_code == 201
    second = await caller.create()
    for run_id in (mine.json()["id"], second["id"]):
        answer = await caller.post(f"/api/v1/runs/{run_id}/cancel", idem="shared")
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)


async def test_twenty_at_once_make_one_run_and_one_hold(caller: Caller, db: Database) -> None:
    answers = await asyncio.gather(*(caller.post("/api/v1/runs", json=BODY, idem="rush") for _ in range(20)))
    counts = Counter(answer.status_code for answer in answers)
    assert counts[201] == 1
    assert set(counts) <= {200, 201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.is_success}) == 1
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 409)
    (run,) = (await caller.get("/api/v1/runs")).json()["runs"]

    starts = await asyncio.gather(*(caller.post(f"/api/v1/runs/{run['id']}/start", idem="go") for _ in range(20)))
    assert set(Counter(answer.status_code for answer in starts)) <= {200, 409}
    assert sum(answer.is_success and "idempotent-replayed" not in answer.headers for answer in starts) == 1
    assert {answer.json()["code"] for answer in starts if answer.status_code == 409} <= {"idempotency_in_flight"}
    async with db.transaction(caller.org.id) as session:
        assert (await billing.get_balance(session, caller.org.id)).reserved_ucr == 50_000_000
    await caller.until(run["id"], "running")

    pauses = await asyncio.gather(*(caller.post(f"/api/v1/runs/{run['id']}/pause", idem="halt") for _ in range(10)))
    assert set(Counter(answer.status_code for answer in pauses)) <= {200, 409}
    assert len({answer.content for answer in pauses if answer.is_success}) == 1
    assert {answer.json()["code"] for answer in pauses if answer.status_code == 409} <= {"idempotency_in_flight"}
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")


async def test_twenty_starts_with_their_own_keys_make_one_hold(caller: Caller, db: Database) -> None:
    run = await caller.create()
    starts = await asyncio.gather(*(caller.post(f"/api/v1/runs/{run['id']}/start") for _ in range(20)))
    assert Counter(answer.status_code for answer in starts) == {200: 1, 409: 19}
    async with db.transaction(caller.org.id) as session:
        assert (await billing.get_balance(session, caller.org.id)).reserved_ucr == 50_000_000
    await caller.until(run["id"], "running")
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")


async def test_a_crash_before_the_commit_leaves_nothing(caller: Caller, db: Database) -> None:
    asked = Asked("POST /api/v1/runs", "crash", "f")

    async def work_and_die() -> None:
        async with db.transaction(caller.org.id) as session:
            assert await idempotency.look_up(session, caller.org.id, asked) is None
            await idempotency.store(session, caller.org.id, asked, StoredAnswer(201, "application/json", b"{}"))
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await work_and_die()
    assert (await caller.post("/api/v1/runs", json=BODY, idem="crash")).status_code == 201


async def test_a_command_whose_process_died_is_answered_by_its_repetition(caller: Caller, owner_db: Database) -> None:
    """The Update is through, the answer was not stored: the claim is there, unanswered."""
    run_id = await caller.start()
    await caller.until(run_id, "running")
    first = await caller.post(f"/api/v1/runs/{run_id}/pause", idem="halt")
    async with owner_db.transaction(caller.org.id) as session:
        await session.execute(
            text("update idempotency_keys set status_code = 102, body = '' where org_id = :org and key = 'halt'"),
            {"org": caller.org.id},
        )
    again = await caller.post(f"/api/v1/runs/{run_id}/pause", idem="halt")
    assert (again.status_code, again.content) == (200, first.content)
    assert (await caller.post(f"/api/v1/runs/{run_id}/pause", json={"x": 1}, idem="halt")).status_code == 422
    cancelled = await caller.post(f"/api/v1/runs/{run_id}/cancel", idem="stop")
    async with owner_db.transaction(caller.org.id) as session:
        await session.execute(
            text("update idempotency_keys set status_code = 102, body = '' where org_id = :org and key = 'stop'"),
            {"org": caller.org.id},
        )
    again = await caller.post(f"/api/v1/runs/{run_id}/cancel", idem="stop")
    assert (again.status_code, again.json()) == (200, cancelled.json())


async def test_a_committed_start_whose_workflow_was_lost_is_repaired_by_a_command(caller: Caller, db: Database) -> None:
    run = await caller.create()
    from schema.store.audit import SYSTEM

    async with db.transaction(caller.org.id) as session:
        await runs.start_run(session, caller.org.id, run["id"], SYSTEM)
    answer = await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled"), answer.text


async def test_refusals_are_not_stored(caller: Caller) -> None:
    assert (await caller.post("/api/v1/runs", json={"task": ""}, idem="again")).status_code == 422
    assert (await caller.post("/api/v1/runs", json=BODY, idem="again")).status_code == 201
    run = await caller.create()
    assert (await caller.post(f"/api/v1/runs/{run['id']}/pause", idem="later")).status_code == 409
    await caller.post(f"/api/v1/runs/{run['id']}/start")
    await caller.until(run["id"], "running")
    assert (await caller.post(f"/api/v1/runs/{run['id']}/pause", idem="later")).status_code == 200
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")
