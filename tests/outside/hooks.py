"""What Schemathesis loads (SCHEMATHESIS_HOOKS): own and foreign ids in paths, and the checks that only we can make."""

import json
import os
import uuid
from typing import Any

import schemathesis

OWN: dict[str, str] = json.loads(os.environ["FUZZ_OWN"])
FOREIGN: dict[str, str] = json.loads(os.environ["FUZZ_FOREIGN"])
SECRETS: list[str] = json.loads(os.environ["FUZZ_FOREIGN_SEEN"])
"""Ids and texts of the other organisation that no answer to this one may hold, unless the request did."""
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id"}
DESTROYS = {"delete"}
_count = 0


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Mend what no schema can say of a well-formed request, so that it comes further than the first refusal.

    Two in four generated ids become ones that exist. A key of idempotency is used once: with another body it is a
    conflict by contract. A cursor is a token of this API's own, which only a page before it gives.
    """
    global _count
    if case.meta is None or case.meta.phase.name.value == "stateful" or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    (case.query or {}).pop("cursor", None)
    if not case.path_parameters:
        return
    _count += 1
    if (known := (OWN, FOREIGN, None, None)[_count % 4]) is None:
        return
    if known is OWN and case.method.lower() in DESTROYS:
        return
    for name in case.path_parameters:
        if name in known and name != "code":
            case.path_parameters[name] = known[name]


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
