"""`swissbrain balance`, `ledger` and `buy`."""

from typing import Annotated

import typer

from client.commands.common import AsJson, DataDir, connected, show_json, show_table
from client.process import become


def balance(data_dir: DataDir = None) -> None:
    """Show the organisation's credits, as JSON."""
    with connected(data_dir) as client:
        show_json(client.balance())


ledger_app = typer.Typer(invoke_without_command=True)


@ledger_app.callback()
def ledger(
    context: typer.Context,
    run_id: Annotated[str | None, typer.Option("--run", help="Only what belongs to this run.")] = None,
    limit: Annotated[int, typer.Option(help="Most entries.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List movements of credits, newest first; `ledger rebuild --check` adds them up anew."""
    if context.invoked_subcommand is not None:
        return
    with connected(data_dir) as client:
        found = list(client.ledger(run_id=run_id, limit=limit))
    if as_json:
        show_json(found)
        return
    columns = {
        "version": "version",
        "at": "created_at",
        "type": "type",
        "balance": "balance_change",
        "reserved": "reserved_change",
        "balance after": "balance_after",
        "reserved after": "reserved_after",
        "run": "run_id",
    }
    show_table(iter(found), columns)


@ledger_app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def rebuild(context: typer.Context) -> None:
    """Compute balances and holds from the ledger alone; `--check` only compares (as the tables' owner)."""
    become("infra.ledger", *context.args)


def buy(
    amount: Annotated[str, typer.Argument(help="Credits, decimal.")],
    data_dir: DataDir = None,
) -> None:
    """Add credits to the balance (scope billing:admin)."""
    with connected(data_dir) as client:
        show_json(client.buy_credits(amount))
