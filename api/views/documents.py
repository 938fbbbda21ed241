"""Documents of the organisation's corpus, as they are shown."""

from typing import Any, Literal

from pydantic import Field

from api.serialisation import Instant
from api.views.base import Listing, View
from schema.tables.documents import Document

DocumentStatus = Literal["processing", "ready", "failed"]


class DocumentView(View):
    """One document."""

    id: str
    name: str
    title: str
    mime_type: str
    size_bytes: int
    sha256: str
    status: DocumentStatus
    error: dict[str, Any] | None
    """Why it cannot be read: `{code, detail}`."""
    characters: int
    passages: int
    language: str | None
    author: str | None
    published_at: Instant | None
    trust: float | None
    embedding_model: str | None
    """Whose vectors all its passages have; null: it is found by its words alone (yet)."""
    created_at: Instant
    ready_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


class UploadedDocuments(View):
    """The documents of an upload, in the order of its files; content that was there before is not kept twice."""

    documents: list[DocumentView]


class DocumentList(Listing):
    """A page of documents, newest first."""

    documents: list[DocumentView]


def document_view(document: Document) -> DocumentView:
    """Show a document."""
    names = ("id", "name", "title", "mime_type", "size_bytes", "status", "error", "characters", "passages", "language")
    more = ("author", "published_at", "trust", "embedding_model", "created_at", "ready_at")
    return DocumentView(
        **{name: getattr(document, name) for name in (*names, *more)},
        sha256=document.content_sha256,
        links={"self": f"/api/v1/documents/{document.id}"},
    )
