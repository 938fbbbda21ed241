"""What a run delivers beside its report: the files of a table, or the structured output."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from activities.runs.forms import OUTPUT_JSON, TABLE_CSV, TABLE_JSON, output_of, table_csv, table_json
from schema.store import forms
from schema.store.forms import RowState
from schema.tables.forms import RunForm


@dataclass(frozen=True)
class Delivered:
    """Files and output."""

    files: tuple[tuple[str, str, str, str], ...] = ()
    """(name, MIME type, description, text)."""
    output: dict[str, Any] | None = None


def delivered(form: RunForm | None, rows: Sequence[RowState]) -> Delivered:
    """Return what a run that was asked for a form delivers; nothing for a run that was not."""
    if form is None:
        return Delivered()
    columns = forms.columns_of(form)
    if form.kind == forms.TABLE:
        evidence = "The table with the evidence of every cell"
        return Delivered(
            (
                (TABLE_CSV, "text/csv", "The table, values only", table_csv(columns, rows)),
                (TABLE_JSON, "application/json", evidence, table_json(columns, rows)),
            )
        )
    cells = rows[0].cells if rows else ()
    reason = str((rows[0].error or {}).get("detail") or "its agent did not finish") if rows else "it was not planned"
    output = output_of(form.output_schema or {}, forms.fields_of(form), cells, reason)
    text = json.dumps(output, ensure_ascii=False, indent=1)
    return Delivered(((OUTPUT_JSON, "application/json", "The structured output, with evidence", text),), output)
