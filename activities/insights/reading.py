"""What a file of data is, by its content, and the reader of that format.

It parses hostile bytes: in the product it runs only in the sandbox's child (`child.py`).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from activities.documents.structure import check_single
from activities.insights.raw import RawTable
from schema.contracts.insights import DataFormat, Unit
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DATA_BYTES_MAX

_HEAD = 64 * 1024
_TAIL = 70_000
_FAMILIES = {
    "text": (".csv", ".tsv", ".tab", ".psv", ".txt", ".dat"),
    "json": (".json", ".ndjson", ".jsonl", ".geojson"),
    "xlsx": (".xlsx",),
    "parquet": (".parquet", ".pq", ".parq"),
}
_NAMES = {"text": "text with delimiters", "json": "JSON", "xlsx": "an Excel workbook", "parquet": "Parquet"}
_READ = "CSV, TSV, XLSX, JSON, NDJSON and Parquet can be read."
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|\?xml|svg|rss|script|table)\b", re.IGNORECASE)
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass
class RawFile:
    """The tables of a file."""

    format: DataFormat
    size_bytes: int
    tables: list[RawTable]
    units: list[dict[str, Unit]] = field(default_factory=list)
    """By table: column -> unit, where the format itself tells it."""
    skipped: list[str] = field(default_factory=list)


def read_file(path: Path, filename: str) -> RawFile:
    """Read a file of data, whatever its name claims; a name that claims another format is refused.

    Raises:
        UnsupportedFormat: it is none of the formats, not what its name says, empty, damaged or hostile.
        PayloadTooLarge: it is larger, or holds more rows, columns or cells, than is read.
    """
    size = path.stat().st_size
    if size > DATA_BYTES_MAX:
        raise PayloadTooLarge(
            f"The file is larger than {DATA_BYTES_MAX:,} bytes. Split it, or save it as Parquet.", limit=DATA_BYTES_MAX
        )
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if not head.strip(b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"):
        raise UnsupportedFormat("The file is empty.")
    family = _family(head)
    _check_name(family, filename)
    if family in ("text", "json"):
        check_single(head if size <= _HEAD else head + tail, "text")
    if family == "xlsx":
        from activities.insights.workbook import read_workbook

        book = read_workbook(path)
        return RawFile(DataFormat.XLSX, size, book.tables, book.units, book.skipped)
    if family == "parquet":
        from activities.insights.parquet import read_parquet

        table = read_parquet(path)
    elif family == "json":
        from activities.insights.records import read_records

        table = read_records(path)
    else:
        from activities.insights.delimited import read_delimited

        table = read_delimited(path)
    return RawFile(table.format, size, [table], [{}])


def _family(head: bytes) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "xlsx"
    if head.startswith((b"PAR1", b"PARE")):
        return "parquet"
    if head.startswith(_OLD_EXCEL):
        raise UnsupportedFormat("This is an old Excel file (.xls) or an encrypted one. Save it as .xlsx, unprotected.")
    if b"%PDF-" in head[:1024]:
        raise UnsupportedFormat(f"This is a PDF. Upload it as a document. {_READ}")
    if head.startswith(b"{\\rtf"):
        raise UnsupportedFormat(f"This is an RTF file. {_READ}")
    import filetype

    if (kind := filetype.guess(head[:8192])) is not None:
        raise UnsupportedFormat(f"This is a file of type {kind.extension}, not a table. {_READ}")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _MARKUP.match(text):
        raise UnsupportedFormat(f"This is HTML or XML, not a table. Upload it as a document. {_READ}")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16-le" if head.startswith(b"\xff\xfe") else "utf-16-be"
        text = head[2:].decode(encoding, "ignore").lstrip().encode()
    if text.startswith(b"{") or re.match(rb"\[\s*(?:[\[{\"\d\]]|null|true|false|-\d)", text):
        return "json"
    return "text"


def _check_name(family: str, filename: str) -> None:
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    claimed = next((name for name, suffixes in _FAMILIES.items() if suffix in suffixes), None)
    if claimed is not None and claimed != family and not (suffix in (".txt", ".dat") and family == "json"):
        raise UnsupportedFormat(
            f"The file is named {suffix}, but its content is {_NAMES[family]}. Give it its proper name, or export it "
            f"again."
        )
    if suffix in (".xlsm", ".xltm", ".xlsb", ".xls", ".ods"):
        raise UnsupportedFormat(f"Files of type {suffix} are not read. Save it as .xlsx, without macros.")
