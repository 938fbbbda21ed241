"""Findings about columns together: strong correlations, keys, and columns that decide others."""

import math
from collections.abc import Iterator
from itertools import combinations, permutations

import polars as pl

from activities.insights.profile import Measured
from activities.insights.table import Table
from activities.insights.wording import clean, counted, name, names, number, rows_text
from schema.contracts.insights import Correlation, Figure, Finding, FindingKind, NumberRule, Role

CORRELATION_MIN = 0.7
_CORRELATED_ROWS_MIN = 12
_CORRELATIONS_TOLD = 20
_KEY_COLUMNS_MAX = 8
_DEPENDENT_COLUMNS_MAX = 12
_DETERMINANTS_MAX = 2_000
"""Distinct values of a column that may decide another."""
_REPEATS_MIN = 20
"""Rows in which a value of the deciding column stands again."""
_EXCEPTIONS_MAX = 0.02
_CHANCE_LOG_MAX = math.log(1e-6)


def together(table: Table, measured: Measured) -> Iterator[Finding]:
    """Yield what columns say together."""
    yield from _correlated(table, measured.correlations)
    yield from _keys(table)
    yield from _dependencies(table)


def strength(correlation: Correlation) -> tuple[float, str]:
    """Return the stronger of both coefficients, and its name."""
    pearson, spearman = correlation.pearson or 0.0, correlation.spearman or 0.0
    return (pearson, "Pearson") if abs(pearson) >= abs(spearman) - 0.05 else (spearman, "Spearman")


def is_strong(correlation: Correlation) -> bool:
    """Tell whether a correlation is worth a finding: strong, and beyond what so few rows give by chance."""
    coefficient, _ = strength(correlation)
    if correlation.count < _CORRELATED_ROWS_MIN or abs(coefficient) < CORRELATION_MIN:
        return False
    # Fisher's z against chance at 4.5 standard errors.
    return math.atanh(min(abs(coefficient), 0.999999)) * math.sqrt(correlation.count - 3) > 4.5 or (
        correlation.count < 30 and abs(coefficient) > 0.9
    )


def _correlated(table: Table, correlations: list[Correlation]) -> Iterator[Finding]:
    for each in [each for each in correlations if is_strong(each)][:_CORRELATIONS_TOLD]:
        coefficient, kind = strength(each)
        direction = "rise together" if coefficient > 0 else "move against each other"
        yield Finding(
            kind=FindingKind.CORRELATION,
            columns=(each.first, each.second),
            count=each.count,
            method="Pearson's and Spearman's coefficients over rows with both values",
            threshold=f"|r| >= {CORRELATION_MIN:g}",
            figures=tuple(
                Figure(name=label, value=clean(round(value, 4)))
                for label, value in (("Pearson", each.pearson), ("Spearman", each.spearman))
                if value is not None
            ),
            sentence=f"{name(each.first)} and {name(each.second)} {direction} ({kind}'s coefficient "
            f"{number(coefficient, NumberRule.COEFFICIENT)}).",
        )


def _keys(table: Table) -> Iterator[Finding]:
    if table.height < 2:
        return
    roles = (Role.IDENTIFIER, Role.CODE, Role.CATEGORY, Role.TIME, Role.YEAR)
    columns = [column for column in table.with_role(*roles) if not table.frame[column].null_count()]
    single = [column for column in columns if table.distinct[column] == table.height]
    if single:
        yield Finding(
            kind=FindingKind.CANDIDATE_KEY,
            columns=tuple(single),
            count=table.height,
            method="distinct values and gaps",
            sentence=f"{names(single)} {'is' if len(single) == 1 else 'are each'} a key: every row has a value of "
            f"its own.",
        )
        return
    repeated = [column for column in columns if table.distinct[column] > 1][:_KEY_COLUMNS_MAX]
    for first, second in combinations(repeated, 2):
        if table.distinct[first] * table.distinct[second] < table.height:
            continue
        if table.frame.select(pl.struct(first, second).n_unique()).item() == table.height:
            yield Finding(
                kind=FindingKind.CANDIDATE_KEY,
                columns=(first, second),
                count=table.height,
                method="distinct pairs of values and gaps",
                sentence=f"{name(first)} and {name(second)} together are a key: no pair of values occurs twice.",
            )
            return


def _dependencies(table: Table) -> Iterator[Finding]:
    """Find columns of which each value goes with one value of another, but for a few rows."""
    columns = [
        column
        for column in table.with_role(Role.CATEGORY, Role.CODE, Role.IDENTIFIER)
        if 2 <= table.distinct[column] <= _DETERMINANTS_MAX and table.distinct[column] * 2 <= table.height
    ][:_DEPENDENT_COLUMNS_MAX]
    told: set[frozenset[str]] = set()
    for first, second in permutations(columns, 2):
        if table.distinct[first] < table.distinct[second] or frozenset((first, second)) in told:
            continue
        found = _dependency(table, first, second)
        if found is not None:
            told.add(frozenset((first, second)))
            yield found


def _dependency(table: Table, first: str, second: str) -> Finding | None:
    pairs = table.frame.lazy().select(first, second).drop_nulls().group_by(first, second).agg(count=pl.len()).collect()
    total = int(pairs["count"].sum())
    groups = pairs.group_by(first).agg(most=pl.col("count").max(), all=pl.col("count").sum())
    exceptions = total - int(groups["most"].sum())
    repeats = total - groups.height
    shares = pairs.group_by(second).agg(pl.col("count").sum())["count"] / max(total, 1)
    baseline = 1 - float(shares.max())  # type: ignore[arg-type]
    agreeing = float((shares**2).sum())
    if repeats < _REPEATS_MIN or exceptions > _EXCEPTIONS_MAX * total or exceptions > 0.1 * baseline * total:
        return None
    if agreeing >= 1 or (repeats - 2 * exceptions) * math.log(agreeing) > _CHANCE_LOG_MAX:
        return None
    if not exceptions:
        return Finding(
            kind=FindingKind.DEPENDENCY,
            columns=(first, second),
            count=total,
            method="one value of the second per value of the first",
            figures=(Figure(name="values", value=groups.height), Figure(name="exceptions", value=0)),
            sentence=f"{name(first)} decides {name(second)}: each of its {counted(groups.height, 'value')} goes with "
            f"one "
            f"value of {name(second)} only.",
        )
    usual = (
        pairs.sort(["count", second], descending=[True, False])
        .unique(first, keep="first", maintain_order=True)
        .select(first, usual=second)
    )
    odd = table.frame.select(first, second).join(usual, on=first, how="left", maintain_order="left")
    indices = (odd[second] != odd["usual"]).fill_null(False).arg_true().to_list()
    rows = table.numbers_of(indices)
    return Finding(
        kind=FindingKind.DEPENDENCY,
        columns=(first, second),
        rows=rows,
        count=len(indices),
        method="one value of the second per value of the first, but for at most 2% of the rows",
        threshold="2%",
        figures=(Figure(name="values", value=groups.height), Figure(name="exceptions", value=exceptions)),
        sentence=f"{name(first)} decides {name(second)}, but for {counted(exceptions, 'row')} "
        f"({rows_text(rows, len(indices))}).",
        severity="warning",
    )
