"""How well a passage answers a query, 0..1 and comparable across queries. Pure.

Three things count: how much of the query's weight the passage holds (rare terms weigh more), how often, with the
headings above it, and whether terms that stand together in the query do so in the passage. A term that nothing holds
still counts in the denominator, so a query about something else scores low everywhere.

Where a passage and the query have vectors, their similarity is a part of it (`with_similarity`): it stands in for
words that the passage says otherwise, and doubts words that it has by chance. Its scale is the embedder's, not the
query's, so that the sum stays comparable across queries.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

from activities.documents.languages import is_grammar, searchable
from activities.documents.passages import is_code
from activities.research.similarity import overlap
from activities.research.text import GENERIC_WORDS, STOP_WORDS, stem, words

DEPTH_SHARE, COVERAGE_SHARE, PROXIMITY_SHARE = 0.45, 0.35, 0.2
SIMILARITY_SHARE = 0.5
"""Of vectors in a relevance, against words; chosen by `tests/eval/retrieval.py` on the develop half of its queries."""
DOCUMENT_SHARE = 0.1
"""How much it counts that the document as a whole is about the query, not this passage of it by the way."""
HEADING_BONUS = 0.4
"""A term in the headings closes this share of what its frequency leaves open."""
HEADING_ONLY = 0.7
GENERIC_WEIGHT = 0.25
"""Weight of words of a question that say little about what it is about, against 1."""
DEFINES_BONUS = 0.3
"""A passage that says what a term of the query is (FastAPI is a web framework) closes this share of what is open."""
CODE_FACTOR = 0.6
"""Code supports no statement."""
THIN_WORDS = 25
"""A passage of fewer words is worth less."""
DUPLICATE_OVERLAP = 0.7
RELEVANCE_MIN = 0.12
RELEVANCE_SHARE_MIN = 0.4
"""Below this share of the best passage's relevance, a passage is left out, however trusted or recent."""

RARITY_FREQUENCY_MIN = 0.005
"""A term that fewer of the passages hold than this share weighs no more: the rarest words are often chance."""

_GENERIC = frozenset(
    stem(word) for word in (*GENERIC_WORDS, "decide", "choose", "become", "occur", "exist", "possible", "able")
) - {stem("import")}
"""Without what has a meaning of its own and only shares its stem with such a word (import, important)."""
_SHINGLE = 4
_WORD_MAX = 80


@dataclass(frozen=True)
class QueryTerm:
    """A term of the query."""

    lexeme: str
    position: int
    weight: float


@dataclass(frozen=True)
class Occurrences:
    """Where a passage holds terms of the query: term -> word positions."""

    in_text: Mapping[str, Sequence[int]]
    in_heading: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Relevance:
    """How well, and why."""

    value: float
    because: str | Callable[[], str]
    """Why, or what tells it: a search weighs hundreds of passages and shows the reasons of a few."""

    @property
    def reason(self) -> str:
        """Return why, as sentences."""
        return self.because if isinstance(self.because, str) else self.because()


def prior_weight(lexeme: str) -> float:
    """Return how much a term says about a query, whatever the corpus."""
    return GENERIC_WEIGHT if lexeme in _GENERIC or is_grammar(lexeme) else 1.0


def weigh(terms: Iterable[tuple[str, int]], frequencies: Mapping[str, int], passages: int) -> list[QueryTerm]:
    """Weigh the terms of a query by their rarity (BM25's idf) among `passages` passages.

    Args:
        terms: (term, word position in the query).
    """
    weighed = []
    for lexeme, position in terms:
        found = min(max(frequencies.get(lexeme, 0), RARITY_FREQUENCY_MIN * passages), passages)
        rarity = math.log(1 + (passages - found + 0.5) / (found + 0.5))
        weighed.append(QueryTerm(lexeme, position, max(rarity, 0.1) * prior_weight(lexeme)))
    return weighed


def relevance(terms: Sequence[QueryTerm], found: Occurrences, text: str) -> Relevance:
    """Return how well a passage answers a query."""
    total = math.fsum(term.weight for term in terms)
    if not total:
        return Relevance(0.0, "The query has no terms.")
    length, defined = _reading(text)
    depth = math.fsum(term.weight * _depth(term.lexeme, found, length) for term in terms) / total
    coverage = math.fsum(term.weight * _presence(term.lexeme, found) for term in terms) / total
    near = _proximity(terms, found) if len(terms) > 1 else depth
    value = DEPTH_SHARE * depth + COVERAGE_SHARE * coverage + PROXIMITY_SHARE * near
    if defined & _heaviest(terms):
        value += DEFINES_BONUS * (1 - value)
    if length < THIN_WORDS:
        value *= 0.5 + 0.5 * length / THIN_WORDS
    if is_code(text):
        value *= CODE_FACTOR
    return Relevance(min(max(value, 0.0), 1.0), partial(_reason, terms, found))


def similarity(cosine: float, cosines: tuple[float, float]) -> float:
    """Scale a cosine to 0..1.

    Args:
        cosines: of a text that has nothing to do with a query, and of one that answers it well.
    """
    low, high = cosines
    return min(max((cosine - low) / (high - low), 0.0), 1.0)


