"""Superseded: whether an older source gives another value for the very thing that was asked. Pure.

No paraphrase is known here. Of one named thing, for one question, two sources of different age each give one value of
one kind: the older one is what the newer one was once, unless their own words say that it is of another property.
"""

import re
from collections.abc import Iterable, Set
from dataclasses import replace
from decimal import Decimal

from activities.research.alignment import comparable, fitting, heads_apart, opposed, other_circumstances
from activities.research.lexicon import table_of
from activities.research.numbering import numbered, numbered_asked
from activities.research.questions import asks_for_name, asks_for_time
from activities.research.statements import EMPTY, EVENT_STEMS, Fact, leading_name
from activities.research.text import STOP_WORDS, stem, words
from activities.research.units import CURRENCIES
from activities.research.values import BEGINNINGS, Event, Value, agree, concept, happening
from activities.research.wanted import Wanted, meanings, wanted

APART_YEARS_MIN = 5
"""Steps of one coming into being (built, launched, opened) lie within so many years of each other."""
_LOOSE = frozenset({"count", "name", "version", "date"})
"""What *how many*, *who* and the like ask for; not a dimension of a measured figure."""


def dimensions_asked(question: str, facts: Iterable[Fact]) -> frozenset[str]:
    """Return the dimensions of the figures that answer a question: those asked for, else those that answers have.

    Where nothing that is said of the subject has a figure of the dimension that the question's words ask for (how
    large is the crew), the words were taken amiss, and what the sources count or measure decides.
    """
    asked = wanted(question).dimensions - _LOOSE
    asked = (asked - {"money"}) | (CURRENCIES if "money" in asked else frozenset())
    given = {value.figure.dimension for fact in facts for value in fact.values if not value.condition}
    return frozenset(asked & given or given)


def superseded(question: str, left: Fact, right: Fact, dimensions: frozenset[str]) -> bool:
    """Tell whether two facts of one subject and of different age answer `question` with different values.

    Args:
        dimensions: of the figures that answer it (see `dimensions_asked`).
    """
    if asks_for_time(question):
        return _dates_apart(question, left, right)
    asked = wanted(question)
    if circumstances_apart(left, right):
        return False
    if name_asked(question):
        return _names_given_apart(question, asked, left, right)
    thing = numbered_asked(question)
    if thing and (numbered(thing, left.text) is None) != (numbered(thing, right.text) is None):
        return False
    ours, theirs = figures_answering(asked, left, dimensions), figures_answering(asked, right, dimensions)
    found = [(one, other) for one in ours for other in theirs if may_be_one(one, other)]
    return len(found) == 1 and not agree(*map(exact, found[0]))


def answers_alike(question: str, left: Fact, right: Fact, dimensions: frozenset[str]) -> bool:
    """Tell whether two facts of one subject give the very same value as answer to `question`."""
    if asks_for_time(question):
        ours, theirs = only_dated(left), only_dated(right)
        return ours is not None and theirs is not None and ours.iso == theirs.iso
    asked = wanted(question)
    if name_asked(question):
        name, other = (only_name(question, asked, fact) for fact in (left, right))
        return bool(name) and name == other
    thing = numbered_asked(question)
    if thing and (number := numbered(thing, left.text)) is not None:
        return number == numbered(thing, right.text)
    mine, yours = figures_answering(asked, left, dimensions), figures_answering(asked, right, dimensions)
    # The very same number of the very same things is no chance, whatever else the words say (eggs, eggs a year).
    return any(
        one.figure.base == other.figure.base
        and one.figure.dimension == other.figure.dimension
        and (may_be_one(one, other) or one.noun == other.noun != "")
        for one in mine
        for other in yours
    )


def name_asked(question: str) -> bool:
    """Tell whether a name would answer: by its form, or because what it asks for is told by a name (the licence)."""
    dimensions = wanted(question).dimensions
    return asks_for_name(question) or ("name" in dimensions and dimensions <= {"name", "date", "version"})


def bare_numbers_apart(question: str, left: Fact, right: Fact) -> bool:
    """Tell whether the number of a thing is asked for, and two facts give two: one with the thing's name, one bare."""
    thing = numbered_asked(question)
    given = [numbered(thing, fact.text) or _bare_number(fact) for fact in (left, right)] if thing else []
    return len(given) == 2 and None not in given and given[0] != given[1]


