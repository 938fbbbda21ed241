"""Files of runs: uploaded whole or in parts, read in the background, attached to runs by `context.files`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from api.auth import Caller, DocumentsReader, DocumentsWriter, SecuredRoute
from api.deps import FileId, FileQuestionId
from api.idempotency import Idempotent, Outcome, effect_id, fresh, replay, with_fingerprint
from api.ingestion import try_ingest_file
from api.links import presigned_file
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.uploads import MULTIPART, Upload, safe_name, uploads
from api.views import files as views
from schema.contracts.common import ObjectRef
from schema.contracts.files import AskFileInput
from schema.errors import Conflict
from schema.ids import FILE, dated_id
from schema.policies import (
    FILE_DIRECT_BYTES_MAX,
    FILE_LINKS_FOR,
    FILE_PART_BYTES,
    FILE_QUESTIONS_WITHIN,
)
from schema.store import files, idempotency, organisations
from schema.store.files import NewFile
from schema.store.idempotency import Asked
from schema.tables.files import File

router = APIRouter(prefix="/files", tags=["files"], route_class=SecuredRoute)


class _FileId(StringConvertor):
    """What stands for a file in a path; `/files/uploads` is a path of its own, which has no GET and no DELETE."""

    regex = "(?!uploads$)[^/]+"


register_url_convertor("file_id", _FileId())
_LATER = {"description": "The answer takes longer: read the question by its id."}


@router.post("", status_code=201, response_model=views.UploadedFiles, openapi_extra=MULTIPART)
async def upload_files(caller: DocumentsWriter, asked: Idempotent, request: Request, api: Api) -> Response:
    """Bring files of up to 100 MiB: data, documents, images, recordings. They are read in the background, and charged
    when they are ready."""
    async with uploads(request, bytes_max=FILE_DIRECT_BYTES_MAX) as sent:
        asked = with_fingerprint(asked, [[file.name, file.mime_type, file.sha256] for file in sent])
        async with api.database.transaction(caller.org_id) as session:
            claim = await idempotency.claim(session, caller.org_id, asked)
            if claim.answer is not None:
                return replay(claim.answer)
            # Rows first: what a crash leaves is an upload that nobody completes, and is deleted as such.
            made = [
                await files.create_file(
                    session,
                    caller.org_id,
                    # The same for every repetition of this request, however far an earlier one came.
                    dated_id(FILE, claim.claimed_at, effect_id(caller.org_id, asked, claim.claimed_at), number),
                    NewFile(file.name, file.mime_type, file.size_bytes),
                    created_by=caller.user_id,
                    actor=caller.actor,
                )
                for number, file in enumerate(sent)
            ]
        await _store(api, made, sent)
    async with api.database.transaction(caller.org_id) as session:
        rows = [
            await files.complete_upload(session, caller.org_id, file.id, sha256=upload.sha256)
            for file, upload in zip(made, sent, strict=True)
        ]
        outcome = Outcome(201, views.UploadedFiles(files=[views.file_view(row) for row in rows]))
        answer = fresh(await idempotency.store(session, caller.org_id, asked, outcome.stored()))
    await _start(api, caller, rows)
    return answer


async def _store(api: Services, made: Sequence[File], sent: Sequence[Upload]) -> None:
    for file, upload in zip(made, sent, strict=True):
        await upload.file.seek(0)
        await api.objects.put_file(file.object_key, upload.file.file, upload.size_bytes)


async def _start(api: Services, caller: Caller, rows: Sequence[File]) -> None:
    async with api.database.transaction(caller.org_id) as session:
        organisation = await organisations.get_organisation(session, caller.org_id)
    await asyncio.gather(*(try_ingest_file(api, row, organisation) for row in rows))


@router.post("/uploads", status_code=201, response_model=views.UploadView)
async def open_upload(caller: DocumentsWriter, asked: Idempotent, body: views.OpenUpload, api: Api) -> Response:
    """Begin a file that is uploaded in parts, straight to the object store: up to 2 GiB, and each part again when it is
    lost. Links end after an hour; `GET .../upload` gives new ones."""
    async with api.database.transaction(caller.org_id) as session:
        claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        file_id = files.new_file_id()
        new = NewFile(safe_name(body.name), body.mime_type or "application/octet-stream", body.size_bytes)
        upload_id = await api.uploads.begin(files.object_key(caller.org_id, file_id))
        file = await files.create_file(
            session,
            caller.org_id,
            file_id,
            new,
            upload_id=upload_id,
            announced_sha256=body.sha256,
            created_by=caller.user_id,
            actor=caller.actor,
        )
        sent = Outcome(201, await _upload_view(api, file), location=f"/api/v1/files/{file_id}/upload")
        # Links are secrets for an hour: a repetition asks for new ones.
        kept = views.UploadView(file=views.file_view(file), part_size_bytes=FILE_PART_BYTES, parts=[])
        await idempotency.store(session, caller.org_id, asked, Outcome(201, kept).stored())
    return fresh(sent.sent(), sent.location)


@router.get("/{file_id}/upload", response_model=views.UploadView)
async def get_upload(file_id: FileId, caller: DocumentsWriter, api: Api) -> Response:
    """See which parts of an upload have come, and get links for the others."""
    async with api.database.transaction(caller.org_id) as session:
        file = await files.get_file(session, caller.org_id, file_id)
    return JsonAnswer(await _upload_view(api, file))


async def _upload_view(api: Services, file: File) -> views.UploadView:
    parts: list[views.UploadPart] = []
    if file.status == "uploading" and file.upload_id is not None:
        come = {part.number: part.size_bytes for part in await api.uploads.parts(file.object_key, file.upload_id)}
        for number, start in enumerate(range(0, file.size_bytes, FILE_PART_BYTES), start=1):
            size_bytes = min(FILE_PART_BYTES, file.size_bytes - start)
            received = come.get(number) == size_bytes
            url = None
            if not received:
                url = await api.uploads.link(file.object_key, file.upload_id, number, FILE_LINKS_FOR)
            parts.append(
                views.UploadPart(number=number, start=start, size_bytes=size_bytes, received=received, url=url)
            )
    return views.UploadView(file=views.file_view(file), part_size_bytes=FILE_PART_BYTES, parts=parts)


@router.post("/{file_id}/complete", status_code=202, response_model=views.FileView)
async def complete_upload(file_id: FileId, caller: DocumentsWriter, asked: Idempotent, api: Api) -> Response:
    """Say that every part is there: the file is read in the background."""
    async with api.database.transaction(caller.org_id) as session:
        claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        file = await files.get_file(session, caller.org_id, file_id)
    if file.status == "uploading":
        await _complete(api, file)
    async with api.database.transaction(caller.org_id) as session:
        file = await files.complete_upload(session, caller.org_id, file_id)
        outcome = Outcome(202, views.file_view(file))
        answer = fresh(await idempotency.store(session, caller.org_id, asked, outcome.stored()))
    await _start(api, caller, [file])
    return answer


async def _complete(api: Services, file: File) -> None:
    """Make one object of the parts; where an earlier try did and was not heard of, there is nothing to do."""
    if file.upload_id is None:
        raise Conflict("This file is not uploaded in parts.", status=file.status)
    if await api.objects.size_of(file.object_key) == file.size_bytes:
        return
    come = await api.uploads.parts(file.object_key, file.upload_id)
    here = sum(part.size_bytes for part in come)
    if here != file.size_bytes:
        raise Conflict(
            f"{here} of {file.size_bytes} bytes are here. `GET /files/{file.id}/upload` says which parts are missing.",
            received_bytes=here,
            size_bytes=file.size_bytes,
        )
    await api.uploads.complete(file.object_key, file.upload_id, come)


@router.get("", response_model=views.FileList)
async def list_files(
    caller: DocumentsReader,
    page: Annotated[Page, Depends(PageOf(r"file_[0-9a-f]{32}"))],
    api: Api,
    status: Annotated[views.FileStatus | None, Query(description="Only files in this status.")] = None,
) -> Response:
    """List files, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await files.list_files(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, status=status
        )
    return JsonAnswer(views.FileList(files=[views.file_view(row) for row in rows], next_cursor=seal(cursor)))


