"""Documents of the corpus whose text is in pictures: the readers of files recognise it, up to a number of pages."""

import asyncio
import tempfile
from pathlib import Path

from activities.documents.passages import split_passages
from activities.documents.sandbox import ParsedDocument
from activities.files.document_reader import DocumentReader
from activities.files.image_reader import ImageReader
from activities.files.kinds import HEAD_BYTES, PDF, kind_of
from activities.files.reader import Reader, Source
from schema.contracts.files import FileKind
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import CORPUS_RECOGNISED_PAGES_MAX

PAGES = ("document.page", "image.image")
"""What recognised text is counted in."""


class Recogniser:
    """Reads pictures, and PDFs with pages that are pictures."""

    def __init__(self, engine: str) -> None:
        """Keep how.

        Args:
            engine: `auto`, `rapidocr`, `easyocr` or `none`.
        """
        self._readers: dict[FileKind, Reader] = {
            FileKind.IMAGE: ImageReader(engine),
            FileKind.DOCUMENT: DocumentReader(engine),
        }

    async def read(self, data: bytes, filename: str, claimed_mime: str) -> ParsedDocument | None:
        """Recognise the text of a document; None: it has text, or is no picture.

        Raises:
            PartMissing: there is nothing else to read in it, and no engine is installed here.
            PayloadTooLarge: more pages than are recognised at once; `POST /files` reads them.
            UnsupportedFormat, SourceUnavailable, SandboxUnavailable: as `Reader`.
        """
        try:
            kind, mime = kind_of(data[:HEAD_BYTES], filename, claimed_mime)
        except UnsupportedFormat:
            return None  # `parse` says better what it is.
        if kind is not FileKind.IMAGE and mime != PDF:
            return None
        with tempfile.TemporaryDirectory(prefix="swissbrain-scan-") as folder:
            path = Path(folder) / "document"
            await asyncio.to_thread(path.write_bytes, data)
            return await self._read(self._readers[kind], Source(path, filename, mime, len(data)))

    async def _read(self, reader: Reader, source: Source) -> ParsedDocument | None:
        extent = await reader.inspect(source)
        if extent.unit not in PAGES:
            return None
        if extent.amount > CORPUS_RECOGNISED_PAGES_MAX:
            raise PayloadTooLarge(
                f"The document has {extent.amount} pages that are pictures; at most {CORPUS_RECOGNISED_PAGES_MAX} are "
                "recognised here. Split it, or give it to runs as a file: POST /files."
            )
        readings = [await reader.read(source, extent.facts, portion, lambda _: None) for portion in extent.portions]
        assembled = await reader.assemble(source.name, extent.facts, [reading.value for reading in readings])
        document = assembled.document
        if document is None or not document.text.strip():
            raise UnsupportedFormat("No text was recognised in the document.")
        spans = await asyncio.to_thread(
            split_passages, document.text, document.headings, document.pages, title=document.title
        )
        return ParsedDocument(document, tuple(spans))
