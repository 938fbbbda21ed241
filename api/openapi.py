"""The OpenAPI document: what FastAPI knows of the routes, and what only this API knows of all of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.following import links_of
from api.idempotency import HEADER, REPLAYED
from api.problems import MEDIA_TYPE, all_codes
from api.views import documented

_PROBLEM_REF = {"$ref": "#/components/responses/Problem"}
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_DESCRIPTION = """
Swissbrain splits a question into subtasks, lets parallel agents research them, and returns a cited report and a bill
that adds up. Every error is RFC 9457 `application/problem+json`; its `type` is a path of this API that explains it.
Money is decimal credits, exact. Every POST that creates or moves something needs an `Idempotency-Key`; a repetition
gets the stored answer with `Idempotent-Replayed: true`. Lists are paged by `cursor`.
"""

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Further members hold facts, for example `current_status` of a run.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Stable; `GET` it for an explanation."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do about it."},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": all_codes()},
        "request_id": {"type": ["string", "null"]},
        "retry_after": {"type": "integer", "description": "Seconds; the same as the header `Retry-After`."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "pointer", "in", "code", "message")},
            },
        },
    },
    "additionalProperties": True,
}

_HEADERS: dict[str, Any] = {
    "RequestId": {
        "description": "Id of the request: the caller's `X-Request-Id`, or a new one. Quote it in a report.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {"description": "Seconds to wait before the request is repeated.", "schema": {"type": "integer"}},
    "IdempotentReplayed": {
        "description": "`true` when this is the stored answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def install(app: FastAPI) -> None:
    """Make the application serve this document, built once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(title=app.title, version=app.version, description=_DESCRIPTION.strip(), routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    schemas |= documented.components()
    asked = schemas["CreateRun"]["properties"]
    asked["context"] = {
        "$ref": "#/components/schemas/Context",
        **{name: asked["context"][name] for name in ("title", "description")},
    }
    asked["output_schema"]["anyOf"] = [{"$ref": "#/components/schemas/OutputSchema"}, {"type": "null"}]
    components["headers"] = _HEADERS
    components["responses"] = {
        "Problem": {
            "description": "What is wrong, and what to do about it.",
            "headers": {**_ref("X-Request-Id", "RequestId"), **_ref("Retry-After", "RetryAfter")},
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _complete_operation(path, method, operation)
    return document


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        _drop_null(parameter)
    responses = operation["responses"]
    idempotent = any(parameter["name"] == HEADER for parameter in operation.get("parameters", ()))
    if idempotent:
        _require_key(operation)
        if "201" in responses:
            responses["200"] = {**responses["201"], "description": "The stored answer to an earlier request."}
    for response in responses.values():
        if links := links_of(operation["operationId"]):
            response["links"] = links
        headers = response.setdefault("headers", {})
        headers.update(_ref("X-Request-Id", "RequestId"))
        if idempotent:
            headers.update(_ref(REPLAYED, "IdempotentReplayed"))
    for status in _refusals(path, method, operation, idempotent):
        responses[status] = _PROBLEM_REF


def _drop_null(parameter: dict[str, Any]) -> None:
    """Show what a parameter is where it is given: it can be left out, but no text of a URL or a header is null."""
    schema = parameter["schema"]
    kept = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(kept) == 1:
        del schema["anyOf"]
        parameter["schema"] = kept[0] | schema


def _refusals(path: str, method: str, operation: dict[str, Any], idempotent: bool) -> list[str]:
    statuses = {"default", "400", "503"}
    if operation.get("security"):
        statuses |= {"401", "403", "429"}
    if "{" in path:
        statuses.add("404")
    if idempotent:
        statuses |= {"409", "422"}
    if operation.get("parameters") or "requestBody" in operation:
        statuses.add("422")
    if "requestBody" in operation:
        statuses |= {"413", "415"}
    if path.endswith(("/start", "/retry", "/resume")):
        statuses.add("402")
    if "/artifacts/{" in path:
        statuses.add("410")
    return sorted(statuses)


def _require_key(operation: dict[str, Any]) -> None:
    """Show the key as what it is: required. FastAPI must not know, or it would answer 422 where 400 is promised."""
    for parameter in operation["parameters"]:
        if parameter["name"] == HEADER:
            parameter["required"] = True
            parameter["schema"] = {
                "type": "string",
                "minLength": 1,
                "maxLength": 255,
                "pattern": "^[\\x20-\\x7e]{1,255}$",
            }


def _ref(name: str, component: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{component}"}}
