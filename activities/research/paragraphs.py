"""Paragraphs: the paragraphs and list items of a text, without its code, tables and markup. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.research.text import FUNCTION_WORDS, display, words

_SIGN = re.compile(r"https?://|www\.|::|->|=>|>>>|[{}|\\<>]|\w=\w|(?<=\s)=(?=\s)|==|\w\(\w+=")
"""Signs of code; one among many words is part of a sentence (do not override variables (override=False))."""
WORDS_PER_SIGN = 10


def is_code(bare: str) -> bool:
    """Tell whether the signs of code outweigh the words."""
    pieces = re.sub(r"\([^()]*\)", " ", bare).split()
    signs = sum(1 for piece in pieces if _SIGN.search(piece))
    return signs * WORDS_PER_SIGN > len(pieces)


CODE_INDENT = 4


@dataclass(frozen=True)
class _Line:
    start: int
    text: str

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


@dataclass(frozen=True)
class Paragraph:
    """A paragraph or an item of a list: `text[start:end]`, in characters."""

    start: int
    end: int
    heading: str
    doubtful: bool
    """The lines right above were no prose, or stopped in the middle: the first sentence may lack its beginning."""
    after_open: bool = False
    """What stands above it, a blank line away, stopped in the middle: what begins small here may be the rest of it."""
    is_item: bool = False
    """One of several lines that stand each for itself, as the items of a list do: it may do without a full stop."""


_LIST_ITEM = re.compile(r"\s*(?:[*+•·‣–-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r"\s*([=\-~*^\"'+#.`_:])\1{2,}\s*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_PROMPT = re.compile(
    r"\s*(?:>>>|\.\.\.\s|\$\s|%\s|#!|@\w|//|/\*|\*/|<\?|\{%|[\w.\[\]]+ ?(?:[+\-*/|&]?=|:=) ?[\"'({\[])"
)
_CODE = re.compile(
    r"""\s*(?:
        (?:def|class|async\s+def|if|elif|else|for|while|with|try|except|finally|match|case)\b[^.]*:\s*(?:\#.*)?$|
        (?:from\s+[\w.]+\s+)?import\s+[\w.{*(]|
        (?:return|raise|yield|await|print|pip|npm|sudo|curl|git|docker|cd|export|make|apt-get)\s+[\w\"'({\[\-./]*\s*$|
        (?:pip|pip3|npm|sudo|curl|git|docker|apt-get|uv|poetry)\s+\w+\s+\S+|
        [\w.\[\]\"']+(?:\s*,\s*[\w.\[\]\"']+)*\s*(?:[+\-*/|&]?=|:=|::=|->)\s*\S|
        [\w.]+\([^)]*\)\s*(?:->.*|:)?\s*$|
        [\]\[{}()\s,;]+$
    )""",
    re.VERBOSE,
)
_CODE_ANYWHERE = re.compile(r"::=|[;{]\s*$|\)\s*->|=>|&&|\|\||==|!=|^\s*\w+\(.*\)\s*$")
_MARKUP_LINE = re.compile(r"\s*(?:<(?!https?:)[!/a-zA-Z]|\[?!\[|\.\.\s|:[\w -]+:(?:\s|$)|\[[^\]]+\]:\s|\.\. _)")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]{3,})|.*\S\s+\|\s+\S.*\||\s*[=-]{3,}(?:\s+[=-]{2,})+\s*$")
_CLOSED = re.compile(r"[.!?:;。！？][\"'”’)\]*_`]*\s*$")
_OPENING = " \"'“‘(*`["
_OPEN_END = re.compile(r"[,(\[–—-]\s*$")
WRAPPED_WIDTH_MAX = 200
"""A text with longer lines is not wrapped."""
ROOM_MEANT = 30
"""Where so many characters were left on the line above for the next word, the break was meant."""


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for raw in text.splitlines(keepends=True):
        yield _Line(start, raw.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
        start += len(raw)


def _is_debris(line: str) -> bool:
    """Tell whether a line is markup, a row or code; a line of prose may speak of code."""
    if _MARKUP_LINE.match(line) or _TABLE.match(line) or _PROMPT.match(line):
        return True
    return bool(_CODE.match(line) or _CODE_ANYWHERE.search(line)) and not _is_prose(line)


PROSE_WORDS_MIN, PROSE_FUNCTION_SHARE = 8, 0.2
"""So many words, and so many of them such as every sentence has: prose, whatever signs stand in it."""
PROSE_CHARACTERS_MAX = 20_000
_LONG_WORD = re.compile(r"\S{200}")
_NO_PROSE = re.compile(
    r"\s*(?:#|;|--|\"|%|\\|\+|@@|TODO\b|FIXME\b|REM |Traceback\b|"
    r"\[?\d{4}-\d\d-\d\d[T ]\d|\[?\d\d:\d\d:\d\d|\d+(?: ?\||  )|"
    r"Page \d|.*\b(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b)|.*\S {3,}\S"
)
"""Comments, differences, options, logs, listings, footers, columns side by side."""


def _is_prose(text: str) -> bool:
    if len(text) > PROSE_CHARACTERS_MAX or _LONG_WORD.search(text):
        return False
    tokens = words(text)
    functional = sum(1 for token in tokens if token in FUNCTION_WORDS)
    return len(tokens) >= PROSE_WORDS_MIN and functional >= PROSE_FUNCTION_SHARE * len(tokens) and not is_code(text)


def _indented_prose(text: str) -> frozenset[int]:
    """Return where the lines of those paragraphs begin that are indented as code is, and are prose."""
    found: set[int] = set()
    group: list[_Line] = []
    for line in (*_lines(text), _Line(len(text), "")):
        if group and (not line.text.strip() or line.indent != group[0].indent):
            if _is_paragraph(group):
                found.update(each.start for each in group)
            group = []
        if line.text.strip() and line.indent >= CODE_INDENT:
            group.append(line)
    return frozenset(found)


def _is_paragraph(lines: Sequence[_Line]) -> bool:
    shown = " ".join(line.text.strip() for line in lines)
    ends = _CLOSED.search(shown) or _LIST_ITEM.match(lines[0].text)
    return (
        bool(ends)
        and _is_prose(shown)
        and not any(_is_debris(each.text) or _NO_PROSE.match(each.text) for each in lines)
    )


class Paragraphs:
    """Collects the paragraphs and list items of a text; one instance per text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Paragraph] = []
        self._open: list[_Line] = []
        self._content_start = 0
        self._indent = 0
        self._heading = ""
        self._fenced = False
        self._literal_indent: int | None = None
        self._doubtful = False
        self._is_item = False
        self._above_open = False
        self._after_open = False
        lengths = sorted(len(line.text) for line in _lines(text) if line.text.strip())
        self._width = lengths[-1] if lengths else 0
        # Of wrapped text most lines are as long as it is wide, whatever one line of code or a table is.
        self._usual = lengths[3 * len(lengths) // 4] if lengths else 0
        self._prose = _indented_prose(text)

    def collect(self) -> list[Paragraph]:
        """Return them in order."""
        for line in _lines(self._text):
            self._take(line)
        self._flush(complete=True)
        return self._found

    def _take(self, line: _Line) -> None:
        if _FENCE.match(line.text):
            self._flush(complete=True)
            self._fenced = not self._fenced
        elif self._fenced or self._in_literal(line):
            return
        elif not line.text.strip():
            self._flush(complete=True)
            self._doubtful = False
        elif self._is_underline(line):
            if len(self._open) == 1:
                self._heading = display(self._open[0].text)
                self._open = []
            self._flush(complete=True)
            self._above_open = False
        elif heading := _HEADING.match(line.text):
            self._flush(complete=True)
            self._heading = display(heading.group(1))
            self._doubtful = self._above_open = False
        elif _is_debris(line.text) or self._is_indented_code(line):
            self._flush(complete=False)
            self._doubtful, self._above_open = True, False
        else:
            self._add(line)

    def _in_literal(self, line: _Line) -> bool:
        if self._literal_indent is None or not line.text.strip():
            return False
        if line.indent > self._literal_indent:
            return True
        self._literal_indent = None
        return False

    def _is_underline(self, line: _Line) -> bool:
        return bool(_UNDERLINE.match(line.text))

    def _is_indented_code(self, line: _Line) -> bool:
        """Four spaces mean code in an extracted document (and in Markdown), unless a list item goes on."""
        return (
            line.indent >= CODE_INDENT
            and line.start not in self._prose
            and not (self._open and line.indent == self._indent)
        )

    def _add(self, line: _Line) -> None:
        item = _LIST_ITEM.match(line.text)
        if item or not self._continues(line):
            is_item = bool(item)
            if self._open:
                above = self._open[-1].text
                stopped = len(self._open) > 1 and not _CLOSED.search(above)
                # A line that goes on in small letters may be the rest of the one above, however that came to be.
                meant = (
                    bool(item)
                    or not line.text.lstrip(_OPENING)[:1].islower()
                    or bool(_CLOSED.search(above))
                    or self._room_above(line, self._usual) > ROOM_MEANT
                )
                is_item = is_item or (meant and not stopped)
                self._is_item = meant and (self._is_item or not stopped)
                self._doubtful = stopped
                self._flush(complete=True)
            if item:
                self._doubtful = False
            self._is_item = is_item
            self._after_open = self._above_open
            content = item.end() if item else line.indent
            self._content_start = line.start + content
            self._indent = content
        self._open.append(line)

    def _continues(self, line: _Line) -> bool:
        """Tell whether `line` goes on with the open block: same indentation, and no room was left on the line above.

        The second test is the typesetter's: where the next word would have fitted by far, the break was meant.
        """
        if not self._open or line.indent != self._indent:
            return False
        if line.start in self._prose and self._open[-1].start in self._prose:
            return True
        above = self._open[-1].text.rstrip()
        if self._width > WRAPPED_WIDTH_MAX:
            return False
        starts_anew = not line.text.lstrip(_OPENING)[:1].islower()
        if self._room_above(line, self._usual) > ROOM_MEANT and not _OPEN_END.search(above):
            return False
        return not (self._room_above(line, self._width) > 14 and starts_anew and not _CLOSED.search(above))

    def _room_above(self, line: _Line, width: int) -> int:
        """Return the characters that were left on the line above, had the first word of `line` been put there."""
        return width - len(self._open[-1].text.rstrip()) - 1 - len(line.text.split(maxsplit=1)[0])

    def _flush(self, *, complete: bool) -> None:
        if not self._open:
            return
        last = self._open[-1]
        end = last.start + len(last.text.rstrip())
        if last.text.rstrip().endswith("::"):
            self._literal_indent = self._open[0].indent
        if end > self._content_start:
            is_item = self._is_item and complete
            self._found.append(
                Paragraph(self._content_start, end, self._heading, self._doubtful, self._after_open, is_item)
            )
            self._above_open = not is_item and _stops(last.text)
            if complete and len(self._open) == 1 and _looks_like_heading(last.text):
                self._heading = display(last.text)
        self._open = []
        self._doubtful = False
        self._is_item = False


HEADING_WORDS_MAX = 5


def _stops(line: str) -> bool:
    """Tell whether a paragraph's last line stops in the middle of a sentence, and is no heading either."""
    if _CLOSED.search(line):
        return False
    is_short = _looks_like_heading(line) and len(line.split()) <= HEADING_WORDS_MAX
    return not is_short or not FUNCTION_WORDS.isdisjoint(words(line)[-1:])


def _looks_like_heading(line: str) -> bool:
    short = len(line.strip()) <= 70 and 1 < len(line.split()) <= 9
    return short and line[:1].isupper() and not _CLOSED.search(line)
