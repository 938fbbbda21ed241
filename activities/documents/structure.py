"""What a file is built like, looked at before any reader of its format: bombs, and files that are two things at once.

Pure, and in time and memory bounded by the limits below. It runs where the readers run, inside the sandbox.
"""

import re
import stat
import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import PurePosixPath

from schema.errors import PayloadTooLarge, UnsupportedFormat

ZIP_ENTRIES_MAX = 2_000
ZIP_DIRECTORY_BYTES_MAX = 1024 * 1024
ZIP_INFLATED_BYTES_MAX = 500 * 1024 * 1024
INFLATION_MAX = 100
"""Bytes that one packed byte may become. Text and office files stay below 30; only what is made to burst is beyond."""
INFLATED_UNCHECKED = 16 * 1024 * 1024
"""Below this a high ratio does no harm (a blank picture has one)."""
STREAMS_NESTED_MAX = 4
NESTING_MAX = 64
WORD_CHARACTERS_MAX = 1_000_000

OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Compound file (MS-CFB): Word and PowerPoint before 2007, and any office file that is encrypted."""
_INFLATE_BYTES = 256 * 1024
_STREAM = re.compile(rb"stream\r?\n")
_ENTITY = re.compile(r"<!ENTITY\s+(?:%\s+)?[^\s>]+\s+[\"']", re.IGNORECASE)
"""One with a text of its own; those that name a file or an address are never fetched."""
_OTHERS = (b"GIF8", b"\x89PNG", b"\xff\xd8\xff", b"PK", b"MZ", b"\x7fELF")
_END_OF_ZIP = b"PK\x05\x06"
_ARCHIVE = re.compile(r"\.(?:zip|jar|7z|rar|tar|gz|tgz|bz2|xz|zst)\Z", re.IGNORECASE)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_LONG_WORD = re.compile(rf"\S{{{WORD_CHARACTERS_MAX}}}")


def is_zip(data: bytes) -> bool:
    """Tell whether a file is a ZIP archive, as office files are."""
    return data.startswith((b"PK\x03\x04", _END_OF_ZIP))


def check_single(data: bytes, kind: str) -> None:
    """Refuse a file that another reader would take for another format.

    Raises:
        UnsupportedFormat: it is an archive, or another format, too.
    """
    begins = data[:1024].find(b"%PDF-")
    if kind == "pdf" and begins > 0 and (data.startswith(_OTHERS) or b"<" in data[:begins]):
        raise UnsupportedFormat("The file is a PDF and another format at once. Export it again as a PDF.")
    if _END_OF_ZIP in data[-66_000:] and _directory(data) is not None:
        raise UnsupportedFormat("The file is also an archive. Upload the document without it.")


def check_zip(data: bytes) -> None:
    """Refuse an archive that would burst, or whose names lead out of the folder it is unpacked in.

    Headers can lie: who unpacks counts again.

    Raises:
        PayloadTooLarge: too many entries, or too large unpacked.
        UnsupportedFormat: damaged, encrypted, nested, or with links or names that lead elsewhere.
    """
    found = _directory(data)
    if found is None:
        raise UnsupportedFormat("The ZIP archive is damaged.")
    entries, directory_bytes = found
    if entries > ZIP_ENTRIES_MAX or directory_bytes > ZIP_DIRECTORY_BYTES_MAX:
        raise PayloadTooLarge(f"The archive has {entries} entries; at most {ZIP_ENTRIES_MAX} are read.")
    try:
        members = zipfile.ZipFile(BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, struct.error) as error:
        raise UnsupportedFormat("The ZIP archive is damaged.") from error
    packed = sum(member.compress_size for member in members)
    inflated = sum(member.file_size for member in members)
    if packed > len(data):
        # Entries that share bytes: each small, together a bomb (CVE-2024-0450).
        raise UnsupportedFormat("The archive's entries overlap.")
    if inflated > ZIP_INFLATED_BYTES_MAX or (inflated > INFLATED_UNCHECKED and inflated > INFLATION_MAX * packed):
        raise PayloadTooLarge(f"The archive unpacks to {inflated} bytes, which is too much.")
    for member in members:
        _check_member(member)


def _check_member(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.filename):
        raise UnsupportedFormat("The archive has a name that leads out of its folder.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UnsupportedFormat("The archive holds a symbolic link.")
    if member.flag_bits & 1:
        raise UnsupportedFormat("The archive is encrypted. Remove the protection and upload it again.")
    if _ARCHIVE.search(member.filename):
        raise UnsupportedFormat("The archive holds an archive. Upload the documents themselves.")


def _directory(data: bytes) -> tuple[int, int] | None:
    """Return the number of entries and the size of the central directory; None: there is none."""
    at = data.rfind(_END_OF_ZIP, max(0, len(data) - 66_000))
    if at < 0 or len(data) < at + 22:
        return None
    entries, size, offset = struct.unpack("<HII", data[at + 10 : at + 20])
    if entries == 0xFFFF or 0xFFFFFFFF in (size, offset):
        return ZIP_ENTRIES_MAX + 1, size  # ZIP64: for more, or larger, than is read.
    return (entries, size) if size + offset <= at else None


def check_pdf_streams(data: bytes) -> None:
    """Refuse a PDF with a stream that would burst; also one packed several times.

    Raises:
        PayloadTooLarge: it holds one.
    """
    for match in _STREAM.finditer(data):
        if data[match.end() : match.end() + 1] == b"\x78":
            _check_stream(memoryview(data)[match.end() :], STREAMS_NESTED_MAX)


def _check_stream(packed: memoryview | bytes, nested: int) -> None:
    """Inflate by pieces that are thrown away, as far as a limit."""
    inflater, inflated, first = zlib.decompressobj(), 0, b""
    position = 0
    pending: bytes | memoryview = b""
    try:
        while not inflater.eof and (pending or position < len(packed)):
            if not pending:
                pending = packed[position : position + _INFLATE_BYTES]
                position += len(pending)
            piece = inflater.decompress(pending, _INFLATE_BYTES)
            pending = inflater.unconsumed_tail
            inflated += len(piece)
            first = first or piece
            if inflated > INFLATED_UNCHECKED and inflated > INFLATION_MAX * position:
                raise PayloadTooLarge("The PDF holds a stream that unpacks to far more than it is. Export it again.")
    except zlib.error:
        return  # Not such a stream, or a damaged one: the reader decides.
    if nested and first.startswith(b"\x78"):
        _check_stream(first, nested - 1)


def check_text(text: str, *, json: bool, xml: bool) -> None:
    """Refuse text that is data of a harmful kind: entities that expand, deep nesting, a word of a million characters.

    Raises:
        UnsupportedFormat: it is.
    """
    if xml and _ENTITY.search(text):
        raise UnsupportedFormat("The XML defines entities of its own, which are not expanded. Save it without them.")
    if json and _depth(text) > NESTING_MAX:
        raise UnsupportedFormat(f"The JSON is nested more than {NESTING_MAX} levels deep.")
    if not xml and _LONG_WORD.search(text):
        raise UnsupportedFormat(f"The file holds a word of more than {WORD_CHARACTERS_MAX} characters: data, not text.")


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _JSON_TOKEN.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > NESTING_MAX:
                break
        elif token in "]}":
            depth -= 1
    return deepest
