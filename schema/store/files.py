"""Files that users give to runs: from the upload until they are read, refused or gone; and what reading them costs.

A file's reading is paid as an attempt of a run is: a hold, the metered use, one settlement. In the ledger the file's
id stands in place of a run's.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.contracts.files import FileKind, Inspection
from schema.errors import Conflict, NotFound, PayloadTooLarge
from schema.ids import FILE, FILE_QUESTION, new_id, operation_key
from schema.money import PCR_PER_UCR
from schema.policies import FILES_BYTES_PER_ORGANISATION_MAX, FILES_KEPT, FILES_PER_ORGANISATION_MAX
from schema.prices import file_pcr
from schema.store import audit, billing, dead_letters, documents
from schema.store.audit import Actor
from schema.store.billing import UsageItem
from schema.tables.files import File, FileQuestion


@dataclass(frozen=True)
class NewFile:
    """A file that begins to exist."""

    name: str
    mime_type: str
    size_bytes: int


def object_key(org_id: str, file_id: str) -> str:
    """Return where a file's bytes lie."""
    return f"{org_id}/files/{file_id}"


def content_of(file: File) -> ObjectRef:
    """Return the reference of a file's bytes.

    Raises:
        Conflict: it is not uploaded yet.
    """
    if file.content_sha256 is None:
        raise Conflict(f"The file {file.id} is not uploaded to its end yet.", status=file.status)
    return ObjectRef(key=file.object_key, sha256=file.content_sha256, size_bytes=file.size_bytes)


async def create_file(
    session: AsyncSession,
    org_id: str,
    file_id: str,
    new: NewFile,
    *,
    upload_id: str | None = None,
    announced_sha256: str | None = None,
    created_by: str | None = None,
    kept_for: timedelta = FILES_KEPT,
    actor: Actor = audit.SYSTEM,
) -> File:
    """Insert a file whose bytes are to come; one that an earlier try of the same request inserted is returned.

    Args:
        upload_id: of the object store, where it is uploaded in parts.
        announced_sha256: what its sender says that it will be; another content is refused.

    Raises:
        PayloadTooLarge: the organisation has no room for it.
    """
    with suppress(NotFound):
        return await get_file(session, org_id, file_id)
    await _require_room(session, org_id, new.size_bytes)
    file = File(
        id=file_id,
        org_id=org_id,
        name=new.name,
        mime_type=new.mime_type,
        object_key=object_key(org_id, file_id),
        upload_id=upload_id,
        content_sha256=announced_sha256,
        size_bytes=new.size_bytes,
        status="uploading",
        created_by=created_by,
        expires_at=func.clock_timestamp() + kept_for,  # type: ignore[arg-type]
    )
    session.add(file)
    await session.flush()
    await session.refresh(file)
    await audit.record(session, org_id, actor=actor, action="file.created", resource_type="file", resource_id=file_id)
    return file


async def _require_room(session: AsyncSession, org_id: str, size_bytes: int) -> None:
    query = select(func.count(), func.coalesce(func.sum(File.size_bytes), 0)).where(
        File.org_id == org_id, col(File.deleted_at).is_(None)
    )
    count, taken = (await session.execute(query)).one()
    if count >= FILES_PER_ORGANISATION_MAX or taken + size_bytes > FILES_BYTES_PER_ORGANISATION_MAX:
        raise PayloadTooLarge(
            "The organisation has no room for this file. Delete files that are no longer needed.",
            files=int(count),
            files_max=FILES_PER_ORGANISATION_MAX,
            size_bytes=int(taken),
            size_bytes_max=FILES_BYTES_PER_ORGANISATION_MAX,
        )


def new_file_id() -> str:
    """Make the identifier of a file."""
    return new_id(FILE)


async def get_file(session: AsyncSession, org_id: str, file_id: str, *, lock: bool = False) -> File:
    """Return a file that is not deleted.

    Raises:
        NotFound: the organisation has no such file.
    """
    query = select(File).where(File.org_id == org_id, File.id == file_id, col(File.deleted_at).is_(None))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    file = (await session.execute(query)).scalar_one_or_none()
    if file is None:
        raise NotFound(f"There is no file {file_id}.")
    return file


