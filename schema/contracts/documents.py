"""Ingestion of the organisation's own documents."""

from temporalio import activity, workflow

from schema.contracts.common import Contract, ObjectRef


class IngestDocumentInput(Contract):
    """One uploaded file that waits to be read."""

    org_id: str
    document_id: str
    object: ObjectRef
    filename: str
    mime_type: str


class IngestDocumentResult(Contract):
    """What became of it. A file that cannot be read is a result, not an exception."""

    document_id: str
    status: str
    """`ready` or `failed`."""
    passages: int = 0
    unembedded: int = 0
    """Passages of a ready document that still wait for their vectors."""
    error: str | None = None


class EmbedDocumentInput(Contract):
    """One document whose passages wait for vectors."""

    org_id: str
    document_id: str


class EmbedDocumentResult(Contract):
    """How far it came."""

    document_id: str
    model: str | None = None
    """None: there was nothing to do, or nothing to do it with."""
    embedded: int = 0
    missing: int = 0
    """Passages that still have no vector: call again."""


@workflow.defn(name="IngestDocument")
class IngestDocumentWorkflow:
    """Stub of the workflow that reads one document; workflow id = document id."""

    @workflow.run
    async def run(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Return what became of the document."""
        raise NotImplementedError


@activity.defn(name="documents.ingest")
async def ingest_document(input: IngestDocumentInput) -> IngestDocumentResult:
    """Extract the text, split it into passages and store both in one transaction; idempotent by document id."""
    raise NotImplementedError


@activity.defn(name="documents.embed")
async def embed_document(input: EmbedDocumentInput) -> EmbedDocumentResult:
    """Make vectors for a document's passages that have none of the current model; idempotent, in bounded portions."""
    raise NotImplementedError


class GiveUpDocumentInput(Contract):
    """A document whose reading was tried to the end: its worker died over it, or it never came to an end."""

    org_id: str
    document_id: str
    error_code: str
    error_detail: str


@activity.defn(name="documents.give_up")
async def give_up_document(input: GiveUpDocumentInput) -> None:
    """Mark the document failed and leave a dead letter, in one transaction; a repeat changes nothing."""
    raise NotImplementedError
