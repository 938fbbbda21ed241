"""Files of runs from outside: uploaded whole and in parts, read by the real workflow, charged once, deleted."""

import asyncio
import hashlib
import io
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client as TemporalClient

import worker
from activities.files.media_reader import MediaConfig
from activities.media.models import available
from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from schema.contracts.files import IngestFileInput
from schema.ids import new_id
from schema.policies import FILE_PART_BYTES
from schema.store import billing, dead_letters, files, passages, retention, runs
from schema.store.files import NewFile
from tests.integration.api.conftest import Caller, Running, eventually, make_key
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound
from tests.support.platform import platform

pytestmark = pytest.mark.usefixtures("worker")
TEXT = b"# Tides\n\nThe tidal range at Avonmouth is 14.0 metres.\n\n## Use\n\nA barrage was proposed in 1849.\n"


async def upload(caller: Caller, data: bytes, name: str, **more: Any) -> dict[str, Any]:
    """Upload one file whole."""
    answer = await caller.post("/api/v1/files", files=[("file", (name, data))], **more)
    assert answer.status_code == 201, answer.text
    (file,) = answer.json()["files"]
    return dict(file)


async def ended(caller: Caller, file_id: str, within_s: float = 60) -> dict[str, Any]:
    """Wait until a file is ready or failed."""

    async def there() -> dict[str, Any] | None:
        file: dict[str, Any] = (await caller.get(f"/api/v1/files/{file_id}")).json()
        return file if file["status"] in ("ready", "failed") else None

    return dict(await eventually(there, within_s))


async def ledger_of(caller: Caller, file_id: str) -> list[tuple[str, float, float]]:
    """Return the movements of a file, oldest first: type, posted, held."""
    entries = (await caller.get("/api/v1/billing/ledger")).json()["entries"]
    return [
        (e["type"], e["balance_change"], e["reserved_change"]) for e in reversed(entries) if e["file_id"] == file_id
    ]


async def test_a_file_is_read_and_charged_once(caller: Caller, db: Database, owner_db: Database) -> None:
    """Uploaded, held, read, charged; its text is found by a run that has it, and by no other."""
    file = await upload(caller, TEXT, "tides.md")
    assert file["status"] in ("processing", "ready")
    done = await ended(caller, file["id"])
    assert done["status"] == "ready", done
    assert (done["kind"], done["unit"], done["amount"], done["credits_charged"]) == (
        "document",
        "document.megabyte",
        1,
        0.02,
    )
    assert done["sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert done["progress"] == 1
    assert await ledger_of(caller, file["id"]) == [("hold", 0, 0.02), ("charge", -0.02, -0.02)]
    result = (await caller.get(f"/api/v1/files/{file['id']}/result")).json()
    assert (result["kind"], result["result"]["title"]) == ("document", "Tides")
    outputs = (await caller.get(f"/api/v1/files/{file['id']}/outputs")).json()["outputs"]
    async with httpx.AsyncClient() as client:
        fetched = await client.get(outputs[0]["url"])
    assert fetched.content == TEXT
    assert fetched.headers["content-disposition"].startswith("attachment")
    # The corpus does not hold it, and only a search that has the file finds it.
    assert (await caller.get("/api/v1/documents")).json()["documents"] == []
    for reach, found in (
        (passages.Reach(), 0),
        (passages.Reach(corpus=False, files=(file["id"],)), 2),
        (passages.Reach(corpus=True, files=("file_0",)), 0),
    ):
        async with db.direct(caller.org.id) as connection:
            hits = await passages.search_passages(connection, caller.org.id, {"tidal": 1.0, "barrag": 1.0}, reach=reach)
        assert len(hits.hits) == found, reach
    await assert_sound(owner_db)


async def test_the_same_content_is_read_once_per_organisation(
    caller: Caller, other: Caller, owner_db: Database
) -> None:
    """A second file of the same content costs nothing; another organisation's is its own, and pays."""
    first = await ended(caller, (await upload(caller, TEXT, "a.md"))["id"])
    second = await ended(caller, (await upload(caller, TEXT, "b.md"))["id"])
    theirs = await ended(other, (await upload(other, TEXT, "a.md"))["id"])
    assert [file["status"] for file in (first, second, theirs)] == ["ready"] * 3
    assert [file["kept"] for file in (first, second, theirs)] == [False, True, False]
    assert [file["credits_charged"] for file in (first, second, theirs)] == [0.02, 0, 0.02]
    assert len({first["document_id"], second["document_id"], theirs["document_id"]}) == 3
    assert (await other.get(f"/api/v1/files/{first['id']}")).status_code == 404
    await assert_sound(owner_db)


async def test_uploads_are_no_file(caller: Caller) -> None:
    """`/files/uploads` has the methods that its document names, and not those of a file."""
    for method in ("GET", "DELETE", "OPTIONS"):
        answer = await caller.request(method, "/api/v1/files/uploads")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), method
    assert (await caller.get("/api/v1/files/uploads/upload")).status_code in (404, 422)


