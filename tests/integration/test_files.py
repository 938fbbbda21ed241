"""Reading a file in portions by the real workflow: what a dying worker loses, what is refused, cancelled, given up."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowFailureError

from activities.documents.builder import ExtractedDocument
from activities.files.copies import LocalCopies
from activities.files.reader import Assembled, Blob, Extent, Reading, Source
from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from infra.uploads import Uploads
from schema.contracts.files import FileKind, IngestFileInput, Portion
from schema.errors import NotFound, SourceUnavailable
from schema.ids import new_id
from schema.store import billing, dead_letters, files, runs
from schema.store.files import NewFile
from schema.tables.files import File
from tests.integration.conftest import Org
from tests.support.ledger import assert_sound
from tests.support.platform import Platform, platform

PORTIONS = 4
TEXT = b"one\ntwo\nthree\nfour\n"


class LineReader:
    """Reads a line per portion, and does what the test wants at each."""

    version = "lines-1"

    def __init__(self, at: Callable[[int], asyncio.Event | None] = lambda _: None) -> None:
        self.at = at
        self.began: list[int] = []
        self.read_whole: list[int] = []
        self.cancelled = 0

    async def inspect(self, source: Source) -> Extent:
        portions = tuple(Portion(number=number, start=number - 1, end=number) for number in range(1, PORTIONS + 1))
        return Extent("audio.minute", PORTIONS, portions, {"lines": PORTIONS})

    async def read(
        self,
        source: Source,
        facts: Mapping[str, Any],
        portion: Portion,
        progress: Callable[[float], None],
        first: Mapping[str, Any] | None = None,
    ) -> Reading:
        self.began.append(portion.number)
        try:
            if (wait := self.at(portion.number)) is not None:
                await wait.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        line = source.path.read_text().splitlines()[portion.number - 1]
        self.read_whole.append(portion.number)
        return Reading({"line": line}, {f"{portion.number}.txt": Blob("text/plain", line.encode())})

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        text = "\n\n".join(f"The line says {reading['line']}." for reading in readings)
        return Assembled({"lines": len(readings)}, ExtractedDocument(name, text, "text/plain", language="en"))


async def bring(stage: Platform, org: Org, data: bytes = TEXT, name: str = "lines.txt") -> str:
    """Do what the API does: the row, the bytes, the workflow."""
    file_id = files.new_file_id()
    async with stage.db.transaction(org.id) as session:
        new = NewFile(name, "text/plain", len(data))
        file = await files.create_file(session, org.id, file_id, new, created_by=org.owner_id)
        organisation = await runs.get_organisation(session, org.id)
    await stage.parts.objects.put(file.object_key, data)
    async with stage.db.transaction(org.id) as session:
        await files.complete_upload(session, org.id, file_id)
    order = IngestFileInput(org_id=org.id, file_id=file_id, attempt=1, name=name)
    await stage.orchestrator.ingest_file(order, organisation)
    return file_id


async def row(db: Database, org: Org, file_id: str) -> File:
    async with db.transaction(org.id) as session:
        return await files.get_file(session, org.id, file_id)


async def reserved(db: Database, org: Org) -> int:
    async with db.transaction(org.id) as session:
        return (await billing.get_balance(session, org.id)).reserved_ucr


def stage_of(settings: Settings, client: Client, reader: LineReader, prefix: str) -> Any:
    # A worker that ends here ends at once, as a killed one does.
    at_once = timedelta(0)
    return platform(settings, client, prefix, readers={FileKind.DOCUMENT: reader}, graceful_shutdown_timeout=at_once)


async def test_a_dead_worker_loses_one_portion(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org
) -> None:
    """Killed in the third portion: the first two are not read again, the charge is one."""
    never, prefix = asyncio.Event(), new_id("files") + "-"
    first, second = LineReader(lambda number: never if number == 3 else None), LineReader()
    async with stage_of(settings, temporal_client, first, prefix) as stage:
        file_id = await bring(stage, org)
        async with asyncio.timeout(90):
            while 3 not in first.began:
                await asyncio.sleep(0.02)
        assert await reserved(db, org) == 400_000
        seen = await row(db, org, file_id)
        assert (seen.status, seen.portions, seen.portions_done) == ("processing", PORTIONS, 2)
    async with stage_of(settings, temporal_client, second, prefix):
        async with asyncio.timeout(60):
            await temporal_client.get_workflow_handle(file_id).result()
    done = await row(db, org, file_id)
    assert (done.status, done.charged_ucr, done.portions_done) == ("ready", 400_000, PORTIONS), done.error
    assert (first.read_whole, second.read_whole) == ([1, 2], [3, 4])
    assert [each["name"] for each in done.outputs or ()] == ["1.txt", "2.txt", "3.txt", "4.txt"]
    await assert_sound(owner_db)


async def test_a_refusal_in_the_middle_charges_nothing(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org
) -> None:
    """What cannot be read is a result of the workflow; the hold is released, the reason stays."""

    def refuse(number: int) -> None:
        if number == 2:
            raise SourceUnavailable("The second line cannot be read.")

    reader = LineReader(refuse)
    async with stage_of(settings, temporal_client, reader, new_id("files") + "-") as stage:
        file_id = await bring(stage, org)
        result = await temporal_client.get_workflow_handle(file_id).result()
    assert (result["status"], result["refusal"]["code"]) == ("failed", "source_unavailable")
    failed = await row(db, org, file_id)
    assert (failed.status, failed.charged_ucr, await reserved(db, org)) == ("failed", 0, 0)
    assert (failed.error or {})["detail"] == "The second line cannot be read."
    assert reader.began == [1, 2]
    await assert_sound(owner_db)


async def test_what_breaks_its_reader_is_given_up(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org
) -> None:
    """After its tries it leaves a dead letter, and holds nothing."""

    def fall(number: int) -> None:
        if number == 2:
            raise RuntimeError("a fault of the reader")

    async with stage_of(settings, temporal_client, LineReader(fall), new_id("files") + "-") as stage:
        file_id = await bring(stage, org)
        with pytest.raises(WorkflowFailureError):
            await temporal_client.get_workflow_handle(file_id).result()
    failed = await row(db, org, file_id)
    assert (failed.status, failed.charged_ucr, await reserved(db, org)) == ("failed", 0, 0)
    async with db.transaction(org.id) as session:
        letters, _ = await dead_letters.list_dead_letters(session, org.id, limit=9)
    assert [(letter.kind, letter.subject_id) for letter in letters] == [("file", file_id)]
    await assert_sound(owner_db)


@pytest.mark.parametrize("how", ["deleted", "cancelled"])
async def test_cancel_reaches_the_portion(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org, how: str
) -> None:
    """By deletion or by an operator: the portion's work ends, nothing is charged."""
    never = asyncio.Event()
    reader = LineReader(lambda number: never if number == 2 else None)
    async with stage_of(settings, temporal_client, reader, new_id("files") + "-") as stage:
        file_id = await bring(stage, org)
        async with asyncio.timeout(90):
            while 2 not in reader.began:
                await asyncio.sleep(0.02)
        if how == "deleted":
            async with db.transaction(org.id) as session:
                await files.delete_file(session, org.id, file_id)
            assert await reserved(db, org) == 0
            await stage.orchestrator.try_cancel(file_id)
        else:
            await temporal_client.get_workflow_handle(file_id).cancel()
        with suppress(WorkflowFailureError):
            async with asyncio.timeout(90):
                await temporal_client.get_workflow_handle(file_id).result()
        assert reader.cancelled == 1
    if how == "cancelled":
        failed = await row(db, org, file_id)
        assert (failed.status, (failed.error or {})["code"]) == ("failed", "cancelled")
    assert await reserved(db, org) == 0
    await assert_sound(owner_db)