def _bare_number(fact: Fact) -> Decimal | None:
    bare = [value.figure.value for value in fact.values if value.figure.dimension == "plain" and not value.noun]
    return bare[0] if len(bare) == 1 else None


def figures_answering(asked: Wanted, fact: Fact, dimensions: frozenset[str]) -> list[Value]:
    """Return the figures of a fact that may answer, unless their own words tell of another property."""
    found = [value for value in fact.values if value.figure.dimension in dimensions and not value.condition]
    return [value for value in found if not _of_another(asked, value)]


def _of_another(asked: Wanted, value: Value) -> bool:
    told, wished = fitting(value.concepts, value), fitting(asked.attributes, value)
    return bool(told and wished) and not told & wished


def told_apart(asked: Wanted, left: Fact, right: Fact) -> bool:
    """Tell whether words tell that two facts are of different properties or circumstances, or have had their say.

    Where both say in known words what they are of, it is for those words to tell whether they disagree.
    """
    if heads_apart(left, right) or other_circumstances(left, right) is None or left.cumulative != right.cumulative:
        return True
    pairs = [
        (one, other) for one in left.values for other in right.values if one.figure.dimension == other.figure.dimension
    ]
    if any(_of_another(asked, one) or _of_another(asked, other) or not may_be_one(one, other) for one, other in pairs):
        return True
    if pairs:
        return bool(left.years or right.years) or all(
            fitting(one.concepts, one) and fitting(other.concepts, other) for one, other in pairs
        )
    return all(fact.relations or fact.stems & EVENT_STEMS for fact in (left, right))


def may_be_one(left: Value, right: Value) -> bool:
    """Tell whether two figures may be of one property of their subject, by their own words."""
    mine, yours = fitting(left.concepts, left), fitting(right.concepts, right)
    if mine and yours and not mine & yours:
        return False
    if left.predicate != right.predicate or (left.noun == right.noun and left.modifiers != right.modifiers):
        return False
    return comparable(left, right)


LOOSELY = Decimal("1.25")
"""Whoever says *over 500* means no more than so many times as much."""


def figures_apart(left: Value, right: Value) -> bool:
    """Tell whether two figures are not the same, in whatever way one of them is hedged (over 500)."""
    one, other = exact(left), exact(right)
    low, high = sorted((abs(one.figure.base), abs(other.figure.base)))
    return not agree(one, other) or high > LOOSELY * low


def exact(value: Value) -> Value:
    """Return a hard limit as the figure that it gives (at least 80 GB must be free)."""
    return replace(value, low=value.figure.base, high=value.figure.base, bound="") if value.bound else value


def _dates_apart(question: str, left: Fact, right: Fact) -> bool:
    """Tell whether both date what was asked for, and not the same.

    Near steps of one coming into being are no quarrel.
    """
    ours, theirs = only_dated(left), only_dated(right)
    if ours is None or theirs is None or ours.iso[:4] == theirs.iso[:4]:
        return False
    if ours.events & theirs.events:
        return True
    asked = happening(question)
    if not all(map(_is_beginning, (ours, theirs))) or not asked <= BEGINNINGS:
        return False
    return abs(int(ours.iso[:4]) - int(theirs.iso[:4])) > APART_YEARS_MIN


_LASTING = frozenset(concept(stem(word)) for word in ("use", "used", "service", "operation", "existence"))


def _is_beginning(event: Event) -> bool:
    """Tell whether something came into being then, or has been in use or service since."""
    if event.events:
        return event.events <= BEGINNINGS
    return event.since and bool(event.concepts & _LASTING)


def only_dated(fact: Fact) -> Event | None:
    """Return the one dated event of a fact; None for none, for several, and where it says that it is about so."""
    if len(fact.events) != 1:
        return None
    event = fact.events[0]
    return None if event.loose and not event.since else event


def names_apart(name: frozenset[str], rival: frozenset[str]) -> bool:
    """Tell whether two names are there, and neither is a part of the other (Anna Berg, Berg)."""
    return bool(name and rival) and not (name <= rival or rival <= name)


def _names_given_apart(question: str, asked: Wanted, left: Fact, right: Fact) -> bool:
    name, rival = name_given(question, asked, left), name_given(question, asked, right)
    return names_apart(name, rival)


