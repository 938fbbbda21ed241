"""Dead letters over HTTP: list, page, replay; a replay is a retry of the run."""

import asyncio

import pytest
from temporalio.client import Client

from infra.database import Database
from schema.states import RunStatus
from schema.store import billing, dead_letters, documents
from tests.integration.api.conftest import Caller, eventually, make_key

pytestmark = pytest.mark.usefixtures("worker")
PATH = "/api/v1/dead-letters"


async def fail(caller: Caller, client: Client, run_id: str) -> None:
    await caller.until(run_id, "running")
    await client.get_workflow_handle(run_id).signal("end", RunStatus.FAILED.value)
    await caller.until(run_id, "failed")


async def record(db: Database, caller: Caller, *, kind: str, subject_id: str, run_id: str | None, attempt: int) -> str:
    async with db.transaction(caller.org.id) as session:
        error = {"code": "provider_unavailable", "detail": "gone"}
        await dead_letters.record(
            session, caller.org.id, kind=kind, subject_id=subject_id, attempt=attempt, error=error, run_id=run_id
        )
        [newest, *_], _ = await dead_letters.list_dead_letters(session, caller.org.id, limit=1)
        return newest.id


async def test_a_failed_run_is_listed_and_replayed_once(caller: Caller, temporal_client: Client, db: Database) -> None:
    run_id = await caller.start()
    await fail(caller, temporal_client, run_id)
    listed = (await caller.get(PATH)).json()
    [letter] = listed["dead_letters"]
    assert listed["next_cursor"] is None
    assert (letter["kind"], letter["subject_id"], letter["run_id"]) == ("run", run_id, run_id)
    assert letter["error"].keys() == {"code", "detail"}
    assert letter["created_at"].endswith("Z")
    assert letter["replayed_at"] is None
    replay = letter["_links"]["replay"]
    assert letter["_links"] == {"run": f"/api/v1/runs/{run_id}", "replay": f"{PATH}/{letter['id']}/replay"}

    first = await caller.post(replay, json={}, idem="again")
    assert first.status_code == 200, first.text
    assert (first.json()["id"], first.json()["status"], first.json()["attempt_number"]) == (run_id, "retrying", 2)
    assert '"credits_reserved":50.00' in first.text
    repeated = await caller.post(replay, json={}, idem="again")
    assert (repeated.content, repeated.headers["idempotent-replayed"]) == (first.content, "true")
    other_key = await caller.post(replay, json={})
    assert (other_key.status_code, other_key.json()["code"]) == (409, "conflict")

    assert (await caller.get(PATH)).json()["dead_letters"] == []
    [kept] = (await caller.get(PATH, params={"replayed": True})).json()["dead_letters"]
    assert (kept["id"], kept["_links"].keys()) == (letter["id"], {"run"})
    assert kept["replayed_at"] is not None

    await fail(caller, temporal_client, run_id)
    [newer] = (await caller.get(PATH)).json()["dead_letters"]
    assert newer["id"] != letter["id"]
    stale = await caller.post(replay, json={})
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    assert "newer" in stale.json()["detail"]
    assert (await caller.post(newer["_links"]["replay"], json={})).json()["attempt_number"] == 3
    await caller.until(run_id, "running")
    await temporal_client.get_workflow_handle(run_id).signal("end", RunStatus.COMPLETED.value)
    assert (await caller.until(run_id, "completed"))["attempt_number"] == 3


async def test_an_agents_letter_retries_its_failed_run(caller: Caller, temporal_client: Client, db: Database) -> None:
    run_id = await caller.start()
    letter = await record(db, caller, kind="agent", subject_id=f"{run_id}/agent/1", run_id=run_id, attempt=1)
    early = await caller.post(f"{PATH}/{letter}/replay")
    assert (early.status_code, early.json()["code"]) == (409, "illegal_transition")
    assert early.json()["current_status"] in ("pending", "running")
    await fail(caller, temporal_client, run_id)
    assert {item["kind"] for item in (await caller.get(PATH)).json()["dead_letters"]} == {"run", "agent"}
    answer = await caller.post(f"{PATH}/{letter}/replay")
    assert (answer.status_code, answer.json()["attempt_number"]) == (200, 2), answer.text
    assert (await caller.get(PATH)).json()["dead_letters"] == []  # One attempt answers all letters of the run.
    assert (await caller.until(run_id, "running"))["attempt_number"] == 2


