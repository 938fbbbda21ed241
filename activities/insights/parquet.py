"""Parquet, read by pieces after its footer was looked at; the footer is not trusted, so what is read is counted
again."""

from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from activities.insights.raw import RawTable, check_size, check_texts, named
from schema.contracts.insights import DataFormat
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DATA_PARQUET_FOOTER_BYTES_MAX, DATA_VALUES_BYTES_MAX

_MAGIC = b"PAR1"
_ROWS = 100_000


def read_parquet(path: Path) -> RawTable:
    """Read a file of Parquet.

    Raises:
        UnsupportedFormat: it is damaged or encrypted, or a column holds what is no table.
        PayloadTooLarge: it has more rows, columns, cells or bytes than are read.
    """
    _check_footer(path)
    try:
        schema = pl.read_parquet_schema(path)
        check_size(0, len(schema))
        lazy = pl.scan_parquet(path, use_statistics=False)
        rows = int(lazy.select(pl.len()).collect().item())
        check_size(rows, len(schema))
        frame = _pieces(lazy, rows)
    except (PolarsError, OSError, ValueError, pl.exceptions.PanicException) as error:
        raise UnsupportedFormat("The Parquet file is damaged, or uses what cannot be read. Write it again.") from error
    table = RawTable(frame, DataFormat.PARQUET)
    _flatten(table)
    check_size(table.frame.height, table.frame.width)
    names, table.renamed = named(table.frame.columns)
    table.frame.columns = names
    check_texts(table.frame)
    if not table.frame.height or not table.frame.width:
        raise UnsupportedFormat("The Parquet file holds no rows.")
    return table


def _check_footer(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - 8))
        tail = file.read(8)
    if tail[4:] == b"PARE" or head == b"PARE":
        raise UnsupportedFormat("The Parquet file is encrypted. Write it without encryption.")
    if size < 12 or head != _MAGIC or tail[4:] != _MAGIC:
        raise UnsupportedFormat("The Parquet file is damaged: it does not end as it begins. Write it again.")
    footer = int.from_bytes(tail[:4], "little")
    if footer > size - 12:
        raise UnsupportedFormat("The Parquet file is damaged: its footer is longer than the file. Write it again.")
    if footer > DATA_PARQUET_FOOTER_BYTES_MAX:
        raise PayloadTooLarge(
            f"The footer of the Parquet file is larger than {DATA_PARQUET_FOOTER_BYTES_MAX:,} bytes. Write it with "
            "fewer columns and row groups.",
            limit=DATA_PARQUET_FOOTER_BYTES_MAX,
        )


def _pieces(lazy: pl.LazyFrame, rows: int) -> pl.DataFrame:
    """Read pieces of rows until the end; stop as soon as they are more than the footer said, or too large."""
    frames: list[pl.DataFrame] = []
    size = 0
    for start in range(0, max(rows, 1), _ROWS):
        piece = lazy.slice(start, _ROWS).collect()
        if piece.height > _ROWS:
            raise ValueError("more rows than asked for")
        # Texts by their length: a dictionary's texts are shared by all rows in memory, until somebody copies them.
        size += int(piece.estimated_size())
        for column in piece.iter_columns():
            if column.dtype == pl.String:
                size += int(column.str.len_bytes().sum() or 0)
        if size > 2 * DATA_VALUES_BYTES_MAX:
            raise PayloadTooLarge(
                f"The table is larger than {DATA_VALUES_BYTES_MAX:,} bytes once unpacked. Split it, or aggregate it.",
                limit=DATA_VALUES_BYTES_MAX,
            )
        frames.append(piece)
    return pl.concat(frames)


def _flatten(table: RawTable) -> None:
    """Bring columns to the types that are understood; objects become columns of their own, one level deep."""
    frame = table.frame
    for name, dtype in list(frame.schema.items()):
        if isinstance(dtype, pl.Struct):
            inner = frame[name].struct.unnest()
            inner.columns = [f"{name}.{field}" for field in inner.columns]
            frame = frame.drop(name).hstack(inner)
            table.flattened.append(name)
            check_size(0, frame.width)
    dropped = []
    columns: list[pl.Series] = []
    for column in frame.iter_columns():
        plain = _plain(column)
        if plain is None:
            dropped.append(column.name)
        else:
            columns.append(plain)
    if dropped:
        table.notes.append(f"Columns of binary or unknown values were left out: {', '.join(dropped[:10])}.")
    table.frame = pl.DataFrame(columns)


def _plain(column: pl.Series) -> pl.Series | None:
    dtype = column.dtype
    if dtype.is_integer():
        fits = column.cast(pl.Int64, strict=False)
        return fits if fits.null_count() == column.null_count() else column.cast(pl.String)
    if dtype.is_float() or dtype.is_decimal():
        real = column.cast(pl.Float64)
        return real.set(~real.is_finite(), None)
    if dtype in (pl.Boolean, pl.Date, pl.Time, pl.String):
        return column
    if isinstance(dtype, pl.Datetime):
        naive = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else column
        return naive.cast(pl.Datetime("us"))
    if isinstance(dtype, pl.Duration):
        return (column.dt.total_microseconds() / 1e6).alias(f"{column.name} (s)")
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if isinstance(dtype, pl.List | pl.Array | pl.Struct):
        return pl.Series(
            column.name, [None if value is None else str(value)[:1000] for value in column.to_list()], dtype=pl.String
        )
    if dtype == pl.Null:
        return column.cast(pl.String)
    return None
