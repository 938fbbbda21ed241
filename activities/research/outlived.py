"""Outlived: what is not to be stated as if it held today, because of the age of its source. Pure.

What an older source says where a newer one answers the same question about as well, or is of the same property by its
meaning (`meant.py`): neither is certain (`superseded.py` says where it is), so the report names it as an older
source's. What an old source says besides, unasked, is left out; an answer that only old sources give is
stated, with a recommendation. Decisions 0026 and 0032.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from activities.research.about import of_one, stripped
from activities.research.alignment import OF_ONE_SIZE, TELLING, designations_apart, near_in_size, stated_at
from activities.research.asked import is_about
from activities.research.dating import NEWER_BY, OLD_AFTER
from activities.research.meanings import Meanings, alike_to_answer
from activities.research.meant import answered_anew
from activities.research.numbering import numbered_apart
from activities.research.questions import (
    asks_for_one_thing,
    asks_for_the_last,
    asks_for_time,
    single_questions,
)
from activities.research.relations import relations_asked
from activities.research.statements import Fact, facts_of
from activities.research.strangers import names_in
from activities.research.superseded import (
    answers_alike,
    asks_for_place,
    bare_numbers_apart,
    circumstances_apart,
    dimensions_asked,
    figures_apart,
    names_apart,
    only_dated,
    only_name,
    says_where,
    says_who,
    told_apart,
)
from activities.research.text import stem, words
from activities.research.values import Value
from activities.research.wanted import VALUE_ONLY, Wanted, wanted
from schema.contracts.research import Brief, Claim, Finding, Subtask

DIFFERS_MIN, DIFFERING_MAX = 0.5, 3
"""So much of the best answer's relevance another value has, where it is worth a word; how many of them are told."""
ABOUT_AS_WELL = 0.1
"""So much better may the older statement answer by its words: the wording of a question is one of several."""


FAR_LESS_NEAR = 0.2
"""So much less near to a question than another statement is one that speaks of something else."""

PERHAPS_ALIKE_MIN = 0.3
"""Answers that are less near than this in what they speak of are of two properties; one in five of those about another
property is nearer, so that what differs is told as *if both mean the same* only."""

CHANGED = Decimal(3)
"""A figure that has changed with the years is seldom more than so many times what it was; another property's may be."""


@dataclass(frozen=True)
class Outlived:
    """A finding of an older source, and when it and the newer one were stated."""

    finding: Finding
    stated: datetime
    newer: datetime
    newer_finding: Finding
    may_differ: bool = False
    """Only the kind of value tells that the newer one may have taken its place (`unconfirmed.py`)."""


def outlived(
    subtasks: Iterable[Subtask],
    findings: Sequence[Finding],
    claims: Mapping[str, Claim],
    meanings: Meanings | None = None,
    others: Sequence[Finding] = (),
) -> tuple[Outlived, ...]:
    """Return what older sources say in answer to definite questions that newer sources answer otherwise.

    Args:
        findings: those that the report may state, best first.
        meanings: compares meanings; None: words alone decide.
        others: those that it may tell of as one side of a disagreement only.
    """
    facts, known = ([fact for finding in each for fact in facts_of(finding, claims)] for each in (findings, others))
    found: dict[str, Outlived] = {}
    for subtask in subtasks:
        for question in single_questions(subtask.question):
            asked = _asked(question)
            about = [fact for fact in facts if is_about(asked, fact)]
            own = [fact for fact in about if fact.finding.subtask_number == subtask.number]
            newer = [*own, *(fact for fact in known if is_about(asked, fact))]
            for each in _outlived(question, asked, own, newer, about, meanings):
                found.setdefault(each.finding.id, each)
    return tuple(found.values())


