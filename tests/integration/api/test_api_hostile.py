"""Requests that nobody means well with: every answer is a problem that says what to do, and nothing is stored."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from temporalio.client import Client

from infra.database import Database
from schema.policies import REQUEST_BYTES_MAX
from schema.store import billing, reconcile
from tests.integration.api.conftest import TASK, Caller, Running

pytestmark = pytest.mark.usefixtures("worker")
JSON = {"content-type": "application/json"}
DEEP = 100_000


def is_problem(answer: httpx.Response, *statuses: int) -> bool:
    """Tell whether an answer is a problem, and one of those that the caller caused."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "request_id"} <= answer.json().keys()
    return True


BODIES: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "nothing": (b"", (422,)),
    "null": (b"null", (422,)),
    "a list": (b"[]", (422,)),
    "a string": (b'"task"', (422,)),
    "NaN": (b"NaN", (400, 422)),
    "NaN in a field": (b'{"task": "ok", "max_agents": NaN}', (400, 422)),
    "Infinity": (b'{"task": "ok", "max_credits": Infinity}', (400, 422)),
    "-Infinity": (b'{"task": "ok", "max_tokens": -Infinity}', (400, 422)),
    "a huge integer": (b'{"task": "ok", "max_agents": ' + b"9" * 4000 + b"}", (400, 422)),
    "an integer beyond Python's limit": (b'{"task": "ok", "max_agents": ' + b"9" * 5000 + b"}", (400, 422)),
    "a huge exponent": (b'{"task": "ok", "max_credits": 1e308}', (422,)),
    "an overflowing exponent": (b'{"task": "ok", "max_credits": 1e999}', (400, 422)),
    "a tiny amount": (b'{"task": "ok", "max_credits": 0.0000005}', (422,)),
    "a negative amount": (b'{"task": "ok", "max_credits": -1}', (422,)),
    "true as an amount": (b'{"task": "ok", "max_credits": true}', (422,)),
    "an amount with underscores": (b'{"task": "ok", "max_credits": "1_000"}', (422,)),
    "an amount in full width digits": ('{"task": "ok", "max_credits": "５"}'.encode(), (422,)),
    "true as a number": (b'{"task": "ok", "max_agents": true}', (422,)),
    "a number as text": (b'{"task": "ok", "max_agents": "5"}', (422,)),
    "no agents": (b'{"task": "ok", "max_agents": 0}', (422,)),
    "too many agents": (b'{"task": "ok", "max_agents": 10000}', (422,)),
    "a long task": (json.dumps({"task": "x" * 100_000}).encode(), (422,)),
    "an empty task": (b'{"task": ""}', (422,)),
    "a blank task": (b'{"task": " \\t\\n "}', (422,)),
    "a NUL": (b'{"task": "a\\u0000b"}', (422,)),
    "half a surrogate pair": (b'{"task": "\\ud83e"}', (422,)),
    "half a surrogate pair in a key": (b'{"task": "ok", "context": {"\\udc00": 1}}', (422,)),
    "invalid UTF-8": (b'{"task": "\xff\xfe"}', (400,)),
    "overlong UTF-8": (b'{"task": "\xc0\xaf"}', (400,)),
    "the same field twice": (b'{"task": "ok", "max_agents": 1, "max_agents": 100}', (400,)),
    "the same field twice, within": (b'{"task": "ok", "context": {"a": {"b": 1, "b": 2}}}', (400,)),
    "a deep list": (b'{"task": "ok", "context": {"a": ' + b"[" * DEEP + b"]" * DEEP + b"}}", (400, 422)),
    "two documents": (b'{"task": "ok"}{"task": "ok"}', (400,)),
    "a comment": (b'{"task": "ok" /* this */}', (400,)),
    "an unknown field": (b'{"task": "ok", "priority": "high"}', (422,)),
    "a prototype": (b'{"task": "ok", "__proto__": {"admin": true}}', (422,)),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused_and_leaves_nothing(caller: Caller, name: str) -> None:
    body, statuses = BODIES[name]
    assert is_problem(await caller.post("/api/v1/runs", content=body, headers=JSON, idem="one"), *statuses)
    # What was refused is not kept under its key.
    assert (await caller.post("/api/v1/runs", json={"task": TASK}, idem="one")).status_code == 201
    assert len((await caller.get("/api/v1/runs")).json()["runs"]) == 1


