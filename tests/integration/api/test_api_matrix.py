"""Who may call what: every route x every role, a narrow key, a dead key and nobody x own, foreign and missing objects.

The tables below are frozen on purpose: a change of who may do what is made here too, or a test fails.
"""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from infra.database import Database
from infra.objects import ObjectStore
from schema.store import api_keys
from tests.integration.api.belongings import NOWHERE, belongings
from tests.integration.api.conftest import Caller, Running, make_key
from tests.integration.api.people import client_of, close_all, join, sign_in
from tests.integration.api.test_api_access import filled, operations
from tests.integration.api.test_api_identity import roomy as roomy

pytestmark = pytest.mark.usefixtures("worker", "roomy")
OPEN = "nobody has to say who they are"
ANY = "any credential"
SESSION = "a person's session"
ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({ANY, SESSION, "runs:read", "documents:read", "members:read"}),
}
ROLES["member"] = ROLES["viewer"] | {"runs:write", "documents:write", "billing:read", "keys:own"}
ROLES["admin"] = ROLES["member"] | {"billing:admin", "keys:admin", "members:admin", "audit:read"}
ROLES["owner"] = ROLES["admin"] | {"organisation:admin", "data:admin"}
NARROW = frozenset({ANY, "runs:read"})
NEEDS: dict[str, tuple[str, ...]] = {
    "runs:write": (
        "POST /api/v1/runs",
        "POST /api/v1/runs/{run_id}/start",
        "POST /api/v1/runs/{run_id}/retry",
        "POST /api/v1/runs/{run_id}/pause",
        "POST /api/v1/runs/{run_id}/resume",
        "POST /api/v1/runs/{run_id}/cancel",
        "POST /api/v1/runs/{run_id}/finish",
        "POST /api/v1/runs/{run_id}/export",
        "POST /api/v1/dead-letters/{letter_id}/replay",
    ),
    "runs:read": (
        "GET /api/v1/runs/{run_id}/exports",
        "GET /api/v1/exports/{export_id}",
        "GET /api/v1/exports/{export_id}/download",
        "GET /api/v1/theme",
        "GET /api/v1/runs",
        "GET /api/v1/runs/{run_id}",
        "GET /api/v1/runs/{run_id}/status-changes",
        "GET /api/v1/approvals",
        "GET /api/v1/approvals/{approval_id}",
        "GET /api/v1/runs/{run_id}/logs",
        "GET /api/v1/runs/{run_id}/artifacts",
        "GET /api/v1/artifacts/{artifact_id}",
        "GET /api/v1/artifacts/{artifact_id}/download",
        "GET /api/v1/runs/{run_id}/agents",
        "GET /api/v1/agents/{agent_id}",
        "GET /api/v1/runs/{run_id}/tasks",
        "GET /api/v1/runs/{run_id}/steps",
        "GET /api/v1/runs/{run_id}/sources",
        "GET /api/v1/runs/{run_id}/sources/{source_id}",
        "GET /api/v1/runs/{run_id}/claims",
        "GET /api/v1/runs/{run_id}/table",
        "GET /api/v1/tools",
        "GET /api/v1/tool-policy",
        "GET /api/v1/dead-letters",
        "GET /api/v1/retention",
        "GET /api/v1/archives",
        "GET /api/v1/runs/{run_id}/archive",
    ),
    "keys:admin": (
        "POST /api/v1/approvals/{approval_id}/approve",
        "POST /api/v1/approvals/{approval_id}/deny",
        "PUT /api/v1/tool-policy",
    ),
    "documents:write": (
        "POST /api/v1/documents",
        "DELETE /api/v1/documents/{document_id}",
        "POST /api/v1/documents/{document_id}/reindex",
        "POST /api/v1/files",
        "POST /api/v1/files/uploads",
        "GET /api/v1/files/{file_id}/upload",
        "POST /api/v1/files/{file_id}/complete",
        "POST /api/v1/files/{file_id}/reopen",
        "POST /api/v1/files/{file_id}/questions",
        "POST /api/v1/files/{file_id}/relations",
        "DELETE /api/v1/files/{file_id}",
        "PUT /api/v1/domains/{domain}",
        "DELETE /api/v1/domains/{domain}",
    ),
    "documents:read": (
        "GET /api/v1/documents",
        "GET /api/v1/documents/{document_id}",
        "GET /api/v1/files",
        "GET /api/v1/files/{file_id}",
        "GET /api/v1/files/{file_id}/result",
        "GET /api/v1/files/{file_id}/outputs",
        "GET /api/v1/files/{file_id}/questions",
        "GET /api/v1/files/{file_id}/questions/{question_id}",
        "GET /api/v1/domains",
        "GET /api/v1/domains/{domain}",
    ),
    "billing:read": (
        "GET /api/v1/billing/balance",
        "GET /api/v1/billing/ledger",
        "GET /api/v1/billing/usage",
        "GET /api/v1/billing/limits",
    ),
    "billing:admin": (
        "POST /api/v1/billing/purchases",
        "POST /api/v1/billing/refunds",
    ),
    "keys:own": (
        "POST /api/v1/api-keys",
        "GET /api/v1/api-keys",
        "GET /api/v1/api-keys/{key_id}",
        "DELETE /api/v1/api-keys/{key_id}",
        "POST /api/v1/api-keys/{key_id}/rotate",
    ),
    ANY: (
        "GET /api/v1/organisation",
        "GET /api/v1/session",
    ),
    "organisation:admin": (
        "PATCH /api/v1/theme",
        "PATCH /api/v1/organisation",
    ),
    "members:read": (
        "GET /api/v1/members",
        "GET /api/v1/members/{user_id}",
        "GET /api/v1/service-accounts",
    ),
    "members:admin": (
        "PATCH /api/v1/members/{user_id}",
        "DELETE /api/v1/members/{user_id}",
        "POST /api/v1/service-accounts",
        "POST /api/v1/invitations",
        "GET /api/v1/invitations",
        "GET /api/v1/invitations/{invitation_id}",
        "DELETE /api/v1/invitations/{invitation_id}",
    ),
    OPEN: (
        "POST /api/v1/auth/sign-in",
        "POST /api/v1/auth/invitations/accept",
        "GET /api/v1/auth/oidc/start",
        "POST /api/v1/auth/oidc/start",
        "GET /api/v1/auth/oidc/callback",
        "GET /healthz",
        "GET /readyz",
        "GET /problems/{code}",
    ),
    SESSION: (
        "DELETE /api/v1/session",
        "PUT /api/v1/session/organisation",
        "PUT /api/v1/session/password",
        "DELETE /api/v1/session/membership",
        "GET /api/v1/sessions",
        "DELETE /api/v1/sessions",
        "DELETE /api/v1/sessions/{session_id}",
    ),
    "audit:read": (
        "GET /api/v1/audit",
        "GET /api/v1/audit/verification",
    ),
    "data:admin": (
        "PATCH /api/v1/retention",
        "POST /api/v1/erasures",
        "GET /api/v1/erasures",
        "GET /api/v1/erasures/{erasure_id}",
        "POST /api/v1/data-exports",
        "GET /api/v1/data-exports/{data_export_id}",
    ),
    "operator": (
        "GET /codec/sign-in",
        "POST /codec/decode",
    ),
}
NEEDED = {route: needed for needed, routes in NEEDS.items() for route in routes}
BODIES: dict[str, Any] = {
    "POST /api/v1/approvals/{approval_id}/approve": {"arguments_sha256": "0" * 64},
    "PATCH /api/v1/members/{user_id}": {"role": "viewer"},
    "PUT /api/v1/domains/{domain}": {"trust": 0.5},
    "POST /api/v1/runs/{run_id}/export": {"format": "pdf"},
    "POST /api/v1/files/{file_id}/questions": {"question": "How many rows are there?"},
    "POST /api/v1/files/{file_id}/relations": {"files": [f"file_{'0' * 32}"]},
}
"""Where `{}` would be refused before the object is looked for."""
NAMED_BY_THE_CALLER = "PUT /api/v1/domains/{domain}"
"""Each organisation has its own entry for a domain: to set one that another has is no access to it."""
END_THE_SESSION = ("DELETE /api/v1/sessions", "DELETE /api/v1/session", "DELETE /api/v1/session/membership")
"""Come last, each with a session of its own."""


