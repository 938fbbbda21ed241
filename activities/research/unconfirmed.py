"""Unconfirmed: old answers that a newer source on the same thing does not repeat, and may contradict. Pure.

What took the place of an old answer is told by words and by meaning (`superseded.py`, `outlived.py`), and one in ten is
told by neither. A newer source on the very thing that gives a value of the same kind, and does not repeat the old one,
makes that one doubtful: it is no finding any more, but stands beside the newer statement under the disagreements, as
what may be out of date. Where nothing newer on the thing was read, or it is silent on such values, the old answer is
the best there is, and is stated with its date. Decision 0033.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.research.about import is_of, names_it, of_one, stripped
from activities.research.alignment import fitting
from activities.research.dating import NEWER_BY, OLD_AFTER, newest
from activities.research.lexicon import words_of
from activities.research.meanings import ALIKE_MIN, Meanings
from activities.research.outlived import PERHAPS_ALIKE_MIN, Outlived
from activities.research.quantities import Figure, dates, figures
from activities.research.questions import asks_for_the_last, asks_for_time, single_questions
from activities.research.relations import KINDS, relations_asked, relations_of
from activities.research.relevance import runs_of
from activities.research.statements import EMPTY, facts_of, leading_name
from activities.research.superseded import APART_YEARS_MIN
from activities.research.text import STOP_WORDS, display, stem, terms, words
from activities.research.units import unit_of
from activities.research.values import BEGINNINGS, Value, happening, spelled_out, subject_names
from activities.research.wanted import wanted
from schema.contracts.research import Brief, Claim, Finding, Subtask

ORIGINS = frozenset(words_of("origins"))
"""Relations that do not change with the years (who wrote it)."""
ALIKE_LEAST = -0.1
"""Less near than this to the question and to the old answer, a statement is of another property for sure."""


@dataclass(frozen=True)
class _Said:
    """A finding in the words of its best claim, and since when it is known; None: a source of it has no date."""

    finding: Finding
    text: str
    title: str
    sources: frozenset[str]
    stated: datetime | None
    values: tuple[Value, ...] = ()


def unconfirmed(
    brief: Brief,
    subtasks: Iterable[Subtask],
    findings: Sequence[Finding],
    claims: Mapping[str, Claim],
    meanings: Meanings | None = None,
    others: Sequence[Finding] = (),
) -> tuple[Outlived, ...]:
    """Return the old answers to questions for one thing that a newer source on it may contradict, each beside that.

    Args:
        findings: those that the report may state.
        meanings: compares meanings; None: the kind of value alone decides.
        others: those that it may tell of as one side of a disagreement only.
    """
    if brief.asked_at is None:
        return ()
    own, known = ([said for each in group if (said := _said(each, claims))] for group in (findings, others))
    found: dict[str, Outlived] = {}
    for subtask in subtasks:
        for question in single_questions(subtask.question):
            if asked := of_one(question):
                about = [said for said in (*own, *known) if is_of(asked, said.text, said.title)]
                mine = [said for said in about if said in own and said.finding.subtask_number == subtask.number]
                for each in _doubtful(question, mine, about, brief.asked_at, meanings):
                    found.setdefault(each.finding.id, each)
    return tuple(found.values())


def _said(finding: Finding, claims: Mapping[str, Claim]) -> _Said | None:
    backing = [claims[each] for each in finding.claim_ids if each in claims]
    if not backing:
        return None
    best = backing[0]
    sources = frozenset(each.source.snapshot_sha256 for each in backing)
    values = tuple(value for fact in facts_of(finding, claims) for value in fact.values)
    return _Said(finding, best.text, best.source.title, sources, newest([each.source for each in backing]), values)


def _doubtful(
    question: str, own: Sequence[_Said], about: Sequence[_Said], today: datetime, meanings: Meanings | None
) -> Iterator[Outlived]:
    for old in own:
        stated = old.stated
        if stated is None or today - stated < OLD_AFTER:
            continue
        others = [each for each in about if not each.sources & old.sources]
        later = [each for each in others if each.stated is None or each.stated - stated >= NEWER_BY]
        if any(_repeats(question, old.text, each.text) for each in later):
            continue
        newer = [each for each in later if each.stated is not None and each.stated - stated >= OLD_AFTER]
        rivals = [(near, each) for each in newer if (near := _rivalry(question, old, each, meanings)) is not None]
        if rivals:
            _, rival = max(rivals, key=lambda rival: (rival[0], rival[1].finding.id))
            assert rival.stated is not None
            yield Outlived(old.finding, stated, rival.stated, rival.finding, may_differ=True)


def _rivalry(question: str, old: _Said, new: _Said, meanings: Meanings | None) -> float | None:
    """Return how near a newer statement is to an old answer that it may replace; None where it does not.

    What its words give to another property, or what does not change with the years, it replaces only where it is as
    near as statements about one property are.
    """
    if not _is_of_kind(question, old, new):
        return None
    if not wanted(question).dimensions and _counts_the_same(old.text, new.text):
        return 1.0  # Nobody asked for a number: what is counted is the same, and has another one now.
    both, alone = _nearness(question, old, new, meanings)
    if asks_for_time(question) and not _years(old.text):  # It says something else, or a time of the day.
        return alone if alone >= PERHAPS_ALIKE_MIN else None
    least = ALIKE_MIN if _lasts(question, old, new) else ALIKE_LEAST
    near = max(both, alone) if alone >= ALIKE_MIN else both
    return near if near >= least else None


def _nearness(question: str, old: _Said, new: _Said, meanings: Meanings | None) -> tuple[float, float]:
    """Return how near a newer statement is to the question and the old answer together, and to the answer alone.

    0 where there is nothing that compares: the kind of value decides.
    """
    asked = of_one(question) or wanted(question)
    found = meanings and meanings.alike(
        stripped(new.text, asked), [stripped(question, asked), stripped(old.text, asked)]
    )
    return (sum(found) / len(found), found[1]) if found else (0.0, 0.0)


def _counts_the_same(old: str, new: str) -> bool:
    """Tell whether the two give different numbers of one thing that is counted (51 clauses, all 63 clauses)."""
    ours, theirs = (_COUNTED.findall(spelled_out(display(text)).lower()) for text in (old, new))
    if len(ours) != 1 or len(theirs) != 1:
        return False
    [(mine, noun)], [(yours, other)] = ours, theirs
    return mine != yours and stem(noun) == stem(other) and noun not in STOP_WORDS and not unit_of(noun)


_COUNTED = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})*|\d+) ([a-z]{3,})\b")


def _repeats(question: str, old: str, new: str) -> bool:
    """Tell whether a later statement has the old one's value: its figure, else year, else name, else words."""
    mine, theirs = _figures(old), _figures(new)
    if mine:
        return any(one.dimension == other.dimension and one.base == other.base for one in mine for other in theirs)
    if years := _years(old):
        return bool(years & _years(new))
    asked = _asked_words(question)
    if named := _names(old, asked):
        called = [*_names(new, asked), *_names(new, asked, surely=True)]
        here = {stem(word) for word in words(display(new))}
        return any(one <= here or any(other <= one for other in called) for one in named)
    said = set(terms(display(old))) - asked - EMPTY
    return 2 * len(said & set(terms(display(new)))) >= len(said)