@pytest.mark.parametrize("path", ["/api/v1/erasures", "/api/v1/data-exports"])
@pytest.mark.parametrize("user_id", ["\x00", "user_" + "0" * 31 + "\x00", "x" * 101, " "])
async def test_whom_it_is_about_is_an_id(caller: Caller, path: str, user_id: str) -> None:
    """What can be no id of a user never reaches the database, which would break on a NUL."""
    answer = await caller.post(path, json={"user_id": user_id})
    assert is_problem(answer, 422)
    assert answer.json()["errors"][0]["field"] == "user_id"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "x", "a/b;;;"]
)
@pytest.mark.parametrize(
    "body", [b'{"task": "ok"}', b"[" * DEEP, b"\xff\x00", b""], ids=["json", "deep", "bytes", "no"]
)
async def test_another_media_type_is_refused(caller: Caller, kind: str, body: bytes) -> None:
    run = await caller.create()
    for path in ("/api/v1/runs", "/api/v1/billing/purchases", f"/api/v1/runs/{run['id']}/resume"):
        answer = await caller.post(path, content=body, headers={"content-type": kind})
        assert is_problem(answer, 400, 409, 415, 422)


async def test_bodies_in_chunks_are_bounded_and_read(caller: Caller) -> None:
    async def small() -> AsyncIterator[bytes]:
        for part in (b'{"ta', b'sk": "', TASK.encode(), b'"}'):
            yield part

    async def endless() -> AsyncIterator[bytes]:
        yield b'{"task": "'
        for _ in range(2 * REQUEST_BYTES_MAX // 65_536):
            yield b"x" * 65_536

    assert (await caller.post("/api/v1/runs", content=small(), headers=JSON)).status_code == 201
    answer = await caller.post("/api/v1/runs", content=endless(), headers=JSON)
    assert is_problem(answer, 413)


@pytest.mark.parametrize(
    "credits", [0, -1, 0.0000005, 1e308, 1e-7, "NaN", "Infinity", "-0", "1e400", True, None, [], {}]
)
async def test_no_amount_that_is_none_moves_credits(caller: Caller, db: Database, credits: Any) -> None:
    run = await caller.create()
    for path, body in (
        ("/api/v1/billing/purchases", {"credits": credits}),
        ("/api/v1/billing/refunds", {"credits": credits, "charge_id": "txn_1"}),
        (f"/api/v1/runs/{run['id']}/resume", {"add_credits": credits}),
    ):
        if credits is None and "resume" in path:
            continue
        assert is_problem(await caller.post(path, json=body), 422)
    async with db.transaction(caller.org.id) as session:
        balance = await billing.get_balance(session, caller.org.id)
    assert (balance.balance_ucr, balance.version) == (1_000_000_000, 1)


def sealed(cursor: str) -> str:
    """Return a cursor as a forger makes it."""
    return base64.urlsafe_b64encode(b"c1:" + cursor.encode()).decode().rstrip("=")


async def test_forged_cursors_are_refused_or_harmless(caller: Caller) -> None:
    run = await caller.create()
    paths = (
        "/api/v1/runs",
        "/api/v1/documents",
        "/api/v1/api-keys",
        "/api/v1/dead-letters",
        "/api/v1/billing/ledger",
        "/api/v1/billing/usage",
        f"/api/v1/runs/{run['id']}/steps",
        f"/api/v1/runs/{run['id']}/claims",
    )
    zero = "0" * 32
    forged = (
        "run_" + "f" * 32,
        "9" * 18,
        "0001-01-01T00:00:00+23:59|use_" + zero,
        "9999-12-31T23:59:59-23:59|use_" + zero,
        "0001-01-01T00:00:00+14:00|dead_" + zero,
        "2026-01-01T00:00:00+00:00|use_" + zero,
        "999999999|999999999|999999999|step_" + zero,
        "4294967296|1|1|step_" + zero,
        "' or 1=1 --",
        "",
        "x" * 300,
    )
    for path in paths:
        for cursor in (*map(sealed, forged), "%00", "\u00fc", "=", "c1:", "YzE6", "A" * 600):
            answer = await caller.get(path, params={"cursor": cursor})
            assert answer.status_code in (200, 400, 404, 422), (path, cursor, answer.text)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/v1/organisation", {"name": "0", "monthly_limit": False}),
        ("PUT", "/api/v1/domains/e.example", {"trust": True}),
        ("PUT", "/api/v1/domains/e.example", {"trust": "0.5"}),
        ("POST", "/api/v1/api-keys", {"name": "k", "scopes": ["runs:read"], "expires_at": 4_102_444_800}),
        ("POST", "/api/v1/api-keys", {"name": "k", "scopes": ["runs:read"], "expires_at": "4102444800"}),
        ("GET", "/api/v1/audit?to=0.5", None),
        ("GET", "/api/v1/audit?from=1700000000", None),
    ],
)
async def test_nothing_is_taken_for_something_else(caller: Caller, method: str, path: str, body: Any) -> None:
    """False is no limit of 0, true no trust of 1, and a number no time."""
    headers = {"idempotency-key": uuid.uuid4().hex} if method == "POST" else {}
    assert is_problem(await caller.request(method, path, json=body, headers=headers), 422)


