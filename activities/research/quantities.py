"""Quantities: the checkable parts of a sentence: figures with units, dates, versions, names, quotations, negation.

Two uses: the citation gate wants every one of them to stand in the cited span, and the search for disagreements
compares them. Nothing here knows a language beyond English month names, units and negations; digits are universal.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from activities.research.lexicon import groups_of, pairs_of, words_of
from activities.research.text import STOP_WORDS, stem, words
from activities.research.units import CURRENCIES, TABLE, Unit, unit_of


@dataclass(frozen=True)
class Figure:
    """One number of a sentence."""

    value: Decimal
    unit: str
    """Canonical unit (`kW`, `%`, `USD`), else the stem of the counted noun (`member`), else nothing."""
    dimension: str
    """`power`, `mass` ... for a known unit; `count` for a counted noun; `plain` without either."""
    start: int
    end: int

    known: Unit | None = None
    """The unit, where it is one of measurement or money."""

    @property
    def base(self) -> Decimal:
        """Return the value in the dimension's base unit."""
        return (self.value - self.known.offset) * self.known.factor if self.known else self.value

    def agrees_with(self, other: "Figure") -> bool:
        """Tell whether both say the same, up to what a conversion of units rounds away (1 %)."""
        if self.dimension != other.dimension:
            return False
        if self.unit == other.unit:
            return self.value == other.value
        return abs(self.base - other.base) <= Decimal("0.01") * max(abs(self.base), abs(other.base))


_CURRENCY = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW"} | {
    code: code for code in CURRENCIES
}
_SCALES = {
    "thousand": Decimal(1_000),
    "million": Decimal(10**6),
    "millions": Decimal(10**6),
    "mn": Decimal(10**6),
    "billion": Decimal(10**9),
    "billions": Decimal(10**9),
    "bn": Decimal(10**9),
    "trillion": Decimal(10**12),
    "dozen": Decimal(12),
}

_BRIEF = {"k": Decimal(1_000), "m": Decimal(10**6), "M": Decimal(10**6), "b": Decimal(10**9)}
"""Behind an amount of money (£3.2m)."""
_CODES = "|".join(sorted(CURRENCIES))
_NUMBER = r"\d{1,3}(?:[,'’\u202f\u00a0]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_SPOKEN = "|".join(spelling.replace(" ", r"\s") for spelling in sorted(TABLE, reverse=True) if " " in spelling)
"""Units of several words (degrees Celsius, kilometres per hour)."""
_UNIT_WORD = (
    rf"°\s?[CF]\b|%|(?i:{_SPOKEN})\b|(?:cubic|square|nautical)\s[a-z]+|[A-Za-zµΩ·]+(?:/[A-Za-z]+)?(?:[²³]|\^[23])?"
)
_FIGURE = re.compile(
    rf"(?<![\w.])(?<![^\W\d_]-)(?P<currency>US\$|[$€£¥₹₩]|(?:{_CODES})\s)?\s?"
    rf"(?P<sign>[-−])?(?P<number>{_NUMBER})"
    rf"(?:(?P<gap>[\s\u00a0\u202f-]?)(?P<scale>thousand|millions?|billions?|trillion|mn|bn|dozen)\b)?"
    rf"(?:(?P<space>[\s\u00a0\u202f-]{{0,2}})(?P<unit>per\s?cent\b|percentage points?|{_UNIT_WORD}))?"
)
_MONTHS = {month: number for number, names in enumerate(groups_of("months"), 1) for month in names}
_MONTH = "|".join(sorted((name.capitalize() for name in _MONTHS), key=len, reverse=True))
_LONG_UNITS = "|".join(re.escape(spelling) for spelling in sorted(TABLE) if spelling.isascii() and len(spelling) > 1)
_DATE = re.compile(
    rf"(?P<iso>\b\d{{4}}-\d{{2}}-\d{{2}}\b)"
    rf"|\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?P<month>{_MONTH})\.?,?\s+(?P<year>\d{{4}})\b"
    rf"|\b(?P<month2>{_MONTH})\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year2>\d{{4}})\b"
    rf"|\b(?P<month3>{_MONTH})\.?,?\s+(?P<year3>\d{{4}})\b"
    rf"|(?<![\w.,-])(?P<year4>1[5-9]\d\d|20\d\d|2100)s?(?![\w%]|[.,]\d|-\d)(?!\s?(?:{_LONG_UNITS})\b)"
)
_VERSION = re.compile(
    r"(?<![\w.])v?(?P<dotted>\d+\.\d+(?:\.\d+)+(?:[-.]?(?:rc|a|b|alpha|beta|dev|post)\.?\d*)?)\b"
    r"|\b(?:[Vv]ersion|[Rr]elease|v|Python|PEP|RFC|ISO|HTTP/|TLS|Java|Node(?:\.js)?|C\+\+|PostgreSQL|Pydantic)\s?(?P<named>v?\d+(?:\.\d+)*\+?)"
)


