"""A question's words, and which of them name columns, values, numbers, dates and what is asked."""

import re
from dataclasses import dataclass, field

import polars as pl

from activities.insights.names import _SPLIT
from activities.insights.table import Table
from activities.insights.units import PHYSICAL, dimension_of, unit_of
from activities.insights.vocabulary import PHRASES, plain, related, stems
from schema.contracts.insights import Unit

_COMPOUND = "|".join(re.escape(symbol) for symbol in PHYSICAL if "/" in symbol)
_TOKEN = re.compile(
    r"[\"“„«]([^\"”“»]{1,200})[\"”“»]|(?<!\w)'([^']{1,200})'(?!\w)|(\d{4}-\d{2}-\d{2})|(\d{4}-\d{2})(?!\d)|"
    r"(-?\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.,'])|-?\d+(?:[,'’]\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?)|"
    rf"([<>!=]=|<>|[<>=≥≤])|((?:{_COMPOUND})(?!\w)|[^\W\d_][\w]*(?:['’]t)?)|(%|€|\$|£|°[A-Za-z]?)"
)
_SCALES = {
    "k": 1e3,
    "thousand": 1e3,
    "tausend": 1e3,
    "mille": 1e3,
    "million": 1e6,
    "millions": 1e6,
    "mio": 1e6,
    "m": 1e6,
    "billion": 1e9,
    "milliarden": 1e9,
    "mrd": 1e9,
    "bn": 1e9,
}
_NUMERALS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twenty": 20,
    "drei": 3,
    "funf": 5,
    "zehn": 10,
    "trois": 3,
    "cinq": 5,
    "dix": 10,
    "zwei": 2,
    "deux": 2,
}
_GENERIC = frozenset(("id", "no", "nr", "number", "nummer", "code", "key", "name"))
_VALUES_MAX = 5_000
_PHRASE_WORDS_MAX = 5
_LOOKUP = {tuple(plain(phrase).split()): kind for kind, phrases in reversed(PHRASES.items()) for phrase in phrases}


@dataclass
class Token:
    """A word, number, sign or quoted text of the question."""

    text: str
    kind: str
    """`word`, `number`, `date`, `sign`, `quoted` or `unit`."""
    number: float | None = None
    used: str | None = None
    """What it was understood as."""
    unit: Unit | None = None
    """Of a number."""


@dataclass(frozen=True)
class Mention:
    """Words that name something, at a place of the question."""

    start: int
    end: int
    column: str = ""
    value: object = None
    phrase: str = ""


@dataclass
class Words:
    """A question, looked through."""

    tokens: list[Token]
    columns: list[Mention] = field(default_factory=list)
    values: list[Mention] = field(default_factory=list)
    phrases: list[Mention] = field(default_factory=list)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    """Words that several columns have."""
    handled: set[int] = field(default_factory=set)
    """Places of comparators that became conditions."""

    nouns: set[int] = field(default_factory=set)
    """Places of words that name what a row is."""

    def text(self, mention: Mention) -> str:
        """Return the words of a mention, as they stand in the question."""
        return " ".join(token.text for token in self.tokens[mention.start : mention.end])

    def has(self, *kinds: str) -> bool:
        """Tell whether one of these is asked for."""
        return any(each.phrase in kinds for each in self.phrases)

    def first(self, *kinds: str) -> Mention | None:
        """Return the first phrase of one of these kinds."""
        return next((each for each in self.phrases if each.phrase in kinds), None)


def tokens_of(question: str, dimensions: frozenset[str] = frozenset()) -> list[Token]:
    """Split a question into tokens; what is a unit of the table is no scale: `1000 m` of a column in metres."""
    found: list[Token] = []
    for match in _TOKEN.finditer(question):
        quoted, single, day, month, number, sign, word, unit = match.groups()
        if quoted or single:
            found.append(Token(quoted or single, "quoted"))
        elif day or month:
            found.append(Token(day or month, "date"))
        elif number:
            found.append(Token(number, "number", float(re.sub(r"[^\d.-]", "", number))))
        elif sign or unit:
            found.append(Token(sign or unit, "sign" if sign else "unit"))
        else:
            scale = _SCALES.get(word.lower()) if not _measures(word, dimensions) else None
            if scale and len(word) == 1 and not question[match.start() - 1].isdigit():
                # `5m` is five million, `5 m` is not.
                scale = None
            if scale and found and found[-1].kind == "number" and found[-1].number is not None:
                found[-1].number *= scale
                continue
            numeral = _NUMERALS.get(plain(word))
            found.append(Token(word, "word", float(numeral) if numeral else None))
    return found


