"""Files that are made to hurt whoever reads them; small, and made when they are needed."""

import io
import stat
import zipfile
import zlib

from tests.unit.documents.files import pdf

MB = 1024 * 1024


def zipped(entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def link() -> bytes:
    entry = zipfile.ZipInfo("word/document.xml")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped([(entry, b"/etc/passwd")])


def squeezed(size_mb: int) -> bytes:
    squeezer = zlib.compressobj(9)
    return b"".join(squeezer.compress(bytes(MB)) for _ in range(size_mb)) + squeezer.flush()


def pdf_with_stream(packed: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    plain = pdf(["x"])
    start = plain.index(b"4 0 obj")
    end = plain.index(b"endobj", start)
    stream = b"4 0 obj\n<< /Filter %s /Length %d >>\nstream\n%s\nendstream\n" % (filters, len(packed), packed)
    return plain[:start] + stream + plain[end:]


def lying_zip() -> bytes:
    """An archive whose directory counts 60,000 entries."""
    return b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(4) + b"\x60\xea" * 2 + bytes(10)


def overlapping() -> bytes:
    """An archive of which every entry is the same bytes."""
    one = zipped([("a.xml", bytes(MB))])
    at = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry = one[at:end]
    many = b"".join(entry.replace(b"a.xml", b"%c.xml" % (97 + n)) for n in range(20))
    tail = bytearray(one[end:])
    tail[8:10] = tail[10:12] = (20).to_bytes(2, "little")
    tail[12:16] = len(many).to_bytes(4, "little")
    return one[:at] + many + bytes(tail)


def png_flood() -> bytes:
    """A picture of 40,000 x 40,000 points."""
    head = b"IHDR" + (40_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    data = b"IDAT" + squeezed(5)

    def chunk(body: bytes) -> bytes:
        return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    return b"\x89PNG\r\n\x1a\n" + chunk(head) + chunk(data) + chunk(b"IEND")


def laughs() -> bytes:
    entities = b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
    return b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'lol'>" + entities + b"]><l>&m;</l>"


def bombs() -> dict[str, tuple[str, bytes, str]]:
    """Return (file name, content, a word of its refusal) by what it is."""
    return {
        "zip-ratio": ("a.docx", zipped([("word/document.xml", bytes(64 * MB))]), "unpacks"),
        "zip-entries": ("a.xlsx", lying_zip(), "entries"),
        "zip-nested": ("a.zip", zipped([("inner.zip", zipped([("a.txt", b"x")]))]), "holds an archive"),
        "zip-overlap": ("a.zip", overlapping(), "overlap"),
        "zip-upwards": ("a.zip", zipped([("../../etc/cron.d/x", b"x")]), "out of its folder"),
        "zip-absolute": ("a.zip", zipped([("/etc/x", b"x")]), "out of its folder"),
        "zip-link": ("a.docx", link(), "symbolic link"),
        "xml-laughs": ("a.xml", laughs(), "entities"),
        "pdf-stream": ("a.pdf", pdf_with_stream(squeezed(200)), "unpacks"),
        "pdf-twice": (
            "b.pdf",
            pdf_with_stream(zlib.compress(squeezed(200)), b"[/FlateDecode /FlateDecode]"),
            "unpacks",
        ),
        "pdf-pages": ("c.pdf", pdf(["x"] * 10_000), "pages"),
        "pdf-and-html": ("d.pdf", b"<html><script>1</script>\n" + pdf(["x"]), "another format"),
        "pdf-and-zip": ("e.pdf", pdf(["x"]) + zipped([("a.txt", b"x")]), "archive"),
        "json-deep": ("a.json", b"[" * 100_000 + b"]" * 100_000, "nested"),
        "html-deep": ("a.html", b"<!doctype html><body>" + b"<div>" * 50_000 + b"text", ""),
        "one-word": ("a.txt", b"x" * (4 * MB), "word"),
        "one-line": ("b.txt", b"word " * (4 * MB), "characters"),
        "picture": ("a.png", png_flood(), "PNG"),
        "picture-as-text": ("c.txt", png_flood(), "PNG"),
    }
