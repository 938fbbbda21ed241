"""Ingestion: an uploaded file becomes a searchable document."""

import asyncio
from contextlib import suppress

import structlog
from temporalio import activity

from activities.documents.languages import search_configuration, searchable
from activities.documents.sandbox import ParsedDocument, parse
from activities.embedding.embedder import Embedder, Vector, supports
from activities.research.copies import fingerprint
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.documents import (
    EmbedDocumentInput,
    EmbedDocumentResult,
    GiveUpDocumentInput,
    IngestDocumentInput,
    IngestDocumentResult,
)
from schema.errors import DependencyError, NotFound, PayloadTooLarge, SourceUnavailable, UnsupportedFormat
from schema.policies import EMBEDDED_AT_INGESTION, EMBEDDED_PER_ACTIVITY
from schema.store import documents, passages
from schema.store.documents import NewPassage, ReadDocument
from schema.store.passages import vector_key

log = structlog.get_logger(__name__)


class DocumentActivities:
    """Reads uploaded files."""

    def __init__(self, db: Database, objects: ObjectStore, embedder: Embedder | None = None) -> None:
        self._db = db
        self._objects = objects
        self._embedder = embedder

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
            parsed = await parse(data, input.filename, input.mime_type)
        except (UnsupportedFormat, PayloadTooLarge, SourceUnavailable) as error:
            return await self._failed(input, error)
        snapshot = await store_snapshot(self._objects, input.org_id, parsed.document.text)
        # Both take a second for a book: on the event loop that would hold up every heartbeat of this process.
        cut = await asyncio.to_thread(_passages, parsed)
        printed = (await asyncio.to_thread(fingerprint, parsed.document.text)).packed()
        read = _read(parsed, snapshot, printed)
        vectors = await self._first_vectors(read, cut)
        unembedded = 0
        try:
            async with self._db.transaction(input.org_id) as session:
                await documents.mark_ready(session, input.org_id, input.document_id, read, cut)
                if self._embedder is not None and supports(self._embedder, read.language):
                    unembedded = await passages.put_vectors(
                        session, input.org_id, input.document_id, model=self._embedder.name, vectors=vectors
                    )
        except NotFound:
            return _deleted(input)
        log.info(
            "document ready",
            document_id=input.document_id,
            passages=len(cut),
            unembedded=unembedded,
            sandbox=parsed.level,
        )
        return IngestDocumentResult(
            document_id=input.document_id, status="ready", passages=len(cut), unembedded=unembedded
        )

    async def _first_vectors(self, read: ReadDocument, passages: list[NewPassage]) -> dict[str, Vector]:
        """Return the vectors of the first passages by `vector_key`; none where the model does not answer."""
        if self._embedder is None or not supports(self._embedder, read.language):
            return {}
        first = passages[:EMBEDDED_AT_INGESTION]
        try:
            made = await self._embedder.embed([embedded_text(each.heading, each.text) for each in first])
        except DependencyError as error:
            log.warning("no vectors yet", code=error.code)
            return {}
        numbered = enumerate(zip(first, made, strict=True), start=1)
        return {vector_key(number, each.text): vector for number, (each, vector) in numbered}

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


def embedded_text(heading: str, text: str) -> str:
    """Return what is embedded of a passage: the headings say what a passage is about that does not name it."""
    return f"{heading}\n{text}" if heading else text


def _read(parsed: ParsedDocument, snapshot: ObjectRef, fingerprint: bytes) -> ReadDocument:
    document = parsed.document
    return ReadDocument(
        title=document.title,
        mime_type=document.mime,
        snapshot=snapshot,
        characters=len(document.text),
        language=document.language,
        search_config=search_configuration(document.language),
        author=document.author,
        published_at=document.published_at,
        fingerprint=fingerprint,
    )


def _passages(parsed: ParsedDocument) -> list[NewPassage]:
    text = parsed.document.text
    return [
        NewPassage(
            passage.start,
            passage.end,
            passage.heading,
            text[passage.start : passage.end],
            searchable(passage.heading),
            searchable(text[passage.start : passage.end]),
        )
        for passage in parsed.passages
    ]


def _deleted(input: IngestDocumentInput) -> IngestDocumentResult:
    return IngestDocumentResult(
        document_id=input.document_id, status="failed", error="The document was deleted while it was read."
    )
