"""Documents as files of a run: the text, as the corpus has it; scanned pages of a PDF by OCR."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from activities.documents.builder import ExtractedDocument, TextBuilder, page_at
from activities.documents.language import language_of
from activities.documents.passages import PassageSpan
from activities.documents.sandbox import check_structure, parse
from activities.files.image_reader import tables_of, version_of
from activities.files.kinds import DOCX, PDF, PPTX
from activities.files.reader import Assembled, Extent, Reading, Source
from activities.images import models
from activities.images.recognising import pdf_text, read_scans, scanned_pages
from activities.images.text import add_page, title_of
from schema.contracts.files import Portion
from schema.contracts.images import ReadPage
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DOCUMENT_CHARACTERS_MAX, IMAGE_PAGES_MAX, IMAGE_PORTION_PAGES

MEGABYTE = 1_000_000
OFFICE = (DOCX, PPTX)
NAMED_PAGES_MAX = 20


class DocumentReader:
    """Reads text out of documents, in the sandbox; scanned pages in portions."""

    def __init__(self, engine: str = models.AUTO) -> None:
        """Keep how scans are read.

        Args:
            engine: `auto`, `rapidocr`, `easyocr` or `none`.
        """
        self._setting = engine
        self.version = version_of("document-2", engine)

    async def inspect(self, source: Source) -> Extent:
        """Count megabytes, or the pages of a PDF that have to be recognised.

        Raises:
            PartMissing: it is a PDF without any text, and no engine is installed here.
            UnsupportedFormat, PayloadTooLarge, SourceUnavailable: as `Reader.inspect`.
        """
        megabytes = Extent("document.megabyte", -(-source.size_bytes // MEGABYTE))
        if source.mime in OFFICE:
            await check_structure(source.path.read_bytes())
        if source.mime != PDF:
            return megabytes
        found = await scanned_pages(source.path)
        if not found.scanned:
            return megabytes
        if models.choose(self._setting) is None:
            if not found.with_text:
                raise models.missing(self._setting)
            return Extent(megabytes.unit, megabytes.amount, facts={"left_out": list(found.scanned)})
        if found.beyond:
            raise PayloadTooLarge(
                f"The PDF has {len(found.scanned) + found.beyond} scanned pages; at most {IMAGE_PAGES_MAX} are read. "
                "Split it."
            )
        starts = range(0, len(found.scanned), IMAGE_PORTION_PAGES)
        portions = tuple(
            Portion(number=number, start=first, end=min(first + IMAGE_PORTION_PAGES, len(found.scanned)))
            for number, first in enumerate(starts, 1)
        )
        return Extent("document.page", len(found.scanned), portions, {"scanned": list(found.scanned)})

    async def read(
        self,
        source: Source,
        facts: Mapping[str, Any],
        portion: Portion,
        progress: Callable[[float], None],
        first: Mapping[str, Any] | None = None,
    ) -> Reading:
        """Read the whole text, or the scanned pages of a portion; the first portion reads the other pages too.

        Raises:
            As `Reader.read`, and PartMissing.
        """
        if not facts.get("scanned"):
            return await _whole(source)
        numbers = facts["scanned"][int(portion.start) : int(portion.end)]
        value: dict[str, Any] = {}
        if portion.number == 1:
            value = {"text": await pdf_text(source.path, facts["scanned"])}
        engine = models.choose(self._setting)
        if engine is None:
            raise models.missing(self._setting)
        pages = await read_scans(source.path, engine, numbers)
        value["scans"] = [page.model_dump(mode="json") for page in pages]
        return Reading(value)

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Return the text; the result names what is known of it, and which pages were recognised or left out.

        Raises:
            UnsupportedFormat: nothing was read on any page.
            PayloadTooLarge: it holds more text than is read.
        """
        if not facts.get("scanned"):
            return _assembled(readings[0], facts.get("left_out", []))
        pages = [ReadPage.model_validate(page) for reading in readings for page in reading["scans"]]
        text = readings[0]["text"]
        document = _recognised(name, text, pages)
        result = {key: text[key] for key in ("author", "published_at")} | {
            "title": document.title,
            "mime": document.mime,
            "language": document.language,
            "characters": len(document.text),
            "pages": len(text["paragraphs"]),
            "recognised": [page.model_dump(mode="json") for page in pages],
        }
        return Assembled(result, document, blobs=tables_of(pages))


async def _whole(source: Source) -> Reading:
    parsed = await parse(source.path.read_bytes(), source.name, source.mime)
    document = parsed.document
    return Reading(
        {
            "title": document.title,
            "text": document.text,
            "mime": document.mime,
            "passages": [(passage.start, passage.end, passage.heading) for passage in parsed.passages],
            "published_at": document.published_at.isoformat() if document.published_at else None,
            "author": document.author,
            "language": document.language,
        }
    )


def _assembled(value: Mapping[str, Any], left_out: Sequence[int]) -> Assembled:
    document = ExtractedDocument(
        title=value["title"],
        text=value["text"],
        mime=value["mime"],
        published_at=datetime.fromisoformat(value["published_at"]) if value["published_at"] else None,
        author=value["author"],
        language=value["language"],
    )
    known = ("title", "mime", "published_at", "author", "language")
    pages = page_at(document.text, len(document.text))
    result = {key: value[key] for key in known} | {"characters": len(document.text), "pages": pages}
    if left_out:
        named = ", ".join(str(number) for number in left_out[:NAMED_PAGES_MAX])
        more = " and more" if len(left_out) > NAMED_PAGES_MAX else ""
        result |= {
            "left_out": list(left_out),
            "note": f"Pages without text were left out: {named}{more}. {models.missing(models.AUTO).detail}",
        }
    return Assembled(result, document, tuple(PassageSpan(*passage) for passage in value["passages"]))


def _recognised(name: str, text: Mapping[str, Any], pages: Sequence[ReadPage]) -> ExtractedDocument:
    """Put the pages together, each from where its text comes."""
    builder = TextBuilder()
    scans = {page.number: page for page in pages}
    for number, paragraphs in enumerate(text["paragraphs"], 1):
        builder.page()
        if (scan := scans.get(number)) is not None:
            add_page(builder, scan)
        for paragraph in paragraphs:
            builder.prose(paragraph)
    whole = builder.text()
    if not whole.strip():
        raise UnsupportedFormat("The PDF contains no text, and none was recognised on its scanned pages.")
    if len(whole) > DOCUMENT_CHARACTERS_MAX:
        raise PayloadTooLarge(f"The file holds more than {DOCUMENT_CHARACTERS_MAX} characters of text. Split it.")
    first = next((whole[heading.start : heading.end] for heading in builder.headings), "")
    published = text.get("published_at")
    return ExtractedDocument(
        title=(text.get("title") or first or title_of(name))[:300],
        text=whole,
        mime=PDF,
        headings=tuple(builder.headings),
        pages=tuple(builder.pages),
        published_at=_instant(published),
        author=text.get("author"),
        language=language_of(whole),
    )


def _instant(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
