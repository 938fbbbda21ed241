"""Retention on the real services: archive before deletion, read back, erasure, export; money and audit outlive all."""

import gzip
import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.retention.orphans import OrphanActivities
from infra.archive import read_bundle, write_bundle, write_zip
from infra.database import Database
from infra.settings import Settings
from schema.contracts.retention import RetentionResult, RetentionWorkflow
from schema.errors import Conflict, InvariantViolated, NotFound
from schema.ids import USER, new_id
from schema.policies import TaskQueue
from schema.states import RunStatus
from schema.store import api_keys, archives, artifacts, data_exports, erasures, retention
from schema.store.artifacts import NewArtifact
from schema.store.audit import SYSTEM
from tests.integration.api.conftest import Caller, Running, eventually, make_key, serving
from tests.integration.conftest import Org
from tests.support.ledger import assert_sound
from tests.support.platform import Platform, platform

PREFIX = "retention-"
SECRET_TEXT = "The harbour of Portishead was dug in 1879 and has a tidal range of thirteen metres."


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client) -> AsyncIterator[Platform]:
    async with platform(settings, temporal_client, PREFIX) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def running(settings: Settings) -> AsyncIterator[Running]:
    async with serving(settings.model_copy(update={"temporal_task_queue_prefix": PREFIX})) as api:
        yield api


@pytest_asyncio.fixture
async def admin(running: Running, owner_db: Database, org: Org) -> AsyncIterator[Caller]:
    async with Caller(running.url, org, await make_key(owner_db, org)) as client:
        yield client


async def sweep(stage: Platform) -> RetentionResult:
    return await stage.client.execute_workflow(
        RetentionWorkflow.run,
        id=f"retention-{uuid.uuid4().hex}",
        task_queue=stage.settings.task_queue(TaskQueue.RUNS),
        execution_timeout=timedelta(seconds=60),
    )


async def finished_run(stage: Platform, org: Org, user_id: str | None = None) -> str:
    run_id = await stage.create(org.id, user_id or org.owner_id, "How large is the tidal range at Portishead?")
    await stage.start(org.id, run_id)
    run = await stage.until(org.id, run_id)
    assert run.status == RunStatus.COMPLETED, run.last_error
    return run_id


async def age(owner_db: Database, org: Org, run_id: str, *, days: int) -> None:
    """Have a run end `days` ago, and its files with it."""
    by = {"org_id": org.id, "run_id": run_id, "by": timedelta(days=days)}
    async with owner_db.transaction(org.id) as session:
        for table, column, key in (("runs", "completed_at", "id"), ("artifacts", "expires_at", "run_id")):
            change = f"update {table} set {column} = {column} - cast(:by as interval)"
            await session.execute(text(f"{change} where org_id = :org_id and {key} = :run_id"), by)


async def count(db: Database, org: Org, table: str, where: str = "true", **parameters: Any) -> int:
    async with db.transaction(org.id) as session:
        query = f"select count(*) from {table} where org_id = :org_id and {where}"
        return int((await session.execute(text(query), {"org_id": org.id, **parameters})).scalar_one())


