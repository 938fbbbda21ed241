"""Slides: the plan of a deck, and what a model may propose for it.

A model only selects, groups and names: the statements on slides are the record's own, so that each keeps its citation.
"""

from enum import StrEnum

from pydantic import Field

from schema.contracts.common import Contract
from schema.contracts.deliverables import Grid, Statement
from schema.policies import SLIDES_DEFAULT as SLIDES_DEFAULT
from schema.policies import SLIDES_MAX as SLIDES_MAX
from schema.policies import SLIDES_MIN as SLIDES_MIN


class SlideKind(StrEnum):
    """What a slide is for; decks have them in this order."""

    TITLE = "title"
    AGENDA = "agenda"
    FINDINGS = "findings"
    ANALYSIS = "analysis"
    RECOMMENDATIONS = "recommendations"
    CONCLUSION = "conclusion"
    SOURCES = "sources"


class VisualKind(StrEnum):
    """How a slide shows what it says, beside text."""

    KEY_FIGURES = "key_figures"
    CARDS = "cards"
    CHART = "chart"
    TABLE = "table"
    TIMELINE = "timeline"
    PROCESS = "process"


class Visual(Contract):
    """A suggestion that can be drawn from the slide's own content."""

    kind: VisualKind
    figure: str | None = None
    """Of a chart: the name of the record's figure."""
    grid: Grid | None = None
    """Of a table: the cells that this slide shows. Of a chart without a figure: the table that it draws."""
    column: int | None = None
    """Of a chart without a figure: the table's column of numbers."""
    caption: str = ""
    """Where it is from, or which part of the whole it shows."""
    marks: tuple[int, ...] = ()
    """Sources of what is drawn; they stand behind the caption."""
    labels: tuple[str, ...] = ()
    """One per statement, in its own words. Of a timeline: when, in the order of time. Of key figures: how much."""


class SlidePlan(Contract):
    """One slide."""

    kind: SlideKind
    title: str
    topic: str = ""
    """The part of the report that it belongs to; stands above the title."""
    headline: Statement | None = None
    """The statement that the title says in full; it is cited there and not repeated below."""
    statements: tuple[Statement, ...] = ()
    """The content, each in the record's words."""
    size_pt: float = 18.0
    """Of the statements' text."""
    visual: Visual | None = None
    sources: tuple[int, ...] = ()
    """Of a slide of sources: the numbers that it lists."""
    with_quotes: bool = False
    """Of a slide of sources: each with its first quotation."""
    split: int = 0
    """Of a slide of sources: how many of them stand in its first column."""
    targets: tuple[int, ...] = ()
    """Of the agenda: the slide (from 1) at which each statement's part begins."""
    notes: str = ""
    """What a speaker says and what it rests on; plain text, lines separated by a line feed."""

    @property
    def cited(self) -> tuple[Statement, ...]:
        """Return every statement that the slide shows in its text, the headline first."""
        return (*((self.headline,) if self.headline else ()), *self.statements)


class DeckPlan(Contract):
    """All slides, in their order."""

    title: str
    slides: tuple[SlidePlan, ...]
    left_out: int = 0
    """Statements of the report that found no place within the number of slides."""


class OutlinedSlide(Contract):
    """What a model proposes for one slide."""

    kind: SlideKind
    """Findings, analysis, recommendations or conclusion; the other kinds are the planner's."""
    title: str
    statements: tuple[int, ...] = ()
    """Numbers of the request's statements, the most important first."""
    notes: str = ""


class Outline(Contract):
    """What a model proposes for a deck; empty: nothing, the rules plan it."""

    slides: tuple[OutlinedSlide, ...] = ()


class NumberedStatement(Contract):
    """A statement that a slide can show."""

    number: int
    """From 1."""
    kind: SlideKind
    topic: str
    text: str


class OutlineRequest(Contract):
    """What a model sees when it plans a deck."""

    title: str
    task: str
    statements: tuple[NumberedStatement, ...]
    slides_max: int = Field(ge=1, le=SLIDES_MAX)
    """How many slides of content there is room for."""
