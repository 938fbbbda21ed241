"""A question in plain words becomes a plan: what is asked of which columns, in which rows, by which groups.

A deterministic grammar. What it does not understand it refuses, with the words that it does not know and the columns
that
there are: a word that is passed over could change the answer.
"""

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date

from activities.insights.dates import MONTHS
from activities.insights.matching import Mention, Token, Words, words_of
from activities.insights.series import time_columns
from activities.insights.sql import identifier, literal
from activities.insights.table import Table
from activities.insights.telling import additive
from activities.insights.vocabulary import STOPWORDS, plain
from activities.insights.wording import name as quoted
from activities.insights.wording import names
from schema.contracts.insights import ColumnType, Role
from schema.errors import ValidationFailed

PERIODS = ("day", "week", "month", "quarter", "year", "weekday")
AGGREGATES = ("sum", "mean", "median", "std", "max", "min")
_COMPARATORS = (">", "<", ">=", "<=", "=", "!=", "between", "contains", "starts", "ends", "before", "after")
_STRICT = (">", "<", ">=", "<=", "!=", "contains", "starts", "ends")
"""What must become a condition; the others have other meanings, too."""
_GROUPS_MAX = 2
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


@dataclass
class Plan:
    """What a question asks."""

    aggregate: str = ""
    """An aggregate, or `count`, `distinct`, `share`, `missing`, `correlation`, `list`."""
    measure: str | None = None
    other: str | None = None
    """Second column of a correlation."""
    groups: list[str] = field(default_factory=list)
    period: str | None = None
    axis: str | None = None
    conditions: list[Condition] = field(default_factory=list)
    part: list[Condition] = field(default_factory=list)
    """Of a share: the rows that are counted against all."""
    limit: int | None = None
    descending: bool = True
    ordered: bool = False
    """By the measure; else by the group."""
    shown: list[str] = field(default_factory=list)


def plan_of(question: str, table: Table) -> Plan:
    """Translate a question.

    Raises:
        ValidationFailed: it cannot be translated; the detail names the words and the columns.
    """
    words = words_of(question, table)
    plan = Plan()
    _conditions(words, table, plan)
    _groups(words, table, plan)
    plan.limit = _limit(words)
    _refuse_unknown(words, table)
    _aggregate(words, table, plan)
    if plan.aggregate in ("mean", "median"):
        # `the average per order`, where each row is an order, is the average of all.
        plan.groups = [
            group
            for group in plan.groups
            if table.roles[group] != Role.IDENTIFIER or table.distinct[group] < table.height
        ]
    _refuse_unused(words, table, plan)
    return plan


def refusal(table: Table, reason: str) -> ValidationFailed:
    """Return the refusal of a question, with what could be asked of."""
    return ValidationFailed(f"{reason} The columns are {names(table.frame.columns, 30)}.")


def _refuse_unknown(words: Words, table: Table) -> None:
    unknown = [
        token.text
        for token in words.tokens
        if not token.used
        and token.kind != "unit"
        and not (token.kind == "word" and plain(token.text).split("'")[0] in STOPWORDS)
        and plain(token.text) not in STOPWORDS
    ]
    for word in unknown:
        if word in words.ambiguous:
            raise refusal(
                table,
                f"The question cannot be answered: {quoted(word)} could be {names(words.ambiguous[word])}; say which.",
            )
    if unknown:
        raise refusal(
            table,
            f"The question cannot be answered: {names(unknown)} {'is' if len(unknown) == 1 else 'are'} neither a "
            f"column "
            "nor a value of the table, nor a word that is understood.",
        )


