"""What Schemathesis loads (SCHEMATHESIS_HOOKS): own and foreign ids in paths, and the checks that only we can make."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import requests
import schemathesis

_TOLD: dict[str, Any] = json.loads(Path(os.environ["FUZZ"]).read_text())
OWN: dict[str, str] = _TOLD["own"]
FOREIGN: dict[str, str] = _TOLD["foreign"]
SECRETS: list[str] = _TOLD["foreign_seen"]
"""Ids and texts of the other organisation that no answer to this one may hold, unless the request did."""
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id"}
DESTROYS = {"delete"}
CREDITS = {"credits", "max_credits", "add_credits", "monthly_limit"}
CREDENTIAL: str = _TOLD["credential"]
KEY = f"Bearer {_TOLD['key']}"
IN_USE = {"key_id": _TOLD["key_in_use"], "session_id": OWN["session_id"], "user_id": OWN["owner_id"]}
"""What these very requests come with: all that came after its end would be 401, or 403."""
EXPORTS = "POST /api/v1/data-exports"
"""One in eight is of the whole organisation, which grows with the run: the others are of one person."""
NARROWS: dict[str, Any] = {
    "PUT /api/v1/tool-policy": {},
    "PATCH /api/v1/organisation": {"monthly_limit": None},
}
"""What takes back a success of these operations."""
SPENDS = {
    "DELETE /api/v1/session",
    "DELETE /api/v1/sessions",
    "DELETE /api/v1/session/membership",
    "PUT /api/v1/session/password",
}
"""These take something from whoever asks: each time that they do it, it is another person who asks."""
_spare_tokens: list[str] = _TOLD["spare_tokens"]
_spare_sessions: list[str] = _TOLD["spare_sessions"]
_count = 0


@schemathesis.auth(refresh_interval=None)
class Credential:
    """The credential of every request: the key or session of the run, or a spare session for what ends it."""

    def get(self, case: Any, context: Any) -> str | None:
        """Return a token; none where the very point of the case is that there is none, or another."""
        if case.operation.schema.is_security_param_negated(case):
            return None
        return _spare_tokens[-1] if _spare_tokens and case.operation.label in SPENDS else CREDENTIAL

    def set(self, case: Any, data: str, context: Any) -> None:
        """Send it."""
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Mend what no schema can say of a well-formed request, so that it comes further than the first refusal.

    Two in four generated ids become ones that exist. A key of idempotency is used once: with another body it is a
    conflict by contract. A cursor is a token of this API's own, which only a page before it gives.
    """
    global _count
    _spare_the_caller(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    (case.query or {}).pop("cursor", None)
    if isinstance(case.body, dict):
        if case.operation.label == EXPORTS and _count % 8:
            case.body["user_id"] = _somebody()
        _say_what_no_schema_can(case.body)
    _count += 1
    if case.meta.phase.name.value == "stateful" or not case.path_parameters:
        return
    if (known := (OWN, FOREIGN, None, None)[_count % 4]) is None:
        return
    if known is OWN and case.method.lower() in DESTROYS:
        if "session_id" in case.path_parameters:
            case.path_parameters["session_id"] = _spare_session()
        return
    for name in case.path_parameters:
        if name in known:
            case.path_parameters[name] = known[name]


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count who has gone, and undo what narrows later requests: the same body would be refused by state."""
    label = case.operation.label
    if label in SPENDS and response.status_code == 204 and len(_spare_tokens) > 1:
        _spare_tokens.pop()
    if response.status_code == 200 and label in NARROWS:
        method, url = case.method, response.request.url
        _own(method, url, json=NARROWS[label]).raise_for_status()


def _own(method: str, url: str, **more: Any) -> requests.Response:
    """Ask the API outside the run, with the key of the first organisation."""
    headers = {"Authorization": KEY, "Idempotency-Key": uuid.uuid4().hex}
    return requests.request(method, url, headers=headers, timeout=30, **more)


def _spare_session() -> str:
    return _spare_sessions.pop() if _spare_sessions else f"sess_{uuid.uuid4().hex}"


def _somebody() -> str:
    """Make a service account, which can be erased, and return its id."""
    made = _own("POST", f"{_TOLD['url']}/api/v1/service-accounts", json={"name": "somebody", "role": "viewer"})
    made.raise_for_status()
    user_id: str = made.json()["user_id"]
    return user_id


def _spare_the_caller(case: Any) -> None:
    """Have nothing end the key or session of these very requests, or take from their member what it may do."""
    given = case.path_parameters or {}
    for name, used in IN_USE.items():
        if given.get(name) == used and case.method.upper() != "GET":
            given[name] = _spare_session() if name == "session_id" else OWN[name]


def _say_what_no_schema_can(body: dict[str, Any]) -> None:
    """Change, in a well-formed body, what JSON Schema has no words for.

    Six decimals of a binary float; a password that is hard to guess; somebody who is there; an organisation of one's
    own; a time that is still to come; names that differ by more than case and blanks; a list that names members of
    the object beside it.
    """
    if isinstance(body.get("expires_at"), str):
        body["expires_at"] = "2099-12-31T23:59:59Z"
    if isinstance(body.get("new_password"), str):
        body["new_password"] = uuid.uuid4().hex
    if isinstance(body.get("user_id"), str) and _count % 2:
        body["user_id"] = _somebody()
    if isinstance(body.get("org_id"), str) and "transport" not in body:
        body["org_id"] = OWN["org_id"]
    for name in CREDITS & body.keys():
        if isinstance(body[name], float):
            body[name] = max(round(body[name], 6), 0.000001)
    if isinstance(table := body.get("table"), dict):
        table["items"] = [f"{item[:190].strip()} {number}" for number, item in enumerate(table["items"])]
        for number, column in enumerate(table["columns"]):
            column["name"] = f"{column['name'][:70].strip()} {number}"
            if isinstance(allowed := column.get("allowed"), list):
                column["allowed"] = [f"{value[:190].strip()} {place}" for place, value in enumerate(allowed)]
    if isinstance(body.get("output_schema"), dict):
        _drop_required(body["output_schema"])


def _drop_required(node: dict[str, Any]) -> None:
    node.pop("required", None)
    for child in [*(node.get("properties") or {}).values(), node.get("items")]:
        if isinstance(child, dict):
            _drop_required(child)


@schemathesis.check
def refusal_is_a_problem(ctx: Any, response: Any, case: Any) -> None:
    """Everything that is no success parses as RFC 9457, with the documented members."""
    if response.status_code < 400:
        return
    if case.method.upper() == "HEAD":
        return
    media = response.headers.get("content-type", [""])[0]
    assert media == "application/problem+json", f"{response.status_code} is {media!r}"
    body = json.loads(response.content.decode("utf-8"))
    assert set(body) >= PROBLEM, f"lacks {PROBLEM - set(body)}"
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["request_id"] == response.headers["x-request-id"][0]
    for word in ("Traceback", "sqlalchemy", "asyncpg", "site-packages", "SELECT "):
        assert word not in response.text, f"tells of the inside: {word}"


_named: set[str] = set()
"""What requests have named of the other organisation so far."""
SHOWS_WHAT_WAS_NAMED = {"GET /api/v1/audit", "GET /api/v1/domains"}
"""One's own log has the addresses that one asked for, and one's own table the domains that one wrote into it."""


@schemathesis.check
def nothing_of_the_other_tenant(ctx: Any, response: Any, case: Any) -> None:
    """No answer holds an id or a text of the other organisation that the request did not."""
    asked = f"{response.request.url} {response.request.headers} {response.request.body!r}"
    _named.update(word for word in SECRETS if word in asked)
    named = _named if case.operation.label in SHOWS_WHAT_WAS_NAMED else {word for word in SECRETS if word in asked}
    text = response.content.decode("utf-8", "replace")
    for word in SECRETS:
        assert word not in text or word in named, f"the answer tells {word}"
