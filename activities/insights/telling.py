"""Which sentences are worth telling about a table: sizes, groups, trends, correlations, concentration, what is odd."""

import math
from collections.abc import Iterator

import polars as pl

from activities.insights.checking import fault_of
from activities.insights.choosing import GROUPS_MAX, additive, groups_of, measures_of
from activities.insights.dependencies import is_strong
from activities.insights.drafts import Draft, Name, Number, Value
from activities.insights.periods import PERIODS_MIN, Period, by_period, label_of, period_of, period_query
from activities.insights.profile import Measured
from activities.insights.sql import Database, identifier
from activities.insights.table import Table
from schema.contracts.insights import Correlation, Insight, InsightKind, NumberRule, Role
from schema.policies import DATA_INSIGHTS_MAX

_CORRELATIONS_MAX = 6
_MISSING_MAX = 5
_TREND_MIN = 0.7
_EFFECT_MIN = 0.05
"""Share of the variance that groups must explain (eta squared) for their means to be told."""
_CONCENTRATED_SHARE = 0.5
_LEAD_MIN = 1.1
"""A group is worth naming as the largest where its share exceeds an even one by a tenth."""
_TOP = 5


def insights_of(table: Table, measured: Measured, database: Database) -> list[Insight]:
    """Return the sentences that hold, most telling first."""
    if not table.height:
        return []
    drafts = sorted(_drafts(table, measured), key=lambda draft: -draft.score)
    columns = table.frame.columns
    kept: list[Insight] = []
    for draft in drafts:
        if len(kept) == DATA_INSIGHTS_MAX:
            break
        insight = draft.insight()
        if fault_of(insight, database, columns) is None:
            kept.append(insight)
    return kept


def _drafts(table: Table, measured: Measured) -> Iterator[Draft]:
    measures, groups = measures_of(table), groups_of(table)
    for measure in measures:
        if additive(table, measure):
            yield _total(table, measure, measured)
        yield from _spread(table, measure, measured)
    for group in groups:
        counts = (
            table.frame.lazy()
            .group_by(group)
            .agg(pl.len().alias("rows"), *_aggregates(measures))
            .filter(pl.col(group).is_not_null())
            .collect()
        )
        yield from _commonest(table, group, counts)
        for measure in measures:
            if additive(table, measure):
                yield from _largest(table, group, measure, counts, measured)
            else:
                yield from _means(table, group, measure, counts, measured)
    yield from _concentration(table, measures, measured)
    if period := period_of(table):
        for measure in measures:
            yield from _trend(table, period, measure)
    for each in [each for each in measured.correlations if is_strong(each) and each.pearson][:_CORRELATIONS_MAX]:
        yield _correlation(table, each)
    yield from _missing(table)


def _aggregates(measures: list[str]) -> Iterator[pl.Expr]:
    for number, measure in enumerate(measures):
        yield pl.col(measure).sum().alias(f"sum {number}")
        yield pl.col(measure).mean().alias(f"mean {number}")
        yield pl.col(measure).count().alias(f"count {number}")


def _total(table: Table, measure: str, measured: Measured) -> Draft:
    statistics, unit = measured.numbers[measure].statistics, table.unit(measure)
    column = identifier(measure)
    return Draft(
        InsightKind.TOTAL,
        [
            Name(measure),
            " adds up to ",
            Number(statistics.sum or 0.0, "total", unit=unit),
            " in ",
            Number(statistics.count, "rows", rule=NumberRule.INTEGER, noun="row"),
            ", ",
            Number(statistics.mean or 0.0, "mean", unit=unit),
            " on average.",
        ],
        f"SELECT SUM({column}) AS total, COUNT({column}) AS rows, AVG({column}) AS mean FROM {identifier(table.name)}",
        (measure,),
        0.8,
    )


