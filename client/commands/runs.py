"""`swissbrain run` and `swissbrain runs ...`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from client.client import Client
from client.commands.common import AsJson, DataDir, connected, err, out, show_json, show_table
from client.commands.exports import save_all
from client.commands.files import bring
from client.commands.tables import read_columns, read_items
from schema.contracts.deliverables import ExportFormat

app = typer.Typer(help="Runs: list, show, command, follow, read.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(help="Id of the run, `run_...`.")]


def run(
    task: Annotated[str, typer.Argument(help="What is to be found out.")],
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    agents: Annotated[int | None, typer.Option(help="Most agents.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Most tokens.")] = None,
    max_credits: Annotated[str | None, typer.Option(help="Most that the run may cost.")] = None,
    sources: Annotated[list[str] | None, typer.Option("--source", help="corpus, web, academic or news.")] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", help="A file that the run searches too: its path, or `file_...`.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="File with an item per line: fill a table, a row per item.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns of the table: `founded:integer, revenue:number[million CHF]`, or JSON.")
    ] = None,
    output_schema: Annotated[Path | None, typer.Option(help="File with a JSON Schema: deliver output.json.")] = None,
    deliver: Annotated[
        list[ExportFormat] | None,
        typer.Option("--deliver", help="A format that the run is exported to; saved in --out."),
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for what is delivered.", file_okay=False)] = Path(),
    follow: Annotated[bool, typer.Option(help="Follow the log and print the report.")] = True,
    data_dir: DataDir = None,
) -> None:
    """Create a run, start it, follow it, and print its report."""
    context: dict[str, Any] = {"sources": sources} if sources else {}
    if (items is None) != (columns is None):
        raise typer.BadParameter("--items and --columns belong together")
    table = {"items": read_items(items), "columns": read_columns(columns)} if items and columns else None
    schema = json.loads(output_schema.read_text("utf-8")) if output_schema else None
    with connected(data_dir) as client:
        if files:
            context["files"] = [_file_id(client, each) for each in files]
        made = client.create_run(
            task,
            name=name,
            max_agents=agents,
            max_tokens=tokens,
            max_credits=max_credits,
            context=context or None,
            table=table,
            output_schema=schema,
            deliverables=[each.value for each in deliver] if deliver else None,
        )
        client.start_run(made["id"])
        if not follow:
            out.print(made["id"])
            return
        err.print(made["id"])
        _follow(client, made["id"])
        ended = client.get_run(made["id"])
        if ended["status"] != "completed":
            err.print(f"[red]{ended['status']}[/red] {escape(str((ended['last_error'] or {}).get('detail', '')))}")
            raise typer.Exit(1)
        out.print(client.report(made["id"]), markup=False, highlight=False)
        err.print(f"{ended['credits_charged']} credits charged")
        if deliver:
            save_all(client, made["id"], folder)


def _file_id(client: Client, given: str) -> str:
    """Return the id of a file that is there already, or bring it first."""
    if given.startswith("file_") and not Path(given).exists():
        return given
    path = Path(given)
    if not path.is_file():
        raise typer.BadParameter(f"{given} is no file, and no id of one")
    file = bring(client, path)
    if file["status"] == "failed":
        raise typer.Exit(1)
    return str(file["id"])


@app.command("list")
def list_runs(
    status: Annotated[str | None, typer.Option(help="Only runs in this status.")] = None,
    limit: Annotated[int, typer.Option(help="Most runs.")] = 20,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List runs, newest first."""
    with connected(data_dir) as client:
        found = list(client.list_runs(status=status, limit=limit))
    if as_json:
        show_json(found)
        return
    columns = {"id": "id", "status": "status", "detail": "status_detail", "created": "created_at", "name": "name"}
    show_table(iter(found), columns)


@app.command("show")
def show_run(run_id: RunId, data_dir: DataDir = None) -> None:
    """Show a run in full, as JSON."""
    with connected(data_dir) as client:
        show_json(client.get_run(run_id))


def _command(run_id: str, command: str, data_dir: Any, **fields: Any) -> None:
    with connected(data_dir) as client:
        show_json(client.command(run_id, command, **fields))


@app.command("start")
def start_run(run_id: RunId, data_dir: DataDir = None) -> None:
    """Start a run that was created."""
    _command(run_id, "start", data_dir)


@app.command("pause")
def pause_run(run_id: RunId, data_dir: DataDir = None) -> None:
    """Pause a run between steps."""
    _command(run_id, "pause", data_dir)


@app.command("resume")
def resume_run(
    run_id: RunId,
    add_credits: Annotated[str | None, typer.Option(help="Raise what the run may spend by this much.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Resume a paused run."""
    _command(run_id, "resume", data_dir, add_credits=add_credits)


@app.command("cancel")
def cancel_run(
    run_id: RunId,
    reason: Annotated[str | None, typer.Option(help="Why; it goes into the log.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Cancel a run: charge what was used, release the rest."""
    _command(run_id, "cancel", data_dir, reason=reason)


@app.command("retry")
def retry_run(run_id: RunId, data_dir: DataDir = None) -> None:
    """Try a failed run again."""
    _command(run_id, "retry", data_dir)


@app.command("finish")
def finish_run(run_id: RunId, data_dir: DataDir = None) -> None:
    """Finish a run with what it has."""
    _command(run_id, "finish", data_dir)


@app.command("logs")
def show_logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run ends.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print a run's log."""
    with connected(data_dir) as client:
        if follow:
            _follow(client, run_id)
            return
        for line in client.logs(run_id):
            _print_line(line)


@app.command("report")
def show_report(run_id: RunId, data_dir: DataDir = None) -> None:
    """Print a run's report (Markdown)."""
    with connected(data_dir) as client:
        out.print(client.report(run_id), markup=False, highlight=False)


def _follow(client: Client, run_id: str) -> None:
    for line in client.follow(run_id):
        _print_line(line)


def _print_line(line: dict[str, Any]) -> None:
    who = f"agent {line['agent']}: " if line.get("agent") else ""
    err.print(f"{line['timestamp'][:19]}Z {line['level']:<7} {who}{line['message']}", markup=False, highlight=False)
