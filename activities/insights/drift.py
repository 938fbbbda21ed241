"""Findings about distributions that differ: between the earlier and the later half, and between named groups."""

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from activities.insights.names import says
from activities.insights.profile import Array
from activities.insights.series import time_columns
from activities.insights.table import Table
from activities.insights.wording import clean, name, number
from schema.contracts.insights import Figure, Finding, FindingKind, Role

PSI_MIN = 0.25
"""Population stability index from which a shift is called major (Siddiqi, Credit Risk Scorecards, 2006)."""
KS_MIN = 0.25
"""Kolmogorov-Smirnov distance; it must also be significant."""
SIGNIFICANCE = 1e-6
_BINS = 10
_ROWS_MIN = 40
"""Of each side."""
_GROUPS_MAX = 6
_VALUES_MAX = 30
_ROWS_COMPARED_MAX = 50_000


def drift(table: Table) -> Iterator[Finding]:
    """Yield columns whose distribution changes between halves of the table, or between its named groups."""
    if table.height < 2 * _ROWS_MIN:
        return
    halves = _halves(table)
    axis = next(iter(time_columns(table)), None)
    order = f"by {name(axis)}" if axis else "by the order of the rows"
    for column in table.measures():
        yield from _numbers(table, column, halves, f"the earlier and the later half ({order})")
    for column in table.with_role(Role.CATEGORY):
        yield from _categories(table, column, halves, f"the earlier and the later half ({order})")
    for group in table.with_role(Role.CATEGORY):
        if not says(group, "group") or not 2 <= table.distinct[group] <= _GROUPS_MAX:
            continue
        for column in table.measures():
            yield from _groups(table, group, column)


def _halves(table: Table) -> pl.Series:
    """Return True for rows of the later half: by time where there is time, else by order."""
    axes = time_columns(table)
    if axes:
        moments = table.frame[axes[0]]
        middle = moments.drop_nulls().sort()[(table.height - moments.null_count()) // 2]
        later: pl.Series = (moments >= middle).fill_null(False)
        if _ROWS_MIN <= int(later.sum()) <= table.height - _ROWS_MIN:
            return later
    return pl.Series(np.arange(table.height) >= table.height // 2)


def _numbers(table: Table, column: str, later: pl.Series, between: str) -> Iterator[Finding]:
    values = table.frame[column].cast(pl.Float64)
    before, after = _sorted(values.filter(~later)), _sorted(values.filter(later))
    yield from _compared(table, column, before, after, between, ())


def _groups(table: Table, group: str, column: str) -> Iterator[Finding]:
    values = table.frame[column].cast(pl.Float64)
    for value in table.frame[group].drop_nulls().unique().sort().to_list():
        inside = (table.frame[group] == value).fill_null(False)
        one, others = _sorted(values.filter(inside)), _sorted(values.filter(~inside))
        found = list(_compared(table, column, others, one, f"{name(group)} {name(value)} and all others", (group,)))
        if found:
            yield found[0]
            return


def _sorted(values: pl.Series) -> Array:
    filled = values.drop_nulls()
    filled = filled.gather_every(max(1, math.ceil(len(filled) / _ROWS_COMPARED_MAX)))
    return np.sort(filled.to_numpy())


def _compared(
    table: Table, column: str, before: Array, after: Array, between: str, groups: tuple[str, ...]
) -> Iterator[Finding]:
    if min(len(before), len(after)) < _ROWS_MIN:
        return
    distance = _ks(before, after)
    enough = math.sqrt(-math.log(SIGNIFICANCE / 2) / 2 * (1 / len(before) + 1 / len(after)))
    if distance < max(KS_MIN, enough):
        return
    index = _psi(before, after)
    if index < PSI_MIN:
        return
    unit = table.unit(column)
    symbol = unit.symbol if unit else None
    yield Finding(
        kind=FindingKind.DRIFT,
        columns=(column, *groups),
        count=1,
        method="population stability index over 10 quantile bins, and Kolmogorov-Smirnov distance",
        threshold=f"PSI >= {PSI_MIN:g}, D >= {KS_MIN:g}, p < {SIGNIFICANCE:g}",
        figures=(
            Figure(name="PSI", value=clean(round(index, 4))),
            Figure(name="D", value=clean(round(distance, 4))),
            Figure(name="median before", value=clean(float(np.median(before))), unit=symbol),
            Figure(name="median after", value=clean(float(np.median(after))), unit=symbol),
        ),
        sentence=f"The distribution of {name(column)} differs between {between}: PSI {number(round(index, 2))}, median "
        f"{number(float(np.median(before)))} against {number(float(np.median(after)))}.",
        severity="notice",
    )


def _ks(one: Array, other: Array) -> float:
    every = np.concatenate((one, other))
    first = np.searchsorted(one, every, side="right") / len(one)
    second = np.searchsorted(other, every, side="right") / len(other)
    return float(np.abs(first - second).max())


def _psi(before: Array, after: Array) -> float:
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = [
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + 0.5
        for values in (before, after)
    ]
    expected, actual = (share / share.sum() for share in shares)
    return float(((actual - expected) * np.log(actual / expected)).sum())


def _categories(table: Table, column: str, later: pl.Series, between: str) -> Iterator[Finding]:
    if not 2 <= table.distinct[column] <= _VALUES_MAX:
        return
    counts = (
        pl.DataFrame({"value": table.frame[column], "later": later})
        .drop_nulls()
        .group_by("value")
        .agg(before=(~pl.col("later")).sum(), after=pl.col("later").sum())
        .sort("value")
    )
    before, after = counts["before"].to_numpy().astype(float), counts["after"].to_numpy().astype(float)
    if min(before.sum(), after.sum()) < _ROWS_MIN:
        return
    expected = (before + after) / (before.sum() + after.sum())
    statistic = sum(
        float((((side - expected * side.sum()) ** 2) / (expected * side.sum())).sum()) for side in (before, after)
    )
    degrees = len(before) - 1
    # Wilson and Hilferty (1931): the cube root of chi-squared over its degrees is nearly normal.
    z = ((statistic / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
    shares = [(side + 0.5) / (side + 0.5).sum() for side in (before, after)]
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    if index < PSI_MIN or z < 4.9:
        return
    moved = int(np.argmax(np.abs(shares[1] - shares[0])))
    value = counts["value"][moved]
    yield Finding(
        kind=FindingKind.DRIFT,
        columns=(column,),
        count=1,
        method="population stability index over the values, and chi-squared test",
        threshold=f"PSI >= {PSI_MIN:g}, p < {SIGNIFICANCE:g}",
        figures=(Figure(name="PSI", value=clean(round(index, 4))), Figure(name="value", value=str(value)[:200])),
        sentence=f"The values of {name(column)} are distributed differently in {between}: PSI "
        f"{number(round(index, 2))}; "
        f"the share of {name(value)} changes most.",
        severity="notice",
    )
