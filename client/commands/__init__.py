"""The commands of `swissbrain` that call the API, one file per resource; `register` adds them to the application."""

import typer

from client.commands import billing, corpus, dead_letters, keys, runs, tables


def register(app: typer.Typer) -> None:
    """Add `run`, `runs`, `table`, `corpus`, `dead-letters`, `keys`, `balance`, `ledger` and `buy`."""
    app.command("run")(runs.run)
    app.add_typer(runs.app, name="runs")
    app.command("table")(tables.table)
    app.add_typer(corpus.app, name="corpus")
    app.add_typer(dead_letters.app, name="dead-letters")
    app.add_typer(keys.app, name="keys")
    app.command("balance")(billing.balance)
    app.command("ledger")(billing.ledger)
    app.command("buy")(billing.buy)