def _spread(table: Table, measure: str, measured: Measured) -> Iterator[Draft]:
    statistics, unit = measured.numbers[measure].statistics, table.unit(measure)
    if (
        statistics.count < 8
        or statistics.q1 is None
        or statistics.q3 is None
        or statistics.median is None
        or statistics.max is None
    ):
        return
    column = identifier(measure)
    yield Draft(
        InsightKind.SPREAD,
        [
            "Half of the values of ",
            Name(measure),
            " lie between ",
            Number(statistics.q1, "q1", unit=unit),
            " and ",
            Number(statistics.q3, "q3", unit=unit),
            "; the median is ",
            Number(statistics.median, "median", unit=unit),
            ", the maximum ",
            Number(statistics.max, "maximum", unit=unit),
            ".",
        ],
        f"SELECT QUANTILE_CONT({column}, 0.25) AS q1, QUANTILE_CONT({column}, 0.75) AS q3, MEDIAN({column}) AS median, "
        f"MAX({column}) AS maximum FROM {identifier(table.name)}",
        (measure,),
        0.35,
    )


def _commonest(table: Table, group: str, counts: pl.DataFrame) -> Iterator[Draft]:
    ordered = counts.sort(["rows", group], descending=[True, False])
    first = ordered.row(0, named=True)
    total = int(ordered["rows"].sum())
    if first["rows"] * ordered.height < _LEAD_MIN * total or (
        ordered.height > 1 and ordered["rows"][1] == first["rows"]
    ):
        return
    column = identifier(group)
    yield Draft(
        InsightKind.COMMONEST,
        [
            Value(shown(first[group])),
            " is the commonest value of ",
            Name(group),
            ": ",
            Number(first["rows"], "rows", rule=NumberRule.INTEGER, noun="row"),
            ", ",
            Number(first["rows"] / total, "share", rule=NumberRule.PERCENT),
            " of those that name one.",
        ],
        f"SELECT {column}, COUNT(*) AS rows, CAST(COUNT(*) AS DOUBLE) / (SELECT COUNT({column}) FROM "
        f"{identifier(table.name)}) AS share "
        f"FROM {identifier(table.name)} WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY rows DESC, {column} "
        f"LIMIT 1",
        (group,),
        0.45 + 0.1 * first["rows"] / total,
    )


def shown(value: object) -> str:
    """Return a value of a group as the checker finds it in a result."""
    return str(value)


def _largest(table: Table, group: str, measure: str, counts: pl.DataFrame, measured: Measured) -> Iterator[Draft]:
    number = measures_of(table).index(measure)
    sums = counts.filter(pl.col(f"count {number}") > 0).sort([f"sum {number}", group], descending=[True, False])
    total = measured.numbers[measure].statistics.sum or 0.0
    low = measured.numbers[measure].statistics.min or 0.0
    if sums.height < 2 or total <= 0 or low < 0:
        return
    first, last = sums.row(0, named=True), sums.row(-1, named=True)
    if first[f"sum {number}"] == sums[f"sum {number}"][1]:
        return
    unit, column, value = table.unit(measure), identifier(group), identifier(measure)
    where = f"FROM {identifier(table.name)} WHERE {column} IS NOT NULL AND {value} IS NOT NULL GROUP BY {column}"
    query = (
        f"SELECT {column}, SUM({value}) AS total, CAST(SUM({value}) AS DOUBLE) / (SELECT SUM({value}) FROM "
        f"{identifier(table.name)}) AS share "
        f"{where} ORDER BY total {{}}, {column} LIMIT 1"
    )
    share = first[f"sum {number}"] / total
    if share * sums.height < _LEAD_MIN:
        return
    yield Draft(
        InsightKind.LARGEST_GROUP,
        [
            Value(shown(first[group])),
            " has the largest ",
            Name(measure),
            " by ",
            Name(group),
            ": ",
            Number(first[f"sum {number}"], "total", unit=unit),
            ", ",
            Number(share, "share", rule=NumberRule.PERCENT),
            " of all.",
        ],
        query.format("DESC"),
        (group, measure),
        0.75 + min(0.2, share - 1 / sums.height),
    )
    if last[f"sum {number}"] == sums[f"sum {number}"][-2]:
        return
    yield Draft(
        InsightKind.SMALLEST_GROUP,
        [
            Value(shown(last[group])),
            " has the smallest ",
            Name(measure),
            " by ",
            Name(group),
            ": ",
            Number(last[f"sum {number}"], "total", unit=unit),
            ", ",
            Number(last[f"sum {number}"] / total, "share", rule=NumberRule.PERCENT),
            " of all.",
        ],
        query.format("ASC"),
        (group, measure),
        0.55,
    )