def _measures(word: str, dimensions: frozenset[str]) -> bool:
    unit = unit_of(word, "header")
    return unit is not None and dimension_of(unit) in dimensions


def words_of(question: str, table: Table) -> Words:
    """Look a question through: columns first, then values of columns of texts, then what is asked."""
    units = [unit for column in table.columns if (unit := table.unit(column)) is not None]
    words = Words(tokens_of(question, frozenset(dimension_of(unit) for unit in units)))
    names = {name: _name_words(name) for name in table.frame.columns}
    _find_columns(words, names)
    _find_units(words, units)
    _find_phrases(words, words_min=2)
    _find_partly_named(words, names)
    _find_values(words, table)
    _find_phrases(words, words_min=1)
    words.phrases.sort(key=lambda mention: mention.start)
    _find_nouns(words, table)
    return words


def _find_units(words: Words, units: list[Unit]) -> None:
    """Find units beside numbers: `1000 km`, `$50`; those that no column could have stay unknown words."""
    known = {dimension_of(unit) for unit in units}
    for place, token in enumerate(words.tokens):
        if token.number is None or token.kind != "number":
            continue
        for beside in (place + 1, place - 1):
            other = words.tokens[beside] if 0 <= beside < len(words.tokens) else None
            if other is None or other.used or (beside < place and other.kind != "unit") or plain(other.text) == "in":
                continue
            unit = unit_of(other.text, "header")
            if unit is not None and dimension_of(unit) in known:
                token.unit, other.used = unit, "unit"
                break


def _find_nouns(words: Words, table: Table) -> None:
    """Find words that mean the rows: the name of the file, the key column in the plural or behind a superlative."""
    noun = [plain(part) for part in _SPLIT.split(table.noun) if part]
    for place, token in enumerate(words.tokens):
        if (
            token.kind == "word"
            and not token.used
            and noun
            and len(token.text) > 2
            and stems(token.text) & stems(noun[-1])
        ):
            token.used = "noun"
            words.nouns.add(place)
    for mention in words.columns:
        if table.is_key(mention.column) and words.tokens[mention.start].kind == "word":
            words.nouns.add(mention.start)


def _name_words(name: str) -> list[str]:
    bare = re.sub(r"[(\[（].*?[)\]）]", " ", name) or name
    return [part for part in (plain(each) for each in _SPLIT.split(bare)) if part and part not in ("in", "of", "the")]


def _find_columns(words: Words, names: dict[str, list[str]]) -> None:
    """Find columns by their whole names."""
    spans: list[tuple[int, int, str, float]] = []
    tokens = words.tokens
    for name, parts in names.items():
        for start, token in enumerate(tokens):
            if token.kind == "quoted" and plain(token.text) == plain(name):
                spans.append((start, start + 1, name, 10.0))
            if token.kind == "word" and parts:
                joined = [_word(each) for each in tokens[start : start + len(parts)]]
                if len(joined) == len(parts) and all(
                    stems(one) & stems(other) for one, other in zip(joined, parts, strict=True)
                ):
                    exact = sum(one == other for one, other in zip(joined, parts, strict=True))
                    spans.append((start, start + len(parts), name, 3.0 * len(parts) + exact))
                elif len(parts) > 1 and _word(token) == "".join(parts):
                    spans.append((start, start + 1, name, 3.0))
    _take(words, spans)


