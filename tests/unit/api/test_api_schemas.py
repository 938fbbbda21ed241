"""The OpenAPI document says of bodies what the parsers take: the same bodies pass both, and the same fail both."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from api.app import create_app
from api.following import FOLLOWING
from api.views.account import BuyCredits, CreateKey
from api.views.domains import TrustDomain
from api.views.identity import UpdateMember, UpdateOrganisation
from api.views.runs import CreateRun
from infra.settings import Settings


def column(**fields: Any) -> dict[str, Any]:
    return {"task": "t", "table": {"items": ["One"], "columns": [{"name": "a", **fields}]}}


def output(node: Any, **root: Any) -> dict[str, Any]:
    return {"task": "t", "output_schema": {"type": "object", "properties": {"a": node}, **root}}


def key(**fields: Any) -> dict[str, Any]:
    return {"name": "k", "scopes": ["runs:read"], **fields}


ITEMS = {"items": ["One"], "columns": [{"name": "a"}]}
LIMITED: tuple[type[BaseModel], ...] = (UpdateOrganisation, UpdateMember)
TAKEN: list[tuple[type[BaseModel], Any]] = [
    *((TrustDomain, {"trust": trust}) for trust in (0, 0.5, 1, 1.0)),
    *((CreateKey, key(expires_at=at)) for at in ("2099-01-01T00:00:00Z", "2099-01-01T00:00:00.5+02:00", None)),
    *((model, {"monthly_limit": limit}) for model in LIMITED for limit in (0, 0.5, "7.00", None)),
    (CreateRun, {"task": "t"}),
    (CreateRun, {"task": " t\u0085"}),
    (CreateRun, {"task": "t", "max_agents": 5.0}),
    (CreateRun, {"task": "t", "table": None, "output_schema": None}),
    (CreateRun, {"task": "t", "context": {}}),
    (CreateRun, {"task": "t", "context": {"sources": ["web", "corpus"], "a": [1.5, None, {"b": "c"}]}}),
    (CreateRun, column()),
    (CreateRun, column(type="enum", allowed=["x"])),
    (CreateRun, column(type="number", unit="km")),
    (CreateRun, column(type="text", unit=None, allowed=None)),
    (CreateRun, output({"type": "string"})),
    (CreateRun, output({"enum": ["x", None]})),
    (CreateRun, output({"type": ["null", "number"], "x-unit": "km"}, required=["a"], additionalProperties=False)),
    (CreateRun, output({"type": "array", "items": {"type": "string", "format": "date"}})),
    (CreateRun, output({"type": "object", "properties": {"b": {"type": "boolean"}}}, **{"$schema": "x"})),
    *((BuyCredits, {"credits": amount}) for amount in (50.01, 1, 0.000001, 1e9, "0.000001", "050.00", "1000000000.0")),
]
REFUSED: list[tuple[type[BaseModel], Any]] = [
    *((TrustDomain, {"trust": trust}) for trust in (False, True, "0.5", -0.1, 1.1, None)),
    *((CreateKey, key(expires_at=at)) for at in (4102444800, 4102444800.5, True)),
    *((model, {"monthly_limit": limit}) for model in LIMITED for limit in (False, True, -1, "", [])),
    (CreateRun, {"task": "\u001f \u0085"}),
    (CreateRun, {"task": "a\u0000"}),
    (CreateRun, {"task": "t", "name": " "}),
    (CreateRun, {"task": "t", "max_agents": 5.5}),
    (CreateRun, {"task": "t", "max_agents": "5"}),
    (CreateRun, {"task": "t", "context": {"a": [{"b": "\u0000"}]}}),
    (CreateRun, {"task": "t", "context": {"a\u0000": 1}}),
    (CreateRun, {"task": "t", "context": {"max_credits": 1}}),
    (CreateRun, {"task": "t", "context": {"sources": []}}),
    (CreateRun, {"task": "t", "context": {"sources": ["web", "web"]}}),
    (CreateRun, {"task": "t", "context": {"sources": ["nowhere"]}}),
    (CreateRun, {"task": "t", "table": ITEMS, **output({"type": "string"})}),
    (CreateRun, {"task": "t", "table": {**ITEMS, "items": ["One", "One"]}}),
    (CreateRun, column(type="enum")),
    (CreateRun, column(type="enum", allowed=None)),
    (CreateRun, column(type="enum", allowed=["x", "x"])),
    (CreateRun, column(allowed=["x"])),
    (CreateRun, column(unit="km")),
    (CreateRun, column(type="date", unit="km")),
    (CreateRun, {"task": "t", "output_schema": {}}),
    (CreateRun, {"task": "t", "output_schema": {"type": ["object"], "properties": {"a": {"type": "string"}}}}),
    (CreateRun, {"task": "t", "output_schema": {"type": "object", "properties": {}}}),
    (CreateRun, output({})),
    (CreateRun, output(True)),
    (CreateRun, output({"type": "string", "minLength": 1})),
    (CreateRun, output({"type": "string", "format": "email"})),
    (CreateRun, output({"enum": [None]})),
    (CreateRun, output({"type": "number", "x-unit": " "})),
    (CreateRun, output({"type": "array", "items": {"type": "array", "items": {"type": "string"}}})),
    (CreateRun, output({"type": "string"}, additionalProperties={"type": "string"})),
    (CreateRun, {"task": "t", "output_schema": {"type": "object", "properties": {" ": {"type": "string"}}}}),
    *(
        (BuyCredits, {"credits": amount})
        for amount in (
            0,
            -1,
            1e-7,
            1e9 + 1,
            "0",
            "0.0",
            "-1",
            "1e3",
            "1.0000001",
            "1000000000.1",
            " 1",
            "1_0",
            "",
            True,
        )
    ),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(log_level="error")).openapi()


def documented(document: dict[str, Any], model: type[BaseModel], body: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{model.__name__}", "components": document["components"]}
    return Draft202012Validator(schema).is_valid(body)


def parsed(model: type[BaseModel], body: Any) -> bool:
    try:
        model.model_validate(body)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("model", "body"), TAKEN, ids=repr)
def test_what_is_taken_is_documented(document: dict[str, Any], model: type[BaseModel], body: Any) -> None:
    assert parsed(model, body)
    assert documented(document, model, body)


@pytest.mark.parametrize(("model", "body"), REFUSED, ids=repr)
def test_what_is_refused_is_documented(document: dict[str, Any], model: type[BaseModel], body: Any) -> None:
    assert not parsed(model, body)
    assert not documented(document, model, body)


def test_links_lead_from_members_of_answers_to_parameters(document: dict[str, Any]) -> None:
    operations = {each["operationId"]: each for item in document["paths"].values() for each in item.values()}
    for operation_id, following in FOLLOWING.items():
        answers = {status: each for status, each in operations[operation_id]["responses"].items() if status[0] == "2"}
        assert answers
        for answer in answers.values():
            assert set(answer["links"]) == set(following.targets)
            (body,) = answer["content"].values()
            assert leads_somewhere(document, body["schema"], following.pointer), (operation_id, following)
        for target in following.targets:
            names = {each["name"] for each in operations[target]["parameters"] if each["in"] == "path"}
            assert following.parameter in names


def leads_somewhere(document: dict[str, Any], schema: dict[str, Any], pointer: str) -> bool:
    for part in pointer.split("/")[1:]:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        schema = schema["items"] if part == "0" else schema["properties"].get(part, {})
    return schema.get("type") == "string"
