"""Reads a delivered report back into its parts: what exports show is what was delivered, not what could be made anew.

A report is Markdown of one dialect, written by the citation gate (`activities/research/citations.py`): one sentence a
line, brackets of foreign text escaped, marks `[n]` at a sentence's end.
"""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from activities.research.citations import CITATIONS, read_line
from activities.research.markdown import unescape
from schema.contracts.deliverables import Block, Bullets, Document, Grid, Paragraph, Part, Statement

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("inline")
"""Blocks alone: what stands in a line is read by `read_line`, and a line of many brackets takes no square of time."""


def read_report(markdown: str) -> Document:
    """Return the parts of a report, without its list of citations.

    Args:
        markdown: `research_report.md` of a run.
    """
    title, parts = "", list[Part]()
    heading: tuple[str, int] | None = None
    blocks = list[Block]()
    for token, block in _blocks(_MARKDOWN.parse(markdown)):
        if block is not None:
            blocks.append(block)
            continue
        if heading is not None:
            parts.append(Part(title=heading[0], level=heading[1], blocks=tuple(blocks)))
        words, level, blocks = unescape(token.content), int(token.meta["level"]), []
        if level == 1:
            title, heading = words, None
        else:
            heading = words, level
    if heading is not None:
        parts.append(Part(title=heading[0], level=heading[1], blocks=tuple(blocks)))
    kept = [part for part in parts if not (part.title == CITATIONS and part is parts[-1])]
    return Document(title=title, parts=tuple(kept))


def _blocks(tokens: list[Token]) -> Iterator[tuple[Token, Block | None]]:
    """Yield every block; a heading comes as its token, with its level in `meta`."""
    index = 0
    while index < len(tokens):
        token = tokens[index]
        end = _end(tokens, index)
        inside = tokens[index:end]
        if token.type == "heading_open":
            inline = tokens[index + 1]
            inline.meta["level"] = int(token.tag[1:])
            yield inline, None
        elif token.type == "paragraph_open":
            yield token, Paragraph(sentences=tuple(map(_statement, tokens[index + 1].content.splitlines())))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            yield token, Bullets(items=tuple(_statement(each.content) for each in inside if each.type == "inline"))
        elif token.type == "table_open":
            yield token, _grid(inside)
        index = end


def _end(tokens: list[Token], start: int) -> int:
    """Return the index behind the block that begins at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].nesting
        if depth == 0:
            return index + 1
    return len(tokens)


def _grid(tokens: list[Token]) -> Grid:
    rows = list[list[str]]()
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.content)
    return Grid(
        heading=tuple(map(unescape, rows[0])),
        rows=tuple(tuple(map(_statement, row)) for row in rows[1:]),
    )


def _statement(line: str) -> Statement:
    text, marks = read_line(line.strip())
    return Statement(text=text, marks=tuple(marks))