def _refuse_unused(words: Words, table: Table, plan: Plan) -> None:
    """Refuse where a comparison or a column was named and did not find its place: to pass it over would change the
    answer."""
    for phrase in words.phrases:
        if phrase.phrase in _STRICT and phrase.start not in words.handled:
            said = " ".join(token.text for token in words.tokens[phrase.start : phrase.end])
            raise refusal(table, f"The question cannot be answered: it is not clear what {quoted(said)} compares.")
    used = {plan.measure, plan.other, plan.axis, *plan.groups, *plan.shown} | {
        each.column for each in (*plan.conditions, *plan.part)
    }
    # `orders` of a table with one order per row means its rows.
    left = [
        mention.column
        for mention in words.columns
        if mention.column not in used and table.roles[mention.column] != Role.IDENTIFIER
    ]
    if left and plan.aggregate not in ("count", "list"):
        raise refusal(table, f"The question cannot be answered: it is not clear what is asked of {names(left)}.")


def _conditions(words: Words, table: Table, plan: Plan) -> None:
    used_values: set[int] = set()
    for phrase in list(words.phrases):
        if phrase.phrase in _COMPARATORS and phrase.phrase not in ("before", "after"):
            _compared(words, table, plan, phrase, used_values)
    _times(words, table, plan)
    by_column: dict[str, list[Mention]] = {}
    for mention in words.values:
        if mention.start not in used_values:
            by_column.setdefault(mention.column, []).append(mention)
    for column, mentions in by_column.items():
        negated = [each for each in mentions if _negated(words, each)]
        plain_ones = [each for each in mentions if each not in negated]
        if plain_ones:
            plan.conditions.append(_is_one_of(column, [each.value for each in plain_ones]))
        for each in negated:
            plan.conditions.append(
                Condition(
                    f"{identifier(column)} <> {literal(each.value)}",
                    f"{quoted(column)} is not {quoted(each.value)}",
                    column,
                    each.value,
                )
            )


def _negated(words: Words, mention: Mention) -> bool:
    for each in words.phrases:
        if each.phrase == "!=" and each.end <= mention.start and mention.start - each.end <= 2:
            words.handled.add(each.start)
            return True
    return False


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


def _compared(words: Words, table: Table, plan: Plan, phrase: Mention, used_values: set[int]) -> None:
    """Read the condition that a comparator begins, where numbers, dates or texts follow it."""
    tokens, kind = words.tokens, phrase.phrase
    if kind in ("contains", "starts", "ends"):
        _text_condition(words, table, plan, phrase, used_values)
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
        plan.conditions.append(
            Condition(f"{own} BETWEEN {low} AND {high}", f"{quoted(column)} is between {low} and {high}", column)
        )
    else:
        sign = "<>" if kind == "!=" else kind
        plan.conditions.append(Condition(f"{own} {sign} {low}", f"{quoted(column)} {sign} {low}", column))
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


def _text_condition(words: Words, table: Table, plan: Plan, phrase: Mention, used_values: set[int]) -> None:
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
    plan.conditions.append(
        Condition(f"{identifier(column)} ILIKE {literal(pattern)}", f"{quoted(column)} {verb} {quoted(text)}", column)
    )


def _times(words: Words, table: Table, plan: Plan) -> None:
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
        plan.conditions.append(_time_condition(table, axis, kind, first, last))


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


def _groups(words: Words, table: Table, plan: Plan) -> None:
    """Find what rows are grouped by: a column or a period behind `by`, `per`, `each`; `over time`."""
    axis = next((mention.column for mention in words.columns if table.columns[mention.column].temporal), None)
    axis = axis or next(iter(time_columns(table)), None)
    for phrase in words.phrases:
        if phrase.phrase not in (*PERIODS, "over") or axis is None:
            continue
        grouped = any(
            each.phrase in ("by", "which", "when") and 0 <= phrase.start - each.end <= 1 for each in words.phrases
        )
        adverb = words.tokens[phrase.start].text.lower().endswith("ly") or phrase.phrase == "over"
        if grouped or adverb:
            plan.axis = axis
            plan.period = phrase.phrase if phrase.phrase != "over" else _period_for(table, axis)
            if table.roles[axis] == Role.YEAR:
                plan.period = "year"
    limited = words.first("max", "min")
    for phrase in words.phrases:
        if phrase.phrase != "by":
            continue
        for mention in _following(words, phrase):
            if (
                limited is not None
                and table.columns[mention.column].numeric
                and table.roles[mention.column] == Role.MEASURE
            ):
                plan.measure = mention.column
            elif table.columns[mention.column].temporal and table.distinct[mention.column] > 60:
                plan.axis, plan.period = mention.column, plan.period or _period_for(table, mention.column)
            elif len(plan.groups) < _GROUPS_MAX and mention.column not in plan.groups:
                plan.groups.append(mention.column)