def _is_of_kind(question: str, old: _Said, new: _Said) -> bool:
    """Tell whether a newer statement gives a value of the kind of the old one's: a figure, a year, a name, a word."""
    if asks_for_time(question) and _years(old.text):
        return _may_redate(question, old, new)
    if mine := _figures(old.text):
        return bool({each.dimension for each in mine} & {each.dimension for each in _figures(new.text)})
    if _figures(new.text):
        return False
    years, others = _years(old.text), _years(new.text)
    if years or others:
        return bool(years and others - years)
    told = _asked_words(question)
    if _names(old.text, told, surely=True):
        return bool(_names(new.text, told))
    if _names(new.text, told, surely=True) and not _names(old.text, told):
        return False
    # Of what has no value, much that stands under a thing's name is beside the point.
    return all(names_it(of_one(question) or wanted(question), each.text) for each in (old, new))


def _may_redate(question: str, old: _Said, new: _Said) -> bool:
    """Tell whether another year stands there that may be that of what had happened when the old source told of it."""
    mine, theirs = _years(old.text), _years(new.text) - _years(old.text)
    if not mine or not theirs:
        return False
    if asks_for_the_last(question):
        return True
    before = {year for year in theirs if old.stated is None or int(year) <= old.stated.year}
    happened, asked = happening(display(new.text)), happening(question) | happening(display(old.text))
    if happened <= BEGINNINGS and asked <= BEGINNINGS:
        return any(abs(int(one) - int(other)) > APART_YEARS_MIN for one in mine for other in before)
    return bool(before) and (not happened or not asked or bool(happened & asked))


def _lasts(question: str, old: _Said, new: _Said) -> bool:
    """Tell whether known words say that the newer statement is of something else, or that nothing changes here."""
    if asks_for_time(question):
        return False
    wished, ours, theirs = relations_asked(question), _relations(old.text), _relations(new.text)
    if ours & wished and not theirs & wished and (theirs or ours & wished <= ORIGINS):
        return True
    asked_for = {stem(word) for word in words(question)}
    counted = [{value.noun for value in each.values} - {""} for each in (old, new)]
    if counted[0] & asked_for and counted[1] and not counted[1] & asked_for:
        return True
    pairs = [
        (one, other) for one in old.values for other in new.values if one.figure.dimension == other.figure.dimension
    ]
    known = [(fitting(one.concepts, one), fitting(other.concepts, other)) for one, other in pairs]
    return bool(known) and all(mine and yours and not mine & yours for mine, yours in known)


def _relations(text: str) -> set[str]:
    """Return the kinds of relations that are known; what somebody did in any other word may be one of them."""
    return {relation.kind for relation in relations_of(display(text))} & KINDS


def _figures(text: str) -> list[Figure]:
    return list(figures(spelled_out(display(text))))


def _years(text: str) -> frozenset[str]:
    return frozenset(date.iso[:4] for date in dates(display(text)))


def _names(text: str, asked: frozenset[str], *, surely: bool = False) -> list[frozenset[str]]:
    """Return the names besides those of the question, as stems; `surely`: without the first word of the sentence."""
    shown = display(text)
    if surely:
        shown = shown[:1].lower() + shown[1:]
    named = subject_names(shown) | leading_name(shown)
    found = (frozenset(stem(word) for word in run & named) - asked for run in runs_of(shown))
    return [name for name in found if name]


def _asked_words(question: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(question)) | wanted(question).subject
