"""Workbooks of Excel: looked through as an archive first, then read sheet by sheet with calamine."""

import re
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import fastexcel
import polars as pl

from activities.documents.structure import ZIP_INFLATED_BYTES_MAX, check_zip
from activities.insights.delimited import is_header
from activities.insights.raw import RawTable, check_size, check_texts, named
from activities.insights.units import unit_of
from schema.contracts.insights import DataFormat, Unit
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DATA_CELLS_MAX, DATA_TABLES_MAX

_CHUNK = 1024 * 1024
_CELL = re.compile(rb'<(?:\w+:)?c\b[^>]{0,200}?\br="([A-Z]{1,3})(\d{1,7})"(?:[^>]{0,100}?\bs="(\d{1,6})")?')
_FORMAT = re.compile(r'<numFmt\b[^>]*?numFmtId="(\d+)"[^>]*?formatCode="([^"]*)"')
_STYLES = re.compile(r"<cellXfs\b.*?</cellXfs>", re.DOTALL)
_STYLE = re.compile(r'<xf\b[^>]*?numFmtId="(\d+)"')
_CURRENCY = re.compile(r"\[\$([^\-\]]+)(?:-[0-9A-Fa-f]+)?\]|&quot;\s*([^&]{1,6}?)\s*&quot;|([€$£¥₹])")
_STYLED_ROWS = 200
_PERCENT_FORMATS = frozenset((9, 10))


@dataclass
class _Extent:
    """Which cells a sheet uses."""

    top: int = 1 << 30
    left: int = 1 << 30
    bottom: int = 0
    right: int = 0
    farthest: str = ""
    cells: int = 0
    styles: dict[int, Counter[int]] = field(default_factory=dict)
    """Column -> styles of its first cells below the header."""


@dataclass
class Workbook:
    """The tables of a workbook, and the sheets that were not read."""

    tables: list[RawTable]
    units: list[dict[str, Unit]]
    """By table: column -> the unit that its number format shows."""
    skipped: list[str]


def read_workbook(path: Path) -> Workbook:
    """Read all sheets of a workbook that hold a table.

    Raises:
        UnsupportedFormat: it is no workbook, has macros, is encrypted, damaged or hostile, or holds no table.
        PayloadTooLarge: it unpacks to too much, or a sheet has more rows, columns or cells than are read.
    """
    data = path.read_bytes()
    check_zip(data)
    extents, formats, linked = _look_through(data)
    try:
        reader = fastexcel.read_excel(data)
        names = list(reader.sheet_names)
    except (fastexcel.FastExcelError, ValueError) as error:
        raise UnsupportedFormat("The workbook is damaged. Save it again as .xlsx.") from error
    found = Workbook([], [], [])
    for number, name in enumerate(names):
        if len(found.tables) == DATA_TABLES_MAX:
            found.skipped.append(name)
            continue
        table = _sheet(reader, number, name, extents.get(number))
        if table is None:
            found.skipped.append(name)
            continue
        if linked:
            table.notes.append("Links to other workbooks were not followed; their last stored values were read.")
        found.tables.append(table)
        found.units.append(_formats(table, extents.get(number), formats))
    if not found.tables:
        raise UnsupportedFormat("The workbook holds no table: every sheet is empty, or holds a header only.")
    return found


def _look_through(data: bytes) -> tuple[dict[int, _Extent], dict[int, tuple[bool, str | None]], bool]:
    """Unpack every part by pieces that are thrown away: count, refuse entities and macros, find the cells in use."""
    archive = zipfile.ZipFile(BytesIO(data))
    names = set(archive.namelist())
    if "xl/workbook.xml" not in names:
        kind = next(
            (
                kind
                for part, kind in (
                    ("word/", "a Word document"),
                    ("ppt/", "a presentation"),
                    ("xl/workbook.bin", "a binary workbook (.xlsb)"),
                    ("content.xml", "an OpenDocument file"),
                )
                if any(name.startswith(part) for name in names)
            ),
            "an archive",
        )
        raise UnsupportedFormat(f"This is {kind}, not an .xlsx workbook. Save it as .xlsx, or upload it as a document.")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise UnsupportedFormat("The workbook holds macros. Save it as .xlsx, without them.")
    extents: dict[int, _Extent] = {}
    order = _sheet_parts(archive)
    total = 0
    for member in archive.infolist():
        extent = _Extent() if member.filename in order else None
        total = _unpack(archive, member, extent, total)
        if extent is not None:
            extents[order[member.filename]] = extent
    return extents, _style_formats(archive), any(name.startswith("xl/externalLinks/") for name in names)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, extent: _Extent | None, total: int) -> int:
    rest = b""
    try:
        with archive.open(member) as part:
            first = True
            while piece := part.read(_CHUNK):
                total += len(piece)
                if total > ZIP_INFLATED_BYTES_MAX:
                    raise PayloadTooLarge(
                        f"The workbook unpacks to more than {ZIP_INFLATED_BYTES_MAX:,} bytes. Save it as CSV or "
                        f"Parquet.",
                        limit=ZIP_INFLATED_BYTES_MAX,
                    )
                if first and (b"<!DOCTYPE" in piece[:65_536] or b"<!ENTITY" in piece[:65_536]):
                    raise UnsupportedFormat("The workbook's XML defines entities of its own. Save it again as .xlsx.")
                if first and piece.startswith(b"PK\x03\x04"):
                    raise UnsupportedFormat("The workbook holds an archive. Save it again, without embedded files.")
                first = False
                if extent is not None:
                    rest = _cells(rest + piece, extent)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError) as error:
        raise UnsupportedFormat("The workbook is damaged. Save it again as .xlsx.") from error
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise UnsupportedFormat("The workbook is damaged. Save it again as .xlsx.") from error
    return total


