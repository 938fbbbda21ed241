"""The commands of `swissbrain` that call the API, one file per resource; `register` adds them to the application."""

import typer

from client.commands import (
    approvals,
    audit,
    billing,
    corpus,
    dead_letters,
    exports,
    files,
    keys,
    people,
    runs,
    sources,
    tables,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("run")(runs.run)
    app.add_typer(runs.app, name="runs")
    app.command("export")(exports.export)
    app.command("sources")(sources.sources)
    app.command("table")(tables.table)
    app.add_typer(sources.app, name="domains")
    app.add_typer(corpus.app, name="corpus")
    app.add_typer(files.app, name="files")
    app.add_typer(approvals.app, name="approvals")
    app.add_typer(dead_letters.app, name="dead-letters")
    app.add_typer(keys.app, name="keys")
    app.add_typer(people.users, name="users")
    app.add_typer(people.invite, name="invite")
    app.add_typer(audit.app, name="audit")
    app.command("balance")(billing.balance)
    app.add_typer(billing.ledger_app, name="ledger")
    app.command("buy")(billing.buy)
