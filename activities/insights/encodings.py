"""The encoding of a text file: by its byte order mark, by whether it is UTF-8, and last by what its letters spell."""

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from schema.errors import UnsupportedFormat

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 4 * 1024 * 1024
_SAMPLE = 64 * 1024
_CANDIDATES = [
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "koi8_r",
    "mac_roman",
    "cp850",
    "cp437",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
]
_WESTERN = frozenset("äöüßéèêëàâáãåæçñíìîïóòôõøúùûÿœžšÄÖÜÉÈÀÂÁÃÅÆÇÑÍÓÔÕØÚÛŒŽŠ€£°²³µ§«»–—‘’“”…¿¡ ªº¼½¾×±·")
_WESTERN_SHARE_MIN = 0.9
_BROKEN_SHARE_MAX = 0.2
"""A file of which more of the characters beyond ASCII are not UTF-8 is another encoding."""
_FALLBACK = "swissbrain-cp1252"


@dataclass(frozen=True)
class Encoding:
    """How a file's bytes become text."""

    name: str
    evidence: str
    start: int = 0
    """Bytes of the byte order mark."""
    broken: int = 0
    """Bytes that are not of it, read as Windows-1252."""


class Pieces:
    """A file by pieces, as bytes by slices: what is not held does not count as memory, as mapped pages would."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file that is open; it is read by position."""
        self._descriptor = file.fileno()
        self._size = os.fstat(self._descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        return os.pread(self._descriptor, max(0, stop - start), start)


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_one(byte) for byte in wrong), error.end


def _one(byte: int) -> str:
    return bytes([byte]).decode("cp1252", "replace")


codecs.register_error(_FALLBACK, _as_cp1252)


def encoding_of(data: Pieces | bytes) -> Encoding:
    """Tell the encoding of a file.

    Raises:
        UnsupportedFormat: it is no text.
    """
    head = data[:_SAMPLE]
    for bom, name in _BOMS:
        if head.startswith(bom):
            return Encoding(name, "byte order mark", len(bom))
    if b"\x00" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        half = len(head) / 2
        if odd > 0.3 * half and even < 0.05 * half:
            return Encoding("utf-16-le", "every second byte is zero")
        if even > 0.3 * half and odd < 0.05 * half:
            return Encoding("utf-16-be", "every second byte is zero")
        raise UnsupportedFormat("The file holds zero bytes: it is binary, not text. Export it as CSV in UTF-8.")
    wrong, lines, beyond = _faults(data)
    if not wrong:
        return Encoding("utf-8", "every byte is UTF-8" if beyond else "plain ASCII")
    if wrong <= _BROKEN_SHARE_MAX * beyond:
        evidence = f"UTF-8 but for {wrong} bytes, which were read as Windows-1252"
        return Encoding("utf-8", evidence, broken=wrong)
    return Encoding(*_guessed(lines))


def decoded(data: Pieces | bytes, encoding: Encoding) -> Iterator[str]:
    """Yield a file's text by pieces."""
    errors = _FALLBACK if encoding.broken else "replace"
    decoder = codecs.getincrementaldecoder(encoding.name)(errors)
    for start in range(encoding.start, len(data), _CHUNK):
        yield decoder.decode(data[start : start + _CHUNK], final=start + _CHUNK >= len(data))


def _faults(data: Pieces | bytes) -> tuple[int, bytes, int]:
    """Return the bytes that are not UTF-8, a sample of the lines with bytes beyond ASCII, and the characters beyond."""
    wrong = beyond = 0
    lines = bytearray()
    rest = b""
    for start in range(0, len(data), _CHUNK):
        piece = rest + data[start : start + _CHUNK]
        rest = b""
        if piece.isascii():
            continue
        try:
            piece.decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data" and start + _CHUNK < len(data):
                rest, piece = piece[error.start :], piece[: error.start]
            text = piece.decode("utf-8", "surrogateescape")
            wrong += len(re.findall("[\udc80-\udcff]", text))
        beyond += len(re.findall(rb"[\x80-\xff]+", piece))
        if len(lines) < _SAMPLE:
            for line in piece.splitlines():
                if not line.isascii():
                    lines += line[:2_000] + b"\n"
                if len(lines) >= _SAMPLE:
                    break
    return wrong, bytes(lines[:_SAMPLE]), beyond


def _guessed(lines: bytes) -> tuple[str, str]:
    """Choose among the single-byte and East Asian encodings by what the letters spell."""
    from charset_normalizer import from_bytes

    western = lines.decode("cp1252", "replace")
    letters = [letter for letter in western if letter > "\x7f"]
    known = sum(1 for letter in letters if letter in _WESTERN)
    if letters and known >= _WESTERN_SHARE_MIN * len(letters) and not _mixes(western):
        return "cp1252", "its letters beyond ASCII are those of Western European languages"
    try:
        best = from_bytes(lines, cp_isolation=_CANDIDATES, threshold=0.5).best()
    except (ValueError, UnicodeError):
        best = None
    if best is not None and best.encoding:
        return best.encoding, "by the letters that it gives (charset-normalizer)"
    try:
        lines.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1", "nothing else fits"
    return "cp1252", "nothing fits better"


def _mixes(text: str) -> bool:
    """Tell whether a reading puts letters beyond ASCII next to each other, or signs within words, as wrong ones do."""
    words = re.findall(r"\w*[^\x00-\x7f]\w*", text)
    odd = sum(1 for word in words if re.search(r"[^\W\d_a-zA-Z]{3}|[a-z][°²³§«»¿¡×±][a-z]|[a-zß-ÿ][À-Þ]", word))
    return odd > 0.3 * max(1, len(words))
