"""Nearness: what a statement is worth for a question: by its words, its meaning and the passage it stands in. Pure.

Words find who says it as the question does; a model of meanings finds who says it otherwise, among statements that are
shown with what they stand under. A question for one property of something named is left to the words: there a value
answers, and what is merely near in meaning speaks of something else.
"""

from collections.abc import Iterable, Sequence

from activities.documents.passages import embedded_text
from activities.research.dating import NEWER_BY, newest
from activities.research.meanings import Meanings
from activities.research.relevance import Statement, elsewhere, relevance
from activities.research.text import STOP_WORDS, display, stem, words
from activities.research.values import designated
from activities.research.wanted import VALUE_ONLY, wanted
from schema.contracts.research import Passage, SourceRef

WORDS_SHARE, MEANING_SHARE, PASSAGE_SHARE = 0.4, 0.27, 0.33
"""Chosen on the 144 questions about real documentation that were looked at (`tests/eval/data/questions.toml`)."""
ABOUT_MIN, WORDS_MIN = 0.36, 0.45
"""Below both, a statement is about something else, however good its passage: the mean of its words' and its meaning's
part, and its words' part alone. Of questions that nothing answers, one in twenty has a statement above the first."""
PASSAGE_MIN, PASSAGE_FAR = 0.6, 0.35
"""A passage answers above the first, none does below the second. Of 385 questions that the documentation answers, the
nearest passage is above the first for nine in ten, of 82 that it does not for one in twenty; above the second for all
and for two in five."""
PASSAGE_OF_IT = 0.4
"""A passage of a page that is certainly about what is asked about answers above this, where nothing else does."""
PASSAGE_BELOW_BEST, PASSAGES_MAX = 0.1, 3
"""How much less near than the nearest one another passage may be, and how many answer."""
ANSWER_BELOW_BEST = 0.15
"""How much less relevant than the best source the source of a value may be, for it to be the answer."""
COMPARED_MAX = 96
"""Statements whose meanings are compared in one call: a model takes milliseconds for each."""


def worth(question: str, pool: Sequence[Statement], meanings: Meanings | None) -> list[float]:
    """Return what each statement is worth as an answer to `question`, 0..1.

    Args:
        meanings: compares meanings; None: words alone decide.
    """
    weights = relevance(question, pool)
    if meanings is None or not pool or wanted(question).is_definite:
        return weights
    mixed = [
        WORDS_SHARE * weight + PASSAGE_SHARE * statement.source.score.relevance
        for weight, statement in zip(weights, pool, strict=True)
    ]
    compared = sorted(range(len(pool)), key=lambda number: (-mixed[number], number))[:COMPARED_MAX]
    near = meanings.near(question, [in_context(pool[number]) for number in compared])
    if near is None:
        return weights
    away = elsewhere(question, pool)
    worths = [0.0] * len(pool)
    for number, value in zip(compared, near, strict=True):
        is_about = pool[number].source.snapshot_sha256 not in away
        if weights[number] >= WORDS_MIN or (is_about and (weights[number] + value) / 2 >= ABOUT_MIN):
            worths[number] = round(mixed[number] + MEANING_SHARE * value, 4)
    return worths


def open_to(question: str, said: Iterable[tuple[str, SourceRef]], passages: Sequence[Passage]) -> frozenset[str]:
    """Return the snapshots whose nearest passage may answer a question beside what is `said` already.

    All of them, but for a question for one property of something named that has its value: then those that are newer
    than every source of a value, since they may give another one in words that nobody knows. A value in a source that
    is far less relevant than the best one is none.
    """
    asked = wanted(question)
    best = max((passage.source.score.relevance for passage in passages), default=0.0)
    answers = [
        source
        for text, source in said
        if asked.is_definite
        and asked.answered_by(display(text)) >= VALUE_ONLY
        and source.score.relevance >= best - ANSWER_BELOW_BEST
    ]
    since = newest(answers)
    return frozenset(
        passage.source.snapshot_sha256
        for passage in passages
        if not answers or (since and (at := newest([passage.source])) and at - since >= NEWER_BY)
    )


def passages_near(question: str, passages: Sequence[Passage], meanings: Meanings | None) -> Sequence[float] | None:
    """Return how near the meaning of each passage is to the question's, 0..1; None where that cannot be told."""
    if meanings is None or not passages:
        return None
    return meanings.near(question, [embedded_text(passage.heading, passage.text) for passage in passages])


