"""Starting the ingestion of a document or a file, after the commit that promised it."""

from api.services import Services
from infra.orchestrator import NoExecution
from schema.contracts.common import ObjectRef
from schema.contracts.documents import IngestDocumentInput
from schema.contracts.files import IngestFileInput
from schema.errors import SwissbrainError
from schema.tables.documents import Document
from schema.tables.files import File
from schema.tables.organisations import Organisation


def order_of(document: Document) -> IngestDocumentInput:
    """Return what the ingestion of a document is asked for."""
    ref = ObjectRef(key=document.object_key, sha256=document.content_sha256, size_bytes=document.size_bytes)
    return IngestDocumentInput(
        org_id=document.org_id,
        document_id=document.id,
        object=ref,
        filename=document.name,
        mime_type=document.mime_type,
    )


async def try_ingest(api: Services, document: Document, organisation: Organisation) -> bool:
    """Start the ingestion; where that fails, the document stays `processing` and the reconciler starts it."""
    try:
        await api.orchestrator.ingest(order_of(document), organisation)
    except (SwissbrainError, NoExecution):
        return False
    return True


async def try_ingest_file(api: Services, file: File, organisation: Organisation) -> bool:
    """Start the reading of a file; where that fails, it stays `processing` and the reconciler starts it."""
    order = IngestFileInput(org_id=file.org_id, file_id=file.id, attempt=file.attempt, name=file.name)
    try:
        await api.orchestrator.ingest_file(order, organisation)
    except (SwissbrainError, NoExecution):
        return False
    return True
