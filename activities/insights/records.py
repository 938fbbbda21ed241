"""JSON and NDJSON, read as tables: records, columns of values, objects by key. Nested objects are flattened one
level."""

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from json.decoder import JSONDecoder
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from activities.insights.encodings import decoded, encoding_of
from activities.insights.raw import RawTable, check_size, check_texts, named
from schema.contracts.insights import DataFormat
from schema.errors import UnsupportedFormat
from schema.policies import DATA_COLUMNS_MAX, DATA_JSON_DEPTH_MAX, DATA_JSON_DIGITS_MAX, DATA_ROWS_MAX

_BATCH = 20_000
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_INT64 = 2**63
_WRAPPED = ("data", "records", "rows", "items", "results", "values", "features", "entries")


def _past_space(text: str, position: int) -> int:
    """Return where the next thing begins."""
    found = _SPACE.match(text, position)
    return found.end() if found is not None else position


def read_records(path: Path) -> RawTable:
    """Read a file of JSON: an array of records, an object of arrays or of records, or one record per line.

    Raises:
        UnsupportedFormat: it is not JSON, no table, nested too deeply, or names a key twice in one object.
        PayloadTooLarge: it has more rows, columns or cells than are read.
    """
    data = path.read_bytes()
    encoding = encoding_of(data)
    text = "".join(decoded(data, encoding))
    del data
    first = _past_space(text, 0)
    decoder = JSONDecoder(
        object_pairs_hook=_object, parse_int=_integer, parse_constant=lambda _: None, parse_float=_real
    )
    flattened: set[str] = set()
    kind = DataFormat.JSON
    try:
        if text[first : first + 1] == "[":
            records = _of_array(text, first, decoder)
        elif _is_lines(text, first, decoder):
            records, kind = _of_lines(text, first, decoder), DataFormat.NDJSON
        else:
            records = _of_object(text, first, decoder)
        frame = _frame(records, flattened)
    except JSONDecodeError as error:
        _refuse(error)
    except RecursionError:
        raise _too_deep() from None
    table = RawTable(frame, kind, encoding=encoding.name, encoding_evidence=encoding.evidence)
    table.broken_bytes = encoding.broken
    table.flattened = sorted(flattened)
    names, table.renamed = named(frame.columns)
    table.frame.columns = names
    check_size(table.frame.height, table.frame.width)
    check_texts(table.frame)
    return table


def _refuse(error: JSONDecodeError) -> NoReturn:
    raise UnsupportedFormat(
        f"The file is no valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. Correct it and upload "
        f"it "
        "again."
    ) from error


def _too_deep() -> UnsupportedFormat:
    return UnsupportedFormat(f"The JSON is nested more than {DATA_JSON_DEPTH_MAX} levels deep. Flatten it first.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UnsupportedFormat(
            f"An object of the file names the key {twice[:80]!r} twice: which value holds is not defined. Correct it."
        )
    return found


def _integer(text: str) -> int | str:
    if len(text) > DATA_JSON_DIGITS_MAX:
        raise UnsupportedFormat(
            f"The file holds a number of {len(text):,} digits; at most {DATA_JSON_DIGITS_MAX} are read. Write it as "
            f"text."
        )
    number = int(text)
    # What does not fit 64 bits is kept exactly, as text.
    return number if -_INT64 <= number < _INT64 else text


def _real(text: str) -> float | str | None:
    number = float(text)
    return number if number - number == 0 else text


def _is_lines(text: str, first: int, decoder: JSONDecoder) -> bool:
    """Tell whether another record follows the first one."""
    try:
        _, end = decoder.raw_decode(text, first)
    except JSONDecodeError:
        return False
    following = _past_space(text, end)
    return text[following : following + 1] == "{"


def _of_array(text: str, position: int, decoder: JSONDecoder) -> Iterator[Any]:
    """Yield the elements of an array one after another, so that they are never in memory all together."""
    position = _past_space(text, position + 1)
    if text[position : position + 1] == "]":
        return
    while True:
        value, position = decoder.raw_decode(text, position)
        yield value
        position = _past_space(text, position)
        mark = text[position : position + 1]
        if mark == "]":
            rest = _past_space(text, position + 1)
            if rest < len(text):
                raise JSONDecodeError("Extra data", text, rest)
            return
        if mark != ",":
            raise JSONDecodeError("Expecting ',' delimiter", text, position)
        position = _past_space(text, position + 1)


def _of_lines(text: str, position: int, decoder: JSONDecoder) -> Iterator[Any]:
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        position = _past_space(text, position)


