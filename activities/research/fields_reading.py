"""Reading for cells: passages as statements about one item, from prose, lists of pairs and tables alike. Pure.

A statement is about an item where it names it, where the headings above it do, or where it points back to a sentence
that does. Of a table it is one cell with the heading of its column, of a list one pair.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from activities.research.fields_columns import meanings_of, word_list
from activities.research.lexicon import words_of
from activities.research.sentences import sentence_spans
from activities.research.text import STOP_WORDS, stem, words
from schema.contracts.research import Passage, SourceRef
from schema.contracts.tables import TableHead


class Form(StrEnum):
    """How a statement is written."""

    CELL = "cell"
    PAIR = "pair"
    PROSE = "prose"


@dataclass(frozen=True)
class Statement:
    """What a source says of the item: `snapshot_text[start:end] == quote`."""

    source: SourceRef
    start: int
    end: int
    quote: str
    form: Form
    label: str
    """Of a pair or a cell: what the value is called there. Of prose: nothing."""
    text: str
    """The words that hold the value; part of `quote`."""
    directness: float
    """How plainly it is about the item, 0..1."""
    one_of_many: bool = False
    """A line of a table about the item whose lines are something else: for columns that hold lists."""


NAMED, HEADED, POINTED = 1.0, 0.9, 0.8
GOES_ON = 0.9
"""What is left of the directness in a sentence that neither names the item nor points back, in the same paragraph."""
ALONGSIDE = 0.85
"""The same of a sentence whose subject is another name, for values that are this name (X is its chief executive)."""

_SUFFIXES = word_list("name_suffixes")
_PREFIXES = word_list("name_prefixes")
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_CAPITALISED = re.compile(r"[\s-]{1,2}(?:[A-ZÄÖÜ]|\d)")
_BEFORE = re.compile(r"([^\W\d_]+)[\s-]$")


class Item:
    """A name, and where texts use it."""

    def __init__(self, name: str) -> None:
        self.name = name
        tokens = _tokens(name)
        while len(tokens) > 1 and tokens[-1] in _SUFFIXES:
            tokens = tokens[:-1]
        self.tokens = tokens
        body = r"[\s\-–_.,&’']{0,3}".join(re.escape(token) for token in tokens)
        self._pattern = re.compile(rf"(?<!\w){body}(?:['’]s)?(?!\w)", re.IGNORECASE) if tokens else None

    def mentions(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of `text` that name the item, and not something whose name only contains its own."""
        if self._pattern is None:
            return []
        return [match.span() for match in self._pattern.finditer(text) if self._is_whole(text, match)]

    def _is_whole(self, text: str, match: re.Match[str]) -> bool:
        after = text[match.end() :]
        if not match.group().endswith(("'s", "’s")) and _CAPITALISED.match(after):
            following = _TOKEN.match(after.lstrip(" -"))
            if following and following.group().casefold() not in _SUFFIXES and self._goes_on(following.group(), after):
                return False
        before = _BEFORE.search(text[: match.start()])
        return not (before and before[1][:1].isupper() and before[1].casefold() in _PREFIXES)

    @staticmethod
    def _goes_on(word: str, after: str) -> bool:
        """Tell whether the word after a name belongs to it: Zephyr 9 (Pro), Norvik (Shipping), Zephyr (9)."""
        if word.isdigit():
            return not re.match(r"\s(?:1[5-9]|20)\d\d\b", after) and not re.match(r"\s\d[\d.,]*\s?[a-z%°]", after)
        return True

    def is_named_by(self, label: str) -> bool:
        """Tell whether a label is the item's name, and nothing else."""
        tokens = _tokens(label)
        while len(tokens) > 1 and tokens[-1] in _SUFFIXES:
            tokens = tokens[:-1]
        return bool(tokens) and tokens == self.tokens


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(match.group().casefold() for match in _TOKEN.finditer(re.sub(r"['’]s\b", "", text)))


@dataclass(frozen=True)
class _Unit:
    """A line of a list or table, or a sentence of a paragraph, in a passage."""

    start: int
    end: int
    block: int
    kind: Form
    """PROSE, PAIR (label and value), or CELL (a row of a table)."""


