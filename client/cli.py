"""The `swissbrain` command line.

The process commands (`up`, `api`, `worker`, `migrate`) replace this process by the one they name, so that signals, exit
code and output are its own, and this package needs to import none of the server's code.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from client.commands import register
from client.process import become

app = typer.Typer(
    name="swissbrain",
    help="A multi-tenant agent platform on Temporal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Options are the other program's, `--help` too."""


class Role(StrEnum):
    """What a worker process works on."""

    ALL = "all"
    RUNS = "runs"
    AGENTS = "agents"
    TOOLS = "tools"
    TOOLS_CPU = "tools-cpu"
    BILLING = "billing"


@app.command()
def up(
    data_dir: Annotated[Path, typer.Option(help="Where all data is kept.")] = Path(".swissbrain"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    host: Annotated[str, typer.Option(help="Address that the API binds.")] = "127.0.0.1",
    local_model: Annotated[str | None, typer.Option(help="Run this model here and use it; see `model`.")] = None,
) -> None:
    """Start everything on this machine: servers, API and worker. Ctrl-C stops it; the data stays."""
    more = ("--local-model", local_model) if local_model else ()
    become("infra.embedded", "--data-dir", str(data_dir), "--host", host, "--port", str(port), *more)


@app.command(context_settings=_PASSED_ON)
def model(context: typer.Context) -> None:
    """Models for this machine: `model list`, `model get [NAME]`, `model serve [NAME]`."""
    become("infra.local_model", *context.args)


@app.command()
def api(
    host: Annotated[str, typer.Option(envvar="SWISSBRAIN_API_HOST", help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SWISSBRAIN_API_PORT", min=1, max=65535, help="Port to bind.")] = 8000,
) -> None:
    """Serve the REST API. Configured by environment variables; see docs/configuration.md."""
    become(
        *("uvicorn", "api.app:create_app", "--factory", "--host", host, "--port", str(port)),
        *("--no-access-log", "--timeout-graceful-shutdown", "10"),
    )


@app.command()
def worker(role: Annotated[Role, typer.Option(help="Which task queues to serve.")] = Role.ALL) -> None:
    """Run workflows and activities. Configured by environment variables; see docs/configuration.md."""
    become("worker", "--role", role.value)


@app.command()
def migrate(revision: Annotated[str, typer.Argument(help="Alembic revision to migrate to.")] = "head") -> None:
    """Bring the database's tables up to date (as SWISSBRAIN_DATABASE_OWNER_URL)."""
    become("schema.migrations", "upgrade", revision)


@app.command(context_settings=_PASSED_ON)
def check(context: typer.Context) -> None:
    """Count the violations of every invariant of the database; exit 0 when there are none; `--help` for more."""
    become("infra.check", *context.args)


@app.command(context_settings=_PASSED_ON)
def verify(context: typer.Context) -> None:
    """Check runs that were exported as zip, without any server, `verify PACK...`; `--help` for more."""
    become("activities.deliverables.verifying", *context.args)


@app.command(context_settings=_PASSED_ON)
def backup(context: typer.Context) -> None:
    """Back up a running stack, `backup DIR`: database, histories, objects; `--help` for more."""
    become("infra.embedded.backup", "backup", *context.args)


@app.command(context_settings=_PASSED_ON)
def restore(context: typer.Context) -> None:
    """Restore a backup into a new data directory, `restore DIR --data-dir NEW`; `--help` for more."""
    become("infra.embedded.backup", "restore", *context.args)


register(app)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
