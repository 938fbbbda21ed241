"""`swissbrain approvals ...`: calls of tools that wait for an administrator."""

from typing import Annotated

import typer

from client.commands.common import AsJson, DataDir, connected, out, show_json, show_table

app = typer.Typer(help="Calls of tools that wait for an administrator.", no_args_is_help=True)

ApprovalId = Annotated[str, typer.Argument(help="Id of the approval, `appr_...`.")]
Note = Annotated[str | None, typer.Option(help="For the audit log.")]


@app.command("list")
def list_approvals(
    status: Annotated[
        str | None, typer.Option(help="pending, approved, denied, expired or cancelled; default: all.")
    ] = None,
    run_id: Annotated[str | None, typer.Option("--run", help="Those of this run.")] = None,
    limit: Annotated[int, typer.Option(help="Most approvals.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List calls that wait, or waited, newest first."""
    with connected(data_dir) as client:
        found = list(client.list_approvals(status=status, run_id=run_id, limit=limit))
    if as_json:
        show_json(found)
        return
    columns = {"id": "id", "status": "status", "run": "run_id", "tool": "tool", "rule": "rule", "until": "expires_at"}
    show_table(iter(found), columns)


@app.command("show")
def show_approval(approval_id: ApprovalId, data_dir: DataDir = None) -> None:
    """Read one call, with its arguments exactly."""
    with connected(data_dir) as client:
        show_json(client.get_approval(approval_id))


@app.command("approve")
def approve(
    approval_id: ApprovalId,
    note: Note = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show a call and, when that is confirmed, let exactly what was shown be made, once."""
    with connected(data_dir) as client:
        call = client.get_approval(approval_id)
        out.print(f"{call['tool']} {call['arguments_json']}", markup=False, highlight=False)
        if not yes:
            typer.confirm("Let this call be made?", abort=True)
        show_json(client.approve(approval_id, call["arguments_sha256"], note=note))


@app.command("deny")
def deny(approval_id: ApprovalId, note: Note = None, data_dir: DataDir = None) -> None:
    """Refuse a call: the agent goes on without it."""
    with connected(data_dir) as client:
        show_json(client.deny(approval_id, note=note))
