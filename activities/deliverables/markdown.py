"""The report as Markdown (CommonMark with the tables of GitHub): no HTML, and foreign text stays text.

A citation is a link to the heading of its source: `[\\[3\\]][3]`, with `[3]: #source-3` at the end of the file.
"""

from collections.abc import Iterable, Iterator

from activities.deliverables.blocks import (
    Computed,
    Contents,
    Drawn,
    Facts,
    Items,
    Prose,
    Said,
    Section,
    Shown,
    Source,
    Table,
)
from activities.deliverables.contents import contents
from activities.deliverables.look import Look
from activities.deliverables.text import shortened
from activities.research.markdown import autolink, escape
from schema.contracts.deliverables import RunRecord

_TOOLTIP_CHARACTERS = 120


def to_markdown(record: RunRecord, look: Look) -> bytes:
    """Return the report as Markdown, UTF-8; figures stand as their numbers."""
    shown = contents(record, look.theme.footer)
    return ("\n".join(_lines(shown)).rstrip() + "\n").encode()


def _lines(shown: Contents) -> Iterator[str]:
    yield from (f"# {escape(shown.title.text)}", "", escape(shown.task.text), "")
    counted = ", ".join(f"{figure} {label}" for figure, label in shown.highlights)
    yield from (f"{shown.date}. {counted[:1].upper()}{counted[1:]}.", "")
    if shown.footer.text:
        yield from (escape(shown.footer.text), "")
    for section in shown.sections:
        yield from _section(section, shown.sources)
    yield from ("---", "")
    for line in shown.colophon:
        yield from (escape(line), "")
    for source in shown.sources:
        title = _title(source.title.text)
        yield f'[{source.n}]: #{source.anchor} "{title}"'


def _section(section: Section, sources: Iterable[Source]) -> Iterator[str]:
    yield from (f"{'#' * (section.level + 1)} {escape(section.title.text)}", "")
    for block in section.blocks:
        yield from _block(block)
    if section.kind == "sources":
        for source in sources:
            yield from _source(source)


def _block(block: Shown) -> Iterator[str]:
    if isinstance(block, Prose):
        yield from map(_said, block.sentences)
        yield ""
    elif isinstance(block, Items):
        yield from (f"- {_said(each)}" for each in block.items)
        yield ""
    elif isinstance(block, Table):
        if block.number and block.caption:
            yield from (f"**Table {block.number}.** {escape(block.caption.text)}", "")
        yield from _table(block)
    elif isinstance(block, Drawn):
        yield from (f"**Figure {block.number}.** {escape(block.title.text)}", "")
        yield from _table(block.numbers)
        yield from (_origin(block.origin.text, block.query), "")
    elif isinstance(block, Computed):
        yield from (escape(block.words.text), _origin(block.origin.text, block.query), "")
    elif isinstance(block, Facts):
        yield from (f"- {escape(name)}: {escape(value)}" for name, value in block.pairs)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield _row(escape(each.text) for each in table.heading)
    yield _row("---:" if numeric else "---" for numeric in table.numeric)
    for row in table.rows:
        yield _row(map(_said, row))
    yield ""
    if table.note:
        yield from (escape(table.note), "")


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _said(said: Said) -> str:
    marks = (f"[\\[{cite.n}\\]][{cite.n}]" if cite.known else f"\\[{cite.n}\\]" for cite in said.cites)
    return " ".join([escape(said.words.text), *marks])


def _origin(origin: str, query: str) -> str:
    return f"From {escape(origin)}" + (f": {_code(query)}" if query else "")


def _code(text: str) -> str:
    """Return text as code, in more backticks than it has in a row (CommonMark 0.31, 6.1)."""
    longest = max((len(run) for run in "".join(each if each == "`" else " " for each in text).split()), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _source(source: Source) -> Iterator[str]:
    yield from (f"### Source {source.n}", "", f"**{escape(source.title.text)}**", "")
    yield from (f"- {escape(each)}" for each in source.details)
    yield f"- {autolink(source.link) if source.link else escape(source.address)}"
    yield ""
    for quotation in source.quotations:
        yield from (f"> {escape(quotation.text)}", "")


def _title(text: str) -> str:
    """Return the title of a link: within quotation marks, without anything that ends them."""
    return shortened(escape(text), _TOOLTIP_CHARACTERS).replace("\\", "").replace('"', "'").replace("\u2026", "...")
