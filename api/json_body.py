"""Reading JSON bodies: what two readers would understand differently is refused (RFC 8259, section 4)."""

import json
from typing import Any

from fastapi import Request


class JsonRequest(Request):
    """A request whose JSON names every field once."""

    async def json(self) -> Any:
        """Return the body's value.

        Raises:
            JSONDecodeError: it is not JSON, or an object names a field twice: the last one would win here, and the
                first one in a proxy or a log before us.
        """
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), object_pairs_hook=_each_once)
        return self._json


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise json.JSONDecodeError(f"the field {twice[:100]!r} stands more than once in one object", "", 0)
    return value
