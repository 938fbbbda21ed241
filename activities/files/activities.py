"""Reading a file: what it is, its portions, what it comes to. What a file costs is held before it is read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from temporalio import activity

from activities.documents.indexing import index
from activities.documents.passages import split_passages
from activities.embedding.embedder import Embedder
from activities.files.copies import LocalCopies
from activities.files.keeping import Readings
from activities.files.kinds import HEAD_BYTES, kind_of
from activities.files.reader import Assembled, Reader, Source
from activities.files.scanning import scan
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.contracts.files import (
    BeginFileInput,
    BeginFileResult,
    FailFileInput,
    FileKind,
    FileRef,
    FinishFileInput,
    FinishFileResult,
    InspectFileResult,
    Inspection,
    ReadPortionInput,
    ReadPortionResult,
    Refusal,
)
from schema.errors import (
    CallerError,
    Conflict,
    InsufficientCredits,
    NotFound,
    PartMissing,
    PayloadTooLarge,
    SourceUnavailable,
    SwissbrainError,
    UnsupportedFormat,
)
from schema.ids import DOCUMENT, derived_id
from schema.policies import (
    DATA_BYTES_MAX,
    FILE_IMAGE_BYTES_MAX,
    FILE_OUTPUTS_MAX,
    MEDIA_BYTES_MAX,
    UPLOAD_BYTES_MAX,
)
from schema.store import documents, files
from schema.store.files import Finished

log = structlog.get_logger(__name__)

SIZE_MAX: dict[FileKind, int] = {
    FileKind.DATA: DATA_BYTES_MAX,
    FileKind.DOCUMENT: UPLOAD_BYTES_MAX,
    FileKind.IMAGE: FILE_IMAGE_BYTES_MAX,
    FileKind.AUDIO: MEDIA_BYTES_MAX,
    FileKind.VIDEO: MEDIA_BYTES_MAX,
}
"""Largest file of each kind, in bytes."""
_REFUSALS = (CallerError, SourceUnavailable, PartMissing)
"""What another try would come to as well."""


class FileActivities:
    """Reads files."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        readers: Mapping[FileKind, Reader],
        copies: LocalCopies,
        *,
        embedder: Embedder | None = None,
        scanner: str | None = None,
    ) -> None:
        """Keep what reading needs.

        Args:
            scanner: command of a virus scanner (`scanning.py`); None: files are not scanned.
        """
        self._db = db
        self._objects = objects
        self._readers = readers
        self._copies = copies
        self._readings = Readings(objects)
        self._embedder = embedder
        self._scanner = scanner

    @activity.defn(name="files.inspect")
    async def inspect(self, input: FileRef) -> InspectFileResult:
        """Say what a file is, by its content, and what reading it takes. Nothing is held or written.

        Raises:
            StorageUnavailable: PostgreSQL or the object store failed.
            ProviderUnavailable: the virus scanner failed.
            SandboxUnavailable: no sandbox here is strong enough to open it.
        """
        try:
            async with self._db.transaction(input.org_id) as session:
                file = await files.get_file(session, input.org_id, input.file_id)
            async with self._copies.copy(file.object_key) as (path, content):
                if (file.content_sha256 or content.sha256, file.size_bytes) != (content.sha256, content.size_bytes):
                    raise UnsupportedFormat("The file is not what was announced. Upload it again.")
                await scan(self._scanner, path)
                with path.open("rb") as opened:
                    kind, mime = kind_of(opened.read(HEAD_BYTES), file.name, file.mime_type)
                if file.size_bytes > SIZE_MAX[kind]:
                    raise PayloadTooLarge(
                        f"A file of {kind.value} has {SIZE_MAX[kind]} bytes at most; this one has {file.size_bytes}.",
                        limit_bytes=SIZE_MAX[kind],
                    )
                reader = self._reader(kind)
                extent = await reader.inspect(Source(path, file.name, mime, file.size_bytes))
        except _REFUSALS as error:
            return InspectFileResult(refusal=_refusal(error))
        found = Inspection(
            kind=kind,
            mime=mime,
            sha256=content.sha256,
            size_bytes=content.size_bytes,
            unit=extent.unit,
            amount=extent.amount,
            portions=extent.portions,
            reader=reader.version,
            facts=dict(extent.facts),
        )
        kept = [await self._readings.find(input.org_id, found, portion.number) for portion in found.portions]
        return InspectFileResult(inspection=found.model_copy(update={"kept": all(kept)}))

    @activity.defn(name="files.begin")
    async def begin(self, input: BeginFileInput) -> BeginFileResult:
        """Hold what the reading costs.

        Idempotency key: the file's attempt. Too few credits are a refusal: the file waits for nobody's purchase.
        """
        try:
            async with self._db.transaction(input.org_id) as session:
                begun = await files.begin(session, input.org_id, input.file_id, input.attempt, input.inspection)
        except InsufficientCredits as error:
            return BeginFileResult(refusal=_refusal(error))
        return BeginFileResult(gone=not begun)

    @activity.defn(name="files.read")
    async def read(self, input: ReadPortionInput) -> ReadPortionResult:
        """Read one portion, unless it was read before.

        Idempotency key: content, reader and portion; a worker that dies loses this portion and no other.

        Raises:
            StorageUnavailable: the object store or PostgreSQL failed.
            SandboxUnavailable: no sandbox here is strong enough to open it.
        """
        inspection, number = input.inspection, input.portion.number
        reading = await self._readings.find(input.org_id, inspection, number)
        if reading is None:
            reader = self._reader(inspection.kind)
            if reader.version != inspection.reader:
                # Deployed meanwhile: both read well, and what is kept says by which.
                log.info("another reader", asked=inspection.reader, here=reader.version)
            try:
                async with self._copy(input.org_id, input.file_id, inspection) as path:
                    source = Source(path, input.name, inspection.mime, inspection.size_bytes)
                    first = await self._first(input) if number > 1 else None
                    made = await reader.read(source, inspection.facts, input.portion, activity.heartbeat, first)
            except _REFUSALS as error:
                return ReadPortionResult(refusal=_refusal(error))
            reading = await self._readings.keep(input.org_id, inspection, number, made)
        async with self._db.transaction(input.org_id) as session:
            await files.portion_done(session, input.org_id, input.file_id, input.attempt, number)
        return ReadPortionResult(reading=reading)

    @activity.defn(name="files.finish")
    async def finish(self, input: FinishFileInput) -> FinishFileResult:
        """Put the readings together; store result, document and charge in one transaction.

        Idempotency key of the charge: `FILE:ATTEMPT:0:0:read`; a repeat finds the file ready and changes nothing.

        Raises:
            StorageUnavailable: the object store or PostgreSQL failed.
        """
        inspection, org_id = input.inspection, input.org_id
        reader = self._reader(inspection.kind)
        values, outputs = [], []
        for ref in input.readings:
            value, blobs = await self._readings.load(ref)
            values.append(value)
            outputs += [{"name": name, **blob} for name, blob in blobs.items()]
        try:
            assembled = await reader.assemble(input.name, inspection.facts, values)
        except _REFUSALS as error:
            return FinishFileResult(status="failed", refusal=_refusal(error))
        for name, blob in assembled.blobs.items():
            outputs.append({"name": name, **await self._readings.keep_blob(org_id, inspection, blob)})
        result = await self._readings.keep_result(org_id, inspection, assembled.result)
        return await self._write(input, assembled, result, outputs[:FILE_OUTPUTS_MAX])

    async def _write(
        self, input: FinishFileInput, assembled: Assembled, result: ObjectRef, outputs: list[dict[str, object]]
    ) -> FinishFileResult:
        org_id, file_id = input.org_id, input.file_id
        document_id, indexed = None, None
        if (document := assembled.document) is not None and document.text:
            document_id = derived_id(DOCUMENT, file_id)
            spans = assembled.passages
            if spans is None:
                spans = await asyncio.to_thread(
                    split_passages, document.text, document.headings, document.pages, title=document.title
                )
            indexed = await index(self._objects, self._embedder, org_id, document, spans)
        unembedded = 0
        try:
            async with self._db.transaction(org_id) as session:
                if not await files.is_being_read(session, org_id, file_id, input.attempt):
                    return await self._as_it_stands(input)
                if document_id is not None and indexed is not None:
                    content = ObjectRef(
                        key=files.object_key(org_id, file_id),
                        sha256=input.inspection.sha256,
                        size_bytes=input.inspection.size_bytes,
                    )
                    await documents.put_file_document(
                        session, org_id, document_id, file_id=file_id, name=input.name, object=content
                    )
                    unembedded = await indexed.write(session, org_id, document_id)
                # Money last: from here to the commit everything else of the organisation that moves credits waits.
                finished = Finished(result, outputs, document_id)
                await files.finish(session, org_id, file_id, input.attempt, input.inspection, finished)
        except NotFound:
            return FinishFileResult(status="gone")
        log.info("file ready", file_id=file_id, kind=input.inspection.kind.value, outputs=len(outputs))
        return FinishFileResult(status="ready", document_id=document_id, unembedded=unembedded)

    async def _as_it_stands(self, input: FileRef) -> FinishFileResult:
        """Return what another try of this activity, or another execution, has made of the file."""
        try:
            async with self._db.transaction(input.org_id) as session:
                file = await files.get_file(session, input.org_id, input.file_id)
        except NotFound:
            return FinishFileResult(status="gone")
        return FinishFileResult(status=file.status, document_id=file.document_id)

    @activity.defn(name="files.fail")
    async def fail(self, input: FailFileInput) -> None:
        """Close the attempt and release what it held; a repeat changes nothing."""
        async with self._db.transaction(input.org_id) as session:
            await files.fail(
                session,
                input.org_id,
                input.file_id,
                input.attempt,
                code=input.code,
                detail=input.detail,
                given_up=input.given_up,
            )
        log.info("file refused", file_id=input.file_id, code=input.code)

    async def _first(self, input: ReadPortionInput) -> Mapping[str, Any] | None:
        """Return what was read of portion 1: the workflow reads portions in their order."""
        ref = await self._readings.find(input.org_id, input.inspection, 1)
        return (await self._readings.load(ref))[0] if ref is not None else None

    def _reader(self, kind: FileKind) -> Reader:
        reader = self._readers.get(kind)
        if reader is None:
            raise UnsupportedFormat(f"This deployment reads no files of the kind {kind.value}.")
        return reader

    @asynccontextmanager
    async def _copy(self, org_id: str, file_id: str, inspection: Inspection) -> AsyncIterator[Path]:
        try:
            async with self._copies.copy(files.object_key(org_id, file_id)) as (path, content):
                if content.sha256 != inspection.sha256:
                    raise Conflict("The file has changed since it was inspected. Upload it again.")
                yield path
        except NotFound as error:
            raise SourceUnavailable("The uploaded file is gone. Upload it again.") from error


def _refusal(error: SwissbrainError) -> Refusal:
    return Refusal(code=error.code, detail=error.detail[:1_000])