async def test_a_repeated_upload_makes_one_file(caller: Caller) -> None:
    """The key is bound to what was sent."""
    first = await upload(caller, TEXT, "tides.md", idem="same")
    again = await caller.post("/api/v1/files", files=[("file", ("tides.md", TEXT))], idem="same")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json()["files"][0]["id"] == first["id"]
    other = await caller.post("/api/v1/files", files=[("file", ("tides.md", TEXT + b"x"))], idem="same")
    assert other.status_code == 422
    assert len((await caller.get("/api/v1/files")).json()["files"]) == 1
    await ended(caller, first["id"])


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("setup.exe", b"MZ\x90\x00" + bytes(200), "unsupported_format"),
        ("noise.csv", bytes(range(256)) * 40, "unsupported_format"),
        ("archive.zip", b"PK\x03\x04" + bytes(100), "unsupported_format"),
        ("broken.pdf", b"%PDF-1.7\n" + bytes(500), "unsupported_format"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
async def test_what_is_refused_costs_nothing(
    caller: Caller, owner_db: Database, name: str, data: bytes, code: str
) -> None:
    """A refusal says why, releases what was held, and can be tried again."""
    file = await ended(caller, (await upload(caller, data, name))["id"])
    assert (file["status"], file["error"]["code"], file["credits_charged"]) == ("failed", code, 0), file
    assert sum(posted for _, posted, _ in await ledger_of(caller, file["id"])) == 0
    assert sum(held for *_, held in await ledger_of(caller, file["id"])) == 0
    assert (await caller.get(f"/api/v1/files/{file['id']}/result")).status_code == 409
    again = await caller.post(f"/api/v1/files/{file['id']}/reopen")
    assert (again.status_code, again.json()["attempt"]) == (202, 2)
    assert (await ended(caller, file["id"]))["status"] == "failed"
    await assert_sound(owner_db)


async def test_without_credits_nothing_is_read(api: Running, owner_db: Database) -> None:
    """The refusal names the credits; nothing is held."""
    from decimal import Decimal

    poor = await make_org(owner_db, credits_amount=Decimal(0))
    async with Caller(api.url, poor, await make_key(owner_db, poor)) as caller:
        file = await ended(caller, (await upload(caller, TEXT, "tides.md"))["id"])
        assert (file["status"], file["error"]["code"]) == ("failed", "insufficient_credits")
        assert await ledger_of(caller, file["id"]) == []


async def test_upload_in_parts_goes_on_where_it_stopped(caller: Caller, owner_db: Database) -> None:
    """Parts go straight to the store; what is missing is named; the whole is checked against what was announced."""
    line = "{},2026-01-{:02},The tide at Avonmouth was watched all day, and written down by hand.\n"
    rows = "".join(line.format(n, 1 + n % 28).replace("day,", "day;") for n in range(FILE_PART_BYTES // 70))
    data = f"number,day,note\n{rows}".encode()
    asked = {"name": "tides.csv", "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    opened = await caller.post("/api/v1/files/uploads", json=asked, idem="parts")
    assert opened.status_code == 201, opened.text
    file_id = opened.json()["file"]["id"]
    assert (await caller.post("/api/v1/files/uploads", json=asked, idem="parts")).json()["file"]["id"] == file_id
    parts = opened.json()["parts"]
    assert [part["size_bytes"] for part in parts] == [FILE_PART_BYTES, len(data) - FILE_PART_BYTES]
    async with httpx.AsyncClient() as client:
        (first, second) = parts
        assert (await client.put(first["url"], content=data[: first["size_bytes"]])).status_code == 200
        early = await caller.post(f"/api/v1/files/{file_id}/complete")
        assert (early.status_code, early.json()["received_bytes"]) == (409, FILE_PART_BYTES)
        seen = (await caller.get(f"/api/v1/files/{file_id}/upload")).json()["parts"]
        assert [part["received"] for part in seen] == [True, False]
        assert (await client.put(seen[1]["url"], content=data[second["start"] :])).status_code == 200
    completed = await caller.post(f"/api/v1/files/{file_id}/complete")
    assert (completed.status_code, completed.json()["status"]) == (202, "processing")
    assert (await caller.post(f"/api/v1/files/{file_id}/complete")).status_code == 202
    file = await ended(caller, file_id, within_s=120)
    assert (file["status"], file["sha256"]) == ("ready", asked["sha256"]), file
    await assert_sound(owner_db)


async def test_another_content_than_announced_is_refused(caller: Caller) -> None:
    """The hash that was announced is the one that counts."""
    asked = {"name": "a.txt", "size_bytes": len(TEXT), "sha256": "0" * 64}
    opened = (await caller.post("/api/v1/files/uploads", json=asked)).json()
    async with httpx.AsyncClient() as client:
        assert (await client.put(opened["parts"][0]["url"], content=TEXT)).status_code == 200
    assert (await caller.post(f"/api/v1/files/{opened['file']['id']}/complete")).status_code == 202
    file = await ended(caller, opened["file"]["id"])
    assert (file["status"], file["error"]["code"]) == ("failed", "unsupported_format")


async def test_a_run_needs_its_files_ready(caller: Caller, other: Caller) -> None:
    """A run names files; it is started when they are ready, and nothing is held before."""
    file = await ended(caller, (await upload(caller, TEXT, "tides.md"))["id"])
    broken = await ended(caller, (await upload(caller, b"MZ\x90\x00" + bytes(200), "x.exe"))["id"])
    run = await caller.create(context={"files": [file["id"]]})
    assert (await caller.post(f"/api/v1/runs/{run['id']}/start", json={})).status_code == 200
    failed = await caller.create(context={"files": [file["id"], broken["id"]]})
    refused = await caller.post(f"/api/v1/runs/{failed['id']}/start", json={})
    assert (refused.status_code, refused.json()["files"]) == (409, {broken["id"]: "failed"})
    task = {"task": "What is the tidal range?"}
    foreign = await other.post("/api/v1/runs", json={**task, "context": {"files": [file["id"]]}})
    assert foreign.status_code == 404
    for wrong in ([], ["x"], file["id"], [file["id"]] * 2, [1]):
        answer = await caller.post("/api/v1/runs", json={**task, "context": {"files": wrong}})
        assert answer.status_code == 422, wrong


async def test_deletion_takes_everything(
    caller: Caller, db: Database, owner_db: Database, objects: ObjectStore
) -> None:
    """Document, passages, readings and bytes go; a second file of the same content keeps what it needs."""
    file = await ended(caller, (await upload(caller, TEXT, "tides.md"))["id"])
    twin = await ended(caller, (await upload(caller, TEXT, "twin.md"))["id"])
    org_id = caller.org.id
    key = files.object_key(org_id, file["id"])
    assert (await caller.delete(f"/api/v1/files/{file['id']}")).status_code == 204
    assert (await caller.get(f"/api/v1/files/{file['id']}")).status_code == 404
    assert (await caller.delete(f"/api/v1/files/{file['id']}")).status_code == 404
    from activities.retention.files import FileRemover
    from activities.retention.objects import Collector

    remover, collector = FileRemover(db, objects), Collector(db, objects)

    async def collect() -> None:
        async with db.transaction(org_id) as session:
            marks = await retention.asked_for_deletion(session, org_id, limit=100)
        for mark in marks:
            await collector.collect(org_id, mark.id)

    assert await remover.remove(org_id, file["id"])
    await collect()
    assert not await objects.exists(key)
    readings = await objects.keys(f"{org_id}/readings/{file['sha256']}/")
    assert readings
    assert (await caller.get(f"/api/v1/files/{twin['id']}/result")).status_code == 200
    assert (await caller.delete(f"/api/v1/files/{twin['id']}")).status_code == 204
    assert await remover.remove(org_id, twin["id"])
    await collect()
    assert await objects.keys(f"{org_id}/readings/") == []
    assert await objects.keys(f"{org_id}/files/") == []
    await assert_sound(owner_db)


async def test_deleting_what_is_being_read_releases_the_hold(caller: Caller, db: Database, owner_db: Database) -> None:
    """At any moment of its reading: the hold is released at most once, and nothing is charged for what is gone."""
    made = await asyncio.gather(*(upload(caller, TEXT + bytes(str(n), "ascii"), f"{n}.md") for n in range(6)))
    for number, file in enumerate(made):
        await asyncio.sleep(0.05 * number)
        assert (await caller.delete(f"/api/v1/files/{file['id']}")).status_code == 204

    async def released() -> bool:
        async with db.transaction(caller.org.id) as session:
            return (await billing.get_balance(session, caller.org.id)).reserved_ucr == 0

    await eventually(released)
    await assert_sound(owner_db)


RIVERS = (
    "River,Country,Length (km),Measured\n"
    "Danube,Romania,2850,2019-05-01\nRhine,Germany,1233,2019-06-01\nElbe,Germany,1094,2018-04-01\n"
    "Rhone,France,813,2019-07-11\nPo,Italy,652,2020-02-01\nLoire,France,1006,2019-03-01\nSeine,France,777,2019-09-15\n"
)


async def test_data_is_analysed_drawn_and_asked(caller: Caller, other: Caller, owner_db: Database) -> None:
    """The analysis is the result, its charts are outputs, and a question is answered with its query."""
    file = await ended(caller, (await upload(caller, RIVERS.encode(), "rivers.csv"))["id"])
    assert (file["status"], file["kind"], file["credits_charged"]) == ("ready", "data", 0.05), file
    result = (await caller.get(f"/api/v1/files/{file['id']}/result")).json()["result"]
    (table,) = result["tables"]
    assert (table["rows"], [column["name"] for column in table["columns"]][:2]) == (7, ["River", "Country"])
    assert table["columns"][2]["statistics"]["max"] == 2850
    outputs = (await caller.get(f"/api/v1/files/{file['id']}/outputs")).json()["outputs"]
    charts = [each for each in outputs if each["mime_type"] in ("image/png", "image/svg+xml")]
    assert len(charts) == 2 * len(table["charts"]) > 0
    async with httpx.AsyncClient() as client:
        assert (await client.get(charts[0]["url"])).content.startswith((b"\x89PNG", b"<svg"))

    path = f"/api/v1/files/{file['id']}/questions"
    asked = await caller.post(path, json={"question": "Which country has most rivers?"}, idem="ask")
    assert (asked.status_code, asked.json()["status"]) == (200, "answered"), asked.text
    assert asked.json()["answer"]["rows"] == [["France", 3]]
    assert "COUNT" in asked.json()["answer"]["query"]
    again = await caller.post(path, json={"question": "Which country has most rivers?"}, idem="ask")
    assert again.json()["id"] == asked.json()["id"]
    refused = (await caller.post(path, json={"question": "What colour is the sea?"})).json()
    assert (refused["status"], refused["error"]["code"]) == ("refused", "validation_failed")
    assert "Length (km)" in refused["error"]["detail"]
    assert len((await caller.get(path)).json()["questions"]) == 2
    assert (await other.get(f"{path}/{asked.json()['id']}")).status_code == 404
    text = await ended(caller, (await upload(caller, TEXT, "tides.md"))["id"])
    wrong = await caller.post(f"/api/v1/files/{text['id']}/questions", json={"question": "How many rows?"})
    assert wrong.status_code == 409
    await assert_sound(owner_db)


async def test_files_are_related(caller: Caller, other: Caller) -> None:
    """Which columns of several files refer to each other; a foreign file is not found."""
    orders = "order_id,customer_id,total\n" + "".join(f"{n},{n % 7 + 1},{10 * n}.5\n" for n in range(1, 41))
    customers = "customer_id,name\n" + "".join(f"{n},Name {n}\n" for n in range(1, 7))
    first, second = [
        (await ended(caller, (await upload(caller, data.encode(), name))["id"]))["id"]
        for data, name in ((orders, "orders.csv"), (customers, "customers.csv"))
    ]
    path = f"/api/v1/files/{first}/relations"
    answer = (await caller.post(path, json={"files": [second]})).json()
    assert (answer["status"], answer["others"]) == ("answered", [second]), answer
    (relation,) = answer["answer"]["relations"]
    assert (relation["column"], relation["other_column"], relation["orphans"]) == ("customer_id", "customer_id", 1)
    theirs = (await upload(other, customers.encode(), "customers.csv"))["id"]
    assert (await caller.post(path, json={"files": [theirs]})).status_code == 404


async def test_the_same_upload_at_once_makes_one_file(caller: Caller, owner_db: Database) -> None:
    """Repetitions that race with the first try end with its answer, and with one file that is charged once."""

    async def send() -> httpx.Response:
        return await caller.post("/api/v1/files", files=[("file", ("tides.md", TEXT))], idem="at-once")

    answers = await asyncio.gather(*(send() for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    ids = {answer.json()["files"][0]["id"] for answer in answers if answer.is_success}
    assert len(ids) == 1
    assert [file["id"] for file in (await caller.get("/api/v1/files")).json()["files"]] == list(ids)
    done = await ended(caller, ids.pop())
    assert (done["status"], done["credits_charged"]) == ("ready", 0.02)
    await assert_sound(owner_db)


@pytest.mark.skipif(
    any(part.command for part in available("whisper-tiny.en") if part.needed_for != "speaking"),
    reason="THE MODELS OF SPEECH ARE NOT HERE: untested (make setup fetches them)",
)
async def test_a_recording_is_heard_and_found(caller: Caller, db: Database, owner_db: Database) -> None:
    """Words, subtitles and speakers of a recording; its text is found by what was said."""
    from tests.support import dialogues, speech

    first, *_, last = speech.voices()
    talk = speech.record(dialogues.cast(dialogues.SHORT[:2], first, last))
    file = await ended(caller, (await upload(caller, speech.wav(talk.samples), "meeting.wav"))["id"], within_s=120)
    assert (file["status"], file["kind"], file["unit"], file["amount"]) == ("ready", "audio", "audio.minute", 1), file
    assert file["credits_charged"] == 0.1
    result = (await caller.get(f"/api/v1/files/{file['id']}/result")).json()["result"]
    heard = " ".join(segment["text"] for segment in result["transcript"]["segments"]).lower()
    assert all(word in heard for word in ("bridge", "tower", "thursday")), heard
    outputs = (await caller.get(f"/api/v1/files/{file['id']}/outputs")).json()["outputs"]
    assert {each["name"] for each in outputs} == {"meeting.wav", "meeting.srt", "meeting.vtt"}
    async with db.direct(caller.org.id) as connection:
        reach = passages.Reach(corpus=False, files=(file["id"],))
        hits = await passages.search_passages(connection, caller.org.id, {"tower": 1.0}, reach=reach)
    assert len(hits.hits) >= 1
    await assert_sound(owner_db)


async def test_without_its_models_a_recording_is_refused_before_it_costs(
    settings: Settings, temporal_client: TemporalClient, db: Database, org: Org
) -> None:
    """The refusal names the command; nothing is held, nothing is a dead letter."""
    readers = worker.file_readers(MediaConfig(speech="whisper-tiny.en", folder=Path("/nonexistent")))
    async with platform(settings, temporal_client, new_id("files") + "-", readers=readers) as stage:
        file_id = files.new_file_id()
        data = speech_free_wav()
        async with db.transaction(org.id) as session:
            new = NewFile("talk.wav", "audio/wav", len(data))
            file = await files.create_file(session, org.id, file_id, new)
            organisation = await runs.get_organisation(session, org.id)
            await files.complete_upload(session, org.id, file_id)
        await stage.parts.objects.put(file.object_key, data)
        order = IngestFileInput(org_id=org.id, file_id=file_id, attempt=1, name="talk.wav")
        await stage.orchestrator.ingest_file(order, organisation)
        result = await temporal_client.get_workflow_handle(file_id).result()
    assert (result["status"], result["refusal"]["code"]) == ("failed", "part_missing"), result
    assert "swissbrain" in result["refusal"]["detail"] or "apt-get" in result["refusal"]["detail"]
    async with db.transaction(org.id) as session:
        assert (await billing.get_balance(session, org.id)).version == 1
        assert (await dead_letters.list_dead_letters(session, org.id, limit=9))[0] == []


def speech_free_wav() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(64_000))
    return made.getvalue()


async def test_a_files_letter_has_it_read_again(caller: Caller, db: Database, owner_db: Database) -> None:
    """What was given up is listed, and read by a replay: the next attempt, with a hold of its own."""
    file = await ended(caller, (await upload(caller, b"MZ\x90\x00" + bytes(200), "x.exe"))["id"])
    async with db.transaction(caller.org.id) as session:
        await dead_letters.record(
            session, caller.org.id, kind="file", subject_id=file["id"], attempt=1, error={"code": "x", "detail": "y"}
        )
    (letter,) = (await caller.get("/api/v1/dead-letters")).json()["dead_letters"]
    assert (letter["kind"], letter["_links"]["file"]) == ("file", f"/api/v1/files/{file['id']}")
    answer = await caller.post(f"/api/v1/dead-letters/{letter['id']}/replay")
    assert (answer.status_code, answer.json()["attempt"]) == (200, 2), answer.text
    assert (await caller.get("/api/v1/dead-letters")).json()["dead_letters"] == []
    assert (await ended(caller, file["id"]))["status"] == "failed"
    assert (await caller.post(f"/api/v1/dead-letters/{letter['id']}/replay")).status_code == 409
    await assert_sound(owner_db)
