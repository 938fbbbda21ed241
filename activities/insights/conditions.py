"""The conditions that a question sets on rows: comparisons of numbers, texts and dates, and values that it names."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from activities.insights.adjectives import candidates, facet_of, general
from activities.insights.dates import MONTHS
from activities.insights.matching import Mention, Token, Words
from activities.insights.series import time_columns
from activities.insights.sql import identifier, literal
from activities.insights.table import Table
from activities.insights.units import dimension_of
from activities.insights.vocabulary import plain
from activities.insights.wording import name as quoted
from activities.insights.wording import names, number, with_unit
from schema.contracts.insights import ColumnType, Role, Unit
from schema.errors import ValidationFailed

_COMPARATORS = (">", "<", ">=", "<=", "=", "!=", "between", "contains", "starts", "ends")
_VERBS = {">": "is above", "<": "is below", ">=": "is at least", "<=": "is at most", "=": "is", "<>": "is not"}
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
    if column is None or table.columns[column].temporal:
        return
    _check_units(table, column, [tokens[place] for place in places])
    values = [tokens[place].number or 0.0 for place in places]
    own = identifier(column)
    low = _whole(values[0])
    if kind == "between":
        high = _whole(values[1])
        found.append(
            Condition(
                f"{own} BETWEEN {low} AND {high}",
                f"{quoted(column)} is between {number(values[0])} and {_said(table, column, values[1])}",
                column,
            )
        )
    else:
        sign = "<>" if kind == "!=" else kind
        found.append(
            Condition(
                f"{own} {sign} {low}", f"{quoted(column)} {_VERBS[sign]} {_said(table, column, values[0])}", column
            )
        )
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
    if chosen and (near or behind) and _speaks_of(table, words, phrase, chosen[0]):
        return chosen[0].column
    if chosen and facet_of(words.text(phrase)) is None:
        return chosen[0].column
    if phrase.phrase in ("=", "!=") or any(
        table.columns[mention.column].temporal and 0 <= phrase.start - mention.end <= 1 for mention in words.columns
    ):
        return None
    return _column_meant(words, table, phrase, places)


def _speaks_of(table: Table, words: Words, phrase: Mention, mention: Mention) -> bool:
    """Tell whether a comparison is of a column: in `the salary of employees older than 30` it is not of the salary."""
    text = words.text(phrase)
    found = [] if general(text) else candidates(table, text, moments=False)
    return mention.column in found or (not found and (general(text) or phrase.start - mention.end <= 1))


def _column_meant(words: Words, table: Table, phrase: Mention, places: list[int]) -> str | None:
    """Return the column that an adjective or a unit means: `longer than 5`, `between 5 and 9 km long`, `above 50 EUR`.

    Raises:
        ValidationFailed: several columns could be meant, or none has what the adjective speaks of.
    """
    text = words.text(phrase)
    for token in words.tokens[places[-1] + 1 : places[-1] + 3]:
        if not token.used and token.kind == "word" and facet_of(token.text):
            text, token.used = token.text, "adjective"
            break
    found = candidates(table, text, moments=False)
    asked = words.tokens[places[-1]].unit
    if asked is not None:
        fitting = [
            column for column in found if (own := table.unit(column)) and dimension_of(own) == dimension_of(asked)
        ]
        exact = [column for column in fitting if (own := table.unit(column)) and _same(own, asked)]
        found = exact or fitting
    if len(found) == 1:
        return found[0]
    if not found and facet_of(text) == "old":
        return None
    reason = f"it could be {names(found)}; say which" if found else "no column of numbers fits"
    raise ValidationFailed(
        f"The question cannot be answered: it is not clear what {quoted(text)} compares: {reason}. "
        f"The columns are {names(table.frame.columns, 30)}."
    )


def _same(one: Unit, other: Unit) -> bool:
    return _spelled(one) == _spelled(other)


def _spelled(unit: Unit) -> str:
    return unit.symbol.replace("²", "2").replace("³", "3").replace("μ", "µ")


def _check_units(table: Table, column: str, numbers: list[Token]) -> None:
    """Refuse a number in another unit than its column's: it is not converted."""
    own = table.unit(column)
    for token in numbers:
        if token.unit is not None and own is not None and not _same(own, token.unit):
            raise ValidationFailed(
                f"The question cannot be answered: {quoted(column)} is in {own.symbol}, the question in "
                f"{token.unit.symbol}; ask in {own.symbol}."
            )


def _said(table: Table, column: str, value: float) -> str:
    return with_unit(number(value), table.unit(column))


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
        # The month of `since March 2020` stands between.
        begins = place - 1 if place > 0 and words.tokens[place - 1].used == "date" else place
        bound = next(
            (
                each
                for each in words.phrases
                if each.phrase in ("before", "after", ">", "<", ">=", "<=") and each.end == begins
            ),
            None,
        )
        kind = _bound(words.text(bound)) or bound.phrase if bound is not None else "in"
        words.handled |= {each.start for each in words.phrases if each.end == begins}
        found.append(_time_condition(table, axis, kind, first, last))


def _bound(text: str) -> str | None:
    """Tell whether a word takes its own day in, or turns round: `since`, `until`, `older than 2020`."""
    word = plain(text).split()[0]
    if word in ("since", "seit", "depuis", "from"):
        return ">="
    if word in ("until", "bis"):
        return "<="
    return {"older": "before", "younger": "after"}.get(word)


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
    if kind in ("after", ">"):
        return Condition(f"{own} > {high}", f"{quoted(axis)} is after {shown[1]}", axis)
    if kind == ">=":
        return Condition(f"{own} >= {low}", f"{quoted(axis)} is {shown[0]} or later", axis)
    if kind == "<=":
        return Condition(f"{own} <= {high}", f"{quoted(axis)} is {shown[1]} or earlier", axis)
    if low == high:
        return Condition(f"{own} = {low}", f"{quoted(axis)} is {shown[0]}", axis)
    return Condition(f"{own} >= {low} AND {own} <= {high}", f"{quoted(axis)} is from {shown[0]} to {shown[1]}", axis)
