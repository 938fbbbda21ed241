"""Moments put together: which period suits a time axis, and a measure by it, as a query and as an expression."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from activities.insights.series import time_columns
from activities.insights.sql import identifier, literal
from activities.insights.table import Table
from schema.contracts.insights import Role

PERIODS_MIN = 6


@dataclass(frozen=True)
class Period:
    """How moments are put together."""

    label: str
    """`month`, `year` ..."""
    axis: str
    expression: str
    """SQL."""
    low: str | None = None
    high: str | None = None
    """Bounds (SQL literals) that leave incomplete periods out; from `low` on, before `high`."""


def period_of(table: Table) -> Period | None:
    """Choose how to put moments together, so that there are at least six periods; None: there is no time axis."""
    axis = next(iter(time_columns(table)), None)
    if axis is None:
        return None
    column = identifier(axis)
    moments = table.frame[axis].drop_nulls()
    if table.roles[axis] == Role.YEAR:
        return Period("year", axis, column) if moments.n_unique() >= PERIODS_MIN else None
    first, last = moments.min(), moments.max()
    if not isinstance(first, date) or not isinstance(last, date):
        return None
    days = (last - first).days
    for label, length in (("year", 365.25), ("month", 30.4), ("week", 7.0), ("day", 1.0)):
        if days >= length * (PERIODS_MIN + (2 if label == "year" else 0)):
            low, high = _complete(moments, label, first, last)
            return Period(label, axis, f"DATE_TRUNC('{label}', {column})", low, high)
    return None


def _complete(moments: pl.Series, label: str, first: date, last: date) -> tuple[str | None, str | None]:
    """Return bounds that leave the first and the last period out where the data begins or ends within it."""
    if label == "day":
        return None, None
    every = {"year": "1y", "month": "1mo", "week": "1w"}[label]
    edges = pl.Series([first, last], dtype=moments.dtype).cast(pl.Datetime("us"))
    starts = edges.dt.truncate(every)
    following = starts.dt.offset_by(every)
    # Data by the month may stand at any day of it; data by the day is complete up to a few days.
    distinct = moments.dt.truncate(every).n_unique() if moments.dtype == pl.Date else 0
    if moments.n_unique() == distinct:
        return None, None
    slack = {"year": timedelta(days=10), "month": timedelta(days=2), "week": timedelta(days=1)}[label]
    low = following[0] if edges[0] - starts[0] > slack else None
    high = starts[1] if following[1] - edges[1] - timedelta(days=1) > slack else None
    return (_date_literal(low) if low else None), (_date_literal(high) if high else None)


def _date_literal(moment: datetime) -> str:
    return f"CAST({literal(moment.date().isoformat())} AS DATE)"


def period_query(table: Table, period: Period, measure: str, *, summed: bool) -> str:
    """Return the query of one value per period."""
    axis = identifier(period.axis)
    bounds = [f"{axis} IS NOT NULL", f"{identifier(measure)} IS NOT NULL"]
    bounds += [f"{axis} >= {period.low}"] if period.low else []
    bounds += [f"{axis} < {period.high}"] if period.high else []
    aggregate = f"{'SUM' if summed else 'AVG'}({identifier(measure)})"
    return (
        f"SELECT {period.expression} AS period, {aggregate} AS value FROM {identifier(table.name)} "
        f"WHERE {' AND '.join(bounds)} GROUP BY period ORDER BY period"
    )


def by_period(table: Table, period: Period, measure: str, *, summed: bool) -> pl.DataFrame:
    """Return the same, computed with expressions: `period`, `value`."""
    moment = pl.col(period.axis)
    frame = table.frame.lazy().select(period.axis, measure).drop_nulls()
    for bound, later in ((period.low, True), (period.high, False)):
        if bound:
            day = date.fromisoformat(bound[6:16])
            frame = frame.filter(moment >= day if later else moment < day)
    every = {"year": "1y", "month": "1mo", "week": "1w", "day": "1d"}[period.label]
    key = moment if table.roles[period.axis] == Role.YEAR else moment.dt.truncate(every)
    value = pl.col(measure).sum() if summed else pl.col(measure).mean()
    return frame.group_by(key.alias("period")).agg(value=value).sort("period").collect()


def label_of(moment: object, label: str) -> str:
    """Return a period as it stands in a sentence."""
    if isinstance(moment, date | datetime):
        return moment.isoformat()[: {"year": 4, "month": 7}.get(label, 10)]
    return str(moment)
