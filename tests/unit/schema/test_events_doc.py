"""`docs/events.md` lists every event of a run, in the order of the code, and nothing else."""

import re
from pathlib import Path

import schema
from schema.events import EventType

PAGE = (Path(schema.__path__[0]).parent / "docs" / "events.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_event_has_its_row() -> None:
    assert [row[0] for row in ROWS] == [f"`{event.value}`" for event in EventType]


def test_every_row_is_complete() -> None:
    for name, level, agent, when, data in ROWS:
        assert level in ("debug", "info", "warning", "error"), name
        if name == "`reasoner.fell_back`":
            assert agent == "either"
            continue
        assert agent == ("yes" if name.startswith(("`agent.", "`tool.", "`row.", "`approval.")) else "-"), name
        assert when, name
        assert data == "null" or re.search(r"`\w+`", data), name


def test_names_are_noun_and_past() -> None:
    for event in EventType:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", event.value)
