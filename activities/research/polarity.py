"""Polarity and rank: what a statement affirms or denies, opposites put together, and the ordinal it gives."""

import re
from dataclasses import dataclass
from functools import lru_cache

from activities.research.lexicon import words_of
from activities.research.quantities import names, negations
from activities.research.text import stem, terms, words
from activities.research.values import clauses


@dataclass(frozen=True)
class Polar:
    """A clause and whether it is denied; opposites count as denials of one another (closed: not open)."""

    words: frozenset[str]
    negative: bool


_ANTONYMS = {
    stem(right): stem(left) for left, _, right in (pair.partition(":") for pair in words_of("antonyms")) if right
}
_DENIALS = frozenset(stem(word) for word in words_of("negations"))
_NEGATABLE = frozenset(stem(word) for word in words_of("negatable"))
_WEAK = frozenset(
    stem(word) for word in ("still", "yet", "currently", "now", "also", "today", "already", "no", "longer")
)


@lru_cache(maxsize=16_384)
def polar(text: str) -> tuple[Polar, ...]:
    """Return the polarity of a sentence and, where it has several, of each of its clauses."""
    spans = clauses(text)
    parts = [text[start:end] for start, end in spans] if len(spans) > 1 else []
    subject = frozenset(stem(part) for name in names(text) for part in words(name))
    return tuple(
        Polar(held | subject if part is not text else held, negative)
        for part in [text, *parts]
        for held, negative in [_read(part)]
    )


# What closes with a result is not shut: closed a good year, closes the quarter.
_ENDED = re.compile(
    r"\bclos(?:ed|es|e|ing) (?=(?:an?|the|its|their|this|last) "
    r"(?:[\w-]+ ){0,3}?(?:year|quarter|season|month|round|deal)\b)",
    re.IGNORECASE,
)


def _read(part: str) -> tuple[frozenset[str], bool]:
    part = _ENDED.sub("ended ", part)
    flips, held = negations(part), set()
    for term in terms(part):
        base = _ANTONYMS.get(term)
        if base is None and term.startswith("un") and len(term) > 5 and stem(term[2:]) in _NEGATABLE:
            base = stem(term[2:])
        flips += base is not None
        held.add(base or term)
    return frozenset(held) - _DENIALS - _WEAK, flips % 2 == 1


_PAIRS = [
    (stem(left), stem(right)) for left, _, right in (pair.partition(":") for pair in words_of("antonyms")) if right
]
_OPPOSITE: dict[str, frozenset[str]] = {}
for _left, _right in _PAIRS:
    _OPPOSITE[_left] = _OPPOSITE.get(_left, frozenset()) | {_right}
    _OPPOSITE[_right] = _OPPOSITE.get(_right, frozenset()) | {_left}


def antonym_of(term: str) -> frozenset[str]:
    """Return the stems that say the opposite of a stem."""
    opposite = _OPPOSITE.get(term, frozenset())
    if term.startswith("un") and len(term) > 5:
        opposite |= {stem(term[2:])}
    return opposite | {f"un{term}"}


ORDINALS = {
    word: number
    for number, group in enumerate(
        ("first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th", "sixth 6th", "seventh 7th", "eighth 8th"), 1
    )
    for word in group.split()
} | {"ninth": 9, "9th": 9, "tenth": 10, "10th": 10}
_UNRANKED = frozenset(stem(word) for word in ("century", "quarter", "half", "time", "edition", "floor", "generation"))


@lru_cache(maxsize=16_384)
def rank(text: str) -> tuple[int, str]:
    """Return the single ordinal of a sentence and the stem of the word behind it; (0, "") where there is none."""
    tokens = words(text)
    at = [number for number, token in enumerate(tokens) if token in ORDINALS]
    if len(at) != 1:
        return 0, ""
    behind = stem(tokens[at[0] + 1]) if at[0] + 1 < len(tokens) else ""
    return (0, "") if behind in _UNRANKED else (ORDINALS[tokens[at[0]]], behind)
