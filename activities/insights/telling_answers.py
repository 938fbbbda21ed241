"""The answer to a question as a sentence that may be sent on: every figure of it is in the rows, or in the question."""

from collections.abc import Sequence

from activities.insights.plans import PERIODS, Plan
from activities.insights.table import Table
from activities.insights.wording import counted, name, number, percent, with_unit
from schema.contracts.insights import AnswerColumn, NumberRule, Role, Scalar, Unit

AGGREGATE_WORDS = {
    "sum": "sum",
    "mean": "mean",
    "median": "median",
    "std": "standard deviation",
    "max": "maximum",
    "min": "minimum",
}
_ROWS_MAX = 10
"""Rows that a sentence tells."""
_COLUMNS_MAX = 5
_PLAIN = (Role.YEAR, Role.IDENTIFIER, Role.CODE)
"""Numbers of these are names: no commas in them."""
_VAGUE = ("most", "top", "max", "maximum", "fewest", "least", "min", "minimum", "bottom", "peak", "maximal", "minimal")

Row = tuple[Scalar, ...]


def sentence_of(plan: Plan | None, table: Table, columns: Sequence[AnswerColumn], rows: Sequence[Row]) -> str:
    """Return an answer in words; empty, where it does not fit a sentence: more than ten rows, or wide ones.

    Args:
        plan: what was asked; None: a query that a model wrote, whose rows are told by their columns' names.
    """
    where = "" if plan is None else " and ".join(condition.words for condition in plan.conditions)
    if not rows:
        return f"In no row, {where}." if where else "No row fits."
    if len(rows) > _ROWS_MAX:
        return ""
    if plan is None or plan.aggregate == "list":
        return _listed(plan, table, columns, rows, where)
    if plan.aggregate == "missing":
        return _missing(plan, rows, where)
    head = f"Where {where}, " if where else ""
    if len(columns) > 1:
        return _capital(f"{head}{_grouped(plan, table, columns, rows)}")
    value = rows[0][0]
    shown = _shown(value, columns[0].unit)
    if plan.aggregate == "count":
        count = counted(int(value), "row") if isinstance(value, int | float) else shown
        return f"In {count}, {where}." if where else f"The table has {count}."
    if plan.aggregate == "distinct":
        return _capital(f"{head}{name(plan.measure)} has {shown} distinct {'value' if value == 1 else 'values'}.")
    if plan.aggregate == "share":
        part = " and ".join(condition.words for condition in plan.part)
        whole = f"the sum of {name(plan.measure)}" if plan.measure else "all rows"
        return f"Rows where {part} make up {_shown(value, columns[0].unit)} of {whole}."
    if plan.aggregate == "correlation":
        what = f"Pearson's correlation of {name(plan.measure)} and {name(plan.other)}"
        return f"{head}{what} is {_shown(value, None, NumberRule.COEFFICIENT)}."
    return _capital(f"{head}the {AGGREGATE_WORDS[plan.aggregate]} of {name(plan.measure)} is {shown}.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _shown(value: Scalar, unit: Unit | None, rule: NumberRule = NumberRule.SIGNIFICANT) -> str:
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value).removesuffix("T00:00:00").replace("T", " ")
    if unit is not None and unit.symbol == "%" and unit.origin == "cells" and rule == NumberRule.SIGNIFICANT:
        return percent(value / 100)
    return with_unit(number(value, rule), unit)


def _cell(table: Table, column: AnswerColumn, value: Scalar) -> str:
    """Return a cell: texts quoted, numbers with their unit, years and identifiers as they stand."""
    role = table.roles.get(column.name)
    if isinstance(value, str) and not (role == Role.TIME or column.name in PERIODS):
        return name(value)
    if isinstance(value, int | float) and (role in _PLAIN or column.name in PERIODS):
        return str(int(value)) if value == int(value) else str(value)
    return _shown(value, column.unit if role is not None else None)


