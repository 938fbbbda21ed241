"""Findings about the quality of a table: what is missing, repeated, mixed, misspelt, or was hard to read."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from activities.insights.cells import MOJIBAKE
from activities.insights.columns import Column
from activities.insights.names import says
from activities.insights.table import CATEGORIES_MAX, Table
from activities.insights.wording import counted, name, names, number, percent, rows_text
from schema.contracts.insights import ColumnType, DateOrder, Figure, Finding, FindingKind, Role
from schema.policies import DATA_EXAMPLES_MAX

_NOTICE_SHARE, _WARNING_SHARE = 0.05, 0.3
_KEY_SHARE_MIN = 0.9
"""A column with a key's name of which so many values are unique should be one."""
_UNNAMED_KEY_SHARE_MIN = 0.98
_SPELLINGS_MAX = 5_000
_SPELLING_WORDS = re.compile(r"[\W_]+")


def quality(table: Table) -> Iterator[Finding]:
    """Yield what is wrong with rows, header and columns."""
    yield from _rows(table)
    yield from _header(table)
    for column in table.columns.values():
        yield from _missing(table, column)
        yield from _mixed(table, column)
        yield from _date_order(column)
        if table.frame[column.name].dtype == pl.String:
            yield from _spellings(table, column)
    yield from _encoding(table)
    yield from _duplicate_keys(table)


def _rows(table: Table) -> Iterator[Finding]:
    if count := len(table.empty_rows):
        rows = table.numbers_of(table.empty_rows)
        yield Finding(
            kind=FindingKind.EMPTY_ROWS,
            rows=rows,
            count=count,
            method="rows in which no cell holds anything",
            figures=(Figure(name="rows", value=count),),
            sentence=f"{counted(count, 'row is', 'rows are')} empty ({rows_text(rows, count)}).",
            severity="notice",
        )
    if count := len(table.duplicate_rows):
        rows = table.numbers_of(table.duplicate_rows)
        yield Finding(
            kind=FindingKind.DUPLICATE_ROWS,
            rows=rows,
            count=count,
            method="rows equal to an earlier row in every cell, as it is written",
            figures=(Figure(name="rows", value=count), Figure(name="share", value=count / table.height)),
            sentence=f"{counted(count, 'row repeats', 'rows repeat')} an earlier row in every cell "
            f"({rows_text(rows, count)}).",
            severity="warning",
        )
    for indices, fewer in ((table.raw.long_rows, "more"), (table.raw.short_rows, "fewer")):
        if count := len(indices):
            rows = table.numbers_of(indices)
            lost = " What is beyond the last column was not read." if fewer == "more" else ""
            yield Finding(
                kind=FindingKind.RAGGED_ROWS,
                rows=rows,
                count=count,
                method="number of fields against the number of columns",
                figures=(Figure(name="rows", value=count),),
                sentence=f"{counted(count, 'row has', 'rows have')} {fewer} fields than the table has columns "
                f"({rows_text(rows, count)}).{lost}",
                severity="warning",
            )


def _header(table: Table) -> Iterator[Finding]:
    renamed = table.raw.renamed
    for reason, text in (("empty", "no name in the header"), ("duplicate", "a name that another column has, too")):
        columns = [column for column, why in renamed.items() if why == reason]
        if columns:
            shown = names(columns)
            yield Finding(
                kind=FindingKind.HEADER,
                columns=tuple(columns),
                count=len(columns),
                method="names of the header",
                figures=(Figure(name="columns", value=len(columns)),),
                sentence=f"{counted(len(columns), 'column has', 'columns have')} {text}; "
                f"{'it is' if len(columns) == 1 else 'they are'} called {shown} here.",
                severity="notice",
            )


