"""What a run delivers beside its report: a table (CSV, JSON, in the report), or a structured output (JSON). Pure."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from activities.research.composing import (
    ANALYSIS,
    DISAGREEMENTS,
    EXECUTIVE_SUMMARY,
    KEY_FINDINGS,
    RECOMMENDATIONS,
    report_title,
)
from activities.research.phrases import counted, say
from schema.contracts.research import Brief, Report, ReportCell, ReportTable, Section, Sentence
from schema.contracts.tables import Cell, Column, OutputField
from schema.money import PCR_PER_UCR, UCR_PER_CREDIT
from schema.outputs import problems_of
from schema.policies import REPORT_TABLE_ROWS_MAX
from schema.states import AgentStatus
from schema.store.forms import RowState

TABLE_CSV = "table.csv"
TABLE_JSON = "table.json"
OUTPUT_JSON = "output.json"
LISTED_MAX = 30
"""Rows, and cells, that the report names one by one; the rest is counted."""
DISPUTED = "Disputed cells"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """Return a value as a spreadsheet can only show it: text that it would take for a formula gets an apostrophe.

    The rule is OWASP's (CSV injection); numbers are not text, and stay.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return safe_cell("; ".join(str(item) for item in value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def table_csv(columns: Sequence[Column], rows: Iterable[RowState]) -> str:
    """Write a table as CSV (RFC 4180): one line per row, values only."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    heading = ["row", "item", "status", *(_heading(column) for column in columns), "sources", "error"]
    writer.writerow([safe_cell(label) for label in heading])
    for state in rows:
        cells = {cell.column: cell for cell in state.cells}
        uris = dict.fromkeys(each.uri for cell in state.cells for each in cell.evidence)
        values = [safe_cell(cells[column.name].value if column.name in cells else None) for column in columns]
        error = (state.error or {}).get("detail")
        line = [state.row.number, safe_cell(state.row.item), state.status.value, *values]
        writer.writerow([*line, safe_cell(" ".join(uris)), safe_cell(error)])
    return out.getvalue()


def _heading(column: Column) -> str:
    return f"{column.name} ({column.unit})" if column.unit else column.name


def table_json(columns: Sequence[Column], rows: Iterable[RowState]) -> str:
    """Write a table as JSON, with the evidence of every cell."""
    value = {
        "version": 1,
        "columns": [column.model_dump(mode="json", exclude={"many"}) for column in columns],
        "rows": [
            {
                "row": state.row.number,
                "item": state.row.item,
                "status": state.status.value,
                "cells": [cell.model_dump(mode="json") for cell in state.cells],
                "outcome": state.outcome,
                "error": state.error,
                "credits_used": str(Decimal(state.used_pcr) / (PCR_PER_UCR * UCR_PER_CREDIT)),
            }
            for state in rows
        ],
    }
    return json.dumps(value, ensure_ascii=False, indent=1)


def table_report(brief: Brief, columns: Sequence[Column], rows: Sequence[RowState]) -> Report:
    """Write the report of a table: its first rows with a citation per cell, what is disputed, what is missing."""
    filled = sum(cell.filled for state in rows for cell in state.cells)
    summary = [
        Sentence(
            text=say(
                "tabled",
                rows=counted(len(rows), "row"),
                columns=counted(len(columns), "column"),
                filled=str(filled),
                cells=str(len(rows) * len(columns)),
            )
        )
    ]
    if len(rows) > REPORT_TABLE_ROWS_MAX:
        summary.append(Sentence(text=say("shown", shown=str(REPORT_TABLE_ROWS_MAX))))
    gaps = _incomplete(rows)
    if gaps:
        summary.append(Sentence(text=say("gaps")))
    table = ReportTable(
        heading=("Item", *(_heading(column) for column in columns)),
        rows=tuple((state.row.item, _shown(columns, state.cells)) for state in rows[:REPORT_TABLE_ROWS_MAX]),
    )
    disputed = _disputed(rows)
    sections = [
        Section(title=EXECUTIVE_SUMMARY, paragraphs=(tuple(summary),)),
        Section(title=KEY_FINDINGS, table=table),
        Section(title=ANALYSIS, paragraphs=() if disputed or gaps else ((Sentence(text=say("no_analysis")),),)),
    ]
    if disputed:
        sections.append(Section(title=DISAGREEMENTS, level=3, paragraphs=tuple((each,) for each in disputed)))
    sections.append(Section(title=RECOMMENDATIONS, paragraphs=_advice(rows)))
    return Report(title=report_title(brief), sections=tuple(sections), disclosures=tuple(gaps))


def _shown(columns: Sequence[Column], cells: Sequence[Cell]) -> tuple[ReportCell, ...]:
    by_name = {cell.column: cell for cell in cells}
    shown = []
    for column in columns:
        cell = by_name.get(column.name)
        claims = tuple(each.claim_id for each in cell.evidence) if cell is not None and cell.filled else ()
        shown.append(ReportCell(text=(cell.raw or "") if cell is not None and claims else "", claim_ids=claims))
    return tuple(shown)


def _disputed(rows: Sequence[RowState]) -> list[Sentence]:
    found = [
        say("cell_disputed", row=str(state.row.number), item=state.row.item, column=cell.column, reason=_both(cell))
        for state in rows
        for cell in state.cells
        if cell.conflict
    ]
    told = [Sentence(text=text) for text in found[:LISTED_MAX]]
    if len(found) > LISTED_MAX:
        told.append(Sentence(text=say("cells_more", count=str(len(found) - LISTED_MAX))))
    return told


def _both(cell: Cell) -> str:
    others = ", ".join(f"“{value.raw}”" for value in cell.conflict)
    return f"“{cell.raw}” is shown, other sources say {others} ({cell.reason})"


def _incomplete(rows: Sequence[RowState]) -> list[Sentence]:
    """Say which rows failed or were never begun, and which no source speaks of."""
    found = []
    for state in rows:
        facts = {"row": str(state.row.number), "item": state.row.item}
        if state.status in (AgentStatus.FAILED, AgentStatus.CANCELLED):
            reason = str((state.error or {}).get("detail") or "it was stopped").rstrip(".")
            found.append(say("row_failed", **facts, reason=reason))
        elif state.status is not AgentStatus.COMPLETED:
            found.append(say("row_not_begun", **facts, reason="the run was finished before"))
        elif state.cells and not any(cell.filled for cell in state.cells):
            found.append(say("row_empty", **facts, reason=(state.cells[0].reason or "nothing was found").rstrip(".")))
    told = [Sentence(text=text) for text in found[:LISTED_MAX]]
    if len(found) > LISTED_MAX:
        told.append(Sentence(text=say("rows_more", count=str(len(found) - LISTED_MAX))))
    return told


def _advice(rows: Sequence[RowState]) -> tuple[tuple[Sentence, ...], ...]:
    failed = sum(state.status is not AgentStatus.COMPLETED for state in rows)
    bare = sum(state.status is AgentStatus.COMPLETED and not any(cell.filled for cell in state.cells) for state in rows)
    told = [say("retry_rows", count=str(failed))] if failed else []
    told += [say("add_for_rows", count=str(bare))] if bare else []
    return tuple((Sentence(text=text),) for text in told or [say("no_recommendation")])


# Structured output.


def output_of(
    schema: Mapping[str, Any], fields: Sequence[OutputField], cells: Sequence[Cell], reason: str | None = None
) -> dict[str, Any]:
    """Put the cells into a value of the caller's schema: `{value, fields, missing}`.

    What no source shows is null and listed in `missing`; a value that the schema does not allow is taken out again.

    Args:
        reason: why there are no cells at all.
    """
    cells = cells or [Cell(column=field.column.name, reason=reason or "nothing was found") for field in fields]
    found = dict(zip((field.path for field in fields), cells, strict=True))
    value = _value(schema, "", found)
    reasons = {path: cell.reason or "nothing was found" for path, cell in found.items() if not cell.filled}
    for pointer, problem in problems_of(schema, value):
        leaf = _leaf_of(pointer, found)
        if leaf is not None and found[leaf].filled:
            reasons[leaf] = f"what was found does not fit the schema: {problem}"
            found[leaf] = Cell(column=found[leaf].column, reason=reasons[leaf])
    value = _value(schema, "", found)
    return {
        "value": value,
        "fields": [_field(field, found[field.path]) for field in fields],
        "missing": [
            {"path": field.path, "required": field.required, "reason": reasons[field.path]}
            for field in fields
            if field.path in reasons
        ],
    }


def _leaf_of(pointer: str, found: Mapping[str, Cell]) -> str | None:
    """Return the field that a place in the value belongs to: `/products/0/price` is of `/products/-/price`."""
    general = "/".join("-" if part.isdigit() else part for part in pointer.split("/"))
    return next((path for path in (pointer, general, f"{general}/-") if path in found), None)


def _value(node: Mapping[str, Any], path: str, found: Mapping[str, Cell]) -> Any:
    if "properties" in node:
        return {
            name: _value(child, f"{path}/{name.replace('~', '~0').replace('/', '~1')}", found)
            for name, child in node["properties"].items()
        }
    if "items" in node:
        return _list(node["items"], f"{path}/-", found)
    return found[path].value


def _list(items: Mapping[str, Any], path: str, found: Mapping[str, Cell]) -> list[Any]:
    """Make the elements of an array: of plain values all that were found, of objects one per line of a source."""
    if path in found:
        return list(found[path].value or [])
    leaves = {leaf: cell for leaf, cell in found.items() if leaf.startswith(f"{path}/") and cell.filled}
    lines: dict[tuple[str, int, int], dict[str, Any]] = {}
    for leaf, cell in leaves.items():
        for value, each in zip(cell.value, cell.evidence, strict=False):
            line = lines.setdefault((each.snapshot_sha256, each.start, each.end), {})
            line.setdefault(leaf, value)
    wanted = max((len(line) for line in lines.values()), default=0)
    made = []
    for line in lines.values():
        if len(line) >= min(wanted, 2):
            single = {leaf: Cell(column="", value=line.get(leaf)) for leaf in found if leaf.startswith(f"{path}/")}
            made.append(_value(items, path, single))
    return made


def _field(field: OutputField, cell: Cell) -> dict[str, Any]:
    return {
        "path": field.path,
        "value": cell.value,
        "confidence": cell.confidence,
        "reason": cell.reason,
        "evidence": [
            {
                "source": {"uri": each.uri, "title": each.title, "snapshot_sha256": each.snapshot_sha256},
                "span": [each.start, each.end],
                "quote": each.quote,
            }
            for each in cell.evidence
        ],
        "conflicts": [{"value": each.value, "raw": each.raw} for each in cell.conflict],
    }
