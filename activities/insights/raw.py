"""A table as its file holds it, before its cells are understood; and the names of its columns."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from schema.contracts.insights import DataFormat
from schema.errors import PayloadTooLarge
from schema.policies import (
    DATA_CELL_CHARACTERS_MAX,
    DATA_CELLS_MAX,
    DATA_COLUMNS_MAX,
    DATA_NAME_LENGTH_MAX,
    DATA_ROWS_MAX,
    DATA_VALUES_BYTES_MAX,
)

_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


@dataclass
class RawTable:
    """One table of a file."""

    frame: pl.DataFrame
    """Columns of texts are still to be understood; others are typed by the format itself."""
    format: DataFormat
    sheet: str | None = None
    first_row: int = 1
    """Number of the first row of `frame` in the file."""
    header: bool = True
    header_row: int | None = None
    skipped_rows: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    """Column -> why its name is not the file's."""
    encoding: str | None = None
    encoding_evidence: str | None = None
    delimiter: str | None = None
    flattened: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    long_rows: list[int] = field(default_factory=list)
    """Indices of rows with more fields than the table has columns; what is beyond was not read."""
    short_rows: list[int] = field(default_factory=list)
    broken_bytes: int = 0
    """Bytes that are not of the file's encoding."""


def named(names: Sequence[object]) -> tuple[list[str], dict[str, str]]:
    """Return names that are unique, visible and not empty; and which of them were given, and why."""
    cleaned = [_cleaned(name) for name in names]
    taken = {name for name in cleaned if name}
    out: list[str] = []
    why: dict[str, str] = {}
    seen: set[str] = set()
    for position, name in enumerate(cleaned, 1):
        reason = "" if name else "empty"
        chosen = name or f"column_{position}"
        number = 2
        while chosen in seen or (reason and chosen in taken):
            reason = reason or "duplicate"
            chosen = f"{name or f'column_{position}'}_{number}"
            number += 1
        seen.add(chosen)
        taken.add(chosen)
        out.append(chosen)
        if reason:
            why[chosen] = reason
    return out, why


def _cleaned(name: object) -> str:
    text = unicodedata.normalize("NFC", _UNSHOWN.sub(" ", "" if name is None else str(name)))
    return " ".join(text.split())[:DATA_NAME_LENGTH_MAX].strip()


def check_size(rows: int, columns: int) -> None:
    """Refuse a table that is larger than is read.

    Raises:
        PayloadTooLarge: by its rows, columns or cells; the detail tells the limit.
    """
    if columns > DATA_COLUMNS_MAX:
        raise PayloadTooLarge(
            f"The table has {columns:,} columns; at most {DATA_COLUMNS_MAX} are read. Keep those that matter, or turn "
            "columns into rows.",
            limit=DATA_COLUMNS_MAX,
        )
    if rows > DATA_ROWS_MAX:
        raise PayloadTooLarge(
            f"The table has more than {DATA_ROWS_MAX:,} rows. Split it, or aggregate it first.", limit=DATA_ROWS_MAX
        )
    if rows * columns > DATA_CELLS_MAX:
        raise PayloadTooLarge(
            f"The table has {rows:,} x {columns:,} cells; at most {DATA_CELLS_MAX:,} are read. Split it.",
            limit=DATA_CELLS_MAX,
        )


def rows_max(columns: int) -> int:
    """Return how many rows a table of so many columns may have."""
    return min(DATA_ROWS_MAX, DATA_CELLS_MAX // max(1, columns))


def check_texts(frame: pl.DataFrame) -> None:
    """Refuse texts that are too long, one or all together.

    Raises:
        PayloadTooLarge: they are.
    """
    total = 0
    for column in frame.iter_columns():
        if column.dtype != pl.String:
            continue
        lengths = column.str.len_bytes()
        total += int(lengths.sum() or 0)
        if (lengths > 4 * DATA_CELL_CHARACTERS_MAX).any():
            raise PayloadTooLarge(
                f"A cell of the column {column.name[:80]!r} holds more than {DATA_CELL_CHARACTERS_MAX:,} characters. "
                "Upload texts as documents.",
                limit=DATA_CELL_CHARACTERS_MAX,
            )
        if total > DATA_VALUES_BYTES_MAX:
            raise PayloadTooLarge(
                f"The table's texts are larger than {DATA_VALUES_BYTES_MAX:,} bytes once unpacked. Split it.",
                limit=DATA_VALUES_BYTES_MAX,
            )