@router.get("/{file_id:file_id}", response_model=views.FileView)
async def get_file(file_id: FileId, caller: DocumentsReader, api: Api) -> Response:
    """Read what is known of a file, and how far its reading has come."""
    async with api.database.transaction(caller.org_id) as session:
        file = await files.get_file(session, caller.org_id, file_id)
    return JsonAnswer(views.file_view(file))


@router.get("/{file_id}/result", response_model=views.FileResult)
async def get_file_result(file_id: FileId, caller: DocumentsReader, api: Api) -> Response:
    """Read what a file came to: an analysis of data, a transcript, the text of a picture."""
    file = await _ready(api, caller, file_id)
    data = await api.objects.get(ObjectRef.model_validate(file.result))
    head = f'{{"file_id":"{file.id}","kind":"{file.kind}","result":'.encode()
    return Response(head + data + b"}", media_type=JsonAnswer.media_type)


@router.get("/{file_id}/outputs", response_model=views.FileOutputs)
async def list_file_outputs(file_id: FileId, caller: DocumentsReader, api: Api) -> Response:
    """List what was made of a file: charts, subtitles, pictures of a video, and the file itself."""
    file = await _ready(api, caller, file_id)
    content = files.content_of(file)
    every = [(file.name, file.mime_type, content)]
    every += [(each["name"], each["mime"], ObjectRef.model_validate(each["object"])) for each in file.outputs or ()]
    shown = [
        views.FileOutput(
            name=name,
            mime_type=mime,
            size_bytes=ref.size_bytes,
            sha256=ref.sha256,
            url=await presigned_file(api.objects, ref, filename=name, mime_type=mime),
        )
        for name, mime, ref in every
    ]
    return JsonAnswer(views.FileOutputs(outputs=shown))


