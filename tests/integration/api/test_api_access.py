"""Every route: anonymous 401, another organisation's object 404, a missing scope 403; keys end at once."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute

from api.app import UNVERSIONED, V1
from infra.database import Database
from infra.objects import ObjectStore
from schema.store import api_keys
from tests.integration.api.belongings import NOWHERE, belongings
from tests.integration.api.conftest import TASK, Caller, Running, make_key

pytestmark = pytest.mark.usefixtures("worker")
OPEN = {
    *("/healthz", "/readyz", "/problems/{code}", "/", "/api/v1/auth/sign-in", "/api/v1/auth/invitations/accept"),
    *("/api/v1/auth/oidc/start", "/api/v1/auth/oidc/callback"),
}
OF_A_PERSON = {
    *("/api/v1/session", "/api/v1/session/organisation", "/api/v1/session/password", "/api/v1/session/membership"),
    *("/api/v1/sessions", "/api/v1/sessions/{session_id}"),
}
"""Answered to a session only (but `GET /session`); see test_api_identity.py and test_api_matrix.py."""


def operations(app: Any) -> list[tuple[str, str]]:
    document = app.openapi()
    return [(method.upper(), path) for path, item in document["paths"].items() for method in item]


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: ids[found[1]], path)


async def test_nobody_gets_in_without_a_key(api: Running, anonymous: Caller) -> None:
    tried = 0
    for method, path in operations(api.app):
        if path in OPEN:
            continue
        answer = await anonymous.request(method, filled(path, NOWHERE), content=b"not even json")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        tried += 1
    assert tried > 35


BODIES: dict[str, Any] = {
    "approve": {"arguments_sha256": "0" * 64},
    "export": {"format": "pdf"},
    "questions": {"question": "How many rows?"},
    "relations": {"files": [f"file_{'0' * 32}"]},
}
"""Where `{}` would be refused before the object is looked for, by the end of the path."""


async def test_every_object_of_another_organisation_is_not_found(
    api: Running, caller: Caller, other: Caller, owner_db: Database, objects: ObjectStore
) -> None:
    ids = await belongings(caller, owner_db, objects, caller.org.owner_id)
    tried = 0
    for method, path in operations(api.app):
        # A domain is named by whoever asks, and is nobody's object until it is set.
        if "{" not in path or path in OPEN | OF_A_PERSON or (method, "{domain}" in path) == ("PUT", True):
            continue
        body = BODIES.get(path.rpartition("/")[2], {})
        options: dict[str, Any] = {"json": body} if method == "POST" else {}
        headers = {"idempotency-key": "k"} if method == "POST" else {}
        foreign = await other.request(method, filled(path, ids), headers=headers, **options)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found"), (method, path, foreign.text)
        for bad in () if "{domain}" in path else ("x", "run_1", "%00", "run_" + "G" * 32):
            answer = await other.request(method, filled(path, dict.fromkeys(ids, bad)), headers=headers, **options)
            assert answer.status_code == 404, (method, path, bad, answer.text)
        tried += 1
    assert tried > 20
    for path in ("/api/v1/runs", "/api/v1/documents"):
        listed = (await other.get(path)).json()
        assert not listed["runs" if "runs" in path else "documents"]


async def test_a_key_does_only_what_its_scopes_allow(api: Running, caller: Caller, owner_db: Database) -> None:
    key = await make_key(owner_db, caller.org, ("runs:read",))
    async with Caller(api.url, caller.org, key) as reader:
        assert (await reader.get("/api/v1/runs")).status_code == 200
        for method, path, body in (
            ("POST", "/api/v1/runs", {"task": TASK}),
            ("GET", "/api/v1/billing/balance", None),
            ("GET", "/api/v1/documents", None),
            ("GET", "/api/v1/api-keys", None),
            ("POST", "/api/v1/billing/purchases", {"credits": 1}),
            ("POST", "/codec/decode", {"payloads": []}),
        ):
            headers = {"idempotency-key": "k"}
            answer = await reader.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
            assert answer.json()["missing_scopes"]


async def test_keys_are_made_shown_once_rotated_and_revoked(api: Running, caller: Caller, db: Database) -> None:
    body = {"name": "ci", "scopes": ["runs:read"]}
    made = await caller.post("/api/v1/api-keys", json=body, idem="mk")
    assert made.status_code == 201, made.text
    key, key_id = made.json()["key"], made.json()["id"]
    replayed = await caller.post("/api/v1/api-keys", json=body, idem="mk")
    assert (replayed.status_code, replayed.json()["key"], replayed.json()["id"]) == (200, None, key_id)
    shown = await caller.get(f"/api/v1/api-keys/{key_id}")
    secret = key.split("_")[2]
    assert secret not in shown.text
    assert secret not in (await caller.get("/api/v1/api-keys")).text

    async with Caller(api.url, caller.org, key) as made_caller:
        assert (await made_caller.get("/api/v1/runs")).status_code == 200
        rotated = await caller.post(f"/api/v1/api-keys/{key_id}/rotate", json={"overlap_s": 3600})
        assert rotated.status_code == 201, rotated.text
        assert (await made_caller.get("/api/v1/runs")).status_code == 200
        revoked = await caller.delete(f"/api/v1/api-keys/{key_id}")
        assert revoked.json()["revoked_at"]
        assert (await made_caller.get("/api/v1/runs")).status_code == 401
        assert (await caller.delete(f"/api/v1/api-keys/{key_id}")).json() == revoked.json()
    async with Caller(api.url, caller.org, rotated.json()["key"]) as new:
        assert (await new.get("/api/v1/runs")).status_code == 200
        assert (await caller.post(f"/api/v1/api-keys/{rotated.json()['id']}/rotate")).status_code == 201
        assert (await new.get("/api/v1/runs")).status_code == 401


async def test_a_key_gives_no_more_than_it_has(api: Running, caller: Caller, owner_db: Database) -> None:
    beyond = await caller.post("/api/v1/api-keys", json={"name": "x", "scopes": ["operator"]})
    assert (beyond.status_code, beyond.json()["missing_scopes"]) == (403, ["operator"])
    admin = await make_key(owner_db, caller.org, ("keys:admin",))
    strong = await caller.post("/api/v1/api-keys", json={"name": "x", "scopes": ["billing:admin"]})
    async with Caller(api.url, caller.org, admin) as client:
        answer = await client.post(f"/api/v1/api-keys/{strong.json()['id']}/rotate")
        assert answer.status_code == 403
    for body in ({"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]}, {"name": "", "scopes": ["runs:read"]}):
        assert (await caller.post("/api/v1/api-keys", json=body)).status_code == 422
    for at in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "2099-01-01", "4102444800", 4102444800):
        ended = {"name": "x", "scopes": ["runs:read"], "expires_at": at}
        assert (await caller.post("/api/v1/api-keys", json=ended)).status_code == 422, at


async def test_wrong_keys_are_refused(api: Running, caller: Caller, owner_db: Database) -> None:
    good = caller.key
    assert good is not None
    head, key_id, secret, checksum = good.split("_")
    other_secret = ("A" if secret[0] != "A" else "B") + secret[1:]
    body = f"{head}_{key_id}_{other_secret}"
    forged = f"{body}_{api_keys._checksum(body)}"
    soon = datetime.now(UTC) + timedelta(milliseconds=1)
    async with owner_db.transaction(caller.org.id) as session:
        _, expired = await api_keys.create_key(
            session, caller.org.id, user_id=caller.org.owner_id, name="old", scopes=["runs:read"], expires_at=soon
        )
    for key in (forged, f"{head}_{key_id}_{other_secret}_{checksum}", expired, "x", good + "x", good[:-1], "sk___"):
        async with Caller(api.url, caller.org, key) as client:
            answer = await client.get("/api/v1/runs")
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), key
    for header in ("", "Bearer", f"Basic {good}", good):
        answer = await caller.get("/api/v1/runs", headers={"authorization": header})
        assert answer.status_code == 401


def test_every_route_is_in_the_document(api: Running) -> None:
    served = {
        (method, prefix + route.path_format)
        for prefix, modules in (("/api/v1", V1), ("", UNVERSIONED))
        for module in modules
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert served - set(operations(api.app)) == {("GET", "/")}
    assert set(operations(api.app)) <= served