@pytest.mark.parametrize("name", ["header", "query"])
async def test_a_last_event_id_that_is_none_is_refused(caller: Caller, name: str) -> None:
    run = await caller.create()
    await caller.post(f"/api/v1/runs/{run['id']}/cancel")
    path = f"/api/v1/runs/{run['id']}/logs?stream=true"
    for given in ("x", "-1", "1.5", "1e3", "9" * 19, "0x1", "1; drop", "\u0661", "NaN"):
        if name == "header":
            answer = await caller.get(path, headers={"last-event-id": given.encode()})
        else:
            answer = await caller.get(path, params={"last_event_id": given, "stream": "true"})
        assert is_problem(answer, 422)
    beyond = await caller.get(path, headers={"last-event-id": "999999"})
    assert "event: end" in beyond.text


async def test_head_answers_as_get_without_a_body(caller: Caller, api: Running) -> None:
    """405 to what every load balancer and link checker asks with (RFC 9110, 9.1: GET and HEAD must be there)."""
    run = await caller.create()
    for path in ("/healthz", "/readyz", "/api/v1/runs", f"/api/v1/runs/{run['id']}", "/api/v1/openapi.json"):
        answer = await caller.head(path)
        assert (answer.status_code, answer.content) == (200, b""), path
        assert int(answer.headers["content-length"]) > 0
    assert (await caller.head("/api/v1/runs/run_1")).status_code == 404
    async with asyncio.timeout(5):  # A stream has no end; its head has.
        stream = await caller.head(f"/api/v1/runs/{run['id']}/logs?stream=true")
    assert stream.headers["content-type"].startswith("text/event-stream")
    async with httpx.AsyncClient(base_url=api.url) as anonymous:
        assert (await anonymous.head("/api/v1/runs")).status_code == 401


async def test_other_methods_are_named(caller: Caller) -> None:
    run = await caller.create()
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = await caller.request(method, f"/api/v1/runs/{run['id']}")
        assert is_problem(answer, 405)
        assert "GET" in answer.headers["allow"]


async def test_a_key_lives_its_time_and_then_names_a_new_request(
    caller: Caller, db: Database, owner_db: Database, temporal_client: Client
) -> None:
    """The Update's id was made of the key alone: a pause under a key of last week was answered, and never done."""
    run_id = await caller.start()
    await caller.until(run_id, "running")
    path = f"/api/v1/runs/{run_id}"
    first = await caller.post(f"{path}/pause", idem="halt")
    assert (first.status_code, first.json()["status"]) == (200, "paused")
    assert (await caller.post(f"{path}/resume", idem="on")).status_code == 200
    again = await caller.post(f"{path}/pause", idem="halt")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    async with owner_db.transaction(None) as session:
        await session.execute(
            text("update idempotency_keys set created_at = now() - interval '49 h' where org_id = :org"),
            {"org": caller.org.id},
        )
    async with db.transaction(None) as session:
        assert await reconcile.forget_answers(session, older_than=idempotency_kept()) >= 1
    assert (await caller.get(path)).json()["status"] == "running"
    anew = await caller.post(f"{path}/pause", idem="halt")
    assert (anew.status_code, anew.headers.get("idempotent-replayed")) == (200, None)
    assert (await caller.until(run_id, "paused"))["status"] == "paused"
    await caller.post(f"{path}/cancel")


def idempotency_kept() -> Any:
    """Return how long keys are kept."""
    from schema.policies import IDEMPOTENCY_KEPT

    return IDEMPOTENCY_KEPT


async def test_two_bodies_race_under_one_key(caller: Caller) -> None:
    """One wins; the others are told that they are another request, or that it is being answered."""
    tasks = [f"{TASK} {number}" for number in range(10)]
    answers = await asyncio.gather(*(caller.post("/api/v1/runs", json={"task": task}, idem="k") for task in tasks))
    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert len((await caller.get("/api/v1/runs")).json()["runs"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "multipart/form-data"},
        {"content-type": "multipart/form-data; boundary="},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "multipart/form-data; boundary=" + "x" * 5000},
        {"content-type": "multipart/mixed; boundary=x"},
        {"content-type": "application/json"},
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\n", b"\x00" * 100, b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc'],
)
async def test_broken_uploads_are_refused(caller: Caller, headers: dict[str, str], body: bytes) -> None:
    answer = await caller.post("/api/v1/documents", content=body, headers=headers)
    assert is_problem(answer, 400, 413, 415, 422)


