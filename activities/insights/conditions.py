"""The conditions that a question sets on rows: comparisons of numbers, texts and dates, and values that it names."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from activities.insights.dates import MONTHS
from activities.insights.matching import Mention, Token, Words
from activities.insights.series import time_columns
from activities.insights.sql import identifier, literal
from activities.insights.table import Table
from activities.insights.vocabulary import plain
from activities.insights.wording import name as quoted
from schema.contracts.insights import ColumnType, Role

_COMPARATORS = (">", "<", ">=", "<=", "=", "!=", "between", "contains", "starts", "ends")
_NEAR = 4
"""Words between a comparator and its number at most."""


@dataclass(frozen=True)
class Condition:
    """One condition on rows: as SQL, and in words."""

    sql: str
    words: str
    column: str
    value: object = None
    equal: bool = False


def conditions_of(words: Words, table: Table) -> list[Condition]:
    """Read the conditions that a question sets on rows; the words that they are made of are marked as used."""
    found: list[Condition] = []
    used_values: set[int] = set()
    for phrase in list(words.phrases):
        if phrase.phrase in _COMPARATORS:
            _compared(words, table, found, phrase, used_values)
    _times(words, table, found)
    by_column: dict[str, list[Mention]] = {}
    for mention in words.values:
        if mention.start not in used_values:
            by_column.setdefault(mention.column, []).append(mention)
    for column, mentions in by_column.items():
        negated = [each for each in mentions if _negated(words, each)]
        plain_ones = [each for each in mentions if each not in negated]
        if plain_ones:
            found.append(_is_one_of(column, [each.value for each in plain_ones]))
        found += [_is_not(column, each.value) for each in negated]
    return found


def _negated(words: Words, mention: Mention) -> bool:
    for each in words.phrases:
        if each.phrase == "!=" and each.end <= mention.start and mention.start - each.end <= 2:
            words.handled.add(each.start)
            return True
    return False


def _is_not(column: str, value: object) -> Condition:
    return Condition(
        f"{identifier(column)} <> {literal(value)}", f"{quoted(column)} is not {quoted(value)}", column, value
    )


def _is_one_of(column: str, values: list[object]) -> Condition:
    if len(values) == 1:
        return Condition(
            f"{identifier(column)} = {literal(values[0])}",
            f"{quoted(column)} is {quoted(values[0])}",
            column,
            values[0],
            equal=True,
        )
    return Condition(
        f"{identifier(column)} IN ({', '.join(literal(value) for value in values)})",
        f"{quoted(column)} is {' or '.join(quoted(value) for value in values)}",
        column,
        tuple(values),
    )


def _compared(words: Words, table: Table, found: list[Condition], phrase: Mention, used_values: set[int]) -> None:
    """Read the condition that a comparator begins, where numbers, dates or texts follow it."""
    tokens, kind = words.tokens, phrase.phrase
    if kind in ("contains", "starts", "ends"):
        _text_condition(words, table, found, phrase, used_values)
        return
    numbers = [
        place
        for place in range(phrase.end, min(phrase.end + _NEAR + (3 if kind == "between" else 0), len(tokens)))
        if tokens[place].number is not None and not tokens[place].used
    ]
    wanted = 2 if kind == "between" else 1
    if len(numbers) < wanted:
        return
    places = numbers[:wanted]
    if any(
        token.used and token.used.startswith("phrase") and token.used != "phrase rows"
        for token in tokens[phrase.end : places[0]]
    ):
        return
    column = _column_of_number(words, table, phrase, places)
    if column is None:
        return
    values = [tokens[place].number or 0.0 for place in places]
    own = identifier(column)
    low = _whole(values[0])
    if table.columns[column].temporal:
        return
    if kind == "between":
        high = _whole(values[1])
        found.append(
            Condition(f"{own} BETWEEN {low} AND {high}", f"{quoted(column)} is between {low} and {high}", column)
        )
    else:
        sign = "<>" if kind == "!=" else kind
        found.append(Condition(f"{own} {sign} {low}", f"{quoted(column)} {sign} {low}", column))
    words.handled.add(phrase.start)
    for place in places:
        tokens[place].used = "number"


def _whole(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _column_of_number(words: Words, table: Table, phrase: Mention, places: list[int]) -> str | None:
    """Return the numeric column of a comparison: right behind its number, else last before the comparator."""
    numeric = [mention for mention in words.columns if table.columns[mention.column].numeric]
    behind = [mention for mention in numeric if 0 <= mention.start - places[-1] - 1 <= 1]
    before = [mention for mention in numeric if mention.end <= phrase.start]
    near = [mention for mention in before if phrase.start - mention.end <= 2]
    chosen = (near or behind or before)[-1:] if near else (behind or before[-1:])[:1]
    return chosen[0].column if chosen else None


def _text_condition(words: Words, table: Table, found: list[Condition], phrase: Mention, used_values: set[int]) -> None:
    before = [
        mention
        for mention in words.columns
        if mention.end <= phrase.start and table.columns[mention.column].type == ColumnType.TEXT
    ]
    if not before or phrase.end >= len(words.tokens):
        return
    column, token = before[-1].column, words.tokens[phrase.end]
    text = token.text
    token.used = "text"
    words.handled.add(phrase.start)
    used_values |= {mention.start for mention in words.values if mention.start == phrase.end}
    safe = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") if re.search(r"[%_\\]", text) else text
    pattern = {"contains": f"%{safe}%", "starts": f"{safe}%", "ends": f"%{safe}"}[phrase.phrase]
    verb = {"contains": "contains", "starts": "starts with", "ends": "ends with"}[phrase.phrase]
    found.append(
        Condition(f"{identifier(column)} ILIKE {literal(pattern)}", f"{quoted(column)} {verb} {quoted(text)}", column)
    )


def _times(words: Words, table: Table, found: list[Condition]) -> None:
    """Read dates, months and years of the question as bounds on the time axis."""
    axis = next(
        (
            mention.column
            for mention in words.columns
            if table.columns[mention.column].temporal or table.roles[mention.column] == Role.YEAR
        ),
        None,
    )
    axis = axis or next(iter(time_columns(table)), None)
    if axis is None:
        return
    spans: list[tuple[int, date, date]] = []
    for place, token in enumerate(words.tokens):
        span = _span(words.tokens, place)
        if span is not None:
            spans.append((place, *span))
            token.used = token.used or "date"
    for place, first, last in _merged(words, spans):
        kind = next(
            (
                each.phrase
                for each in words.phrases
                if each.phrase in ("before", "after", ">", "<", ">=", "<=") and each.end == place
            ),
            "in",
        )
        words.handled |= {each.start for each in words.phrases if each.end == place}
        found.append(_time_condition(table, axis, kind, first, last))


def _span(tokens: list[Token], place: int) -> tuple[date, date] | None:
    token = tokens[place]
    if token.used and token.used != "date":
        return None
    if token.kind == "date":
        parts = [int(part) for part in token.text.split("-")]
        try:
            first = date(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)
        except ValueError:
            return None
        return first, first if len(parts) > 2 else date(first.year, first.month, monthrange(first.year, first.month)[1])
    if token.kind == "number" and re.fullmatch(r"(?:19|20)\d\d", token.text):
        year = int(token.text)
        before = tokens[place - 1] if place else None
        month = (
            MONTHS.get(plain(before.text))
            if before is not None and before.kind == "word" and not (before.used or "").startswith("column")
            else None
        )
        if month:
            before.used = "date"  # type: ignore[union-attr]
            return date(year, month, 1), date(year, month, monthrange(year, month)[1])
        return date(year, 1, 1), date(year, 12, 31)
    return None


def _merged(words: Words, spans: list[tuple[int, date, date]]) -> list[tuple[int, date, date]]:
    """Join two dates behind `between`, or with `to` between them, into one span."""
    if len(spans) == 2 and (words.has("between") or spans[1][0] - spans[0][0] <= 3):
        return [(-1, spans[0][1], spans[1][2])]
    return spans


def _time_condition(table: Table, axis: str, kind: str, first: date, last: date) -> Condition:
    own = identifier(axis)
    if table.roles[axis] == Role.YEAR:
        low, high = str(first.year), str(last.year)
        shown = (low, high)
    else:
        low, high = (f"CAST({literal(day.isoformat())} AS DATE)" for day in (first, last))
        shown = (first.isoformat(), last.isoformat())
        if table.columns[axis].type == ColumnType.DATETIME:
            own = f"CAST({own} AS DATE)"
    if kind in ("before", "<"):
        return Condition(f"{own} < {low}", f"{quoted(axis)} is before {shown[0]}", axis)
    if kind in ("after", ">", ">="):
        return Condition(f"{own} >= {low}", f"{quoted(axis)} is {shown[0]} or later", axis)
    if kind == "<=":
        return Condition(f"{own} <= {high}", f"{quoted(axis)} is {shown[1]} or earlier", axis)
    if low == high:
        return Condition(f"{own} = {low}", f"{quoted(axis)} is {shown[0]}", axis)
    return Condition(f"{own} >= {low} AND {own} <= {high}", f"{quoted(axis)} is from {shown[0]} to {shown[1]}", axis)
