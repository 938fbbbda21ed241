"""Structured output: which JSON Schemas a caller may ask for, and what they ask. Pure.

A documented subset of JSON Schema 2020-12. Anything else is refused when the run is created, since it could only be
ignored later. `x-unit` is this product's own keyword: the unit in which a number is wanted.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from schema.contracts.tables import Column, ColumnType, OutputField
from schema.policies import (
    OUTPUT_FIELDS_MAX,
    OUTPUT_SCHEMA_BYTES_MAX,
    OUTPUT_SCHEMA_DEPTH_MAX,
    TABLE_ALLOWED_MAX,
    TABLE_UNIT_LENGTH_MAX,
)

_EVERYWHERE = frozenset({"type", "title", "description"})
KEYWORDS: dict[str, frozenset[str]] = {
    "object": _EVERYWHERE | {"properties", "required", "additionalProperties"},
    "array": _EVERYWHERE | {"items"},
    "string": _EVERYWHERE | {"enum", "format"},
    "number": _EVERYWHERE | {"x-unit"},
    "integer": _EVERYWHERE | {"x-unit"},
    "boolean": _EVERYWHERE,
}
"""What a schema of each type may say."""
ROOT_KEYWORDS = frozenset({"$schema", "$id"})
FORMATS = {"date": ColumnType.DATE, "uri": ColumnType.URL}


def fields_of_schema(schema: Mapping[str, Any]) -> tuple[OutputField, ...]:
    """Return the leaves that a caller's schema asks for.

    Raises:
        ValueError: it is no JSON Schema, or uses what is not supported; the text says where and what.
    """
    if len(json.dumps(schema, ensure_ascii=False).encode()) > OUTPUT_SCHEMA_BYTES_MAX:
        raise ValueError(f"must not be larger than {OUTPUT_SCHEMA_BYTES_MAX} bytes of JSON")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema: {error.message} (at {_place(error.absolute_path)})") from error
    bare = {key: value for key, value in schema.items() if key not in ROOT_KEYWORDS}
    if bare.get("type") != "object":
        raise ValueError("must be of type `object` at its root")
    found = tuple(_leaves(bare, "", (), required=True, depth=0, many=False))
    if not found:
        raise ValueError("asks for nothing: `properties` is empty")
    if len(found) > OUTPUT_FIELDS_MAX:
        raise ValueError(f"asks for {len(found)} values; {OUTPUT_FIELDS_MAX} are the most")
    return found


def _place(path: Any) -> str:
    return "/" + "/".join(str(part) for part in path)


def _leaves(
    node: Mapping[str, Any], path: str, names: tuple[str, ...], *, required: bool, depth: int, many: bool
) -> Iterator[OutputField]:
    """Yield the leaves below `node`; `names` are those of the properties that lead to it."""
    kind = type_of(node, path)
    unknown = sorted(set(node) - KEYWORDS[kind])
    if unknown:
        raise ValueError(f"`{unknown[0]}` at {path or '/'} is not supported for type `{kind}`")
    if kind in ("object", "array") and depth > OUTPUT_SCHEMA_DEPTH_MAX:
        raise ValueError(f"is nested deeper than {OUTPUT_SCHEMA_DEPTH_MAX} levels at {path}")
    if kind == "object":
        yield from _properties(node, path, names, required=required, depth=depth, many=many)
    elif kind == "array":
        if many:
            raise ValueError(f"a list within a list is not supported, at {path}")
        if not isinstance(node.get("items"), dict):
            raise ValueError(f"`items` at {path} must say what the list holds")
        yield from _leaves(node["items"], f"{path}/-", names, required=required, depth=depth + 1, many=True)
    else:
        yield OutputField(path=path, column=_column(node, path, names, kind, many=many), required=required)


def _properties(
    node: Mapping[str, Any], path: str, names: tuple[str, ...], *, required: bool, depth: int, many: bool
) -> Iterator[OutputField]:
    properties = node.get("properties")
    if not isinstance(properties, dict) or not properties:
        raise ValueError(f"`properties` at {path or '/'} must name at least one property")
    if not isinstance(node.get("additionalProperties", False), bool):
        raise ValueError(f"`additionalProperties` at {path or '/'} may only be true or false")
    wanted = node.get("required", [])
    for name in wanted:
        if name not in properties:
            raise ValueError(f"`required` at {path or '/'} names {name!r}, which is no property")
    for name, child in properties.items():
        if not name.strip():
            raise ValueError(f"a property at {path or '/'} has no name")
        if not isinstance(child, dict):
            raise ValueError(f"the property {name!r} at {path or '/'} must be a schema")
        yield from _leaves(
            child,
            f"{path}/{name.replace('~', '~0').replace('/', '~1')}",
            (*names, name),
            required=required and name in wanted,
            depth=depth + 1,
            many=many,
        )


def type_of(node: Mapping[str, Any], path: str) -> str:
    """Return the one type of a schema besides `null`.

    Raises:
        ValueError: it has none, several, or one that is not supported.
    """
    given = node.get("type", "string" if "enum" in node else None)
    kinds = [kind for kind in (given if isinstance(given, list) else [given]) if kind != "null"]
    if len(kinds) != 1 or kinds[0] not in KEYWORDS:
        raise ValueError(f"`type` at {path or '/'} must be one of {', '.join(KEYWORDS)}, or one of them with null")
    return str(kinds[0])


def _column(node: Mapping[str, Any], path: str, names: tuple[str, ...], kind: str, *, many: bool) -> Column:
    allowed: tuple[str, ...] = ()
    found = ColumnType.TEXT
    if "enum" in node:
        values = [value for value in node["enum"] if value is not None]
        if not values or len(values) > TABLE_ALLOWED_MAX or not all(isinstance(value, str) for value in values):
            raise ValueError(f"`enum` at {path} must be 1 to {TABLE_ALLOWED_MAX} texts")
        allowed, found = tuple(values), ColumnType.ENUM
    elif "format" in node:
        if node["format"] not in FORMATS:
            raise ValueError(f"`format` at {path} must be one of {', '.join(FORMATS)}")
        found = FORMATS[node["format"]]
    elif kind != "string":
        found = ColumnType(kind)
    unit = node.get("x-unit")
    if unit is not None and (not isinstance(unit, str) or not 0 < len(unit.strip()) <= TABLE_UNIT_LENGTH_MAX):
        raise ValueError(f"`x-unit` at {path} must be a text of 1 to {TABLE_UNIT_LENGTH_MAX} characters")
    return Column(
        # The names on the path keep columns apart and say what is asked; the last one alone may be what sources use.
        name=" ".join(names),
        description=str(node.get("description") or node.get("title") or (names[-1] if len(names) > 1 else "")),
        type=found,
        unit=unit,
        allowed=allowed,
        many=many,
    )


def problems_of(schema: Mapping[str, Any], value: Any) -> list[tuple[str, str]]:
    """Return (JSON Pointer, what is wrong) of everything in `value` that the caller's schema does not allow."""
    validator = Draft202012Validator(dict(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)
    errors = sorted(validator.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    return [(_place(error.absolute_path), error.message) for error in errors]
