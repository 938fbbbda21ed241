"""Columns: what a column's name asks for, and whether a label or a clause speaks of it. Pure."""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from activities.research.lexicon import groups_of
from activities.research.quantities import Figure, figures
from activities.research.text import stem, words
from activities.research.values import concept
from activities.research.wanted import wanted
from schema.contracts.tables import Column, ColumnType

LABEL_MIN = 0.6
"""A label of a pair or a table's heading names a column from this score on."""
WEAK = 0.25
"""What a word of a name weighs that says little (annual, number), against 1."""


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return tomllib.loads(files("activities.research").joinpath("attributes.toml").read_text("utf-8"))


def word_list(name: str) -> frozenset[str]:
    """Return a list of words of `attributes.toml`; a hyphen stands for a space."""
    return frozenset(word.replace("-", " ") if len(word) > 1 else word for word in _data()["words"][name].split())


_FAMILIES: dict[str, frozenset[str]] = {}
for _row in _data()["families"]["rows"]:
    for _word in _row.split():
        _FAMILIES[stem(_word)] = _FAMILIES.get(stem(_word), frozenset()) | {f"~{_row.split()[0]}"}
_EVENTS = {stem(word): f"!{number}" for number, group in enumerate(groups_of("events")) for word in group}
PHRASES = [
    (re.compile(rf"\b{re.escape(phrase)}\b", re.IGNORECASE), canonical)
    for canonical, phrases in _data()["phrases"].items()
    for phrase in sorted(phrases, key=len, reverse=True)
]
"""(pattern of a phrase, the word that it counts as)."""
_FILLERS = frozenset(stem(word) for word in word_list("fillers"))
_TIME_GROUPS = frozenset(_EVENTS.values())
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_IN_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=16_384)
def meanings_of(word_stem: str) -> frozenset[str]:
    """Return all that a word may stand for: itself, and the groups of words of one meaning that it belongs to."""
    found = {word_stem}
    if (group := concept(word_stem)) != word_stem:
        found.add(group)
    found |= _FAMILIES.get(word_stem, frozenset())
    if word_stem in _EVENTS:
        found.add(_EVENTS[word_stem])
    return frozenset(found)


@lru_cache(maxsize=16_384)
def canonical(text: str) -> str:
    """Return `text` with phrases that count as one word written as that word."""
    for pattern, replacement in PHRASES:
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=16_384)
def meanings(text: str) -> frozenset[str]:
    """Return all that the words of `text` may stand for."""
    return frozenset(meaning for word in words(canonical(text)) for meaning in meanings_of(stem(word)))


def plain_name(name: str) -> str:
    """Return a column's or label's name as words: `founding_year`, `foundingYear` and `Founding year` are the same."""
    return " ".join(_CAMEL.sub(" ", name.replace("_", " ").replace("-", " ").replace("/", " ")).split())


_AVAILABLE = frozenset(
    stem(word) for word in ["support", "offer", "include", "provide", "available", "have", "allow", "feature"]
)
"""Words in the name of a yes-or-no column that texts put in many ways."""

_NO_UNITS = frozenset({"year", "day", "month", "minute", "second", "name", "a", "in"})
"""Words that end the name of a column and are no unit there (founding year)."""


@dataclass(frozen=True)
class Asked:
    """A column, read."""

    column: Column
    core: tuple[str, ...]
    """Stems of the words that say which property it is."""
    weak: tuple[str, ...]
    described: tuple[str, ...]
    """The same of the description, where it is short."""
    unit: Figure | None
    """One of the unit that is wanted."""
    dimensions: frozenset[str]
    """Which a figure may have; empty: any."""
    is_year: bool
    """A number that is a year (founded, year of opening)."""

    def label_score(self, label: str, item_tokens: tuple[str, ...] = ()) -> float:
        """Return how well a label names the column, 0..1; words of the item's own name in it say nothing."""
        bare = _YEAR.sub(" ", _IN_BRACKETS.sub(" ", label))
        said = words(canonical(plain_name(bare)))
        kept = [word for word in said if word not in item_tokens] or said
        stems = [stem(word) for word in kept]
        if not stems:
            return 0.0
        best = _overlap(self.core, self.weak, stems)
        if self.described:
            best = max(best, 0.9 * _overlap(self.described, (), stems))
        return best

    def spoken_of(self, text_meanings: frozenset[str]) -> bool:
        """Tell whether a clause uses a word for every word of the column's name, or of its description."""
        return _all_in(self.core, text_meanings) or (bool(self.described) and _all_in(self.described, text_meanings))


def _all_in(stems: tuple[str, ...], text_meanings: frozenset[str]) -> bool:
    return bool(stems) and all(meanings_of(each) & text_meanings for each in stems)


