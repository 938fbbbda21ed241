"""`swissbrain files ...`: files for runs: data, documents, pictures, recordings."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from client.client import Client
from client.commands.common import AsJson, DataDir, connected, err, out, show_json, show_table

app = typer.Typer(help="Files for runs: data, documents, pictures, recordings.", no_args_is_help=True)

FileId = Annotated[str, typer.Argument(help="Id of the file, `file_...`.")]


@app.command("add")
def add(
    paths: Annotated[list[Path], typer.Argument(help="Files.", exists=True, dir_okay=False)],
    wait: Annotated[bool, typer.Option(help="Wait until they are read.")] = True,
    data_dir: DataDir = None,
) -> None:
    """Bring files, and wait until they are read."""
    with connected(data_dir) as client:
        brought = [bring(client, path, wait=wait) for path in paths]
    if any(file["status"] == "failed" for file in brought):
        raise typer.Exit(1)


def bring(client: Client, path: Path, *, wait: bool = True) -> dict[str, Any]:
    """Upload a file, and say what became of it."""
    file = client.upload_file(path)
    if wait:
        file = client.wait_for_file(file["id"])
    cost = f", {file['credits_charged']} credits" if file["status"] == "ready" else ""
    out.print(f"{file['id']} {file['status']:<10} {escape(file['name'])}{cost}", highlight=False)
    if file["error"]:
        err.print(f"  {escape(str(file['error'].get('detail', '')))}")
    return file


@app.command("list")
def list_files(
    status: Annotated[str | None, typer.Option(help="uploading, processing, ready or failed.")] = None,
    limit: Annotated[int, typer.Option(help="Most files.")] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List files, newest first."""
    with connected(data_dir) as client:
        found = list(client.list_files(status=status, limit=limit))
    if as_json:
        show_json(found)
        return
    show_table(iter(found), {"id": "id", "status": "status", "kind": "kind", "size": "size_bytes", "name": "name"})


@app.command("show")
def show(file_id: FileId, data_dir: DataDir = None) -> None:
    """Show what a file came to, as JSON: the analysis, the transcript, the text."""
    with connected(data_dir) as client:
        file = client.get_file(file_id)
        show_json({**file, "result": client.file_result(file_id)} if file["status"] == "ready" else file)


@app.command("outputs")
def outputs(
    file_id: FileId,
    folder: Annotated[Path | None, typer.Option("--save", help="Folder to download them into.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List what was made of a file: charts, subtitles, pictures; with --save, download it."""
    with connected(data_dir) as client:
        found = client.file_outputs(file_id)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for each in found:
                # The name is the server's: no folder in it counts here.
                (folder / Path(each["name"]).name).write_bytes(client.fetch(each["url"]))
    show_table(iter(found), {"name": "name", "type": "mime_type", "size": "size_bytes"})


@app.command("ask")
def ask(
    file_id: FileId,
    question: Annotated[str, typer.Argument(help="In plain words, about the data in the file.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Ask about the data in a file; the query that the question becomes is shown with the answer."""
    with connected(data_dir) as client:
        asked = client.ask_file(file_id, question)
    if as_json:
        show_json(asked)
    if asked["status"] != "answered":
        err.print(escape(str((asked["error"] or {}).get("detail", ""))))
        raise typer.Exit(1)
    if not as_json:
        _show_answer(asked["answer"])


@app.command("relate")
def relate(
    file_ids: Annotated[list[str], typer.Argument(help="Two or more files of data, `file_...`.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Find how the tables of several files belong together: keys, references, what finds no partner."""
    if len(file_ids) < 2:
        raise typer.BadParameter("name two files or more")
    with connected(data_dir) as client:
        asked = client.relate_files(file_ids[0], file_ids[1:])
    if as_json:
        show_json(asked)
    if asked["status"] != "answered":
        err.print(escape(str((asked["error"] or {}).get("detail", ""))))
        raise typer.Exit(1)
    if not as_json:
        found = asked["answer"]["relations"]
        for each in found:
            out.print(escape(each["sentence"]))
        if not found:
            out.print("No column of one refers to another.")


def _show_answer(answer: dict[str, Any]) -> None:
    err.print(escape(answer["query"]))
    table = Table(box=None, pad_edge=False)
    for column in answer["columns"]:
        unit = f" ({column['unit']['symbol']})" if column["unit"] else ""
        table.add_column(escape(column["name"] + unit))
    for row in answer["rows"]:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    out.print(table)
    if answer["sentence"]:
        out.print(escape(answer["sentence"]))


@app.command("remove")
def remove(file_id: FileId, data_dir: DataDir = None) -> None:
    """Take a file away with what was made of it."""
    with connected(data_dir) as client:
        client.delete_file(file_id)