def _following(words: Words, phrase: Mention) -> list[Mention]:
    """Return the columns that directly follow a phrase: `by region`, `by region and product`."""
    found: list[Mention] = []
    end = phrase.end
    for mention in words.columns:
        between = [plain(token.text) for token in words.tokens[end : mention.start]]
        if mention.start >= end and len(between) <= 1 and (not found or set(between) <= {"and", "und", "et"}):
            found.append(mention)
            end = mention.end
    return found


def _limit(words: Words) -> int | None:
    """Return the number of `top 5`, `5 largest`, `the three cheapest`."""
    for phrase in words.phrases:
        if phrase.phrase in ("max", "min"):
            for place in (phrase.end, phrase.start - 1):
                if 0 <= place < len(words.tokens):
                    token = words.tokens[place]
                    if (
                        token.number is not None
                        and token.number == int(token.number)
                        and 0 < token.number <= 1000
                        and token.used in (None, "limit")
                    ):
                        token.used = "limit"
                        return int(token.number)
    return None


def _period_for(table: Table, axis: str) -> str:
    low, high = table.frame[axis].min(), table.frame[axis].max()
    if not isinstance(low, date) or not isinstance(high, date):
        return "year"
    days = (high - low).days
    return "year" if days > 366 * 6 else "month" if days > 62 else "day"


def _aggregate(words: Words, table: Table, plan: Plan) -> None:
    """Find what is computed, of which measure, and in which order it is shown."""
    conditioned = {condition.column for condition in plan.conditions}
    mentioned = [
        mention.column for mention in words.columns if mention.column not in plan.groups and mention.column != plan.axis
    ]
    measures = [
        column
        for column in mentioned
        if table.columns[column].numeric and table.roles[column] not in (Role.IDENTIFIER, Role.CODE)
    ]
    free = [column for column in measures if column not in conditioned]
    if not free and set(asked := [each.phrase for each in words.phrases]) & {*AGGREGATES, "share"}:
        free = measures
    others = [column for column in mentioned if column not in measures and column not in conditioned]
    superlative = words.first("max", "min")
    plan.descending = superlative is None or superlative.phrase == "max"
    asked = [each.phrase for each in words.phrases]
    percent = [column for column in free if (unit := table.unit(column)) is not None and unit.symbol == "%"]
    if "correlation" in asked and len(measures) >= 2:
        plan.aggregate, plan.measure, plan.other = "correlation", measures[0], measures[1]
        return
    if "missing" in asked:
        plan.aggregate, plan.measure = "missing", next(iter(mentioned), None)
        return
    plan.measure = plan.measure or next(iter(free), None)
    if "share" in asked and (plan.measure not in percent or plan.measure in conditioned):
        _share(table, plan)
        return
    explicit = next((each for each in asked if each in ("sum", "mean", "median", "std")), None)
    if superlative is not None:
        _superlative(words, table, plan, others, explicit)
    elif "count" in asked or "distinct" in asked:
        _count(table, plan, free, others, distinct="distinct" in asked)
    elif explicit:
        plan.aggregate = explicit
    elif (
        "list" in asked
        or not plan.measure
        or (plan.conditions and not (plan.groups or plan.period) and "which" in asked)
    ):
        _listed(words, table, plan, others)
    else:
        plan.aggregate = _usual(table, plan.measure)
    if plan.aggregate in AGGREGATES and plan.measure is None:
        raise refusal(table, "The question does not say of which column of numbers.")
    if "compare" in asked and not plan.groups:
        _compare(words, plan)


def _usual(table: Table, measure: str) -> str:
    return "sum" if additive(table, measure) else "mean"


