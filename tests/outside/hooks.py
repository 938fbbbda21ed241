"""What Schemathesis loads (SCHEMATHESIS_HOOKS): own and foreign ids in paths, and the checks that only we can make."""

import json
import os
import uuid
from typing import Any

import requests
import schemathesis
from schemathesis.transport.serialization import Binary

OWN: dict[str, str] = json.loads(os.environ["FUZZ_OWN"])
FOREIGN: dict[str, str] = json.loads(os.environ["FUZZ_FOREIGN"])
SECRETS: list[str] = json.loads(os.environ["FUZZ_FOREIGN_SEEN"])
"""Ids and texts of the other organisation that no answer to this one may hold, unless the request did."""
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id"}
DESTROYS = {"delete"}
CREDITS = {"credits", "max_credits", "add_credits", "monthly_limit"}
KEY = f"Bearer {os.environ['FUZZ_KEY']}"
KEY_IN_USE = os.environ["FUZZ_KEY_ID"]
_count = 0


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Mend what no schema can say of a well-formed request, so that it comes further than the first refusal.

    Two in four generated ids become ones that exist. A key of idempotency is used once: with another body it is a
    conflict by contract. A cursor is a token of this API's own, which only a page before it gives.
    """
    global _count
    _spare_the_key(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    (case.query or {}).pop("cursor", None)
    if isinstance(case.body, dict):
        _say_what_no_schema_can(case.body)
    if case.meta.phase.name.value == "stateful" or not case.path_parameters:
        return
    _count += 1
    if (known := (OWN, FOREIGN, None, None)[_count % 4]) is None:
        return
    if known is OWN and case.method.lower() in DESTROYS:
        return
    for name in case.path_parameters:
        if name in known and name != "code":
            case.path_parameters[name] = known[name]


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Undo a policy that narrows what later runs may ask for: the same body would be refused by state."""
    if case.operation.label == "PUT /api/v1/tool-policy" and response.status_code == 200:
        requests.put(response.request.url, json={}, headers={"Authorization": KEY}, timeout=30).raise_for_status()


def _spare_the_key(case: Any) -> None:
    """Have nothing revoke or rotate the key of these very requests: all that came after would be 401."""
    if (case.path_parameters or {}).get("key_id") == KEY_IN_USE and case.method.upper() != "GET":
        case.path_parameters["key_id"] = OWN["key_id"]


def _say_what_no_schema_can(body: dict[str, Any]) -> None:
    """Change, in a well-formed body, what JSON Schema has no words for.

    Six decimals of a binary float; a time that is still to come; a file that is not empty; names that differ by more
    than case and blanks; a list that names members of the object beside it.
    """
    if isinstance(body.get("expires_at"), str):
        body["expires_at"] = "2099-12-31T23:59:59Z"
    if isinstance(files := body.get("file"), list):
        body["file"] = [file if getattr(file, "data", file) else Binary(b"text") for file in files]
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


@schemathesis.check
def nothing_of_the_other_tenant(ctx: Any, response: Any, case: Any) -> None:
    """No answer holds an id or a text of the other organisation that the request did not."""
    asked = f"{response.request.url} {response.request.headers} {response.request.body!r}"
    text = response.content.decode("utf-8", "replace")
    for word in SECRETS:
        assert word not in text or word in asked, f"the answer tells {word}"