async def test_a_run_goes_to_the_archive_and_is_read_back(
    stage: Platform, admin: Caller, org: Org, owner_db: Database
) -> None:
    await stage.upload(org.id, {"harbour.txt": SECRET_TEXT, "other.txt": "Nothing about tides is in here at all."})
    run_id, kept_id = await finished_run(stage, org), await finished_run(stage, org)
    before = (await admin.get(f"/api/v1/runs/{run_id}")).json()
    report = next(item for item in before["artifacts"] if item["name"] == "research_report.md")
    told = (await admin.get(f"/api/v1/artifacts/{report['id']}/download")).text
    ledger = (await admin.get("/api/v1/billing/ledger", params={"run_id": run_id})).json()
    audit_entries = await count(owner_db, org, "audit_logs", "resource_id = :run_id", run_id=run_id)

    # Nothing is due: nothing happens.
    await sweep(stage)
    early = await admin.get(f"/api/v1/runs/{run_id}/archive")
    assert early.status_code == 404
    assert "not been archived" in early.json()["detail"]

    # 31 days: the files move to the archive, the run stays.
    await age(owner_db, org, run_id, days=31)
    done = await sweep(stage)
    assert (done.artifacts_archived, done.runs_archived, done.deferred) == (1, 0, 0)
    assert (await admin.get(f"/api/v1/artifacts/{report['id']}/download")).status_code == 410
    halfway = (await admin.get(f"/api/v1/runs/{run_id}/archive")).json()
    assert halfway["archived_at"] is None
    async with httpx.AsyncClient() as browser:
        files = zipfile.ZipFile(io.BytesIO((await browser.get(halfway["files"]["s3_url"])).content))
    assert files.read("artifacts/research_report.md").decode() == told
    manifest = json.loads(files.read("manifest.json"))["files"]
    assert {item["name"] for item in manifest} == set(files.namelist()) - {"manifest.json"}
    assert any(SECRET_TEXT.encode() in files.read(name) for name in files.namelist() if name.startswith("sources/"))

    # 91 days: the run moves. What it cost, and who did what, stays.
    await age(owner_db, org, run_id, days=60)
    done = await sweep(stage)
    assert (done.runs_archived, done.deferred) == (1, 0)
    for table in archives.DELETED_WITH_RUN:
        key = "id" if table == "runs" else "run_id"
        assert await count(owner_db, org, table, f"{key} = :run_id", run_id=run_id) == 0, table
    assert (await admin.get("/api/v1/billing/ledger", params={"run_id": run_id})).json() == ledger
    assert (
        await count(owner_db, org, "audit_logs", "resource_id = :run_id", run_id=run_id) >= audit_entries
    )  # Reads are entries too.
    await assert_sound(owner_db)

    # It reads as it did.
    after = (await admin.get(f"/api/v1/runs/{run_id}")).json()
    assert after["archived_at"] is not None
    changed = {"archived_at", "artifacts", "_links", "updated_at", "completed_at", "duration_ms"}
    assert {k: v for k, v in after.items() if k not in changed} == {k: v for k, v in before.items() if k not in changed}
    archive = (await admin.get(f"/api/v1/runs/{run_id}/archive")).json()
    async with httpx.AsyncClient() as browser:
        data = (await browser.get(archive["bundle"]["s3_url"])).content
    bundle = read_bundle(data)
    assert bundle.header["tables"]["runs"] == 1
    assert {"run_events", "steps", "claims", "sources", "credit_holds", "usage"} <= set(bundle.rows)
    listed = (await admin.get("/api/v1/archives")).json()["archives"]
    assert [item["run_id"] for item in listed] == [run_id]

    # What the other run still cites is still there; what nothing points to is not.
    kept = (await admin.get(f"/api/v1/runs/{kept_id}")).json()
    kept_report = next(item for item in kept["artifacts"] if item["name"] == "research_report.md")
    assert (await admin.get(f"/api/v1/artifacts/{kept_report['id']}/download")).status_code == 200
    await assert_objects_are_what_rows_say(stage, owner_db, org)

    # A year more: the archive goes too.
    async with owner_db.transaction(org.id) as session:
        await session.execute(
            text("update run_archives set expires_at = clock_timestamp() - interval '1 s' where org_id = :o"),
            {"o": org.id},
        )
    assert (await sweep(stage)).archives_deleted == 1
    assert (await admin.get(f"/api/v1/runs/{run_id}")).status_code == 404
    await sweep(stage)
    await assert_objects_are_what_rows_say(stage, owner_db, org)


