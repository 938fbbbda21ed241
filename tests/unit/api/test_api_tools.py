"""`api/tools.json` is what the tools say of themselves. Write it anew: `python -m tests.unit.api.test_api_tools`."""

import json
from pathlib import Path

from activities.tools.registry import builtin_tools

FILE = Path(__file__).parents[3] / "api" / "tools.json"


def current() -> str:
    specs = [spec.model_dump(mode="json") for spec in builtin_tools().specs]
    return json.dumps(specs, indent=1, ensure_ascii=False) + "\n"


def test_the_api_shows_the_tools_as_they_are() -> None:
    assert FILE.read_text() == current(), "run `python -m tests.unit.api.test_api_tools`"


if __name__ == "__main__":
    FILE.write_text(current())
