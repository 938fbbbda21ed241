"""The OpenAPI document: valid, complete, fit for a client generator."""

from typing import Any

import pytest
from openapi_spec_validator import validate

from api.app import create_app
from infra.settings import Settings

OPEN = "/api/v1/auth/"
"""Coming in: who is not in yet has no key, and each is used once by itself."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(log_level="error")).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_every_operation_is_named_described_and_answers_problems(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names) >= 40
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}, where
        for status, response in operation["responses"].items():
            assert status[0] in "d45" or "X-Request-Id" in response["headers"], where


def test_every_operation_of_the_api_names_its_key(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    for path, method, operation in operations(document):
        secured = path.startswith(("/api/", "/codec/")) and not path.startswith(OPEN)
        assert bool(operation.get("security")) == secured, (method, path)
        assert ("401" in operation["responses"]) == secured


def test_every_post_that_moves_something_requires_a_key(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        parameters = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
        moves = method == "post" and not path.startswith(("/codec/", OPEN))
        assert ("Idempotency-Key" in parameters) == moves, (method, path)
        if moves:
            assert parameters["Idempotency-Key"]["required"] is True
            assert {"400", "409", "422"} <= operation["responses"].keys()


def test_money_is_a_number(document: dict[str, Any]) -> None:
    created = document["components"]["schemas"]["CreatedRun"]["properties"]
    assert created["credits_reserved"]["type"] == "number"
    assert "_links" in created
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_no_parameter_is_null(document: dict[str, Any]) -> None:
    """It can be left out; a text of a URL or a header is never null."""
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            assert {"type": "null"} not in schema.get("anyOf", ()), (method, path, parameter["name"])
            assert schema.keys() & {"type", "$ref", "enum", "anyOf"}, (method, path, parameter["name"])
