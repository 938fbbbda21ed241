"""`swissbrain export ...`: a completed run as a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client.commands.common import DataDir, connected, err, out
from schema.contracts.deliverables import ExportFormat


def export(
    run_id: Annotated[str, typer.Argument(help="Id of the run, `run_...`.")],
    format: Annotated[ExportFormat, typer.Option("--format", "-f", help="What it is to be.")] = ExportFormat.PDF,
    target: Annotated[Path | None, typer.Option("--out", "-o", help="File or folder; default: here.")] = None,
    artifacts: Annotated[bool, typer.Option(help="With the run's artifacts.")] = False,
    logs: Annotated[bool, typer.Option(help="With the run's log.")] = False,
    max_slides: Annotated[int | None, typer.Option(help="Of a pptx: most slides.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Export a completed run: a document, a deck, JSON, or a pack that `swissbrain verify` checks without a server."""
    with connected(data_dir) as client:
        made = client.export_run(
            run_id, format.value, include_artifacts=artifacts, include_logs=logs, max_slides=max_slides
        )
        made = client.wait_for_export(made["id"])
        if made["status"] != "completed":
            err.print(f"[red]{made['status']}[/red] {escape(str((made['error'] or {}).get('detail', '')))}")
            raise typer.Exit(1)
        path = target or Path()
        if path.is_dir():
            # The name is the server's: no folder in it counts here.
            path /= Path(made["name"]).name
        path.write_bytes(client.download_export(made["id"]))
    out.print(f"{path} ({made['file_size_bytes']:,} bytes, SHA-256 {made['sha256']})", highlight=False, markup=False)
