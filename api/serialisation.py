"""JSON as this API writes it: decimals as exact numbers, instants in UTC with `Z`.

Python's encoder turns a Decimal into a float or refuses it (`defects.md` D48, D87); here `Decimal("50.00")` is written
`50.00`, digit for digit.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, PlainSerializer, WithJsonSchema
from starlette.responses import Response

Credits = Annotated[
    Decimal,
    PlainSerializer(lambda value: value, return_type=Decimal, when_used="always"),
    WithJsonSchema(
        {"type": "number", "description": "Credits, exact, with up to twelve decimals.", "examples": [50.00]}
    ),
]
"""An amount of credits in an answer."""

Instant = Annotated[
    datetime,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T12:00:00Z"]}),
]
"""A point in time in an answer."""


def instant(value: datetime) -> str:
    """Write a point in time as RFC 3339 in UTC: `2026-01-15T12:00:00.123456Z`, without a fraction that is zero."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def encode(value: Any) -> str:
    """Write `value` as JSON.

    Raises:
        TypeError: a type that has no exact form here.
        ValueError: a number that is not finite.
    """
    match value:
        case Enum():
            return encode(value.value)
        case None | bool() | str() | int():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return json.dumps(value, allow_nan=False)
        case Decimal():
            if not value.is_finite():
                raise ValueError("a decimal that is not finite has no JSON form")
            return format(value, "f")
        case datetime():
            return json.dumps(instant(value))
        case BaseModel():
            return encode(value.model_dump(by_alias=True))
        case dict():
            return "{" + ",".join(f"{encode(str(key))}:{encode(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(encode(inner) for inner in value) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form")


class JsonAnswer(Response):
    """A JSON answer, written by `encode`."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the content as UTF-8."""
        return content if isinstance(content, bytes) else encode(content).encode()