async def _ready(api: Services, caller: Caller, file_id: str) -> File:
    async with api.database.transaction(caller.org_id) as session:
        file = await files.get_file(session, caller.org_id, file_id)
    if file.status != "ready":
        raise Conflict(f"The file is {file.status}; there is nothing of it yet.", status=file.status)
    return file


@router.post("/{file_id}/reopen", status_code=202, response_model=views.FileView)
async def reopen_file(file_id: FileId, caller: DocumentsWriter, asked: Idempotent, api: Api) -> Response:
    """Read a file again that failed, after what was in its way is mended: a new attempt, with a hold of its own."""
    async with api.database.transaction(caller.org_id) as session:
        claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        file = await files.reopen(session, caller.org_id, file_id, actor=caller.actor)
        outcome = Outcome(202, views.file_view(file))
        answer = fresh(await idempotency.store(session, caller.org_id, asked, outcome.stored()))
    await _start(api, caller, [file])
    return answer


@router.delete("/{file_id:file_id}", status_code=204, response_class=Response)
async def delete_file(file_id: FileId, caller: DocumentsWriter, api: Api) -> Response:
    """Take a file away with what was made of it; a reading under way stops, and what it held is released. What reports
    cite of it stays readable there."""
    async with api.database.transaction(caller.org_id) as session:
        await files.delete_file(session, caller.org_id, file_id, actor=caller.actor)
    await api.orchestrator.try_cancel(file_id)
    return Response(status_code=204)


@router.post(
    "/{file_id}/questions", response_model=views.QuestionView, responses={202: {"model": views.QuestionView, **_LATER}}
)
async def ask_about_file(
    file_id: FileId, caller: DocumentsWriter, asked: Idempotent, body: views.AskQuestion, api: Api
) -> Response:
    """Ask about the data of a file in plain words. The query that the question becomes is shown with its answer, which
    takes seconds: where it takes longer, the answer is 202, and the question is read by its id."""
    return await _ask(api, caller, asked, file_id, body.question)


@router.post(
    "/{file_id}/relations", response_model=views.QuestionView, responses={202: {"model": views.QuestionView, **_LATER}}
)
async def relate_files(
    file_id: FileId, caller: DocumentsWriter, asked: Idempotent, body: views.AskRelations, api: Api
) -> Response:
    """Find how this file's tables and those of others belong together: keys, columns that refer to them, and what finds
    no partner. Answered as a question is."""
    return await _ask(api, caller, asked, file_id, "", others=body.files)


async def _ask(
    api: Services, caller: Caller, asked: Asked, file_id: str, question: str, *, others: Sequence[str] = ()
) -> Response:
    async with api.database.transaction(caller.org_id) as session:
        claim = await idempotency.claim(session, caller.org_id, asked)
        if claim.answer is not None:
            return replay(claim.answer)
        made = await files.create_question(
            session, caller.org_id, file_id, question, others=others, created_by=caller.user_id
        )
        organisation = await organisations.get_organisation(session, caller.org_id)
        # What a repetition gets: the question, by which its answer is found.
        await idempotency.store(session, caller.org_id, asked, Outcome(202, views.question_view(made)).stored())
    order = AskFileInput(org_id=caller.org_id, file_id=file_id, question_id=made.id)
    await api.orchestrator.ask_file(order, organisation)
    await api.orchestrator.file_asked(made.id, FILE_QUESTIONS_WITHIN)
    async with api.database.transaction(caller.org_id) as session:
        made = await files.get_question(session, caller.org_id, file_id, made.id)
    return fresh(Outcome(200 if made.status != "waiting" else 202, views.question_view(made)).sent())


@router.get("/{file_id}/questions", response_model=views.QuestionList)
async def list_file_questions(
    file_id: FileId, caller: DocumentsReader, page: Annotated[Page, Depends(PageOf(r"ask_[0-9a-f]{32}"))], api: Api
) -> Response:
    """List the questions about a file, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        await files.get_file(session, caller.org_id, file_id)
        rows, cursor = await files.list_questions(session, caller.org_id, file_id, limit=page.limit, cursor=page.cursor)
    shown = [views.question_view(row) for row in rows]
    return JsonAnswer(views.QuestionList(questions=shown, next_cursor=seal(cursor)))


@router.get("/{file_id}/questions/{question_id}", response_model=views.QuestionView)
async def get_file_question(
    file_id: FileId, question_id: FileQuestionId, caller: DocumentsReader, api: Api
) -> Response:
    """Read a question, and its answer once it is there."""
    async with api.database.transaction(caller.org_id) as session:
        question = await files.get_question(session, caller.org_id, file_id, question_id)
    return JsonAnswer(views.question_view(question))
