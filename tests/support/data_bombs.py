"""Files of data that are made to hurt whoever reads them: small, and made when they are needed."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import polars as pl
import xlsxwriter

from tests.support.bombs import lying_zip, overlapping, zipped

MB = 1024 * 1024


def workbook(rows: list[list[Any]], sheet: str = "Data") -> bytes:
    """Return a workbook of one sheet."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    book.close()
    return out.getvalue()


def reworked(change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return a workbook whose parts were changed."""
    with zipfile.ZipFile(io.BytesIO(workbook([["a", "b"], [1, 2], [3, 4]]))) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    change(parts)
    return zipped(list(parts.items()))


def _bomb(parts: dict[str, bytes]) -> None:
    row = b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>' + b" " * 2_000 + b"</t></is></c></row>"
    body = b"".join(row % (number, number) for number in range(1, 60_001))
    parts["xl/worksheets/sheet1.xml"] = b"<worksheet><sheetData>" + body + b"</sheetData></worksheet>"


def _laughs(parts: dict[str, bytes]) -> None:
    entities = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    parts["xl/sharedStrings.xml"] = (
        b'<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY l0 "lol">' + entities + b"]><sst><si><t>&l9;</t></si></sst>"
    )


def _far(parts: dict[str, bytes]) -> None:
    parts["xl/worksheets/sheet1.xml"] = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row>'
        b'<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData></worksheet>'
    )


def _macros(parts: dict[str, bytes]) -> None:
    parts["xl/vbaProject.bin"] = b"\xd0\xcf\x11\xe0" + bytes(100)


def _nested(parts: dict[str, bytes]) -> None:
    parts["xl/media/inner.zip"] = zipped([("a.xml", bytes(MB))])


def _disguised(parts: dict[str, bytes]) -> None:
    parts["xl/media/image1.png"] = zipped([("a.xml", bytes(MB))])


def lying_sizes() -> bytes:
    """A workbook whose directory says that a part of 40 MB has 100 bytes."""

    def change(parts: dict[str, bytes]) -> None:
        parts["xl/worksheets/sheet1.xml"] = b"<worksheet>" + bytes(40 * MB)

    data = bytearray(reworked(change))
    at = data.find(b"xl/worksheets/sheet1.xml", data.find(b"PK\x01\x02"))
    data[at - 22 : at - 18] = struct.pack("<I", 100)
    return bytes(data)


def parquet_repeated(rows: int = 200_000_000) -> bytes:
    """A file of Parquet whose one value stands for all of two hundred million rows."""
    out = io.BytesIO()
    frame = pl.select(pl.repeat("x", 1_000_000).alias("text"))
    pl.concat([frame.lazy()] * (rows // 1_000_000)).sink_parquet(
        out, row_group_size=rows // 4
    ) if rows > 1_000_000 else frame.write_parquet(out)
    return out.getvalue()


def parquet_wide_texts() -> bytes:
    """A file of Parquet of a few kilobytes whose dictionary has one long text for each of 900,000 rows: 90 GB of
    text."""
    out = io.BytesIO()
    frame = pl.DataFrame({"text": pl.Series(["x" * 100_000], dtype=pl.Categorical)})
    frame.select(pl.col("text").gather(pl.repeat(0, 900_000, dtype=pl.UInt32))).write_parquet(out)
    return out.getvalue()


def parquet_lying_footer() -> bytes:
    """A footer that is said to be two gigabytes."""
    return b"PAR1" + bytes(100) + struct.pack("<I", 2 * 1024**3 - 1) + b"PAR1"


def parquet_thrift() -> bytes:
    """A footer whose first list is said to have two billion entries."""
    footer = bytes([0x15, 0x02, 0x19, 0xFC]) + b"\xff\xff\xff\xff\x07" + bytes(40)
    return b"PAR1" + bytes(20) + footer + struct.pack("<I", len(footer)) + b"PAR1"


def deep_json() -> bytes:
    return b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"


HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zip bomb": ("a.xlsx", lambda: reworked(_bomb), "unpacks|bytes"),
    "lying headers": ("a.xlsx", lying_sizes, "damaged|overlap"),
    "overlapping entries": ("a.xlsx", overlapping, "overlap"),
    "many entries": ("a.xlsx", lying_zip, "entries"),
    "nested archive": ("a.xlsx", lambda: reworked(_nested), "archive"),
    "disguised archive": ("a.xlsx", lambda: reworked(_disguised), "archive"),
    "billion laughs": ("a.xlsx", lambda: reworked(_laughs), "entities"),
    "far cell": ("a.xlsx", lambda: reworked(_far), "XFD1048576"),
    "macros": ("a.xlsx", lambda: reworked(_macros), "macros"),
    "a document": ("a.xlsx", lambda: zipped([("word/document.xml", b"<w/>")]), "Word"),
    "old workbook": ("a.xls", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000), "old Excel"),
    "million columns": (
        "a.csv",
        lambda: b",".join([b"a"] * 1_000_000) + b"\n" + b",".join([b"1"] * 1_000_000),
        "columns",
    ),
    "ten thousand columns": (
        "a.csv",
        lambda: b"\n".join(b",".join(b"%d" % n for n in range(10_000)) for _ in range(3)),
        "columns",
    ),
    "endless line": ("a.csv", lambda: b"a" * (40 * MB), "line|characters"),
    "endless cell": ("a.csv", lambda: b'a,b\n1,"' + b"x" * (30 * MB), "line|characters"),
    "zero bytes": ("a.csv", lambda: b"a,b\n1,\x00\n" * 1_000, "zero bytes"),
    "late zero bytes": ("a.csv", lambda: b"a,b\n" + b"1,2\n" * 100_000 + b"1,\x00\x00\n", "zero bytes"),
    "too many rows": ("a.csv", lambda: b"a\n" + b"1\n" * 1_000_200, "rows"),
    "too many cells": (
        "a.csv",
        lambda: b",".join([b"a"] * 200) + b"\n" + (b",".join([b"1"] * 200) + b"\n") * 210_000,
        "cells",
    ),
    "deep json": ("a.json", deep_json, "deep"),
    "big number": ("a.json", lambda: b'[{"a": ' + b"9" * 100_000 + b"}]", "digits"),
    "key twice": ("a.json", lambda: b'[{"a": 1, "a": 2}]', "twice"),
    "broken json": ("a.json", lambda: b'[{"a": 1}, {"a": ', "valid JSON"),
    "wide json": ("a.json", lambda: json.dumps([{f"k{n}": 1 for n in range(2_000)}]).encode(), "columns"),
    "growing json": ("a.ndjson", lambda: b"\n".join(b'{"k%d": 1}' % n for n in range(5_000)), "columns"),
    "repeated parquet": ("a.parquet", lambda: parquet_repeated(4_000_000), "rows"),
    "parquet of long texts": ("a.parquet", parquet_wide_texts, "bytes|characters|memory|complex"),
    "lying footer": ("a.parquet", parquet_lying_footer, "footer"),
    "thrift of two billion": ("a.parquet", parquet_thrift, "damaged|complex"),
    "cut parquet": ("a.parquet", lambda: b"PAR1" + bytes(50), "damaged"),
    "csv and archive": ("a.csv", lambda: b"a,b\n1,2\n" * 100 + zipped([("x.csv", b"1")]), "archive"),
    "gzip": ("a.csv", lambda: gzip.compress(b"a,b\n1,2\n"), "gz"),
    "html": ("a.csv", lambda: b"<!DOCTYPE html><table><tr><td>1</td></tr></table>", "HTML"),
    "picture": ("a.csv", lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), "png"),
    "pdf": ("a.csv", lambda: b"%PDF-1.7\n1 0 obj", "PDF"),
    "csv named xlsx": ("a.xlsx", lambda: b"a,b\n1,2\n", "named"),
    "json named csv": ("a.csv", lambda: b'[{"a": 1}]', "named"),
    "parquet named json": ("a.json", lambda: parquet_repeated(1_000_000), "named"),
    "empty": ("a.csv", lambda: b"", "empty"),
    "blank": ("a.csv", lambda: b" \n\n\t\n", "empty"),
    "header only": ("a.csv", lambda: b"name,age\n", "no rows"),
    "no records": ("a.json", lambda: b"[]", "no records"),
    "number only": ("a.json", lambda: b'{"a": {}}', ""),
}
"""Name -> (file's name, the file, what the refusal says)."""
