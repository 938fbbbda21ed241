"""A plan becomes a query; the query is judged, run on the typed table, and its rows are the answer."""

import re

from activities.insights.plans import AGGREGATES, Plan, refusal
from activities.insights.profile import json_safe
from activities.insights.questions import plan_of
from activities.insights.sql import Database, check_query, identifier, literal
from activities.insights.table import Table
from activities.insights.telling_answers import AGGREGATE_WORDS, sentence_of
from activities.insights.wording import name
from schema.contracts.insights import AnswerColumn, Role, TableAnswer, Unit
from schema.policies import DATA_ANSWER_ROWS_MAX

_FUNCTIONS = {"sum": "SUM", "mean": "AVG", "median": "MEDIAN", "std": "STDDEV", "max": "MAX", "min": "MIN"}
_LABELS = {
    "sum": "sum of",
    "mean": "mean of",
    "median": "median of",
    "std": "deviation of",
    "max": "maximum of",
    "min": "minimum of",
}


def answer(question: str, tables: list[Table]) -> TableAnswer:
    """Answer a question of one of some tables: the one whose words it uses.

    Raises:
        ValidationFailed: it cannot be translated; the detail names the words and the columns.
    """
    failures = []
    for table in tables:
        try:
            plan = plan_of(question, table)
        except Exception as error:
            if type(error).__name__ != "ValidationFailed":
                raise
            failures.append(error)
            continue
        query, understood, units = query_of(plan, table)
        return run(question, query, understood, table, units, "grammar", plan)
    raise failures[0]


def answer_query(question: str, query: str, tables: list[Table]) -> TableAnswer:
    """Run a query that a model proposed for a question; it goes through the same check as every other.

    Raises:
        ValidationFailed: it is not one SELECT over one of the tables, or cannot be run.
    """
    named = [table for table in tables if re.search(rf"(?i)(?<!\w){re.escape(table.name)}(?!\w)", query)]
    table = next(iter(named), tables[0])
    return run(question, query, "As the query says.", table, {}, "model")


def run(
    question: str,
    query: str,
    understood: str,
    table: Table,
    units: dict[str, Unit],
    origin: str,
    plan: Plan | None = None,
) -> TableAnswer:
    """Run a query, whoever wrote it, read-only and bounded in rows.

    Raises:
        ValidationFailed: it is not one SELECT over the table, or cannot be run.
    """
    check_query(query, {table.name: table.frame.columns})
    frame = Database({table.name: table.frame}).run(query, DATA_ANSWER_ROWS_MAX)
    truncated = frame.height > DATA_ANSWER_ROWS_MAX
    rows = tuple(tuple(json_safe(cell) for cell in row) for row in frame.head(DATA_ANSWER_ROWS_MAX).iter_rows())
    columns = tuple(AnswerColumn(name=column, unit=units.get(column, _unit(table, column))) for column in frame.columns)
    return TableAnswer(
        question=question[:1_000],
        understood=understood,
        table=table.name,
        query=query,
        columns=columns,
        rows=rows,
        truncated=truncated,
        sentence="" if truncated else sentence_of(plan, table, columns, rows),
        origin=origin,
    )


def _unit(table: Table, column: str) -> Unit | None:
    return table.unit(column) if column in table.columns else None


def query_of(plan: Plan, table: Table) -> tuple[str, str, dict[str, Unit]]:
    """Return the query of a plan, the plan in words, and the units of new columns."""
    if plan.aggregate == "missing":
        return _missing(plan, table)
    where, told = _where(plan)
    if plan.aggregate == "list":
        return _listed(plan, table, where, told)
    value, label, words = _value(plan, table)
    keys: list[tuple[str, str]] = []
    if plan.period and plan.axis:
        keys.append((_period(plan, table), plan.period))
    keys += [(identifier(group), group) for group in plan.groups]
    columns = [f"{expression} AS {identifier(alias)}" for expression, alias in keys] + [
        f"{value} AS {identifier(label)}"
    ]
    query = f"SELECT {', '.join(columns)} FROM {identifier(table.name)}"
    conditions = [where] if where else []
    conditions += [
        f"{identifier(source)} IS NOT NULL" for source in (plan.axis if plan.period else None, *plan.groups) if source
    ]
    if conditions:
        query += f" WHERE {' AND '.join(conditions)}"
    if keys:
        query += f" GROUP BY {', '.join(expression for expression, _ in keys)}"
        if plan.ordered and plan.limit == 1:
            query = _first_place(query, plan, [alias for _, alias in keys], label)
        elif plan.ordered or not plan.period:
            direction = "DESC" if plan.descending or not plan.ordered else "ASC"
            query += f" ORDER BY {identifier(label)} {direction} NULLS LAST, {identifier(keys[0][1])}"
        else:
            query += f" ORDER BY {', '.join(identifier(alias) for _, alias in keys)}"
        if plan.limit and plan.limit > 1:
            query += f" LIMIT {plan.limit}"
    understood = words + (f", by {' and '.join(name(alias) for _, alias in keys)}" if keys else "") + told
    if keys and plan.limit:
        understood += (
            f"; the {'first, or all that share its place,' if plan.limit == 1 else f'first {plan.limit}'} from the "
            f"{'greatest' if plan.descending else 'smallest'} on"
        )
    unit = table.unit(plan.measure) if plan.measure and plan.aggregate in AGGREGATES else None
    units = {label: unit} if unit else {}
    if plan.aggregate == "share":
        units = {label: Unit(symbol="%", kind="percent", origin="cells")}
    return query, f"{understood}.", units


