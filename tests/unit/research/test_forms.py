"""What a run delivers: CSV that no spreadsheet runs, a report that passes the gate, output that is never invented."""

import csv
import io
from typing import Any

import pytest

from activities.research.citations import check_citations, render_report
from activities.research.fields_choosing import choose
from activities.research.fields_columns import asked_of
from activities.research.fields_reading import Reader
from activities.research.fields_values import candidates
from activities.runs.forms import output_of, safe_cell, table_csv, table_report
from schema.contracts.research import Brief, Claim, Passage
from schema.contracts.tables import Cell, Column, ColumnType
from schema.outputs import fields_of_schema
from schema.states import AgentStatus
from schema.store.forms import RowState
from schema.tables.forms import TableRow
from tests.support.corpus import source_of

BRIEF = Brief(task="Fill it.")
FOUNDED = Column(name="founded", type=ColumnType.INTEGER)


def cell_from(text: str, item: str, column: Column, heading: str = "") -> tuple[Cell, tuple[Claim, ...]]:
    """Fill one cell from one text."""
    passage = Passage(source=source_of(text, "t"), start=0, end=len(text), text=text, heading=heading)
    reader, asked = Reader(item, ()), asked_of(column)
    found = [each for statement in reader.statements([passage]) for each in candidates(asked, statement, reader)]
    chosen = choose(asked, found, 1)
    assert chosen is not None
    return chosen


def state(number: int, item: str, *cells: Cell, status: AgentStatus = AgentStatus.COMPLETED, **more: Any) -> RowState:
    row = TableRow(run_id="r", number=number, org_id="o", item=item, cells=[c.model_dump(mode="json") for c in cells])
    return RowState(row=row, status=status, outcome=None, error=more.get("error"), steps=1, used_pcr=0)


@pytest.mark.parametrize("text", ["=1+1", "+41 44", "-x", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_looks_like_a_formula_is_disarmed(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "shown"), [(-5, -5), (None, ""), (True, "true"), ("a=b", "a=b"), (["=x", 1], "'=x; 1")]
)
def test_other_values_stay(value: Any, shown: Any) -> None:
    assert safe_cell(value) == shown


def test_the_csv_has_a_line_per_row_and_says_what_failed() -> None:
    rows = [
        state(1, "=cmd", Cell(column="founded", value=1901, raw="1901")),
        state(2, "b", status=AgentStatus.FAILED, error={"code": "x", "detail": "@refused"}),
    ]
    lines = list(csv.reader(io.StringIO(table_csv((FOUNDED,), rows))))
    assert lines[0] == ["row", "item", "status", "founded", "sources", "error"]
    assert lines[1][:4] == ["1", "'=cmd", "completed", "1901"]
    assert lines[2][2:] == ["failed", "", "", "'@refused"]


def rendered(text: str) -> tuple[str, Any, str]:
    cell, claims = cell_from(text, "Foo AG", FOUNDED)
    rows = [state(1, "Foo | AG", cell), state(2, "Bar", Cell(column="founded", reason="no source speaks of it"))]
    report = render_report(
        table_report(BRIEF, (FOUNDED,), rows), {c.id: c for c in claims}, lambda _: text, brief=BRIEF
    )
    return report.markdown, report.sidecar, text


def test_a_table_in_the_report_passes_the_gate_from_outside() -> None:
    markdown, sidecar, text = rendered("Foo AG was founded in 1921.")
    assert "| Foo \\| AG | 1921 [1] |" in markdown
    assert "| Bar | – |" in markdown
    assert check_citations(markdown, sidecar, lambda _: text) == []


@pytest.mark.parametrize(
    "mutate",
    [
        lambda m: m.replace("1921 [1]", "1922 [1]"),
        lambda m: m.replace("1921 [1]", "92 [1]"),
        lambda m: m.replace("1921 [1]", "1921 [2]"),
        lambda m: m.replace("1921 [1]", "1921"),
        lambda m: m.replace("| Bar | – |", "| Bar | 1921 [1] |"),
    ],
)
def test_a_changed_table_is_caught(mutate: Any) -> None:
    markdown, sidecar, text = rendered("Foo AG was founded in 1921.")
    assert mutate(markdown) != markdown
    assert check_citations(mutate(markdown), sidecar, lambda _: text)


def test_a_cell_whose_words_are_not_in_its_span_is_left_out() -> None:
    text = "Foo AG was founded in 1921."
    cell, claims = cell_from(text, "Foo AG", FOUNDED)
    wrong = cell.model_copy(update={"raw": "1922"})
    report = render_report(
        table_report(BRIEF, (FOUNDED,), [state(1, "Foo AG", wrong)]),
        {claim.id: claim for claim in claims},
        lambda _: text,
        brief=BRIEF,
    )
    assert "1922" not in report.markdown
    assert report.quality.dropped == 1


def test_disagreement_is_disclosed_with_both_values() -> None:
    text = "Foo AG was founded in 1921.\n\nFoo AG was established in 1927."
    cell, _ = cell_from(text, "Foo AG", FOUNDED)
    assert {cell.value, *(other.value for other in cell.conflict)} == {1921, 1927}
    report = table_report(BRIEF, (FOUNDED,), [state(1, "Foo AG", cell)])
    told = " ".join(sentence.text for section in report.sections for part in section.paragraphs for sentence in part)
    assert "1921" in told
    assert "1927" in told


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "founded": {"type": "integer"},
        "hq": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "kind": {"type": ["string", "null"], "enum": ["public", "private", None]},
        "products": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "number"}}},
        },
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["founded", "hq"],
}


def test_output_without_evidence_is_null_and_said_to_be_missing() -> None:
    output = output_of(SCHEMA, fields_of_schema(SCHEMA), (), "its agent failed")
    assert output["value"] == {"founded": None, "hq": {"city": None}, "kind": None, "products": [], "tags": []}
    assert {each["path"]: each["required"] for each in output["missing"]} == {
        "/founded": True,
        "/hq/city": True,
        "/kind": False,
        "/products/-/name": False,
        "/products/-/price": False,
        "/tags/-": False,
    }
    assert {each["reason"] for each in output["missing"]} == {"its agent failed"}


def test_lines_of_a_source_become_objects() -> None:
    text = "Widget list of Foo AG\n\nProduct | Price\nBolt | 2.5\nNut | 1.5"
    cells = []
    for field in fields_of_schema(SCHEMA):
        passage = Passage(source=source_of(text, "Foo AG"), start=0, end=len(text), text=text, heading="Foo AG")
        from activities.research.filling import fill
        from schema.contracts.tables import FillRequest

        request = FillRequest(brief=BRIEF, item="Foo AG", columns=(field.column,), passages=(passage,))
        cells.append(fill(request).cells[0])
    output = output_of(SCHEMA, fields_of_schema(SCHEMA), cells)
    assert output["value"]["products"] == [{"name": "Bolt", "price": 2.5}, {"name": "Nut", "price": 1.5}]


def test_a_value_that_does_not_fit_the_schema_is_taken_out() -> None:
    fields = fields_of_schema(SCHEMA)
    cells = [Cell(column=field.column.name) for field in fields]
    cells[2] = Cell(column="kind", value="secret", raw="secret", confidence=0.9)
    output = output_of(SCHEMA, fields, cells)
    assert output["value"]["kind"] is None
    assert any(each["path"] == "/kind" and "schema" in each["reason"] for each in output["missing"])