def _overlap(core: tuple[str, ...], weak: tuple[str, ...], stems: list[str]) -> float:
    """Return the shared weight over the weight of both; words of one meaning are the same."""
    theirs = list(dict.fromkeys(stems))
    ours = frozenset(meaning for each in core for meaning in meanings_of(each))
    shared = 0.0
    total = 0.0
    for each in (*core, *weak):
        weight = 1.0 if each in core else WEAK
        match = next((other for other in theirs if meanings_of(each) & meanings_of(other)), None)
        total += weight
        if match is not None:
            theirs.remove(match)
            shared += weight
    # What is left over and means the same once more (span length) is no other property.
    left = (other for other in theirs if not meanings_of(other) & ours)
    return shared / (total + sum(WEAK if other in _FILLERS else 1.0 for other in left)) if total else 0.0


@lru_cache(maxsize=4_096)
def asked_of(column: Column) -> Asked:
    """Read a column."""
    name = plain_name(_IN_BRACKETS.sub(" ", column.name))
    bracket = _IN_BRACKETS.search(column.name)
    stems = list(dict.fromkeys(stem(word) for word in words(canonical(_YEAR.sub(" ", name)))))
    unit = unit_of(column.unit) or (unit_of(bracket[1]) if bracket else None)
    tail = name.rsplit(" ", 1)
    if unit is None and column.type in (ColumnType.NUMBER, ColumnType.INTEGER) and len(tail) == 2:
        unit = None if tail[1].lower() in _NO_UNITS else unit_of(tail[1]) or unit_of(tail[1].upper())
        if unit is not None and unit.dimension != "count":
            stems = [each for each in stems if each != stem(tail[1].lower())] or stems
        else:
            unit = None
    core = tuple(each for each in stems if each not in _FILLERS)
    weak = tuple(each for each in stems if each in _FILLERS)
    if not core:
        core, weak = weak, ()
    if column.type is ColumnType.BOOLEAN:
        core = tuple(each for each in core if each not in _AVAILABLE) or core
    is_year = column.type in (ColumnType.NUMBER, ColumnType.INTEGER) and unit is None and _asks_for_a_year(name, core)
    dimensions = frozenset({unit.dimension}) if unit is not None else _dimensions(name, column)
    return Asked(column, core, weak, _described(column), unit, dimensions, is_year)


def _described(column: Column) -> tuple[str, ...]:
    stems = dict.fromkeys(stem(word) for word in words(canonical(_IN_BRACKETS.sub(" ", column.description))))
    found = tuple(each for each in stems if each not in _FILLERS) or tuple(stems)
    return found if 1 <= len(found) <= 3 else ()


def _asks_for_a_year(name: str, core: tuple[str, ...]) -> bool:
    tokens = words(name)
    if "years" in tokens or "lifetime" in tokens:
        return False
    return "year" in tokens or "since" in tokens or any(meanings_of(each) & _TIME_GROUPS for each in core)


def _dimensions(name: str, column: Column) -> frozenset[str]:
    """Return what a figure for a column without a unit may measure; empty where its name does not tell."""
    if column.type not in (ColumnType.NUMBER, ColumnType.INTEGER):
        return frozenset()
    found = wanted(f"what is the {name}").dimensions - {"date", "name", "version"}
    if "money" in found:
        found = (found - {"money"}) | {"USD", "EUR", "CHF", "GBP", "JPY"}
    return frozenset(found - {"count"})


_CODES = r"USD|EUR|CHF|GBP|JPY|US\$|[$€£¥]"
_SHORT_UNIT = re.compile(
    rf"^(?:(?P<code>{_CODES})\s?(?P<scale>m|M|mn|mln|mio\.?|Mio\.?|bn|B|k|K|million|billion|thousand)"
    rf"|(?P<scale2>m|M|mn|mln|mio\.?|Mio\.?|bn|B|k|K)\s?(?P<code2>{_CODES}))$"
)


def _spelled_scale(match: re.Match[str]) -> str:
    scale, code = match["scale"] or match["scale2"], match["code"] or match["code2"]
    spelled = {"m": "million", "b": "billion", "k": "thousand", "t": "thousand"}[scale[0].lower()]
    code = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}.get(code, code)
    return f"{spelled} {code}"


def is_filler(word_stem: str) -> bool:
    """Tell whether a word of a name says little about which property it is."""
    return word_stem in _FILLERS


@lru_cache(maxsize=1_024)
def unit_of(text: str | None) -> Figure | None:
    """Return one of the unit that `text` names (`km`, `million CHF`, `people`), or None where it names none."""
    if not text or not text.strip():
        return None
    text = _SHORT_UNIT.sub(_spelled_scale, text.strip())
    found = figures(f"is 1 {text} ")
    if not found or (found[0].dimension == "plain" and found[0].value == 1):
        swapped = figures(f"is {text} 1 ")  # A currency may stand before its figure.
        found = swapped if swapped and swapped[0].dimension != "plain" else found
    if not found or (found[0].dimension == "plain" and found[0].value == 1):
        return None
    return found[0]
