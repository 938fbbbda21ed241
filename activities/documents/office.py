"""Office files (ECMA-376): which they are, and what is refused before a reader of theirs opens them. Pure.

It runs where the readers run, inside the sandbox. Every part is inflated once, counted and thrown away, since what an
archive says of itself may be a lie.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC
from io import BytesIO
from typing import Any

from lxml import etree

from activities.documents.builder import Metadata
from activities.documents.structure import INFLATED_UNCHECKED, INFLATION_MAX, OLD_OFFICE, check_zip
from schema.errors import PayloadTooLarge, UnsupportedFormat

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
OFFICE = (WORD, SLIDES)
OFFICE_INFLATED_BYTES_MAX = 256 * 1024 * 1024
OFFICE_PART_BYTES_MAX = 48 * 1024 * 1024
"""Of a part that is XML; a document of five million characters has fewer."""

_CONTENT_TYPES = "[Content_Types].xml"
_MACROS = ("macroenabled", "vbaproject")
_PIECE_BYTES = 256 * 1024
_DECLARED = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{0,40})")
_ENCODINGS = frozenset((b"utf-8", b"utf-16", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"))
_DOCTYPE = b"<!DOCTYPE"
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
DAMAGED = "The file is damaged and cannot be opened. Open it where it was made, save it again and upload the new file."
READERS_FAIL_WITH = (
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    IndexError,
    AssertionError,
    NotImplementedError,
    etree.LxmlError,
    zipfile.BadZipFile,
)
"""What python-docx and python-pptx raise of a file that is not as the standard has it."""


def check_office(data: bytes) -> str | None:
    """Refuse a package that would burst, or that holds macros or entities; return what it is.

    Returns:
        `WORD` or `SLIDES`; None: an archive of another kind.

    Raises:
        UnsupportedFormat: damaged, encrypted, with macros, or XML that is more than XML.
        PayloadTooLarge: too many parts, or too large unpacked.
    """
    check_zip(data)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            if _CONTENT_TYPES not in archive.namelist():
                return None
            _check_parts(archive)
            return _kind(archive)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError) as error:
        raise UnsupportedFormat(DAMAGED) from error


def refuse_old(data: bytes) -> None:
    """Refuse a compound file, saying what to do.

    Raises:
        UnsupportedFormat: it is one.
    """
    if data.startswith(OLD_OFFICE):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        if encrypted:
            raise UnsupportedFormat("The file is protected by a password. Remove the protection and upload it again.")
        raise UnsupportedFormat("This is an office file of before 2007. Save it as .docx, .pptx or PDF.")


def metadata_of(properties: Any) -> Metadata:
    """Return what a package says of itself: its core properties, as python-docx and python-pptx give them."""
    metadata = Metadata()
    metadata.title = _one_line(properties, "title", 500)
    metadata.author = _one_line(properties, "author", 200) or None
    metadata.language = _one_line(properties, "language", 20) or None
    for name in ("created", "modified"):
        try:
            if (at := getattr(properties, name)) is not None:
                metadata.published_at = at if at.tzinfo else at.replace(tzinfo=UTC)
                break
        except (ValueError, OverflowError):
            continue
    return metadata


def _one_line(properties: Any, name: str, length_max: int) -> str:
    return " ".join(str(getattr(properties, name, "") or "").split())[:length_max]


def _check_parts(archive: zipfile.ZipFile) -> None:
    names: set[str] = set()
    inflated = 0
    for member in archive.infolist():
        name = member.filename.casefold()
        if name in names:
            raise UnsupportedFormat("The file holds two parts of one name. Save it again and upload the new file.")
        names.add(name)
        is_xml = name.endswith((".xml", ".rels"))
        size, last = 0, b""
        for piece in _pieces(archive, member):
            if not size and is_xml:
                _check_beginning(piece)
            size += len(piece)
            inflated += len(piece)
            if inflated > OFFICE_INFLATED_BYTES_MAX or (is_xml and size > OFFICE_PART_BYTES_MAX):
                raise PayloadTooLarge("The file unpacks to more than is read. Split it.")
            if size > INFLATED_UNCHECKED and size > INFLATION_MAX * max(member.compress_size, 1):
                raise PayloadTooLarge("The file unpacks to far more than it is.")
            # In UTF-16 every other byte is zero.
            plain = (last + piece).replace(b"\x00", b"") if is_xml else b""
            if _DOCTYPE in plain:
                raise UnsupportedFormat("The file's XML defines entities of its own, which office files do not.")
            last = plain[-len(_DOCTYPE) :]


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


def _check_beginning(piece: bytes) -> None:
    """Refuse a part that says it is XML and does not begin like it, or in an encoding that hides what it says."""
    head = piece[:512].replace(b"\x00", b"")
    for mark in _MARKS:
        head = head.removeprefix(mark)
    declared = _DECLARED.match(head)
    if not head.lstrip().startswith(b"<") or (declared and declared[1].lower() not in _ENCODINGS):
        raise UnsupportedFormat(DAMAGED)


def _kind(archive: zipfile.ZipFile) -> str | None:
    """Tell what a package is by the content types of its parts."""
    try:
        tree = etree.fromstring(archive.read(_CONTENT_TYPES), _parser())
    except etree.LxmlError as error:
        raise UnsupportedFormat(DAMAGED) from error
    types = [str(each.get("ContentType", "")) for each in tree.iter() if isinstance(each.tag, str)]
    lowered = [each.lower() for each in types]
    if any(mark in each for each in lowered for mark in _MACROS) or any(
        name.lower().endswith("vbaproject.bin") for name in archive.namelist()
    ):
        raise UnsupportedFormat("The file holds macros. Save it as .docx or .pptx, which hold none.")
    for kind in OFFICE:
        if f"{kind}.main+xml" in types:
            return kind
    families: Sequence[str] = ("wordprocessingml", "presentationml")
    if any(f"{family}.{form}.main+xml" in each for each in lowered for family in families for form in _FORMS):
        raise UnsupportedFormat("The file is a template or a slide show. Save it as .docx or .pptx.")
    return None


_FORMS = ("template", "slideshow")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
