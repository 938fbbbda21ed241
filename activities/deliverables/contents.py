"""What a document of a run shows, in its order: numbered sections, tables, figures and sources. No format is in here.

Markdown, HTML, PDF and DOCX are all written from a `Contents`, so that "[7]" and "Table 3" mean the same in each.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from itertools import groupby

from activities.deliverables.blocks import (
    Backlink,
    Cite,
    Computed,
    Contents,
    Facts,
    Items,
    Prose,
    Said,
    Section,
    Shown,
    Source,
    Table,
    words,
)
from activities.deliverables.figures import drawn_figure, output_table, plain_table
from activities.deliverables.particulars import (
    colophon,
    day,
    highlights,
    kind,
    place,
    published,
    quality_facts,
    size,
    tooltip,
)
from activities.deliverables.text import clean, shortened, web_address
from schema.contracts.deliverables import Block, Bullets, Grid, Paragraph, RecordedSource, RunRecord, Statement

EXECUTIVE_SUMMARY = "Executive summary"
KEY_FINDINGS = "Key findings"
"""As `activities/research/composing.py` heads them."""
TITLE_CHARACTERS_MAX = 240
TASK_CHARACTERS_MAX = 400
"""Of a task on the cover; a longer one has a section of its own."""
LOG_LINES_MAX = 200
"""Of a log in a document; all of it is in the JSON export."""


def contents(record: RunRecord, footer: str | None = None) -> Contents:
    """Return what a document of a record shows."""
    return _Writer(record).contents(footer)


class _Writer:
    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._numbers = [0, 0]
        self._tables = 0
        self._cited: dict[int, int] = {}
        self._backlinks: dict[int, dict[str, str]] = {}
        self._tooltips = {source.n: tooltip(source) for source in record.sources}

    def contents(self, footer: str | None) -> Contents:
        record = self._record
        sections = [*self._parts(), *self._more()]
        return Contents(
            title=words(shortened(clean(record.document.title or record.run.name), TITLE_CHARACTERS_MAX)),
            task=words(shortened(clean(record.run.task), TASK_CHARACTERS_MAX)),
            made_at=record.made_at,
            date=day(record.made_at.astimezone(UTC)),
            highlights=tuple(highlights(record)),
            sections=tuple(sections),
            sources=tuple(map(self._source, record.sources)),
            colophon=tuple(colophon(record)),
            footer=words(footer or ""),
        )

    def _section(self, title: str, level: int, kind: str, make: Sequence[Block | Shown] = ()) -> Section:
        # A heading of the second level without one of the first above it is one of the first.
        if level == 1 or not self._numbers[0]:
            self._numbers = [self._numbers[0] + 1, 0]
        else:
            self._numbers[1] += 1
        number = ".".join(str(each) for each in self._numbers if each)
        grids = sum(isinstance(block, Grid) for block in make)
        blocks, tables = list[Shown](), 0
        for block in make:
            if isinstance(block, Grid):
                tables += 1
                caption = f"{title} ({tables} of {grids})" if grids > 1 else title
                blocks.append(self._table(block, caption, number))
            elif isinstance(block, Paragraph):
                blocks += self._prose(block.sentences, number)
            elif isinstance(block, Bullets):
                blocks.append(Items(tuple(self._said(each, number) for each in block.items)))
            else:
                blocks.append(block)
        return Section(number, words(title), 2 if "." in number else 1, kind, tuple(blocks))

    def _parts(self) -> Iterator[Section]:
        for part in self._record.document.parts:
            kind = {EXECUTIVE_SUMMARY: "summary", KEY_FINDINGS: "findings"}.get(part.title, "part")
            yield self._section(part.title, 1 if part.level <= 2 else 2, kind, part.blocks)

    def _more(self) -> Iterator[Section]:
        record = self._record
        if record.figures or record.insights:
            figures = [drawn_figure(number, figure) for number, figure in enumerate(record.figures, 1)]
            computed = [
                Computed(words(each.sentence), clean(each.query), words(each.origin)) for each in record.insights
            ]
            yield self._section("Data", 1, "data", [*computed, *figures])
        if record.output is not None:
            yield self._section("Structured output", 1, "output", [output_table(record.output)])
        yield self._section("How far this can be trusted", 1, "quality", [Facts(tuple(quality_facts(record)))])
        if len(clean(record.run.task)) > TASK_CHARACTERS_MAX:
            yield self._section("Task", 1, "task", [Prose((Said(words(record.run.task)),))])
        if record.artifacts:
            rows = [
                (each.name, each.description, each.mime_type, size(each.object.size_bytes)) for each in record.artifacts
            ]
            yield self._section(
                "Files of the run", 1, "artifacts", [plain_table(("Name", "What it is", "Type", "Size"), rows)]
            )
        if record.log:
            lines = [
                (f"{each.at.astimezone(UTC):%H:%M:%S}", each.type, each.message) for each in record.log[:LOG_LINES_MAX]
            ]
            left = len(record.log) - len(lines)
            note = f"{left:,} more lines are in the JSON export." if left else ""
            yield self._section("Log", 1, "log", [plain_table(("Time (UTC)", "Event", "Message"), lines, note)])
        if record.sources:
            yield self._section("Sources", 1, "sources")

    def _prose(self, sentences: Iterable[Statement], section: str) -> Iterator[Prose]:
        """Yield a paragraph for every change of direction: nothing then depends on how a viewer orders them."""
        said = (self._said(each, section) for each in sentences)
        for _, group in groupby(said, key=lambda each: each.words.direction):
            yield Prose(tuple(group))

    def _said(self, statement: Statement, section: str) -> Said:
        return Said(words(statement.text), tuple(self._cite(mark, section) for mark in statement.marks))

    def _cite(self, n: int, section: str) -> Cite:
        self._cited[n] = self._cited.get(n, 0) + 1
        anchor = f"cite-{n}-{self._cited[n]}"
        self._backlinks.setdefault(n, {}).setdefault(section, anchor)
        return Cite(n, anchor, self._tooltips.get(n, ""), n in self._tooltips)

    def _table(self, grid: Grid, caption: str, section: str) -> Table:
        self._tables += 1
        return Table(
            heading=tuple(map(words, grid.heading)),
            rows=tuple(tuple(self._said(cell, section) for cell in row) for row in grid.rows),
            number=self._tables,
            caption=words(caption),
        )

    def _source(self, source: RecordedSource) -> Source:
        link = web_address(source.uri)
        return Source(
            n=source.n,
            title=words(source.title or source.uri),
            kind=kind(source),
            published=published(source.published_at),
            place=place(source),
            link=link,
            address=link or clean(source.uri),
            score=f"score {source.score:.2f}",
            quotations=tuple(words(each.quote) for each in source.quotations),
            backlinks=tuple(Backlink(*each) for each in self._backlinks.get(source.n, {}).items()),
        )