async def test_the_reconciler_starts_what_was_lost(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, org: Org
) -> None:
    """A file whose workflow never ran is read after the next sweep."""
    async with stage_of(settings, temporal_client, LineReader(), new_id("files") + "-") as stage:
        file_id = files.new_file_id()
        async with db.transaction(org.id) as session:
            file = await files.create_file(session, org.id, file_id, NewFile("a.txt", "text/plain", len(TEXT)))
            await files.complete_upload(session, org.id, file_id)
        await stage.parts.objects.put(file.object_key, TEXT)
        async with owner_db.transaction(org.id) as session:
            await session.execute(
                text("update files set changed_at = changed_at - interval '1 hour' where id = :id"),
                {"id": file_id},
            )
        queue = stage.settings.task_queue("runs")
        await temporal_client.execute_workflow("Reconcile", id=new_id("sweep"), task_queue=queue)
        async with asyncio.timeout(90):
            await temporal_client.get_workflow_handle(file_id).result()
    assert (await row(db, org, file_id)).status == "ready"
    await assert_sound(owner_db)


async def test_copies_are_kept_while_there_is_room(objects: ObjectStore, org: Org, tmp_path: Any) -> None:
    """One fetch for callers at once; the oldest go when room is short; nothing is left at the end."""
    for name in ("a", "b", "c"):
        await objects.put(f"{org.id}/files/{name}", name.encode() * 100)
    copies = LocalCopies(objects, bytes_max=250, base=tmp_path)
    async with copies.copy(f"{org.id}/files/a") as (first, ref), copies.copy(f"{org.id}/files/a") as (again, _):
        assert (first, ref.size_bytes) == (again, 100)
        assert first.read_bytes() == b"a" * 100
    for name in ("b", "c"):
        async with copies.copy(f"{org.id}/files/{name}") as (path, _):
            assert path.read_bytes() == name.encode() * 100
    assert not first.exists()
    assert path.exists()
    copies.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_is_past_its_end_goes(
    settings: Settings, temporal_client: Client, db: Database, owner_db: Database, objects: ObjectStore, org: Org
) -> None:
    """A file after its days, and an upload that nobody completed, by the sweep of retention; one being read stays."""
    uploads = Uploads(objects)
    never = asyncio.Event()
    async with stage_of(settings, temporal_client, LineReader(), new_id("files") + "-") as stage:
        file_id = await bring(stage, org)
        await temporal_client.get_workflow_handle(file_id).result()
    busy = LineReader(lambda number: never if number == 1 else None)
    async with stage_of(settings, temporal_client, busy, new_id("files") + "-") as stage:
        reading = await bring(stage, org, b"five\nsix\nseven\neight\n")
        waiting = files.new_file_id()
        upload_id = await uploads.begin(files.object_key(org.id, waiting))
        async with db.transaction(org.id) as session:
            new = NewFile("half.txt", "text/plain", 20)
            await files.create_file(session, org.id, waiting, new, upload_id=upload_id)
        async with asyncio.timeout(90):
            while not busy.began:
                await asyncio.sleep(0.02)
        async with owner_db.transaction(org.id) as session:
            ages = "expires_at = expires_at - interval '31 days', created_at = created_at - interval '2 days'"
            await session.execute(text(f"update files set {ages} where org_id = :org"), {"org": org.id})
        queue = stage.settings.task_queue("runs")
        await temporal_client.execute_workflow("Retention", id=new_id("sweep"), task_queue=queue)
        async with db.transaction(org.id) as session:
            left, _ = await files.list_files(session, org.id, limit=9)
        assert [file.id for file in left] == [reading]
        with pytest.raises(NotFound):
            await uploads.parts(files.object_key(org.id, waiting), upload_id)
        await temporal_client.execute_workflow("Retention", id=new_id("sweep"), task_queue=queue)
    sha256 = hashlib.sha256(TEXT).hexdigest()
    assert not await objects.exists(files.object_key(org.id, file_id))
    assert await objects.keys(f"{org.id}/readings/{sha256}/") == []
    assert await objects.exists(files.object_key(org.id, reading))
    await assert_sound(owner_db)