async def test_concurrent_replays_open_one_attempt(caller: Caller, temporal_client: Client, db: Database) -> None:
    run_id = await caller.start()
    await fail(caller, temporal_client, run_id)
    [letter] = (await caller.get(PATH)).json()["dead_letters"]
    answers = await asyncio.gather(*(caller.post(letter["_links"]["replay"]) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    async with db.transaction(caller.org.id) as session:
        assert await billing.hold_of(session, caller.org.id, run_id, 2) is not None
        assert await billing.hold_of(session, caller.org.id, run_id, 3) is None


async def test_a_replay_without_credits_holds_nothing(caller: Caller, temporal_client: Client, db: Database) -> None:
    run_id = await caller.start()
    await fail(caller, temporal_client, run_id)
    async with db.transaction(caller.org.id) as session:
        left = (await billing.get_balance(session, caller.org.id)).balance_ucr
        await billing.adjust(session, caller.org.id, amount_ucr=-left, idempotency_key="all", description="all")
    [letter] = (await caller.get(PATH)).json()["dead_letters"]
    refused = await caller.post(letter["_links"]["replay"])
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    assert [item["id"] for item in (await caller.get(PATH)).json()["dead_letters"]] == [letter["id"]]


async def test_a_documents_letter_has_it_read_again(caller: Caller, db: Database, owner_db: Database) -> None:
    """A document that was given up could only be uploaded again, and then was found again as failed."""
    files = {"file": ("notes.txt", b"Gallium melts at 29.76 degrees.", "text/plain")}
    [made] = (await caller.post("/api/v1/documents", files=files)).json()["documents"]
    async with db.transaction(caller.org.id) as session:
        assert await documents.give_up(session, caller.org.id, made["id"], code="orchestrator_unavailable", detail="x")
    async with db.transaction(caller.org.id) as session:  # The same again, as a repeated activity does it.
        assert not await documents.give_up(session, caller.org.id, made["id"], code="internal_error", detail="y")
    [letter] = (await caller.get(PATH)).json()["dead_letters"]
    assert (letter["kind"], letter["subject_id"]) == ("document", made["id"])
    assert letter["_links"]["document"] == f"/api/v1/documents/{made['id']}"
    replay = letter["_links"]["replay"]
    async with Caller(str(caller.base_url), caller.org, await make_key(owner_db, caller.org, ("runs:write",))) as weak:
        assert (await weak.post(replay)).status_code == 403
    answer = await caller.post(replay, idem="again")
    assert (answer.status_code, answer.json()["status"]) == (200, "processing"), answer.text
    repeated = await caller.post(replay, idem="again")
    assert (repeated.content, repeated.headers["idempotent-replayed"]) == (answer.content, "true")
    assert (await caller.post(replay)).status_code == 409
    assert (await caller.get(PATH)).json()["dead_letters"] == []
    async with db.transaction(caller.org.id) as session:
        assert await documents.give_up(session, caller.org.id, made["id"], code="internal_error", detail="again")
    [newer] = (await caller.get(PATH)).json()["dead_letters"]
    assert newer["id"] != letter["id"]
    [again] = (await caller.post("/api/v1/documents", files=files)).json()["documents"]
    assert (again["id"], again["status"]) == (made["id"], "processing")
    assert (await caller.get(PATH)).json()["dead_letters"] == []


async def test_a_letter_of_a_deleted_document_is_not_replayed(caller: Caller, db: Database) -> None:
    letter = await record(db, caller, kind="document", subject_id="doc_" + "0" * 32, run_id=None, attempt=1)
    answer = await caller.post(f"{PATH}/{letter}/replay")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_pages_stay_whole_while_letters_are_replayed(
    caller: Caller, temporal_client: Client, db: Database
) -> None:
    first, second = await caller.start(), await caller.start()
    await asyncio.gather(fail(caller, temporal_client, first), fail(caller, temporal_client, second))
    for attempt in range(2, 5):
        await record(db, caller, kind="document", subject_id="doc", run_id=None, attempt=attempt)
    everything = [item["id"] for item in (await caller.get(PATH)).json()["dead_letters"]]
    assert len(everything) == 5
    seen, cursor = [], None
    while True:
        page = (await caller.get(PATH, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [item["id"] for item in page["dead_letters"]]
        if len(seen) == 4:
            replayed = next(item for item in page["dead_letters"] if item["kind"] == "run")
            assert (await caller.post(replayed["_links"]["replay"])).status_code == 200
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == everything
    await eventually(lambda: _is_gone(caller, replayed["id"]))
    for bad in ("x", "YzE6Nw"):
        assert (await caller.get(PATH, params={"cursor": bad})).status_code == 400


async def _is_gone(caller: Caller, letter_id: str) -> bool:
    return letter_id not in {item["id"] for item in (await caller.get(PATH)).json()["dead_letters"]}


async def test_reading_and_replaying_need_their_scopes(caller: Caller, temporal_client: Client) -> None:
    run_id = await caller.start()
    await fail(caller, temporal_client, run_id)
    [letter] = (await caller.get(PATH)).json()["dead_letters"]
    made = (await caller.post("/api/v1/api-keys", json={"name": "reader", "scopes": ["runs:read"]})).json()
    headers = {"authorization": f"Bearer {made['key']}"}
    assert (await caller.get(PATH, headers=headers)).status_code == 200
    refused = await caller.post(letter["_links"]["replay"], headers=headers)
    assert (refused.status_code, refused.json()["missing_scopes"]) == (403, ["runs:write"])
