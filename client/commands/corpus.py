"""`swissbrain corpus ...`: the organisation's own documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client.client import Client
from client.commands.common import AsJson, DataDir, connected, err, out, show_json, show_table

app = typer.Typer(help="The organisation's own documents.", no_args_is_help=True)

FILES_PER_UPLOAD = 20
DOCUMENTS_MAX = 1_000_000
BYTES_PER_UPLOAD = 20 * 1024 * 1024
SUFFIXES = frozenset({".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml", ".pdf", ".text", ".log"})


@app.command("add")
def add(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders with all that is below them.", exists=True)],
    every_suffix: Annotated[bool, typer.Option("--all", help="Files with any suffix, not only known ones.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Add files to the corpus: text, Markdown, HTML, PDF."""
    failed = 0
    with connected(data_dir) as client:
        for batch in _batches(_files(paths, every_suffix=every_suffix)):
            failed += _upload(client, batch)
    if failed:
        raise typer.Exit(1)


@app.command("list")
def list_documents(
    status: Annotated[str | None, typer.Option(help="processing, ready or failed.")] = None,
    limit: Annotated[int, typer.Option(help="Most documents.")] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List the corpus, newest first."""
    with connected(data_dir) as client:
        found = list(client.list_documents(status=status, limit=limit))
    if as_json:
        show_json(found)
        return
    columns = {"id": "id", "status": "status", "passages": "passages", "name": "name", "title": "title"}
    show_table(iter(found), columns)


@app.command("reindex")
def reindex(
    missing: Annotated[bool, typer.Option("--missing", help="Only documents without vectors.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Read every document anew: after a change of the embedding model, or an upgrade. It is searchable meanwhile."""
    with connected(data_dir) as client:
        for document in client.list_documents(status="ready", limit=DOCUMENTS_MAX):
            if missing and document["embedding_model"]:
                continue
            client.reindex_document(document["id"])
            out.print(f"{document['id']} {escape(document['name'])}", highlight=False)


@app.command("remove")
def remove(
    document_id: Annotated[str, typer.Argument(help="Id of the document, `doc_...`.")], data_dir: DataDir = None
) -> None:
    """Take a document out of the corpus."""
    with connected(data_dir) as client:
        client.delete_document(document_id)


def _upload(client: Client, batch: list[Path]) -> int:
    failed = 0
    for document in client.upload(batch):
        out.print(f"{document['id']} {document['status']:<10} {escape(document['name'])}", highlight=False)
        if document["status"] == "failed":
            failed += 1
            err.print(f"  {escape(str((document['error'] or {}).get('detail', '')))}")
    return failed


def _files(paths: list[Path], *, every_suffix: bool) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
            continue
        for found in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
            if found.is_file() and not hidden and (every_suffix or found.suffix.lower() in SUFFIXES):
                yield found


def _batches(files: Iterator[Path]) -> Iterator[list[Path]]:
    """Group files so that no request is too large; an empty file holds nothing to read."""
    batch: list[Path] = []
    size_bytes = 0
    for path in files:
        size = path.stat().st_size
        if size == 0:
            err.print(f"skipped, empty: {escape(str(path))}")
            continue
        if batch and (len(batch) == FILES_PER_UPLOAD or size_bytes + size > BYTES_PER_UPLOAD):
            yield batch
            batch, size_bytes = [], 0
        batch.append(path)
        size_bytes += size
    if batch:
        yield batch