async def test_odd_files_are_refused_or_kept_under_a_harmless_name(caller: Caller) -> None:
    content = uuid.uuid4().bytes.hex().encode()
    for name in ("../../etc/passwd", "a\x00b.txt", "\u202etxt.exe", "." * 300, "con", "x" * 2000):
        answer = await caller.post("/api/v1/documents", files={"file": (name, content + name.encode(), "text/plain")})
        assert answer.status_code in (201, 400, 422), answer.text
        if answer.status_code == 201:
            [document] = answer.json()["documents"]
            assert "/" not in document["name"]
            assert len(document["name"]) <= 255
    files = [("file", (f"{n}.txt", b"x%d" % n, "text/plain")) for n in range(101)]
    assert is_problem(await caller.post("/api/v1/documents", files=files), 400, 413, 422)


async def test_what_the_codec_cannot_read_is_said(api: Running, caller: Caller, owner_db: Database) -> None:
    from tests.integration.api.conftest import make_key

    key = await make_key(owner_db, caller.org, ("operator",))
    encrypted = base64.b64encode(b"binary/encrypted").decode()
    async with Caller(api.url, caller.org, key) as operator:
        for body in (
            {"payloads": "x"},
            {"payloads": [1]},
            {"payloads": [{"metadata": {"encoding": "***"}, "data": "***"}]},
            {"payloads": [{"metadata": {"encoding": encrypted}}]},
            {"payloads": [{"metadata": {"encoding": encrypted, "encryption-key-id": "/w=="}, "data": "AAAA"}]},
            {"payloads": [None]},
        ):
            answer = await operator.post("/codec/decode", json=body, idem=None)
            assert answer.status_code in (200, 422), answer.text
            if answer.status_code != 200:
                assert is_problem(answer, 422)


async def test_a_download_in_ranges_is_whole_or_partial_and_never_broken(
    caller: Caller, db: Database, objects: Any
) -> None:
    from schema.store import artifacts
    from schema.store.artifacts import NewArtifact

    run = await caller.create()
    data = b"0123456789" * 100
    ref = await objects.put(f"{caller.org.id}/artifacts/{uuid.uuid4().hex}", data, "text/markdown")
    async with db.transaction(caller.org.id) as session:
        artifact = await artifacts.put_artifact(
            session, caller.org.id, run["id"], NewArtifact("a.md", "text/markdown", ref)
        )
    path = f"/api/v1/artifacts/{artifact}/download"
    for given in (
        "bytes=0-9",
        "bytes=-5",
        "bytes=990-",
        "bytes=5000-",
        "bytes=9-1",
        "lines=1-2",
        "bytes=",
        "bytes=0-1,5-6",
    ):
        answer = await caller.get(path, headers={"range": given})
        assert answer.status_code in (200, 206, 416)
        if answer.status_code == 200:
            assert answer.content == data
    whole = await caller.get(path)
    assert (await caller.get(path, headers={"if-none-match": "*"})).status_code == 304
    assert (await caller.get(path, headers={"if-none-match": whole.headers["etag"]})).status_code == 304
    assert (await caller.head(path)).headers["content-length"] == str(len(data))


async def test_headers_that_are_odd_break_nothing(caller: Caller) -> None:
    for headers in (
        {"x-request-id": "a" * 500},
        {"x-request-id": "<script>"},
        {"accept": "application/xml"},
        {"user-agent": "\u00fc\u6f22".encode()},
        {"content-encoding": "gzip"},
        {"expect": "nothing"},
        {"x-forwarded-for": "1.1.1.1, evil"},
    ):
        answer = await caller.post("/api/v1/runs", json={"task": TASK}, headers=headers)
        assert answer.status_code in (201, 400, 406, 415, 417), (headers, answer.text)
        assert "<" not in answer.headers["x-request-id"]


async def test_a_query_parameter_that_no_route_has_is_refused_and_named(caller: Caller) -> None:
    """A slip in a filter's name must not answer with everything."""
    for path in ("/api/v1/runs?statsu=failed", "/api/v1/audit?limit=5&since=2026", "/api/v1/tools?limit=1"):
        answer = await caller.get(path)
        assert is_problem(answer, 422)
        (error,) = answer.json()["errors"]
        assert (error["in"], error["code"]) == ("query", "extra_forbidden")
        assert error["field"] in path
    assert is_problem(await caller.post("/api/v1/runs?dry_run=true", json={"task": TASK}), 422)
    assert (await caller.get("/api/v1/runs")).json()["runs"] == []
