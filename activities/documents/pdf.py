"""PDF: the text of every page, in order. Pure; a scanned page has no text, and none is invented."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from activities.documents.builder import Metadata, TextBuilder
from activities.documents.plain import unwrapped
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DOCUMENT_CHARACTERS_MAX

PDF_PAGES_MAX = 2_000
NO_TEXT = "The PDF contains no text (scanned pages, perhaps). Upload a version with text."

_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?")


def read_pdf(data: bytes, builder: TextBuilder) -> None:
    """Append the text of every page.

    Raises:
        UnsupportedFormat: it is encrypted, damaged, or holds pictures of text only.
        PayloadTooLarge: more than PDF_PAGES_MAX pages.
    """
    with open_pdf(data) as document:
        for number in range(len(document)):
            builder.page()
            for paragraph in page_paragraphs(document, number):
                builder.prose(paragraph)
            if builder.length > DOCUMENT_CHARACTERS_MAX:
                break
        builder.metadata = metadata_of(document)
    if not builder.length:
        raise UnsupportedFormat(NO_TEXT)


@contextmanager
def open_pdf(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """Open a PDF.

    Raises:
        UnsupportedFormat: it is encrypted or damaged.
        PayloadTooLarge: more than PDF_PAGES_MAX pages.
    """
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _unreadable(getattr(error, "err_code", None)) from error
    try:
        if len(document) > PDF_PAGES_MAX:
            raise PayloadTooLarge(f"The PDF has {len(document)} pages; at most {PDF_PAGES_MAX} can be read. Split it.")
        yield document
    finally:
        document.close()


def page_paragraphs(document: pypdfium2.PdfDocument, number: int) -> list[str]:
    """Return the paragraphs of a page, from 0, without the line breaks of the layout."""
    return _paragraphs(page_text(document, number))


def _unreadable(code: int | None) -> UnsupportedFormat:
    if code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY):
        return UnsupportedFormat("The PDF is protected by a password. Remove the protection and upload it again.")
    return UnsupportedFormat("The PDF is damaged and cannot be opened. Export it again and upload the new file.")


def page_text(document: pypdfium2.PdfDocument, number: int) -> str:
    """Return the text of a page, from 0, line by line as it is laid out."""
    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError as error:
        raise _unreadable(None) from error
    try:
        text: str = text_page.get_text_bounded()
    finally:
        text_page.close()
        page.close()
    # pdfium marks a hyphen that it takes for a line break's with U+FFFE or U+0002.
    return re.sub(r"[\ufffe\x02]\s*", "", text.replace("\r\n", "\n"))


def _paragraphs(text: str) -> list[str]:
    """Undo the line breaks of the layout: a line that is clearly shorter than the others ends its paragraph."""
    lines = [line.strip() for line in text.split("\n")]
    lengths = sorted(len(line) for line in lines if line)
    if not lengths:
        return []
    width = min(lengths[int(len(lengths) * 0.8)], 120)
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if not line:
            paragraphs.append([])
            continue
        paragraphs[-1].append(line)
        if len(line) < 0.6 * width or (len(line) < 0.85 * width and line.endswith((".", "!", "?", ":"))):
            paragraphs.append([])
    return [unwrapped(paragraph, 0) for paragraph in paragraphs if paragraph]


def metadata_of(document: pypdfium2.PdfDocument) -> Metadata:
    """Return what a PDF says of itself."""
    found = document.get_metadata_dict()
    metadata = Metadata()
    metadata.title = " ".join(found.get("Title", "").split())[:500]
    metadata.author = " ".join(found.get("Author", "").split())[:200] or None
    if match := _DATE.match(found.get("CreationDate", "")):
        year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
        try:
            metadata.published_at = datetime(
                year or 1, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=UTC
            )
        except ValueError:
            metadata.published_at = None
    return metadata