def _find_partly_named(words: Words, names: dict[str, list[str]]) -> None:
    """Find columns by a word that only one of them has, or by a synonym; what several have is noted as ambiguous."""
    partly: list[tuple[int, int, str, float]] = []
    for start, token in enumerate(words.tokens):
        if token.used or token.kind != "word" or len(token.text) < 3 or (plain(token.text),) in _LOOKUP:
            continue
        holders = [
            name
            for name, parts in names.items()
            if any(stems(token.text) & stems(part) for part in parts if len(part) > 2)
        ]
        taken = {mention.column for mention in words.columns}
        holders = [name for name in holders if name not in taken] or holders
        if len(holders) > 1:
            # `orders` are the rows of `Order ID` rather than of `Order date`.
            entities = [
                name for name in holders if len(set(names[name]) - _GENERIC) == 1 and set(names[name]) & _GENERIC
            ]
            holders = entities if len(entities) == 1 else holders
        if len(holders) == 1:
            partly.append((start, start + 1, holders[0], 1.0))
        elif holders:
            words.ambiguous[token.text] = holders
        else:
            alike = [
                name for name, parts in names.items() if parts and any(related(token.text, part) for part in parts)
            ]
            if len(alike) == 1:
                partly.append((start, start + 1, alike[0], 0.5))
            elif alike:
                words.ambiguous[token.text] = alike
    _take(words, partly)
    words.columns.sort(key=lambda mention: mention.start)


def _word(token: Token) -> str:
    return plain(token.text) if token.kind in ("word", "number") else "\0"


def _take(words: Words, spans: list[tuple[int, int, str, float]]) -> None:
    for start, end, name, _ in sorted(spans, key=lambda span: (-span[3], span[0])):
        if any(token.used for token in words.tokens[start:end]):
            continue
        words.columns.append(Mention(start, end, column=name))
        for token in words.tokens[start:end]:
            token.used = "column"


def _find_values(words: Words, table: Table) -> None:
    """Find values of columns of texts that the question names; the longest first, in any case."""
    spans: list[tuple[int, int, str, object]] = []
    for name, dtype in table.frame.schema.items():
        if dtype != pl.String or table.distinct[name] > _VALUES_MAX:
            continue
        known: dict[tuple[str, ...], object] = {}
        for value in table.frame[name].drop_nulls().unique(maintain_order=True).to_list():
            key = tuple(plain(token.text) for token in tokens_of(value)[:8]) or (plain(value),)
            known.setdefault(key, value)
        longest = max((len(key) for key in known), default=0)
        for start in range(len(words.tokens)):
            for length in range(min(longest, len(words.tokens) - start), 0, -1):
                part = words.tokens[start : start + length]
                if any(token.used for token in part):
                    continue
                if length == 1 and part[0].kind == "quoted":
                    key = tuple(plain(token.text) for token in tokens_of(part[0].text)) or (plain(part[0].text),)
                else:
                    key = tuple(plain(token.text) for token in part)
                if key in known and not (length == 1 and _too_common(part[0], str(known[key]))):
                    spans.append((start, start + length, name, known[key]))
    for start, end, name, value in sorted(spans, key=lambda span: (-(span[1] - span[0]), span[0])):
        if all(not token.used for token in words.tokens[start:end]):
            words.values.append(Mention(start, end, column=name, value=value))
            for token in words.tokens[start:end]:
                token.used = "value"
    words.values.sort(key=lambda mention: mention.start)


def _too_common(token: Token, value: str) -> bool:
    """Tell whether a word is rather one of the question's own: `a`, `total`, `2`; in capitals it is a value."""
    if token.kind == "quoted":
        return False
    if token.kind == "number":
        return True
    if token.text == value and (len(value) > 1 or value.isupper()) and not token.text.islower():
        return False
    return (
        len(token.text) < 2
        or (plain(token.text),) in _LOOKUP
        or plain(token.text) in ("a", "i", "in", "on", "no", "of", "the")
    )


def _find_phrases(words: Words, words_min: int) -> None:
    tokens = words.tokens
    start = 0
    while start < len(tokens):
        for length in range(min(_PHRASE_WORDS_MAX, len(tokens) - start), words_min - 1, -1):
            part = tokens[start : start + length]
            if any(token.used or token.kind not in ("word", "sign") for token in part):
                continue
            kind = _LOOKUP.get(tuple(plain(token.text) for token in part))
            if kind is not None:
                words.phrases.append(Mention(start, start + length, phrase=kind))
                for token in part:
                    token.used = f"phrase {kind}"
                start += length - 1
                break
        start += 1