async def assert_objects_are_what_rows_say(stage: Platform, owner_db: Database, org: Org) -> None:
    """Assert that every object of the organisation is pointed to, and that what rows point to is there."""
    keys = await stage.parts.objects.keys(f"{org.id}/")
    async with owner_db.transaction(org.id) as session:
        for key in keys:
            assert await retention.is_referenced(session, org.id, key), key
        wanted = await session.execute(
            text(
                "select object_key from artifacts where org_id = :o and deleted_at is null"
                " union select object_key from documents where org_id = :o"
                " union select object_key from snapshots where org_id = :o"
            ),
            {"o": org.id},
        )
        assert set(wanted.scalars()) <= set(keys)


async def test_every_row_of_a_run_goes_with_it(owner_db: Database) -> None:
    """What a later migration hangs on a run belongs into the bundle too."""
    query = (
        "with recursive below as (select 'runs'::regclass::oid as id union"
        " select k.conrelid from pg_constraint k join below b on k.confrelid = b.id"
        " where k.contype = 'f' and k.confdeltype = 'c') select id::regclass::text from below"
    )
    async with owner_db.transaction(None) as session:
        assert set((await session.execute(text(query))).scalars()) == set(archives.DELETED_WITH_RUN)


async def test_a_bundle_that_is_not_whole_is_refused() -> None:
    rows = [("runs", {"id": "run_1"}), ("run_events", {"seq": 1}), ("run_events", {"seq": 2})]
    bundle = write_bundle("org_1", "run_1", rows, None)
    assert bundle == write_bundle("org_1", "run_1", rows, None)
    assert read_bundle(bundle).rows["run_events"] == [{"seq": 1}, {"seq": 2}]
    lines = gzip.decompress(bundle).splitlines(keepends=True)
    for broken in (bundle[:-9], gzip.compress(b"".join(lines[:2] + lines[3:])), gzip.compress(b"{}\n"), b"x"):
        with pytest.raises(InvariantViolated):
            read_bundle(broken)
    assert write_zip([("a", b"1")]) == write_zip([("a", b"1")])


async def test_an_object_that_is_used_again_is_not_deleted(stage: Platform, db: Database, org: Org) -> None:
    """Deletion and an upload of the same content at once: whatever the order, a row's object is there."""
    from activities.retention.objects import Collector

    collector = Collector(db, stage.parts.objects)
    ref = await stage.parts.objects.put(f"{org.id}/snapshots/{'ab' * 32}", b"text", "text/plain")
    original = stage.parts.objects.delete

    async def delete_and_meet_an_upload(key: str) -> None:
        await original(key)
        async with db.transaction(org.id) as session:
            await session.execute(
                text("insert into snapshots (org_id, sha256, object_key, size_bytes) values (:o, :s, :k, 4)"),
                {"o": org.id, "s": "ab" * 32, "k": ref.key},
            )

    stage.parts.objects.delete = delete_and_meet_an_upload  # type: ignore[method-assign]
    try:
        assert not await collector.collect(org.id, ref.key)
    finally:
        del stage.parts.objects.delete  # type: ignore[method-assign]
    assert (await stage.parts.objects.read(ref.key)).data == b"text"


async def test_an_organisation_says_how_long(admin: Caller, other_org_admin: Caller) -> None:
    assert (await admin.get("/api/v1/retention")).json() == {
        "artifacts_days": 30,
        "runs_days": 90,
        "archives_days": 365,
        "ledger_days_min": 2557,
    }
    changed = await admin.patch("/api/v1/retention", json={"runs_days": 7, "archives_days": 0})
    assert (changed.json()["runs_days"], changed.json()["archives_days"]) == (7, 0)
    assert (await admin.patch("/api/v1/retention", json={"runs_days": None})).json()["runs_days"] == 90
    assert (await other_org_admin.get("/api/v1/retention")).json()["archives_days"] == 365
    for bad in ({"runs_days": 0}, {"ledger_days": 1}, {"runs_days": "7"}):
        assert (await admin.patch("/api/v1/retention", json=bad)).status_code == 422


@pytest_asyncio.fixture
async def other_org_admin(running: Running, owner_db: Database) -> AsyncIterator[Caller]:
    from tests.integration.conftest import make_org

    org = await make_org(owner_db)
    async with Caller(running.url, org, await make_key(owner_db, org)) as client:
        yield client