def differing(
    subtasks: Iterable[Subtask],
    findings: Sequence[Finding],
    claims: Mapping[str, Claim],
    meanings: Meanings | None = None,
) -> tuple[tuple[Finding, ...], ...]:
    """Return what sources of about one age give as different values in answer to one definite question, best first.

    Args:
        findings: those that the report may state, best first.
        meanings: compares meanings; None: words alone decide.
    """
    facts = [fact for finding in findings for fact in facts_of(finding, claims)]
    found: dict[tuple[str, ...], tuple[Finding, ...]] = {}
    for subtask in subtasks:
        for question in single_questions(subtask.question):
            asked = wanted(question)
            own = [fact for fact in facts if fact.finding.subtask_number == subtask.number and is_about(asked, fact)]
            if not asked.is_definite or len(own) < 2:
                continue
            dimensions = dimensions_asked(question, own)
            best = max(own, key=_answers)
            others = [
                fact
                for fact in own
                if not (_is_older(best, fact) or _is_older(fact, best))
                and (fact.values or _names_it(asked, fact, best))
                and _answers(fact) >= DIFFERS_MIN * _answers(best)
                and not told_apart(asked, best, fact)
                and _other_value(question, asked, best, fact, dimensions)
                and _of_one_size(best, fact, dimensions)
                and _may_be_alike(meanings, question, best, fact)
            ]
            sides = tuple({each.finding.id: each.finding for each in (best, *others)}.values())
            if len(sides) > 1:
                found.setdefault(tuple(each.id for each in sides), sides[:DIFFERING_MAX])
    return tuple(found.values())


def asides(
    brief: Brief,
    subtasks: Iterable[Subtask],
    findings: Sequence[Finding],
    claims: Mapping[str, Claim],
    meanings: Meanings | None = None,
) -> frozenset[str]:
    """Return the ids of what old sources say beside the point of a question for one thing that others answer better.

    Whether it still holds cannot be told, since nothing newer was read about it, and nobody asked.

    Args:
        findings: those that the report may state.
    """
    today = brief.asked_at
    if today is None:
        return frozenset()
    facts = [fact for finding in findings for fact in facts_of(finding, claims)]
    beside: set[str] = set()
    for subtask in subtasks:
        questions = single_questions(subtask.question)
        own = [fact for fact in facts if fact.finding.subtask_number == subtask.number]
        for fact in own:
            at = stated_at(fact)
            asking = [question for question in questions if (asked := of_one(question)) and is_about(asked, fact)]
            if at is None or today - at < OLD_AFTER or not asking:
                continue
            known = [other for other in facts if stated_at(other) is None or _is_older(fact, other)]
            others = [other for other in known if other.finding.subtask_number == subtask.number]
            if all(
                _is_beside(question, fact, others) or _has_none(question, fact, known, meanings) for question in asking
            ):
                beside.add(fact.finding.id)
    return frozenset(beside)


def old_answer(
    brief: Brief, subtask: Subtask, findings: Iterable[Finding], claims: Mapping[str, Claim]
) -> datetime | None:
    """Return when the newest answer to a definite question was stated, where every answer is dated and old."""
    if brief.asked_at is None:
        return None
    asked = [each for each in map(wanted, single_questions(subtask.question)) if each.is_definite]
    facts = [fact for finding in findings for fact in facts_of(finding, claims)]
    dates = [
        stated_at(fact)
        for fact in facts
        if any(is_about(each, fact) and each.answered_by(fact.text) >= VALUE_ONLY for each in asked)
    ]
    last = max((at for at in dates if at is not None), default=None)
    if last is None or None in dates or brief.asked_at - last < OLD_AFTER:
        return None
    return last


def outlives(question: str, newer: Fact, older: Fact, meanings: Meanings | None = None) -> bool:
    """Tell whether a fact of at least two years later may have taken the place of an older answer to one question.

    Args:
        meanings: compares meanings; None: words alone decide.
    """
    asked = _asked(question)
    if not (is_about(asked, newer) and is_about(asked, older)):
        return False
    dimensions = dimensions_asked(question, [newer, older])
    return _is_older(older, newer, by=OLD_AFTER) and _outlives(question, asked, newer, older, dimensions, meanings)


def _asked(question: str) -> Wanted:
    """Read a question; key words that begin with a single name are about that."""
    return replace(wanted(question), subject=names_in(question))


