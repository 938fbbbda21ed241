"""What the commands share: the client, tables, and errors that read well."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client.client import ApiError, Client
from client.endpoint import NoEndpoint, find_endpoint

ID_WIDTH = 36
PIPE_WIDTH = 240

# A pipe has no width: tables keep their lines whole there.
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, soft_wrap=True)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of `swissbrain up`; default: the environment, or .swissbrain.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextmanager
def connected(data_dir: Path | None) -> Iterator[Client]:
    """Yield a client; end with a readable message and status 1 where the API refuses or is away."""
    try:
        endpoint = find_endpoint(data_dir)
        with Client(endpoint.api_url, endpoint.api_key) as client:
            yield client
    except NoEndpoint as error:
        err.print(escape(str(error)))
        raise typer.Exit(2) from error
    except ApiError as error:
        request = error.problem.get("request_id")
        err.print(f"[red]{escape(error.code)}[/red]: {escape(str(error))}" + (f" ({request})" if request else ""))
        raise typer.Exit(1) from error


def show_json(value: Any) -> None:
    """Print JSON."""
    out.print_json(data=value)


def show_table(rows: Iterator[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print rows as a table; `columns` maps a heading to a field."""
    table = Table(box=None, pad_edge=False)
    for heading, field in columns.items():
        # An id is there to be copied: it is never cut short, whatever the width.
        whole = field == "id" or field.endswith("_id")
        table.add_column(heading, overflow="fold", no_wrap=whole, min_width=ID_WIDTH if whole else None)
    for row in rows:
        table.add_row(*(_cell(row.get(field)) for field in columns.values()))
    out.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
