"""Wanted: what a question asks for: of what (its subject), and which kind of value would answer it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from activities.research.lexicon import groups_of, rows_of, table_of, words_of
from activities.research.numbering import numbered, numbered_asked
from activities.research.phrased import as_question, written_as_unit
from activities.research.quantities import dates, figures, versions
from activities.research.questions import (
    asks_for_name,
    asks_for_one_thing,
    asks_for_time,
    collective_asked,
    query_terms,
    without_context,
)
from activities.research.relations import relations_of
from activities.research.text import STOP_WORDS, stem, words
from activities.research.units import CURRENCIES, unit_of
from activities.research.values import concept, designated, spelled_out, subject_names

_ASKS = {
    dimension: frozenset(stem(word) for row in rows for word in row.split())
    for dimension, rows in table_of("asks").items()
}
_SYNONYMS = {f"={number}": group for number, group in enumerate(groups_of("attributes"))}
_UNITS = {
    dimension: tuple(word for entry in entries for word in entry.split() if word.isalpha() and len(word) > 1)
    for dimension, entries in table_of("units").items()
}


_MEANINGS: dict[str, frozenset[int]] = {}
for _number, _group in enumerate((*groups_of("attributes"), *groups_of("events"), *groups_of("synonyms"))):
    for _word in _group:
        _MEANINGS[stem(_word)] = _MEANINGS.get(stem(_word), frozenset()) | {_number}


def meanings(word_stem: str) -> frozenset[int]:
    """Return the groups of words of one meaning that a stem belongs to; nothing for a word that the lexicon lacks."""
    return _MEANINGS.get(word_stem, frozenset())


@dataclass(frozen=True)
class Wanted:
    """What would answer a question."""

    subject: frozenset[str]
    """Stems of the names that it asks about."""
    designations: frozenset[str]
    attributes: frozenset[str]
    """Properties that it asks for, as concepts (see `values.concept`)."""
    dimensions: frozenset[str]
    """Of the figures that may answer it; `date`, `name`, `version`, `count` besides."""
    numbered: str | None = None
    """Stem of the thing whose number it asks for (which port)."""
    measured: bool = False
    """By its form it asks how much something is, so that any figure may answer where no word tells which kind."""

    @property
    def is_definite(self) -> bool:
        """Tell whether it asks for a property of something named."""
        return bool(self.subject and (self.dimensions or self.measured))

    def answered_by(self, text: str) -> float:
        """Return how far a sentence looks like the answer, 0..1, whatever it is about."""
        attribute = bool(self.attributes & {concept(stem(word)) for word in words(text)})
        value = self._has_value(text)
        if attribute and value:
            return 1.0
        if value or attribute:
            return VALUE_ONLY if value else ATTRIBUTE_ONLY
        if self.measured and any(figure.dimension != "plain" for figure in figures(spelled_out(text))):
            return OTHER_FIGURE
        # Somebody else is named, in words that tell no known relation.
        named = subject_names(text) - frozenset(word for word in words(text) if stem(word) in self.subject)
        return OTHER_NAME if "name" in self.dimensions and named else 0.0

    def _has_value(self, text: str) -> bool:
        found = {figure.dimension for figure in figures(spelled_out(text))}
        if found & CURRENCIES:
            found.add("money")
        if "date" in self.dimensions and dates(text):
            return True
        if self.numbered and numbered(self.numbered, text) is not None:
            return True
        if "version" in self.dimensions and versions(text):
            return True
        if "name" in self.dimensions and any(
            not frozenset(map(stem, relation.value)) <= self.subject for relation in relations_of(text)
        ):
            return True
        counted = "count" in self.dimensions and bool(found & {"count", "plain"})
        return bool(found & self.dimensions) or counted

    def other_words(self) -> list[str]:
        """Return words for what is asked that the question itself does not use: synonyms, and units."""
        found: dict[str, None] = {}
        for attribute in sorted(self.attributes):
            found.update(dict.fromkeys(_SYNONYMS.get(attribute, ())[:9]))
        for dimension in sorted(self.dimensions - {"date", "name", "count", "money", "version"}):
            found.update(dict.fromkeys(_UNITS.get(dimension, ())[:4]))
        return list(found)


_MEASURES = re.compile(
    r"(?:(?:above|after|at|before|below|by|during|for|from|in|of|on|over|since|to|under|until|with|within) )?"
    r"(?:how (?:many|much|long|high|tall|deep|wide|heavy|far|fast|old|large|big|efficient|often|hot|cold|strong)|"
    r"(?:what|which) (?!is |are |was |were )\w+|what (?:is|are|was|were) the|when|who|whom|whose|where)\b",
    re.IGNORECASE,
)
_VERBAL = tuple(
    (re.compile(rf"\b(?:{said})\b", re.IGNORECASE), noun)
    for said, _, noun in (row.partition("=") for row in rows_of("asking"))
)
_MEASURED = re.compile(
    r"how (?!(?:do|does|did|is|are|was|were|can|could|should|to|has|have|will|would)\b)\w+\b|"
    r"(?:at|after|on|over|up to|under|within) (?:what|which) \w+|what (?:number|amount|quantity|share) of|"
    r"what (?:is|are|was|were) the (?:[\w-]+ ){0,2}"
    r"(?:size|rate|level|number|count|dose|amount|capacity|output|length|time|density|concentration|intensity|ratio|"
    r"score|radius|thickness|slope) of",
    re.IGNORECASE,
)
"""Questions for a figure, whatever is measured."""
_VERBS = words_of("verbs")
_WHEN = re.compile(r"(?:^|[,;.]|\band)\s*(?:since )?when\b", re.IGNORECASE)
_OVER_TIME = re.compile(r"\b(?:an?|each|every|last|over the|per|throughout the|within a) (?:day|month|week|year)\b")
"""How long something takes place, not when."""
_ASKS_MORE = re.compile(
    r"(?:\band|\bor|[,;&])(?: (?:after|at|by|for|in|on|with|within))? (?:how|what|when|where|which|who)\b|"
    r"(?:\band|,) (?:its|the|their) [a-z]"
)
_KIND_AND_MEASURE = re.compile(r"(?:[a-z]+ )?(?:what|which) [a-z]+ (?P<measure>[a-z]+)", re.IGNORECASE)

_IN_UNIT = re.compile(r",? in (?P<unit>[A-Za-z°µ]+(?: [a-z]+|/[A-Za-z\d]+|[²³])?)\W*$")
"""The unit that the answer is to have (how far is it, in kilometres?)."""


def _counted_words(tokens: Sequence[str]) -> list[str]:
    """Return the words behind *how many*; a unit there tells what kind of figure is asked for (how many days)."""
    return [word for before, word in pairwise(tokens) if before in ("many", "much") and word not in STOP_WORDS]


def dimensions_of(word_stem: str) -> frozenset[str]:
    """Return the dimensions of the figures that a word asks for (area, in *how large is the area*)."""
    return frozenset(dimension for dimension, asked in _ASKS.items() if word_stem in asked)


def _names_a_measure(question: str) -> bool:
    """Tell whether a kind of name only says which measure is asked for (what licence fee, what player height)."""
    match = _KIND_AND_MEASURE.match(question)
    measure = match["measure"] if match else ""
    return measure not in _VERBS and bool(dimensions_of(stem(measure)) - {"name", "date"})


def _says_property(word: str) -> bool:
    """Tell whether a word that is written as a name is that of a property (CEO, RAM)."""
    return concept(stem(word)) != stem(word) or bool(meanings(stem(word)))


_EXPLAINED = re.compile(
    r"(?:how (?:do|does|did|to|can|could|should|would)(?! (?:I|we|you|one) (?:find out|learn)\b)|why)\b", re.IGNORECASE
)
"""What explains how or why is no value, whatever properties the words might name."""

_OVER_YEARS = re.compile(r"\b(?:develop|grow|grown|change|rise|risen|fall|fallen|evolve|shrink|increase|decrease)\b")
"""How something has become what it is, is told by its values."""

VALUE_ONLY, ATTRIBUTE_ONLY, OTHER_NAME, OTHER_FIGURE = 0.7, 0.2, 0.25, 0.1
"""How far a sentence answers that has a wanted value without the property's name, or the other way round."""


