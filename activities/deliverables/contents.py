"""What a document of a run shows, in its order: numbered sections, tables, figures and sources. No format is in here.

Markdown, HTML, PDF and DOCX are all written from a `Contents`, so that "[7]" and "Table 3" mean the same in each.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from activities.deliverables.text import clean, direction, language, shortened, web_address
from schema.contracts.deliverables import Block, Bullets, Figure, Grid, Paragraph, RecordedSource, RunRecord, Statement
from schema.money import ucr_to_credits

EXECUTIVE_SUMMARY = "Executive summary"
KEY_FINDINGS = "Key findings"
"""As `activities/research/composing.py` heads them."""
MADE_BY = "Swissbrain"
LOG_LINES_MAX = 200
"""Of a log in a document; all of it is in the JSON export."""
FIGURE_ROWS_MAX = 30
"""Of the numbers that stand for a figure that has no picture."""
OUTPUT_ROWS_MAX = 500
_KINDS = {"web": "Web page", "academic": "Academic paper", "news": "News", "corpus": "Own document"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_TOOLTIP_CHARACTERS = 300
_TAIL_CHARACTERS = 24


@dataclass(frozen=True)
class Words:
    """A piece of text with what is needed to set it."""

    text: str
    """Clean: one line, no control characters."""
    direction: str
    """`ltr` or `rtl`."""
    language: str | None
    """BCP 47; None: the document's."""

    @property
    def head(self) -> str:
        """Return the text before `tail`."""
        return self.text[: len(self.text) - len(self.tail)]

    @property
    def tail(self) -> str:
        """Return the end of the text that no line break may part from a citation behind it."""
        last = self.text.rsplit(" ", 1)[-1]
        return self.text[-2:] if self.language in ("zh", "ja") or len(last) > _TAIL_CHARACTERS else last


@dataclass(frozen=True)
class Cite:
    """One citation at its place."""

    n: int
    anchor: str
    """Unique in the document."""
    tooltip: str
    """The source's title and its first quotation."""
    known: bool = True
    """False: the record has no source of that number, and nothing is linked."""


@dataclass(frozen=True)
class Said:
    """A statement with its citations."""

    words: Words
    cites: tuple[Cite, ...] = ()


@dataclass(frozen=True)
class Prose:
    """Sentences of one direction."""

    sentences: tuple[Said, ...]
    kind: str = "prose"


@dataclass(frozen=True)
class Items:
    """A list without order."""

    items: tuple[Said, ...]
    kind: str = "items"


@dataclass(frozen=True)
class Table:
    """A table; a numbered one has a caption."""

    heading: tuple[Words, ...]
    rows: tuple[tuple[Said, ...], ...]
    number: int | None = None
    caption: Words | None = None
    note: str = ""
    kind: str = "table"

    @property
    def anchor(self) -> str:
        """Return the name by which it is linked to."""
        return f"table-{self.number}" if self.number else ""

    @property
    def cited(self) -> bool:
        """Tell whether any cell cites a source."""
        return any(cell.cites for row in self.rows for cell in row)

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Tell which columns hold numbers: they are set to the right."""
        return tuple(
            any(cells) and all(_is_number(cell) for cell in cells if cell)
            for cells in (
                [row[at].words.text.strip("–—-") for row in self.rows if at < len(row)]
                for at in range(len(self.heading))
            )
        )


@dataclass(frozen=True)
class Drawn:
    """A figure."""

    number: int
    name: str
    title: Words
    origin: Words
    query: str
    description: str
    """For who cannot see it."""
    numbers: Table
    """Its data, for where there is no picture."""
    kind: str = "figure"

    @property
    def anchor(self) -> str:
        """Return the name by which it is linked to."""
        return f"figure-{self.number}"


@dataclass(frozen=True)
class Computed:
    """A sentence about data, and what it was computed by."""

    words: Words
    query: str
    origin: Words
    kind: str = "computed"


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    pairs: tuple[tuple[str, str], ...]
    kind: str = "facts"


Shown = Prose | Items | Table | Drawn | Computed | Facts


@dataclass(frozen=True)
class Backlink:
    """Where a source is cited: one per section."""

    section: str
    """The section's number."""
    anchor: str