_ROW = re.compile(r"\s\|\s|^\|.*\|$")
_PAIR = re.compile(
    r"^(?:[-*•·]\s+)?(?P<label>[^:=|.!?;]{2,60}?)\s*(?::\s+|\s[–—=]\s|\t+)\s*(?P<value>\S.*)$", re.DOTALL
)
_PAIR_WORDS_MAX = 7


@lru_cache(maxsize=8_192)
def _units(text: str) -> tuple[_Unit, ...]:
    found: list[_Unit] = []
    block = 0
    for match in re.finditer(r"[^\n]+", text):
        if match.start() > 1 and text[match.start() - 2 : match.start()].count("\n") == 2:
            block += 1
        line, start = match.group(), match.start()
        if _ROW.search(line.strip()):
            found.append(_Unit(start, match.end(), block, Form.CELL))
        elif (pair := _PAIR.match(line)) and len(pair["label"].split()) <= _PAIR_WORDS_MAX:
            found.append(_Unit(start, match.end(), block, Form.PAIR))
        else:
            found += [_Unit(start + begin, start + end, block, Form.PROSE) for begin, end in sentence_spans(line)]
    return tuple(found)


class Reader:
    """Reads passages for one item among others."""

    def __init__(self, item: str, others: Sequence[str], heads: Sequence[TableHead] = ()) -> None:
        self.item = Item(item)
        self.others = tuple(Item(other) for other in others)
        self._heads = heads
        self.is_free = not self.item.tokens
        """Nothing is named: whatever the passages say may be meant."""

    def names_other(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of `text` that name another item; a name inside of this item's name is none."""
        ours = self.item.mentions(text)
        return [
            (start, end)
            for other in self.others
            for start, end in other.mentions(text)
            if not any(begin <= start and end <= stop for begin, stop in ours)
        ]

    def statements(self, passages: Sequence[Passage]) -> list[Statement]:
        """Return what the passages say of the item, in their order."""
        return [statement for passage in passages for statement in self._read(passage)]

    def _read(self, passage: Passage) -> Iterator[Statement]:
        headed = self._headed(passage)
        subject, block = headed, -1
        previous = ""
        for unit in _units(passage.text):
            text = passage.text[unit.start : unit.end]
            if unit.block != block:
                block = unit.block
                if not _POINTS_BACK.match(text):
                    subject = headed  # A new paragraph begins anew, unless it says that it goes on.
            if unit.kind is Form.CELL:
                yield from self._row(passage, unit, headed)
                continue
            if unit.kind is Form.PAIR:
                yield from self._pair(passage, unit, max(headed, subject if subject >= HEADED else 0.0), previous)
                previous = text
                continue
            before, subject = subject, self._subject(text, subject, headed)
            named = bool(self.item.mentions(text))
            if _is_label(text) and named and not self.names_other(text):
                subject = HEADED  # A line that is only a name heads what follows.
            elif subject or named or self.is_free or (before and not self.names_other(text)):
                directness = NAMED if named or self.is_free else subject or ALONGSIDE * before
                yield _statement(passage, unit.start, unit.end, Form.PROSE, "", text, directness)
                if previous and _is_label(previous) and not named:
                    yield _statement(passage, unit.start, unit.end, Form.PAIR, previous, text, subject or directness)
            previous = text

    def _headed(self, passage: Passage) -> float:
        """Return whether the headings above a passage name the item; the nearest one that names an item decides."""
        if self.is_free:
            return NAMED
        for part in reversed([passage.source.title, *passage.heading.split(" > ")]):
            if self.names_other(part):
                return 0.0
            if self.item.mentions(part):
                return HEADED
        return 0.0

    def _subject(self, text: str, before: float, headed: float) -> float:
        """Return how plainly a sentence is about the item, given the one before it."""
        if self.item.mentions(text):
            return self._carried_on(text)
        if self.names_other(text):
            return 0.0
        if starts_with_other_name(text, self.item):
            # Jane Doe has run it since 2015: still the same paragraph about the item.
            return before if _REFERS.search(text) else 0.0
        return max(headed, before if _POINTS_BACK.match(text) else GOES_ON * before)

    def _carried_on(self, text: str) -> float:
        """Return how plainly the sentences after one that names the item are about it: as it is the subject there."""
        if _COMPARES.search(text):
            return 0.0
        mentions = self.item.mentions(text)
        last = max(start for start, _ in mentions)
        if any(start > last for start, _ in self.names_other(text)):
            return 0.0
        if (other := other_subject(text, self.item)) is None and not self.names_other(text):
            return POINTED
        # Kestrel launched the Lumo X2: the item is what was named last.
        return GOES_ON * POINTED if other is None or other[0] < last else 0.0

    def _pair(self, passage: Passage, unit: _Unit, headed: float, previous: str) -> Iterator[Statement]:
        text = passage.text[unit.start : unit.end]
        match = _PAIR.match(text)
        assert match is not None
        label, value = match["label"].strip(" *_`"), match["value"]
        named = bool(self.item.mentions(label))
        if named and self.item.is_named_by(label):
            # `Calder Optics: founded 1921, 1,200 employees`, or with pairs of its own.
            yield _statement(passage, unit.start, unit.end, Form.PROSE, "", value, NAMED)
            for part in re.split(r";\s+|,\s+(?=[A-Za-z ]{2,30}:\s)", value):
                if inner := _PAIR.match(part.strip()):
                    yield _statement(passage, unit.start, unit.end, Form.PAIR, inner["label"], inner["value"], NAMED)
            return
        if named:
            bare = "".join(label[start:end] for start, end in _without(label, self.item.mentions(label)))
            yield _statement(passage, unit.start, unit.end, Form.PAIR, _OF.sub("", bare), value, NAMED)
        elif self.names_other(label):
            return
        elif headed or self.is_free:
            yield _statement(passage, unit.start, unit.end, Form.PAIR, label, value, headed or NAMED)
        if self.item.mentions(value) or headed:
            yield _statement(
                passage, unit.start, unit.end, Form.PROSE, "", text, NAMED if self.item.mentions(text) else headed
            )

    def _row(self, passage: Passage, unit: _Unit, headed: float) -> Iterator[Statement]:
        line = passage.text[unit.start : unit.end]
        cells = _cells(line)
        head = self._head(passage, unit)
        at = next((number for number, cell in enumerate(cells) if self.item.is_named_by(cell)), None)
        if at is not None and head is not None and line.strip() != head.strip():
            labels = _cells(head)
            if len(labels) == len(cells):
                yield from (
                    _statement(passage, unit.start, unit.end, Form.CELL, labels[number], cell, NAMED)
                    for number, cell in enumerate(cells)
                    if number != at and cell
                )
            return
        if head is not None and line.strip() != head.strip():
            yield from self._column(passage, unit, cells, _cells(head))
        if head is not None and line.strip() != head.strip() and headed and len(_cells(head)) == len(cells):
            for label, cell in zip(_cells(head), cells, strict=True):
                made = _statement(passage, unit.start, unit.end, Form.CELL, label, cell, headed)
                yield replace(made, one_of_many=True)
        if len(cells) == 2 and headed and not self.names_other(line):
            yield _statement(passage, unit.start, unit.end, Form.CELL, cells[0], cells[1], headed)

    def _column(self, passage: Passage, unit: _Unit, cells: list[str], labels: list[str]) -> Iterator[Statement]:
        """Read a table whose columns are items and whose rows are properties."""
        at = next((number for number, label in enumerate(labels) if number and self.item.is_named_by(label)), None)
        if at is not None and len(labels) == len(cells) and cells[at]:
            yield _statement(passage, unit.start, unit.end, Form.CELL, cells[0], cells[at], NAMED)

    def _head(self, passage: Passage, unit: _Unit) -> str | None:
        """Return the heading line of the table that a row belongs to."""
        at = passage.start + unit.start
        for head in self._heads:
            if head.snapshot_sha256 == passage.source.snapshot_sha256 and head.start <= at < head.end:
                return head.text
        rows = [each for each in _units(passage.text) if each.kind is Form.CELL and each.block == unit.block]
        return passage.text[rows[0].start : rows[0].end] if rows else None


def begins_in_table(passage: Passage) -> bool:
    """Tell whether a passage begins with a line of a table, whose heading may stand before it."""
    return passage.start > 0 and bool(_ROW.search(passage.text.split("\n", 1)[0].strip()))


def table_head(text: str, at: int) -> TableHead | None:
    """Return the heading line of the table that the line at offset `at` of a whole text belongs to, if it is above."""
    first = text.rfind("\n", 0, at) + 1
    top = first
    while top > 0:
        above = text.rfind("\n", 0, top - 1) + 1
        if not _ROW.search(text[above : top - 1].strip()):
            break
        top = above
    if top == first:
        return None
    end = first
    while end < len(text):
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop
        if not _ROW.search(text[end:stop].strip()):
            break
        end = stop + 1
    head = text[top : text.find("\n", top)]
    return TableHead(snapshot_sha256="", start=top, end=end, text=head)


def _cells(line: str) -> list[str]:
    cells = [cell.strip(" *_`") for cell in line.strip().strip("|").split("|")]
    while cells and (not cells[-1] or set(cells[-1]) <= set("-: ")):
        cells.pop()  # What is left of the rule below a heading that was read as one line with it.
    return cells


def _without(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return list(zip(starts, ends, strict=True))


_OF = re.compile(r"^\s*(?:of|for|the)\s+|\s+(?:of|for|at|in)\s*$|^\s*[-–—,(]\s*|\s*[-–—,)]\s*$", re.IGNORECASE)
_POINTS_BACK = re.compile(
    r"[\"“‘(]?(?:it|its|they|their|he|she|his|her|this|these|the|today|currently|there|here|as of|in (?:1[5-9]|20)\d\d"
    r"|with|at|since|founded|established|based|headquartered|located|built|opened|annual|about|around|some|now|also"
    r"|a total of|more than|over|nearly|according|by|on|under|both|total|from|[a-z])\b",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"^(?:unlike|like|compared (?:with|to)|in contrast to|next to|besides|similar to)\b"
    r"|\b(?:than|unlike|as opposed to)\b",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:it|its|the (?:company|firm|group|business|bridge|town|city|product|device|project|organi[sz]ation))\b",
    re.IGNORECASE,
)
_VERBS = words_of("verbs")
_COMMON = words_of("common_capitals")
_OPENING_NAME = re.compile(r"[\"“‘(]?((?:The )?(?:[A-ZÄÖÜ][\w&.'’-]*\s?){1,5})")


def starts_with_other_name(text: str, item: Item) -> bool:
    """Tell whether the subject of a sentence is a name that is not the item's (Norvik employs ...)."""
    match = _OPENING_NAME.match(text)
    if match is None or item.mentions(match[1]):
        return False
    named = [word for word in words(match[1]) if _is_namelike(word)]
    following = words(text[match.end() :])[:1]
    return bool(named) and bool(following) and (following[0] in _VERBS or following[0].endswith("ed"))


def other_subject(text: str, item: Item, *, until: int | None = None) -> tuple[int, int] | None:
    """Return the last name in `text[:until]` that is the subject of a verb and not the item, if there is one."""
    found = None
    for match in re.finditer(r"(?:[A-ZÄÖÜ][\w&'’-]*\s){1,5}(?=([a-z]+)\b)", text):
        named = [word for word in words(match.group()) if _is_namelike(word)]
        if until is not None and match.start() >= until:
            break
        if not named or item.mentions(match.group()) or match[1] not in _VERBS:
            continue
        found = match.span()
    return found


def _is_namelike(word: str) -> bool:
    """Tell whether a capitalised word may be a name: not one that is known as a word for a property (Sales, CEO)."""
    return word not in _COMMON and word not in STOP_WORDS and len(meanings_of(stem(word))) == 1


def _is_label(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 6 and text[-1:] not in ".!?,;" and "\n" not in text


def _statement(
    passage: Passage, start: int, end: int, form: Form, label: str, text: str, directness: float
) -> Statement:
    return Statement(
        source=passage.source,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
        form=form,
        label=label,
        text=text,
        directness=directness,
    )