def with_similarity(value: Relevance, cosine: float | None, cosines: tuple[float, float] | None) -> Relevance:
    """Weigh in how near the passage's vector is to the query's; without vectors the words decide alone."""
    if cosine is None or cosines is None:
        return value
    near = similarity(cosine, cosines)
    combined = (1 - SIMILARITY_SHARE) * value.value + SIMILARITY_SHARE * near
    nearness = f"Its meaning is {near:.2f} near to the query's (cosine {cosine:.2f})."
    return Relevance(combined, lambda: f"{value.reason} {nearness}")


def in_document(value: Relevance, answering: int, passages: int) -> Relevance:
    """Weigh in how many of the document's passages answer the query too."""
    share = min(1.0, answering / (passages + 3) * 2)
    return Relevance((1 - DOCUMENT_SHARE) * value.value + DOCUMENT_SHARE * share * value.value**0.5, value.because)


def occurrences(lexemes: Iterable[str], text: str, heading: str) -> Occurrences:
    """Find terms in a passage that is not in the index (see `query_terms`)."""
    wanted = frozenset(lexemes)
    text, heading = searchable(text), searchable(heading)
    above = _positions(wanted, heading, 0)
    return Occurrences(_positions(wanted, text, len(words(heading))), above)


def query_terms(query: str) -> list[tuple[str, int]]:
    """Return the distinct stems of a query's content words and their first positions, for passages not in the index."""
    terms: dict[str, int] = {}
    for position, word in enumerate(words(searchable(query)), start=1):
        if word not in STOP_WORDS:
            terms.setdefault(stem(word), position)
    return list(terms.items())


def frequencies_of(found: Iterable[Occurrences]) -> Counter[str]:
    """Count in how many passages each term occurs."""
    return Counter(lexeme for each in found for lexeme in {*each.in_text, *each.in_heading})


class Duplicates:
    """Recognises passages that nearly repeat one that was seen before."""

    def __init__(self) -> None:
        self._seen: list[frozenset[str]] = []

    def is_new(self, text: str) -> bool:
        """Tell whether a passage is unlike all that came before; it is remembered then."""
        tokens = words(text)
        shingles = frozenset(" ".join(tokens[i : i + _SHINGLE]) for i in range(max(1, len(tokens) - _SHINGLE + 1)))
        if any(overlap(shingles, other) >= DUPLICATE_OVERLAP for other in self._seen):
            return False
        self._seen.append(shingles)
        return True


def _depth(lexeme: str, found: Occurrences, length: int) -> float:
    count = len(found.in_text.get(lexeme, ()))
    saturated = count / (count + 0.4 + length / 300)
    # Both kinds of evidence add up without ever passing 1.
    return 1 - (1 - saturated) * (1 - (HEADING_BONUS if lexeme in found.in_heading else 0.0))


def _presence(lexeme: str, found: Occurrences) -> float:
    if lexeme in found.in_text:
        return 1.0
    return HEADING_ONLY if lexeme in found.in_heading else 0.0


def _proximity(terms: Sequence[QueryTerm], found: Occurrences) -> float:
    """Return how closely neighbours of the query stand together, 1 where they do as in the query."""
    near, total = 0.0, 0.0
    for left, right in pairwise(terms):
        weight = min(left.weight, right.weight)
        total += weight
        distance = right.position - left.position
        gaps = [
            abs((b - a) - distance)
            for place in (found.in_text, found.in_heading)
            for a in place.get(left.lexeme, ())
            for b in place.get(right.lexeme, ())
        ]
        if gaps:
            near += weight / (1 + min(gaps) / 3)
    return near / total if total else 0.0


# From the verb backwards: a pattern that begins with the word before it is tried at every letter of the text.
_IS_A = re.compile(r" (?:is|are|was) (?:an?|the|one)\b")
_LAST_WORD = re.compile(r"[\w-]+$")


def _heaviest(terms: Sequence[QueryTerm]) -> frozenset[str]:
    heaviest = max((term.weight for term in terms), default=0.0)
    return frozenset(term.lexeme for term in terms if term.weight >= 0.7 * heaviest)


@lru_cache(maxsize=8_192)
def _reading(text: str) -> tuple[int, frozenset[str]]:
    """Return how many words a passage has, and the stems of what it says what it is: the same for every query."""
    defined = set[str]()
    for verb in _IS_A.finditer(text):
        before = _LAST_WORD.search(text[max(0, verb.start() - _WORD_MAX) : verb.start()].rstrip('*_`"”)'))
        defined.update(stem(word) for word in (words(before[0])[-1:] if before else ()))
    return len(words(searchable(text))), frozenset(defined)


def _reason(terms: Sequence[QueryTerm], found: Occurrences) -> str:
    held = [term.lexeme for term in terms if _presence(term.lexeme, found)]
    above = [term.lexeme for term in terms if term.lexeme in found.in_heading]
    sentence = f"It holds {len(held)} of {len(terms)} terms of the query"
    sentence += f" ({', '.join(held[:8])})" if held else ""
    return sentence + (f"; its headings hold {', '.join(above[:8])}." if above else ".")


def _positions(wanted: frozenset[str], text: str, offset: int) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for position, word in enumerate(words(text), start=offset + 1):
        if (lexeme := stem(word)) in wanted:
            positions.setdefault(lexeme, []).append(position)
    return positions
