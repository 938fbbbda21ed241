"""Checking: what a model says a passage gives for a cell, held against the passage. Pure.

The quotation must stand in the passage, the value in the quotation, and both must be of the column's type; the passage
must name the item. What fails is dropped, as if the model had not said it.
"""

from collections.abc import Sequence
from typing import Any

from activities.research.answers import FilledCell
from activities.research.fields_columns import Asked, meanings, meanings_of, word_list
from activities.research.fields_reading import HEADED, Form, Reader, Statement
from activities.research.fields_values import Candidate, allowed_in, date_in, measured, numbers_in, raw_number, typed
from activities.research.quantities import dates
from activities.research.quotes import locate
from activities.research.text import normalise
from activities.research.values import spelled_out
from schema.contracts.research import Passage
from schema.contracts.tables import ColumnType

MODEL_SCORE = 0.85
RAW_CHARACTERS_MAX = 200
_YES = word_list("affirmations")


def checked(said: FilledCell, asked: Asked, batch: Sequence[Passage], reader: Reader) -> Candidate | None:
    """Return what a model said as a candidate for its cell, or None where the passage does not bear it out."""
    named = batch[said.passage - 1 : said.passage] if said.passage > 0 else []
    for passage in (*named, *batch):
        span = locate(said.quote, passage.text)
        if span is None:
            continue
        around = f"{passage.source.title}\n{passage.heading}\n{passage.text}"
        if not reader.is_free and not reader.item.mentions(around):
            return None
        quote = passage.text[span[0] : span[1]]
        found = verified(asked, normalise(said.value), quote)
        if found is None:
            return None
        value, raw, unit = found
        start = passage.start + span[0]
        statement = Statement(passage.source, start, start + len(quote), quote, Form.PROSE, "", quote, HEADED)
        return Candidate(value, raw, unit, statement, MODEL_SCORE, as_of=None, superseded=False)
    return None


def verified(asked: Asked, said: str, quote: str) -> tuple[Any, str, str | None] | None:
    """Return (value, its words in the quotation, unit), or None where the quotation does not hold what is said."""
    kind = asked.column.type
    if kind in (ColumnType.NUMBER, ColumnType.INTEGER):
        return _number(asked, said, quote)
    if kind is ColumnType.DATE:
        wanted = date_in(said)
        found = [(date.iso, quote[date.start : date.end]) for date in dates(quote)]
        if not found and (other := date_in(quote)) is not None:
            found = [other]
        return next(((iso, raw, None) for iso, raw in found if wanted and iso.startswith(wanted[0])), None)
    if kind is ColumnType.ENUM:
        chosen = [value for value, _ in allowed_in(asked, said)]
        return next(((value, raw, None) for value, raw in allowed_in(asked, quote) if [value] == chosen), None)
    if kind is ColumnType.BOOLEAN:
        spoken = any(meanings_of(each) & meanings(quote) for each in asked.core)
        answer = next((value for value, *_ in typed(asked, said, asked.column.name)), None)
        return (answer, normalise(quote)[:RAW_CHARACTERS_MAX], None) if spoken and answer is not None else None
    at = normalise(quote).casefold().find(said.casefold())
    return None if at < 0 or not said else (normalise(quote)[at : at + len(said)], said, None)


def _number(asked: Asked, said: str, quote: str) -> tuple[Any, str, str | None] | None:
    wanted = next((value for value, *_ in typed(asked, said, asked.column.name)), None)
    if wanted is None:
        return None
    if asked.is_year:
        return next(
            ((date.year, quote[date.start : date.end], None) for date in dates(quote) if date.year == wanted), None
        )
    spelled = spelled_out(quote)
    for figure in numbers_in(spelled):
        found = measured(asked, figure)
        if found is not None and abs(found[0] - wanted) <= 1e-9 * max(abs(wanted), 1):
            return found[0], raw_number(spelled, quote, figure), found[1]
    return None
