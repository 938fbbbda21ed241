"""The one boundary between errors and answers: RFC 9457 problem+json for everything that is not a success.

The code decides the status (`schema/errors.py`); here it only gets its form. A `type` is a path of this API that
explains the code, and never changes.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from api.serialisation import encode
from schema.errors import POLICIES, InvalidRequest, Policy, SwissbrainError, UnsupportedFormat, policy_of

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_DEFAULT_S = 5
_RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors", "retry_after"})

HTTP_ONLY: dict[str, Policy] = {
    "method_not_allowed": Policy(405, False, True, "Method not allowed"),
    "not_acceptable": Policy(406, False, True, "Not acceptable"),
}
"""Codes that only the protocol knows."""

_BY_STATUS = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "payload_too_large",
    415: "unsupported_format",
    422: "validation_failed",
    429: "rate_limited",
}

EXPLANATIONS: dict[str, str] = {
    "internal_error": (
        "A fault of the platform. Nothing that needs doing again was lost: repeat the request with the same "
        "Idempotency-Key, and quote `request_id` when you report it."
    ),
    "invalid_request": (
        "The request cannot be read: broken JSON, a bad header or a bad cursor. Mend it and send it again."
    ),
    "missing_idempotency_key": (
        "A POST that creates or moves something needs an `Idempotency-Key` header of 1 to 255 printable ASCII "
        "characters, for example a UUID. Choose one per intended effect and keep it for repetitions."
    ),
    "unauthenticated": (
        "Send `Authorization: Bearer KEY` with a key that exists, has not expired and was not revoked, or sign in "
        "(`POST /api/v1/auth/sign-in`)."
    ),
    "insufficient_credits": (
        "The organisation's available credits do not cover the amount. Nothing was held. Buy credits "
        "(`POST /api/v1/billing/purchases`), or lower `max_agents`, `max_tokens` or `max_credits`."
    ),
    "spending_limit_reached": (
        "The spending limit of this calendar month (UTC) does not cover the amount; `limit_of` says whose: the "
        "`organisation`'s or the `member`'s. Nothing was held. Lower what the run may spend, wait for runs to end or "
        "for the next month, or have the limit raised: by an owner (`PATCH /api/v1/organisation`) or, for a member, "
        "by an administrator (`PATCH /api/v1/members/{user_id}`)."
    ),
    "forbidden": (
        "The caller's role, or the scopes of its key, do not include the operation; `missing_scopes` names what is "
        "missing. Use another key, or ask an administrator for the role. A request with a session's cookie is also "
        "refused where it comes from another site."
    ),
    "tool_not_allowed": "The run may not use this tool.",
    "tool_refused": (
        "The tool policy of the organisation or of the run refused this call of an agent; the detail names the rule. "
        "The agent goes on without it. See `GET /api/v1/tool-policy`."
    ),
    "canary_leaked": (
        "A text that was planted to be seen nowhere was about to leave with a report: the run was ended and costs "
        "nothing. Somebody's text has made the model repeat its instructions; the run's log names the step."
    ),
    "not_found": (
        "The organisation of this key has no such object. Objects of other organisations are not found either."
    ),
    "illegal_transition": (
        "The run's `status` does not allow the command. `GET` the run: `_links` lists the commands that are possible "
        "now."
    ),
    "idempotency_in_flight": (
        "A request with the same Idempotency-Key is being answered. Repeat after `Retry-After` seconds to get its "
        "answer."
    ),
    "conflict": "The object changed, or exists already. Read it again and decide anew.",
    "gone": "The object was deleted by retention or by request; it will not come back.",
    "payload_too_large": "The body, a file or a field is larger than its limit. Send less, or split it.",
    "unsupported_format": "The media type or file format cannot be read. The detail says which ones can.",
    "idempotency_mismatch": (
        "The Idempotency-Key was used before with another request. Choose a new key for a new request."
    ),
    "validation_failed": "At least one field has an unusable value; `errors` lists each with its place and its reason.",
    "blocked_address": "The address is one that outbound requests may not reach.",
    "tool_input_invalid": "The arguments do not fit the tool's input schema; see `GET /api/v1/tools`.",
    "rate_limited": "Too many requests, streams or live runs. Wait `Retry-After` seconds; nothing was held.",
    "provider_unavailable": "A model or search provider failed. The platform tries again by itself.",
    "provider_rate_limited": "A provider asked for fewer requests. The platform tries again by itself.",
    "provider_refused": "A provider refused for good: its key, its model or the request is wrong.",
    "provider_answer_invalid": "A model's answer did not fit, and asking once more did not help.",
    "part_missing": "An optional part of the installation is not here; the detail names the command that brings it.",
    "model_files_invalid": "The files of a local model are not those of this version; install them again.",
    "storage_unavailable": (
        "The database or the object store did not answer. Repeat with the same Idempotency-Key after `Retry-After` "
        "seconds."
    ),
    "orchestrator_unavailable": (
        "Temporal, or a worker, did not answer. Repeat with the same Idempotency-Key after `Retry-After` seconds."
    ),
    "source_temporarily_unavailable": "A page or document did not answer just now. The platform tries again by itself.",
    "sandbox_unavailable": (
        "Files cannot be read, or code not run: no sandbox of the worker is strong enough. The operator is told what "
        "is missing by the worker's log."
    ),
    "source_unavailable": "A page or document answered with an error or is not readable.",
    "invariant_violated": "A fault of the platform that it noticed itself; nothing was written.",
    "ledger_imbalance": "A fault of the platform that it noticed itself; nothing was written.",
    "hold_closed": "The attempt is settled: nothing more can be charged to it or added to it.",
    "method_not_allowed": "The path exists and has no such method; `Allow` lists those it has.",
    "not_acceptable": "The answer cannot be given in the media type that `Accept` asks for.",
}
"""What each code means and what to do: `GET /problems/{code}`."""


def row_of(code: str) -> Policy:
    """Return the row of a code, the protocol's own codes included."""
    return HTTP_ONLY.get(code) or policy_of(code)


