"""The profile of a table: figures of each column, and correlations. Numbers are of all rows, unless it says
otherwise."""

import math
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl

from activities.insights.columns import Column
from activities.insights.table import Table, in_order
from schema.contracts.insights import ColumnProfile, ColumnType, Correlation, Role, Scalar, Statistics, TopValue
from schema.policies import DATA_CORRELATED_COLUMNS_MAX, DATA_CORRELATIONS_MAX, DATA_EXAMPLES_MAX

Array = npt.NDArray[np.float64]
TOP_VALUES = 10
RANKED_ROWS_MAX = 100_000
"""Spearman's coefficient of a longer table is that of so many rows, evenly spread."""
_TEXT_SHOWN = 200
_PIECE = 65_536
_TOP_OF_MEASURE = 200
"""A measure of more distinct values has no top values."""
_CORRELATED_ROWS_MIN = 5


@dataclass
class Numbers:
    """Figures of a numeric column that several parts need."""

    ordered: Array
    """Values that are not missing, sorted."""
    statistics: Statistics


@dataclass
class Measured:
    """What was computed once for all parts of the analysis."""

    numbers: dict[str, Numbers] = field(default_factory=dict)
    correlations: list[Correlation] = field(default_factory=list)


def measure(table: Table) -> Measured:
    """Compute the figures of all columns that measure something, and their correlations."""
    found = Measured()
    for name in table.with_role(Role.MEASURE, Role.LATITUDE, Role.LONGITUDE, Role.YEAR, Role.CONSTANT, Role.CATEGORY):
        if table.columns[name].numeric:
            found.numbers[name] = numbers_of(table.frame[name], table.ordered.pop(name, None))
    table.ordered.clear()
    found.correlations = correlations(table)
    return found


def numbers_of(values: pl.Series, ordered: Array | None = None) -> Numbers:
    """Return the figures of numbers; quartiles interpolate linearly (Hyndman and Fan's type 7).

    Args:
        ordered: the same, sorted, where that was done already.
    """
    if ordered is None:
        ordered = in_order(values)
    count = len(ordered)
    if not count:
        return Numbers(ordered, Statistics(count=0))
    q1, median, q3 = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    whole = values.dtype.is_integer()
    total = (
        float(values.cast(pl.Int128).sum())
        if whole
        else math.fsum(ordered)
        if count <= 10_000
        else float(ordered.sum())
    )
    statistics = Statistics(
        count=count,
        sum=finite(total),
        mean=finite(total / count),
        std=finite(float(ordered.std(ddof=1))) if count > 1 else None,
        min=finite(float(ordered[0])),
        q1=finite(q1),
        median=finite(median),
        q3=finite(q3),
        max=finite(float(ordered[-1])),
    )
    return Numbers(ordered, statistics)


def quantile(ordered: Array, share: float) -> float:
    """Return a quantile of sorted numbers."""
    position = (len(ordered) - 1) * share
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    below, above = float(ordered[low]), float(ordered[high])
    return below + (above - below) * (position - low)


def deviation(ordered: Array) -> float:
    """Return the median of the absolute deviations from the median (MAD) of sorted numbers, without sorting again.

    The deviations below the median and those above it are sorted already; the middle one of both is found by bisection.
    """
    median = quantile(ordered, 0.5)
    split = int(np.searchsorted(ordered, median, side="left"))
    below, above = median - ordered[:split][::-1], ordered[split:] - median
    wanted = (len(ordered) + 1) // 2
    low, high = max(0, wanted - len(above)), min(wanted, len(below))
    while low < high:
        taken = (low + high) // 2
        if below[taken] < above[wanted - taken - 1]:
            low = taken + 1
        else:
            high = taken
    last = [float(side[number - 1]) for side, number in ((below, low), (above, wanted - low)) if number]
    return max(last)


def finite(number: float | None) -> float | None:
    """Return a number as JSON can hold it; None: it is infinite, or none."""
    return number if number is not None and math.isfinite(number) else None


