"""Assembles an extracted text from blocks, and keeps where its headings and pages begin. Pure.

The form of every extracted text, whatever it was extracted from: blocks are separated by an empty line, lines of one
list or table by a line break; prose never begins with a space; **a line that begins with four spaces is code**, so that
whoever draws statements from a text can leave it out, wherever the text was cut; a form feed between two blocks ends a
page, so that whoever has the text and an offset knows the page (`page_at`). Of a recording, the separator before a
block also holds the time at which the block is heard (`time_at`): tenths of a second to the base of four, whose digits
are the four information separators of ASCII, which every regular expression takes for white space. What comes from a
file is freed of them, so that no file can forge a time.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

CODE_INDENT = "    "
PAGE_BREAK = "\x0c"
TIME_DIGITS = "\x1c\x1d\x1e\x1f"
_TENTHS_MAX = 10**7
"""Twelve days; longer than any recording."""

_REMOVED = re.compile(
    # Controls except tab and line feed, soft hyphen, zero-width and bidirectional controls, surrogates, noncharacters.
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufdd0-\ufdef"
    "\ufffe\uffff]"
)
_SPACES = re.compile(r"[^\S\n]+")


@dataclass(frozen=True)
class Heading:
    """A heading and its span in the text: `text[start:end]` is the heading."""

    level: int
    start: int
    end: int


@dataclass(frozen=True)
class ExtractedDocument:
    """What was read from a file: clean text in NFC, and what is known about it."""

    title: str
    text: str
    mime: str
    """What the file is, by its content."""
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()
    """Offsets at which the pages begin, where the format has pages."""
    published_at: datetime | None = None
    author: str | None = None
    language: str | None = None
    canonical: str | None = None
    """Address that the page declares as its own (`rel=canonical`), as it stands there."""


@dataclass
class Metadata:
    """What a format says about the document."""

    title: str = ""
    published_at: datetime | None = None
    author: str | None = None
    language: str | None = None
    canonical: str | None = None


@dataclass
class TextBuilder:
    """Appends blocks. Each call cleans and normalises what it is given, so that `text` is NFC and free of controls."""

    metadata: Metadata = field(default_factory=Metadata)
    headings: list[Heading] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _open: bool = False
    """The last block is prose, which a line may continue."""
    _turned: int = 0
    """Pages that began since the last block."""
    _time: str = ""
    """When the next block is heard."""

    @property
    def length(self) -> int:
        """Return the characters so far."""
        return self._length

    def heading(self, level: int, text: str) -> None:
        """Append a heading; level 1 is the highest."""
        if line := _one_line(text):
            start = self._append(line, "\n\n")
            self.headings.append(Heading(level, start, start + len(line)))

    def prose(self, text: str) -> None:
        """Append a paragraph; line breaks in it stay."""
        self._append_lines(text, "\n\n")

    def line(self, text: str) -> None:
        """Append an item of a list or a row of a table, on a line of its own."""
        self._append_lines(text, "\n" if self._open else "\n\n")

    def code(self, text: str) -> None:
        """Append a code block; its lines are indented by four spaces."""
        lines = [_cleaned(line.expandtabs(4)).rstrip() for line in text.split("\n")]
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        if lines:
            self._append("\n".join(CODE_INDENT + line if line else "" for line in lines), "\n\n")

    def page(self) -> None:
        """Note that a page begins with the next block."""
        self._turned += 1

    def at(self, seconds: float) -> None:
        """Note that the next block is heard this long after the beginning of the recording."""
        self._time = _written(seconds)

    def text(self) -> str:
        """Return the whole text."""
        return "".join(self._parts)

    def _append_lines(self, text: str, separator: str) -> None:
        lines = [_SPACES.sub(" ", line).strip() for line in _cleaned(text).split("\n")]
        if joined := "\n".join(line for line in lines if line):
            self._append(joined, separator)
            self._open = True

    def _append(self, text: str, separator: str) -> int:
        if self._turned:
            # The first page needs no mark: it begins with the text.
            separator = "\n" + PAGE_BREAK * (self._turned - (not self.pages)) + "\n"
        if self._time:
            separator = (separator[:-1] if self._turned else "\n") + self._time + "\n"
        if self._length or PAGE_BREAK in separator or self._time:
            self._parts.append(separator)
            self._length += len(separator)
        self._open = False
        start = self._length
        self.pages += [start] * self._turned
        self._turned, self._time = 0, ""
        self._parts.append(text)
        self._length += len(text)
        return start


def page_at(text: str, offset: int) -> int | None:
    """Return the page, from 1, on which an offset of an extracted text lies; None where the text has no pages."""
    return text.count(PAGE_BREAK, 0, offset) + 1 if PAGE_BREAK in text else None


def time_at(text: str, offset: int) -> float | None:
    """Return when what stands at an offset is heard, in seconds; None where the text is of no recording."""
    end = max(text.rfind(digit, 0, offset) for digit in TIME_DIGITS) + 1
    start = end
    while start and text[start - 1] in TIME_DIGITS:
        start -= 1
    tenths = 0
    for digit in text[start:end]:
        tenths = min(tenths * 4 + TIME_DIGITS.index(digit), _TENTHS_MAX)
    return tenths / 10 if end else None


def clock(seconds: float) -> str:
    """Return a time as people say it: `3:20`, and with hours `1:03:20`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _written(seconds: float) -> str:
    tenths, digits = min(max(round(seconds * 10), 0), _TENTHS_MAX), ""
    while tenths or not digits:
        tenths, digit = divmod(tenths, 4)
        digits = TIME_DIGITS[digit] + digits
    return digits


def _cleaned(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    # Removal can bring characters together that compose, so it comes first.
    return unicodedata.normalize("NFC", _REMOVED.sub("", text.replace("\x85", "\n").replace("\x0c", "\n")))


def _one_line(text: str) -> str:
    return " ".join(_cleaned(text).split())
