"""The JSON Schemas that a run's `output_schema` may be, as a JSON Schema: for the OpenAPI document.

`schema/outputs.py` decides, and refuses beyond this what no schema can say: size, depth, how many values are asked, and
names in `required` that are no property.
"""

from typing import Any

from schema.outputs import FORMATS, KEYWORDS, ROOT_KEYWORDS
from schema.policies import TABLE_ALLOWED_MAX, TABLE_UNIT_LENGTH_MAX

_COMPONENT = "#/components/schemas/"
_TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
_FILLED = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"


def components() -> dict[str, dict[str, Any]]:
    """Return the components: `OutputSchema`, the root; `OutputProperty`; `OutputItem`, of what is within a list."""
    root = _node("object", "OutputProperty")
    root["properties"] |= {"type": {"const": "object"}} | {name: {"type": "string"} for name in sorted(ROOT_KEYWORDS)}
    root["properties"]["$id"]["pattern"] = "^[^#\\u0000]*#?$"
    root["properties"]["$schema"]["pattern"] = _TEXT["pattern"]
    root["description"] = "The documented subset of JSON Schema 2020-12 that a run can fill."
    kinds = sorted(KEYWORDS)
    return {
        "OutputSchema": root,
        "OutputProperty": {"anyOf": [_node(kind, "OutputProperty") for kind in kinds]},
        "OutputItem": {"anyOf": [_node(kind, "OutputItem") for kind in kinds if kind != "array"]},
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
