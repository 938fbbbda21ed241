"""A question in plain words becomes a plan: what is asked of which columns, in which rows, by which groups.

A deterministic grammar. What it does not understand it refuses, with the words that it does not know and the columns
that
there are: a word that is passed over could change the answer.
"""

from datetime import date

from activities.insights.choosing import additive
from activities.insights.conditions import conditions_of
from activities.insights.matching import Mention, Words, words_of
from activities.insights.plans import AGGREGATES, PERIODS, Plan, refusal, usual
from activities.insights.series import time_columns
from activities.insights.superlatives import how_much, how_of, superlative
from activities.insights.table import Table
from activities.insights.vocabulary import STOPWORDS, plain
from activities.insights.wording import name as quoted
from activities.insights.wording import names
from schema.contracts.insights import Role

_STRICT = (">", "<", ">=", "<=", "!=", "contains", "starts", "ends")
"""What must become a condition; the others have other meanings, too."""
_GROUPS_MAX = 2


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
    asked = how_of(words)
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
    extreme = words.first("max", "min")
    plan.descending = extreme is None or extreme.phrase == "max"
    asked = [each.phrase for each in words.phrases]
    percent = [column for column in free if (unit := table.unit(column)) is not None and unit.symbol == "%"]
    if "correlation" in asked and len(measures) >= 2:
        plan.aggregate, plan.measure, plan.other = "correlation", measures[0], measures[1]
        return
    if "missing" in asked:
        plan.aggregate, plan.measure = "missing", next(iter(mentioned), None)
        return
    plan.measure = plan.measure or next(iter(free), None)
    if how and extreme is None and how_much(words, table, plan, how):
        return
    if "share" in asked and (plan.measure not in percent or plan.measure in conditioned):
        _share(table, plan)
        return
    explicit = next((each for each in asked if each in ("sum", "mean", "median", "std")), None)
    if extreme is not None:
        superlative(words, table, plan, others, explicit)
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
        plan.aggregate = usual(table, plan.measure)
    if plan.aggregate in AGGREGATES and plan.measure is None:
        raise refusal(table, "The question does not say of which column of numbers.")
    if "compare" in asked and not plan.groups:
        _compare(words, plan)


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
        plan.aggregate = usual(table, plan.measure) if plan.measure else "count"
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
