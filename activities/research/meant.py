"""Meant: whether sources of different age answer one question with different values, in words that no lexicon has.

Two conditions: each statement gives one value of the kind that is asked for, and both are about the property that is
asked for, as far as their meaning tells (`meanings.py`). What `superseded.py` sees by words needs none of this.
"""

import re

from activities.research.alignment import aged, comparable, contrasted, designations_apart, near_in_size, same_per
from activities.research.meanings import ALIKE_MIN, Meanings, alike_to_answer
from activities.research.phrased import as_question
from activities.research.quantities import dates
from activities.research.questions import asks_for_name, asks_for_time
from activities.research.statements import EMPTY, Fact
from activities.research.strangers import thing_named
from activities.research.superseded import (
    APART_YEARS_MIN,
    circumstances_apart,
    figures_answering,
    figures_apart,
    name_asked,
    names_apart,
    only_dated,
    only_name,
)
from activities.research.text import display, stem, words
from activities.research.values import agree
from activities.research.wanted import wanted


def meant_otherwise(
    question: str, left: Fact, right: Fact, dimensions: frozenset[str], meanings: Meanings | None
) -> bool:
    """Tell whether two facts of one subject mean the property asked for, and differ in it.

    Args:
        dimensions: of the figures that answer it (see `superseded.dimensions_asked`).
        meanings: compares meanings; None: nothing is told.
    """
    if meanings is None or circumstances_apart(left, right) or not _values_differ(question, left, right, dimensions):
        return False
    near = (alike_to_answer(meanings, question, *pair) for pair in ((left, right), (right, left)))
    return all(each is not None and each >= ALIKE_MIN for each in near)


def answered_anew(question: str, newer: Fact, older: Fact, meanings: Meanings | None) -> bool:
    """Tell whether a newer statement is about the property that an older one answers with, and says something else.

    Of statements about another property of the same thing, one in twelve looks like that. Where a question names no
    one thing (how does X work), both must give a figure, a year or a name.
    """
    if meanings is None or newer.sources & older.sources or designations_apart(newer, older):
        return False
    if contrasted(newer, older) or (newer.values and older.values and newer.years and older.years):
        return False
    if not _nothing_in_common(question, newer, older, by_words=bool(thing_named(question))):
        return False
    near = alike_to_answer(meanings, question, older, newer)
    return near is not None and near >= ALIKE_MIN


def _nothing_in_common(question: str, left: Fact, right: Fact, *, by_words: bool) -> bool:
    """Tell whether two statements give no figure in common; nor, where neither has any, a year or a name.

    Args:
        by_words: where neither names anything, that no word is in common will do.
    """
    mine, yours = ([value for value in fact.values if not value.condition] for fact in (left, right))
    if mine or yours:
        pairs = [(one, other) for one in mine for other in yours if one.figure.dimension == other.figure.dimension]
        return bool(pairs) and not any(agree(one, other) for one, other in pairs)
    years, rivals = ({date.iso[:4] for date in dates(display(fact.text))} for fact in (left, right))
    if years or rivals:
        return bool(years and rivals) and not years & rivals
    asked = {stem(word) for word in words(question)} | wanted(question).subject
    named, called = (fact.names & frozenset(words(fact.text)) for fact in (left, right))
    ours, theirs = (frozenset(map(stem, each)) - asked for each in (named, called))
    if by_words and not (ours and theirs):
        ours, theirs = (fact.stems - asked - EMPTY for fact in (left, right))
    return bool(ours and theirs) and not ours & theirs


def _values_differ(question: str, left: Fact, right: Fact, dimensions: frozenset[str]) -> bool:
    """Tell whether each gives one value of the kind that is asked for, and not the same."""
    if asks_for_time(question):
        ours, theirs = only_dated(left), only_dated(right)
        return (
            ours is not None and theirs is not None and abs(int(ours.iso[:4]) - int(theirs.iso[:4])) > APART_YEARS_MIN
        )
    asked = wanted(question)
    if name_asked(question) or not dimensions:
        name, rival = only_name(question, asked, left), only_name(question, asked, right)
        return names_apart(name, rival) or (not (name and rival) and _kinds_differ(question, left, right))
    mine, yours = figures_answering(asked, left, dimensions), figures_answering(asked, right, dimensions)
    if not mine and not yours:
        return _kinds_differ(question, left, right)
    if len(mine) != 1 or len(yours) != 1:
        return False
    one, other = mine[0], yours[0]
    if one.figure.dimension != other.figure.dimension or not same_per(one, other) or not figures_apart(one, other):
        return False
    return aged(left, right) is not None or (near_in_size(one, other) and comparable(one, other))


_FOR_KIND = re.compile(
    r"(?:(?:at|by|for|from|in|of|on|to|with) )?(?:what|which) (?:(?:kind|sort|type) of )?"
    r"(?!(?:is|are|was|were|do|does|did|should|can|could|must|will|would|has|have|had)\b)"
    r"[a-z]*(?:[a-rt-z]|ss|us)\b",
    re.IGNORECASE,
)
"""One kind is asked for (which material); of several (which products) two sources may name different ones."""


def _kinds_differ(question: str, left: Fact, right: Fact) -> bool:
    """Tell whether a kind of thing is asked for (which material), and an older and a newer source name none alike.

    Such values are common words (brass, aluminium): what two answers say besides the question's words is compared.
    """
    if aged(left, right) is None or left.values or right.values:
        return False
    if asks_for_name(question) or not _FOR_KIND.match(as_question(question)):
        return False
    asked = {stem(word) for word in words(question)} | wanted(question).subject
    ours, theirs = (fact.stems - asked - EMPTY for fact in (left, right))
    return bool(ours and theirs) and not ours & theirs
