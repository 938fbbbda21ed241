"""About: what is said of the thing that a question names, and what of it is of the property asked for. Pure.

Words tell that a statement answers where they are known. Wording that nobody knows is told by its meaning: among all
that is said of one thing, the directions that were fitted for it (`meanings.py`) put the answer among the first few,
whatever kind of value it has. Decision 0033.
"""

from collections.abc import Sequence
from dataclasses import replace

from activities.research.meanings import Meanings, nameless
from activities.research.phrased import asks_for_account
from activities.research.questions import asks_for_one_thing, query_terms
from activities.research.relevance import Statement
from activities.research.rows import MARK
from activities.research.statements import leading_name
from activities.research.strangers import thing_named
from activities.research.text import display, stem, words
from activities.research.values import designated, subject_names
from activities.research.wanted import Wanted, wanted
from schema.contracts.research import Claim

FIRST = 5
"""Of all that is said of one thing, the answer is among so many of the nearest for 0.954 to 0.998 of the questions
(`python -m tests.eval.likeness`)."""
ALIKE_LEAST = -0.2
"""What is less near than this speaks of another property for sure, however little else there is."""
UNNAMED = 0.1
"""So much less counts what only stands under the name of the thing: much there is beside the point."""
IN_PASSING_MAX = 3
"""What is in no title and named fewer times than this is mentioned in passing: nothing that was found is about it."""
WORTH_LEAST, WORTH_ALIKE = 0.3, 0.5
"""What such a statement is worth, and how much more where it is as near as can be: words that answer count for more."""


def asks_of_one(question: str) -> bool:
    """Tell whether a question names something, and one value of it is the answer."""
    asked = wanted(question)
    named = asked.subject or asked.designations
    return bool(named and (asked.is_definite or asks_for_one_thing(question) or thing_named(question)))


def of_one(question: str) -> Wanted | None:
    """Read a question about something named, with all its names; None where it asks for an account (how, why)."""
    asked = wanted(question)
    if not asked.subject and not asked.designations:
        named = frozenset(term.stem for term in query_terms(question) if term.is_name)
        asked = replace(asked, subject=named)
        if not named:
            return None
    return asked if asks_for_one_thing(question) or not asks_for_account(question) else None


def said_of(question: str, pool: Sequence[Statement]) -> tuple[int, ...]:
    """Return the places of the statements about the thing that a question for one value names."""
    if not asks_of_one(question):
        return ()
    asked = wanted(question)
    places = tuple(place for place, each in enumerate(pool) if is_of(asked, each.statement, _above(each)))
    titled = any(names_it(asked, _above(pool[place])) for place in places)
    return places if titled or len(places) >= IN_PASSING_MAX else ()


def meant_by(
    question: str, pool: Sequence[Statement], known: Sequence[Claim], meanings: Meanings | None
) -> dict[int, float]:
    """Return the places of the statements that are nearest to what a question asks of a named thing, and their worth.

    Args:
        known: what was found before; what is nearer among it takes its place among the first.
        meanings: compares meanings; None: nothing is told.
    """
    asked = wanted(question)
    places = said_of(question, pool) if meanings is not None else ()
    if meanings is None or not places:
        return {}
    told = [(pool[place].own or pool[place].statement, pool[place].statement) for place in places]
    told += [(claim.text, claim.text) for claim in known if is_of(asked, claim.text, claim.source.title)]
    found = meanings.alike(stripped(question, asked), [stripped(said, asked) for said, _ in told])
    if found is None:
        return {}
    alike = [near - (0.0 if names_it(asked, shown) else UNNAMED) for near, (_, shown) in zip(found, told, strict=True)]
    distinct = {said: near for near, (said, _) in zip(alike, told, strict=True)}
    floor = max(sorted(distinct.values(), reverse=True)[:FIRST][-1], ALIKE_LEAST)
    return {
        place: round(WORTH_LEAST + WORTH_ALIKE * near, 4)
        for place, near in zip(places, alike, strict=False)
        if near >= floor
    }


def names_it(asked: Wanted, text: str) -> bool:
    """Tell whether a statement itself names the thing."""
    shown = display(text)
    if asked.designations:
        return bool(asked.designations & designated(shown))
    return asked.subject <= {stem(word) for word in words(shown)}


def is_of(asked: Wanted, text: str, above: str) -> bool:
    """Tell whether a statement names what is asked about, or names nothing and stands under its name."""
    shown = display(text)
    if not asked.designations and not asked.subject:
        return False
    if names_it(asked, text):
        return True
    if asked.designations:
        return not designated(shown) and bool(asked.designations & designated(above))
    said = {stem(word) for word in words(f"{shown} {above}")}
    return asked.subject <= said and not (subject_names(shown) | leading_name(shown)) - set(words(above))


def stripped(text: str, asked: Wanted) -> str:
    """Return a statement without the name of its thing; of a row, without what stands above it."""
    said = text.partition(MARK)[2] or text
    return nameless(said, asked.subject)


def _above(statement: Statement) -> str:
    return f"{statement.heading} {statement.source.title}"
