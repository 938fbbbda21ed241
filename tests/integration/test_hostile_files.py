"""Every hostile file that the other tests know, by the activities that a file goes through: refused, nothing charged.

The workflow's order is that of `workflows/ingest_file.py`; here it is done by hand, without a worker for each file.
"""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.files.activities import FileActivities
from activities.files.copies import LocalCopies
from activities.media.programs import require_programs
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.files import BeginFileInput, FailFileInput, FileRef, FinishFileInput, ReadPortionInput, Refusal
from schema.errors import PartMissing
from schema.store import billing, files
from schema.store.files import NewFile
from tests.integration.conftest import Org
from tests.integration.test_images import hostile as hostile_pictures
from tests.support import hostile_media
from tests.support.bombs import bombs
from tests.support.data_bombs import HOSTILE
from tests.support.ledger import assert_sound
from tests.unit.documents.office_files import hostile_office
from worker import file_readers

MAY_BE_READ = {"html-deep", "csv named xlsx", "empty"}
"""Harmless as it is read, the second as the text that it is; and what no upload can be."""
IN_CI = ("data: deep json", "document: docx-macro", "image: broken off")
_MEDIA: tuple[Callable[[Path], Path], ...] = (
    *(hostile_media.too_long, hostile_media.next_to_nothing, hostile_media.many_streams, hostile_media.huge_frames),
)


@cache
def _documents() -> dict[str, tuple[str, bytes, str]]:
    return {**bombs(), **hostile_office()}


def made(what: str) -> tuple[str, bytes]:
    """Return a hostile file's name and content."""
    kind, _, name = what.partition(": ")
    if kind == "data":
        filename, make, _ = HOSTILE[name]
        return filename, make()
    if kind == "document":
        filename, data, _ = _documents()[name]
        return filename, data
    if kind == "image":
        return "a.png", hostile_pictures()[name][0]
    with tempfile.TemporaryDirectory() as folder:
        if name == "broken off":
            path = hostile_media.video(Path(folder) / "v.mp4")
            return "v.mp4", path.read_bytes()[:2_000]
        # Playlists are texts, and read as such: nothing in them is followed.
        path = next(make for make in _MEDIA if make.__name__ == name)(Path(folder))
        return path.name, path.read_bytes()


@pytest.fixture
def activities(db: Database, objects: ObjectStore, tmp_path: Path) -> Iterator[FileActivities]:
    copies = LocalCopies(objects, base=tmp_path)
    yield FileActivities(db, objects, file_readers(), copies)
    copies.close()


@pytest_asyncio.fixture
async def refused(
    activities: FileActivities, db: Database, owner_db: Database, objects: ObjectStore, org: Org
) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """What has to be true of a hostile file; and at the end, of the ledger."""
    yield lambda what: _is_refused(what, activities, db, objects, org)
    await assert_sound(owner_db)


Refused = Callable[[str], Awaitable[None]]


@pytest.mark.parametrize("what", IN_CI)
async def test_a_hostile_file_is_refused_and_charges_nothing(what: str, refused: Refused) -> None:
    """One of each kind."""
    if what.startswith("media"):
        _programs_or_skip()
    await refused(what)


@pytest.mark.extended
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("kind", ["data", "document", "image", "media"])
async def test_every_hostile_file_is_refused_and_charges_nothing(kind: str, refused: Refused) -> None:
    if kind == "media":
        _programs_or_skip()
    names: dict[str, Iterable[str]] = {
        "data": HOSTILE,
        "document": _documents(),
        "image": hostile_pictures(),
        "media": [*(make.__name__ for make in _MEDIA), "broken off"],
    }
    for name in names[kind]:
        if name not in MAY_BE_READ:
            await refused(f"{kind}: {name}")


def _programs_or_skip() -> None:
    try:
        require_programs()
    except PartMissing as error:
        pytest.skip(error.detail)


async def _is_refused(what: str, activities: FileActivities, db: Database, objects: ObjectStore, org: Org) -> None:
    """Refuse it with a reason; what was held is released, the balance is what it was."""
    name, data = made(what)
    async with db.transaction(org.id) as session:
        before = await billing.get_balance(session, org.id)
        file_id = files.new_file_id()
        file = await files.create_file(
            session, org.id, file_id, NewFile(name, "application/octet-stream", len(data)), created_by=org.owner_id
        )
    await objects.put(file.object_key, data)
    async with db.transaction(org.id) as session:
        await files.complete_upload(session, org.id, file_id)
    ref = FileRef(org_id=org.id, file_id=file_id, attempt=1)
    refusal, held = await _read(activities, ref, name)
    assert refusal is not None, f"{what} was read"
    assert refusal.detail
    assert str(tempfile.gettempdir()) not in refusal.detail
    print(f"{what}: {'at reading' if held else 'before anything was held'}: {refusal.detail[:100]}")
    await activities.fail(FailFileInput(**ref.model_dump(), code=refusal.code, detail=refusal.detail))
    async with db.transaction(org.id) as session:
        after = await billing.get_balance(session, org.id)
        failed = await files.get_file(session, org.id, file_id)
    assert (failed.status, failed.charged_ucr) == ("failed", 0)
    assert (after.balance_ucr, after.reserved_ucr) == (before.balance_ucr, before.reserved_ucr)


async def _read(activities: FileActivities, ref: FileRef, name: str) -> tuple[Refusal | None, bool]:
    """Do what the workflow does; return the refusal, and whether its price was held by then."""
    environment, known = ActivityEnvironment(), ref.model_dump()
    inspected = await environment.run(activities.inspect, ref)
    if inspected.refusal is not None or inspected.inspection is None:
        return inspected.refusal, False
    inspection = inspected.inspection
    begun = await activities.begin(BeginFileInput(**known, inspection=inspection))
    assert begun.refusal is None
    readings = []
    for portion in inspection.portions:
        told = ReadPortionInput(**known, name=name, inspection=inspection, portion=portion)
        done = await environment.run(activities.read, told)
        if done.refusal is not None or done.reading is None:
            return done.refusal, True
        readings.append(done.reading)
    finish = FinishFileInput(**known, name=name, inspection=inspection, readings=tuple(readings))
    return (await environment.run(activities.finish, finish)).refusal, True
