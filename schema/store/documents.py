"""Documents: a file from its upload until it is read, given up or deleted."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.errors import Conflict, NotFound
from schema.ids import DOCUMENT, new_id
from schema.store import audit, dead_letters, snapshots
from schema.store.audit import Actor
from schema.tables.documents import Document, DocumentPassage

_INSERT_BATCH = 1_000


@dataclass(frozen=True)
class NewPassage:
    """A span of a document's text, with the headings above it."""

    start: int
    end: int
    heading: str
    text: str
    indexed_heading: str
    indexed_text: str
    """Both as they are indexed (`activities/documents/languages.py`)."""


@dataclass(frozen=True)
class ReadDocument:
    """What was read from a document's file."""

    title: str
    mime_type: str
    snapshot: ObjectRef
    characters: int
    language: str | None
    search_config: str
    """PostgreSQL's text search configuration of that language."""
    author: str | None
    published_at: datetime | None
    fingerprint: bytes | None = None


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
        .where(
            Document.org_id == org_id,
            Document.content_sha256 == object.sha256,
            col(Document.deleted_at).is_(None),
            col(Document.file_id).is_(None),
        )
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


async def put_file_document(
    session: AsyncSession, org_id: str, document_id: str, *, file_id: str, name: str, object: ObjectRef
) -> Document:
    """Insert the document of a file unless it is there: it is found by runs that the file is attached to, and no other.

    Args:
        document_id: derived from the file, so that a repeat finds it again.
        object: the file's bytes, of which the document is no second reference: they are deleted with the file.
    """
    with suppress(NotFound):
        return await get_document(session, org_id, document_id, lock=True)
    document = Document(
        id=document_id,
        org_id=org_id,
        name=name,
        title=name,
        mime_type="text/plain",
        object_key=object.key,
        content_sha256=object.sha256,
        size_bytes=object.size_bytes,
        file_id=file_id,
    )
    session.add(document)
    await session.flush()
    await session.refresh(document)
    return document


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
    """Return a page of the corpus, newest first, and the cursor of the next page (ids sort by creation time)."""
    query = select(Document).where(
        Document.org_id == org_id, col(Document.deleted_at).is_(None), col(Document.file_id).is_(None)
    )
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
        Conflict: it is the text of a file.
    """
    document = await get_document(session, org_id, document_id)
    if document.file_id is not None:
        raise Conflict("This is the text of a file of a run. Delete the file.", file_id=document.file_id)
    document = await remove_document(session, org_id, document_id)
    await audit.record(
        session, org_id, actor=actor, action="document.deleted", resource_type="document", resource_id=document_id
    )
    return document


async def remove_document(session: AsyncSession, org_id: str, document_id: str) -> Document:
    """Do as `delete_document` does, where what it belongs to is deleted, and the audit log says that.

    Raises:
        NotFound: the organisation has no such document, or no longer.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    document.deleted_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    document.passages = 0
    await session.execute(_passages_of(org_id, document_id))
    await session.flush()
    return document


async def mark_ready(
    session: AsyncSession, org_id: str, document_id: str, read: ReadDocument, passages: Sequence[NewPassage]
) -> Document:
    """Replace a document's passages and set it ready; the same call again leaves the same rows.

    Raises:
        NotFound: the organisation has no such document; a deleted one stays deleted.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    await snapshots.put_snapshot(session, org_id, read.snapshot, fingerprint=read.fingerprint, language=read.language)
    await session.execute(_passages_of(org_id, document_id))
    rows = [
        {
            "document_id": document_id,
            "number": number,
            "org_id": org_id,
            "file_id": document.file_id,
            "start_offset": passage.start,
            "end_offset": passage.end,
            "heading": passage.heading,
            "text": passage.text,
            "config": read.search_config,
            "indexed_heading": passage.indexed_heading,
            "indexed_text": passage.indexed_text,
        }
        for number, passage in enumerate(passages, start=1)
    ]
    for first in range(0, len(rows), _INSERT_BATCH):
        await session.execute(_INSERT, rows[first : first + _INSERT_BATCH])
    document.status = "ready"
    document.error = None
    document.title = read.title
    document.mime_type = read.mime_type
    document.snapshot_sha256 = read.snapshot.sha256
    document.characters = read.characters
    document.language = read.language
    document.search_config = read.search_config
    document.embedding_model = None
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


_INSERT = text(
    """
    insert into document_passages
        (document_id, number, org_id, file_id, start_offset, end_offset, heading, text, terms)
    values (:document_id, :number, :org_id, :file_id, :start_offset, :end_offset, :heading, :text,
        setweight(to_tsvector(cast(cast(:config as text) as regconfig), :indexed_heading), 'A')
        || setweight(to_tsvector(cast(cast(:config as text) as regconfig), :indexed_text), 'B'))
    """
)


def _passages_of(org_id: str, document_id: str) -> Any:
    return delete(DocumentPassage).where(
        col(DocumentPassage.org_id) == org_id, col(DocumentPassage.document_id) == document_id
    )
