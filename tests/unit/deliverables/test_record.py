"""The record: its documented schema, and the report read back into its parts."""

import json
import time
from pathlib import Path

import jsonschema
import pytest

from activities.deliverables.reading import read_report
from activities.deliverables.spoken import script_of
from activities.research.citations import render_report
from schema.contracts.deliverables import Bullets, Grid, Paragraph, RunRecord
from schema.contracts.research import Brief, Report, Section
from schema.policies import SPEECH_CHARACTERS_MAX
from tests.support.records import Shape, made_record

SCHEMA = Path("docs/run-record.schema.json")


def test_the_documented_schema_is_the_records() -> None:
    """Regenerate it: `python -m tests.unit.deliverables.test_record`."""
    assert json.loads(SCHEMA.read_text()) == RunRecord.model_json_schema()


def test_a_record_is_valid_by_its_schema() -> None:
    """With everything that one can hold."""
    record = made_record(3, Shape(events=3, scripts=("ar", "zh")))
    jsonschema.validate(json.loads(record.model_dump_json()), RunRecord.model_json_schema())
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


REPORT = r"""# What the \*tides\* do

## Executive summary

The range is 14 metres. [1]
It was measured in 1849 \[sic\]. [2][3]

## Key findings

- A barrage was proposed. [1]
- Costs are \| unknown \[4\].

## Analysis

### Range

| Row | Height |
| --- | --- |
| Avonmouth | 14.0 m [1] |
| Port \| Quay | – |

## Citations

[1] A page (web). <https://tides.example/> Snapshot `00`, characters 1–2.
"""


def test_a_report_is_read_back_into_its_parts() -> None:
    """Sentences a line, marks at their ends only, escaped brackets as text, the list of citations left out."""
    document = read_report(REPORT)
    assert document.title == "What the *tides* do"
    assert [(part.title, part.level) for part in document.parts] == [
        ("Executive summary", 2),
        ("Key findings", 2),
        ("Analysis", 2),
        ("Range", 3),
    ]
    (summary,), (findings,), _, (grid,) = (part.blocks for part in document.parts if part.blocks or part.title)
    assert isinstance(summary, Paragraph)
    assert [(each.text, each.marks) for each in summary.sentences] == [
        ("The range is 14 metres.", (1,)),
        ("It was measured in 1849 [sic].", (2, 3)),
    ]
    assert isinstance(findings, Bullets)
    assert [(each.text, each.marks) for each in findings.items] == [
        ("A barrage was proposed.", (1,)),
        ("Costs are | unknown [4].", ()),
    ]
    assert isinstance(grid, Grid)
    assert grid.heading == ("Row", "Height")
    assert [[(cell.text, cell.marks) for cell in row] for row in grid.rows] == [
        [("Avonmouth", ()), ("14.0 m", (1,))],
        [("Port | Quay", ()), ("–", ())],
    ]


@pytest.mark.parametrize("title", ["Which is older, C or C #", "Rank ##", "# of ships #", "C# or F#", "# #"])
def test_a_title_keeps_its_hashes(title: str) -> None:
    """Hashes at a heading's end would close it, and be gone."""
    report = Report(title=title, sections=(Section(title=title, level=2),))
    document = read_report(render_report(report, {}, {}.__getitem__, brief=Brief(task=title)).markdown)
    assert (document.title, document.parts[0].title) == (title, title)


@pytest.mark.parametrize("part", ["[", "*a_ ", "![", "`"])
def test_a_line_of_marks_is_read_at_once(part: str) -> None:
    """It is no Markdown that a report has, but `verify` reads what others made up, and exports read between others."""
    began = time.perf_counter()
    (read,) = read_report(f"# T\n\n## S\n\nThe {part * 300_000}\n").parts
    assert isinstance(read.blocks[0], Paragraph)
    assert time.perf_counter() - began < 2


def test_what_is_read_aloud() -> None:
    """Title, summary and findings, each sentence once, with its first source; no more than is spoken at once."""
    script = script_of(made_record(3)).splitlines()
    record = made_record(3)
    assert script[0] == record.document.title
    assert len(script) == len(set(script))
    assert all(line.split(" Source ")[1].rstrip(".").isdigit() for line in script[1:])
    assert len("\n".join(script)) <= SPEECH_CHARACTERS_MAX
    long = made_record(4, Shape(subtasks=60, findings=12))
    assert SPEECH_CHARACTERS_MAX * 0.9 < len(script_of(long)) <= SPEECH_CHARACTERS_MAX


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(RunRecord.model_json_schema(), indent=1) + "\n")