_NAME = re.compile(r"[A-Z][\w’'-]*(?: (?:(?:of|de|van|von|der) )?[A-Z][\w-]*)*")
_PLACED = re.compile(
    r"\b(?:in|at|near|on|across|around|throughout|(?:travel|move|go|come|sail|fly)(?:e?s)? to|(?:in|at) is)"
    r"(?: the(?: (?:town|city|village|municipality|port|island|state|region) of)?)? $",
    re.IGNORECASE,
)
"""Also of a row (recorded in: X)."""
_FROM = re.compile(r"\bfrom(?: the)? $", re.IGNORECASE)
"""Whoever or wherever it comes from."""
_PLACES = frozenset(table_of("places"))
"""Relations to a place, as far as they are known (see the lexicon)."""
_LOCAL = frozenset({"seat", "birthplace", "deathplace", "venue"})
_SEAT = re.compile(r"\b(?:head|registered) (?:office|seat)|\bheadquarter", re.IGNORECASE)
_LOCALITY = re.compile(r"\b(?:location|birthplace|based|located|seat|home (?:town|base))\b", re.IGNORECASE)
_WHERE = re.compile(r"\bwhere\b|\b(?:which|what) (?:town|city|country|place|region|street)\b", re.IGNORECASE)


def asks_for_place(question: str) -> bool:
    """Tell whether a place would answer: by its question word, or because it asks for a seat."""
    return bool(_WHERE.search(question) or _SEAT.search(question) or _LOCALITY.search(question))


def says_where(fact: Fact) -> bool:
    """Tell whether a fact gives a seat or another place, and nothing else (the head office is in X)."""
    local = bool(_SEAT.search(fact.text)) or any(relation.kind in _LOCAL for relation in fact.relations)
    return local and all(relation.kind in _LOCAL for relation in fact.relations)


def says_who(fact: Fact) -> bool:
    """Tell whether a name stands in a known relation that is none to a place (led by X)."""
    return any(relation.kind not in _PLACES for relation in fact.relations)


def name_given(question: str, asked: Wanted, fact: Fact) -> frozenset[str]:
    """Return the one name besides the subject that a fact gives where it speaks of what was asked; else nothing.

    A place does not tell who, and only a place tells where.
    """
    property_asked = {stem(word) for word in words(question) if word not in STOP_WORDS} - asked.subject
    if not property_asked & (fact.stems - EMPTY) and not _meant(property_asked) & _meant(fact.stems):
        return frozenset()
    where = asks_for_place(question)
    if says_where(fact) and not where:
        return frozenset()
    given = {relation.value for relation in fact.relations if not where or relation.kind in _PLACES}
    if len(given) == 1:
        return next(iter(given))
    return only_name(question, asked, fact)


def only_name(question: str, asked: Wanted, fact: Fact, *, placed: bool | None = None) -> frozenset[str]:
    """Return the one name besides the subject in a fact.

    Args:
        placed: it stands behind *in*, *at* and the like; by itself so where the question is for a place.
    """
    wished = asks_for_place(question) if placed is None else placed
    if says_where(fact) and not asks_for_place(question):
        return frozenset()  # The head office says nothing of the head.
    found = []
    for match in _NAME.finditer(fact.text):
        held = frozenset(words(match.group())) & fact.names
        if not held or {stem(word) for word in held} & asked.subject:
            continue
        if match.start() == 0 and " " not in match.group() and not held & leading_name(fact.text):
            continue  # A capital at the beginning of a sentence makes no name (Parts made of X).
        before = fact.text[: match.start()]
        if before.endswith("(") and match.group().isupper():
            continue  # Ultimate tensile strength (UTS).
        if bool(_PLACED.search(before)) == wished or _FROM.search(before):
            found.append(held)
    return found[0] if len(found) == 1 else frozenset()


def _meant(stems: Set[str]) -> frozenset[int]:
    return frozenset[int]().union(*(meanings(each) for each in stems))


def circumstances_apart(left: Fact, right: Fact) -> bool:
    """Tell whether two facts name opposite circumstances (in summer, in winter), or say themselves of which year.

    That something holds *when it runs* is no circumstance: nothing is said of when it does not.
    """
    if opposed(left, right):
        return True
    return bool(left.values and right.values and left.years and right.years and not left.years & right.years)
