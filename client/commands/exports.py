"""`swissbrain export ...`: a completed run as a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client.client import Client
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
        save(client, made["id"], target or Path())


def save_all(client: Client, run_id: str, folder: Path) -> None:
    """Wait for every export of a run and save its file in a folder; status 1 where one has none."""
    folder.mkdir(parents=True, exist_ok=True)
    for export in list(client.list_exports(run_id)):
        save(client, export["id"], folder)


def save(client: Client, export_id: str, target: Path) -> None:
    """Wait for an export and save its file, as `target` or in the folder `target`."""
    made = client.wait_for_export(export_id)
    if made["status"] != "completed":
        err.print(f"[red]{made['status']}[/red] {escape(str((made['error'] or {}).get('detail', '')))}")
        raise typer.Exit(1)
    # The name is the server's: no folder in it counts here.
    path = target / Path(made["name"]).name if target.is_dir() else target
    path.write_bytes(client.download_export(made["id"]))
    out.print(f"{path} ({made['file_size_bytes']:,} bytes, SHA-256 {made['sha256']})", highlight=False, markup=False)