def _of_object(text: str, position: int, decoder: JSONDecoder) -> Iterator[Any]:
    """Yield records of an object: of its one list, its lists side by side, its records by key, or of itself."""
    whole, end = decoder.raw_decode(text, position)
    rest = _past_space(text, end)
    if rest < len(text):
        raise JSONDecodeError("Extra data", text, rest)
    if not isinstance(whole, dict) or not whole:
        raise UnsupportedFormat("The JSON holds no table: an array of objects is wanted.")
    lists = {key: value for key, value in whole.items() if isinstance(value, list)}
    tables = [key for key, value in lists.items() if value and all(isinstance(each, dict) for each in value[:50])]
    if len(tables) == 1 or (tables and set(tables) & set(_WRAPPED)):
        chosen = next((key for key in _WRAPPED if key in tables), tables[0])
        yield from lists[chosen]
    elif len(lists) == len(whole):
        longest = max(len(value) for value in lists.values())
        for row in range(longest):
            yield {key: value[row] if row < len(value) else None for key, value in lists.items()}
    elif len(whole) > 1 and all(isinstance(value, dict) for value in whole.values()):
        if _by_index(whole):
            rows = sorted({index for value in whole.values() for index in value}, key=lambda index: (len(index), index))
            for index in rows:
                yield {key: value.get(index) for key, value in whole.items()}
        else:
            for key, value in whole.items():
                yield {"key": key, **value}
    else:
        yield whole


def _by_index(whole: dict[str, dict[str, Any]]) -> bool:
    """Tell whether these are columns that are keyed by row numbers, as pandas writes them."""
    return all(value and all(key.isdigit() for key in list(value)[:20]) for value in whole.values())


def _frame(records: Iterator[Any], flattened: set[str]) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    columns: dict[str, list[Any]] = {}
    height, total = 0, 0
    order: dict[str, None] = {}
    for record in records:
        row = _flat(record, flattened)
        for key, value in row.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * height
                order[key] = None
                if len(order) > DATA_COLUMNS_MAX:
                    check_size(0, len(order))
            column.extend([None] * (height - len(column)))
            column.append(value)
        height += 1
        total += 1
        if total > DATA_ROWS_MAX:
            check_size(total, 1)
        if height == _BATCH:
            frames.append(_batch(columns, height))
            check_size(total, len(order))
            columns, height = {}, 0
    if height:
        frames.append(_batch(columns, height))
    if not total or not order:
        raise UnsupportedFormat("The JSON holds no records.")
    return _joined(frames, list(order))


def _flat(record: Any, flattened: set[str]) -> dict[str, Any]:
    if isinstance(record, list):
        record = {f"column_{number}": value for number, value in enumerate(record, 1)}
    if not isinstance(record, dict):
        record = {"value": record}
    row: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flattened.add(key)
            for inner, each in value.items():
                row[f"{key}.{inner}"] = _scalar(each, 2)
        else:
            row[key] = _scalar(value, 1)
    return row


def _scalar(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list):
        if _depth(value, depth) > DATA_JSON_DEPTH_MAX:
            raise _too_deep()
        return json.dumps(value, ensure_ascii=False)
    return value


def _depth(value: Any, depth: int) -> int:
    """Return how deep a value is nested; stops beyond the limit."""
    deepest, waiting = depth, [(value, depth + 1)]
    while waiting:
        each, level = waiting.pop()
        deepest = max(deepest, level)
        if level > DATA_JSON_DEPTH_MAX:
            break
        inner = each.values() if isinstance(each, dict) else each
        waiting += [(child, level + 1) for child in inner if isinstance(child, dict | list)]
    return deepest


def _batch(columns: dict[str, list[Any]], height: int) -> pl.DataFrame:
    series = []
    for name, values in columns.items():
        values.extend([None] * (height - len(values)))
        kinds = {type(value) for value in values} - {type(None)}
        if kinds <= {int}:
            series.append(pl.Series(name, values, dtype=pl.Int64))
        elif kinds <= {int, float}:
            series.append(pl.Series(name, values, dtype=pl.Float64, strict=False))
        elif kinds == {bool}:
            series.append(pl.Series(name, values, dtype=pl.Boolean))
        else:
            series.append(pl.Series(name, [_text(value) for value in values], dtype=pl.String))
    return pl.DataFrame(series)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _joined(frames: list[pl.DataFrame], order: list[str]) -> pl.DataFrame:
    """Put batches below each other; a column whose batches differ in type becomes numbers or texts, as it can."""
    types: dict[str, set[pl.DataType]] = {name: set() for name in order}
    for frame in frames:
        for name, dtype in frame.schema.items():
            if frame[name].null_count() < frame.height:
                types[name].add(dtype)
    chosen: dict[str, pl.DataType] = {}
    for name, found in types.items():
        if len(found) == 1:
            chosen[name] = next(iter(found))
        elif found and found <= {pl.Int64(), pl.Float64()}:
            chosen[name] = pl.Float64()
        else:
            chosen[name] = pl.String()
    return pl.concat(
        [
            frame.select(
                (pl.col(name) if name in frame.columns else pl.lit(None).alias(name)).cast(chosen[name])
                for name in order
            )
            for frame in frames
        ]
    )
