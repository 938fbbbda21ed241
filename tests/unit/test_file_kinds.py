"""What a file is, by its bytes, and only among texts by its name."""

import io
import wave
import zipfile

import pytest

from activities.files.kinds import DOCX, PARQUET, PDF, PPTX, XLSX, kind_of
from schema.contracts.files import FileKind
from schema.errors import UnsupportedFormat
from tests.unit.documents.office_files import slides, word


def wav() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(800))
    return made.getvalue()


def workbook() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml"):
            archive.writestr(zipfile.ZipInfo(name), "<x/>")
    return made.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)


@pytest.mark.parametrize(
    ("head", "name", "claimed", "kind", "mime"),
    [
        (b"PAR1" + bytes(20), "x.bin", "", FileKind.DATA, PARQUET),
        (workbook(), "x", "", FileKind.DATA, XLSX),
        (word(), "x", "", FileKind.DOCUMENT, DOCX),
        (slides(), "x.xlsx", "", FileKind.DOCUMENT, PPTX),
        (b"%PDF-1.7\n", "report.csv", "text/csv", FileKind.DOCUMENT, PDF),
        (PNG, "photo.txt", "text/plain", FileKind.IMAGE, "image/png"),
        (wav(), "talk", "", FileKind.AUDIO, "audio/x-wav"),
        (b"a,b\n1,2\n", "x.CSV", "", FileKind.DATA, "text/csv"),
        (b"a,b\n1,2\n", "upload", "text/csv", FileKind.DATA, "text/csv"),
        (b'[{"a": 1}]', "upload", "", FileKind.DATA, "application/json"),
        (b'{"a": [' + b"1," * 40_000, "upload", "", FileKind.DATA, "application/json"),
        (b"{not json} at all", "notes.txt", "", FileKind.DOCUMENT, "text/plain"),
        (b"<!DOCTYPE html><p>x", "page", "", FileKind.DOCUMENT, "text/html"),
        (b"# Title\n", "a.md", "", FileKind.DOCUMENT, "text/markdown"),
        ("\ufeffa;b\n1;2".encode("utf-16"), "x.csv", "", FileKind.DATA, "text/csv"),
        ("Grüße aus Zürich\n".encode("cp1252"), "x.txt", "", FileKind.DOCUMENT, "text/plain"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_kinds(head: bytes, name: str, claimed: str, kind: FileKind, mime: str) -> None:
    assert kind_of(head, name, claimed) == (kind, mime)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"MZ\x90\x00" + bytes(100), "data.csv"),
        (b"\x7fELF" + bytes(100), "a.txt"),
        (bytes(1_000), "zeros.csv"),
        (b"PK\x03\x04" + bytes(60), "files.zip"),
        (bytes(range(256)) * 4, "noise.txt"),
        (b"\x1f\x8b\x08" + bytes(60), "table.csv.gz"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_is_no_kind_is_refused_with_what_is_read(head: bytes, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match="What is read: csv"):
        kind_of(head, name, "text/csv")