def _is_beside(question: str, fact: Fact, others: Iterable[Fact]) -> bool:
    """Tell whether a fact is no answer to a question for one thing, or a far worse one than another fact."""
    asked = of_one(question) or wanted(question)
    best = max((_answers(other) for other in others if is_about(asked, other)), default=0.0)
    found = asked.answered_by(fact.text)
    if says_where(fact) and not asks_for_place(question):
        found = 0.0
    if found >= VALUE_ONLY:
        return best > _answers(fact) + ABOUT_AS_WELL
    return best > _answers(fact) or (asked.is_definite and not found and best == _answers(fact))


def _has_none(question: str, fact: Fact, others: Iterable[Fact], meanings: Meanings | None) -> bool:
    """Tell whether a fact gives nothing of the kind that is asked for, and one that does is far nearer in meaning."""
    asked = of_one(question) or wanted(question)
    if asked.answered_by(fact.text):
        return False
    valued = [each for each in others if is_about(asked, each) and asked.answered_by(each.text) >= VALUE_ONLY]
    if not valued or meanings is None:
        return False
    near = meanings.alike(stripped(question, asked), [stripped(each.text, asked) for each in (fact, *valued)])
    return near is not None and near[0] + FAR_LESS_NEAR < max(near[1:])


def _outlived(
    question: str,
    asked: Wanted,
    own: Sequence[Fact],
    others: Sequence[Fact],
    about: Sequence[Fact],
    meanings: Meanings | None,
) -> Iterator[Outlived]:
    """Yield the older ones of `own`; whatever is known `about` the subject can show that they still hold.

    Args:
        others: those that may have taken their place.
    """
    dimensions = dimensions_asked(question, own)
    for older in own:
        stated = stated_at(older)
        newer = next((fact for fact in others if _outlives(question, asked, fact, older, dimensions, meanings)), None)
        at = stated_at(newer) if newer is not None else None
        if (
            stated is None
            or newer is None
            or at is None
            or any(
                fact is not older and not _is_older(fact, newer) and answers_alike(question, older, fact, dimensions)
                for fact in about
            )
        ):
            continue
        yield Outlived(older.finding, stated, at, newer.finding)


def _is_older(fact: Fact, other: Fact, *, by: timedelta = NEWER_BY) -> bool:
    mine, yours = stated_at(fact), stated_at(other)
    return mine is not None and yours is not None and yours - mine >= by


def _outlives(
    question: str,
    asked: Wanted,
    newer: Fact,
    older: Fact,
    dimensions: frozenset[str],
    meanings: Meanings | None,
) -> bool:
    """Tell whether the newer fact gives another value of the same kind, about as near to the question.

    By how much words answer is told with words that are known: what has stood for years is outlived by a newer answer
    in words that nobody knows, too, if it may be to the same question; its meaning tells that better than its words.
    """
    if _is_older(older, newer, by=OLD_AFTER) and answered_anew(question, newer, older, meanings):
        return True
    if not (asked.is_definite or (asked.subject and asks_for_one_thing(question))):
        return False
    if not _is_older(older, newer) or not _other_value(question, asked, newer, older, dimensions):
        return False
    if _answers(newer) >= _answers(older) - ABOUT_AS_WELL:
        return True
    if not _is_older(older, newer, by=OLD_AFTER):
        return False
    near = _alike(meanings, question, older, newer)
    if near is not None and near >= PERHAPS_ALIKE_MIN:
        return True
    return not _of_different_things(question, asked, newer, older)


def _may_be_alike(meanings: Meanings | None, question: str, best: Fact, fact: Fact) -> bool:
    near = _alike(meanings, question, best, fact)
    return near is None or near >= PERHAPS_ALIKE_MIN


def _alike(meanings: Meanings | None, question: str, answer: Fact, other: Fact) -> float | None:
    return alike_to_answer(meanings, question, answer, other) if meanings is not None else None


