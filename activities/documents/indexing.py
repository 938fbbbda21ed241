"""From a text that was read to rows that are searched: its snapshot, its passages as they are indexed, vectors."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from activities.documents.builder import ExtractedDocument
from activities.documents.languages import search_configuration, searchable
from activities.documents.passages import PassageSpan, embedded_text
from activities.embedding.embedder import Embedder, Vector, supports
from activities.research.copies import fingerprint
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.errors import DependencyError
from schema.policies import EMBEDDED_AT_INGESTION
from schema.store import documents, passages
from schema.store.documents import NewPassage, ReadDocument
from schema.store.passages import vector_key

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Indexed:
    """What is written of a document in one transaction."""

    read: ReadDocument
    passages: list[NewPassage]
    embedding_model: str | None = None
    """Whose vectors its passages are to have; None: no embedder knows its language."""
    vectors: dict[str, Vector] = field(default_factory=dict)
    """Of the first passages, by `vector_key`."""

    async def write(self, session: AsyncSession, org_id: str, document_id: str) -> int:
        """Make the document ready with its passages, and return how many of them wait for their vectors.

        Raises:
            NotFound: the organisation has no such document; a deleted one stays deleted.
        """
        await documents.mark_ready(session, org_id, document_id, self.read, self.passages)
        if self.embedding_model is None:
            return 0
        return await passages.put_vectors(
            session, org_id, document_id, model=self.embedding_model, vectors=self.vectors
        )


async def index(
    objects: ObjectStore,
    embedder: Embedder | None,
    org_id: str,
    document: ExtractedDocument,
    spans: Sequence[PassageSpan],
) -> Indexed:
    """Store the text's snapshot, and prepare the rows.

    Raises:
        StorageUnavailable: the object store failed.
    """
    snapshot = await store_snapshot(objects, org_id, document.text)
    # Both take a second for a book: on the event loop that would hold up every heartbeat of this process.
    cut = await asyncio.to_thread(_passages, document.text, spans)
    printed = (await asyncio.to_thread(fingerprint, document.text)).packed()
    read = ReadDocument(
        title=document.title,
        mime_type=document.mime,
        snapshot=snapshot,
        characters=len(document.text),
        language=document.language,
        search_config=search_configuration(document.language),
        author=document.author,
        published_at=document.published_at,
        fingerprint=printed,
    )
    if embedder is None or not supports(embedder, document.language):
        return Indexed(read, cut)
    return Indexed(read, cut, embedder.name, await _first_vectors(embedder, cut))


async def store_snapshot(objects: ObjectStore, org_id: str, text: str) -> ObjectRef:
    """Store a text that was read, content-addressed: `ORG/snapshots/SHA256`."""
    data = text.encode("utf-8")
    return await objects.put(f"{org_id}/snapshots/{sha256_of(data)}", data, "text/plain; charset=utf-8")


async def _first_vectors(embedder: Embedder, cut: list[NewPassage]) -> dict[str, Vector]:
    """Return the vectors of the first passages; none where the model does not answer."""
    first = cut[:EMBEDDED_AT_INGESTION]
    try:
        made = await embedder.embed([embedded_text(each.heading, each.text) for each in first])
    except DependencyError as error:
        log.warning("no vectors yet", code=error.code)
        return {}
    numbered = enumerate(zip(first, made, strict=True), start=1)
    return {vector_key(number, each.text): vector for number, (each, vector) in numbered}


def _passages(text: str, spans: Sequence[PassageSpan]) -> list[NewPassage]:
    return [
        NewPassage(
            passage.start,
            passage.end,
            passage.heading,
            text[passage.start : passage.end],
            searchable(passage.heading),
            searchable(text[passage.start : passage.end]),
        )
        for passage in spans
    ]