def _means(table: Table, group: str, measure: str, counts: pl.DataFrame, measured: Measured) -> Iterator[Draft]:
    number = measures_of(table).index(measure)
    statistics = measured.numbers[measure].statistics
    means = counts.filter(pl.col(f"count {number}") >= 3).sort([f"mean {number}", group], descending=[True, False])
    if means.height < 2 or not statistics.std or statistics.mean is None:
        return
    effect = float(((means[f"mean {number}"] - statistics.mean) ** 2 * means[f"count {number}"]).sum()) / (
        statistics.std**2 * (statistics.count - 1)
    )
    # Beyond what as many groups explain by chance.
    if effect < max(_EFFECT_MIN, 3 * means.height / statistics.count):
        return
    first, last = means.row(0, named=True), means.row(-1, named=True)
    unit, column, value = table.unit(measure), identifier(group), identifier(measure)
    source = (
        f"SELECT {column} AS name, AVG({value}) AS mean, COUNT({value}) AS rows FROM {identifier(table.name)} "
        f"WHERE {column} IS NOT NULL GROUP BY {column} HAVING COUNT({value}) >= 3"
    )
    yield Draft(
        InsightKind.HIGHEST_MEAN,
        [
            "The mean of ",
            Name(measure),
            " by ",
            Name(group),
            " is highest for ",
            Value(shown(first[group])),
            " (",
            Number(first[f"mean {number}"], "mean", unit=unit),
            " in ",
            Number(first[f"count {number}"], "rows", rule=NumberRule.INTEGER, noun="row"),
            ") and lowest for ",
            Value(shown(last[group])),
            " (",
            Number(last[f"mean {number}"], "mean", row=means.height - 1, unit=unit),
            ").",
        ],
        f"{source} ORDER BY mean DESC, name",
        (group, measure),
        0.6 + min(0.3, effect),
    )


def _concentration(table: Table, measures: list[str], measured: Measured) -> Iterator[Draft]:
    """Tell where a few of many make most."""
    columns = [
        name
        for name in table.with_role(Role.CATEGORY, Role.CODE, Role.IDENTIFIER)
        if table.distinct[name] * 1 >= 15
        and table.distinct[name] * 2 <= table.height
        and table.distinct[name] <= 50_000
    ][:GROUPS_MAX]
    for column_name in columns:
        for measure in measures[:2]:
            statistics = measured.numbers[measure].statistics
            if not additive(table, measure) or (statistics.min or 0) < 0 or not statistics.sum:
                continue
            sums = (
                table.frame.lazy()
                .select(column_name, measure)
                .drop_nulls()
                .group_by(column_name)
                .agg(total=pl.col(measure).sum())
                .collect()["total"]
                .sort(descending=True)
            )
            share = float(sums.head(_TOP).sum()) / statistics.sum
            if share < max(_CONCENTRATED_SHARE, 3 * _TOP / len(sums)):
                continue
            column, value, source = identifier(column_name), identifier(measure), identifier(table.name)
            groups = f"SELECT {column}, SUM({value}) AS total FROM {source} WHERE {column} IS NOT NULL AND {value} "
            f"IS NOT NULL GROUP BY {column}"
            yield Draft(
                InsightKind.CONCENTRATION,
                [
                    "The top ",
                    Number(_TOP, "top", rule=NumberRule.INTEGER),
                    " of ",
                    Number(len(sums), "groups", rule=NumberRule.INTEGER),
                    " values of ",
                    Name(column_name),
                    " make ",
                    Number(share, "share", rule=NumberRule.PERCENT),
                    " of ",
                    Name(measure),
                    ".",
                ],
                f"SELECT COUNT(*) AS top, CAST(SUM(total) AS DOUBLE) / (SELECT SUM({value}) FROM {source}) AS share, "
                f"(SELECT COUNT(DISTINCT {column}) FROM {source} WHERE {value} IS NOT NULL) AS groups "
                f"FROM ({groups} ORDER BY total DESC LIMIT {_TOP}) AS largest",
                (column_name, measure),
                0.9,
            )


