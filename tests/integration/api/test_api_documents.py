"""Documents, artifacts, billing, tools and the codec over HTTP."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.api.common.v1 import Payload

from infra.codec import EncryptionCodec, Keyring
from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from schema.policies import UPLOAD_BYTES_MAX
from schema.store import api_keys, artifacts, billing
from schema.store.artifacts import NewArtifact
from schema.store.billing import UsageItem
from tests.integration.api.conftest import Caller, Running, make_key, serving

pytestmark = pytest.mark.usefixtures("worker")


def part(name: str, content: bytes, kind: str = "text/plain") -> tuple[str, tuple[str, bytes, str]]:
    return "file", (name, content, kind)


async def test_an_upload_of_many_files_is_kept_once(caller: Caller) -> None:
    files = [part("b.txt", b"second"), part("a.md", b"# first", "text/markdown"), part("c.txt", b"second")]
    first = await caller.post("/api/v1/documents", files=files, idem="up")
    assert first.status_code == 201, first.text
    made = first.json()["documents"]
    assert [document["name"] for document in made] == ["b.txt", "a.md", "b.txt"]
    assert made[0]["id"] == made[2]["id"]
    assert made[0]["sha256"] == hashlib.sha256(b"second").hexdigest()
    # Another boundary, the same files: a repetition.
    again = await caller.post("/api/v1/documents", files=files, idem="up")
    assert (again.status_code, again.headers["idempotent-replayed"], again.content) == (200, "true", first.content)
    changed = await caller.post("/api/v1/documents", files=[part("b.txt", b"third")], idem="up")
    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_mismatch")
    listed = (await caller.get("/api/v1/documents")).json()["documents"]
    assert len(listed) == 2
    shown = await caller.get(made[0]["_links"]["self"])
    assert shown.json()["id"] == made[0]["id"]
    assert (await caller.delete(made[0]["_links"]["self"])).status_code == 204
    assert (await caller.get(made[0]["_links"]["self"])).status_code == 404


async def test_bad_uploads_are_refused(caller: Caller) -> None:
    async def post(**more: Any) -> tuple[int, str]:
        answer = await caller.post("/api/v1/documents", **more)
        return answer.status_code, answer.json()["code"]

    assert await post(json={}) == (415, "unsupported_format")
    assert await post(files=[("other", ("a.txt", b"x", "text/plain"))]) == (422, "validation_failed")
    assert await post(files=[part("a.txt", b"")]) == (422, "validation_failed")
    assert await post(data={"file": "text"}, files=[part("a.txt", b"x")]) == (422, "validation_failed")
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert await post(content=b"--y\r\n", headers=broken) == (400, "invalid_request")
    assert await post(content=b"", headers=broken) in ((422, "validation_failed"), (400, "invalid_request"))
    large = b"x" * (UPLOAD_BYTES_MAX + 1)
    assert await post(files=[part("a.txt", large)]) == (413, "payload_too_large")


async def test_bodies_are_bounded_whatever_they_declare(caller: Caller) -> None:
    async def parts() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    for content in (b"x" * 2_000_000, parts()):
        answer = await caller.post("/api/v1/runs", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


async def test_an_artifact_is_listed_linked_and_downloaded(caller: Caller, db: Database, objects: ObjectStore) -> None:
    run = await caller.create()
    content = "# Bericht ✓\n".encode() * 40_000
    ref = await objects.put(f"{caller.org.id}/report/{hashlib.sha256(content).hexdigest()}", content, "text/markdown")
    async with db.transaction(caller.org.id) as session:
        artifact_id = await artifacts.put_artifact(
            session, caller.org.id, run["id"], NewArtifact('r"é\r\n.md', "text/markdown", ref)
        )
    listed = (await caller.get(f"/api/v1/runs/{run['id']}/artifacts")).json()["artifacts"]
    assert [(each["id"], each["file_size_bytes"]) for each in listed] == [(artifact_id, len(content))]
    (shown,) = (await caller.get(f"/api/v1/runs/{run['id']}")).json()["artifacts"]
    assert shown.keys() == {"id", "name", "mime_type", "s3_url"}
    async with httpx.AsyncClient() as anybody:
        linked = await anybody.get(shown["s3_url"])
        assert linked.content == content
        assert linked.headers["content-disposition"].startswith("attachment")
    download = await caller.get(listed[0]["_links"]["download"])
    assert download.content == content
    assert download.headers["content-type"].startswith("text/markdown")
    assert download.headers["x-content-type-options"] == "nosniff"
    disposition = download.headers["content-disposition"]
    assert disposition.startswith("attachment;")
    assert "\r" not in disposition
    assert disposition.endswith("filename*=UTF-8''r%22%C3%A9%0D%0A.md")
    etag = download.headers["etag"]
    assert etag == f'"{hashlib.sha256(content).hexdigest()}"'
    unchanged = await caller.get(listed[0]["_links"]["download"], headers={"if-none-match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_an_artifact_whose_object_is_lost_is_a_problem(caller: Caller, db: Database) -> None:
    from schema.contracts.common import ObjectRef

    run = await caller.create()
    ref = ObjectRef(key=f"{caller.org.id}/none", sha256="0" * 64, size_bytes=1)
    async with db.transaction(caller.org.id) as session:
        artifact_id = await artifacts.put_artifact(
            session, caller.org.id, run["id"], NewArtifact("a.md", "text/markdown", ref)
        )
    answer = await caller.get(f"/api/v1/artifacts/{artifact_id}/download")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_credits_are_bought_read_and_given_back(caller: Caller, db: Database) -> None:
    balance = await caller.get("/api/v1/billing/balance")
    assert '"available":1000.00' in balance.text
    bought = await caller.post("/api/v1/billing/purchases", json={"credits": 12.345678}, idem="buy")
    assert bought.status_code == 201
    assert '"amount":12.345678' in bought.text
    assert '"balance_after":1012.345678' in bought.text
    again = await caller.post("/api/v1/billing/purchases", json={"credits": 12.345678}, idem="buy")
    assert (again.status_code, again.content) == (200, bought.content)

    run_id = await caller.start()
    async with db.transaction(caller.org.id) as session:
        item = UsageItem(f"{run_id}:1:1:1:tool", "tool", "web.fetch", 3 * 10**12, calls=1)
        await billing.meter(session, caller.org.id, run_id=run_id, attempt=1, agent_number=1, items=[item])
    await caller.until(run_id, "running")
    usage = await caller.get("/api/v1/billing/usage", params={"run_id": run_id})
    assert usage.json()["totals"][0]["credits"] == 3.0
    assert '"credits":3.00' in usage.text
    assert '"credits_used":3.00' in (await caller.get(f"/api/v1/runs/{run_id}")).text
    await caller.post(f"/api/v1/runs/{run_id}/cancel")
    ledger = (await caller.get("/api/v1/billing/ledger", params={"run_id": run_id})).json()["entries"]
    assert [entry["type"] for entry in ledger] == ["release", "charge", "hold"]
    charge = ledger[1]
    too_much = {"charge_id": charge["id"], "credits": charge["amount"] + 1}
    assert (await caller.post("/api/v1/billing/refunds", json=too_much)).status_code == 409
    back = await caller.post("/api/v1/billing/refunds", json={"charge_id": charge["id"], "credits": 1})
    assert (back.status_code, back.json()["reverses_id"]) == (201, charge["id"])
    assert (await caller.post("/api/v1/billing/refunds", json={"charge_id": "txn_x", "credits": 1})).status_code == 404
    pages, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await caller.get("/api/v1/billing/ledger", params=params)).json()
        pages += [entry["version"] for entry in page["entries"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert pages == list(range(len(pages), 0, -1))


@pytest.mark.parametrize("amount", [0, -1, "x", 1e300, 0.00000001, None, True, "NaN", 10**10])
async def test_unusable_amounts_are_refused(caller: Caller, amount: object) -> None:
    answer = await caller.post("/api/v1/billing/purchases", json={"credits": amount})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("cursor", ["9999-99-99T00:00:00+00:00|use_" + "0" * 32, "2026-01-01T00:00:00|use_" + "0" * 32])
async def test_invented_times_in_a_cursor_are_refused(caller: Caller, cursor: str) -> None:
    token = base64.urlsafe_b64encode(b"c1:" + cursor.encode()).decode()
    answer = await caller.get("/api/v1/billing/usage", params={"cursor": token})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_tools_are_listed(caller: Caller) -> None:
    tools = (await caller.get("/api/v1/tools")).json()["tools"]
    assert {"corpus.search", "document.read", "web.fetch"} <= {tool["name"] for tool in tools}
    assert all(tool["input_schema"]["additionalProperties"] is False for tool in tools)


async def test_problems_explain_themselves(caller: Caller) -> None:
    answer = await caller.get("/api/v1/runs/run_x")
    explained = await caller.get(answer.json()["type"])
    assert (explained.status_code, explained.json()["code"], explained.json()["status"]) == (200, "not_found", 404)
    assert (await caller.get("/problems/none")).status_code == 404
    for path in ("/api/v1/nothing", "/nothing", "/api/v2/runs"):
        lost = await caller.get(path)
        assert (lost.status_code, lost.headers["content-type"]) == (404, "application/problem+json")
    wrong = await caller.put("/api/v1/runs", json={})
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]


async def test_every_answer_has_an_id_and_safe_headers(caller: Caller) -> None:
    given = await caller.get("/api/v1/runs", headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    made = await caller.get("/nothing", headers={"x-request-id": "bad id"})
    assert made.headers["x-request-id"].startswith("req_")
    assert made.json()["request_id"] == made.headers["x-request-id"]
    for answer in (given, made):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_operators_read_payloads_and_nobody_else_does(
    api_settings: Settings, caller: Caller, owner_db: Database
) -> None:
    key = Keyring.generate("k1")
    origin = "http://127.0.0.1:8233"
    settings = api_settings.model_copy(update={"payload_keys": SecretStr(key), "temporal_ui_url": f"{origin}/x"})
    operator = await make_key(owner_db, caller.org, api_keys.ALL_SCOPES)
    plain = {
        "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
        "data": base64.b64encode(b'"s"').decode(),
    }
    async with serving(settings) as running, Caller(running.url, caller.org, operator) as client:
        [payload] = await EncryptionCodec(Keyring.parse(key)).encode([json_format.ParseDict(plain, Payload())])
        sealed = {"payloads": [json_format.MessageToDict(payload)]}
        assert base64.b64decode(sealed["payloads"][0]["metadata"]["encoding"]) == b"binary/encrypted"
        assert (await client.post("/codec/encode", json=sealed, idem=None)).status_code in (404, 405)
        opened = await client.post("/codec/decode", json=sealed, headers={"origin": origin}, idem=None)
        assert opened.json() == {"payloads": [plain]}
        assert opened.headers["access-control-allow-origin"] == origin
        assert opened.headers["access-control-allow-credentials"] == "true"
        async with owner_db.transaction(caller.org.id) as session:
            query = "select details ->> 'payloads' from audit_logs where org_id = :o and action = 'payloads.decoded'"
            assert list((await session.execute(text(query), {"o": caller.org.id})).scalars()) == ["1"]
        elsewhere = await client.post("/codec/decode", json=sealed, headers={"origin": "https://evil.test"}, idem=None)
        assert "access-control-allow-origin" not in elsewhere.headers
        preflight = {"origin": origin, "access-control-request-method": "POST"}
        preflight["access-control-request-headers"] = "authorization,content-type,x-namespace"
        asked = await client.options("/codec/decode", headers=preflight)
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, origin)
        runs = await client.options("/api/v1/runs", headers=preflight)
        assert "access-control-allow-origin" not in runs.headers
        tampered = json.loads(json.dumps(sealed))
        tampered["payloads"][0]["data"] = base64.b64encode(b"x" * 40).decode()
        for bad in (tampered, {"payloads": 5}):
            assert (await client.post("/codec/decode", json=bad, idem=None)).status_code == 422
        async with Caller(running.url, caller.org, caller.key) as tenant:
            assert (await tenant.post("/codec/decode", json=sealed, idem=None)).status_code == 403


async def test_a_browser_signs_in_to_the_codec_and_to_nothing_else(
    api: Running, caller: Caller, owner_db: Database
) -> None:
    operator = await make_key(owner_db, caller.org, api_keys.ALL_SCOPES)
    async with httpx.AsyncClient(base_url=api.url) as browser:
        asked = await browser.get("/codec/sign-in")
        assert (asked.status_code, asked.headers["www-authenticate"].count("Basic realm=")) == (401, 1)
        assert (await browser.get("/codec/sign-in", auth=("operator", operator))).status_code == 200
        decoded = await browser.post("/codec/decode", json={"payloads": []}, auth=("", operator))
        assert (decoded.status_code, decoded.json()) == (200, {})
        for bad in ("Basic", "Basic !", "Basic bm9uZQ==", "Basic //79", f"Basic {operator}"):
            assert (await browser.get("/codec/sign-in", headers={"authorization": bad})).status_code == 401, bad
        assert (await browser.get("/codec/sign-in", auth=("tenant", str(caller.key)))).status_code == 403
        other = await browser.get("/api/v1/runs", auth=("operator", operator))
        assert (other.status_code, "Basic" in other.headers["www-authenticate"]) == (401, False)


async def test_the_root_leads_to_the_document(api: Running) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (307, "/api/v1/openapi.json")
