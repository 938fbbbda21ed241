"""Entries of sources: what is said of one, and how many go onto a slide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from activities.deliverables.deck import geometry as grid
from activities.deliverables.deck.metrics import line_height, text_height
from activities.deliverables.deck.packing import fitted_line
from activities.deliverables.deck.sections import clean
from activities.deliverables.deck.wording import elided
from activities.deliverables.text import web_address
from schema.contracts.deliverables import RecordedSource

TITLE_MOST = 110
QUOTE_MOST = 180
QUOTED_MAX = 12
LINK_CHARACTERS_MAX = 2_000
CARD_SOURCE_PT = 14.0


def day(moment: datetime) -> str:
    """Return a date in words."""
    return f"{moment.day} {moment:%B %Y}"


def link_of(uri: str) -> str | None:
    """Return a source's address as a file may link to it; None for what is not on the web."""
    return web_address(uri) if len(uri) <= LINK_CHARACTERS_MAX else None


def label_of(source: RecordedSource) -> str:
    """Return a source's title."""
    return elided(clean(source.title) or clean(source.uri), TITLE_MOST)


def details_of(source: RecordedSource) -> str:
    """Return where a source is from, when it was published and where in it the words stand."""
    said = list[str]()
    if (link := link_of(source.uri)) is not None:
        said.append((urlsplit(link).hostname or "").removeprefix("www.")[:48])
    else:
        said.append("own document")
    if source.published_at:
        try:
            said.append(day(datetime.fromisoformat(source.published_at)))
        except ValueError:
            said.append(clean(source.published_at)[:20])
    if source.pages:
        said.append(("p. " if len(source.pages) == 1 else "pp. ") + ", ".join(map(str, source.pages[:4])))
    if source.seconds:
        said.append("at " + ", ".join(f"{int(each) // 60}:{int(each) % 60:02}" for each in source.seconds[:4]))
    return ", ".join(said)


def source_line(sources: Sequence[RecordedSource], room: float, factor: float = 1.0) -> str:
    """Return the first of a statement's sources by its title, in two lines of small text, and how many more."""
    if not sources:
        return ""
    more = f" (+{len(sources) - 1})" if len(sources) > 1 else ""
    box = grid.Box(0, 0, room - 2, 2 * line_height(label_of(sources[0]), CARD_SOURCE_PT) + 1)
    return fitted_line(label_of(sources[0]), CARD_SOURCE_PT, box, factor=factor, tail=more) + more


def entry_text(source: RecordedSource) -> str:
    """Return an entry as it is measured."""
    return f"[{source.n}] {label_of(source)}  {details_of(source)}"


def quote_text(source: RecordedSource) -> str:
    """Return what a source says first, as it stands below its entry where there is room; empty: nothing is quoted."""
    return f"“{elided(clean(source.quotations[0].quote), QUOTE_MOST)}”" if source.quotations else ""


@dataclass(frozen=True)
class SourcePage:
    """The sources of one slide, in two columns."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    size_pt: float
    with_quotes: bool = False


def source_pages(sources: Sequence[RecordedSource], pages_max: int, factor: float = 1.0) -> list[SourcePage]:
    """Arrange entries on as few slides as needed, smaller where there are many; as many as it takes at the smallest.

    Few sources stand with what they say first.
    """
    for size in grid.SOURCE_PTS[:2]:
        if len(sources) <= QUOTED_MAX and len(pages := _pages(sources, size, factor, with_quotes=True)) == 1:
            return pages
    pages = list[SourcePage]()
    for size in grid.SOURCE_PTS:
        pages = _pages(sources, size, factor)
        if len(pages) <= pages_max:
            break
    return pages


def _pages(
    sources: Sequence[RecordedSource], size: float, factor: float, *, with_quotes: bool = False
) -> list[SourcePage]:
    columns, used = [list[int]()], 0.0
    for source in sources:
        high = text_height(entry_text(source), size, grid.LEFT.width - 4, factor=factor) + grid.GAP / 2 * size
        if with_quotes and quote_text(source):
            high += text_height(quote_text(source), size, grid.LEFT.width - 4, factor=factor)
        if used + high > 0.96 * grid.LEFT.height and columns[-1]:
            columns.append([])
            used = 0.0
        columns[-1].append(source.n)
        used += high
    if len(columns) == 1 and len(columns[0]) > (1 if with_quotes else 6):
        half = (len(columns[0]) + 1) // 2
        columns = [columns[0][:half], columns[0][half:]]
    return [
        SourcePage(tuple(columns[at]), tuple(columns[at + 1]) if at + 1 < len(columns) else (), size, with_quotes)
        for at in range(0, len(columns), 2)
        if columns[at]
    ]
