"""The embedded servers for a whole run over the mutants of a module, and what leads a test session to them.

`python -m tests.mutation.servers` starts and migrates them, prints their environment as one line of JSON, and ends with
its standard input. Every mutant gets a copy of the migrated database: what a mutant breaks must not fail the next one.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

SUPERUSER = "superuser"
_URLS = ("SWISSBRAIN_DATABASE_URL", "SWISSBRAIN_DATABASE_OWNER_URL")


async def serve() -> None:
    """Run the servers until standard input ends."""
    from infra.embedded.supervisor import EmbeddedServers
    from tests.integration.conftest import migrate

    with TemporaryDirectory() as folder:
        async with EmbeddedServers(Path(folder)) as running:
            await migrate(running)
            own = {**running.process_environment, _URLS[1]: running.stack.owner_url}
            own = {key: value for key, value in own.items() if key.startswith("SWISSBRAIN_")}
            superuser = running.stack.database_url("postgres", "postgres_superuser_password", "postgres")
            print(json.dumps({SUPERUSER: superuser, **own}))
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


class FreshDatabase:
    """A pytest plugin: the fixture `servers` is the running ones, with a database of this session's own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Copy the migrated database and point this process's environment to the copy."""
        self._name = f"mutant_{os.getpid()}"
        self._template = urlsplit(environment[_URLS[0]]).path.removeprefix("/")
        self._administration = environment[SUPERUSER]
        owner = urlsplit(environment[_URLS[1]]).username
        asyncio.run(self._execute(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._template}" OWNER "{owner}"'))
        settings = {key: value for key, value in environment.items() if key != SUPERUSER}
        os.environ.update({**settings, **{key: _with_database(environment[key], self._name) for key in _URLS}})

    def drop(self) -> None:
        """Drop the copy."""
        asyncio.run(self._execute(f'DROP DATABASE "{self._name}" WITH (FORCE)'))

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Any:
        """Give the fixture's value in place of its function."""
        if fixturedef.argname != "servers":
            return None
        from infra.settings import Settings

        settings = Settings()
        running = SimpleNamespace(
            settings=settings, stack=SimpleNamespace(settings=settings, owner_url=os.environ[_URLS[1]])
        )
        fixturedef.cached_result = (running, fixturedef.cache_key(request), None)
        return running

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._administration)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _with_database(url: str, name: str) -> str:
    scheme, place, _, query, fragment = urlsplit(url)
    return urlunsplit((scheme.partition("+")[0], place, f"/{name}", query, fragment))


if __name__ == "__main__":
    asyncio.run(serve())
