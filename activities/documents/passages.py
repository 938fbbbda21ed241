"""Splits an extracted text into the passages it is searched by and cited from. Pure.

A passage is an exact span of the text. Spans are ordered, do not overlap, and together with the headings cover all
that is not blank. Code and prose never share a passage.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.documents.builder import CODE_INDENT, Heading
from schema.policies import PASSAGE_CHARACTERS

PASSAGE_CHARACTERS_MAX = PASSAGE_CHARACTERS * 4 // 3
"""No passage is longer."""
HEADING_CHARACTERS_MAX = 500

_BLOCK_GAP = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE_GAP = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])|\n\s*|(?<=[。！？])")
_WORD_GAP = re.compile(r"\s+")
_INDENT = re.compile(r"[^\S\n]*")


@dataclass(frozen=True)
class PassageSpan:
    """Where a passage lies, and the headings above it, outermost first, joined by ` > `."""

    start: int
    end: int
    heading: str


def is_code(text: str) -> bool:
    """Tell whether a passage is code (see `builder`): nothing is to be claimed from it."""
    return text.startswith(CODE_INDENT)


def split_passages(
    text: str, headings: Sequence[Heading] = (), pages: Sequence[int] = (), *, title: str = ""
) -> list[PassageSpan]:
    """Split `text` into passages of about PASSAGE_CHARACTERS, at sections, paragraphs, then sentences, then words.

    Args:
        pages: offsets at which pages begin; a passage's heading ends with `p. N`, of the page where it begins.
        title: begins every heading path, so that a passage is found by its document's title.
    """
    passages: list[PassageSpan] = []
    for start, end, path in _sections(text, headings, title):
        for span_start, span_end in _packed(text, start, end):
            heading = path
            if pages:
                heading = f"{path} > p. {max(1, bisect_right(pages, span_start))}".removeprefix(" > ")
            passages.append(PassageSpan(span_start, span_end, heading))
    return passages


def _sections(text: str, headings: Sequence[Heading], title: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, heading path) of the text between headings.

    A heading with nothing below it is yielded as text itself: it would be lost otherwise.
    """
    path: list[Heading] = []
    position = 0
    for number, heading in enumerate(headings):
        yield position, heading.start, _path(text, path, title)
        while path and path[-1].level >= heading.level:
            path.pop()
        following = headings[number + 1] if number + 1 < len(headings) else None
        end = following.start if following else len(text)
        is_leaf = following is None or following.level <= heading.level
        if is_leaf and not text[heading.end : end].strip():
            yield heading.start, heading.end, _path(text, path, title)
        path.append(heading)
        position = heading.end
    yield position, len(text), _path(text, path, title)


def _path(text: str, path: Sequence[Heading], title: str) -> str:
    names = [title] if title else []
    for heading in path:
        name = text[heading.start : heading.end]
        if name not in names:
            names.append(name)
    return " > ".join(names)[:HEADING_CHARACTERS_MAX]


def _packed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Join pieces of one kind up to the wanted length."""
    open_start, open_end, open_code = -1, -1, False
    for piece_start, piece_end in _pieces(text, start, end):
        code = is_code(text[piece_start : piece_start + len(CODE_INDENT)])
        fits = open_start >= 0 and code == open_code and piece_end - open_start <= PASSAGE_CHARACTERS
        if fits:
            open_end = piece_end
            continue
        if open_start >= 0:
            yield open_start, open_end
        open_start, open_end, open_code = piece_start, piece_end, code
    if open_start >= 0:
        yield open_start, open_end


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield trimmed paragraphs; one that is too long in sentences, then words, then characters."""
    for block_start, block_end in _between(text, _BLOCK_GAP, start, end):
        if block_end - block_start <= PASSAGE_CHARACTERS_MAX:
            yield block_start, block_end
            continue
        code = is_code(text[block_start : block_start + len(CODE_INDENT)])
        gap = re.compile(r"\n") if code else _SENTENCE_GAP
        for part_start, part_end in _between(text, gap, block_start, block_end):
            if part_end - part_start <= PASSAGE_CHARACTERS_MAX:
                yield part_start, part_end
            else:
                yield from _words(text, part_start, part_end)


def _words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a span that has no sentences, between words where it has words."""
    while end - start > PASSAGE_CHARACTERS:
        limit = start + PASSAGE_CHARACTERS
        cut = max((gap.start() for gap in _WORD_GAP.finditer(text, start + 1, limit)), default=limit)
        if trimmed := _trimmed(text, start, cut):
            yield trimmed
        start = cut
    if trimmed := _trimmed(text, start, end):
        yield trimmed


def _between(text: str, gap: re.Pattern[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the trimmed spans between gaps."""
    position = start
    for match in gap.finditer(text, start, end):
        if trimmed := _trimmed(text, position, _gap_cut(match)):
            yield trimmed
        position = _gap_cut(match)
    if trimmed := _trimmed(text, position, end):
        yield trimmed


def _gap_cut(match: re.Match[str]) -> int:
    """Return where a gap's white space begins: closing quotes belong to the sentence before it."""
    return match.end() - (len(match[0]) - len(match[0].rstrip()))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Trim white space off a span, but keep the indentation of code; None if nothing is left."""
    first = next(re.finditer(r"\S", text[start:end]), None)
    if first is None:
        return None
    end -= len(text[start:end]) - len(text[start:end].rstrip())
    body = start + first.start()
    line = max(text.rfind("\n", start, body) + 1, start)
    at_line_start = line == 0 or text[line - 1] == "\n"
    if at_line_start and body - line >= len(CODE_INDENT):
        return line, end
    return body, end


def embedded_text(heading: str, text: str) -> str:
    """Return what is embedded of a passage: the headings say what a passage is about that does not name it."""
    return f"{heading}\n{text}" if heading else text