async def member(owner_db: Database, org: Org) -> tuple[str, str]:
    """Add a member with a key; returns their id and the key."""
    user_id = new_id(USER)
    async with owner_db.transaction(org.id) as session:
        await session.execute(
            text("insert into users (id, email, name) values (:u, :e, 'Ada Secret')"),
            {"u": user_id, "e": f"{user_id}@person.invalid"},
        )
        await session.execute(
            text("insert into memberships (org_id, user_id, role) values (:o, :u, 'member')"),
            {"o": org.id, "u": user_id},
        )
        scopes = ["runs:read", "documents:read", "documents:write"]
        _, key = await api_keys.create_key(session, org.id, user_id=user_id, name="theirs", scopes=scopes)
    return user_id, key


async def test_a_person_takes_their_data_along_and_is_erased(
    stage: Platform, running: Running, admin: Caller, org: Org, owner_db: Database
) -> None:
    user_id, key = await member(owner_db, org)
    await stage.upload(org.id, {"shared.txt": SECRET_TEXT})
    ours = await finished_run(stage, org)
    async with Caller(running.url, org, key) as them:
        document = (
            await them.post("/api/v1/documents", files=[("file", ("mine.txt", b"My own document.", "text/plain"))])
        ).json()["documents"][0]
        theirs, archived = await finished_run(stage, org, user_id), await finished_run(stage, org, user_id)
        live = await stage.create(org.id, user_id, "left in the middle")
    await age(owner_db, org, archived, days=91)
    await sweep(stage)
    assert (await admin.get(f"/api/v1/runs/{archived}")).json()["archived_at"]

    asked = await admin.post("/api/v1/data-exports", json={"user_id": user_id})
    assert asked.status_code == 202, asked.text

    async def exported() -> dict[str, Any] | None:
        found: dict[str, Any] = (await admin.get(f"/api/v1/data-exports/{asked.json()['id']}")).json()
        return found if found["status"] != "processing" else None

    export = await eventually(exported)
    async with httpx.AsyncClient() as browser:
        data = (await browser.get(export["file"]["s3_url"])).content
    taken = zipfile.ZipFile(io.BytesIO(data))
    lines = {name: taken.read(name).decode().splitlines() for name in taken.namelist() if name.endswith(".jsonl")}
    assert {json.loads(line)["id"] for line in lines["runs.jsonl"]} == {theirs, live}
    assert [json.loads(line)["run_id"] for line in lines["run_archives.jsonl"]] == [archived]
    assert "Ada Secret" in lines["users.jsonl"][0]
    assert b"My own document." in [taken.read(name) for name in taken.namelist() if name.startswith("documents/")]
    assert any(name.startswith(f"archives/{archived}/bundle") for name in taken.namelist())
    assert "secret_sha256" not in "".join(lines["api_keys.jsonl"])

    # The only owner cannot go, a stranger is not there; the person can, once.
    assert (await admin.post("/api/v1/erasures", json={"user_id": org.owner_id})).status_code == 409
    assert (await admin.post("/api/v1/erasures", json={"user_id": new_id(USER)})).status_code == 404
    ledger = await count(owner_db, org, "billing_ledger")
    begun = await admin.post("/api/v1/erasures", json={"user_id": user_id})
    assert begun.status_code == 202, begun.text
    async with Caller(running.url, org, key) as them:
        assert (await them.get("/api/v1/runs")).status_code == 401

    async def erased() -> dict[str, Any] | None:
        found: dict[str, Any] = (await admin.get(f"/api/v1/erasures/{begun.json()['id']}")).json()
        return found if found["status"] != "processing" else None

    erasure = await eventually(erased, within_s=40)
    assert erasure["status"] == "completed", erasure
    assert {name: number for name, number in erasure["erased"].items() if number} == {
        "runs": 2,
        "archives": 1,
        "documents": 1,
        "api_keys": 1,
        "memberships": 1,
        "exports": 1,
        "name_and_address": 1,
    } | ({"answers": erasure["erased"]["answers"]} if erasure["erased"]["answers"] else {})
    for run_id in (theirs, archived, live):
        assert (await admin.get(f"/api/v1/runs/{run_id}")).status_code == 404
    assert (await admin.get(f"/api/v1/documents/{document['id']}")).status_code == 404
    async with owner_db.transaction(None) as session:
        row = (await session.execute(text("select email, name from users where id = :u"), {"u": user_id})).one()
    assert tuple(row) == (f"erased-{user_id}@erased.invalid", "")
    # What is shared stays; so do ledger and audit log, by id.
    report = next(
        item for item in (await admin.get(f"/api/v1/runs/{ours}")).json()["artifacts"] if item["name"].endswith(".md")
    )
    assert (await admin.get(f"/api/v1/artifacts/{report['id']}/download")).status_code == 200
    assert await count(owner_db, org, "billing_ledger") >= ledger
    assert await count(owner_db, org, "audit_logs", "resource_id = :u", u=user_id) == 2
    await assert_objects_are_what_rows_say(stage, owner_db, org)
    await assert_sound(owner_db)

    async def forgotten() -> bool:
        query = f'OrgId = "{org.id}" AND WorkflowId STARTS_WITH "{theirs}"'
        return not [found async for found in stage.client.list_workflows(query)]

    await eventually(forgotten, within_s=60)  # Temporal deletes in the background.
    # Again, as a retry of the workflow would: nothing more is found or counted.
    async with stage.db.transaction(org.id) as session:
        assert (await erasures.erase_person(session, org.id, erasure["id"])).erased == erasure["erased"]


