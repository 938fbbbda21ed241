"""Files of the formats that the product reads, written by hand: the same content gives the same bytes."""

import html
import re
import textwrap
import tomllib
from collections.abc import Sequence
from pathlib import Path

LINE_WIDTH = 92
DATA = Path(__file__).parent / "data"


def words_of(name: str) -> list[str]:
    """Return a word list of `data/words.toml`."""
    return str(tomllib.loads((DATA / "words.toml").read_text("utf-8"))[name]).split()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]


def as_text(title: str, parts: Sequence[str], dated: str = "") -> bytes:
    """Write a plain text; it has no place for a date but its own words."""
    paragraphs = [part if "\n" in part else "\n".join(_wrapped(part)) for part in parts]
    return "\n\n".join([title, *paragraphs]).encode() + b"\n"


def _wrapped(text: str) -> list[str]:
    """Wrap a paragraph so that no line begins like an item of a numbered list (50. The ...)."""
    lines: list[str] = []
    for line in textwrap.wrap(text, LINE_WIDTH):
        if lines and re.match(r"\d+[.)](?:\s|$)", line):
            first, _, line = line.partition(" ")
            lines[-1] += f" {first}"
        lines += [line] if line else []
    return lines


def as_markdown(title: str, parts: Sequence[str], dated: str = "") -> bytes:
    """Write Markdown, its date in the front matter."""
    front = f"---\ntitle: {title}\ndate: {dated}\n---\n\n" if dated else ""
    return (front + "\n\n".join([f"# {title}", *parts]) + "\n").encode()


def as_html(title: str, parts: Sequence[str], dated: str = "") -> bytes:
    """Write a page with navigation and footer around its text; Markdown tables and bullets become real ones."""
    meta = f'<meta property="article:published_time" content="{dated}T08:00:00Z">' if dated else ""
    body = "".join(_html_part(part) for part in parts)
    return (
        f'<!doctype html><html lang="en"><head><title>{html.escape(title)}</title>{meta}</head><body>'
        f'<nav><a href="/">Home</a> <a href="/all">All articles</a></nav><main><article><h1>{html.escape(title)}</h1>'
        f"{body}</article></main><footer>Imprint and contact</footer></body></html>"
    ).encode()


def _html_part(part: str) -> str:
    lines = part.splitlines()
    if part.startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if " --- " not in line]
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    if part.startswith("- "):
        return "<ul>" + "".join(f"<li>{html.escape(line.removeprefix('- '))}</li>" for line in lines) + "</ul>"
    return f"<p>{html.escape(part)}</p>"


def as_pdf(title: str, parts: Sequence[str], dated: str = "") -> bytes:
    """Write a PDF of one page of Helvetica, text wrapped to lines, its date in the document's information."""
    lines = [title, ""]
    for part in parts:
        lines += [*_wrapped(part), ""]
    shown = " T* ".join(f"({_pdf_escaped(line)}) Tj" for line in lines)
    stream = f"BT /F1 11 Tf 15 TL 60 780 Td {shown} ET".encode("cp1252")
    stamp = f" /CreationDate (D:{dated.replace('-', '')}080000Z)" if dated else ""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [5 0 R] >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>",
        f"<< /Title ({_pdf_escaped(title)}){stamp} >>".encode("cp1252"),
    ]
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _pdf_escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