def json_safe(value: object) -> Scalar:
    """Return a value of a cell as JSON can hold it."""
    if value is None or isinstance(value, bool | int | str):
        return value[:_TEXT_SHOWN] if isinstance(value, str) else value
    if isinstance(value, float | Decimal):
        return finite(float(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)[:_TEXT_SHOWN]


def profile_of(table: Table, name: str, position: int, measured: Measured) -> ColumnProfile:
    """Describe one column."""
    column, values = table.columns[name], table.frame[name]
    missing = values.null_count() - _unreadable(column)
    filled = table.height - values.null_count()
    role, distinct = table.roles[name], table.distinct[name]
    dates = column.dates
    return ColumnProfile(
        name=name,
        position=position,
        renamed=table.raw.renamed.get(name),
        type=column.type,
        role=role,
        unit=column.unit,
        missing=missing,
        missing_share=missing / table.height if table.height else 0.0,
        null_spellings=tuple(spelling[:80] for spelling in list(column.nulls)[:DATA_EXAMPLES_MAX]),
        distinct=distinct,
        unique=distinct == table.height > 0,
        decimal_comma=column.decimal_comma,
        thousands=column.thousands,
        date_format=dates.format if dates else None,
        date_order=dates.order if dates else None,
        date_order_evidence=dates.evidence or None if dates else None,
        earliest=_iso(values.min()) if column.temporal and filled else None,
        latest=_iso(values.max()) if column.temporal and filled else None,
        statistics=measured.numbers[name].statistics if name in measured.numbers and role != Role.CATEGORY else None,
        length_max=int(values.str.len_chars().max()) if values.dtype == pl.String and filled else None,  # type: ignore[arg-type]
        top_values=_top_values(column, role, filled, distinct),
        unreadable=_unreadable(column),
    )


def _unreadable(column: Column) -> int:
    wrong = int(column.unreadable.sum()) if column.unreadable is not None else 0
    return wrong + (int(column.other_unit_rows.sum()) if column.other_unit_rows is not None else 0)


def _iso(value: object) -> str | None:
    return value.isoformat() if isinstance(value, date | datetime) else None


def _top_values(column: Column, role: Role, filled: int, distinct: int) -> tuple[TopValue, ...]:
    if role in (Role.IDENTIFIER, Role.FREE_TEXT, Role.EMPTY) or (
        role == Role.MEASURE and column.type == ColumnType.NUMBER
    ):
        return ()
    counts = column.values.drop_nulls().value_counts()
    value, count = counts.columns
    counts = counts.sort([count, value], descending=[True, False]).head(TOP_VALUES)
    if role == Role.MEASURE and counts.height and counts[count][0] * 50 < filled:
        return ()
    return tuple(
        TopValue(value=json_safe(each), count=number, share=number / filled) for each, number in counts.iter_rows()
    )


def correlations(table: Table) -> list[Correlation]:
    """Compare the measures pair by pair, strongest first; over the rows in which both have a value."""
    names = [name for name in table.measures() if table.distinct[name] > 2][:DATA_CORRELATED_COLUMNS_MAX]
    if len(names) < 2 or table.height < _CORRELATED_ROWS_MIN:
        return []
    gapless = [name for name in names if not table.frame[name].null_count()]
    pearson = _pearson_matrix([table.frame[name] for name in gapless])
    step = max(1, math.ceil(table.height / RANKED_ROWS_MAX))
    ranks = [pl.Series(name, _ranks(_array(table.frame[name].gather_every(step)))) for name in gapless]
    spearman = _pearson_matrix(ranks)
    # Those with gaps are few; each pair of them has rows of its own.
    columns = {name: _array(table.frame[name]) for name in names} if len(gapless) < len(names) else {}
    gaps = {name: np.isnan(values) for name, values in columns.items()}
    found: list[Correlation] = []
    for first, second in combinations(names, 2):
        if (first, second) in pearson:
            straight, ranked, count = pearson[first, second], spearman[first, second], table.height
        else:
            both = ~(gaps[first] | gaps[second])
            count = int(both.sum())
            if count < _CORRELATED_ROWS_MIN:
                continue
            one, other = columns[first][both], columns[second][both]
            straight = _pearson(one, other)
            ranked = _pearson(_ranks(one[::step]), _ranks(other[::step]))
        if straight is not None or ranked is not None:
            found.append(Correlation(first=first, second=second, pearson=straight, spearman=ranked, count=count))
    found.sort(key=lambda each: -max(abs(each.pearson or 0), abs(each.spearman or 0)))
    return found[:DATA_CORRELATIONS_MAX]


def _array(values: pl.Series) -> Array:
    if values.null_count():
        values = values.cast(pl.Float64).fill_null(float("nan"))
    return values.cast(pl.Float64).to_numpy()


def _pearson_matrix(columns: list[pl.Series]) -> dict[tuple[str, str], float | None]:
    """Correlate columns without gaps, piece by piece: centred products are added up, so that no copy of all is made."""
    names = [column.name for column in columns]
    if len(names) < 2:
        return {}
    means = np.array([float(column.mean()) for column in columns])  # type: ignore[arg-type]
    products = np.zeros((len(names), len(names)))
    for start in range(0, len(columns[0]), _PIECE):
        piece = (
            np.stack([column.slice(start, _PIECE).cast(pl.Float64).to_numpy() for column in columns]) - means[:, None]
        )
        products += piece @ piece.T
    lengths = np.sqrt(np.diag(products))
    found: dict[tuple[str, str], float | None] = {}
    for one, other in combinations(range(len(names)), 2):
        length = float(lengths[one] * lengths[other])
        coefficient = float(products[one, other]) / length if length > 0 and math.isfinite(length) else math.nan
        found[names[one], names[other]] = _bounded(coefficient)
    return found


def _pearson(one: Array, other: Array) -> float | None:
    one, other = one - one.mean(), other - other.mean()
    length = float(np.sqrt(np.dot(one, one)) * np.sqrt(np.dot(other, other)))
    return _bounded(float(np.dot(one, other)) / length) if length > 0 and math.isfinite(length) else None


def _bounded(coefficient: float) -> float | None:
    return max(-1.0, min(1.0, coefficient)) if math.isfinite(coefficient) else None


def _ranks(values: Array) -> Array:
    """Return ranks; equal values share the mean of theirs."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(np.concatenate((starts, [len(values)])))
    shared = np.repeat(starts + (lengths + 1) / 2, lengths)
    ranks = np.empty(len(values))
    ranks[order] = shared
    return ranks
