"""Ingestion: an uploaded file becomes a searchable document."""

from contextlib import suppress

import structlog
from temporalio import activity

from activities.documents.sandbox import ParsedDocument, parse
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.documents import GiveUpDocumentInput, IngestDocumentInput, IngestDocumentResult
from schema.errors import NotFound, PayloadTooLarge, SourceUnavailable, UnsupportedFormat
from schema.store import documents
from schema.store.documents import NewPassage, ReadDocument

log = structlog.get_logger(__name__)


class DocumentActivities:
    """Reads uploaded files."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    @activity.defn(name="documents.ingest")
    async def ingest(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Extract the text, split it into passages, and store both in one transaction.

        Idempotent by document id: a repeat leaves the same rows. A file that cannot be read is a result.

        Raises:
            StorageUnavailable: the object store or PostgreSQL failed.
        """
        try:
            data = await self._objects.get(input.object)
        except NotFound:
            return await self._failed(input, SourceUnavailable("The uploaded file is gone. Upload it again."))
        try:
            parsed = await parse(data, input.filename, input.mime_type)
        except (UnsupportedFormat, PayloadTooLarge, SourceUnavailable) as error:
            return await self._failed(input, error)
        snapshot = await store_snapshot(self._objects, input.org_id, parsed.document.text)
        try:
            async with self._db.transaction(input.org_id) as session:
                await documents.mark_ready(
                    session, input.org_id, input.document_id, _read(parsed, snapshot), _passages(parsed)
                )
        except NotFound:
            return _deleted(input)
        log.info("document ready", document_id=input.document_id, passages=len(parsed.passages))
        return IngestDocumentResult(document_id=input.document_id, status="ready", passages=len(parsed.passages))

    @activity.defn(name="documents.give_up")
    async def give_up(self, input: GiveUpDocumentInput) -> None:
        """Mark a document failed whose reading was tried to the end, and leave a dead letter.

        Idempotent by the document's status: only one that is `processing` is given up.
        """
        with suppress(NotFound):  # Deleted meanwhile: nobody waits for it.
            async with self._db.transaction(input.org_id) as session:
                await documents.give_up(
                    session, input.org_id, input.document_id, code=input.error_code, detail=input.error_detail
                )
        log.warning("document given up", document_id=input.document_id, code=input.error_code)

    async def _failed(
        self, input: IngestDocumentInput, error: UnsupportedFormat | PayloadTooLarge | SourceUnavailable
    ) -> IngestDocumentResult:
        try:
            async with self._db.transaction(input.org_id) as session:
                await documents.mark_failed(
                    session, input.org_id, input.document_id, code=error.code, detail=error.detail
                )
        except NotFound:
            return _deleted(input)
        return IngestDocumentResult(document_id=input.document_id, status="failed", error=error.detail)


async def store_snapshot(objects: ObjectStore, org_id: str, text: str) -> ObjectRef:
    """Store a text that was read, content-addressed: `ORG/snapshots/SHA256`."""
    data = text.encode("utf-8")
    return await objects.put(f"{org_id}/snapshots/{sha256_of(data)}", data, "text/plain; charset=utf-8")


def _read(parsed: ParsedDocument, snapshot: ObjectRef) -> ReadDocument:
    document = parsed.document
    return ReadDocument(
        title=document.title,
        mime_type=document.mime,
        snapshot=snapshot,
        characters=len(document.text),
        language=document.language,
        author=document.author,
        published_at=document.published_at,
    )


def _passages(parsed: ParsedDocument) -> list[NewPassage]:
    text = parsed.document.text
    return [
        NewPassage(passage.start, passage.end, passage.heading, text[passage.start : passage.end])
        for passage in parsed.passages
    ]


def _deleted(input: IngestDocumentInput) -> IngestDocumentResult:
    return IngestDocumentResult(
        document_id=input.document_id, status="failed", error="The document was deleted while it was read."
    )
