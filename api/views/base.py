"""What all models share, and the kinds of text that are accepted."""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Ask(BaseModel):
    """Base of every request body: unknown fields are refused, and nothing is converted silently.

    `5.0` is an integer, as JSON Schema has it (2020-12, Core 4.2.3).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
            for name, value in fields.items()
        }


class Empty(Ask):
    """A body that says nothing: `{}`, or none at all."""


class View(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(populate_by_name=True, frozen=True)


class Listing(View):
    """A page of a list."""

    next_cursor: str | None = None
    """Pass it as `cursor` to get the next page; null on the last one."""


def _as_rfc_3339(value: Any) -> Any:
    """Refuse what is also taken for a time: seconds since 1970, as a number or a text, and days."""
    if not (isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}", value)):
        raise ValueError("must be a time with its zone as RFC 3339 has it, for example `2027-01-01T00:00:00Z`")
    return value


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_as_rfc_3339)]
"""A point in time in a request."""


def no_truth_value(value: Any) -> Any:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def storable(text: str) -> str:
    """Refuse what PostgreSQL and UTF-8 cannot hold: NUL characters and halves of surrogate pairs."""
    if "\x00" in text:
        raise ValueError("must not contain NUL characters (U+0000); remove them")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains half of a surrogate pair; send well-formed Unicode")
    return text


def not_blank(text: str) -> str:
    """Strip the text and refuse what is then empty."""
    text = text.strip()
    if not text:
        raise ValueError("must not be blank")
    return text


class Shown:
    """Puts a pattern into the OpenAPI document; validators say the same to the caller, and why."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the pattern; one that is there already says more."""
        return {"pattern": self._pattern} | handler(core_schema)


Text = Annotated[str, AfterValidator(storable), Shown(r"^[^\u0000]*$")]
FilledText = Annotated[
    str,
    AfterValidator(storable),
    AfterValidator(not_blank),
    Shown(r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"),  # Python strips more than \s of ECMA-262 is.
]


def storable_json(value: Any, depth: int = 0) -> Any:
    """Refuse what a JSON column cannot hold, and nesting that is there to hurt."""
    if depth > 20:
        raise ValueError("is nested deeper than 20 levels")
    match value:
        case str():
            storable(value)
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                raise ValueError("contains a number that is not finite")
        case list():
            for inner in value:
                storable_json(inner, depth + 1)
        case dict():
            for key, inner in value.items():
                storable(str(key))
                storable_json(inner, depth + 1)
    return value
