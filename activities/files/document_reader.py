"""Documents as files of a run: the text, as the corpus has it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from activities.documents.builder import ExtractedDocument, page_at
from activities.documents.passages import PassageSpan
from activities.documents.sandbox import parse
from activities.files.reader import Assembled, Extent, Reading, Source
from schema.contracts.files import Portion

MEGABYTE = 1_000_000


class DocumentReader:
    """Reads text out of documents, in the sandbox."""

    version = "document-1"

    async def inspect(self, source: Source) -> Extent:
        """Count megabytes; what the document holds is seen when it is read."""
        return Extent("document.megabyte", -(-source.size_bytes // MEGABYTE))

    async def read(
        self, source: Source, facts: Mapping[str, Any], portion: Portion, progress: Callable[[float], None]
    ) -> Reading:
        """Read the whole text; raises as `Reader.read`."""
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

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Return the text; the result names what is known of it."""
        (value,) = readings
        document = _document(value)
        known = ("title", "mime", "published_at", "author", "language")
        pages = page_at(document.text, len(document.text))
        result = {key: value[key] for key in known} | {"characters": len(document.text), "pages": pages}
        return Assembled(result, document, tuple(PassageSpan(*passage) for passage in value["passages"]))


def _document(value: Mapping[str, Any]) -> ExtractedDocument:
    return ExtractedDocument(
        title=value["title"],
        text=value["text"],
        mime=value["mime"],
        published_at=datetime.fromisoformat(value["published_at"]) if value["published_at"] else None,
        author=value["author"],
        language=value["language"],
    )
