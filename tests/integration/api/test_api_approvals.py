"""Policies and approvals over the API: who may, exactly what, and that a decision is made once."""

import pytest

from infra.database import Database
from schema.contracts.policy import call_digest
from tests.integration.api.conftest import TASK, Caller, Running, make_key
from tests.integration.api.waiting_calls import ARGUMENTS, wait_for

pytestmark = pytest.mark.usefixtures("worker")


async def test_policy_is_read_set_and_checked(caller: Caller) -> None:
    path = "/api/v1/tool-policy"
    default = (await caller.get(path)).json()
    assert default == {
        "tools": None, "free_browsing": False, "require_approval": [], "approval_expires_s": 604_800, "canaries": 0,
    }  # fmt: skip
    for bad in (
        {"tools": []},
        {"tools": ["web.fetch", "web.fetch"]},
        {"tools": ["web_fetch"]},
        {"require_approval": ["nothing.here"]},
        {"canaries": ["short"]},
        {"approval_expires_s": 0},
        {"approval_expires_s": 31 * 86_400},
        {"free_browsing": "yes"},
        {"else": 1},
    ):
        assert (await caller.put(path, json=bad)).status_code == 422, bad
    policy = {"tools": ["web.fetch", "corpus.search", "mcp.wiki_search"], "require_approval": ["web.fetch"]}
    answer = await caller.put(path, json={**policy, "canaries": ["a-planted-text"]})
    assert answer.status_code == 200
    assert (await caller.get(path)).json() == default | policy | {"canaries": 1}
    assert "planted" not in answer.text


async def test_a_run_chooses_among_what_the_organisation_allows(caller: Caller) -> None:
    run = await caller.create(tools=["corpus.search"], require_approval=["corpus.search"], free_browsing=True)
    policy = (await caller.get(f"/api/v1/runs/{run['id']}")).json()["tool_policy"]
    assert (policy["tools"], policy["require_approval"]) == (["corpus.search"], ["corpus.search"])
    assert policy["free_browsing"] is False, "a run does not open what the organisation has closed"
    for bad in ({"tools": []}, {"tools": ["shell.run"]}, {"require_approval": ["x"]}, {"tools": "web.fetch"}):
        answer = await caller.post("/api/v1/runs", json={"task": TASK, **bad})
        assert answer.status_code == 422, bad
    await caller.put("/api/v1/tool-policy", json={"tools": ["corpus.search"]})
    answer = await caller.post("/api/v1/runs", json={"task": TASK, "tools": ["corpus.search", "web.fetch"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "web.fetch" in answer.json()["detail"]
    run = await caller.create()
    assert (await caller.get(f"/api/v1/runs/{run['id']}")).json()["tool_policy"]["tools"] == ["corpus.search"]


async def test_a_call_is_approved_once_as_it_was_read(caller: Caller, db: Database) -> None:
    run_id = await caller.start()
    shown = await wait_for(db, caller, run_id)
    assert shown["arguments"] == ARGUMENTS
    assert shown["arguments_sha256"] == call_digest("web.fetch", "2", shown["arguments_json"])
    listed = (await caller.get("/api/v1/approvals", params={"status": "pending", "run_id": run_id})).json()
    assert [each["id"] for each in listed["approvals"]] == [shown["id"]]
    path = f"/api/v1/approvals/{shown['id']}"
    assert (await caller.post(f"{path}/approve", json={})).status_code == 422
    other = await caller.post(f"{path}/approve", json={"arguments_sha256": "0" * 64})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    seen = {"arguments_sha256": shown["arguments_sha256"], "note": "read it"}
    assert (await caller.post(f"{path}/approve", json=seen, idem=None)).status_code == 400
    first = await caller.post(f"{path}/approve", json=seen, idem="one")
    assert (first.status_code, first.json()["status"]) == (200, "approved")
    again = await caller.post(f"{path}/approve", json=seen, idem="one")
    assert (again.headers["idempotent-replayed"], again.content) == ("true", first.content)
    anew = await caller.post(f"{path}/approve", json=seen, idem="two")
    assert anew.json() == first.json(), "the same decision again changes nothing"
    denied = await caller.post(f"{path}/deny", json={})
    assert (denied.status_code, denied.json()["approval_status"]) == (409, "approved")


async def test_denied_and_paged(caller: Caller, db: Database) -> None:
    run_id = await caller.start()
    waits = [await wait_for(db, caller, run_id, step) for step in range(3)]
    assert (await caller.post(f"/api/v1/approvals/{waits[0]['id']}/deny")).json()["status"] == "denied"
    found, cursor = list[str](), None
    while True:
        page = (
            await caller.get("/api/v1/approvals", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        ).json()
        found += [each["id"] for each in page["approvals"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == [each["id"] for each in reversed(waits)]
    await caller.post(f"/api/v1/runs/{run_id}/cancel", json={})
    await caller.until(run_id, "cancelled")
    left = (await caller.get("/api/v1/approvals", params={"run_id": run_id})).json()["approvals"]
    assert [each["status"] for each in left] == ["cancelled", "cancelled", "denied"]
    late = await caller.post(
        f"/api/v1/approvals/{waits[1]['id']}/approve", json={"arguments_sha256": waits[1]["arguments_sha256"]}
    )
    assert late.status_code == 409


async def test_whoever_starts_runs_does_not_decide(
    api: Running, caller: Caller, owner_db: Database, db: Database
) -> None:
    run_id = await caller.start()
    shown = await wait_for(db, caller, run_id)
    key = await make_key(owner_db, caller.org, ("runs:read", "runs:write"))
    async with Caller(api.url, caller.org, key) as member:
        assert (await member.get(f"/api/v1/approvals/{shown['id']}")).status_code == 200
        seen = {"arguments_sha256": shown["arguments_sha256"]}
        for path, body in (("approve", seen), ("deny", {})):
            assert (await member.post(f"/api/v1/approvals/{shown['id']}/{path}", json=body)).status_code == 403
        assert (await member.put("/api/v1/tool-policy", json={})).status_code == 403
