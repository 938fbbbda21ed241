"""The blocks that documents are made of: text with its direction, statements with their citations, numbered tables.

Nothing here knows a format; `contents.py` makes them of a record.
"""

from dataclasses import dataclass
from datetime import datetime

from activities.deliverables.text import clean, direction, language

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
        """Tell which columns hold numbers: they are set to the right. The first holds the rows' names."""
        return tuple(
            any(cells) and all(_is_number(cell) for cell in cells if cell)
            for cells in (
                [row[at].words.text.strip("–—-") for row in self.rows if 0 < at < len(row)]
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
    """`summary`, `findings`, `part`, `data`, `output`, `quality`, `sources`, `task`, `artifacts` or `log`."""
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


def words(text: str) -> Words:
    """Return a text, clean, with its direction and language."""
    text = clean(text)
    return Words(text, direction(text), language(text))


def _is_number(text: str) -> bool:
    return any(character.isdigit() for character in text) and sum(map(str.isalpha, text)) <= 3 and len(text) <= 24
