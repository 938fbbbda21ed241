"""A table whose columns are understood, with the role of each; what every part of the analysis works on."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from activities.insights.columns import Column, typed_columns
from activities.insights.names import says
from activities.insights.raw import RawTable
from schema.contracts.insights import AnalysisOptions, ColumnType, Role, Unit
from schema.policies import DATA_ROWS_SHOWN_MAX

Ordered = npt.NDArray[np.float64]
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
    noun: str = ""
    """What the file, or its sheet, is called: `orders`, of orders.csv."""
    ordered: dict[str, Ordered] = field(default_factory=dict)
    """Numeric columns sorted, without gaps, until the measuring takes them."""

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

    def is_key(self, name: str) -> bool:
        """Tell whether each row has a value of its own in a column of names or identifiers."""
        text = self.columns[name].type == ColumnType.TEXT or self.roles[name] == Role.IDENTIFIER
        return text and self.height > 1 and self.distinct[name] >= 0.98 * self.height

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
        table.roles[column.name] = role_of(
            column, table.distinct[column.name], table.height, table.ordered.get(column.name)
        )
    return table


def _empty_rows(frame: pl.DataFrame) -> list[int]:
    """Return the rows in which nothing stands but spaces."""
    rows: pl.Series | None = None
    for column in sorted(frame.iter_columns(), key=lambda each: each.null_count()):
        cells = column if rows is None else column.gather(rows)
        blank = cells.is_null()
        if cells.dtype == pl.String:
            blank |= (cells.str.strip_chars() == "").fill_null(False)
        found = blank.arg_true()
        rows = found if rows is None else rows.gather(found)
        if not len(rows):
            return []
    return [] if rows is None else rows.to_list()


def _repeated_rows(frame: pl.DataFrame, empty: list[int]) -> list[int]:
    """Return the rows that are equal to an earlier one, cell for cell; empty ones do not count."""
    hashes = frame.hash_rows(seed=1).to_numpy()
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return []
    # Equal hashes are no proof: the few rows that share one are compared themselves.
    suspects = pl.Series(np.flatnonzero(np.isin(hashes, twice)))
    rows = frame[suspects.to_list()]
    again = suspects.filter(~_first_of_each(rows))
    absent = set(empty)
    return [index for index in again.to_list() if index not in absent]


def _first_of_each(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.struct(pl.all()).is_first_distinct()).to_series()


def _distinct(table: Table) -> dict[str, int]:
    """Count distinct values; numbers are sorted for it, and the sorted ones kept for who measures them."""
    counts: dict[str, int] = {}
    numeric = [name for name, column in table.columns.items() if column.numeric]
    # Sorting leaves the interpreter to another thread meanwhile.
    with ThreadPoolExecutor(1) as beside:
        halves = numeric[::2], numeric[1::2]
        sorting = beside.submit(lambda: [in_order(table.frame[name]) for name in halves[1]])
        table.ordered.update((name, in_order(table.frame[name])) for name in halves[0])
        table.ordered.update(zip(halves[1], sorting.result(), strict=True))
    for name, column in table.columns.items():
        values = table.frame[name]
        if column.numeric:
            ordered = table.ordered[name]
            exact = not values.dtype.is_integer() or not len(ordered) or max(abs(ordered[0]), abs(ordered[-1])) < 2**53
            if exact:
                counts[name] = int((ordered[1:] != ordered[:-1]).sum()) + int(len(ordered) > 0)
                continue
        counts[name] = values.n_unique() - int(values.null_count() > 0)
    return counts


def in_order(values: pl.Series) -> Ordered:
    """Return numbers sorted, without gaps; whole ones of a narrow range are counted instead."""
    filled = values.drop_nulls()
    if filled.dtype.is_integer() and len(filled):
        whole = filled.to_numpy()
        low, high = int(whole.min()), int(whole.max())
        if high - low <= len(whole) and max(abs(low), abs(high)) < 2**53:
            counts = np.bincount(whole.astype(np.int64, copy=False) - low)
            return np.repeat(np.arange(low, high + 1, dtype=np.float64), counts)
    return np.sort(filled.cast(pl.Float64).to_numpy())


def role_of(column: Column, distinct: int, height: int, ordered: Ordered | None = None) -> Role:
    """Tell what a column is for, by its type, its name and its values."""
    filled = height - column.values.null_count()
    if column.type == ColumnType.EMPTY or not filled:
        return Role.EMPTY
    if distinct == 1 and filled > 1:
        return Role.CONSTANT
    if column.temporal:
        return Role.TIME
    if column.numeric:
        return _role_of_numbers(column, distinct, filled, np.array([]) if ordered is None else ordered)
    if column.type == ColumnType.BOOLEAN:
        return Role.CATEGORY
    return _role_of_texts(column, distinct, filled)


def _role_of_numbers(column: Column, distinct: int, filled: int, ordered: Ordered) -> Role:
    values, name = column.values, column.name
    low, high, middle = float(ordered[0]), float(ordered[-1]), float(ordered[len(ordered) // 2])
    for role, bound in _COORDINATE.items():
        if says(name, role.value) and abs(middle) <= bound:
            return role
    if column.unit is not None:
        return Role.MEASURE
    if column.type == ColumnType.INTEGER:
        inside = (np.searchsorted(ordered, 2_200, side="right") - np.searchsorted(ordered, 1_800)) / len(ordered)
        plain = low >= 1_900 and high <= 2_100 and distinct <= 120
        if says(name, "year") and inside >= 0.95 and low >= 1_000:
            return Role.YEAR
        if inside >= 0.95 and plain and not says(name, "count") and not says(name, "amount"):
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
    digits, spaces = (int(sample.str.contains(sign).sum()) for sign in (r"\d", r"\s"))
    enough = digits > 0.95 * len(sample) and spaces < 0.05 * len(sample)
    return enough and sample.str.len_chars().n_unique() <= 4
