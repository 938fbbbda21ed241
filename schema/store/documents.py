"""Documents, their passages, and snapshots: the only SQL about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.errors import Conflict, NotFound
from schema.ids import DOCUMENT, new_id
from schema.store import audit, dead_letters
from schema.store.audit import Actor
from schema.tables.documents import Document, DocumentPassage, Snapshot

SEARCH_CANDIDATES_MAX = 300
"""Passages that a search returns at most; they are ranked by the caller."""
_INSERT_BATCH = 1_000


@dataclass(frozen=True)
class NewPassage:
    """A span of a document's text, with the headings above it."""

    start: int
    end: int
    heading: str
    text: str


@dataclass(frozen=True)
class ReadDocument:
    """What was read from a document's file."""

    title: str
    mime_type: str
    snapshot: ObjectRef
    characters: int
    language: str | None
    author: str | None
    published_at: datetime | None


@dataclass(frozen=True)
class PassageHit:
    """A passage that holds a term of the query, with what ranking needs to know of it."""

    document_id: str
    number: int
    start: int
    end: int
    heading: str
    text: str
    in_text: Mapping[str, tuple[int, ...]]
    """Query term -> its word positions in the text."""
    in_heading: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class SearchResult:
    """The candidates for a query, and how rare its terms are in what was searched."""

    hits: tuple[PassageHit, ...]
    documents: Mapping[str, Document]
    """By id, of all hits."""
    passages: int
    """How many were searched."""
    frequencies: Mapping[str, int]
    """Query term -> in how many passages it occurs."""


async def create_document(
    session: AsyncSession,
    org_id: str,
    *,
    name: str,
    mime_type: str,
    object: ObjectRef,
    created_by: str | None = None,
    trust: float | None = None,
    actor: Actor = audit.SYSTEM,
) -> tuple[Document, bool]:
    """Insert an uploaded file's document in status `processing`; return it, and whether it is new.

    A file whose content the organisation already has is not kept twice: the document of the first is returned. Where
    that one failed, it is read again, since its file may have been lost, or the fault may be mended by now.
    """
    # Two uploads of the same content must not both find nothing; the lock ends with the transaction.
    lock = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
    await session.execute(lock, {"key": f"document/{org_id}/{object.sha256}"})
    query = (
        select(Document)
        .where(Document.org_id == org_id, Document.content_sha256 == object.sha256, col(Document.deleted_at).is_(None))
        .order_by(col(Document.id))
        .limit(1)
    )
    existing = (await session.execute(query)).scalar_one_or_none()
    if existing is not None:
        if existing.status == "failed":
            existing = await reopen(session, org_id, existing.id, actor=actor)
        return existing, False
    document = Document(
        id=new_id(DOCUMENT),
        org_id=org_id,
        name=name,
        title=name,
        mime_type=mime_type,
        object_key=object.key,
        content_sha256=object.sha256,
        size_bytes=object.size_bytes,
        created_by=created_by,
        trust=trust,
    )
    session.add(document)
    await session.flush()
    await session.refresh(document)
    await audit.record(
        session, org_id, actor=actor, action="document.created", resource_type="document", resource_id=document.id
    )
    return document, True


