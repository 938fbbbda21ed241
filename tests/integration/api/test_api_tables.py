"""Tables and structured output over HTTP: what is asked for, refused, quoted and read."""

from pathlib import Path
from typing import Any

import pytest

from client.cli import app
from infra.database import Database
from schema.contracts.tables import Cell, CellSource
from schema.store import forms
from tests.integration.api.conftest import Caller
from tests.integration.api.test_client import command

__all__ = ["app", "command"]

pytestmark = pytest.mark.usefixtures("worker")

TABLE = {"items": ["Alpha AG", "Beta AG", "Gamma AG"], "columns": [{"name": "founded", "type": "integer"}]}
SCHEMA = {
    "type": "object",
    "properties": {"founded": {"type": "integer"}, "products": {"type": "array", "items": {"type": "string"}}},
    "required": ["founded"],
    "additionalProperties": False,
}


async def test_a_table_is_quoted_by_its_rows_and_read_before_it_starts(caller: Caller) -> None:
    made = await caller.create(table=TABLE)
    assert made["credits_reserved"] == 20.45, "2 + 0.15 x 3 rows + 180 per million of 100,000 tokens"
    run = (await caller.get(f"/api/v1/runs/{made['id']}")).json()
    assert run["table"] == {"rows": 3, "completed": 0, "failed": 0, "cells_filled": 0}
    assert run["_links"]["table"] == f"/api/v1/runs/{made['id']}/table"
    shown = (await caller.get(f"/api/v1/runs/{made['id']}/table")).json()
    assert [row["item"] for row in shown["rows"]] == TABLE["items"]
    assert {row["status"] for row in shown["rows"]} == {"pending"}
    assert shown["columns"] == [{"name": "founded", "description": "", "type": "integer", "unit": None, "allowed": []}]


async def test_the_tokens_of_a_table_grow_with_its_rows(caller: Caller) -> None:
    made = await caller.create(table={**TABLE, "items": [f"Item {number}" for number in range(1_000)]})
    run = (await caller.get(f"/api/v1/runs/{made['id']}")).json()
    assert (run["max_tokens"], run["credits_quoted"]) == (3_000_000, 692.0)
    capped = await caller.create(table=TABLE, max_credits=1.5, max_tokens=5_000)
    assert capped["credits_reserved"] == 1.5


