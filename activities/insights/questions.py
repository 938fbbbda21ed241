"""A question in plain words becomes a plan: what is asked of which columns, in which rows, by which groups.

A deterministic grammar. What it does not understand it refuses, with the words that it does not know and the columns
that
there are: a word that is passed over could change the answer.
"""

from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from activities.insights.adjectives import backwards, candidates, counts_rows, facet_of, general
from activities.insights.choosing import additive
from activities.insights.conditions import Condition, conditions_of
from activities.insights.matching import Mention, Words, words_of
from activities.insights.series import time_columns
from activities.insights.table import Table
from activities.insights.vocabulary import STOPWORDS, plain
from activities.insights.wording import name as quoted
from activities.insights.wording import names
from schema.contracts.insights import Role
from schema.errors import ValidationFailed

PERIODS = ("day", "week", "month", "quarter", "year", "weekday")
AGGREGATES = ("sum", "mean", "median", "std", "max", "min")
_STRICT = (">", "<", ">=", "<=", "!=", "contains", "starts", "ends")
"""What must become a condition; the others have other meanings, too."""
_GROUPS_MAX = 2
_MOST = frozenset(("most", "fewest", "least", "meisten", "wenigsten", "am meisten", "am wenigsten", "top", "bottom"))


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
    said: str = ""
    """The superlative, in the question's words."""


def plan_of(question: str, table: Table) -> Plan:
    """Translate a question.

    Raises:
        ValidationFailed: it cannot be translated; the detail names the words and the columns.
    """
    words = words_of(question, table)
    plan = Plan()
    plan.conditions = conditions_of(words, table)
    _groups(words, table, plan)
    plan.limit = _limit(words)
    asked = _how(words)
    _refuse_unknown(words, table)
    _aggregate(words, table, plan, asked)
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
        if mention.column not in used
        and table.roles[mention.column] != Role.IDENTIFIER
        and mention.start not in words.nouns
    ]
    if left and plan.aggregate not in ("count", "list"):
        raise refusal(table, f"The question cannot be answered: it is not clear what is asked of {names(left)}.")


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


def _how(words: Words) -> str:
    """Return the adjective of `how long`, `wie alt`; empty: there is none."""
    for before, token in pairwise(words.tokens):
        if plain(before.text) in ("how", "wie") and not token.used and facet_of(token.text):
            token.used = "adjective"
            return token.text
    return ""


def _meant(words: Words, table: Table, plan: Plan, text: str, *, moments: bool = True) -> str:
    """Return the column that an adjective speaks of.

    Raises:
        ValidationFailed: it is not clear which, or there is none.
    """
    found = candidates(table, text, moments=moments)
    mentioned = [mention.column for mention in words.columns if mention.column in found]
    if len(found) > 1 and len(set(mentioned)) == 1:
        found = mentioned[:1]
    if len(found) != 1:
        reason = f"it could be {names(found)}; say which" if found else "no column says it"
        raise refusal(
            table, f"The question does not say of which column of numbers or dates {quoted(text)} is: {reason}."
        )
    return found[0]


def _aggregate(words: Words, table: Table, plan: Plan, how: str) -> None:
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
    if how and superlative is None:
        _how_much(words, table, plan, how)
        if plan.aggregate:
            return
    if "share" in asked and (plan.measure not in percent or plan.measure in conditioned):
        _share(table, plan)
        return
    explicit = next((each for each in asked if each in ("sum", "mean", "median", "std")), None)
    if superlative is not None:
        _superlative(words, table, plan, others, explicit)
    elif "count" in asked or "distinct" in asked:
        _count(words, table, plan, free, others, distinct="distinct" in asked)
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


def _how_much(words: Words, table: Table, plan: Plan, how: str) -> None:
    """Read `how long is the Danube`: the one column of the rows that are named."""
    plan.measure = plan.measure or _meant(words, table, plan, how, moments=False)
    if any(condition.equal and table.is_key(condition.column) for condition in plan.conditions) and not plan.groups:
        plan.aggregate, plan.shown, plan.measure = "list", [plan.measure], None
    elif not words.has("sum", "mean", "median", "std", "share"):
        plan.aggregate = _usual(table, plan.measure) if general(how) else "mean"


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
    phrase = words.first("max", "min")
    plan.said = words.text(phrase) if phrase is not None else ""
    nouns = {mention.column for mention in words.columns if mention.start in words.nouns}
    entities = [column for column in others if table.roles[column] != Role.TIME]
    if plan.measure is None and not counts_rows(plan.said):
        # `the most rivers` counts rows, of which group ever; `the longest` speaks of a column.
        most = plain(plan.said) in _MOST
        counted = most and (
            words.has("rows") or words.nouns or any(table.roles[column] == Role.IDENTIFIER for column in others)
        )
        if not counted:
            moments = [column for column in (plan.axis, *(each.column for each in words.columns)) if column]
            plan.measure = next(
                (column for column in moments if column in candidates(table, plan.said)), None
            ) or _meant(words, table, plan, plan.said)
            if backwards(table, plan.measure, plan.said):
                plan.descending = not plan.descending
    elif plan.measure is not None and not general(plan.said) and backwards(table, plan.measure, plan.said):
        plan.descending = not plan.descending
    if plan.measure is None:
        entities = [column for column in entities if column not in nouns] or entities
        entities = [column for column in entities if table.roles[column] != Role.IDENTIFIER] or entities
    group = next(iter(plan.groups), None) or next(iter(entities), None)
    if group is None and plan.measure is not None and words.nouns:
        group = next((column for column in table.frame.columns if table.is_key(column)), None)
    if group in nouns and plan.measure is None:
        raise refusal(table, "The question does not say of which column of numbers.")
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
        moment = not table.columns[plan.measure].numeric or table.roles[plan.measure] == Role.YEAR
        if (unique or moment) and not explicit:
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


def _count(words: Words, table: Table, plan: Plan, measures: list[str], others: list[str], *, distinct: bool) -> None:
    nouns = {mention.column for mention in words.columns if mention.start in words.nouns}
    target = next((column for column in others if distinct or column not in nouns), None)
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