@pytest_asyncio.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close what the tests opened."""
    yield
    await close_all()


async def ask(client: Caller, route: str, ids: dict[str, str]) -> httpx.Response:
    method, _, path = route.partition(" ")
    options: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": BODIES.get(route, {})}
    headers = {"idempotency-key": uuid.uuid4().hex} if method == "POST" else {}
    return await client.request(method, filled(path, ids), headers=headers, **options)


def in_order() -> list[str]:
    """Look first, then change, then take away: what one request removes the next does not miss."""
    order = ("GET", "PUT", "PATCH", "POST", "DELETE")
    routes = [route for route in NEEDED if NEEDED[route] != OPEN and route not in END_THE_SESSION]
    # A run goes through its life before it is cancelled; a key is rotated before it is revoked.
    return sorted(routes, key=lambda route: (order.index(route.split()[0]), route.endswith(("/cancel", "/rotate"))))


def shape(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """Return an answer without what differs between any two."""
    said: dict[str, Any] = answer.json()
    ids = [said.pop("instance"), said.pop("request_id")]
    for part in str(ids[0]).split("/"):
        if len(part) > 12:
            said["detail"] = said["detail"].replace(part, "ID")
    return answer.status_code, said


def test_every_route_has_a_row_and_names_what_the_row_says(api: Running) -> None:
    served = {f"{method} {path}" for method, path in operations(api.app)}
    assert served == set(NEEDED)
    for path, item in api.app.openapi()["paths"].items():
        for method, operation in item.items():
            needed = NEEDED[f"{method.upper()} {path}"]
            said = [entry["ApiKey"] for entry in operation.get("security", ())]
            assert said == {OPEN: [], ANY: [[]], SESSION: [[]]}.get(needed, [[needed]]), (method, path)


async def walk(
    client: Caller, may: frozenset[str], own: dict[str, str], foreign: dict[str, str], *, last: tuple[str, ...] = ()
) -> int:
    """Call every route with own, foreign and missing ids; return how many requests that took."""
    asked = 0
    for route in (*in_order(), *last):
        allowed = NEEDED[route] in may
        kinds: tuple[str, ...] = ("own",)
        if "{" in route and route != NAMED_BY_THE_CALLER:
            # What is refused by role is refused before anything is looked for: a missing one shows no more.
            kinds = ("foreign", "missing", "own") if allowed else ("foreign", "own")
        answers: dict[str, httpx.Response] = {}
        for kind in kinds:
            ids = {"own": own, "foreign": foreign, "missing": NOWHERE}[kind]
            answers[kind] = await ask(client, route, ids)
            asked += 1
        got = {kind: answer.status_code for kind, answer in answers.items()}
        text = {kind: answer.text[:300] for kind, answer in answers.items()}
        if not allowed:
            assert set(got.values()) == {403}, (route, got, text)
            continue
        assert got["own"] < 500, (route, got, text)
        assert got["own"] not in (401, 403, 404, 429), (route, got, text)
        if len(kinds) > 1:
            assert (got["foreign"], got["missing"]) == (404, 404), (route, got, text)
            assert shape(answers["foreign"]) == shape(answers["missing"]), (route, text)
    return asked


@pytest.mark.parametrize("role", list(ROLES))
async def test_a_role_may_do_what_its_row_says(
    api: Running, caller: Caller, other: Caller, owner_db: Database, objects: ObjectStore, role: str
) -> None:
    person = await join(api, caller, role)
    theirs = await join(api, other, "viewer")
    own = await belongings(caller, owner_db, objects, person.user_id)
    foreign = await belongings(other, owner_db, objects, other.org.owner_id)
    second = (await sign_in(api, person.email, transport="bearer")).json()
    own["session_id"], foreign["session_id"] = second["session"]["id"], await session_of(theirs.client)
    assert await walk(person.client, ROLES[role], own, foreign) > 100
    for route in END_THE_SESSION:
        again = (await sign_in(api, person.email, transport="bearer")).json()["token"]
        answer = await ask(client_of(api, caller, again), route, own)
        assert answer.status_code == 204, (route, answer.text)
    if "documents:write" in ROLES[role]:
        again = (await join(api, caller, role)).client
        set_too = await again.put(f"/api/v1/domains/{foreign['domain']}", json={"trust": 0.1})
        assert set_too.status_code == 201, set_too.text
    kept = (await other.get(f"/api/v1/domains/{foreign['domain']}")).json()
    assert (kept["domain"], kept["trust"]) == (foreign["domain"], 0.5)
    for path in ("runs", "documents", "approvals", "archives", "domains"):
        listed = (await other.get(f"/api/v1/{path}")).text
        assert own["run_id"] not in listed


async def session_of(client: Caller) -> str:
    listed: str = (await client.get("/api/v1/sessions")).json()["sessions"][0]["id"]
    return listed


async def test_a_key_may_do_what_its_scopes_say(
    api: Running, caller: Caller, other: Caller, owner_db: Database, objects: ObjectStore
) -> None:
    own = await belongings(caller, owner_db, objects, caller.org.owner_id)
    foreign = await belongings(other, owner_db, objects, other.org.owner_id)
    for ids in (own, foreign):
        ids["session_id"] = NOWHERE["session_id"]
    key = client_of(api, caller, await make_key(owner_db, caller.org, ("runs:read",)))
    assert await walk(key, NARROW, own, foreign, last=END_THE_SESSION) > 100


async def test_nobody_and_a_revoked_key_may_do_nothing(
    api: Running, caller: Caller, anonymous: Caller, owner_db: Database, objects: ObjectStore
) -> None:
    own = await belongings(caller, owner_db, objects, caller.org.owner_id) | {"session_id": NOWHERE["session_id"]}
    text = await make_key(owner_db, caller.org)
    key_id = api_keys.parse_key(text).key_id  # type: ignore[union-attr]
    revoked = await caller.delete(f"/api/v1/api-keys/{key_id}")
    assert revoked.status_code == 200, revoked.text
    for client in (anonymous, client_of(api, caller, text)):
        for route in (*in_order(), *END_THE_SESSION):
            answer = await ask(client, route, own)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), route
    for route in NEEDS[OPEN]:
        answer = await ask(anonymous, route, {"code": "not_found"})
        assert answer.status_code not in (401, 403), route