def _cells(piece: bytes, extent: _Extent) -> bytes:
    """Note which cells a piece of a sheet has; return what may be the beginning of another one."""
    for match in _CELL.finditer(piece):
        column, row = _column_number(match[1]), int(match[2])
        extent.cells += 1
        extent.top, extent.left = min(extent.top, row), min(extent.left, column)
        if row > extent.bottom or column > extent.right:
            extent.farthest = (match[1] + match[2]).decode()
        extent.bottom, extent.right = max(extent.bottom, row), max(extent.right, column)
        if match[3] and extent.top < row <= extent.top + _STYLED_ROWS:
            extent.styles.setdefault(column, Counter())[int(match[3])] += 1
    last = piece.rfind(b"<")
    return piece[max(last, len(piece) - 1024) :] if last >= 0 else b""


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return part -> number of the sheet, in the order of the workbook."""
    try:
        book = archive.read("xl/workbook.xml")[: 4 * _CHUNK].decode("utf-8", "replace")
        links = archive.read("xl/_rels/workbook.xml.rels")[: 4 * _CHUNK].decode("utf-8", "replace")
    except (KeyError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise UnsupportedFormat("The workbook is damaged. Save it again as .xlsx.") from error
    targets: dict[str, str] = {}
    for link in re.findall(r"<Relationship\b[^>]*>", links):
        key, target = re.search(r'\bId="([^"]*)"', link), re.search(r'\bTarget="([^"]*)"', link)
        if key and target:
            targets[key[1]] = target[1].lstrip("/") if target[1].startswith("/") else "xl/" + target[1]
    parts = {}
    for number, sheet in enumerate(re.findall(r"<(?:\w+:)?sheet\b[^>]*>", book)):
        key = re.search(r'\br:id="([^"]*)"', sheet)
        if key and key[1] in targets:
            parts[targets[key[1]]] = number
    return parts


def _style_formats(archive: zipfile.ZipFile) -> dict[int, tuple[bool, str | None]]:
    """Return style -> (is a percentage, currency)."""
    try:
        styles = archive.read("xl/styles.xml")[: 4 * _CHUNK].decode("utf-8", "replace")
    except (KeyError, zipfile.BadZipFile, EOFError, ValueError):
        return {}
    codes = {int(number): code for number, code in _FORMAT.findall(styles)}
    block = _STYLES.search(styles)
    found = {}
    for number, code in enumerate(int(each) for each in _STYLE.findall(block[0] if block else "")):
        text = codes.get(code, "")
        currency = _CURRENCY.search(text)
        symbol = next((group for group in currency.groups() if group), None) if currency else None
        found[number] = (code in _PERCENT_FORMATS or "%" in text, symbol)
    return found


def _formats(table: RawTable, extent: _Extent | None, formats: dict[int, tuple[bool, str | None]]) -> dict[str, Unit]:
    if extent is None:
        return {}
    units: dict[str, Unit] = {}
    for position, name in enumerate(table.frame.columns):
        styles = extent.styles.get(extent.left + position)
        if not styles:
            continue
        percent, symbol = formats.get(styles.most_common(1)[0][0], (False, None))
        if percent:
            units[name] = Unit(symbol="%", kind="percent", origin="cells")
        elif symbol and (unit := unit_of(symbol, "cells")):
            units[name] = unit
    return units


def _sheet(reader: "fastexcel.ExcelReader", number: int, name: str, extent: _Extent | None) -> RawTable | None:
    if extent is not None:
        if not extent.bottom:
            return None
        rows, columns = extent.bottom - extent.top + 1, extent.right - extent.left + 1
        if rows * columns > DATA_CELLS_MAX and extent.cells * 10 < rows * columns:
            raise PayloadTooLarge(
                f"The sheet {name[:80]!r} is almost empty, but reaches to the cell {extent.farthest}: {rows:,} x "
                f"{columns:,} cells. Delete what stands far out, and save it again.",
                limit=DATA_CELLS_MAX,
            )
        check_size(rows, columns)
    try:
        sheet = reader.load_sheet(number, header_row=None, dtypes="string")
        check_size(sheet.height, sheet.width)
        frame = sheet.to_polars()
    except (fastexcel.FastExcelError, ValueError) as error:
        raise UnsupportedFormat(f"The sheet {name[:80]!r} cannot be read. Save the workbook again.") from error
    if not frame.height or not frame.width:
        return None
    top = extent.top if extent is not None else 1
    table = RawTable(frame.with_columns(pl.all().cast(pl.String)), DataFormat.XLSX, sheet=name, first_row=top)
    return table if _set_header(table) else None


def _set_header(table: RawTable) -> bool:
    """Find the header below titles and notes; tell whether there are rows."""
    frame, width = table.frame, table.frame.width
    records = [[cell or "" for cell in row] for row in frame.head(200).iter_rows()]
    above = 0
    if width >= 3:
        wide = (
            number
            for number, row in enumerate(records[:30])
            if sum(1 for cell in row if cell.strip()) >= max(2, width * 0.5)
        )
        above = next(wide, 0)
    body = [row for row in records[above + 1 :] if any(cell.strip() for cell in row)]
    table.header = is_header(records[above], body)
    table.skipped_rows = above
    names: list[object] = list(records[above]) if table.header else [None] * width
    if table.header:
        table.header_row = table.first_row + above
    first = above + int(table.header)
    table.frame = frame.slice(first)
    table.first_row += first
    table.frame.columns, table.renamed = named(names)
    if not table.header:
        table.renamed = {}
    check_texts(table.frame)
    return table.frame.height > 0
