"""Findings about single values: outliers by two methods, values that cannot be, dates in the wrong order."""

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import permutations
from statistics import NormalDist

import numpy as np
import polars as pl

from activities.insights.names import says
from activities.insights.profile import Array, Measured, deviation, quantile
from activities.insights.table import Table
from activities.insights.wording import clean, counted, name, number, percent, rows_text, with_unit
from schema.contracts.insights import ColumnType, Figure, Finding, FindingKind, Role

IQR_FACTOR = 1.5
ROBUST_Z_MIN = 3.5
"""Iglewicz and Hoaglin (1993), raised with the number of values so that chance alone seldom reaches it."""
CHANCE_MAX = 0.01
"""Values beyond the threshold that a normal distribution of the column's length would have."""
_MAD_TO_SIGMA = 1.4826
_ROWS_MIN = 12
_DISTINCT_MIN = 5
_RARE_SHARE = 0.05
"""What more of a column's values break is no error but how the column is."""
_PLACEHOLDERS = (
    date(1, 1, 1),
    date(1899, 12, 30),
    date(1899, 12, 31),
    date(1900, 1, 1),
    date(1970, 1, 1),
    date(9999, 12, 31),
)
_AGE_MAX = 130
_ORDERED_SHARE_MIN = 0.95
_PAIRS_MAX = 30


def robust_threshold(count: int) -> float:
    """Return the robust z-score from which a value counts as an outlier among `count` values."""
    return max(ROBUST_Z_MIN, -NormalDist().inv_cdf(CHANCE_MAX / (2 * max(count, 2))))


def outliers(table: Table, measured: Measured) -> Iterator[Finding]:
    """Yield the columns with values beyond Tukey's fences and beyond the robust z-score, both."""
    for column in table.measures():
        numbers = measured.numbers[column]
        ordered = numbers.ordered
        if len(ordered) < _ROWS_MIN or table.distinct[column] < _DISTINCT_MIN:
            continue
        scale, transformed = _scale(ordered)
        threshold = robust_threshold(len(ordered))
        bounds = [_limits(ordered, threshold), _limits(transformed, threshold)]
        if None in bounds:
            continue
        (lowest, highest), (low, high) = (each for each in bounds if each is not None)
        # A power makes one tail shorter and the other longer: what lies outside must do so by the values themselves,
        # too.
        lower, upper = min(lowest, _BACK[scale](low)), max(highest, _BACK[scale](high))
        fenced = _fenced(ordered)
        if ordered[0] >= lower and ordered[-1] <= upper:
            continue
        values = table.frame[column]
        beyond = ((values < lower) | (values > upper)).fill_null(False)
        indices = beyond.arg_true().to_list()
        if not indices or len(indices) > _RARE_SHARE * len(ordered) + 1:
            continue
        found = values.gather(indices)
        extreme = max(found.to_list(), key=lambda value: abs(float(value) - numbers.statistics.median))  # type: ignore[operator]
        unit = table.unit(column)
        rows, count = table.numbers_of(indices), len(indices)
        yield Finding(
            kind=FindingKind.OUTLIERS,
            columns=(column,),
            rows=rows,
            count=count,
            method=f"beyond the fences of {IQR_FACTOR} interquartile ranges and beyond the robust z-score (median, "
            f"MAD), of "
            f"the {scale}",
            threshold=f"|z| > {threshold:.2f}",
            figures=(
                Figure(name="outliers", value=count),
                Figure(name="beyond the fences of the values", value=fenced),
                Figure(name="lower bound", value=clean(lower), unit=unit.symbol if unit else None),
                Figure(name="upper bound", value=clean(upper), unit=unit.symbol if unit else None),
                Figure(name="farthest", value=float(extreme), unit=unit.symbol if unit else None),
                Figure(name="median", value=numbers.statistics.median, unit=unit.symbol if unit else None),
            ),
            sentence=f"{name(column)} has {counted(count, 'outlier')} ({rows_text(rows, count)}); the farthest is "
            f"{with_unit(number(extreme), unit)}, where the median is "
            f"{with_unit(number(numbers.statistics.median or 0), unit)}.",
            severity="warning",
        )


def _limits(ordered: Array, threshold: float) -> tuple[float, float] | None:
    """Return what lies within the fences or the robust z-score, whichever is wider; None: there is no spread."""
    low, high, center, sigma = _bounds(ordered)
    return (min(low, center - threshold * sigma), max(high, center + threshold * sigma)) if sigma > 0 else None


def _fenced(ordered: Array) -> int:
    """Count the values beyond Tukey's fences."""
    low, high, _, _ = _bounds(ordered)
    return (
        int(np.searchsorted(ordered, low, side="left"))
        + len(ordered)
        - int(np.searchsorted(ordered, high, side="right"))
    )


_LADDER: dict[str, Callable[[Array], Array]] = {
    "values": lambda values: values,
    "square root": np.sqrt,
    "cube root": np.cbrt,
    "logarithm": np.log,
}