def _first_place(grouped: str, plan: Plan, keys: list[str], label: str) -> str:
    """Return a query for the groups that share the first place, all of them: computed once, so that equal is equal."""
    best = "best"
    while best in (*keys, label):
        best += "_"
    own = identifier(label)
    extreme = f"{'MAX' if plan.descending else 'MIN'}({own}) OVER () AS {identifier(best)}"
    return (
        f"SELECT {', '.join(identifier(each) for each in (*keys, label))} "
        f"FROM (SELECT *, {extreme} FROM ({grouped}) AS groups) AS ranked WHERE {own} = {identifier(best)} "
        f"ORDER BY {', '.join(identifier(each) for each in keys)} LIMIT {DATA_ANSWER_ROWS_MAX + 1}"
    )


def _value(plan: Plan, table: Table) -> tuple[str, str, str]:
    """Return the expression of what is computed, its label and its words."""
    own = identifier(plan.measure) if plan.measure else ""
    if plan.aggregate == "correlation" and plan.other:
        return (
            f"CORR({own}, {identifier(plan.other)})",
            "correlation",
            f"Pearson's correlation of {name(plan.measure)} and {name(plan.other)}",
        )
    if plan.aggregate == "count":
        return "COUNT(*)", "rows", "The number of rows"
    if plan.aggregate == "distinct":
        return (
            f"COUNT(DISTINCT {own})",
            f"distinct {plan.measure}",
            f"The number of distinct values of {name(plan.measure)}",
        )
    if plan.aggregate == "share":
        total = (
            f"(SELECT SUM({own}) FROM {identifier(table.name)})"
            if plan.measure
            else f"(SELECT COUNT(*) FROM {identifier(table.name)})"
        )
        what = f"of the sum of {name(plan.measure)}" if plan.measure else "of all rows"
        if not plan.part:
            amount = f"SUM({own})" if plan.measure else "COUNT(*)"
            return f"CAST({amount} AS DOUBLE) * 100 / {total}", "share", f"The share {what}"
        test = " AND ".join(condition.sql for condition in plan.part)
        inner = f"SUM(CASE WHEN {test} THEN {own or 1} ELSE 0 END)"
        told = " and ".join(condition.words for condition in plan.part)
        return f"CAST({inner} AS DOUBLE) * 100 / {total}", "share", f"The share {what} in rows where {told}"
    if plan.aggregate not in _FUNCTIONS:
        raise refusal(table, "The question cannot be answered: it does not say what to compute.")
    return (
        f"{_FUNCTIONS[plan.aggregate]}({own})",
        f"{_LABELS[plan.aggregate]} {plan.measure}",
        f"The {AGGREGATE_WORDS[plan.aggregate]} of {name(plan.measure)}",
    )


def _period(plan: Plan, table: Table) -> str:
    axis = identifier(plan.axis or "")
    if plan.axis and table.roles[plan.axis] == Role.YEAR:
        return axis
    if plan.period == "weekday":
        return f"EXTRACT(ISODOW FROM {axis})"
    if plan.period == "year":
        return f"EXTRACT(YEAR FROM {axis})"
    return f"DATE_TRUNC({literal(plan.period)}, {axis})"


def _where(plan: Plan) -> tuple[str, str]:
    if not plan.conditions:
        return "", ""
    return " AND ".join(
        condition.sql for condition in plan.conditions
    ), f", where {' and '.join(condition.words for condition in plan.conditions)}"


def _listed(plan: Plan, table: Table, where: str, told: str) -> tuple[str, str, dict[str, Unit]]:
    columns = ", ".join(identifier(column) for column in plan.shown)
    conditions = [where] if where else []
    if plan.ordered and plan.measure:
        own = identifier(plan.measure)
        conditions.append(f"{own} IS NOT NULL")
        if plan.limit == 1:
            # Whoever shares the first place is named, too.
            extreme = f"SELECT {'MAX' if plan.descending else 'MIN'}({own}) FROM {identifier(table.name)}"
            conditions.append(f"{own} = ({extreme}{f' WHERE {where}' if where else ''})")
            plan.limit = None
    once = "DISTINCT " if len(plan.shown) == 1 and not plan.ordered and not table.is_key(plan.shown[0]) else ""
    query = f"SELECT {once}{columns} FROM {identifier(table.name)}" + (
        f" WHERE {' AND '.join(conditions)}" if conditions else ""
    )
    columns_told = ", ".join(name(column) for column in plan.shown)
    understood = f"Rows with {columns_told}{told}"
    if plan.ordered and plan.measure:
        query += f" ORDER BY {identifier(plan.measure)} {'DESC' if plan.descending else 'ASC'}"
        understood += f", {'greatest' if plan.descending else 'smallest'} {name(plan.measure)} first"
    elif once:
        query += f" ORDER BY {columns}"
        understood = f"The values of {columns_told}{told}, each once"
    query += f" LIMIT {plan.limit or DATA_ANSWER_ROWS_MAX + 1}"
    return query, f"{understood}.", {}


def _missing(plan: Plan, table: Table) -> tuple[str, str, dict[str, Unit]]:
    source = identifier(table.name)
    where, told = _where(plan)
    tail = f" WHERE {where}" if where else ""
    if plan.measure:
        own = identifier(plan.measure)
        return (
            f"SELECT COUNT(*) - COUNT({own}) AS missing, COUNT(*) AS rows FROM {source}{tail}",
            f"Rows in which {name(plan.measure)} is missing{told}.",
            {},
        )
    parts = [
        f'SELECT {literal(column)} AS "column", COUNT(*) - COUNT({identifier(column)}) AS missing FROM {source}{tail}'
        for column in table.frame.columns[:40]
    ]
    return (
        f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS gaps ORDER BY missing DESC",
        f"Missing values per column{told}.",
        {},
    )