def _missing(table: Table, column: Column) -> Iterator[Finding]:
    values = table.frame[column.name]
    if column.type == ColumnType.EMPTY:
        yield Finding(
            kind=FindingKind.EMPTY_COLUMN,
            columns=(column.name,),
            count=table.height,
            method="cells that hold something",
            sentence=f"The column {name(column.name)} holds nothing.",
            severity="warning",
        )
        return
    if table.roles[column.name] == Role.CONSTANT and table.height > 2:
        value = values.drop_nulls()[0]
        value = number(value) if column.numeric else value
        yield Finding(
            kind=FindingKind.CONSTANT_COLUMN,
            columns=(column.name,),
            count=table.height,
            method="distinct values",
            sentence=f"The column {name(column.name)} holds the same value {name(value)} wherever it holds one.",
        )
    absent = values.is_null()
    if column.unreadable is not None:
        absent &= ~column.unreadable
    if column.other_unit_rows is not None:
        absent &= ~column.other_unit_rows
    indices = absent.arg_true().to_list()
    if table.empty_rows:
        # What is missing because its whole row is empty is told once, of the row.
        empty = set(table.empty_rows)
        indices = [index for index in indices if index not in empty]
    if indices:
        share = len(indices) / table.height
        spelled = f" ({names(list(column.nulls))} among them)" if column.nulls else ""
        yield Finding(
            kind=FindingKind.MISSING_VALUES,
            columns=(column.name,),
            rows=table.numbers_of(indices),
            count=len(indices),
            method="empty cells and spellings of null, but for empty rows",
            figures=(Figure(name="cells", value=len(indices)), Figure(name="share", value=share)),
            sentence=f"{name(column.name)} is missing in {counted(len(indices), 'row')}, {percent(share)} of "
            f"all{spelled}.",
            severity="warning" if share >= _WARNING_SHARE else "notice" if share >= _NOTICE_SHARE else "info",
        )


def _mixed(table: Table, column: Column) -> Iterator[Finding]:
    if column.unreadable is not None:
        indices = column.unreadable.arg_true().to_list()
        rows, count = table.numbers_of(indices), len(indices)
        kind = {"number": "numbers", "integer": "whole numbers"}.get(column.type.value, f"{column.type.value}s")
        yield Finding(
            kind=FindingKind.MIXED_TYPES,
            columns=(column.name,),
            rows=rows,
            count=count,
            method="cells that are not of the type of at least 80% of the column",
            threshold="80%",
            figures=(Figure(name="cells", value=count),),
            sentence=f"{name(column.name)} holds {kind}, but {counted(count, 'cell is', 'cells are')} none "
            f"({names(column.unreadable_examples, 3)}; {rows_text(rows, count)}); "
            f"{'it is' if count == 1 else 'they are'} left out of what is computed.",
            severity="warning",
        )
    if column.other_units and column.other_unit_rows is not None and column.unit is not None:
        indices = column.other_unit_rows.arg_true().to_list()
        rows, count = table.numbers_of(indices), len(indices)
        others = ", ".join(f"{symbol} ({number:,})" for symbol, number in list(column.other_units.items())[:5])
        yield Finding(
            kind=FindingKind.MIXED_UNITS,
            columns=(column.name,),
            rows=rows,
            count=count,
            method="units beside the numbers",
            figures=(Figure(name="cells", value=count),),
            sentence=f"{name(column.name)} is mostly in {column.unit.symbol}, but "
            f"{counted(count, 'cell is', 'cells are')} "
            f"in another unit: {others}; {'it is' if count == 1 else 'they are'} left out of what is computed.",
            severity="warning",
        )


def _date_order(column: Column) -> Iterator[Finding]:
    dates = column.dates
    if dates is None or dates.order not in (DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST):
        return
    if dates.ambiguous:
        first = "day" if dates.order == DateOrder.DAY_FIRST else "month"
        yield Finding(
            kind=FindingKind.DATE_ORDER,
            columns=(column.name,),
            count=len(column.values) - column.values.null_count(),
            method="numbers above 12, order of the rows, separators",
            threshold="none of them decides",
            sentence=f"The dates of {name(column.name)} could have the day or the month first, and nothing in the file "
            f"decides; they were read with the {first} first. Name the order to be sure.",
            severity="warning",
        )


