"""Tables, as they are asked for in the body of `POST /runs`."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from api.views.base import Ask, FilledText, Text
from schema.contracts.tables import Column, ColumnType, TableSpec
from schema.policies import (
    TABLE_ALLOWED_MAX,
    TABLE_COLUMN_DESCRIPTION_LENGTH_MAX,
    TABLE_COLUMN_NAME_LENGTH_MAX,
    TABLE_COLUMNS_MAX,
    TABLE_ITEM_LENGTH_MAX,
    TABLE_ROWS_MAX,
    TABLE_UNIT_LENGTH_MAX,
)

_NUMBERS = ("number", "integer")

TypeName = Literal["text", "number", "integer", "boolean", "date", "url", "enum"]
Allowed = Annotated[FilledText, Field(max_length=TABLE_ITEM_LENGTH_MAX)]
Item = Annotated[FilledText, Field(max_length=TABLE_ITEM_LENGTH_MAX)]


_FITTING: dict[str, Any] = {
    "allOf": [
        {
            "if": {"required": ["type"], "properties": {"type": {"const": "enum"}}},
            "then": {"required": ["allowed"], "properties": {"allowed": {"type": "array"}}},
            "else": {"properties": {"allowed": {"type": "null"}}},
        },
        {
            "if": {"not": {"required": ["type"], "properties": {"type": {"enum": [*_NUMBERS]}}}},
            "then": {"properties": {"unit": {"type": "null"}}},
        },
    ]
}
"""What `_fits_its_type` checks, for the OpenAPI document."""


class AskedColumn(Ask):
    """One property that is asked of every item."""

    model_config = ConfigDict(json_schema_extra=_FITTING)

    name: FilledText = Field(max_length=TABLE_COLUMN_NAME_LENGTH_MAX, examples=["founded"])
    description: Text = Field(
        default="",
        max_length=TABLE_COLUMN_DESCRIPTION_LENGTH_MAX,
        description="What exactly is meant; its words are looked for too.",
    )
    type: TypeName = Field(default="text", description="A value that is not of this type is not taken.")
    unit: FilledText | None = Field(
        default=None,
        max_length=TABLE_UNIT_LENGTH_MAX,
        description="Of a number, for example `km` or `million CHF`; other units of the dimension are converted.",
    )
    allowed: list[Allowed] | None = Field(
        default=None,
        min_length=1,
        max_length=TABLE_ALLOWED_MAX,
        description="Of type `enum`: its values, distinct without regard to case.",
        json_schema_extra={"uniqueItems": True},
    )

    @model_validator(mode="after")
    def _fits_its_type(self) -> "AskedColumn":
        if (self.type == "enum") != (self.allowed is not None):
            raise ValueError("`allowed` belongs to type `enum`, and to it only")
        if self.allowed is not None and len({value.casefold() for value in self.allowed}) != len(self.allowed):
            raise ValueError("`allowed` must be distinct")
        if self.unit is not None and self.type not in _NUMBERS:
            raise ValueError("`unit` belongs to types `number` and `integer`")
        return self


class AskedTable(Ask):
    """A table to fill: what the run's task asks, for every item and every column. One agent works on each row."""

    items: list[Item] = Field(
        min_length=1,
        max_length=TABLE_ROWS_MAX,
        description="The rows, distinct without regard to case.",
        examples=[["Calder Optics"]],
        json_schema_extra={"uniqueItems": True},
    )
    columns: list[AskedColumn] = Field(min_length=1, max_length=TABLE_COLUMNS_MAX)

    @field_validator("items")
    @classmethod
    def _distinct_items(cls, items: list[str]) -> list[str]:
        items = [" ".join(item.split()) for item in items]
        seen: dict[str, int] = {}
        for number, item in enumerate(items, 1):
            if (first := seen.setdefault(item.casefold(), number)) != number:
                raise ValueError(f"must be distinct; {item!r} stands at {first} and {number}")
        return items

    @field_validator("columns")
    @classmethod
    def _distinct_columns(cls, columns: list[AskedColumn]) -> list[AskedColumn]:
        names = [column.name.casefold() for column in columns]
        if len(set(names)) != len(names):
            raise ValueError("must have distinct names")
        return columns

    @property
    def spec(self) -> TableSpec:
        """Return it as the run keeps it."""
        columns = tuple(
            Column(
                name=column.name,
                description=column.description,
                type=ColumnType(column.type),
                unit=column.unit,
                allowed=tuple(column.allowed or ()),
            )
            for column in self.columns
        )
        return TableSpec(items=tuple(self.items), columns=columns)
