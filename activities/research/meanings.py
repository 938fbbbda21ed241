"""Meanings: how texts are compared where their words do not tell, and how facts are shown for it. Pure.

Two comparisons: how well a text answers a question, and whether two texts speak of one property of a thing. A model
makes both (`activities/embedding/minilm.py`); without one, words decide alone.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from activities.research.statements import Fact
from activities.research.text import WORD, display, stem
from activities.research.wanted import wanted


class Meanings(Protocol):
    """Compares texts, the same pair with the same outcome always; None: it does not know the language."""

    def near(self, question: str, texts: Sequence[str]) -> Sequence[float] | None:
        """Return how near each text's meaning is to the question's, 0..1."""

    def alike(self, text: str, texts: Sequence[str]) -> Sequence[float] | None:
        """Return how near each text is to `text` in which property of a thing it speaks of, -1..1."""


ALIKE_MIN = 0.4
"""Of two statements about one property of a thing, eight to nine in ten are as near as this to each other; of two
about different properties one in eight to ten, of such as have values of one kind one in four."""


def alike(meanings: Meanings, left: Fact, right: Fact) -> float:
    """Return how near two facts of one thing are in which property they speak of, -1..1.

    1 where the language is not known: they may be one.
    """
    named = frozenset(map(stem, left.names & right.names))
    found = meanings.alike(_shown(left, named), [_shown(right, named)])
    return found[0] if found is not None else 1.0


def alike_to_answer(meanings: Meanings, question: str, answer: Fact, other: Fact) -> float | None:
    """Return how near a fact is to a question and to another fact that answers it.

    The mean of two comparisons tells more than either: with 0.4, nine in ten statements about the property that was
    asked for are told from one in twelve about another one.

    Returns:
        -1..1; None where the language is not known.
    """
    subject = wanted(question).subject
    found = meanings.alike(_shown(other, subject), [nameless(question, subject), _shown(answer, subject)])
    return sum(found) / len(found) if found is not None else None


def _shown(fact: Fact, named: frozenset[str]) -> str:
    """Return what a fact says, of a row without what it stands under."""
    said = fact.text.partition(": ")[2] if fact.label else fact.text
    return nameless(said or fact.text, named)


@lru_cache(maxsize=16_384)
def nameless(text: str, named: frozenset[str]) -> str:
    """Take a thing's names and the figures out of a text: they are alike in all that is said of it."""
    shown = display(text)
    shown = WORD.sub(lambda match: "it" if stem(match.group().lower()) in named else match.group(), shown)
    return _FIGURE.sub("9", re.sub(r"\bit(?:\W+it\b)+", "it", shown))


_FIGURE = re.compile(r"\d[\d.,]*")
