"""Ingestion: an uploaded file becomes a searchable document."""

from contextlib import suppress
from typing import Protocol

import structlog
from temporalio import activity

from activities.documents.indexing import index
from activities.documents.passages import embedded_text
from activities.documents.sandbox import ParsedDocument, parse
from activities.embedding.embedder import Embedder, supports
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.documents import (
    EmbedDocumentInput,
    EmbedDocumentResult,
    GiveUpDocumentInput,
    IngestDocumentInput,
    IngestDocumentResult,
)
from schema.errors import NotFound, PartMissing, PayloadTooLarge, SourceUnavailable, UnsupportedFormat
from schema.policies import EMBEDDED_PER_ACTIVITY
from schema.store import documents, passages
from schema.store.passages import vector_key


class Recogniser(Protocol):
    """What reads documents whose text is in pictures (`activities/files/uploads.py`)."""

    async def read(self, data: bytes, filename: str, claimed_mime: str) -> ParsedDocument | None:
        """Return the document; None: there is nothing to recognise in it. Raises as `parse`, and PartMissing."""
        ...


log = structlog.get_logger(__name__)


class DocumentActivities:
    """Reads uploaded files."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        embedder: Embedder | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        """Keep what documents are read with.

        Args:
            recogniser: reads those whose text is in pictures; None: they are refused.
        """
        self._db = db
        self._objects = objects
        self._embedder = embedder
        self._recogniser = recogniser

    @activity.defn(name="documents.ingest")
    async def ingest(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Extract the text, split it into passages, and store both with their vectors in one transaction.

        Idempotent by document id: a repeat leaves the same rows. A file that cannot be read is a result. What is ready
        is found by its words and by its meaning, so that two runs over the same documents find the same: only beyond
        EMBEDDED_AT_INGESTION passages, or while the embedding model is away, vectors come later (`embed`).

        Raises:
            StorageUnavailable: the object store or PostgreSQL failed.
        """
        try:
            data = await self._objects.get(input.object)
        except NotFound:
            return await self._failed(input, SourceUnavailable("The uploaded file is gone. Upload it again."))
        try:
            parsed = None
            if self._recogniser is not None:
                parsed = await self._recogniser.read(data, input.filename, input.mime_type)
            if parsed is None:
                parsed = await parse(data, input.filename, input.mime_type)
        except (UnsupportedFormat, PayloadTooLarge, SourceUnavailable, PartMissing) as error:
            return await self._failed(input, error)
        indexed = await index(self._objects, self._embedder, input.org_id, parsed.document, parsed.passages)
        try:
            async with self._db.transaction(input.org_id) as session:
                unembedded = await indexed.write(session, input.org_id, input.document_id)
        except NotFound:
            return _deleted(input)
        log.info(
            "document ready",
            document_id=input.document_id,
            passages=len(indexed.passages),
            unembedded=unembedded,
            sandbox=parsed.level,
        )
        return IngestDocumentResult(
            document_id=input.document_id, status="ready", passages=len(indexed.passages), unembedded=unembedded
        )

    @activity.defn(name="documents.embed")
    async def embed(self, input: EmbedDocumentInput) -> EmbedDocumentResult:
        """Make vectors for passages that have none of the current model, up to EMBEDDED_PER_ACTIVITY of them.

        Idempotent: it goes on where vectors are missing. Without an embedder, or for a language that it does not know,
        nothing is left to do.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: a model elsewhere failed.
            StorageUnavailable: PostgreSQL failed.
        """
        embedder, org_id, document_id = self._embedder, input.org_id, input.document_id
        if embedder is None:
            return EmbedDocumentResult(document_id=document_id)
        try:
            async with self._db.transaction(org_id) as session:
                document = await documents.get_document(session, org_id, document_id)
                waiting = await passages.unembedded_passages(
                    session, org_id, document_id, model=embedder.name, limit=EMBEDDED_PER_ACTIVITY
                )
        except NotFound:
            return EmbedDocumentResult(document_id=document_id)
        if not waiting or not supports(embedder, document.language):
            return EmbedDocumentResult(document_id=document_id)
        vectors = await embedder.embed([embedded_text(passage.heading, passage.text) for passage in waiting])
        keyed = {vector_key(each.number, each.text): vector for each, vector in zip(waiting, vectors, strict=True)}
        try:
            async with self._db.transaction(org_id) as session:
                missing = await passages.put_vectors(session, org_id, document_id, model=embedder.name, vectors=keyed)
        except NotFound:
            return EmbedDocumentResult(document_id=document_id)
        return EmbedDocumentResult(document_id=document_id, model=embedder.name, embedded=len(waiting), missing=missing)

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
        self, input: IngestDocumentInput, error: UnsupportedFormat | PayloadTooLarge | SourceUnavailable | PartMissing
    ) -> IngestDocumentResult:
        try:
            async with self._db.transaction(input.org_id) as session:
                await documents.mark_failed(
                    session, input.org_id, input.document_id, code=error.code, detail=error.detail
                )
        except NotFound:
            return _deleted(input)
        return IngestDocumentResult(document_id=input.document_id, status="failed", error=error.detail)


def _deleted(input: IngestDocumentInput) -> IngestDocumentResult:
    return IngestDocumentResult(
        document_id=input.document_id, status="failed", error="The document was deleted while it was read."
    )
