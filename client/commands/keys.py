"""`swissbrain keys ...`: API keys."""

from typing import Annotated

import typer

from client.commands.common import AsJson, DataDir, connected, err, out, show_json, show_table
from client.process import become

app = typer.Typer(help="API keys; payload and master keys of an embedded stack.", no_args_is_help=True)

_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command("payload", context_settings=_PASSED_ON)
def payload(context: typer.Context) -> None:
    """Rotate the keys that encrypt what Temporal keeps: `list`, `add`, `promote`, `retire KEY`."""
    become("infra.key_rotation", "payload", *context.args)


@app.command("master", context_settings=_PASSED_ON)
def master(context: typer.Context) -> None:
    """Rotate the keys that wrap the organisations' keys: `list`, `add`, `promote`, `rewrap`, `retire KEY`."""
    become("infra.key_rotation", "master", *context.args)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scopes: Annotated[list[str], typer.Option("--scope", help="For example runs:read; may be repeated.")],
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339, with a time zone; default: never.")] = None,
    service_account: Annotated[str | None, typer.Option(help="Id of the service account that owns it.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it: it is shown this once."""
    with connected(data_dir) as client:
        made = client.create_key(name, scopes, expires_at=expires_at, service_account_id=service_account)
    err.print(made["id"])
    out.print(made["key"], markup=False, highlight=False)


@app.command("list")
def list_keys(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List keys, newest first, revoked ones included."""
    with connected(data_dir) as client:
        found = list(client.list_keys(limit=1_000))
    if as_json:
        show_json(found)
        return
    columns = {"id": "id", "name": "name", "scopes": "scopes", "expires": "expires_at", "revoked": "revoked_at"}
    show_table(iter(found), columns)


@app.command("rotate")
def rotate(
    key_id: Annotated[str, typer.Argument(help="Id of the key, `key_...`.")],
    overlap_s: Annotated[int, typer.Option(help="How long the old key stays in force, seconds.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """Replace a key by a new one and print that: it is shown this once."""
    with connected(data_dir) as client:
        made = client.rotate_key(key_id, overlap_s=overlap_s)
    err.print(made["id"])
    out.print(made["key"], markup=False, highlight=False)


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key, `key_...`.")], data_dir: DataDir = None) -> None:
    """Revoke a key, from now on."""
    with connected(data_dir) as client:
        show_json(client.revoke_key(key_id))