def is_far(question: str, near: Sequence[float] | None, *, is_unheard_of: bool = False) -> bool:
    """Tell whether no passage means what a question asks: what is alike in them is words.

    Args:
        is_unheard_of: none names what the question names (`strangers.py`), and only one that answers all the same may
            speak of it in another word.
    """
    if near is None:
        return False
    if is_unheard_of:
        return max(near) < PASSAGE_MIN
    return max(near) < PASSAGE_FAR and not wanted(question).is_definite


def nearest(
    question: str,
    pool: Sequence[Statement],
    passages: Sequence[tuple[Passage, float]],
    meanings: Meanings,
    *,
    is_last: bool = False,
) -> dict[int, float]:
    """Return, for each of the passages that are nearest to a question, its best statement's place and worth.

    A passage that means what is asked answers it, though none of its sentences has the words or the meaning of the
    question by itself.

    Args:
        passages: each with how near it is, as `passages_near` tells.
        is_last: nothing else answers; a page that is titled with what is asked about is of it, and may be less near.
            Else what answers is older than these passages, and so may one be that names the thing.
    """
    away = elsewhere(question, pool)
    asked = wanted(question).designations
    stated = [(passage, near, _own(passage, pool, away, asked)) for passage, near in passages]
    stated = [each for each in stated if each[2]]
    floor = max((near for _, near, _ in stated), default=0.0) - PASSAGE_BELOW_BEST
    of_it = _titled(question, [each for each, _ in passages]) if is_last else _naming(question, pool)
    by_page: dict[str, tuple[float, list[int]]] = {}
    for passage, near, own in sorted(stated, key=lambda each: -each[1]):
        page = passage.source.snapshot_sha256
        if near >= max(floor, PASSAGE_OF_IT if page in of_it else PASSAGE_MIN):
            by_page.setdefault(page, (near, own))
    weights = relevance(question, pool)
    found: dict[int, float] = {}
    for near, own in list(by_page.values())[: 1 if wanted(question).is_definite else PASSAGES_MAX]:
        values = meanings.near(question, [in_context(pool[place]) for place in own]) or [0.0] * len(own)
        best, place = max(
            (WORDS_SHARE * weights[place] + MEANING_SHARE * value, -place)
            for place, value in zip(own, values, strict=True)
        )
        found[-place] = round(best + PASSAGE_SHARE * near, 4)
    return found


def _own(passage: Passage, pool: Sequence[Statement], away: frozenset[str], asked: frozenset[str]) -> list[int]:
    """Return the places of a passage's statements; of those that point to what is not there, where it has no others.

    Args:
        asked: designations; what names only other ones (Falke 300) is left out.
    """
    if passage.source.snapshot_sha256 in away:
        return []
    own = [place for place, each in enumerate(pool) if _stands_in(each, passage)]
    named = {place: designated(display(pool[place].statement)) for place in own} if asked else {}
    own = [place for place in own if not named.get(place) or named[place] & asked]
    return [place for place in own if not pool[place].leans] or own


def _titled(question: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Return the snapshots whose titles have a word of the question that few titles have."""
    asked = {stem(word) for word in words(question) if word not in STOP_WORDS}
    held = {each.source.snapshot_sha256: asked & set(map(stem, words(each.source.title))) for each in passages}
    common = {word for word in asked if 3 * sum(word in found for found in held.values()) > max(3, len(held))}
    return frozenset(page for page, found in held.items() if found - common)


def _naming(question: str, pool: Sequence[Statement]) -> frozenset[str]:
    """Return the snapshots of which a statement names what is asked about."""
    subject = wanted(question).subject
    naming = (each for each in pool if subject and subject <= {stem(word) for word in words(each.statement)})
    return frozenset(each.source.snapshot_sha256 for each in naming)


def _stands_in(statement: Statement, passage: Passage) -> bool:
    same = statement.source.snapshot_sha256 == passage.source.snapshot_sha256
    return same and passage.start <= statement.start < passage.end


def in_context(statement: Statement) -> str:
    """Write a statement below what it stands under, as a model of meanings is to read it."""
    return f"{statement.source.title} {statement.heading}: {display(statement.own or statement.statement)}"
