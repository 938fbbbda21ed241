"""The checker of insights: every number and name in a sentence is computed anew from its query, or the sentence goes.

It knows the sentence and the query only, not how the sentence came about.
"""

import math
import re
from collections import Counter
from datetime import date, datetime

import polars as pl

from activities.insights.sql import Database
from activities.insights.wording import CLOSE, OPEN, number
from activities.insights.wording import name as quoted
from schema.contracts.insights import Insight
from schema.errors import ValidationFailed

RESULT_ROWS_MAX = 5_000
_QUOTED = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?")
_TIE = 1e-9
"""Sums in another order differ in their last digits: a number this near to a tie may round either way."""


def fault_of(insight: Insight, database: Database, columns: list[str]) -> str | None:
    """Return why a sentence is refused; None: it holds.

    Args:
        columns: names that the sentence may quote besides values of the result.
    """
    try:
        result = database.run(insight.query, RESULT_ROWS_MAX)
    except ValidationFailed as error:
        return error.detail
    for each in insight.numbers:
        fault = _number_fault(each.text, each.row, each.column, each.rule.value, each.value, result, insight)
        if fault:
            return fault
    texts = _texts(result)
    sentence = insight.sentence
    allowed = {quoted(column) for column in columns} | {quoted(text) for text in texts}
    for segment in _QUOTED.findall(sentence):
        if segment not in allowed:
            return f"{segment} is neither a column nor in the result"
    rest = _QUOTED.sub(" ", sentence)
    for value in insight.names:
        if value not in texts and not any(text.startswith(value) for text in texts):
            return f"{value!r} is not in the result"
        if quoted(value) not in sentence:
            rest = rest.replace(value, " ")
    shown = Counter(_NUMBER.findall(rest))
    told = Counter(each.text for each in insight.numbers)
    return (
        None
        if shown == told
        else f"the sentence shows {sorted(shown - told)} beyond its numbers, or lacks {sorted(told - shown)}"
    )


def _number_fault(
    text: str, row: int, column: str, rule: str, value: float, result: pl.DataFrame, insight: Insight
) -> str | None:
    if column not in result.columns or not 0 <= row < result.height:
        return f"the result has no cell {row}, {column!r}"
    cell = result[column][row]
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        return f"the cell {row}, {column!r} holds no number"
    kind = next(each.rule for each in insight.numbers if each.rule.value == rule)
    near = {number(cell, kind)}
    if isinstance(cell, float):
        near |= {number(cell * (1 + sign * _TIE), kind) for sign in (-1, 1)}
    if text not in near:
        return f"{text} was to be {number(cell, kind)}"
    if not math.isclose(value, cell, rel_tol=1e-6, abs_tol=1e-9):
        return f"{value!r} was to be {cell!r}"
    return None


def _texts(result: pl.DataFrame) -> set[str]:
    found: set[str] = set()
    for column in result.iter_columns():
        if column.dtype.is_float():
            continue
        for value in column.to_list():
            if isinstance(value, datetime):
                found.add(value.isoformat(sep=" ").removesuffix(" 00:00:00"))
            elif isinstance(value, date):
                found.add(value.isoformat())
            elif value is not None:
                found.add(str(value))
    return found
