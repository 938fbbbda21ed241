"""Documents: the organisation's own corpus."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.auth import Caller, DocumentsReader, DocumentsWriter, SecuredRoute
from api.deps import DocumentId
from api.idempotency import Idempotent, Outcome, fresh, replay, with_fingerprint
from api.ingestion import order_of, try_ingest
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.uploads import MULTIPART, Upload, uploads
from api.views import documents as views
from schema.contracts.common import ObjectRef
from schema.store import documents, idempotency, organisations
from schema.store.idempotency import Asked
from schema.tables.documents import Document

router = APIRouter(prefix="/documents", tags=["documents"], route_class=SecuredRoute)

READY_WITHIN = timedelta(seconds=10)
"""How long an upload waits for its documents: small files answer `ready`, large ones `processing`."""


@router.post("", status_code=201, response_model=views.UploadedDocuments, openapi_extra=MULTIPART)
async def upload_documents(caller: DocumentsWriter, asked: Idempotent, request: Request, api: Api) -> Response:
    """Add files to the corpus: text, Markdown, HTML or PDF, one or many. Content that is there already is not added."""
    async with uploads(request) as files:
        asked = with_fingerprint(asked, [[file.name, file.mime_type, file.sha256] for file in files])
        async with api.database.transaction(caller.org_id) as session:
            claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        # Repeating what follows changes nothing: objects and documents are found again by their content.
        made = await _keep(api, caller, files)
    await _ingest(api, caller, made)
    return await _answer(api, caller, asked, [document.id for document in made])


async def _keep(api: Services, caller: Caller, files: list[Upload]) -> list[Document]:
    refs: dict[str, ObjectRef] = {}
    for file in files:
        key = f"{caller.org_id}/uploads/{file.sha256}"
        refs[file.sha256] = await api.objects.put(key, await file.content(), file.mime_type)
    kept: dict[str, Document] = {}
    for file in files:
        # One transaction each: one that holds the audit log's head and waits for the lock of the next content would
        # stand against an upload that holds that content and waits for the head.
        async with api.database.transaction(caller.org_id) as session:
            kept[file.sha256], _ = await documents.create_document(
                session,
                caller.org_id,
                name=file.name,
                mime_type=file.mime_type,
                object=refs[file.sha256],
                created_by=caller.user_id,
                actor=caller.actor,
            )
    return [kept[file.sha256] for file in files]


async def _ingest(api: Services, caller: Caller, made: list[Document]) -> None:
    waiting = {document.id: document for document in made if document.status == "processing"}
    if not waiting:
        return
    async with api.database.transaction(caller.org_id) as session:
        organisation = await organisations.get_organisation(session, caller.org_id)
    if all(await asyncio.gather(*(try_ingest(api, document, organisation) for document in waiting.values()))):
        await asyncio.gather(*(api.orchestrator.ingested(document_id, READY_WITHIN) for document_id in waiting))


async def _answer(api: Services, caller: Caller, asked: Asked, document_ids: list[str]) -> Response:
    async with api.database.transaction(caller.org_id) as session:
        rows = [await documents.get_document(session, caller.org_id, document_id) for document_id in document_ids]
        outcome = Outcome(201, views.UploadedDocuments(documents=[views.document_view(row) for row in rows]))
        return fresh(await idempotency.store(session, caller.org_id, asked, outcome.stored()))


@router.get("", response_model=views.DocumentList)
async def list_documents(
    caller: DocumentsReader,
    page: Annotated[Page, Depends(PageOf(r"doc_[0-9a-f]{32}"))],
    api: Api,
    status: Annotated[views.DocumentStatus | None, Query(description="Only documents in this status.")] = None,
) -> Response:
    """List the corpus, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await documents.list_documents(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, status=status
        )
    return JsonAnswer(
        views.DocumentList(documents=[views.document_view(row) for row in rows], next_cursor=seal(cursor))
    )


@router.get("/{document_id}", response_model=views.DocumentView)
async def get_document(document_id: DocumentId, caller: DocumentsReader, api: Api) -> Response:
    """Read what is known of a document."""
    async with api.database.transaction(caller.org_id) as session:
        document = await documents.get_document(session, caller.org_id, document_id)
    return JsonAnswer(views.document_view(document))


@router.post("/{document_id}/reindex", status_code=202, response_model=views.DocumentView)
async def reindex_document(document_id: DocumentId, caller: DocumentsWriter, asked: Idempotent, api: Api) -> Response:
    """Read a document anew in the background: its passages, their words by its language, their vectors by the model
    that is configured now. Until then it is found as before."""
    async with api.database.transaction(caller.org_id) as session:
        claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        document = await documents.get_document(session, caller.org_id, document_id)
        organisation = await organisations.get_organisation(session, caller.org_id)
    # Starting it while it runs changes nothing, so a repetition that comes before the answer is kept does no harm.
    await api.orchestrator.ingest(order_of(document), organisation)
    async with api.database.transaction(caller.org_id) as session:
        outcome = Outcome(202, views.document_view(document))
        return fresh(await idempotency.store(session, caller.org_id, asked, outcome.stored()))


@router.delete("/{document_id}", status_code=204, response_class=Response)
async def delete_document(document_id: DocumentId, caller: DocumentsWriter, api: Api) -> Response:
    """Take a document out of the corpus; what reports cite of it stays readable there."""
    async with api.database.transaction(caller.org_id) as session:
        await documents.delete_document(session, caller.org_id, document_id, actor=caller.actor)
    return Response(status_code=204)
