"""`swissbrain dead-letters ...`: work that was given up after its retries."""

from typing import Annotated

import typer

from client.commands.common import AsJson, DataDir, connected, show_json, show_table

app = typer.Typer(help="Work that was given up after its retries.", no_args_is_help=True)


@app.command("list")
def list_dead_letters(
    replayed: Annotated[bool, typer.Option("--replayed", help="Those that were replayed as well.")] = False,
    limit: Annotated[int, typer.Option(help="Most dead letters.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List dead letters, newest first."""
    with connected(data_dir) as client:
        found = list(client.list_dead_letters(replayed=replayed, limit=limit))
    if as_json:
        show_json(found)
        return
    columns = {"id": "id", "kind": "kind", "run": "run_id", "code": "code", "error": "detail", "at": "created_at"}
    show_table(({**letter, **letter["error"]} for letter in found), columns)


@app.command("replay")
def replay_dead_letter(
    letter_id: Annotated[str, typer.Argument(help="Id of the dead letter, `dead_...`.")], data_dir: DataDir = None
) -> None:
    """Do again what was given up: retry the failed run (its failed agents run again), or read the document again."""
    with connected(data_dir) as client:
        show_json(client.replay_dead_letter(letter_id))