async def list_files(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, status: str | None = None
) -> tuple[list[File], str | None]:
    """Return a page of files, newest first, and the cursor of the next page (ids sort by creation time)."""
    query = select(File).where(File.org_id == org_id, col(File.deleted_at).is_(None))
    if cursor is not None:
        query = query.where(File.id < cursor)
    if status is not None:
        query = query.where(File.status == status)
    rows = list((await session.execute(query.order_by(col(File.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def require_files(
    session: AsyncSession, org_id: str, file_ids: Sequence[str], *, ready: bool = False
) -> list[File]:
    """Return files that a run is to have, in the order of their ids as given.

    Raises:
        NotFound: the organisation has no such file.
        Conflict: with `ready`, one of them cannot be searched (yet); nothing is held.
    """
    query = select(File).where(File.org_id == org_id, col(File.id).in_(list(file_ids)), col(File.deleted_at).is_(None))
    found = {file.id: file for file in (await session.execute(query)).scalars()}
    for file_id in file_ids:
        if file_id not in found:
            raise NotFound(f"There is no file {file_id}.")
    waiting = [file for file in found.values() if file.status != "ready"]
    if ready and waiting:
        names = ", ".join(f"{file.name} ({file.id}) is {file.status}" for file in waiting[:5])
        raise Conflict(
            f"Not every file of the run is ready: {names}. Wait until `GET /files/ID` says `ready`, or make a run "
            "without it.",
            files={file.id: file.status for file in waiting},
        )
    return [found[file_id] for file_id in file_ids]


async def data_files(session: AsyncSession, org_id: str, file_ids: Sequence[str]) -> list[File]:
    """Return those of the files that are data, read, and still there, in the order given."""
    query = select(File).where(
        File.org_id == org_id,
        col(File.id).in_(list(file_ids)),
        File.kind == FileKind.DATA.value,
        File.status == "ready",
        col(File.deleted_at).is_(None),
    )
    found = {file.id: file for file in (await session.execute(query)).scalars()}
    return [found[file_id] for file_id in file_ids if file_id in found]


async def complete_upload(session: AsyncSession, org_id: str, file_id: str, *, sha256: str | None = None) -> File:
    """Note that all of a file is here; a repeat changes nothing.

    Args:
        sha256: of what came; None: as announced, or known when it is inspected.

    Raises:
        NotFound: the organisation has no such file.
    """
    file = await get_file(session, org_id, file_id, lock=True)
    if file.status == "uploading":
        file.status, file.upload_id = "processing", None
        file.content_sha256 = sha256 or file.content_sha256
        await _changed(session, file)
    return file


async def begin(session: AsyncSession, org_id: str, file_id: str, attempt: int, inspection: Inspection) -> bool:
    """Record what a file is and hold what its reading costs, once per attempt; False when the attempt is over.

    Raises:
        InsufficientCredits, SpendingLimitReached: nothing was held.
    """
    file = await _of_attempt(session, org_id, file_id, attempt)
    if file is None:
        return False
    file.kind, file.mime_type, file.content_sha256 = inspection.kind.value, inspection.mime, inspection.sha256
    file.unit, file.amount, file.kept = inspection.unit, inspection.amount, inspection.kept
    file.portions, file.portions_done = len(inspection.portions), 0
    await _changed(session, file)
    price_ucr = -(-file_pcr(inspection.unit, inspection.amount) // PCR_PER_UCR)
    if price_ucr and not inspection.kept:
        await billing.place_hold(
            session, org_id, run_id=file_id, attempt=attempt, amount_ucr=price_ucr, user_id=file.created_by
        )
    return True


async def is_being_read(session: AsyncSession, org_id: str, file_id: str, attempt: int) -> bool:
    """Tell whether this attempt still is the one that reads the file, and lock its row to the transaction's end."""
    return await _of_attempt(session, org_id, file_id, attempt) is not None


async def portion_done(session: AsyncSession, org_id: str, file_id: str, attempt: int, number: int) -> None:
    """Note how far the reading has come; never backwards."""
    file = await _of_attempt(session, org_id, file_id, attempt)
    if file is not None and file.portions_done < number:
        file.portions_done = number
        await _changed(session, file)


@dataclass(frozen=True)
class Finished:
    """What a file came to."""

    result: ObjectRef
    outputs: Sequence[dict[str, Any]]
    document_id: str | None


async def finish(
    session: AsyncSession, org_id: str, file_id: str, attempt: int, inspection: Inspection, finished: Finished
) -> bool:
    """Make a file ready, and charge its reading out of the hold; False when the attempt is over already.

    Idempotency key of the charge: `FILE:ATTEMPT:0:0:read`.
    """
    file = await _of_attempt(session, org_id, file_id, attempt)
    if file is None:
        return False
    if not inspection.kept:
        item = UsageItem(
            operation_key=operation_key(file_id, attempt, 0, 0, "read"),
            kind="file",
            item=inspection.unit,
            amount_pcr=file_pcr(inspection.unit, inspection.amount),
            calls=inspection.amount,
        )
        await billing.meter(session, org_id, run_id=file_id, attempt=attempt, agent_number=0, items=[item])
        settled = await billing.settle(session, org_id, run_id=file_id, attempt=attempt, capture=True)
        file.charged_ucr = settled.charged_ucr
    file.status, file.error = "ready", None
    file.portions_done = file.portions
    file.result = finished.result.model_dump()
    file.outputs = list(finished.outputs)
    file.document_id = finished.document_id
    file.ready_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    await _changed(session, file)
    return True


async def fail(
    session: AsyncSession,
    org_id: str,
    file_id: str,
    attempt: int,
    *,
    code: str,
    detail: str,
    given_up: bool = False,
    expired: bool = False,
) -> bool:
    """Close an attempt that came to nothing, and release what it held; False when it is over already."""
    file = await _of_attempt(session, org_id, file_id, attempt)
    if file is None:
        return False
    await billing.settle(session, org_id, run_id=file_id, attempt=attempt, capture=False, expired=expired)
    file.status, file.error = "failed", {"code": code, "detail": detail}
    await _changed(session, file)
    if given_up:
        await dead_letters.record(
            session, org_id, kind="file", subject_id=file_id, attempt=attempt, error={"code": code, "detail": detail}
        )
    return True


async def reopen(session: AsyncSession, org_id: str, file_id: str, *, actor: Actor) -> File:
    """Have a file read again that failed: a new attempt, with a hold of its own. Closes its dead letters.

    Raises:
        NotFound: the organisation has no such file.
        Conflict: it did not fail.
    """
    file = await get_file(session, org_id, file_id, lock=True)
    if file.status != "failed":
        raise Conflict(f"The file is {file.status}; only one that failed is read again.", status=file.status)
    file.status, file.error, file.attempt, file.portions_done = "processing", None, file.attempt + 1, 0
    await _changed(session, file)
    await dead_letters.mark_subject_replayed(session, org_id, kind="file", subject_id=file_id)
    await audit.record(session, org_id, actor=actor, action="file.reopened", resource_type="file", resource_id=file_id)
    return file


async def create_question(
    session: AsyncSession,
    org_id: str,
    file_id: str,
    question: str,
    *,
    others: Sequence[str] = (),
    created_by: str | None = None,
) -> FileQuestion:
    """Insert a question about a file's data.

    Args:
        others: files of data; with them it is asked how they and this one belong together.

    Raises:
        NotFound: the organisation has no such file.
        Conflict: a file is no data, or not ready.
    """
    _require_data(await get_file(session, org_id, file_id))
    for other in await require_files(session, org_id, others):
        _require_data(other)
    made = FileQuestion(
        id=new_id(FILE_QUESTION),
        org_id=org_id,
        file_id=file_id,
        question=question,
        others=list(others) or None,
        created_by=created_by,
    )
    session.add(made)
    await session.flush()
    await session.refresh(made)
    return made


def _require_data(file: File) -> None:
    if file.status != "ready" or file.kind != FileKind.DATA:
        what = "is not ready" if file.status != "ready" else f"is {file.kind}, and no data"
        raise Conflict(f"This is asked of data; the file {file.id} {what}.", status=file.status, kind=file.kind)


async def get_question(session: AsyncSession, org_id: str, file_id: str, question_id: str) -> FileQuestion:
    """Return a question.

    Raises:
        NotFound: the organisation has no such question about this file.
    """
    query = select(FileQuestion).where(
        FileQuestion.org_id == org_id, FileQuestion.file_id == file_id, FileQuestion.id == question_id
    )
    found = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no question {question_id} about this file.")
    return found


async def list_questions(
    session: AsyncSession, org_id: str, file_id: str, *, limit: int, cursor: str | None = None
) -> tuple[list[FileQuestion], str | None]:
    """Return a page of a file's questions, newest first, and the cursor of the next page."""
    query = select(FileQuestion).where(FileQuestion.org_id == org_id, FileQuestion.file_id == file_id)
    if cursor is not None:
        query = query.where(FileQuestion.id < cursor)
    rows = list((await session.execute(query.order_by(col(FileQuestion.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def close_question(
    session: AsyncSession,
    org_id: str,
    file_id: str,
    question_id: str,
    *,
    answer: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> FileQuestion:
    """Record an answer, or why there is none; the first one stays.

    Raises:
        NotFound: the organisation has no such question about this file.
    """
    question = await get_question(session, org_id, file_id, question_id)
    if question.status == "waiting":
        question.status = "answered" if answer is not None else "refused"
        question.answer, question.error = answer, error
        question.answered_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
        await session.flush()
    return question


async def delete_file(session: AsyncSession, org_id: str, file_id: str, *, actor: Actor = audit.SYSTEM) -> File:
    """Take a file away with its document; what is being read stops, and its hold is released.

    Raises:
        NotFound: the organisation has no such file.
    """
    file = await get_file(session, org_id, file_id, lock=True)
    await billing.settle(session, org_id, run_id=file_id, attempt=file.attempt, capture=False)
    if file.document_id is not None:
        await documents.remove_document(session, org_id, file.document_id)
    file.deleted_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    await _changed(session, file)
    await audit.record(session, org_id, actor=actor, action="file.deleted", resource_type="file", resource_id=file_id)
    return file


async def _of_attempt(session: AsyncSession, org_id: str, file_id: str, attempt: int) -> File | None:
    """Return the file, locked, while this attempt is the one that reads it; None: it is over, or the file is gone."""
    try:
        file = await get_file(session, org_id, file_id, lock=True)
    except NotFound:
        return None
    return file if (file.attempt, file.status) == (attempt, "processing") else None


async def _changed(session: AsyncSession, file: File) -> None:
    file.changed_at = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    await session.flush()
