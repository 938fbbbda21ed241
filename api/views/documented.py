"""What a run's `context` and `output_schema` may be, as JSON Schemas: for the OpenAPI document.

Pydantic shows both as any object. The validators of `api/views/runs.py` and `schema/outputs.py` decide, and refuse
beyond this what no schema can say: size, depth, how many values are asked, names in `required` that are no property.
"""

from typing import Any

from schema.contracts.research import SourceKind
from schema.outputs import FORMATS, KEYWORDS, ROOT_KEYWORDS
from schema.policies import TABLE_ALLOWED_MAX, TABLE_UNIT_LENGTH_MAX

_COMPONENT = "#/components/schemas/"
_TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
_FILLED = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"


def components() -> dict[str, dict[str, Any]]:
    """Return the components.

    `Context`; `StorableJson`, a value in it; `OutputSchema`, the root; `OutputProperty`; `OutputItem`, of what is
    within a list.
    """
    root = _node("object", "OutputProperty")
    root["properties"] |= {"type": {"const": "object"}} | {name: {"type": "string"} for name in sorted(ROOT_KEYWORDS)}
    root["properties"]["$id"]["pattern"] = "^[^#\\u0000]*#?$"
    root["properties"]["$schema"]["pattern"] = _TEXT["pattern"]
    root["description"] = "The documented subset of JSON Schema 2020-12 that a run can fill."
    kinds = sorted(KEYWORDS)
    return {
        "Context": _context(),
        "StorableJson": _storable(),
        "OutputSchema": root,
        "OutputProperty": {"anyOf": [_node(kind, "OutputProperty") for kind in kinds]},
        "OutputItem": {"anyOf": [_node(kind, "OutputItem") for kind in kinds if kind != "array"]},
    }


def _context() -> dict[str, Any]:
    kinds = {"enum": [kind.value for kind in SourceKind]}
    return {
        "type": "object",
        "properties": {"sources": {"type": "array", "minItems": 1, "uniqueItems": True, "items": kinds}},
        "propertyNames": {**_TEXT, "not": {"enum": ["max_credits", "deliverables"]}},
        "additionalProperties": {"$ref": _COMPONENT + "StorableJson"},
    }


def _storable() -> dict[str, Any]:
    inner = {"$ref": _COMPONENT + "StorableJson"}
    return {
        "description": "Any JSON without NUL characters.",
        "anyOf": [
            {"type": ["null", "boolean", "number"]},
            _TEXT,
            {"type": "array", "items": inner},
            {"type": "object", "propertyNames": _TEXT, "additionalProperties": inner},
        ],
    }


def _node(kind: str, inner: str) -> dict[str, Any]:
    said = {
        "type": {"enum": [kind, [kind], [kind, "null"], ["null", kind]]},
        "title": _TEXT,
        "description": _TEXT,
        "properties": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": _FILLED},
            "additionalProperties": {"$ref": _COMPONENT + inner},
        },
        "required": {"type": "array", "uniqueItems": True, "items": _TEXT},
        "additionalProperties": {"type": "boolean"},
        "items": {"$ref": _COMPONENT + "OutputItem"},
        "enum": {
            "type": "array",
            "maxItems": TABLE_ALLOWED_MAX,
            "items": {"anyOf": [_TEXT, {"type": "null"}]},
            "contains": {"type": "string"},
        },
        "format": {"enum": sorted(FORMATS)},
        "x-unit": {"type": "string", "maxLength": TABLE_UNIT_LENGTH_MAX, "pattern": _FILLED},
    }
    needed = {"object": ["type", "properties"], "array": ["type", "items"]}.get(kind, ["type"])
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: said[name] for name in sorted(KEYWORDS[kind])},
        # Values that are listed are texts: their type need not be said.
        **({"anyOf": [{"required": ["type"]}, {"required": ["enum"]}]} if kind == "string" else {"required": needed}),
    }