@dataclass(frozen=True)
class Date:
    """A date of a sentence: `2024-03-12`, `2024-03` or `2024`."""

    iso: str
    start: int
    end: int

    @property
    def year(self) -> int:
        return int(self.iso[:4])


@lru_cache(maxsize=16_384)
def dates(text: str) -> tuple[Date, ...]:
    """Return the dates and years of `text`, in order."""
    found = []
    for match in _DATE.finditer(text):
        part = match.groupdict()
        if part["iso"]:
            iso = part["iso"]
        elif part["year4"]:
            iso = part["year4"]
        else:
            month = part["month"] or part["month2"] or part["month3"] or ""
            year = part["year"] or part["year2"] or part["year3"]
            day = part["day"] or part["day2"]
            iso = f"{year}-{_MONTHS[month.lower()]:02}" + (f"-{int(day):02}" if day else "")
        found.append(Date(iso, match.start(), match.end()))
    return tuple(found)


@lru_cache(maxsize=16_384)
def versions(text: str) -> tuple[tuple[str, int, int], ...]:
    """Return (version, start, end) of what is named as a version: `3.12.1`, `Python 3.12`, `version 2`."""
    found = []
    for match in _VERSION.finditer(text):
        group = "dotted" if match.group("dotted") else "named"
        found.append((match.group(group).lstrip("v").rstrip("+"), match.start(group), match.end(group)))
    return tuple(found)


FIGURE_CHARACTERS_MAX = 40
FIGURE_EXPONENT_MAX = 60
"""Larger numbers are no quantities of anything, and arithmetic with them could be made to run out of range."""


def _decimal(digits: str) -> Decimal | None:
    if len(digits) > FIGURE_CHARACTERS_MAX:
        return None
    try:
        value = Decimal(re.sub(r"[,'’\u202f\u00a0]", "", digits))
    except InvalidOperation:
        return None
    return value if abs(value.adjusted()) <= FIGURE_EXPONENT_MAX else None


_NO_NOUN = STOP_WORDS | {"million", "billion", "times", "x"}


@lru_cache(maxsize=16_384)
def figures(text: str) -> tuple[Figure, ...]:
    """Return the figures of `text`, in order, without dates, versions and the digits inside names."""
    taken = [(date.start, date.end) for date in dates(text)] + [(start, end) for _, start, end in versions(text)]
    found = []
    for match in _FIGURE.finditer(text):
        start, end = match.span("number")
        if any(start < stop and begin < end for begin, stop in taken):
            continue
        if re.match(r"[\w]", text[end : end + 1]) and match.group("unit") is None:
            continue
        figure = _figure(match)
        if figure is not None:
            found.append(figure)
    return tuple(found)


def _figure(match: re.Match[str]) -> Figure | None:
    value = _decimal(match.group("number"))
    if value is None:
        return None
    if match.group("sign"):
        value = -value
    if match.group("scale"):
        value *= _SCALES[match.group("scale")]
    start, end = match.span("number")
    currency = (match.group("currency") or "").strip()
    if currency:
        unit = _CURRENCY[currency]
        value *= _BRIEF.get(match.group("unit") or "", Decimal(1))
        return Figure(value, unit, TABLE[unit].dimension, start, end, TABLE[unit])
    unit, dimension, known = _unit_of(match.group("unit") or "", spaced=bool(match.group("space")))
    return Figure(value, unit, dimension, start, end, known)


