"""`swissbrain audit`: read the log, and prove it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from client.commands.common import AsJson, DataDir, connected, show_json, show_table

app = typer.Typer(help="Who did what, and whether log and ledger still are what was written.", no_args_is_help=True)


@app.command("list")
def list_entries(
    actor: Annotated[str | None, typer.Option(help="Only what this actor did, by its id.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as data.read.")] = None,
    resource_type: Annotated[str | None, typer.Option(help="Only what was done to things of this type.")] = None,
    resource_id: Annotated[str | None, typer.Option("--resource", help="Only what was done to this thing.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Only what is about this run.")] = None,
    outcome: Annotated[str | None, typer.Option(help="success, failure or denied.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Not before this time (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this time (RFC 3339).")] = None,
    limit: Annotated[int, typer.Option(help="Most entries.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List who did what, newest first (scope audit:read)."""
    asked = {"actor": actor, "action": action, "resource_type": resource_type, "resource_id": resource_id}
    asked |= {"run_id": run_id, "outcome": outcome, "from": since, "to": until}
    with connected(data_dir) as client:
        found = list(client.audit(limit=limit, **asked))
    if as_json:
        show_json(found)
        return
    rows = ({**entry, "actor": entry["actor"]["name"] or entry["actor"]["id"]} for entry in found)
    columns = ("seq", "at", "actor", "action", "outcome", "resource_type", "resource_id", "ip_address")
    show_table(rows, {name.replace("_", " "): name for name in columns})


@app.command()
def verify(
    org_id: Annotated[list[str] | None, typer.Option("--org", help="Only this organisation; may be repeated.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Compare log, ledger and signed checkpoints, and name the first broken entry; an operator's command.

    With --data-dir of a running stack, or with the environment of a deployment. Exit 0: all holds; 1: something is
    broken; 2: not verified.
    """
    folder = data_dir or (Path(".swissbrain") if Path(".swissbrain/secrets.json").exists() else None)
    more = [*(("--data-dir", str(folder)) if folder else ()), *(["--json"] if as_json else [])]
    for one in org_id or ():
        more += ["--org", one]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "infra.evidence", *more])