def _and(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _grouped(plan: Plan, table: Table, columns: Sequence[AnswerColumn], rows: Sequence[Row]) -> str:
    """Tell one value per group: the groups first, the value last in each row."""
    by = _and([each.name if each.name in PERIODS else name(each.name) for each in columns[:-1]])
    groups = [_and([_cell(table, *pair) for pair in zip(columns[:-1], row[:-1], strict=True)]) for row in rows]
    values = [_shown(row[-1], columns[-1].unit) for row in rows]
    if plan.aggregate == "count":
        what, extreme = "rows", "the most rows" if plan.descending else "the fewest rows"
    elif plan.aggregate == "distinct":
        what, extreme = f"the number of distinct values of {name(plan.measure)}", ""
    elif plan.aggregate == "share":
        what, extreme = f"the share of {f'the sum of {name(plan.measure)}' if plan.measure else 'all rows'}", ""
    else:
        what = f"the {AGGREGATE_WORDS.get(plan.aggregate, plan.aggregate)} of {name(plan.measure)}"
        extreme = f"the {'highest' if plan.descending else 'lowest'} {what.removeprefix('the ')}"
    if plan.ordered and plan.limit == 1 and extreme:
        if len(rows) == 1:
            return f"{groups[0]} has {extreme} by {by}: {values[0]}."
        return f"{_and(groups)} have {extreme} by {by}: {values[0]} each."
    if plan.aggregate == "count":
        told = [
            f"{group} has {counted(int(row[-1]), 'row')}" if isinstance(row[-1], int | float) else group
            for group, row in zip(groups, rows, strict=True)
        ]
        return f"by {by}, {_and(told)}."
    told = [f"{value} for {group}" for value, group in zip(values, groups, strict=True)]
    return f"by {by}, {what} is {_and(told)}."


def _listed(plan: Plan | None, table: Table, columns: Sequence[AnswerColumn], rows: Sequence[Row], where: str) -> str:
    head = f"Where {where}, " if where else ""
    cells = [[_cell(table, *pair) for pair in zip(columns, row, strict=True)] for row in rows]
    if plan is not None and plan.ordered and len(columns) == 2 and plan.measure == columns[1].name:
        said = plan.said.lower() if plan.said and plan.said.lower() not in _VAGUE else ""
        word = said or ("highest" if plan.descending else "lowest")
        if len(rows) == 1:
            return _capital(f"{head}the {word} by {name(plan.measure)} is {cells[0][0]}: {cells[0][1]}.")
        told = _and([f"{first} ({second})" for first, second in cells])
        return _capital(f"{head}the {word} by {name(plan.measure)} are {told}.")
    if len(columns) == 1:
        told = _and([row[0] for row in cells])
        return _capital(f"{head}{name(columns[0].name)} is {told}.")
    if len(rows) == 1 and len(columns) <= _COLUMNS_MAX:
        pairs = [f"{name(column.name)} is {cell}" for column, cell in zip(columns, cells[0], strict=True)]
        return _capital(f"{head}{_and(pairs)}.")
    if len(columns) == 2:
        told = "; ".join(f"{first}: {second}" for first, second in cells)
        return _capital(f"{head}{name(columns[1].name)} by {name(columns[0].name)}: {told}.")
    keys = [place for place, each in enumerate(columns) if each.name in table.roles and table.is_key(each.name)]
    key = next(iter(keys), None)
    if key is not None and where:
        return f"In {counted(len(rows), 'row')}, {where}: {_and([row[key] for row in cells])}."
    return ""


def _missing(plan: Plan, rows: Sequence[Row], where: str) -> str:
    head = f"Where {where}, " if where else ""
    if plan.measure:
        missing, count = rows[0]
        return _capital(
            f"{head}{name(plan.measure)} is missing in {_shown(missing, None)} of {_shown(count, None)} rows."
        )
    told = [f"{_shown(missing, None)} in {name(column)}" for column, missing in rows if missing]
    if not told:
        return _capital(f"{head}no value is missing.")
    return _capital(f"{head}missing are {_and(told)}.")
