"""Statements that go to the driver without SQLAlchemy between: for those that an agent's every step sends.

Building, caching and unpacking a statement costs SQLAlchemy about seven times what the driver needs for the whole
exchange (decision 0007). Everything else in the store goes through a session.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

_NAME = re.compile(r"(?<!:):([a-z_]+)")


class Connection(Protocol):
    """What is needed of asyncpg's connection; `infra/database.py` opens one with its transaction."""

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Return the first row, or None."""

    async def fetch(self, query: str, *args: Any) -> Any:
        """Return all rows."""


class Statement:
    """SQL with `:named` parameters, prepared once by driver and server."""

    def __init__(self, sql: str) -> None:
        self._names: list[str] = []
        self._sql = _NAME.sub(self._number, sql)

    def _number(self, match: re.Match[str]) -> str:
        name = match[1]
        if name not in self._names:
            self._names.append(name)
        return f"${self._names.index(name) + 1}"

    async def row(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Run it; return the first row as a mapping, or None.

        Args:
            parameters: dicts and lists are sent as JSON, tuples as arrays; JSON comes back as text.
        """
        return await connection.fetchrow(self._sql, *self._values(parameters))

    async def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> Any:
        """Run it; return all rows as mappings. Parameters are as in `row`."""
        return await connection.fetch(self._sql, *self._values(parameters))

    def _values(self, parameters: Mapping[str, Any]) -> list[Any]:
        return [_sent(parameters[name]) for name in self._names]


def _sent(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def received(value: str | None) -> Any:
    """Return what a JSON column holds."""
    return None if value is None else json.loads(value)