@dataclass(frozen=True)
class Source:
    """An entry of the list of sources."""

    n: int
    title: Words
    kind: str
    published: str
    place: str
    """Pages or times; empty: the whole of it."""
    link: str | None
    """http or https."""
    address: str
    """As it is shown."""
    score: str
    quotations: tuple[Words, ...]
    backlinks: tuple[Backlink, ...]

    @property
    def anchor(self) -> str:
        """Return the name by which it is linked to."""
        return f"source-{self.n}"

    @property
    def details(self) -> tuple[str, ...]:
        """Return kind, date and place, as far as they are known."""
        return tuple(each for each in (self.kind, self.published, self.place, self.score) if each)


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    number: str
    """`3` or `3.2`."""
    title: Words
    level: int
    """1 or 2."""
    kind: str
    """`summary`, `findings`, `part`, `data`, `output`, `quality`, `sources`, `artifacts` or `log`."""
    blocks: tuple[Shown, ...] = ()

    @property
    def anchor(self) -> str:
        """Return the name by which it is linked to."""
        return "section-" + self.number.replace(".", "-")


@dataclass(frozen=True)
class Contents:
    """A document."""

    title: Words
    task: Words
    made_at: datetime
    date: str
    highlights: tuple[tuple[str, str], ...]
    """Figure, and what it counts."""
    sections: tuple[Section, ...]
    sources: tuple[Source, ...]
    colophon: tuple[str, ...]
    footer: Words


def contents(record: RunRecord, footer: str | None = None) -> Contents:
    """Return what a document of a record shows."""
    return _Writer(record).contents(footer)


def words(text: str) -> Words:
    """Return a text, clean, with its direction and language."""
    text = clean(text)
    return Words(text, direction(text), language(text))


class _Writer:
    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self._numbers = [0, 0]
        self._tables = 0
        self._cited: dict[int, int] = {}
        self._backlinks: dict[int, dict[str, str]] = {}
        self._tooltips = {source.n: _tooltip(source) for source in record.sources}

    def contents(self, footer: str | None) -> Contents:
        record = self._record
        sections = [*self._parts(), *self._more()]
        return Contents(
            title=words(record.document.title or record.run.name),
            task=words(record.run.task),
            made_at=record.made_at,
            date=_day(record.made_at),
            highlights=tuple(_highlights(record)),
            sections=tuple(sections),
            sources=tuple(map(self._source, record.sources)),
            colophon=tuple(_colophon(record)),
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
            figures = [_drawn(number, figure) for number, figure in enumerate(record.figures, 1)]
            computed = [
                Computed(words(each.sentence), clean(each.query), words(each.origin)) for each in record.insights
            ]
            yield self._section("Data", 1, "data", [*computed, *figures])
        if record.output is not None:
            yield self._section("Structured output", 1, "output", [_output(record.output)])
        yield self._section("How far this can be trusted", 1, "quality", [Facts(tuple(_quality(record)))])
        if record.artifacts:
            rows = [
                (each.name, each.description, each.mime_type, _size(each.object.size_bytes))
                for each in record.artifacts
            ]
            yield self._section(
                "Files of the run", 1, "artifacts", [_plain(("Name", "What it is", "Type", "Size"), rows)]
            )
        if record.log:
            lines = [(f"{each.at:%H:%M:%S}", each.type, each.message) for each in record.log[:LOG_LINES_MAX]]
            left = len(record.log) - len(lines)
            note = f"{left:,} more lines are in the JSON export." if left else ""
            yield self._section("Log", 1, "log", [_plain(("Time (UTC)", "Event", "Message"), lines, note)])
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
            kind=_KINDS.get(source.kind, clean(source.kind).capitalize()),
            published=_published(source.published_at),
            place=_place(source),
            link=link,
            address=link or clean(source.uri),
            score=f"score {source.score:.2f}",
            quotations=tuple(words(each.quote) for each in source.quotations),
            backlinks=tuple(Backlink(*each) for each in self._backlinks.get(source.n, {}).items()),
        )