async def test_rows_are_paged_with_the_evidence_of_their_cells(caller: Caller, db: Database) -> None:
    run_id = (await caller.create(table=TABLE))["id"]
    source = CellSource(
        claim_id="clm_1", snapshot_sha256="ab", uri="document:d", title="t", start=3, end=9, quote="in 1901"
    )
    cell = Cell(column="founded", value=1901, raw="1901", evidence=(source,), confidence=0.9)
    async with db.transaction(caller.org.id) as session:
        await forms.put_cells(session, caller.org.id, run_id, 1, [cell])
    first = (await caller.get(f"/api/v1/runs/{run_id}/table", params={"limit": 2})).json()
    assert [row["row"] for row in first["rows"]] == [1, 2]
    assert first["rows"][0]["cells"][0]["evidence"][0]["quote"] == "in 1901"
    assert first["rows"][1]["cells"] == []
    assert first["progress"]["cells_filled"] == 1
    rest = await caller.get(f"/api/v1/runs/{run_id}/table", params={"cursor": first["next_cursor"]})
    assert [row["row"] for row in rest.json()["rows"]] == [3]
    assert rest.json()["next_cursor"] is None


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"items": [], "columns": TABLE["columns"]}, "items"),
        ({"items": ["a", "A "], "columns": TABLE["columns"]}, "distinct"),
        ({"items": ["a"], "columns": []}, "columns"),
        ({"items": ["a"], "columns": [{"name": "x"}, {"name": "X"}]}, "distinct"),
        ({"items": ["a"], "columns": [{"name": "x", "type": "enum"}]}, "allowed"),
        ({"items": ["a"], "columns": [{"name": "x", "allowed": ["y"]}]}, "allowed"),
        ({"items": ["a"], "columns": [{"name": "x", "unit": "km"}]}, "unit"),
        ({"items": ["a"], "columns": [{"name": "x", "type": "money"}]}, "type"),
        ({"items": ["a"], "columns": [{"name": "x", "colour": "red"}]}, "colour"),
        ({"items": ["a"] * 1_001, "columns": TABLE["columns"]}, "items"),
        ({"items": ["a"], "columns": [{"name": f"c{n}"} for n in range(21)]}, "columns"),
        ({"items": ["a\x00b"], "columns": TABLE["columns"]}, "NUL"),
        ({"items": [1], "columns": TABLE["columns"]}, "items"),
    ],
)
async def test_a_table_that_cannot_be_filled_is_refused(caller: Caller, table: dict[str, Any], says: str) -> None:
    answer = await caller.post("/api/v1/runs", json={"task": "x", "table": table})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_failed"
    assert says in answer.text


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "array", "items": {"type": "string"}}, "object"),
        ({"type": "object", "properties": {}}, "properties"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}, "pattern"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}}, "type"),
        ({"type": "object", "properties": {"a": {"type": "wrong"}}}, "JSON Schema"),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}}, "type"),
        ({"type": "object", "properties": {"a": {"type": "string", "format": "email"}}}, "format"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}, "required"),
        ({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(61)}}, "61"),
    ],
)
async def test_a_schema_that_is_not_supported_is_refused(caller: Caller, schema: dict[str, Any], says: str) -> None:
    answer = await caller.post("/api/v1/runs", json={"task": "x", "output_schema": schema})
    assert answer.status_code == 422, answer.text
    assert says in answer.text


async def test_a_schema_nested_too_deep_is_refused(caller: Caller) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for name in "abcde":
        schema = {"type": "object", "properties": {name: schema}}
    answer = await caller.post("/api/v1/runs", json={"task": "x", "output_schema": schema})
    assert answer.status_code == 422
    assert "deeper" in answer.text


async def test_a_run_has_one_form(caller: Caller) -> None:
    both = await caller.post("/api/v1/runs", json={"task": "x", "table": TABLE, "output_schema": SCHEMA})
    assert both.status_code == 422
    made = await caller.create(output_schema=SCHEMA)
    run = (await caller.get(f"/api/v1/runs/{made['id']}")).json()
    assert (run["output_schema"], run["output"], run["table"]) == (SCHEMA, None, None)
    assert (await caller.get(f"/api/v1/runs/{made['id']}/table")).status_code == 404


async def test_who_may_read_a_table(caller: Caller, other: Caller, anonymous: Caller) -> None:
    run_id = (await caller.create(table=TABLE))["id"]
    assert (await anonymous.get(f"/api/v1/runs/{run_id}/table")).status_code == 401
    assert (await other.get(f"/api/v1/runs/{run_id}/table")).status_code == 404
    assert (await caller.get(f"/api/v1/runs/{run_id}/table", params={"cursor": "zz"})).status_code == 400


async def test_a_table_by_the_command_line(command: Any, tmp_path: Path, caller: Caller) -> None:
    items = tmp_path / "items.txt"
    items.write_text("Alpha AG\n\nBeta AG\n")
    printed = await command(
        *("run", "Fill it.", "--items", str(items), "--columns", "founded:integer, revenue:number[million CHF]"),
        "--no-follow",
    )
    run_id = printed.strip()
    shown = (await caller.get(f"/api/v1/runs/{run_id}/table")).json()
    assert [(column["name"], column["type"], column["unit"]) for column in shown["columns"]] == [
        ("founded", "integer", None),
        ("revenue", "number", "million CHF"),
    ]
    assert "Alpha AG" in await command("table", run_id)
    await command("run", "x", "--items", str(items), status=2)
