"""The text of what was read of images and scans: lines in reading order, tables as rows. Pure."""

import csv
import io
from collections.abc import Sequence
from pathlib import PurePosixPath

from activities.documents.builder import ExtractedDocument, TextBuilder
from activities.documents.language import language_of
from schema.contracts.images import Caption, ReadPage, ReadTable, RegionKind
from schema.policies import DOCUMENT_CHARACTERS_MAX

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add_page(builder: TextBuilder, page: ReadPage) -> None:
    """Append what a page says; the caller has begun the page."""
    for region in page.regions:
        if builder.length > DOCUMENT_CHARACTERS_MAX:
            return
        lines = [page.lines[number].text for number in region.lines]
        if region.table is not None:
            for row in page.tables[region.table].rows:
                builder.line(" | ".join(row) if any(row) else "")
        elif region.kind is RegionKind.TITLE:
            builder.heading(2, " ".join(lines))
        elif region.kind is RegionKind.LIST:
            for line in lines:
                builder.line(line)
        elif lines:
            builder.prose(joined(lines))


def joined(lines: Sequence[str]) -> str:
    """Undo the line breaks of a paragraph; a word that was divided at the end of a line is one word again."""
    out = ""
    for line in lines:
        if out.endswith("-") and out[-2:-1].isalpha() and line[:1].islower():
            out = out[:-1] + line
        else:
            out = f"{out} {line}" if out else line
    return out


def document_of(
    name: str, mime: str, pages: Sequence[ReadPage], description: str, caption: Caption | None
) -> ExtractedDocument:
    """Return an image as a document: what is written on it by page, then what it looks like."""
    builder = TextBuilder()
    for page in pages:
        builder.page()
        add_page(builder, page)
    written = builder.text()
    builder.prose(f"Description by measurement: {description}")
    if caption is not None:
        builder.prose(f"Description by the model {caption.model}: {caption.text}")
    titles = [written[heading.start : heading.end] for heading in builder.headings]
    return ExtractedDocument(
        title=(titles[0] if titles else title_of(name))[:300],
        text=builder.text(),
        mime=mime,
        headings=tuple(builder.headings),
        pages=tuple(builder.pages),
        language=language_of(written) if written else None,
    )


def title_of(name: str) -> str:
    """Return a file's name as a title."""
    return PurePosixPath(name.replace("\\", "/")).stem.replace("_", " ").strip() or "Untitled"


def table_csv(table: ReadTable) -> bytes:
    """Return a table as CSV (RFC 4180, UTF-8); a cell that a spreadsheet would take for a formula gets an apostrophe.

    Numbers stay as they are, with their sign.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in table.rows:
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell for cell in row])
    return out.getvalue().encode("utf-8", "replace")


def _is_number(cell: str) -> bool:
    plain = cell.replace(",", "").replace(" ", "").rstrip("%")
    try:
        float(plain)
    except ValueError:
        return False
    return plain.isascii()
