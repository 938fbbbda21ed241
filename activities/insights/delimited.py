"""Text with delimiters, read as records of texts: encoding, delimiter and header are found out, nothing is dropped."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from activities.insights.cells import NULLS
from activities.insights.dates import looks_like_date
from activities.insights.encodings import Encoding, Pieces, decoded, encoding_of
from activities.insights.raw import RawTable, check_size, check_texts, named, rows_max
from schema.contracts.insights import DataFormat
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DATA_CELL_CHARACTERS_MAX, DATA_COLUMNS_MAX, DATA_LINE_BYTES_MAX, DATA_ROWS_MAX

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 512 * 1024
_RECORDS = 200
_NUMBER = re.compile(r"[^\w\d]{0,3}[+\-−(]?\d[\d.,'’ \u00a0\u202f]*(?:[eE][+\-]?\d+)?\s?\S{0,4}\)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_BATCH = 50_000
_SCANNED = 1024 * 1024
_LARGE = 4 * 1024 * 1024
"""Above this a file is looked at in several places, so that its plain numbers are read as such."""
_PLACES, _LOOKED = 16, 12 * 1024
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_REAL = re.compile(r"-?\d+\.\d+(?:[eE][+-]?\d+)?")


def read_delimited(path: Path) -> RawTable:
    """Read a file of delimited text.

    Raises:
        UnsupportedFormat: it is no such text; or it is empty.
        PayloadTooLarge: it has more rows, columns or cells, or longer lines, than are read.
    """
    with path.open("rb") as file:
        return _read(Pieces(file), path)


def _read(data: Pieces, path: Path) -> RawTable:
    encoding = encoding_of(data)
    text_sample = "".join(_first(decoded(data[:_SAMPLE], encoding), _SAMPLE)).lstrip("\ufeff")
    old_mac = "\r" in text_sample and "\n" not in text_sample
    plain = encoding.name == "utf-8" and not encoding.broken and not old_mac
    source: Path | bytes = path
    if not plain or encoding.start:
        source = _transcoded(data, encoding, old_mac)
    text = source if isinstance(source, bytes) else data
    _check_lines(text)
    sample = text_sample.replace("\r\n", "\n").replace("\r", "\n")
    cut = len(data) > _SAMPLE
    delimiter, skip = _delimiter(sample, cut)
    records = _records(sample, delimiter, cut)[skip:]
    if not records:
        raise UnsupportedFormat("The file holds no rows.")
    widths = Counter(len(record) for record in records if any(cell.strip() for cell in record))
    width = max((count, size) for size, count in widths.items())[1] if widths else 1
    width = max(width, len(records[_title_rows(records, width)])) if widths else width
    check_size(0, width)
    above = _title_rows(records, width)
    header = is_header(records[above] + [""] * (width - len(records[above])), _body(records, above))
    plain_types: dict[int, pl.DataType] = {}
    one_line = not any("\n" in cell for cell in records[0])
    if header and one_line and not above and not skip and len(data) > _LARGE:
        plain_types = _plain_types(text, delimiter, width)
    frame, notes = _typed_frame(source, delimiter, width, plain_types) if plain_types else (None, [])
    typed = frame is not None
    if frame is None:
        frame, notes = _frame(source, delimiter, width, skip)
    table = RawTable(frame, DataFormat.TSV if delimiter == "\t" else DataFormat.CSV, notes=notes)
    table.encoding, table.encoding_evidence = encoding.name, encoding.evidence
    table.broken_bytes = encoding.broken
    table.delimiter = delimiter if width > 1 else None
    _set_header(table, records, width, skip, above, header=header, cut=typed)
    _set_ragged(table, source, delimiter, width)
    check_size(table.frame.height, width)
    check_texts(table.frame)
    return table


def _first(pieces: Iterable[str], characters: int) -> Iterable[str]:
    for piece in pieces:
        yield piece[:characters]
        characters -= len(piece)
        if characters <= 0:
            return


def _transcoded(data: Pieces, encoding: Encoding, old_mac: bool) -> bytes:
    out = io.BytesIO()
    for piece in decoded(data, encoding):
        if "\x00" in piece:
            raise UnsupportedFormat(
                "The file holds zero characters: it is binary, not text. Export it as CSV in UTF-8."
            )
        out.write((piece.replace("\r", "\n") if old_mac else piece).encode())
    return out.getvalue()


def _check_lines(data: Pieces | bytes) -> None:
    """Refuse zero bytes, a line without end and too many lines, before anything is read."""
    position, lines = 0, 0
    size = len(data)
    while position < size:
        piece = data[position : position + DATA_LINE_BYTES_MAX]
        if b"\x00" in piece:
            raise UnsupportedFormat("The file holds zero bytes: it is binary, not text. Export it as CSV in UTF-8.")
        end = piece.rfind(b"\n")
        if end < 0 and position + len(piece) < size:
            raise PayloadTooLarge(
                f"A line of the file is longer than {DATA_LINE_BYTES_MAX:,} bytes. Is it a table, one row per line?",
                limit=DATA_LINE_BYTES_MAX,
            )
        lines += piece.count(b"\n")
        position += end + 1 if end >= 0 else len(piece)
    if lines > 10 * DATA_ROWS_MAX:
        raise PayloadTooLarge(
            f"The file has {lines:,} lines; at most {DATA_ROWS_MAX:,} rows are read. Split it.", limit=DATA_ROWS_MAX
        )


def _delimiter(sample: str, cut: bool) -> tuple[str, int]:
    """Return the delimiter that gives the most even rows, and the lines to skip (`sep=;` of spreadsheets)."""
    if match := re.match(r"sep=(.)\n", sample):
        return match[1], 1
    best, score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = [len(record) for record in _records(sample, delimiter, cut) if record]
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        if width == 1:
            wide = [each for each in widths if each > 1]
            if len(wide) * 2 < len(widths):
                continue
            width, count = Counter(wide).most_common(1)[0]
        even = count / len(widths)
        found = even**2 * (1 + min(width, 50) / 200) + (0.02 if delimiter in "\t;" and even > 0.9 else 0)
        if found > score:
            best, score = delimiter, found
    return best, 0


def _records(sample: str, delimiter: str, cut: bool) -> list[list[str]]:
    """Return the first records of a sample."""
    csv.field_size_limit(DATA_CELL_CHARACTERS_MAX)
    out: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            out.append(record)
            if len(record) > 4 * DATA_COLUMNS_MAX:
                check_size(0, len(record))
            if len(out) > _RECORDS:
                break
    except csv.Error:
        return out
    if cut and len(out) > 1 and len(out) <= _RECORDS:
        out.pop()
    return out


def _frame(source: Path | bytes, delimiter: str, width: int, skip: int) -> tuple[pl.DataFrame, list[str]]:
    """Read all records, as texts, with one column more than the table has, for what is beyond."""
    schema = {f"column_{number}": pl.String for number in range(width + 1)}
    limit = rows_max(width) + 100
    try:
        frame = pl.read_csv(
            source if isinstance(source, Path) else io.BytesIO(source),
            has_header=False,
            schema=schema,
            separator=delimiter,
            truncate_ragged_lines=True,
            missing_columns="insert",
            n_rows=limit,
            skip_lines=skip,
            raise_if_empty=False,
        )
    except PolarsError:
        return _lenient(source, delimiter, width, limit, skip)
    return frame, []


def _plain_types(data: Pieces | bytes, delimiter: str, width: int) -> dict[int, pl.DataType]:
    """Return the columns that hold plain numbers wherever the file was looked at: they need not be read as texts first.

    Nothing of it is trusted: where reading them so fails, all is read as texts. Whole numbers are, too, where any
    cell of
    the file begins with a zero and a digit: a code would lose its zeros.
    """
    kinds: list[set[str]] = [set() for _ in range(width)]
    for number in range(_PLACES):
        start = number * (len(data) // _PLACES)
        text = data[start : start + _LOOKED].decode("utf-8", "ignore")
        # The first and the last line are cut; the very first is the header.
        for line in text.splitlines()[1:-1]:
            cells = line.split(delimiter)
            if len(cells) == width and '"' not in line:
                for place, cell in enumerate(cells):
                    if cell:
                        kinds[place].add(
                            "int" if _WHOLE.fullmatch(cell) else "real" if _REAL.fullmatch(cell) else "text"
                        )
    found: dict[int, pl.DataType] = {}
    for place, kind in enumerate(kinds):
        if "real" in kind and kind <= {"int", "real"}:
            found[place] = pl.Float64()
        elif kind == {"int"}:
            found[place] = pl.Int64()
    if pl.Int64() in found.values() and _has_codes(data, delimiter):
        return {place: dtype for place, dtype in found.items() if dtype != pl.Int64()}
    return found


def _has_codes(data: Pieces | bytes, delimiter: str) -> bool:
    """Tell whether any cell begins with a zero and another digit."""
    before = np.frombuffer(f'{delimiter}\n"'.encode(), dtype=np.uint8)
    for start in range(0, len(data), _SCANNED):
        piece = np.frombuffer(data[start : start + _SCANNED + 2], dtype=np.uint8)
        zeros = np.flatnonzero(piece[1:-1] == ord("0")) + 1
        first = zeros[np.isin(piece[zeros - 1], before)]
        following = piece[first + 1]
        if ((following >= ord("0")) & (following <= ord("9"))).any():
            return True
    return False


def _typed_frame(
    source: Path | bytes, delimiter: str, width: int, types: dict[int, pl.DataType]
) -> tuple[pl.DataFrame | None, list[str]]:
    """Read records below a header, plain numbers as numbers; None: a cell is none after all."""
    schema: dict[str, pl.DataType] = {f"column_{number}": types.get(number, pl.String()) for number in range(width + 1)}
    try:
        frame = pl.read_csv(
            source if isinstance(source, Path) else io.BytesIO(source),
            has_header=False,
            skip_lines=1,
            schema=schema,
            separator=delimiter,
            truncate_ragged_lines=True,
            missing_columns="insert",
            n_rows=rows_max(width) + 100,
            raise_if_empty=False,
        )
    except PolarsError:
        return None, []
    for number, dtype in types.items():
        if dtype == pl.Float64() and not frame.to_series(number).is_finite().all():
            return None, []
    return frame, []


def _lenient(source: Path | bytes, delimiter: str, width: int, limit: int, skip: int) -> tuple[pl.DataFrame, list[str]]:
    """Read records whose quotes do not match, as spreadsheets do: slower."""
    stream = (
        source.open(encoding="utf-8", newline="")
        if isinstance(source, Path)
        else io.TextIOWrapper(io.BytesIO(source), "utf-8", newline="")
    )
    names = [f"column_{number}" for number in range(width + 1)]
    frames: list[pl.DataFrame] = []
    batch: list[list[str | None]] = []
    with stream:
        reader = csv.reader(stream, delimiter=delimiter)
        try:
            for number, record in enumerate(reader):
                if number < skip:
                    continue
                cells: list[str | None] = [cell or None for cell in record[: width + 1]]
                batch.append(cells + [None] * (width + 1 - len(cells)))
                if len(batch) == _BATCH:
                    frames.append(pl.DataFrame(batch, schema=dict.fromkeys(names, pl.String), orient="row"))
                    batch = []
                    if len(frames) * _BATCH > limit:
                        break
        except csv.Error as error:
            if "field larger" in str(error):
                raise PayloadTooLarge(
                    f"A cell holds more than {DATA_CELL_CHARACTERS_MAX:,} characters: a quote that is never closed? "
                    "Correct it, or export the file again.",
                    limit=DATA_CELL_CHARACTERS_MAX,
                ) from error
            raise UnsupportedFormat(f"The file is no table with delimiters: {error}.") from error
    frames.append(pl.DataFrame(batch, schema=dict.fromkeys(names, pl.String), orient="row"))
    return pl.concat(frames), ["Quotation marks do not match everywhere; rows were read as a spreadsheet reads them."]


def _title_rows(records: list[list[str]], width: int) -> int:
    """Return how many records stand above the table: titles, notes and empty lines."""
    if width < 3:
        number = 0
        while number < len(records) - 1 and not any(cell.strip() for cell in records[number]):
            number += 1
        return number
    for number, record in enumerate(records[:30]):
        if sum(1 for cell in record if cell.strip()) >= max(2, width * 0.5):
            return number
    return 0


def _body(records: list[list[str]], above: int) -> list[list[str]]:
    return [record for record in records[above + 1 :] if any(cell.strip() for cell in record)]


def _set_header(
    table: RawTable, records: list[list[str]], width: int, skip: int, above: int, *, header: bool, cut: bool
) -> None:
    """Name the columns, and cut off what stands above the rows.

    Args:
        cut: the frame begins with the rows already.
    """
    table.header = header
    table.skipped_rows = above
    first = above
    names: list[object] = [None] * width
    if table.header:
        names = [*records[above][:width], *([None] * (width - len(records[above])))]
        table.header_row = above + 1 + skip
        first = above + 1
    frame = table.frame if cut else table.frame.slice(first)
    table.first_row = first + 1 + skip
    beyond = frame.to_series(width)
    table.long_rows = beyond.is_not_null().arg_true().to_list()
    frame = frame.drop(beyond.name)
    frame.columns, table.renamed = named(names)
    if not table.header:
        table.renamed = {}
    table.frame = frame
    if not frame.height:
        raise UnsupportedFormat("The file holds a header, but no rows." if table.header else "The file holds no rows.")


def is_header(first: list[str], body: list[list[str]]) -> bool:
    """Tell whether a record names the columns below it.

    It does where it has no number or date (but for years), and does not look like the rows below.
    """
    cells = [cell.strip() for cell in first]
    filled = [cell for cell in cells if cell]
    if not filled:
        return False
    if not body:
        return not any(_is_value(cell) for cell in filled)
    valued = [number for number, cell in enumerate(cells) if cell and _is_value(cell)]
    if valued:
        years = all(_YEAR.fullmatch(cells[number]) for number in valued)
        recurring = all(
            any(_YEAR.fullmatch(record[number].strip()) for record in body if number < len(record)) for number in valued
        )
        return years and not recurring and len(valued) < len(filled)
    hints = 0.0
    for number, cell in enumerate(cells):
        below = [record[number].strip() for record in body if number < len(record) and record[number].strip()]
        below = [value for value in below if value.lower() not in NULLS]
        if not below or not cell:
            continue
        if sum(1 for value in below if _is_value(value)) >= 0.6 * len(below):
            hints += 2
        elif cell in below:
            hints -= 1.5
        elif len({len(value) for value in below}) == 1 and len(cell) != len(below[0]) and len(below) > 2:
            hints += 1
        else:
            hints += 0.2
    return hints > 0


def _is_value(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) or looks_like_date(text)


def _set_ragged(table: RawTable, source: Path | bytes, delimiter: str, width: int) -> None:
    """Find rows with fewer fields than the others: only where the last column has gaps, and no field is quoted."""
    if width < 2 or not table.frame.to_series(width - 1).null_count():
        return
    data = source.read_bytes() if isinstance(source, Path) else source
    if b'"' in data:
        return
    lines = pl.read_csv(
        io.BytesIO(data),
        has_header=False,
        schema={"line": pl.String},
        separator="\x01",
        quote_char=None,
        truncate_ragged_lines=True,
        n_rows=table.frame.height + table.first_row - 1,
    ).to_series()
    if len(lines) != table.frame.height + table.first_row - 1:
        return
    lines = lines.slice(table.first_row - 1)
    short = (lines.str.count_matches(delimiter, literal=True) < width - 1) & (
        lines.str.strip_chars().str.len_bytes() > 0
    )
    table.short_rows = short.fill_null(False).arg_true().to_list()