def _share(table: Table, plan: Plan) -> None:
    plan.aggregate = "share"
    if plan.measure is not None and any(condition.column == plan.measure for condition in plan.conditions):
        plan.measure = None
    if plan.measure is not None and not additive(table, plan.measure):
        plan.measure = None
    if not plan.groups:
        plan.part, plan.conditions = plan.conditions, []
        if not plan.part:
            raise refusal(
                table, "The question does not say the share of what: name a value of a column, or a condition."
            )


def _superlative(words: Words, table: Table, plan: Plan, others: list[str], explicit: str | None) -> None:
    """Read `which region has the highest revenue`, `top 5 products by revenue`, `the largest order`."""
    group = next(iter(plan.groups), None) or next(
        (column for column in others if table.roles[column] != Role.TIME), None
    )
    asked_when = words.has("when")
    if asked_when and plan.axis is None:
        plan.axis = next(iter(time_columns(table)), None)
    if plan.measure is None:
        if group is None and plan.period is None:
            raise refusal(table, "The question does not say of which column of numbers.")
        plan.aggregate, plan.groups, plan.ordered = "count", [group] if group else [], True
        plan.limit = plan.limit or 1
        return
    if plan.period and (words.has("which", "when") or plan.limit):
        plan.aggregate, plan.ordered, plan.limit = explicit or _usual(table, plan.measure), True, plan.limit or 1
    elif asked_when and plan.axis:
        plan.aggregate, plan.shown, plan.ordered, plan.limit = "list", [plan.axis, plan.measure], True, plan.limit or 1
    elif group is not None and (words.has("which") or plan.limit or not plan.groups):
        unique = table.distinct[group] >= 0.98 * (table.height - table.frame[group].null_count())
        if unique and not explicit:
            plan.groups, plan.aggregate, plan.shown = [], "list", [group, plan.measure]
        else:
            plan.groups, plan.aggregate = plan.groups or [group], explicit or _usual(table, plan.measure)
        plan.ordered, plan.limit = True, plan.limit or 1
    elif plan.limit:
        plan.aggregate, plan.shown, plan.ordered = "list", list(table.frame.columns[:8]), True
        if plan.measure not in plan.shown:
            plan.shown.append(plan.measure)
    else:
        plan.aggregate = "max" if plan.descending else "min"


def _count(table: Table, plan: Plan, measures: list[str], others: list[str], *, distinct: bool) -> None:
    target = next((column for column in others), None)
    if distinct and target is None and measures:
        target = measures[0]
    if target is not None and (
        distinct or table.roles[target] in (Role.IDENTIFIER, Role.CODE, Role.CATEGORY, Role.FREE_TEXT)
    ):
        plan.aggregate, plan.measure = "distinct", target
    elif (
        plan.measure is not None
        and measures
        and additive(table, plan.measure)
        and not any(c.column == plan.measure for c in plan.conditions)
    ):
        plan.aggregate = "sum"
    else:
        plan.aggregate, plan.measure = "count", None


def _listed(words: Words, table: Table, plan: Plan, others: list[str]) -> None:
    if words.has("rows") and not words.has("list") and not plan.groups:
        plan.aggregate, plan.measure = "count", None
        return
    if plan.groups or plan.period:
        plan.aggregate = _usual(table, plan.measure) if plan.measure else "count"
        return
    if not (words.columns or words.values or plan.conditions or words.has("rows")):
        raise refusal(table, "The question cannot be answered: it names no column and no value of the table.")
    plan.aggregate = "list"
    if all(table.roles[column] == Role.IDENTIFIER for column in others):
        others = []
    shown = [*others, *([plan.measure] if plan.measure else [])]
    named = shown and not words.has("rows") and not any("row" in plain(token.text) for token in words.tokens)
    plan.shown = list(dict.fromkeys(shown)) if named else list(table.frame.columns[:12])
    plan.measure = None


def _compare(words: Words, plan: Plan) -> None:
    """Group by the column of which two values are compared."""
    for condition in plan.conditions:
        if isinstance(condition.value, tuple):
            plan.groups = [condition.column]
            return