async def get_document(session: AsyncSession, org_id: str, document_id: str, *, lock: bool = False) -> Document:
    """Return a document that is not deleted.

    Raises:
        NotFound: the organisation has no such document.
    """
    query = select(Document).where(
        Document.org_id == org_id, Document.id == document_id, col(Document.deleted_at).is_(None)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    document = (await session.execute(query)).scalar_one_or_none()
    if document is None:
        raise NotFound(f"There is no document {document_id}.")
    return document


async def list_documents(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, status: str | None = None
) -> tuple[list[Document], str | None]:
    """Return a page of documents, newest first, and the cursor of the next page (ids sort by creation time)."""
    query = select(Document).where(Document.org_id == org_id, col(Document.deleted_at).is_(None))
    if cursor is not None:
        query = query.where(Document.id < cursor)
    if status is not None:
        query = query.where(Document.status == status)
    rows = list((await session.execute(query.order_by(col(Document.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def delete_document(
    session: AsyncSession, org_id: str, document_id: str, *, actor: Actor = audit.SYSTEM
) -> Document:
    """Take a document out of the corpus: it is found no more; snapshots that reports cite stay.

    Raises:
        NotFound: the organisation has no such document, or no longer.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    document.deleted_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    document.passages = 0
    await session.execute(_passages_of(org_id, document_id))
    await session.flush()
    await audit.record(
        session, org_id, actor=actor, action="document.deleted", resource_type="document", resource_id=document_id
    )
    return document


async def mark_ready(
    session: AsyncSession, org_id: str, document_id: str, read: ReadDocument, passages: Sequence[NewPassage]
) -> Document:
    """Replace a document's passages and set it ready; the same call again leaves the same rows.

    Raises:
        NotFound: the organisation has no such document; a deleted one stays deleted.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    await put_snapshot(session, org_id, read.snapshot)
    await session.execute(_passages_of(org_id, document_id))
    rows = [
        {
            "document_id": document_id,
            "number": number,
            "org_id": org_id,
            "start_offset": passage.start,
            "end_offset": passage.end,
            "heading": passage.heading,
            "text": passage.text,
        }
        for number, passage in enumerate(passages, start=1)
    ]
    for first in range(0, len(rows), _INSERT_BATCH):
        await session.execute(insert(DocumentPassage), rows[first : first + _INSERT_BATCH])
    document.status = "ready"
    document.error = None
    document.title = read.title
    document.mime_type = read.mime_type
    document.snapshot_sha256 = read.snapshot.sha256
    document.characters = read.characters
    document.language = read.language
    document.author = read.author
    document.published_at = read.published_at
    document.passages = len(rows)
    document.ready_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    await session.flush()
    return document


async def mark_failed(session: AsyncSession, org_id: str, document_id: str, *, code: str, detail: str) -> Document:
    """Record why a document cannot be read; it has no passages then.

    Raises:
        NotFound: the organisation has no such document; a deleted one stays deleted.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    await session.execute(_passages_of(org_id, document_id))
    document.status = "failed"
    document.passages = 0
    document.error = {"code": code, "detail": detail}
    await session.flush()
    return document


async def give_up(session: AsyncSession, org_id: str, document_id: str, *, code: str, detail: str) -> bool:
    """Mark a document failed whose reading was tried to the end, with a dead letter; one that is read is left alone.

    Returns:
        Whether it was given up by this call.

    Raises:
        NotFound: the organisation has no such document.
    """
    if (await get_document(session, org_id, document_id, lock=True)).status != "processing":
        return False
    await mark_failed(session, org_id, document_id, code=code, detail=detail)
    given_up = await dead_letters.count_of(session, org_id, kind="document", subject_id=document_id)
    await dead_letters.record(
        session,
        org_id,
        kind="document",
        subject_id=document_id,
        attempt=given_up + 1,
        error={"code": code, "detail": detail},
    )
    return True


async def reopen(session: AsyncSession, org_id: str, document_id: str, *, actor: Actor) -> Document:
    """Have a document read again that was given up, and close its dead letters.

    Raises:
        NotFound: the organisation has no such document.
        Conflict: it did not fail.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    if document.status != "failed":
        raise Conflict(
            f"The document is {document.status}; only one that failed is read again.", status=document.status
        )
    document.status, document.error = "processing", None
    await session.flush()
    await dead_letters.mark_subject_replayed(session, org_id, kind="document", subject_id=document_id)
    await audit.record(
        session, org_id, actor=actor, action="document.reopened", resource_type="document", resource_id=document_id
    )
    return document


async def query_terms(session: AsyncSession, org_id: str, query: str) -> list[tuple[str, int]]:
    """Return the terms of a query as the passages are indexed, with their first word position, in order.

    Stop words are no terms; a query of nothing else has none.
    """
    sql = text("select lexeme, positions[1] from unnest(to_tsvector('english', :query)) order by positions[1], lexeme")
    return [(lexeme, position) for lexeme, position in await session.execute(sql, {"query": query})]


async def search_passages(
    session: AsyncSession,
    org_id: str,
    weights: Mapping[str, float],
    *,
    document_id: str | None = None,
    limit: int = SEARCH_CANDIDATES_MAX,
) -> SearchResult:
    """Return the passages that hold any of the terms: those with the most and rarest terms first.

    Args:
        weights: query term (see `query_terms`) -> how much it says about the query.
        document_id: search this document only.
    """
    parameters = {
        "org_id": org_id,
        "document_id": document_id,
        "lexemes": list(weights),
        "weights": list(weights.values()),
        "any_term": " | ".join(_quoted(lexeme) for lexeme in weights),
        "each_term": [_quoted(lexeme) for lexeme in weights],
        "limit": limit,
    }
    passages = (await session.execute(_COUNT, {"org_id": org_id, "document_id": document_id})).scalar_one()
    if not weights or not passages:
        return SearchResult((), {}, passages, {})
    rows = (await session.execute(_SEARCH, {**parameters, "passages": passages})).mappings().all()
    hits = tuple(_hit(row) for row in rows)
    documents = await _documents(session, org_id, {hit.document_id for hit in hits})
    return SearchResult(hits, documents, passages, dict(rows[0]["frequencies"]) if rows else {})


async def read_window(
    session: AsyncSession, org_id: str, document_id: str, *, around: int, passages_max: int
) -> tuple[Document, list[DocumentPassage]]:
    """Return a ready document, and its passages around the offset `around`, in the order of the text.

    Raises:
        NotFound: the organisation has no such document, or it cannot be read (yet).
    """
    document = await get_document(session, org_id, document_id)
    if document.status != "ready":
        raise NotFound(f"Document {document_id} is not ready: {document.status}.", status=document.status)
    inside = (DocumentPassage.org_id == org_id, DocumentPassage.document_id == document_id)
    nearest = (
        select(DocumentPassage.number)
        .where(*inside, DocumentPassage.start_offset <= max(around, 0))
        .order_by(col(DocumentPassage.number).desc())
        .limit(1)
    )
    centre = (await session.execute(nearest)).scalar_one_or_none() or 1
    first = max(1, centre - passages_max // 3)
    query = (
        select(DocumentPassage)
        .where(*inside, DocumentPassage.number >= first)
        .order_by(col(DocumentPassage.number))
        .limit(passages_max)
    )
    return document, list((await session.execute(query)).scalars())


async def put_snapshot(session: AsyncSession, org_id: str, snapshot: ObjectRef) -> None:
    """Record a snapshot whose text is stored; recording it again changes nothing."""
    row = {
        "org_id": org_id,
        "sha256": snapshot.sha256,
        "object_key": snapshot.key,
        "size_bytes": snapshot.size_bytes,
    }
    await session.execute(postgresql.insert(Snapshot).values(**row).on_conflict_do_nothing())


async def snapshot_refs(session: AsyncSession, org_id: str, sha256s: Sequence[str]) -> list[ObjectRef]:
    """Return where the snapshots with these hashes are kept, ordered by hash; unknown ones are left out."""
    query = (
        select(Snapshot)
        .where(Snapshot.org_id == org_id, col(Snapshot.sha256).in_(list(sha256s)))
        .order_by(col(Snapshot.sha256))
    )
    rows = (await session.execute(query)).scalars()
    return [ObjectRef(key=row.object_key, sha256=row.sha256, size_bytes=row.size_bytes) for row in rows]


# One pass over the organisation's matching passages: which terms each holds, how frequent each term is, and the sum of
# the rarities (BM25's idf) as a first order. Only ready documents have passages (`mark_ready`, `mark_failed` and
# `delete_document` see to it), so their rows need not be joined: a join made the planner rescan the corpus for each.
_SEARCH = text(
    """
    with terms as (
        select * from unnest(cast(:lexemes as text[]), cast(:weights as float8[]), cast(:each_term as tsquery[]))
            as term (lexeme, weight, query)
    ), matched as materialized (
        select passage.document_id, passage.number,
            array(select lexeme from terms where passage.terms @@ terms.query) as found,
            ts_rank(passage.terms, cast(:any_term as tsquery), 1) as rank
        from document_passages passage
        where passage.org_id = :org_id
            and (cast(:document_id as text) is null or passage.document_id = :document_id)
            and passage.terms @@ cast(:any_term as tsquery)
    ), frequencies as (
        select lexeme, count(*) as passages from matched, unnest(matched.found) as lexeme group by lexeme
    ), rarities as materialized (
        select lexeme, weight * ln(1 + (:passages - passages + 0.5) / (passages + 0.5)) as rarity
        from frequencies join terms using (lexeme)
    ), best as (
        select document_id, number, rank, (select sum(rarity) from rarities where lexeme = any (found)) as rarity
        from matched
        order by rarity desc nulls last, rank desc, document_id, number
        limit :limit
    )
    select best.document_id, best.number, passage.start_offset, passage.end_offset, passage.heading, passage.text,
        (select jsonb_object_agg(word.lexeme, jsonb_build_array(word.positions, word.weights))
            from unnest(passage.terms) as word where word.lexeme = any (cast(:lexemes as text[]))) as occurrences,
        (select jsonb_object_agg(lexeme, passages) from frequencies) as frequencies
    from best join document_passages passage using (document_id, number)
    where passage.org_id = :org_id
    order by best.rarity desc nulls last, best.rank desc, best.document_id, best.number
    """
)
_COUNT = text(
    """
    select cast(coalesce(sum(passages), 0) as bigint) from documents
    where org_id = :org_id and status = 'ready' and deleted_at is null
        and (cast(:document_id as text) is null or id = :document_id)
    """
)


def _hit(row: Mapping[Any, Any]) -> PassageHit:
    in_text: dict[str, tuple[int, ...]] = {}
    in_heading: dict[str, tuple[int, ...]] = {}
    for lexeme, (positions, weights) in row["occurrences"].items():
        pairs = list(zip(positions, weights, strict=True))
        if body := tuple(position for position, weight in pairs if weight == "B"):
            in_text[lexeme] = body
        if above := tuple(position for position, weight in pairs if weight == "A"):
            in_heading[lexeme] = above
    return PassageHit(
        document_id=row["document_id"],
        number=row["number"],
        start=row["start_offset"],
        end=row["end_offset"],
        heading=row["heading"],
        text=row["text"],
        in_text=in_text,
        in_heading=in_heading,
    )


def _quoted(lexeme: str) -> str:
    """Return a term as a tsquery reads it."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _passages_of(org_id: str, document_id: str) -> Any:
    return delete(DocumentPassage).where(
        col(DocumentPassage.org_id) == org_id, col(DocumentPassage.document_id) == document_id
    )


async def _documents(session: AsyncSession, org_id: str, document_ids: set[str]) -> dict[str, Document]:
    query = select(Document).where(Document.org_id == org_id, col(Document.id).in_(sorted(document_ids)))
    return {document.id: document for document in (await session.execute(query)).scalars()}
