"""The tools' specifications as they were at build time; see `api/routes/tools.py`."""

from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from schema.contracts.tools import ToolSpec


@cache
def tool_specs() -> tuple[ToolSpec, ...]:
    """Return the specifications, by name."""
    return TypeAdapter(tuple[ToolSpec, ...]).validate_json(files("api").joinpath("tools.json").read_bytes())
