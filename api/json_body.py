"""Reading JSON bodies: what two readers would understand differently is refused (RFC 8259, section 4)."""

import json
from typing import Any

from fastapi import Request

from schema.policies import JSON_DEPTH_MAX


class JsonRequest(Request):
    """A request whose JSON names every field once."""

    async def json(self) -> Any:
        """Return the body's value.

        Raises:
            JSONDecodeError: it is no JSON, it is nested deeper than `JSON_DEPTH_MAX`, or an object names a field twice:
                the last one would win here, and the first one in a proxy or a log before us.
        """
        if not hasattr(self, "_json"):
            try:
                value = json.loads(await self.body(), object_pairs_hook=_each_once)
            except RecursionError as error:
                raise _too_deep() from error
            if _is_deep(value):
                raise _too_deep()
            self._json = value
        return self._json


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise json.JSONDecodeError(f"the field {twice[:100]!r} stands more than once in one object", "", 0)
    return value


def _is_deep(value: Any) -> bool:
    """Tell whether arrays and objects stand in one another more than `JSON_DEPTH_MAX` times."""
    level, depth = [value], 0
    while level:
        inner = [item for item in level if isinstance(item, list | dict)]
        depth += bool(inner)
        if depth > JSON_DEPTH_MAX:
            return True
        level = [each for item in inner for each in (item.values() if isinstance(item, dict) else item)]
    return False


def _too_deep() -> json.JSONDecodeError:
    return json.JSONDecodeError(f"it is nested deeper than {JSON_DEPTH_MAX} levels", "", 0)