def _scale(ordered: Array) -> tuple[str, Array]:
    """Choose the power of the values whose middle is most symmetric (Tukey's ladder); no power of negative values."""
    middle = np.array([quantile(ordered, share) for share in (0.1, 0.5, 0.9)])
    if ordered[0] < 0 or _skew(middle) <= 0.1:
        return "values", ordered
    powers = [power for power in _LADDER if power != "logarithm" or ordered[0] > 0]
    best = min(powers, key=lambda power: abs(_skew(_LADDER[power](middle))))
    return best, _LADDER[best](ordered)


_BACK: dict[str, Callable[[float], float]] = {
    "values": lambda value: value,
    "square root": lambda value: max(value, 0.0) ** 2,
    "cube root": lambda value: value**3,
    "logarithm": math.exp,
}


def _skew(middle: Array) -> float:
    """Return Bowley's skewness of the middle 80%, by its ends and the median: outliers do not move it."""
    low, median, high = (float(value) for value in middle)
    return (high + low - 2 * median) / (high - low) if high > low else 0.0


def _bounds(ordered: Array) -> tuple[float, float, float, float]:
    """Return both fences, the median and the robust standard deviation."""
    q1, median, q3 = (quantile(ordered, share) for share in (0.25, 0.5, 0.75))
    spread = q3 - q1
    sigma = max(_MAD_TO_SIGMA * deviation(ordered), spread / 1.349)
    return q1 - IQR_FACTOR * spread, q3 + IQR_FACTOR * spread, median, sigma


def impossible(table: Table, as_of: date | None) -> Iterator[Finding]:
    """Yield values that cannot be: negative where nothing is, percentages and coordinates out of range, dates."""
    for column_name, role in table.roles.items():
        column, values = table.columns[column_name], table.frame[column_name]
        if column.numeric and role not in (Role.IDENTIFIER, Role.EMPTY):
            for wrong, why, bound in _wrong_numbers(table, column_name, values):
                yield from _impossible(table, column_name, wrong, why, bound)
        elif column.temporal:
            for wrong, why, bound in _wrong_dates(column_name, values, as_of):
                yield from _impossible(table, column_name, wrong, why, bound)


def _wrong_numbers(table: Table, column: str, values: pl.Series) -> Iterator[tuple[pl.Series, str, str]]:
    role, unit = table.roles[column], table.unit(column)
    low, high = float(values.min() or 0), float(values.max() or 0)  # type: ignore[arg-type]
    if role == Role.LATITUDE or (says(column, "latitude") and role == Role.MEASURE):
        if low < -90 or high > 90:
            yield values.abs() > 90, "lie beyond 90 degrees", "-90 to 90"
        return
    if role == Role.LONGITUDE or (says(column, "longitude") and role == Role.MEASURE):
        if low < -180 or high > 180:
            yield values.abs() > 180, "lie beyond 180 degrees", "-180 to 180"
        return
    signed = says(column, "signed")
    if says(column, "age") and not signed and (unit is None or unit.kind == "physical"):
        if high > _AGE_MAX and float(values.median() or 0) < 110:  # type: ignore[arg-type]
            yield values > _AGE_MAX, f"are ages above {_AGE_MAX}", f"0 to {_AGE_MAX}"
        if low < 0:
            yield values < 0, "are negative ages", f"0 to {_AGE_MAX}"
        return
    percentage = unit is not None and unit.symbol == "%"
    if percentage and not signed:
        if low < 0 or high > 100:
            yield (values < 0) | (values > 100), "are percentages out of 0 to 100", "0 to 100"
        return
    if not percentage and says(column, "share") and not signed and column_is_share(values) and (low < 0 or high > 1):
        yield (values < 0) | (values > 1), "are shares out of 0 to 1", "0 to 1"
        return
    if (
        low < 0
        and not signed
        and (any(says(column, topic) for topic in ("count", "amount", "size")) or _stray(values, low))
    ):
        yield values < 0, "are negative", "0 or more"


def _stray(values: pl.Series, low: float) -> bool:
    """Tell whether negative values stand apart: a tail that reaches below zero has as many values just above it."""
    negative = int((values < 0).sum())
    mirrored = int(values.is_between(0, -low, closed="left").sum())
    return negative <= max(3, 0.01 * len(values)) and mirrored >= 20 * negative


def column_is_share(values: pl.Series) -> bool:
    """Tell whether nearly all numbers lie between 0 and 1, and some between them."""
    inside = values.is_between(0, 1)
    enough = int(inside.sum()) >= (1 - _RARE_SHARE) * (len(values) - values.null_count())
    return enough and values.filter(inside.fill_null(False)).n_unique() > 2