def _plain(heading: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> Table:
    return Table(tuple(map(words, heading)), tuple(tuple(Said(words(cell)) for cell in row) for row in rows), note=note)


def _drawn(number: int, figure: Figure) -> Drawn:
    points = _points(figure.spec)
    columns = list(dict.fromkeys(key for point in points for key in point if key != "order"))
    rows = [[_value(point.get(column)) for column in columns] for point in points[:FIGURE_ROWS_MAX]]
    left = len(points) - len(rows)
    labels = _labels(figure.spec)
    heading = [labels.get(column, column) for column in columns]
    return Drawn(
        number=number,
        name=figure.name,
        title=words(figure.title),
        origin=words(figure.origin),
        query=clean(figure.query),
        description=clean(_described(figure, points, labels)),
        numbers=_plain(heading, rows, f"{left:,} more rows are in the JSON export." if left else ""),
    )


def _points(spec: dict[str, Any]) -> list[dict[str, Any]]:
    values = (spec.get("data") or {}).get("values")
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _labels(spec: dict[str, Any]) -> dict[str, str]:
    """Return the axes' titles by the field that they show."""
    encodings = [spec.get("encoding") or {}, *((layer.get("encoding") or {}) for layer in spec.get("layer") or [])]
    channels = [each for encoding in encodings for each in encoding.values() if isinstance(each, dict)]
    return {str(each["field"]): str(each["title"]) for each in channels if each.get("field") and each.get("title")}


def _described(figure: Figure, points: list[dict[str, Any]], labels: dict[str, str]) -> str:
    axes = " by ".join(dict.fromkeys(labels[key] for key in ("y", "x") if key in labels))
    numbers = [point["y"] for point in points if isinstance(point.get("y"), (int, float))]
    said = f"{figure.kind.capitalize()} chart: {figure.title}."
    if axes:
        said += f" {axes}, {len(points)} points."
    if numbers:
        said += f" From {_value(min(numbers))} to {_value(max(numbers))}."
    return shortened(said, 400)


def _value(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _output(output: dict[str, Any]) -> Table:
    rows = list(_flat("", output))
    left = len(rows) - OUTPUT_ROWS_MAX
    note = f"{left:,} more values are in the JSON export." if left > 0 else ""
    return _plain(("Field", "Value"), rows[:OUTPUT_ROWS_MAX], note)


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), each)
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _flat(f"{path}[{index}]", each)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _highlights(record: RunRecord) -> Iterator[tuple[str, str]]:
    quality = record.quality
    yield f"{quality.sources_read:,}", _counted(quality.sources_read, "source read", "sources read")
    yield f"{quality.sources_cited:,}", _counted(quality.sources_cited, "source cited", "sources cited")
    yield (
        f"{quality.supported:,}",
        _counted(quality.supported, "statement checked against its source", "statements checked against their sources"),
    )
    if figures := len(record.figures):
        yield f"{figures:,}", _counted(figures, "figure", "figures")


def _counted(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def _quality(record: RunRecord) -> Iterator[tuple[str, str]]:
    quality = record.quality
    yield "Sources read", f"{quality.sources_read:,}"
    yield "Sources cited", f"{quality.sources_cited:,}"
    yield "Claims drawn from them", f"{quality.claims:,}"
    yield "Cited statements, each checked against its source", f"{quality.supported:,}"
    yield "Of these, replaced by the quotation that they cite", f"{quality.repaired:,}"
    yield "Statements left out, because nothing showed them", f"{quality.dropped:,}"
    yield "Contradictions between sources", f"{quality.conflicts:,}"
    for name, count in quality.drawn_by.items():
        yield f"Claims drawn by {clean(name)}", f"{count:,}"


def _colophon(record: RunRecord) -> Iterator[str]:
    run, bill = record.run, record.bill
    charged = f"{ucr_to_credits(bill.charged_ucr)} credits charged"
    if bill.refunded_ucr:
        charged += f", {ucr_to_credits(bill.refunded_ucr)} refunded"
    yield f"Made by {MADE_BY} on {_day(run.completed_at)} at {run.completed_at:%H:%M} UTC; run {clean(run.id)}."
    yield f"{run.agents:,} agents, {run.tokens:,} tokens; {charged}."


def _tooltip(source: RecordedSource) -> str:
    said = shortened(clean(source.title or source.uri), 120)
    if source.quotations:
        said += f": “{shortened(clean(source.quotations[0].quote), _TOOLTIP_CHARACTERS)}”"
    return said


def _place(source: RecordedSource) -> str:
    places = list[str]()
    if source.pages:
        numbers = ", ".join(map(str, source.pages[:12])) + (", …" if len(source.pages) > 12 else "")
        places.append(f"{'page' if len(source.pages) == 1 else 'pages'} {numbers}")
    if source.seconds:
        places.append("at " + ", ".join(map(_clock, source.seconds[:12])))
    return "; ".join(places)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _published(value: str | None) -> str:
    if not value:
        return ""
    try:
        return _day(datetime.fromisoformat(value))
    except ValueError:
        return shortened(clean(value), 40)


def _day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def _size(size_bytes: int) -> str:
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"


def _is_number(text: str) -> bool:
    return any(character.isdigit() for character in text) and sum(map(str.isalpha, text)) <= 3 and len(text) <= 24