async def test_every_table_that_names_a_person_is_dealt_with(owner_db: Database) -> None:
    """A table that a later migration ties to a person must be erased as well."""
    query = (
        "select distinct conrelid::regclass::text from pg_constraint where contype = 'f'"
        " and confrelid in ('users'::regclass, 'memberships'::regclass)"
    )
    async with owner_db.transaction(None) as session:
        tied = set((await session.execute(text(query))).scalars())
    # Of no organisation: they go with the name (across_forget_user).
    erased = {
        "runs",
        "sessions",
        "user_identities",
        *(sql.split()[2] if sql.startswith("delete") else sql.split()[1] for sql in erasures._OF_PERSON.values()),
    }
    assert tied <= erased


async def test_every_table_of_a_tenant_is_exported_or_left_out_for_a_reason(owner_db: Database) -> None:
    left_out = {
        "document_passages": "made from the documents, which are there",
        "snapshots": "texts that others published; claims hold what was quoted",
        "idempotency_keys": "answers that were given already, for 48 hours",
        "object_deletions": "a queue",
        "retention_policies": "GET /retention",
        "data_keys": "secrets",
        "data_exports": "the exports themselves",
        "usage_windows": "sums of the ledger",
        "credit_holds": "sums of the ledger",
        "audit_heads": "a counter",
        "dead_letters": "failures of the platform",
        "exports": "files of runs, as artifacts",
        "audit_archives": "where months of the log are kept",
        "audit_checkpoints": "signatures over the log",
        "audit_verifications": "GET /audit/verification",
    }
    left_out |= {
        "tool_policies": "GET /tool-policy",
    }
    query = (
        "select table_name from information_schema.columns join pg_class on oid = table_name::regclass"
        " where table_schema = 'public' and column_name = 'org_id' and not relispartition"
    )
    async with owner_db.transaction(None) as session:
        tables = set((await session.execute(text(query))).scalars())
    assert tables <= set(data_exports.TABLES) | set(left_out), tables - set(data_exports.TABLES) - set(left_out)