def _of_different_things(question: str, asked: Wanted, newer: Fact, older: Fact) -> bool:
    """Tell whether known words say that only the older fact is of the property that was asked for."""
    in_time = asks_for_time(question) or "date" in asked.dimensions
    if in_time and (newer.events or older.events or not newer.values) and not asks_for_the_last(question):
        return True  # When something happened does not change with the years, but for the last time it did.
    if newer.values and older.values:
        in_known_words = asked.answered_by(older.text) == 1.0 > asked.answered_by(newer.text)
        if in_known_words and not _of_one_size(
            newer, older, dimensions_asked(question, [newer, older]), within=CHANGED
        ):
            return True
        return told_apart(asked, newer, older)
    kinds, others = ({relation.kind for relation in fact.relations} for fact in (newer, older))
    wished = relations_asked(question)
    return bool(others & wished) and not kinds & wished


def _other_value(question: str, asked: Wanted, left: Fact, right: Fact, dimensions: frozenset[str]) -> bool:
    """Tell whether two facts of different sources give different values of one kind."""
    if left.sources & right.sources or designations_apart(left, right) or circumstances_apart(left, right):
        return False
    if asks_for_time(question) or "date" in asked.dimensions:
        ours, theirs = only_dated(left), only_dated(right)
        if ours is not None and theirs is not None:
            return ours.iso[:4] != theirs.iso[:4]
    if numbered_apart(left.text, right.text):
        return True
    if (mine := _figures(left, dimensions)) and (yours := _figures(right, dimensions)):
        return len(mine) == len(yours) == 1 and _of_a_kind(mine[0], yours[0]) and figures_apart(mine[0], yours[0])
    if bare_numbers_apart(question, left, right):
        return True
    made, remade = _related(question, asked, left), _related(question, asked, right)
    if names_apart(made, remade) and made.isdisjoint(words(right.text)) and remade.isdisjoint(words(left.text)):
        return True
    # Whether a place or somebody was asked for, two sentences of one kind may tell the other (where should I order X).
    named, rivals = (
        [only_name(question, asked, fact, placed=placed) for placed in (True, False)] for fact in (left, right)
    )
    if any(map(names_apart, named, rivals)):
        return True
    # A place stands before its verb, too (X houses the office).
    return asks_for_place(question) and names_apart(_sole(named, left), _sole(rivals, right))


def _related(question: str, asked: Wanted, fact: Fact) -> frozenset[str]:
    """Return the one name besides the subject that stands in the relation that is asked for (who makes X)."""
    wished = relations_asked(question)
    found = {
        relation.value
        for relation in fact.relations
        if relation.kind in wished and not frozenset(map(stem, relation.value)) <= asked.subject
    }
    return next(iter(found)) if len(found) == 1 else frozenset()


def _sole(given: Sequence[frozenset[str]], fact: Fact) -> frozenset[str]:
    """Return the one name of a sentence, wherever it stands in it; nothing where there are several, or a doer's."""
    held = [name for name in given if name]
    return held[0] if len(held) == 1 and not says_who(fact) else frozenset()


def _names_it(asked: Wanted, *facts: Fact) -> bool:
    """Tell whether the sentences themselves name what is asked about: of others, a name may be anybody's."""
    return all(asked.subject <= {stem(word) for word in words(fact.text)} for fact in facts)


def _answers(fact: Fact) -> float:
    return max(claim.relevance for claim in fact.claims)


def _figures(fact: Fact, dimensions: frozenset[str]) -> list[Value]:
    """Return the figures that may answer; else those that nobody asked for, whose dimension says what was measured."""
    found = [value for value in fact.values if value.figure.dimension in dimensions]
    return found or [value for value in fact.values if value.figure.dimension in TELLING]


def _of_one_size(left: Fact, right: Fact, dimensions: frozenset[str], *, within: Decimal = OF_ONE_SIZE) -> bool:
    return all(
        near_in_size(one, other, within=within)
        for one in _figures(left, dimensions)
        for other in _figures(right, dimensions)
    )


def _of_a_kind(left: Value, right: Value) -> bool:
    return left.figure.dimension == right.figure.dimension != "plain" and (
        left.figure.dimension != "count" or left.noun == right.noun
    )
