"""What a deck can say: a record's statements, sorted by what slides of which kind they belong on."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from schema.contracts.deliverables import Bullets, Grid, Part, RunRecord, Statement
from schema.contracts.slides import SlideKind

EXECUTIVE_SUMMARY = "Executive summary"
KEY_FINDINGS = "Key findings"
ANALYSIS = "Analysis"
RECOMMENDATIONS = "Recommendations"
NOT_COVERED = "Not covered"

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_DIRECTING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """Return foreign text as one line that XML can hold, without characters that turn what stands beside it."""
    return " ".join(_DIRECTING.sub("", _ILLEGAL.sub("", unicodedata.normalize("NFC", text))).split())


@dataclass
class Topic:
    """Statements that stand together in the report, and its tables."""

    title: str
    statements: list[Statement] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)


@dataclass
class Material:
    """All of it, each statement once."""

    findings: list[Statement] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)
    recommendations: list[Statement] = field(default_factory=list)
    summary: list[Statement] = field(default_factory=list)
    remarks: list[Statement] = field(default_factory=list)
    """What speaks of the run, not of the world: for the notes."""

    def numbered(self) -> list[tuple[SlideKind, str, Statement]]:
        """Return every statement that slides can show, in a fixed order: its number is its place, from 1."""
        return [
            *((SlideKind.FINDINGS, KEY_FINDINGS, each) for each in self.findings),
            *((SlideKind.ANALYSIS, topic.title, each) for topic in self.topics for each in topic.statements),
            *((SlideKind.RECOMMENDATIONS, RECOMMENDATIONS, each) for each in self.recommendations),
            *((SlideKind.CONCLUSION, EXECUTIVE_SUMMARY, each) for each in self.summary),
        ]


def same(text: str) -> str:
    """Return what two statements that say the same in the same words have in common."""
    return re.sub(r"\W+", " ", text.casefold()).strip()


def sort_statements(record: RunRecord) -> Material:
    """Sort a report's statements; one that occurs twice stays where it stands first, the summary's last."""
    material, known = Material(), set[str]()
    valid = {source.n for source in record.sources}
    summary, above = list[Statement](), ""
    for part in record.document.parts:
        if part.level <= 2:
            above = part.title
        said = [_cleaned(each, valid) for each in _said(part)]
        if above == EXECUTIVE_SUMMARY:
            summary += said
            continue
        said = _new(said, known)
        if above == RECOMMENDATIONS:
            if part.title == NOT_COVERED:
                material.remarks += said
            else:
                material.recommendations += said
        elif part.title == KEY_FINDINGS:
            material.findings += said
            if grids := _grids(part, valid):
                # A run that fills a table has its findings there.
                material.topics.append(Topic(KEY_FINDINGS, grids=grids))
        else:
            material.remarks += [each for each in said if not each.marks]
            topic = Topic(clean(part.title) or ANALYSIS, [each for each in said if each.marks], _grids(part, valid))
            if topic.statements or topic.grids:
                material.topics.append(topic)
    for each in summary:
        (material.summary if each.marks and same(each.text) not in known else material.remarks).append(each)
    cited = [each for each in material.findings if each.marks]
    if cited or material.topics or record.figures:
        material.remarks += [each for each in material.findings if not each.marks]
        material.findings = cited
    return material


def _grids(part: Part, valid: set[int]) -> list[Grid]:
    return [_grid(block, valid) for block in part.blocks if isinstance(block, Grid) and block.rows]


def _new(said: list[Statement], known: set[str]) -> list[Statement]:
    """Return the statements that are not known yet, and know them."""
    fresh = list[Statement]()
    for each in said:
        if (key := same(each.text) or each.text) and key not in known:
            known.add(key)
            fresh.append(each)
    return fresh


def _said(part: Part) -> Iterator[Statement]:
    for block in part.blocks:
        if not isinstance(block, Grid):
            yield from block.items if isinstance(block, Bullets) else block.sentences


def _cleaned(statement: Statement, valid: set[int]) -> Statement:
    marks = tuple(mark for mark in statement.marks if mark in valid)
    return Statement(text=clean(statement.text), marks=marks)


def _grid(grid: Grid, valid: set[int]) -> Grid:
    return Grid(
        heading=tuple(map(clean, grid.heading)),
        rows=tuple(tuple(_cleaned(cell, valid) for cell in row) for row in grid.rows),
    )