def _spellings(table: Table, column: Column) -> Iterator[Finding]:
    """Find values that differ only in case, spaces, accents or punctuation."""
    role = table.roles[column.name]
    if role not in (Role.CATEGORY, Role.CODE, Role.CONSTANT) or table.distinct[column.name] > _SPELLINGS_MAX:
        return
    counts = column.values.drop_nulls().value_counts(sort=True)
    by_plain: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for value, count in counts.iter_rows():
        by_plain[_plain(value)].append((value, count))
    variants = [group for group in by_plain.values() if len(group) > 1 and len({value for value, _ in group}) > 1]
    if not variants or (
        role == Role.CODE
        and counts.height > CATEGORIES_MAX
        and sum(len(group) for group in variants) > 0.5 * counts.height
    ):
        return
    rare = [value for group in variants for value, _ in group[1:]]
    indices = column.values.is_in(rare).fill_null(False).arg_true().to_list()
    shown = "; ".join(
        f"{name(group[0][0])} and {names([repr(value)[1:-1] for value, _ in group[1:]], 3)}" for group in variants[:3]
    )
    yield Finding(
        kind=FindingKind.SPELLINGS,
        columns=(column.name,),
        rows=table.numbers_of(indices),
        count=len(indices),
        method="values equal but for case, spaces, accents and punctuation",
        figures=(Figure(name="values", value=len(variants)), Figure(name="rows", value=len(indices))),
        sentence=f"{name(column.name)} spells {counted(len(variants), 'value')} in several ways, in "
        f"{counted(len(indices), 'row')}: {shown}. They are counted apart.",
        severity="warning",
    )


def _plain(value: str) -> str:
    folded = unicodedata.normalize("NFKD", value.casefold())
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    joined = _SPELLING_WORDS.sub(" ", bare).strip()
    # What has only signs or digits beside each other (`1-2` and `12`) is told apart by them.
    return joined if any(letter.isalpha() for letter in joined) else value


def _encoding(table: Table) -> Iterator[Finding]:
    if table.raw.broken_bytes:
        count = table.raw.broken_bytes
        yield Finding(
            kind=FindingKind.ENCODING,
            count=count,
            method="bytes that are not UTF-8 in a file that otherwise is",
            figures=(Figure(name="bytes", value=count),),
            sentence=f"The file is UTF-8 but for {counted(count, 'byte')}, read as Windows-1252: parts of it come from "
            "another encoding.",
            severity="warning",
        )
    for column in table.columns.values():
        if table.frame[column.name].dtype != pl.String:
            continue
        values = column.values
        spelled = values.drop_nulls().unique()
        wrong = spelled.filter(spelled.str.contains(MOJIBAKE))
        indices = values.is_in(wrong.implode()).fill_null(False).arg_true().to_list() if len(wrong) else []
        if indices:
            rows, count = table.numbers_of(indices), len(indices)
            yield Finding(
                kind=FindingKind.ENCODING,
                columns=(column.name,),
                rows=rows,
                count=count,
                method="letters as they come of UTF-8 read as Windows-1252, and replacement characters",
                figures=(Figure(name="cells", value=count),),
                sentence=f"{name(column.name)} holds letters that were decoded wrongly before the file was written, in "
                f"{counted(count, 'row')} ({name(values[indices[0]])} in row {rows[0]}).",
                severity="warning",
            )


def _duplicate_keys(table: Table) -> Iterator[Finding]:
    """Find values that stand twice in a column that else is a key; rows that are repeated whole are told apart."""
    repeated = set(table.duplicate_rows)
    for column_name, role in table.roles.items():
        distinct, values = table.distinct[column_name], table.frame[column_name]
        filled = table.height - values.null_count()
        if role not in (Role.IDENTIFIER, Role.CODE) or distinct == filled or filled < 10:
            continue
        named = says(column_name, "identifier")
        if says(column_name, "code") and not named:
            # What places, telephones and accounts are coded by may repeat.
            continue
        if distinct < (_KEY_SHARE_MIN if named else _UNNAMED_KEY_SHARE_MIN) * (filled - len(repeated)):
            continue
        twice = (values.is_duplicated() & values.is_not_null() & ~values.is_first_distinct()).arg_true().to_list()
        twice = [index for index in twice if index not in repeated]
        if not twice:
            continue
        rows, count = table.numbers_of(twice), len(twice)
        examples = list(dict.fromkeys(str(values[index]) for index in twice[:DATA_EXAMPLES_MAX]))
        yield Finding(
            kind=FindingKind.DUPLICATE_KEYS,
            columns=(column_name,),
            rows=rows,
            count=count,
            method="values that stand twice in a column that is a key but for them",
            threshold="90% unique (98% by any name)",
            figures=(Figure(name="rows", value=count),),
            sentence=f"{name(column_name)} looks like a key, but {counted(count, 'row repeats', 'rows repeat')} a "
            f"value of "
            f"an earlier row ({names(examples, 3)}; {rows_text(rows, count)}).",
            severity="warning",
        )
