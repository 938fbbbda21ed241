"""Superlatives and `how long`: which column they speak of, and whose row they name."""

from itertools import pairwise

from activities.insights.adjectives import backwards, candidates, counts_rows, facet_of, general
from activities.insights.matching import Words
from activities.insights.plans import Plan, refusal, usual
from activities.insights.series import time_columns
from activities.insights.table import Table
from activities.insights.vocabulary import plain
from activities.insights.wording import name as quoted
from activities.insights.wording import names
from schema.contracts.insights import Role

_MOST = frozenset(("most", "fewest", "least", "meisten", "wenigsten", "am meisten", "am wenigsten", "top", "bottom"))


def how_of(words: Words) -> str:
    """Return the adjective of `how long`, `wie alt`; empty: there is none."""
    for before, token in pairwise(words.tokens):
        if plain(before.text) in ("how", "wie") and token.used in (None, "column") and facet_of(token.text):
            token.used = token.used or "adjective"
            return token.text
    return ""


def _meant(words: Words, table: Table, text: str, *, moments: bool = True) -> str:
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


def how_much(words: Words, table: Table, plan: Plan, how: str) -> bool:
    """Read `how long is the Danube`: the one column of the rows that are named; tell whether nothing else is asked."""
    plan.measure = plan.measure or _meant(words, table, how, moments=False)
    if any(condition.equal and table.is_key(condition.column) for condition in plan.conditions) and not plan.groups:
        plan.aggregate, plan.shown, plan.measure = "list", [plan.measure], None
    elif not words.has("sum", "mean", "median", "std", "share"):
        plan.aggregate = usual(table, plan.measure) if general(how) else "mean"
    return bool(plan.aggregate)


def superlative(words: Words, table: Table, plan: Plan, others: list[str], explicit: str | None) -> None:
    """Read `which region has the highest revenue`, `top 5 products by revenue`, `the largest order`."""
    phrase = words.first("max", "min")
    plan.said = words.text(phrase) if phrase is not None else ""
    _speaks_of(words, table, plan, others)
    group = _group_of(words, table, plan, others)
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
        plan.aggregate, plan.ordered, plan.limit = explicit or usual(table, plan.measure), True, plan.limit or 1
    elif asked_when and plan.axis:
        plan.aggregate, plan.shown, plan.ordered, plan.limit = "list", [plan.axis, plan.measure], True, plan.limit or 1
    elif group is not None and (words.has("which") or plan.limit or not plan.groups):
        unique = table.distinct[group] >= 0.98 * (table.height - table.frame[group].null_count())
        moment = not table.columns[plan.measure].numeric or table.roles[plan.measure] == Role.YEAR
        if (unique or moment) and not explicit:
            plan.groups, plan.aggregate, plan.shown = [], "list", [group, plan.measure]
        else:
            plan.groups, plan.aggregate = plan.groups or [group], explicit or usual(table, plan.measure)
        plan.ordered, plan.limit = True, plan.limit or 1
    elif plan.limit:
        plan.aggregate, plan.shown, plan.ordered = "list", list(table.frame.columns[:8]), True
        if plan.measure not in plan.shown:
            plan.shown.append(plan.measure)
    else:
        plan.aggregate = "max" if plan.descending else "min"


def _speaks_of(words: Words, table: Table, plan: Plan, others: list[str]) -> None:
    """Find the column that a superlative speaks of; none, where it counts rows: `the most rivers`, `most common`."""
    if plan.measure is not None:
        if not general(plan.said) and backwards(table, plan.measure, plan.said):
            plan.descending = not plan.descending
        return
    most = plain(plan.said) in _MOST
    identified = any(table.roles[column] == Role.IDENTIFIER for column in others)
    if counts_rows(plan.said) or (most and (words.has("rows") or words.nouns or identified)):
        return
    named = [column for column in (plan.axis, *(each.column for each in words.columns)) if column]
    found = candidates(table, plan.said)
    plan.measure = next((column for column in named if column in found), None) or _meant(words, table, plan.said)
    if backwards(table, plan.measure, plan.said):
        plan.descending = not plan.descending


def _group_of(words: Words, table: Table, plan: Plan, others: list[str]) -> str | None:
    """Return the column whose values are ranked: rivers by their length, countries by their rows."""
    nouns = {mention.column for mention in words.columns if mention.start in words.nouns}
    entities = [column for column in others if table.roles[column] != Role.TIME]
    if plan.measure is None:
        entities = [column for column in entities if column not in nouns] or entities
        entities = [column for column in entities if table.roles[column] != Role.IDENTIFIER] or entities
    group = next(iter(plan.groups), None) or next(iter(entities), None)
    asked_who = any(plain(token.text) in ("who", "wer", "qui") for token in words.tokens)
    if group is None and plan.measure is not None and (words.nouns or asked_who):
        group = next((column for column in table.frame.columns if table.is_key(column)), None)
    if group in nouns and plan.measure is None:
        raise refusal(table, "The question does not say of which column of numbers.")
    return group
