"""Rows: facts that are no sentences: lines of tables, `label: value` lines, short items of lists.

A row is quoted verbatim and said with what stands above it: `Heading · Section — Power: 420 kW`. The gate
(`citations.py`) accepts such a text only where the row and lines above it in the snapshot show every part of it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from activities.research.lexicon import words_of
from activities.research.quantities import dates, figures, versions
from activities.research.text import display, normalise, words
from activities.research.units import CURRENCIES

MARK = " — "
"""Between what stands above a row and the row."""
PATH = " · "
"""Between the parts of what stands above it."""
HEADINGS = " > "
"""Between the headings of a passage (`documents/passages.py`)."""
PATH_PARTS_MAX = 3
LABEL_WORDS_MAX = 6
VALUE_WORDS_MAX = 12
CELLS_MAX = 8
PAIRS_MAX = 40
"""Lines that are read ahead to tell what a table lists."""
LINE_CHARACTERS_MAX = 300

_GENERIC = words_of("generic_labels")
_LABELLED = re.compile(r"(?P<label>[^\W\d_][^:=|.!?]{0,60}?)\s*(?::|\s?\.{3,})\s+(?P<value>\S.*)$")
_NEXT = re.compile(r"(?<=[\w%°²³)])\s(?=[A-Z][\w()/ -]{1,28}:\s\S)")
_RULE = re.compile(r"[\s|:+=-]+$")


@dataclass(frozen=True)
class Field:
    """One fact of a row."""

    label: str
    value: str
    subject: str = ""
    """What the row or the column is about, where the table says so."""


@dataclass(frozen=True)
class Row:
    """A line, or a part of one, that states facts: `text[start:end]` is its quotation."""

    start: int
    end: int
    fields: tuple[Field, ...]
    above: str
    """The nearest line above it that stands alone like a heading, or nothing."""

    def said(self, path: str) -> str:
        """Return the row as one line of text below the headings it stands under."""
        parts = [part for part in path.split(HEADINGS) if part and not re.fullmatch(r"p\. \d+", part)]
        if self.above and len(parts) < 2 and self.above not in parts:
            parts.append(self.above)
        parts = parts[:1] + parts[1:][1 - PATH_PARTS_MAX :]
        subjects = {each.subject for each in self.fields}
        if len(subjects) == 1:
            parts += [subject for subject in subjects if subject and subject not in parts]
        fields = "; ".join(_said_field(each, alone=len(subjects) == 1) for each in self.fields)
        return f"{PATH.join(parts)}{MARK}{fields}" if parts else fields


_ENDS = " .!?。！？"
"""A row never ends like a sentence: that is how a claim that was said as a row is told from prose with a dash."""


def _said_field(field: Field, *, alone: bool) -> str:
    label = field.label if alone or not field.subject else f"{field.label} ({field.subject})"
    value = field.value.rstrip(_ENDS)
    return f"{label}: {value}" if label else value


def rows_of(text: str) -> list[Row]:
    """Return the rows of `text`, in order; indented lines are code."""
    found: list[Row] = []
    header: list[str] = []
    above, inside, label_at = "", False, -1
    for start, line in _lines(text):
        if not line.strip() or len(line) > LINE_CHARACTERS_MAX:
            label_at = -1
            inside = inside and bool(line.strip())
            header = header if inside else []
            continue
        if re.match(r"\s{4}|\t", line) or (inside and _RULE.fullmatch(line)):
            continue
        cells = _cells(line)
        if cells and not inside and _is_header(cells, _below(text, start)):
            header, inside = [] if _pairs_below(text, start, len(cells)) else cells, True
            continue
        if cells:
            inside = True
            fields = _of_table(cells, header)
            if fields:
                found.append(_row(start, line, fields, above))
            continue
        inside, header = False, []
        labelled = list(_of_labels(start, line, above))
        if label_at >= 0 and len(labelled) == 1 and not labelled[0].fields[0].label:
            # A term and its definition on lines of their own: both are quoted.
            labelled = [Row(label_at, labelled[0].end, (Field(above, labelled[0].fields[0].value),), "")]
        found += labelled
        label_at = -1
        if not labelled and _stands_alone(line):
            above, label_at = display(line.lstrip("# ")), start
    return found


def row_at(text: str, start: int, end: int) -> Row | None:
    """Return the row that a span of `text` lies in, or that it is; None where it has more with it."""
    return next((row for row in rows_of(text) if row.start <= start + 2 and end - 2 <= row.end), None)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, line.rstrip()
        start += len(line)


def _row(start: int, line: str, fields: Sequence[Field], above: str) -> Row:
    leading = len(line) - len(line.lstrip("| \t*•·-"))
    return Row(start + leading, start + len(line.rstrip("| \t")), tuple(fields), above)


def _cells(line: str) -> list[str]:
    """Return the cells of a line of a table; nothing where it is none, or only a rule."""
    if "|" not in line or _RULE.fullmatch(line):
        return []
    cells = [display(cell) for cell in line.strip().strip("|").split("|")]
    return cells if 2 <= len(cells) <= CELLS_MAX and re.search(r"\s\|\s|^\|", line) else []


def _below(text: str, start: int) -> list[str]:
    """Return the cells of the next line of a table that is no rule."""
    following = text[start:].split("\n", 3)[1:3]
    return next((cells for line in following if (cells := _cells(line))), [])


def _pairs_below(text: str, start: int, columns: int) -> bool:
    """Tell whether a table of two columns lists properties of one thing: what its values measure differs by row.

    The rows of a table of things (Model, Power) have values of one kind.
    """
    kinds: set[str] = set()
    for line in text[start:].split("\n", PAIRS_MAX)[1:PAIRS_MAX]:
        if not (cells := _cells(line)) and not _RULE.fullmatch(line):
            break
        if len(cells) == columns == 2:
            found = {figure.dimension for figure in figures(cells[1]) if figure.known}
            kinds |= {"money" if dimension in CURRENCIES else dimension for dimension in found}
    return len(kinds) >= 2


def _is_header(cells: Sequence[str], below: Sequence[str]) -> bool:
    if _is_generic(cells[0]) or (len(cells) == 2 and _is_generic(cells[1])):
        return True
    if len(cells) == 2:  # Else it is the first pair of a table without a head.
        return len(below) == 2 and _has_value(below[1]) and not _has_value(cells[1])
    return not any(_has_value(cell) for cell in cells[1:])


def _of_table(cells: Sequence[str], header: Sequence[str]) -> list[Field]:
    if not all(len(cell.split()) <= VALUE_WORDS_MAX for cell in cells):
        return []
    if len(cells) == 2 and (len(header) != 2 or _is_generic(header[0]) or _is_generic(header[1])):
        return [Field(cells[0], cells[1])] if _says(cells[0], cells[1]) else []
    if len(header) != len(cells):
        return []
    across = _is_generic(header[0]) or not header[0]
    fields = []
    for name, cell in list(zip(header, cells, strict=True))[1:]:
        if across and _says(cells[0], cell):
            fields.append(Field(cells[0], cell, name))
        elif not across and _says(name, cell):
            fields.append(Field(name, cell, cells[0]))
    return fields


def _of_labels(start: int, line: str, above: str) -> Iterator[Row]:
    """Read `label: value` lines; several of them may have been joined into one line."""
    cuts = [match.start() for match in _NEXT.finditer(line)]
    for begin, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(line)], strict=True):
        part = line[begin:end]
        shown = display(part.lstrip(" *•·-+"))
        match = _LABELLED.match(shown)
        if match and _is_sentence(match["value"]):
            continue
        if match and len(match["value"].split()) <= VALUE_WORDS_MAX and _says(match["label"], match["value"]):
            yield _row(start + begin, part, [Field(match["label"].strip(), match["value"].strip())], above)
        elif not match and not cuts and _is_item(shown):
            yield _row(start + begin, part, [Field("", shown)], above)


def _is_sentence(value: str) -> bool:
    return bool(re.search(r"[.!?] [A-Z]|[.!?]$", value)) and len(value.split()) >= 4


def _is_item(shown: str) -> bool:
    """Tell whether a line is a short statement of a value without a label (420 kW at sea level)."""
    short = 2 <= len(shown.split()) <= 9 and not re.search(r"[.!?:;]$", shown)
    return short and any(figure.known for figure in figures(shown))


def _is_generic(label: str) -> bool:
    return set(words(label)) <= _GENERIC


def _says(label: str, value: str) -> bool:
    """Tell whether a label and its value are worth a claim: words before, a figure, a date or a few words behind."""
    if (
        _is_sentence(value)
        or not re.search(r"[^\W\d_]", label)
        or len(label.split()) > LABEL_WORDS_MAX
        or re.match(r"\w+://|//", value)
    ):
        return False
    short = (
        len(value.split()) <= 6 and bool(re.search(r"\w", value)) and not re.search(r"[{}<>\[\]\\`]|://|\(\)", value)
    )
    return _has_value(value) or short


@lru_cache(maxsize=16_384)
def _has_value(text: str) -> bool:
    return bool(figures(text) or dates(text) or versions(text))


def _stands_alone(line: str) -> bool:
    shown = line.strip()
    return 1 <= len(shown.split()) <= 9 and not re.search(r"[.!?:;,]$", shown) and shown.lstrip("# ")[:1].isupper()


@dataclass(frozen=True)
class Said:
    """A row as it was said (`Row.said`), read again."""

    path: tuple[str, ...]
    fields: tuple[Field, ...]


@lru_cache(maxsize=16_384)
def read_said(text: str) -> Said | None:
    """Read what `Row.said` wrote; None where `text` is a sentence."""
    if not text or text[-1] in _ENDS or re.search(r"[.!?。！？][\"'”’)\]」』）]+$", text):
        return None
    path, mark, rest = text.rpartition(MARK)
    alone = None if mark else _LABELLED.fullmatch(text)
    if not mark and (alone is None or _is_sentence(alone["value"]) or len(text.split()) > VALUE_WORDS_MAX):
        return None
    fields = []
    for part in rest.split("; "):
        label, colon, value = part.partition(": ")
        of = re.fullmatch(r"(.+) \((.+)\)", label) if colon else None
        if of:
            fields.append(Field(of[1], normalise(value), of[2]))
        else:
            fields.append(Field(normalise(label), normalise(value)) if colon else Field("", normalise(part)))
    return Said(tuple(part for part in path.split(PATH) if part), tuple(fields))