_LEADING_NAME = re.compile(r"(?:[A-ZÀ-Ý][\w'’.-]+ ){2,4}(?=[a-zß-ÿ])")
_NO_NAME = words_of("imperatives") | STOP_WORDS


def opening_names(key_words: str) -> frozenset[str]:
    """Return the stems of several words with capitals that key words begin with (Ulrovic Ordinance responsible ...)."""
    match = _LEADING_NAME.match(key_words)
    found = words(match.group()) if match else []
    return frozenset() if not found or found[0] in _NO_NAME else frozenset(map(stem, found))


_NO_OPENING = _NO_NAME | words_of("instructions") | words_of("generic_words") | words_of("measures") | words_of("verbs")
KEY_WORDS_MAX = 8


def opens_with_name(key_words: str) -> bool:
    """Tell whether key words begin with a single word that is likely a name (Cordaite affected organ)."""
    first, *rest = key_words.rstrip("?! ").split()[: KEY_WORDS_MAX + 1] or [""]
    said = (words(first) or [""])[0]
    return (
        0 < len(rest) < KEY_WORDS_MAX
        and first.istitle()
        and rest[0] not in STOP_WORDS
        and all(word.islower() for word in rest)
        and said not in _NO_OPENING
        and not _says_property(said)
    )


_CAPITALS = re.compile(r"[A-ZÀ-Ý][\w'’.-]*(?: [A-ZÀ-Ý][\w'’.-]*)+")


