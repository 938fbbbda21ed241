"""What a file is: by its first bytes, and only among kinds of text by its name. Pure.

A name that says another kind than the bytes is no reason to refuse a file that can be read; what cannot be told is.
"""

import json
import re
from pathlib import PurePosixPath

import filetype

from schema.contracts.files import FileKind
from schema.errors import UnsupportedFormat

HEAD_BYTES = 64 * 1024
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
OFFICE = {"xl": (FileKind.DATA, XLSX), "word": (FileKind.DOCUMENT, DOCX), "ppt": (FileKind.DOCUMENT, PPTX)}
"""Folder of an office file's parts -> what the file is."""
FORMATS = (
    "csv, tsv, xlsx, json, ndjson, parquet; pdf, docx, pptx, html, md, txt; png, jpeg, webp, tiff, bmp, gif; "
    "wav, mp3, flac, ogg, m4a, aac; mp4, mov, mkv, webm, avi"
)
_OFFICE_SUFFIXES = {".xlsx": "xl", ".docx": "word", ".docm": "word", ".pptx": "ppt", ".pptm": "ppt"}
_ENTRY = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
"""Header of an entry of a ZIP archive, as far as the length of its name."""
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DATA = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}
_DOCUMENTS = {".html": "text/html", ".htm": "text/html", ".md": "text/markdown", ".markdown": "text/markdown"}
_CLAIMED = {
    **{mime: mime for mime in _DATA.values()},
    "application/jsonl": "application/x-ndjson",
    "application/x-jsonlines": "application/x-ndjson",
    "text/html": "text/html",
    "text/markdown": "text/markdown",
}
_IMAGES = frozenset(("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif", "image/x-ms-bmp"))


def kind_of(head: bytes, name: str, claimed: str) -> tuple[FileKind, str]:
    """Return what a file is, and its media type.

    Args:
        head: its first `HEAD_BYTES`.
        claimed: the media type that its sender gave it; decides among texts where the name does not.

    Raises:
        UnsupportedFormat: it is none of what is read.
    """
    if head.startswith(b"PAR1"):
        return FileKind.DATA, PARQUET
    if head.startswith(b"PK\x03\x04"):
        return _archive(head, name)
    if head.startswith(_OLD_OFFICE):
        raise _unknown("It is an office file of before 2007, or one with a password. Save it as .docx, .pptx or .xlsx.")
    found = filetype.guess(head)
    mime = found.mime if found is not None else ""
    if mime == PDF:
        return FileKind.DOCUMENT, PDF
    if mime in _IMAGES:
        return FileKind.IMAGE, mime
    for kind in (FileKind.AUDIO, FileKind.VIDEO):
        if mime.startswith(f"{kind.value}/"):
            return kind, mime
    if mime and not mime.startswith("text/"):
        raise _unknown(f"It is {mime}.")
    if _is_text(head):
        return _text(head, name, claimed)
    raise _unknown("Its content is none that is known here.")


def _archive(head: bytes, name: str) -> tuple[FileKind, str]:
    for entry in _ENTRY.finditer(head):
        end = entry.end() + int.from_bytes(entry[1], "little")
        folder = head[entry.end() : end].partition(b"/")[0].decode("ascii", "ignore")
        if folder in OFFICE:
            return OFFICE[folder]
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in _OFFICE_SUFFIXES:
        return OFFICE[_OFFICE_SUFFIXES[suffix]]
    raise _unknown("It is an archive. Unpack it, and send the files in it.")


def _text(head: bytes, name: str, claimed: str) -> tuple[FileKind, str]:
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in _DATA:
        return FileKind.DATA, _DATA[suffix]
    if suffix in _DOCUMENTS:
        return FileKind.DOCUMENT, _DOCUMENTS[suffix]
    if (mime := _CLAIMED.get(claimed)) is not None:
        return (FileKind.DOCUMENT if mime in _DOCUMENTS.values() else FileKind.DATA), mime
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:9].lower() in (b"<!doctype", b"<html>") or start[:5].lower() == b"<html":
        return FileKind.DOCUMENT, "text/html"
    if start[:1] in (b"{", b"[") and suffix in ("", ".txt") and _is_json(start):
        return FileKind.DATA, "application/json"
    return FileKind.DOCUMENT, "text/plain"


def _is_json(start: bytes) -> bool:
    """Tell whether a text's first value is JSON, or is cut off in the middle of one that may be."""
    try:
        json.JSONDecoder().raw_decode(start.decode("utf-8", "ignore"))
    except ValueError as error:
        return getattr(error, "pos", 0) > min(1_000, len(start) // 2)
    except RecursionError:
        return False
    return True


def _is_text(head: bytes) -> bool:
    """Tell whether bytes are a text: of UTF-16 by its mark; of others where there is hardly a control character."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    controls = sum(head.count(bytes((code,))) for code in (*range(9), *range(14, 27), 28, 29, 30, 31))
    return bool(head) and controls <= len(head) // 1_000


def _unknown(what: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"The file is of no kind that is read. {what} What is read: {FORMATS}.")
