"""Sentences: the whole sentences of prose in a text, each at its exact place. Pure.

Documents come as plain text, Markdown, reStructuredText or what a web page leaves behind. Only prose survives here:
code, tables, markup, headings (`paragraphs.py`) and what states nothing or is cut off (`telling.py`) do not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from activities.research.lexicon import words_of
from activities.research.paragraphs import Paragraphs
from activities.research.telling import is_statement
from activities.research.text import words


@dataclass(frozen=True)
class Sentence:
    """A whole sentence of prose: `source_text[start:end]`."""

    start: int
    end: int
    text: str
    """Verbatim, line breaks included."""
    block: int
    """Number of the paragraph or list item it stands in."""
    place: int
    """Place in that block, from 0."""
    heading: str
    """The nearest heading above it, or nothing."""


_ABBREVIATIONS = words_of("abbreviations")
_TERMINATOR = re.compile(r"[.!?]+[\"'”’)\]*_`]*(?=\s|$)|[。！？]+[”’」』）]*")
_INITIAL = re.compile(r"(?:^|[\s(.])[A-Z]$")


def _splits(block: str, end: int, closer: re.Match[str]) -> bool:
    """Tell whether the terminator that `closer` matched ends a sentence of `block`."""
    if closer.group()[0] in "。！？" or end >= len(block):
        return True
    following = block[end:].lstrip().lstrip("\"'“‘([*_`")
    if following[:1].islower() or not following:
        return False
    if closer.group()[0] != ".":
        return True
    before = block[: closer.start()]
    word = re.split(r"[\s(\[]", before)[-1].lower().strip("\"'“‘*_`")
    return word not in _ABBREVIATIONS and not _INITIAL.search(before)


def _sentences_of(block: str, *, is_item: bool = False) -> Iterator[tuple[int, int]]:
    start = 0
    for closer in _TERMINATOR.finditer(block):
        if _splits(block, closer.end(), closer):
            while start < closer.end() and block[start].isspace():
                start += 1
            yield start, closer.end()
            start = closer.end()
    rest = block[start:].rstrip()
    if rest and ((rest.endswith(":") and not rest.endswith("::")) or (is_item and rest[-1] not in ":,;")):
        while block[start].isspace():
            start += 1
        yield start, len(block.rstrip())


def sentence_spans(block: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences of one paragraph, whole or not; what follows the last full stop too."""
    end = 0
    for start, end in _sentences_of(block):
        yield start, end
    rest = block[end:]
    if rest.strip():
        yield end + len(rest) - len(rest.lstrip()), end + len(rest.rstrip())


def sentences(text: str, *, cut_start: bool = False, title: str = "") -> list[Sentence]:
    """Return the whole sentences of prose in `text`, in order.

    Args:
        text: any text; `text[s.start:s.end] == s.text` holds for every sentence that is returned.
        cut_start: the text was cut out of a longer one, so its first sentence may have lost its beginning.
        title: what the text is about, which may be written small where a sentence begins with it.
    """
    found = []
    # A title of one word is a name; of several, they may be any words.
    named = frozenset(words(title)) if len(words(title)) == 1 else frozenset()
    for number, block in enumerate(Paragraphs(text).collect()):
        body = text[block.start : block.end]
        for place, (start, end) in enumerate(_sentences_of(body, is_item=block.is_item)):
            verbatim = body[start:end]
            cut = cut_start and not text[: block.start + start].strip()
            if block.doubtful and start == 0:
                continue
            small = None if block.after_open else named
            if is_statement(verbatim, cut=cut, is_item=block.is_item, named=small):
                at = block.start + start
                found.append(Sentence(at, at + len(verbatim), verbatim, number, place, block.heading))
    return found