TITLE_CASE_MIN = 0.7
"""Where more of the words than this have capitals, capitals tell nothing."""


def is_in_title_case(question: str) -> bool:
    """Tell whether capitals tell nothing (How Many Employees Does Google Have)."""
    written = [word for word in question.split() if word[:1].isalpha()]
    return len(written) > 3 and sum(word[:1].isupper() for word in written) > TITLE_CASE_MIN * len(written)


def _whole_names(question: str, subject: frozenset[str]) -> frozenset[str]:
    """Return the stems of a subject with the other words of its names (Delviolane, of which *Salve* was seen)."""
    found = set(subject)
    if is_in_title_case(question):
        return subject
    for match in _CAPITALS.finditer(question):
        name = [word for word in words(match.group()) if word not in _NO_NAME and not _says_property(word)]
        if subject.intersection(map(stem, name)):
            found.update(map(stem, name))
    return frozenset(found)


@lru_cache(maxsize=1_024)
def wanted(question: str) -> Wanted:
    """Read a question."""
    question = as_question(without_context(question))
    for said, noun in _VERBAL:
        question = said.sub(noun, question)
    told = _IN_UNIT.search(question)
    unit = unit_of(told["unit"]) or unit_of(told["unit"].rstrip("s")) if told else None
    about = question[: told.start()] if told and unit else question
    terms = query_terms(about)
    tokens = words(question)
    # What was found was not founded, though both have one stem.
    stems = {stem(word) for word in tokens if word != "found"}
    named = [term for term in terms if term.is_name]
    named = [term for term in named if not _says_property(term.word)] or named
    subject = frozenset(term.stem for term in named if not term.places) or frozenset(
        term.stem for term in named if _MEASURES.match(question)
    )
    subject = _whole_names(question, subject) or opening_names(question)
    if not subject and asks_for_one_thing(question):
        subject = _whole_names(question, frozenset(term.stem for term in named))
    if not subject and opens_with_name(question):
        subject = frozenset((stem(words(question)[0]),))
    rest = [word for word in tokens if word not in STOP_WORDS and stem(word) not in subject]
    attributes = frozenset(concept(stem(word)) for word in rest if concept(stem(word)) != stem(word))
    group = collective_asked(question)
    sized = {"size"} if group is not None else set()  # The size of a crew is no length.
    stems -= {stem(word) for word in words(" ".join(_OVER_TIME.findall(question)))}
    dimensions = {dimension for dimension, asked in _ASKS.items() if asked & (stems - subject - sized)}
    if _WHEN.search(question):
        dimensions.add("date")
    if tokens[:2] in (["how", "many"], ["how", "much"]) or " how many " in f" {' '.join(tokens)} ":
        units = {each.dimension for word in _counted_words(tokens) if (each := unit_of(word))}
        dimensions |= units or {"count"}
        counted = [concept(stem(word)) for word in _counted_words(tokens) if stem(word) not in subject]
        attributes |= frozenset(counted)
    if unit:
        dimensions.add("money" if unit.dimension in CURRENCIES else unit.dimension)
    elif not dimensions:
        units = {each.dimension for word in question.split() if written_as_unit(word) and (each := unit_of(word))}
        dimensions |= {"money" if dimension in CURRENCIES else dimension for dimension in units}
    explained = _EXPLAINED.match(question) and not _ASKS_MORE.search(question) and not _OVER_YEARS.search(question)
    if explained and not asks_for_one_thing(question):
        # How do I build it: no builder is asked for.
        dimensions, attributes = set(), frozenset()
    kind = "name" if asks_for_name(question) else "date" if asks_for_time(question) else ""
    if kind and not _names_a_measure(question):
        # Whatever else the words might ask for (which company produces power).
        dimensions = {kind} | (dimensions if _ASKS_MORE.search(question) else set())
    if group is not None and group not in subject and not dimensions_of(group) - {"count"}:
        dimensions.add("count")
        attributes |= {concept(group)}
    return Wanted(
        subject,
        designated(about),
        attributes,
        frozenset(dimensions),
        numbered_asked(question),
        bool(_MEASURED.match(question)),
    )
