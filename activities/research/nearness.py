"""Nearness: what a statement is worth for a question: by its words, its meaning and the passage it stands in. Pure.

Words find who says it as the question does; a model of meanings finds who says it otherwise, among statements that are
shown with what they stand under. A question for one property of something named is left to the words: there a value
answers, and what is merely near in meaning speaks of something else.
"""

from collections.abc import Callable, Iterable, Sequence

from activities.research.relevance import Statement, elsewhere, relevance
from activities.research.text import display
from activities.research.wanted import VALUE_ONLY, wanted
from schema.contracts.research import Passage

Nearness = Callable[[str, Sequence[str]], Sequence[float] | None]
"""(question, texts) -> how near each text's meaning is to the question's, 0..1; the same for the same pair always.

None: it does not know the question's language.
"""

WORDS_SHARE, MEANING_SHARE, PASSAGE_SHARE = 0.4, 0.27, 0.33
"""Chosen on the 144 questions about real documentation that were looked at (`tests/eval/data/questions.toml`)."""
ABOUT_MIN, WORDS_MIN = 0.36, 0.45
"""Below both, a statement is about something else, however good its passage: the mean of its words' and its meaning's
part, and its words' part alone. Of questions that nothing answers, one in twenty has a statement above the first."""
COMPARED_MAX = 96
"""Statements whose meanings are compared in one call: a model takes milliseconds for each."""


def worth(question: str, pool: Sequence[Statement], nearness: Nearness | None) -> list[float]:
    """Return what each statement is worth as an answer to `question`, 0..1.

    Args:
        nearness: compares meanings; None: words alone decide.
    """
    weights = relevance(question, pool)
    if nearness is None or not pool or wanted(question).is_definite:
        return weights
    mixed = [
        WORDS_SHARE * weight + PASSAGE_SHARE * statement.source.score.relevance
        for weight, statement in zip(weights, pool, strict=True)
    ]
    compared = sorted(range(len(pool)), key=lambda number: (-mixed[number], number))[:COMPARED_MAX]
    near = nearness(question, [in_context(pool[number]) for number in compared])
    if near is None:
        return weights
    away = elsewhere(question, pool)
    worths = [0.0] * len(pool)
    for number, value in zip(compared, near, strict=True):
        is_about = pool[number].source.snapshot_sha256 not in away
        if weights[number] >= WORDS_MIN or (is_about and (weights[number] + value) / 2 >= ABOUT_MIN):
            worths[number] = round(mixed[number] + MEANING_SHARE * value, 4)
    return worths


def is_answered(question: str, statements: Iterable[str]) -> bool:
    """Tell whether a question for one property of something named has its value."""
    asked = wanted(question)
    return asked.is_definite and any(asked.answered_by(display(text)) >= VALUE_ONLY for text in statements)


def nearest(
    question: str, pool: Sequence[Statement], passages: Sequence[Passage], nearness: Nearness | None
) -> dict[int, float]:
    """Return, for each of the passages that are nearest to a question, its best statement's place and worth.

    A passage that means what is asked answers it, though none of its sentences has the words or the meaning of the
    question by itself. A question for one property of something named is left to the words.
    """
    if nearness is None or not pool:
        return {}
    near = nearness(question, [embedded(passage) for passage in passages])
    if near is None:
        return {}
    best = max(near, default=0.0)
    away = elsewhere(question, pool)
    chosen = sorted(
        (number for number, value in enumerate(near) if value >= max(PASSAGE_MIN, best - PASSAGE_BELOW_BEST)),
        key=lambda number: -near[number],
    )
    found: dict[int, float] = {}
    weights = relevance(question, pool)
    for number in chosen[: 1 if wanted(question).is_definite else PASSAGES_MAX]:
        passage = passages[number]
        own = [
            place
            for place, each in enumerate(pool)
            if each.source.snapshot_sha256 == passage.source.snapshot_sha256
            and each.source.snapshot_sha256 not in away
            and passage.start <= each.start < passage.end
            and not each.leans
        ]
        values = nearness(question, [in_context(pool[place]) for place in own]) or []
        worths = {
            place: WORDS_SHARE * weights[place] + MEANING_SHARE * value
            for place, value in zip(own, values, strict=True)
        }
        if worths:
            place = max(worths, key=lambda each: (worths[each], -each))
            found[place] = round(worths[place] + PASSAGE_SHARE * near[number], 4)
    return found


PASSAGE_MIN, PASSAGE_BELOW_BEST = 0.6, 0.1
PASSAGES_MAX = 3


def embedded(passage: Passage) -> str:
    """Write a passage as its vector was made of it (`documents/indexing.py`)."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def in_context(statement: Statement) -> str:
    """Write a statement below what it stands under, as a model of meanings is to read it."""
    return f"{statement.source.title} {statement.heading}: {display(statement.own or statement.statement)}"