def _trend(table: Table, period: Period, measure: str) -> Iterator[Draft]:
    summed = additive(table, measure)
    frame = by_period(table, period, measure, summed=summed)
    if frame.height < PERIODS_MIN:
        return
    values = frame["value"].cast(pl.Float64)
    order = pl.select(pl.corr(pl.Series(range(len(values))).cast(pl.Float64), values.rank())).item()
    first, last = float(values[0]), float(values[-1])
    query, unit = period_query(table, period, measure, summed=summed), table.unit(measure)
    what: list[str | Number | Value | Name] = [
        f"The {'sum' if summed else 'mean'} of ",
        Name(measure),
        f" per {period.label}",
    ]
    if order is not None and math.isfinite(order) and abs(order) >= _TREND_MIN and (last - first) * order > 0:
        yield Draft(
            InsightKind.TREND,
            [
                *what,
                f" {'rose' if order > 0 else 'fell'} from ",
                Number(first, "value", unit=unit),
                " in ",
                Value(label_of(frame["period"][0], period.label), bare=True),
                " to ",
                Number(last, "value", row=frame.height - 1, unit=unit),
                " in ",
                Value(label_of(frame["period"][-1], period.label), bare=True),
                ".",
            ],
            query,
            (period.axis, measure),
            0.7 + 0.25 * abs(order),
        )
    top = int(values.arg_max() or 0)
    if summed and values.n_unique() > 2 and (values == values[top]).sum() == 1:
        yield Draft(
            InsightKind.PEAK,
            [
                *what,
                " was greatest in ",
                Value(label_of(frame["period"][top], period.label), bare=True),
                ": ",
                Number(float(values[top]), "value", row=top, unit=unit),
                ".",
            ],
            query,
            (period.axis, measure),
            0.5,
        )


def _correlation(table: Table, each: Correlation) -> Draft:
    one, other, coefficient = identifier(each.first), identifier(each.second), each.pearson or 0.0
    return Draft(
        InsightKind.CORRELATION,
        [
            Name(each.first),
            " and ",
            Name(each.second),
            " rise together" if coefficient > 0 else " move against each other",
            ": their correlation is ",
            Number(coefficient, "r", rule=NumberRule.COEFFICIENT),
            " in ",
            Number(each.count, "rows", rule=NumberRule.INTEGER, noun="row"),
            ".",
        ],
        f"SELECT CORR({one}, {other}) AS r, COUNT(*) AS rows FROM {identifier(table.name)} "
        f"WHERE {one} IS NOT NULL AND {other} IS NOT NULL",
        (each.first, each.second),
        0.6 + 0.3 * abs(coefficient),
    )


def _missing(table: Table) -> Iterator[Draft]:
    gaps = [
        (column, table.frame[column].null_count())
        for column, role in table.roles.items()
        if role != Role.EMPTY
        and table.columns[column].unreadable is None
        and table.columns[column].other_unit_rows is None
    ]
    for column_name, count in sorted(gaps, key=lambda gap: -gap[1])[:_MISSING_MAX]:
        if not count or count < 0.01 * table.height:
            continue
        column = identifier(column_name)
        yield Draft(
            InsightKind.MISSING,
            [
                Name(column_name),
                " is missing in ",
                Number(count, "missing", rule=NumberRule.INTEGER, noun="row"),
                ", ",
                Number(count / table.height, "share", rule=NumberRule.PERCENT),
                " of all.",
            ],
            f"SELECT COUNT(*) - COUNT({column}) AS missing, CAST(COUNT(*) - COUNT({column}) AS DOUBLE) / COUNT(*) AS "
            f"share "
            f"FROM {identifier(table.name)}",
            (column_name,),
            0.4 + 0.5 * count / table.height,
        )
