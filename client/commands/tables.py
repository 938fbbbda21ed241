"""`swissbrain table RUN`, and what `swissbrain run` reads for a table: items from a file, columns from the line."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from client.commands.common import AsJson, DataDir, connected, err, show_json, show_table

TYPES = ("text", "number", "integer", "boolean", "date", "url", "enum")
_COLUMN = re.compile(r"^(?P<name>[^:\[]+?)(?::(?P<type>[a-z]+))?(?:\[(?P<more>[^\]]*)\])?$")

RunId = Annotated[str, typer.Argument(help="Id of the run, `run_...`.")]


def read_items(path: Path) -> list[str]:
    """Return the items of a file, one per line; `-` reads standard input."""
    text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_columns(columns: str) -> list[dict[str, Any]]:
    """Return the columns of `founded:integer, revenue:number[million CHF], type:enum[arch|beam]`, or of a JSON list.

    Raises:
        typer.BadParameter: a column cannot be read.
    """
    if columns.lstrip().startswith("["):
        try:
            return list(json.loads(columns))
        except ValueError as error:
            raise typer.BadParameter(f"is no JSON: {error}") from error
    return [_column(part.strip()) for part in re.split(r",(?![^\[]*\])", columns) if part.strip()]


def _column(text: str) -> dict[str, Any]:
    match = _COLUMN.match(text)
    kind = (match["type"] or "text") if match else ""
    if match is None or kind not in TYPES:
        raise typer.BadParameter(f"cannot read the column {text!r}; write NAME, NAME:TYPE or NAME:TYPE[UNIT]")
    column: dict[str, Any] = {"name": match["name"].strip(), "type": kind}
    if match["more"] and kind == "enum":
        column["allowed"] = [value.strip() for value in match["more"].split("|")]
    elif match["more"]:
        column["unit"] = match["more"].strip()
    return column


def table(
    run_id: RunId,
    limit: Annotated[int, typer.Option(help="Most rows.")] = 1_000,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show the table that a run fills, as far as it is."""
    with connected(data_dir) as client:
        state = client.table_state(run_id)
        rows = list(client.table(run_id, limit=limit))
    if as_json:
        show_json(rows)
        return
    names = [column["name"] for column in state["columns"]]
    lines = [
        {
            "row": row["row"],
            "item": row["item"],
            "status": row["status"],
            **{f"cell {cell['column']}": _shown(cell) for cell in row["cells"]},
        }
        for row in rows
    ]
    headings = {"row": "row", "item": "item", "status": "status", **{name: f"cell {name}" for name in names}}
    show_table(iter(lines), headings)
    done = state["progress"]
    err.print(f"{done['completed']} of {done['rows']} rows completed, {done['failed']} failed")


def _shown(cell: dict[str, Any]) -> str:
    if cell["value"] is None:
        return "-"
    return f"{cell['value']}{' (disputed)' if cell['conflicts'] else ''}"
