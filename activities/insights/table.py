"""A table whose columns are understood, with the role of each; what every part of the analysis works on."""

import re
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from activities.insights.columns import Column, typed_columns
from activities.insights.names import says
from activities.insights.raw import RawTable
from schema.contracts.insights import AnalysisOptions, ColumnType, Role, Unit
from schema.policies import DATA_ROWS_SHOWN_MAX

CATEGORIES_MAX = 60
"""Distinct values of a text column that groups rows."""
_CATEGORY_REPEATS = 2.0
_FREE_TEXT_LENGTH = 60
_COORDINATE = {Role.LATITUDE: 90.0, Role.LONGITUDE: 180.0}


@dataclass
class Table:
    """One typed table."""

    name: str
    frame: pl.DataFrame
    columns: dict[str, Column]
    raw: RawTable
    """Without its frame's cells."""
    rows: pl.Series | None = None
    """Numbers of the rows in the file, where rows were dropped; else they follow `raw.first_row`."""
    empty_rows: list[int] = field(default_factory=list)
    """Indices."""
    duplicate_rows: list[int] = field(default_factory=list)
    """Indices of rows that repeat an earlier one."""
    dropped_empty: int = 0
    dropped_duplicate: int = 0
    roles: dict[str, Role] = field(default_factory=dict)
    distinct: dict[str, int] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """Return the number of rows."""
        return self.frame.height

    def numbers_of(self, indices: list[int]) -> tuple[int, ...]:
        """Return the numbers that rows have in the file, of the first few."""
        first = indices[:DATA_ROWS_SHOWN_MAX]
        if self.rows is not None:
            return tuple(int(self.rows[index]) for index in first)
        return tuple(self.raw.first_row + index for index in first)

    def with_role(self, *roles: Role) -> list[str]:
        """Return the columns of some roles, in the file's order."""
        return [name for name, role in self.roles.items() if role in roles]

    def measures(self) -> list[str]:
        """Return the columns that measure something."""
        return self.with_role(Role.MEASURE)

    def unit(self, name: str) -> Unit | None:
        """Return the unit of a column."""
        return self.columns[name].unit


def build(raw: RawTable, name: str, options: AnalysisOptions, units: dict[str, Unit]) -> Table:
    """Type the columns of a raw table, find empty and repeated rows, and drop them where that was asked for."""
    frame = raw.frame
    empty = _empty_rows(frame)
    repeated = _repeated_rows(frame, empty)
    rows: pl.Series | None = None
    dropped_empty = dropped_duplicate = 0
    if options.clean and (len(empty) or len(repeated)):
        keep = np.ones(frame.height, dtype=bool)
        keep[empty] = False
        keep[repeated] = False
        rows = pl.Series(np.flatnonzero(keep) + raw.first_row)
        raw.frame = frame.filter(pl.Series(keep))
        dropped_empty, dropped_duplicate = len(empty), len(repeated)
        empty, repeated = [], []
    del frame
    columns = typed_columns(raw, options, units)
    table = Table(
        name,
        pl.DataFrame([column.values for column in columns]),
        {column.name: column for column in columns},
        raw,
        rows,
    )
    table.empty_rows, table.duplicate_rows = empty, repeated
    table.dropped_empty, table.dropped_duplicate = dropped_empty, dropped_duplicate
    for column in columns:
        # The frame alone keeps the cells.
        column.values = table.frame[column.name]
    table.distinct = _distinct(table)
    for column in columns:
        table.roles[column.name] = role_of(column, table.distinct[column.name], table.height)
    return table


def _empty_rows(frame: pl.DataFrame) -> list[int]:
    """Return the rows in which nothing stands but spaces."""
    null = frame.select(
        pl.all_horizontal(
            (pl.col(name).is_null() | (pl.col(name).str.strip_chars() == ""))
            if dtype == pl.String
            else pl.col(name).is_null()
            for name, dtype in frame.schema.items()
        )
    ).to_series()
    return null.arg_true().to_list()


def _repeated_rows(frame: pl.DataFrame, empty: list[int]) -> list[int]:
    """Return the rows that are equal to an earlier one, cell for cell; empty ones do not count."""
    hashes = frame.hash_rows(seed=1)
    suspects = hashes.is_duplicated().arg_true()
    if not len(suspects):
        return []
    # Equal hashes are no proof: the few rows that share one are compared themselves.
    rows = frame[suspects.to_list()]
    again = suspects.filter(rows.is_duplicated() & ~_first_of_each(rows))
    absent = set(empty)
    return [index for index in again.to_list() if index not in absent]