def problem_type(code: str) -> str:
    """Return the stable URI reference of a code."""
    return f"/problems/{code}"


def problem(
    scope: Scope,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    retry_after_s: float | None = None,
    errors: Sequence[Mapping[str, Any]] = (),
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the answer of one problem; facts become extension members, and never replace the standard ones.

    A fact named like a standard member (`status` of a run) is given as `current_NAME`.
    """
    row = row_of(code)
    http_status = status or row.http_status
    body: dict[str, Any] = {
        "type": problem_type(code),
        "title": row.title,
        "status": http_status,
        "detail": detail,
        "instance": scope.get("path", ""),
        "code": code,
        "request_id": scope.get("state", {}).get("request_id"),
    }
    for name, value in (facts or {}).items():
        body[f"current_{name}" if name in _RESERVED else name] = value
    if errors:
        body["errors"] = list(errors)
    sent = dict(headers or {})
    if retry_after_s is not None or (row.retryable and http_status in (409, 429, 503)):
        seconds = max(1, math.ceil(RETRY_AFTER_DEFAULT_S if retry_after_s is None else retry_after_s))
        body["retry_after"] = seconds
        sent["Retry-After"] = str(seconds)
    if http_status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="swissbrain"'
    answer = Response(encode(body), status_code=http_status, media_type=MEDIA_TYPE, headers=sent)
    if http_status == 401 and takes_basic(scope):
        # A line of its own: Chromium reads one challenge per line.
        answer.headers.append("WWW-Authenticate", 'Basic realm="swissbrain: the API key is the password"')
    return answer


def takes_basic(scope: Scope) -> bool:
    """Tell whether a request may carry its key as a Basic password: of the codec's, which a browser makes.

    The Temporal Web UI cannot be given a key to send; but a browser that was asked for one sends it along.
    """
    path: str = scope.get("path", "")
    return path.startswith("/codec/")


def problem_of(scope: Scope, error: SwissbrainError) -> Response:
    """Make the answer of one of our errors."""
    row = policy_of(error)
    if not row.expected:
        log.error("request.failed", code=error.code, detail=error.detail, exc_info=error)
    # What went wrong inside is for the log: a caller can do nothing with it, and it may name things of ours.
    shown = (
        error.detail
        if row.http_status != 500 or row.expected
        else EXPLANATIONS.get(error.code, EXPLANATIONS["internal_error"])
    )
    facts = error.facts if row.http_status != 500 or row.expected else {}
    return problem(scope, error.code, _sentence(shown), retry_after_s=error.retry_after_s, facts=facts)


def unexpected(scope: Scope, error: BaseException) -> Response:
    """Make the answer of an exception that nobody meant to raise; its text stays in the log."""
    log.error("request.crashed", error=type(error).__name__, exc_info=error)
    return problem(scope, "internal_error", EXPLANATIONS["internal_error"])


def install(app: FastAPI) -> None:
    """Register the boundary on the application. Unexpected exceptions meet it in `api/middleware.py`."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, SwissbrainError)
        return problem_of(request.scope, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _validation(request.scope, error)

    async def protocol(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _protocol(request.scope, error)

    app.add_exception_handler(SwissbrainError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, protocol)


def _validation(scope: Scope, error: RequestValidationError) -> Response:
    found = error.errors()
    broken = next((entry for entry in found if entry["type"] == "json_invalid"), None)
    if broken is not None:
        said = broken.get("ctx", {}).get("error", "it ends too early")
        return problem_of(scope, InvalidRequest(f"The body is not valid JSON: {said}. Send a JSON object in UTF-8."))
    media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if found[0]["loc"] == ("body",) and not (media_type == "application/json" or media_type.endswith("+json")):
        return problem_of(scope, UnsupportedFormat("Send the body as JSON, with `Content-Type: application/json`."))
    errors = [_entry(entry) for entry in found]
    first = errors[0]
    more = f" ({len(errors) - 1} more in `errors`)" if len(errors) > 1 else ""
    place = first["field"] or first["in"]
    return problem(scope, "validation_failed", f"{place}: {_sentence(first['message'])}{more}", errors=errors)


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    where, *path = entry["loc"] or ("body",)
    message = str(entry.get("msg", "")).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        message = f"this {'parameter' if where == 'query' else 'field'} does not exist here; remove it"
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return {
        "field": ".".join(str(part) for part in path),
        "pointer": pointer,
        "in": str(where),
        "code": str(entry["type"]),
        "message": message,
    }


def _protocol(scope: Scope, error: HTTPException) -> Response:
    code = _BY_STATUS.get(error.status_code)
    if code is None:
        code = "internal_error" if error.status_code >= 500 else "invalid_request"
    detail = str(error.detail)
    if error.status_code == 404:
        detail = "There is nothing at this path. The paths are listed in /api/v1/openapi.json."
    elif error.status_code == 405:
        allowed = _allowed(scope)
        detail = f"This path has no method {scope['method']}. It has: {allowed}."
        return problem(scope, code, detail, headers={"Allow": allowed})
    return problem(scope, code, _sentence(detail), status=error.status_code, headers=error.headers)


def _allowed(scope: Scope) -> str:
    """List the path's methods, all of them (RFC 9110, 10.2.1); the framework knows those of one route only."""
    methods: set[str] = set()
    paths = scope["app"].openapi()["paths"]
    # A path that is written out is no other one's parameter.
    candidates = {scope["path"]: paths[scope["path"]]} if scope["path"] in paths else paths
    for template, item in candidates.items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), scope["path"]):
            methods |= {method.upper() for method in item} | ({"HEAD"} if "get" in item else set())
    return ", ".join(sorted(methods))


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:] if not text[:1].isupper() and text.split(" ", 1)[0].isalpha() else text
    return text if text.endswith((".", "!", "?")) else text + "."


def all_codes() -> list[str]:
    """Return every code that an answer may carry."""
    return sorted({*POLICIES, *HTTP_ONLY})