async def test_nothing_of_another_organisation(
    stage: Platform, db: Database, org: Org, other_org_admin: Caller
) -> None:
    """The stores of this file, with another organisation's identifiers."""
    run_id = await stage.create(org.id, org.owner_id, "theirs")
    mine = other_org_admin.org
    async with db.transaction(org.id) as session:
        export = await data_exports.create_export(session, org.id, org.owner_id, actor=SYSTEM)
        await retention.ask_for_deletion(session, org.id, [f"{org.id}/x"])
    async with db.transaction(mine.id) as session:
        assert not await retention.delete_run_rows(session, mine.id, run_id)
        assert not await archives.delete_archive(session, mine.id, run_id)
        assert await archives.cited_snapshots(session, mine.id, run_id) == []
        assert await archives.list_archives(session, mine.id, limit=9) == ([], None)
        assert await retention.mark_artifacts_deleted(session, mine.id, run_id) == 0
        assert not await retention.delete_document_rows(session, mine.id, "doc_theirs")
        assert not await retention.is_referenced(session, mine.id, f"{org.id}/x")
        await retention.forget_deletion(session, mine.id, f"{org.id}/x")
        assert await erasures.live_runs_of(session, mine.id, org.owner_id) == []
        assert await erasures.runs_of(session, mine.id, org.owner_id, limit=9) == []
        assert await archives.rows_of_run(session, mine.id, run_id) == []
        assert await retention.asked_for_deletion(session, mine.id, limit=9) == []
        assert not await data_exports.expire_export(session, mine.id, export.id)
        for call in (
            archives.get_archive(session, mine.id, run_id),
            erasures.create_erasure(session, mine.id, org.owner_id, actor=SYSTEM),
            data_exports.create_export(session, mine.id, org.owner_id, actor=SYSTEM),
            data_exports.get_export(session, mine.id, export.id),
        ):
            with pytest.raises(NotFound):
                await call
    async with db.transaction(org.id) as session:
        assert len(await retention.asked_for_deletion(session, org.id, limit=9)) == 1
    for path in (f"/api/v1/runs/{run_id}/archive", f"/api/v1/data-exports/{export.id}"):
        assert (await other_org_admin.get(path)).status_code == 404
    async with db.transaction(org.id) as session:
        with pytest.raises(Conflict):
            await erasures.create_erasure(session, org.id, org.owner_id, actor=SYSTEM)


async def test_objects_without_a_row_are_found_and_deleted(stage: Platform, org: Org) -> None:
    """What died between object and row; what a row points to, is young, or is of another kind stays."""
    objects, db = stage.parts.objects, stage.db
    run_id = await finished_run(stage, org)
    orphan, kept, step = (f"{org.id}/{kind}/{uuid.uuid4().hex * 2}" for kind in ("artifacts", "artifacts", "steps"))
    for key in (orphan, kept, step):
        ref = await objects.put(key, key.encode())
        if key == kept:
            async with db.transaction(org.id) as session:
                await artifacts.put_artifact(session, org.id, run_id, NewArtifact("kept.txt", "text/plain", ref))
    young = OrphanActivities(db, objects)
    await ActivityEnvironment().run(young.find)
    assert await wished(db, org) == []
    found = await ActivityEnvironment().run(OrphanActivities(db, objects, timedelta(0)).find)
    assert found.looked_at >= 3
    assert await wished(db, org) == [orphan]
    await sweep(stage)
    assert [await objects.exists(key) for key in (orphan, kept, step)] == [False, True, True]


async def wished(db: Database, org: Org) -> list[str]:
    """Return the keys whose deletion was asked for."""
    async with db.transaction(org.id) as session:
        return [mark.id for mark in await retention.asked_for_deletion(session, org.id, limit=100)]


async def test_the_bucket_ends_uploads_that_nobody_completes(stage: Platform) -> None:
    """By a rule of its own, set where there was none; the store here takes it."""
    found = await stage.parts.objects.vendor(lambda client: client.get_bucket_lifecycle(stage.parts.objects.bucket))
    assert found is not None
    assert [rule.rule_id for rule in found.rules] == ["swissbrain-uploads"]