def _first_of_each(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.struct(pl.all()).is_first_distinct()).to_series()


def _distinct(table: Table) -> dict[str, int]:
    counts = table.frame.select(pl.all().n_unique()).row(0)
    return {
        name: count - int(table.frame[name].null_count() > 0)
        for name, count in zip(table.frame.columns, counts, strict=True)
    }


def role_of(column: Column, distinct: int, height: int) -> Role:
    """Tell what a column is for, by its type, its name and its values."""
    filled = height - column.values.null_count()
    if column.type == ColumnType.EMPTY or not filled:
        return Role.EMPTY
    if distinct == 1 and filled > 1:
        return Role.CONSTANT
    if column.temporal:
        return Role.TIME
    if column.numeric:
        return _role_of_numbers(column, distinct, filled)
    if column.type == ColumnType.BOOLEAN:
        return Role.CATEGORY
    return _role_of_texts(column, distinct, filled)


def _role_of_numbers(column: Column, distinct: int, filled: int) -> Role:
    values, name = column.values, column.name
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    for role, bound in _COORDINATE.items():
        if says(name, role.value) and abs(values.median() or 0) <= bound:  # type: ignore[arg-type]
            return role
    if column.unit is not None:
        return Role.MEASURE
    if column.type == ColumnType.INTEGER:
        inside = values.is_between(1_800, 2_200).mean() or 0
        if (
            inside >= 0.95
            and (says(name, "year") or (distinct <= 300 and not says(name, "count") and not says(name, "amount")))
            and low >= 1_000
        ):
            if says(name, "year") or (high <= 2_100 and distinct <= 120 and low >= 1_900):
                return Role.YEAR
        named = says(name, "identifier")
        if named and (distinct >= 0.5 * filled or re.search(r"(?:\b|_)id$|Id$|ID$", name)):
            return Role.IDENTIFIER
        if says(name, "code") and not says(name, "amount"):
            return Role.CODE
        if distinct == filled >= 10 and _is_sequence(values):
            return Role.IDENTIFIER
        if low >= 10**8 and distinct >= 0.9 * filled and filled >= 10:
            return Role.IDENTIFIER
        if distinct == 2 and {low, high} == {0.0, 1.0}:
            return Role.CATEGORY
    return Role.MEASURE


def _is_sequence(values: pl.Series) -> bool:
    """Tell whether numbers count on, one by one, in the order of the rows."""
    steps = values.drop_nulls().diff().drop_nulls()
    return bool(steps.abs().max() == 1 and steps.n_unique() == 1)


def _role_of_texts(column: Column, distinct: int, filled: int) -> Role:
    name = column.name
    if column.type == ColumnType.TIME:
        return Role.CODE
    texts = column.values.drop_nulls()
    lengths = texts.str.len_chars()
    mean = float(lengths.mean() or 0)  # type: ignore[arg-type]
    if distinct >= 0.9 * filled and filled > 1:
        if mean > _FREE_TEXT_LENGTH or float(texts.head(500).str.count_matches(r"\s").mean() or 0) > 4:  # type: ignore[arg-type]
            return Role.FREE_TEXT
        if says(name, "identifier") or _looks_coded(texts):
            return Role.IDENTIFIER
        if distinct == filled or distinct > CATEGORIES_MAX:
            return (
                Role.CODE
                if says(name, "code")
                else Role.FREE_TEXT
                if mean > 25
                else Role.CATEGORY
                if distinct <= CATEGORIES_MAX
                else Role.CODE
            )
    if mean > _FREE_TEXT_LENGTH:
        return Role.FREE_TEXT
    if distinct <= max(CATEGORIES_MAX, 0) or distinct * _CATEGORY_REPEATS <= filled:
        if says(name, "identifier") and distinct > CATEGORIES_MAX:
            return Role.IDENTIFIER
        return Role.CODE if says(name, "code") else Role.CATEGORY
    return Role.CODE


def _looks_coded(texts: pl.Series) -> bool:
    """Tell whether texts have digits and one or two lengths, as made-up keys do."""
    sample = texts.head(2_000)
    digits = sample.str.contains(r"\d").mean() or 0
    spaces = sample.str.contains(r"\s").mean() or 0
    return bool(digits > 0.95 and spaces < 0.05 and sample.str.len_chars().n_unique() <= 4)
