"""PDF whose pages are pictures of text: which they are, and their pixels. Runs inside the sandbox."""

from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2
from pypdfium2 import raw

from activities.documents.pdf import metadata_of, open_pdf, page_paragraphs, page_text
from activities.documents.structure import check_pdf_streams, check_single
from activities.images.engines import Pixels
from schema.contracts.images import ScannedPages
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import (
    IMAGE_DPI,
    IMAGE_PAGE_TEXT_MIN,
    IMAGE_PAGES_MAX,
    IMAGE_PIXELS_MAX,
    IMAGE_READ_SIDE_PX,
    UPLOAD_BYTES_MAX,
)

POINTS_PER_INCH = 72
PICTURE_SHARE = 0.2
"""Of its page, that a picture covers at least where the page is a scan."""
UNREADABLE_SHARE = 0.3
"""Of a page's characters without a meaning (no Unicode value), above which its text is not usable."""
OBJECTS_SEEN_MAX = 20_000
"""Of one page; those beyond are not looked at."""
FORMS_NESTED_MAX = 4


def find_scanned(data: bytes) -> ScannedPages:
    """Tell which pages of a PDF show a picture and have no usable text.

    A page is that of a scan where it has fewer than `IMAGE_PAGE_TEXT_MIN` letters and digits, or letters that mean
    nothing, and where pictures cover `PICTURE_SHARE` of it. Blank pages are none.

    Raises:
        UnsupportedFormat: it is encrypted or damaged.
        PayloadTooLarge: it has more pages than are read.
    """
    if len(data) > UPLOAD_BYTES_MAX:
        raise PayloadTooLarge(f"The file is larger than {UPLOAD_BYTES_MAX} bytes.")
    check_single(data, "pdf")
    check_pdf_streams(data)
    scanned: list[int] = []
    with_text, beyond = 0, 0
    with open_pdf(data) as document:
        pages = len(document)
        for number in range(pages):
            if has_text(page_text(document, number)):
                with_text += 1
            elif not _shows_picture(document, number):
                continue
            elif len(scanned) < IMAGE_PAGES_MAX:
                scanned.append(number + 1)
            else:
                beyond += 1
    if not pages:
        raise UnsupportedFormat("The PDF has no pages.")
    return ScannedPages(pages=pages, scanned=tuple(scanned), with_text=with_text, beyond=beyond)


def has_text(text: str) -> bool:
    """Tell whether a page's text can be used: enough letters, and hardly any that mean nothing."""
    letters = sum(char.isalnum() for char in text)
    lost = sum(char == "\ufffd" or "\ue000" <= char <= "\uf8ff" for char in text)
    return letters >= IMAGE_PAGE_TEXT_MIN and lost <= UNREADABLE_SHARE * (letters + lost)


def _shows_picture(document: pypdfium2.PdfDocument, number: int) -> bool:
    page = document[number]
    try:
        width, height = page.get_size()
        covered = 0.0
        for seen, each in enumerate(page.get_objects(max_depth=FORMS_NESTED_MAX)):
            if seen > OBJECTS_SEEN_MAX:
                break
            if each.type == raw.FPDF_PAGEOBJ_IMAGE:
                left, bottom, right, top = each.get_bounds()
                covered += max(0.0, min(right, width) - max(left, 0)) * max(0.0, min(top, height) - max(bottom, 0))
        return bool(covered >= PICTURE_SHARE * width * height)
    except pypdfium2.PdfiumError:
        return False
    finally:
        page.close()


def draw_pages(data: bytes, numbers: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
    """Draw pages as a scanner would have them, one after another: `IMAGE_DPI`, within the limit of pixels."""
    with open_pdf(data) as document:
        for number in numbers:
            page = document[number - 1]
            try:
                width, height = (max(1.0, side) for side in page.get_size())
                scale = IMAGE_DPI / POINTS_PER_INCH
                scale = min(
                    scale, IMAGE_READ_SIDE_PX / max(width, height), (IMAGE_PIXELS_MAX / (width * height)) ** 0.5
                )
                bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False, may_draw_forms=False)
                pixels = bitmap.to_numpy()[:, :, :3].copy()
                bitmap.close()
            except (pypdfium2.PdfiumError, ValueError) as error:
                raise UnsupportedFormat(f"Page {number} of the PDF is damaged. Export it again.") from error
            finally:
                page.close()
            yield number, pixels


def read_text(data: bytes, scanned: frozenset[int]) -> dict[str, Any]:
    """Return the paragraphs of every page that is no scan, and what the PDF says of itself.

    Returns:
        `paragraphs`: per page, in their order; `title`, `author`, `published_at` (ISO 8601), each or None.
    """
    with open_pdf(data) as document:
        paragraphs = [
            [] if number + 1 in scanned else page_paragraphs(document, number) for number in range(len(document))
        ]
        metadata = metadata_of(document)
    published_at = metadata.published_at.isoformat() if metadata.published_at else None
    return {
        "paragraphs": paragraphs,
        "title": metadata.title,
        "author": metadata.author,
        "published_at": published_at,
    }