def _wrong_dates(column: str, values: pl.Series, as_of: date | None) -> Iterator[tuple[pl.Series, str, str]]:
    days = values.dt.date() if values.dtype != pl.Date else values
    placeholder = days.is_in(list(_PLACEHOLDERS)).fill_null(False)
    if placeholder.any():
        others = days.filter(~placeholder & days.is_not_null())
        nearest = {
            day
            for day in _PLACEHOLDERS
            if any(abs((day - other).days) < 1_500 for other in (others.min(), others.max()) if isinstance(other, date))
        }
        placeholder &= ~days.is_in(list(nearest)).fill_null(False)
        if placeholder.any():
            yield placeholder, "are dates that stand for none", "1900-01-01, 1970-01-01, 9999-12-31 and the like"
    if as_of is not None and not says(column, "due"):
        future = (days > as_of).fill_null(False) & ~placeholder
        if future.any():
            yield future, f"lie after {as_of.isoformat()}", f"up to {as_of.isoformat()}"
    earliest = days.min()
    if says(column, "start") and isinstance(earliest, date) and earliest < date(1850, 1, 1):
        yield (days < date(1850, 1, 1)).fill_null(False) & ~placeholder, "lie before 1850", "1850 or later"


def _impossible(table: Table, column: str, wrong: pl.Series, why: str, bound: str) -> Iterator[Finding]:
    indices = wrong.fill_null(False).arg_true().to_list()
    filled = table.height - table.frame[column].null_count()
    if not indices or len(indices) > max(1, _RARE_SHARE * filled):
        return
    rows, count = table.numbers_of(indices), len(indices)
    unit = table.unit(column)
    first = table.frame[column][indices[0]]
    shown = first.isoformat() if isinstance(first, date | datetime) else with_unit(number(first), unit)
    noun = "date" if table.columns[column].temporal else "value"
    yield Finding(
        kind=FindingKind.IMPOSSIBLE_VALUES,
        columns=(column,),
        rows=rows,
        count=count,
        method="what a column of this name, unit and type can hold, where at most 5% break it",
        threshold=bound,
        figures=(Figure(name="values", value=count), Figure(name="first", value=shown)),
        sentence=f"{counted(count, noun)} of {name(column)} {_agree(why, count)}, which cannot be ({shown} in row "
        f"{rows[0]}).",
        severity="warning",
    )


def _agree(why: str, count: int) -> str:
    if count != 1:
        return why
    verb, _, rest = why.partition(" ")
    rest = rest.replace("ages", "an age").replace("percentages", "a percentage").replace("shares", "a share")
    rest = rest.replace("negative an age", "a negative age").replace("dates that stand", "a date that stands")
    return f"{'is' if verb == 'are' else 'lies'} {rest}"


def order_of_dates(table: Table) -> Iterator[Finding]:
    """Yield pairs of dates of which the second nearly always follows the first, but not in every row."""
    dates = [column for column in table.with_role(Role.TIME) if table.columns[column].temporal]
    checked = 0
    for first, second in permutations(dates, 2):
        if says(second, "start") and not says(second, "end"):
            continue
        named = says(first, "start") and says(second, "end")
        checked += 1
        if checked > _PAIRS_MAX:
            return
        before, after = table.frame[first].cast(pl.Datetime("us")), table.frame[second].cast(pl.Datetime("us"))
        if ColumnType.DATE in (table.columns[first].type, table.columns[second].type):
            before, after = before.dt.date(), after.dt.date()
        both = (before.is_not_null() & after.is_not_null()).sum()
        wrong = (after < before).fill_null(False)
        indices = wrong.arg_true().to_list()
        share = 1 - len(indices) / both if both else 0.0
        if (
            not indices
            or both < 10
            or share < (0.85 if named else _ORDERED_SHARE_MIN)
            or not _follows(before, after, named)
        ):
            continue
        rows, count = table.numbers_of(indices), len(indices)
        yield Finding(
            kind=FindingKind.ORDER_OF_DATES,
            columns=(first, second),
            rows=rows,
            count=count,
            method="rows in which a date lies before one that it follows in at least 95% of the rows (85% by their "
            "names)",
            threshold=percent(_ORDERED_SHARE_MIN),
            figures=(Figure(name="rows", value=count), Figure(name="in order", value=float(share))),
            sentence=f"{name(second)} lies before {name(first)} in {counted(count, 'row')} "
            f"({rows_text(rows, count)}); in "
            "all others it does not.",
            severity="warning",
        )


def _follows(before: pl.Series, after: pl.Series, named: bool) -> bool:
    """Tell whether two dates belong together: the time between them is short against the time that all cover."""
    if named:
        return True
    between = (after.cast(pl.Datetime("us")) - before.cast(pl.Datetime("us"))).median()
    low, high = before.cast(pl.Datetime("us")).min(), before.cast(pl.Datetime("us")).max()
    if not isinstance(between, timedelta) or not isinstance(low, datetime) or not isinstance(high, datetime):
        return False
    return between < (high - low) * 0.5
