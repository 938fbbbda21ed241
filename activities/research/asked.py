"""Asked: disagreements about the very thing that was asked. Pure.

A question for one property of something named (who operates X, how long is X) says what its answers have in common,
however they are worded: two sources that answer it with different values disagree. `alignment.py` has no question; it
must see from the words alone that two statements are of one property.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import combinations

from activities.research.alignment import (
    aged,
    comparable,
    designations_apart,
    fitting,
    heads_apart,
    near_in_size,
    other_circumstances,
    same_subject,
    slips,
)
from activities.research.meanings import Meanings
from activities.research.meant import meant_otherwise
from activities.research.numbering import numbered, numbered_asked
from activities.research.questions import asks_for_time, collective_asked, single_questions, thing_asked
from activities.research.statements import Fact
from activities.research.superseded import (
    answers_alike,
    dimensions_asked,
    name_asked,
    name_given,
    names_apart,
    superseded,
)
from activities.research.text import stem, words
from activities.research.units import CURRENCIES
from activities.research.values import Value, agree, concept
from activities.research.wanted import Wanted, wanted
from schema.contracts.research import ConflictKind

ANSWERS_MAX = 40
"""Facts that answer one question are compared pair by pair up to this number."""


def asked_disagreements(
    questions: Iterable[str],
    facts: Sequence[Fact],
    known: Mapping[tuple[int, int], ConflictKind],
    meanings: Meanings | None = None,
) -> Iterator[tuple[int, int, ConflictKind]]:
    """Yield (left, right, kind) for the facts that answer a question with different values.

    Args:
        questions: as the subtasks have them; several may stand in one.
        known: disagreements that were seen without a question; whoever answers as one of their sides is with it.
        meanings: compares meanings; None: words alone decide.
    """
    for question in (single for each in questions for single in single_questions(each)):
        asked = wanted(question)
        answering = [index for index, fact in enumerate(facts) if is_about(asked, fact)][:ANSWERS_MAX]
        dimensions = dimensions_asked(question, [facts[index] for index in answering])
        found: dict[tuple[int, int], ConflictKind] = {}
        for left, right in combinations(answering, 2):
            kind = _disagreement(question, facts[left], facts[right], dimensions, meanings)
            if kind is not None:
                found[left, right] = kind
        yield from ((left, right, kind) for (left, right), kind in found.items())
        here = set(answering)
        told = {pair: kind for pair, kind in known.items() if here.issuperset(pair)} | found
        yield from _taking_sides(question, facts, answering, told, dimensions)


def answers_otherwise(question: str, fact: Fact, peer: Fact, meanings: Meanings | None = None) -> bool:
    """Tell whether both are about the subject of one definite question, and answer it with different values.

    Args:
        meanings: compares meanings; None: words alone decide.
    """
    asked = wanted(question)
    if not asked.is_definite or not (is_about(asked, fact) and is_about(asked, peer)):
        return False
    return _disagreement(question, fact, peer, dimensions_asked(question, [fact, peer]), meanings) is not None


def _taking_sides(
    question: str,
    facts: Sequence[Fact],
    answering: Sequence[int],
    found: Mapping[tuple[int, int], ConflictKind],
    dimensions: frozenset[str],
) -> Iterator[tuple[int, int, ConflictKind]]:
    """Yield whoever gives the same value as one side, in whatever words, against the other side."""
    for (left, right), kind in found.items():
        for side, other in ((left, right), (right, left)):
            for witness in answering:
                pair = (min(witness, other), max(witness, other))
                if witness in (left, right) or pair in found or facts[witness].sources & facts[other].sources:
                    continue
                if kind is not ConflictKind.SCOPE and answers_alike(question, facts[witness], facts[side], dimensions):
                    yield *pair, kind


def is_about(asked: Wanted, fact: Fact) -> bool:
    """Tell whether a fact is of the subject asked about."""
    if asked.designations:
        return bool(asked.designations & fact.designations)
    return bool(asked.subject) and asked.subject <= {stem(word) for word in (*fact.names, *words(fact.text))}


def _disagreement(
    question: str, left: Fact, right: Fact, dimensions: frozenset[str], meanings: Meanings | None = None
) -> ConflictKind | None:
    stale = aged(left, right)
    if left.sources & right.sources or not _of_one_thing(left, right, strictly=stale is None):
        return None
    thing = numbered_asked(question)
    if thing and (here := numbered(thing, left.text)) and (there := numbered(thing, right.text)):
        return None if here == there else stale or ConflictKind.PLAIN
    if kind := _by_words(question, left, right, stale):
        return kind
    if stale is None:
        same = wanted(question).is_definite and meant_otherwise(question, left, right, dimensions, meanings)
        return (ConflictKind.UNIT if slips(left, right) else ConflictKind.PLAIN) if same else None
    outdated = superseded(question, left, right, dimensions) or meant_otherwise(
        question, left, right, dimensions, meanings
    )
    return stale if outdated else None


def _by_words(question: str, left: Fact, right: Fact, stale: ConflictKind | None) -> ConflictKind | None:
    # Of sources of one age, a figure of a part, or in other words, may be another figure; of an older one it is what
    # the same figure was once.
    if not other_circumstances(left, right, by_make=stale is None):
        return None
    kind = _compared(question, left, right, strictly=stale is None)
    return stale or kind if kind is ConflictKind.PLAIN else kind


def _of_one_thing(left: Fact, right: Fact, *, strictly: bool) -> bool:
    """Tell whether two facts about what was asked are not of two things: Falke 200, Falke 300; the pump, the valve."""
    if strictly:
        return same_subject(left, right)
    return not heads_apart(left, right) and not designations_apart(left, right)


def _compared(question: str, left: Fact, right: Fact, *, strictly: bool) -> ConflictKind | None:
    """Compare what two facts answer: dates where the question is for a time, else figures, else names.

    Args:
        strictly: figures of things that are counted in other words are not compared (students, boarding students).
    """
    asked = wanted(question)
    if asks_for_time(question):
        return ConflictKind.PLAIN if _different_dates(left, right) else None
    ours, theirs = _figures(question, asked, left), _figures(question, asked, right)
    if not strictly:
        ours, theirs = ours or _counted_as(theirs, left), theirs or _counted_as(ours, right)
    if left.versions and right.versions and not left.versions & right.versions:
        return None
    if len(ours) == len(theirs) == 1:
        mine, yours = fitting(ours[0].concepts, ours[0]), fitting(theirs[0].concepts, theirs[0])
        if mine and yours and not mine & yours:
            return None  # How long and wide is it: two properties in one question.
        if _measured_apart(ours[0], theirs[0], _counted(asked), strictly=strictly):
            return None
        one, other = ours[0].figure, theirs[0].figure
        if one.value == other.value and one.unit != other.unit and "plain" not in (one.dimension, other.dimension):
            return ConflictKind.UNIT
        if not strictly:
            ours, theirs = [_at_its_bound(ours[0])], [_at_its_bound(theirs[0])]
        return None if agree(ours[0], theirs[0]) else ConflictKind.PLAIN
    if ours or theirs or not name_asked(question):
        return None
    if left.years or right.years or (strictly and _kinds_apart(left, right)):
        return None  # One after the other, or the one for this and the other for that.
    name, rival = name_given(question, asked, left), name_given(question, asked, right)
    return ConflictKind.PLAIN if names_apart(name, rival) else None


_PEOPLE = frozenset(concept(stem(word)) for word in ("people", "persons", "men", "women"))
_PERSONS = _PEOPLE | {
    concept(stem(word))
    for word in ("inhabitants", "visitors", "students", "members", "passengers", "users", "customers")
}


def _counted(asked: Wanted) -> frozenset[str]:
    """Return the things that a question counts; whoever counts inhabitants or members counts people."""
    return asked.attributes | (_PEOPLE if asked.attributes & _PERSONS else frozenset())


def _measured_apart(left: Value, right: Value, counted: Set[str], *, strictly: bool) -> bool:
    """Tell whether two figures are of different kinds by their own words: per day, navigable, boarding students.

    Args:
        counted: the things that the question counts, under any name.
    """
    return (
        left.per != right.per
        or left.predicate != right.predicate
        or (strictly and left.noun == right.noun and left.modifiers != right.modifiers)
        or (
            strictly
            and not near_in_size(left, right)
            and not fitting(left.concepts, left) & fitting(right.concepts, right)
        )
        or left.figure.dimension != right.figure.dimension
        or (left.figure.dimension == "count" and not comparable(left, right) and not {left.noun, right.noun} <= counted)
    )


def _at_its_bound(value: Value) -> Value:
    """Return a limit as the figure that it gives: who asks how much fits or is needed is answered by the limit."""
    return replace(value, low=value.figure.base, high=value.figure.base, bound="") if value.bound else value


def _counted_as(others: Sequence[Value], fact: Fact) -> list[Value]:
    """Return the figures of a fact that count what an answer counts, in words that the question does not have.

    *The crew of the Zorba is 14 sailors* tells that *the Zorba sails with 9 sailors* says how large the crew is.
    """
    nouns = {value.noun for value in others if value.figure.dimension == "count"} - {""}
    return [value for value in fact.values if value.noun in nouns and not value.condition]


def _kinds_apart(left: Fact, right: Fact) -> bool:
    """Tell whether both say what somebody did, and not the same (designed by, built by)."""
    ours, theirs = ({relation.kind for relation in fact.relations} for fact in (left, right))
    return bool(ours and theirs) and not ours & theirs


def _different_dates(left: Fact, right: Fact) -> bool:
    if len(left.events) != 1 or len(right.events) != 1:
        return False
    ours, theirs = left.events[0], right.events[0]
    shared = bool(ours.events & theirs.events)
    if any(each.loose and not (each.since and shared) for each in (ours, theirs)) or (
        ours.events != theirs.events and not ours.events & theirs.events
    ):
        return False
    return not ours.iso.startswith(theirs.iso) and not theirs.iso.startswith(ours.iso)


def _figures(question: str, asked: Wanted, fact: Fact) -> list[Value]:
    """Return the figures of a fact that may answer: of a wanted dimension, or of the thing that is asked for (port)."""
    thing = thing_asked(question) or collective_asked(question)
    named = thing is not None and thing in fact.stems
    found = []
    for value in fact.values:
        dimension = value.figure.dimension
        wanted_here = (
            (dimension in asked.dimensions and dimension != "count")
            or (dimension in CURRENCIES and "money" in asked.dimensions)
            or (dimension == "count" and "count" in asked.dimensions and value.noun in _counted(asked))
            or (dimension in ("count", "plain") and named)
        )
        other = fitting(value.concepts, value)
        if wanted_here and not value.condition and (not other or not asked.attributes or other & asked.attributes):
            found.append(value)
    return found