_SHARES = {"per cent": "%", "percent": "%", "percentage points": "pp", "percentage point": "pp"}


def _unit_of(word: str, *, spaced: bool) -> tuple[str, str, Unit | None]:
    spelled = re.sub(r"\s", "", word) if word[:1] == "°" else " ".join(word.split())
    known = unit_of(_SHARES.get(spelled, spelled))
    if known is not None:
        return known.canonical, known.dimension, known
    lower = spelled.split(" ", 1)[0].lower()
    if not spaced or not lower.isalpha() or lower in _NO_NOUN or len(lower) < 3:
        return "", "plain", None
    return stem(lower), "count", None


_NAME = re.compile(
    r"\b(?:[A-ZÄÖÜ][\w]*(?:[-.][\w]*\d[\w]*)+|[A-Za-z]+\d+[\w-]*|[A-Z][a-z]+[A-Z]\w*|[A-Z]{2,}(?:s\b|[\w-]*)"
    r"|[A-ZÄÖÜÉ][a-zäöüéèàß’']{1,}(?:-[A-Z]\w+)*)\b"
)
_COMMON_CAPITALS = words_of("common_capitals")


@lru_cache(maxsize=16_384)
def names(text: str) -> tuple[str, ...]:
    """Return the proper names, acronyms and designations of `text` (lower-case, in order, once each).

    A capitalised word at the start of a sentence counts only where its form shows that it is a name (digits, inner
    capitals, all capitals) or where it stands capitalised elsewhere in `text` too.
    """
    found: dict[str, None] = {}
    inside = {m.group() for m in _NAME.finditer(text) if not _at_sentence_start(text, m.start())}
    for match in _NAME.finditer(text):
        word = match.group().rstrip("’'")
        shaped = bool(re.search(r"\d", word)) or not (word[1:].islower() or len(word) == 1)
        if word.lower() in _COMMON_CAPITALS:
            continue
        if shaped or not _at_sentence_start(text, match.start()) or word in inside:
            found[re.sub(r"['’]s$", "", word).lower()] = None
    return tuple(found)


def _at_sentence_start(text: str, at: int) -> bool:
    before = text[:at].rstrip("\"'“‘([*_` ")
    return not before or before[-1] in ".!?:;\n"


def designations(text: str) -> frozenset[str]:
    """Return the names that carry digits (`zephyr-9`): they tell one member of a family from another."""
    return frozenset(name for name in names(text) if re.search(r"\d", name))


_QUOTED = re.compile(r"“([^“”]{2,}?)”|\"([^\"]{2,}?)\"|«([^«»]{2,}?)»|„([^„“]{2,}?)“")


def quotations(text: str) -> tuple[str, ...]:
    """Return the strings that stand in quotation marks in `text`."""
    return tuple(next(group for group in match.groups() if group) for match in _QUOTED.finditer(text))


_NEGATIONS = words_of("negations")


def negations(text: str) -> int:
    """Count the negations of `text`; `not only` and `not until` are none."""
    tokens = words(text)
    count = 0
    for position, token in enumerate(tokens):
        negates = token in _NEGATIONS or token.replace("’", "'").endswith("n't")
        if negates and not (
            token == "not" and tokens[position + 1 : position + 2] in (["only"], ["until"], ["before"])
        ):
            count += 1
    return count


_OPPOSITES = tuple((frozenset(left.split()), frozenset(right.split())) for left, right in pairs_of("opposites"))


def opposed(left: str, right: str) -> bool:
    """Tell whether one text uses a word where the other uses its opposite (`increased`, `decreased`)."""
    ours, theirs = frozenset(words(left)), frozenset(words(right))
    return any(
        (ours & one and theirs & other and not (ours & other) and not (theirs & one))
        or (ours & other and theirs & one and not (ours & one) and not (theirs & other))
        for one, other in _OPPOSITES
    )
