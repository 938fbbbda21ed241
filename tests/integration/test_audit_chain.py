"""The chains of audit log and ledger: five kinds of tampering, each found and located; writers at once; months; keys.

The tampering is an owner's with the triggers off: what no right and no trigger of the database can stop.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from temporalio.testing import ActivityEnvironment

from activities.audit.activities import AuditActivities
from infra.checkpoints import Signer, generate_signing_key, prefix_of
from infra.database import Database
from infra.evidence import Evidence, Verified
from infra.locked import LockedStore
from infra.settings import Settings
from schema.chain import GENESIS, Break, Finding, Link, Log, link_hash
from schema.errors import Conflict
from schema.ids import AUDIT, new_id
from schema.store import audit, billing, chain
from schema.store.audit import SYSTEM, Actor, Entry, Filter
from tests.integration.conftest import Org, make_org
from tests.support.ledger import assert_sound, at_once, new_run, seed

LOGS = {"audit": ("audit_logs", "seq"), "ledger": ("billing_ledger", "version")}
AT = 6
"""The entry that is tampered with, of twelve or more."""


@pytest_asyncio.fixture
async def store(settings: Settings) -> AsyncIterator[LockedStore]:
    """The audit bucket."""
    made = LockedStore.from_settings(settings)
    yield made
    await made.close()


@pytest.fixture
def evidence(db: Database, store: LockedStore, settings: Settings) -> Evidence:
    """Checkpoints and verification, as the application's role."""
    return Evidence(db, store, Signer.from_settings(settings))


async def fill(db: Database, org: Org, entries: int = 12) -> None:
    """Write so many entries to both logs (the first purchase is there)."""
    for number in range(1, entries):
        async with db.transaction(org.id) as session:
            await billing.purchase(
                session, org.id, amount_ucr=number, idempotency_key=f"fill-{number}", description=f"fill {number}"
            )


async def tamper(owner_db: Database, org: Org, *statements: str, **values: object) -> None:
    """Run statements as the tables' owner, with the triggers that deny changes off."""
    async with owner_db.transaction(org.id) as session:
        for table in ("audit_logs", "billing_ledger"):
            await session.execute(text(f"alter table {table} disable trigger user"))
        for statement in statements:
            given = {name: value for name, value in {"org": org.id, **values}.items() if f":{name}" in statement}
            await session.execute(text(statement), given)
        for table in ("audit_logs", "billing_ledger"):
            await session.execute(text(f"alter table {table} enable trigger user"))


def place(verified: Verified) -> list[tuple[str, Break, int]]:
    """Return what was found, and where."""
    return [(found.log, found.kind, found.seq) for found in verified.findings]


EDIT = {
    "audit": "update audit_logs set actor_id = 'somebody_else' where org_id = :org and seq = 6",
    "ledger": "update billing_ledger set description = 'a present' where org_id = :org and version = 6",
}


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("kind", ["edit", "delete", "reorder", "insert", "cut"])
async def test_tampering_is_found_and_located(
    db: Database, owner_db: Database, org: Org, evidence: Evidence, log: str, kind: str
) -> None:
    """Without a checkpoint between: by the chain, and for the cut tail by the head."""
    await fill(db, org)
    assert (await evidence.verify(org.id)).findings == []
    table, number = LOGS[log]
    where = f"where org_id = :org and {number}"
    statements: dict[str, Sequence[str]] = {
        "edit": [EDIT[log]],
        "delete": [f"delete from {table} {where} = 6"],
        # Whole rows change places, their hashes with them.
        "reorder": [
            f"update {table} set {number} = -{number} {where} in (6, 7)",
            f"update {table} set {number} = 13 + {number} {where} in (-6, -7)",
        ],
        "insert": [
            f"update {table} set {number} = -{number} {where} >= 6",
            f"update {table} set {number} = 1 - {number} {where} <= -6",
            f"insert into {table} select (jsonb_populate_record(t, jsonb_build_object('{number}', 6, 'id', t.id || 'x'"
            f"{', ' + chr(39) + 'idempotency_key' + chr(39) + ', t.id' if log == 'ledger' else ''}))).*"
            f" from {table} t {where} = 5",
        ],
        "cut": [f"delete from {table} {where} >= 6"],
    }
    await tamper(owner_db, org, *statements[kind])
    expected = {"delete": Break.MISSING, "cut": Break.TRUNCATED}.get(kind, Break.ALTERED)
    assert place(await evidence.verify(org.id)) == [(log, expected, AT)]
    await tamper(owner_db, org, *CLEAR)  # What other tests count over all organisations.


CLEAR = (
    "delete from audit_logs where org_id = :org",
    "delete from audit_heads where org_id = :org",
    "delete from billing_ledger where org_id = :org",
    "delete from credit_balances where org_id = :org",
)
REHASH = {
    "audit": """do $$ declare e audit_logs; p bytea := '\\x{genesis}'; begin
        for e in select * from audit_logs where org_id = '{org}' order by seq loop
          p := audit_hash(e, p);
          update audit_logs set hash = p where org_id = e.org_id and seq = e.seq;
        end loop;
        update audit_heads set hash = p where org_id = '{org}'; end $$""",
    "ledger": """do $$ declare e billing_ledger; p bytea := '\\x{genesis}'; begin
        for e in select * from billing_ledger where org_id = '{org}' order by version loop
          p := ledger_hash(e, p);
          update billing_ledger set hash = p where org_id = e.org_id and version = e.version;
        end loop; end $$""",
}


@pytest.mark.parametrize("log", LOGS)
async def test_a_whole_chain_made_anew_is_found_by_its_checkpoints(
    db: Database, owner_db: Database, org: Org, evidence: Evidence, log: str
) -> None:
    """Checkpoints at 4 and 12: the entry lies behind the first and before the second, and the chain itself is whole."""
    await fill(db, org, 4)
    await evidence.checkpoint(org.id)
    async with db.transaction(org.id) as session:
        for number in range(100, 108):
            await billing.purchase(session, org.id, amount_ucr=number, idempotency_key=f"fill-{number}")
    await evidence.checkpoint(org.id)
    await tamper(owner_db, org, EDIT[log], REHASH[log].format(org=org.id, genesis=GENESIS.hex()))
    assert place(await evidence.verify(org.id)) == [(log, Break.REWRITTEN, 5)]
    await tamper(owner_db, org, *CLEAR)


@pytest.mark.parametrize("log", LOGS)
async def test_a_tail_cut_with_its_head_is_found_by_its_checkpoint(
    db: Database, owner_db: Database, org: Org, evidence: Evidence, log: str
) -> None:
    await fill(db, org)
    await evidence.checkpoint(org.id)
    heads = {
        "audit": "update audit_heads set seq = 5, hash = (select hash from audit_logs where org_id = :org and seq = 5)"
        " where org_id = :org",
        "ledger": "update credit_balances set version = 5 where org_id = :org",
    }
    table, number = LOGS[log]
    await tamper(owner_db, org, f"delete from {table} where org_id = :org and {number} > 5", heads[log])
    assert place(await evidence.verify(org.id)) == [(log, Break.TRUNCATED, AT)]
    await tamper(owner_db, org, *CLEAR)


async def test_an_entry_put_behind_the_head_is_found(
    db: Database, owner_db: Database, org: Org, evidence: Evidence
) -> None:
    await fill(db, org, 5)
    head = "(select max(seq) from audit_logs where org_id = :org)"
    await tamper(
        owner_db,
        org,
        f"insert into audit_logs select (jsonb_populate_record(t, jsonb_build_object('seq', seq + 1))).*"
        f" from audit_logs t where org_id = :org and seq = {head}",
        f"update audit_logs a set hash = audit_hash(a, p.hash) from audit_logs p where a.org_id = :org"
        f" and a.seq = {head} and p.org_id = :org and p.seq = a.seq - 1",
    )
    assert place(await evidence.verify(org.id)) == [("audit", Break.INSERTED, 6)]
    await tamper(owner_db, org, *CLEAR)


async def test_a_second_entry_of_one_number_is_found(
    db: Database, owner_db: Database, org: Org, evidence: Evidence
) -> None:
    """The key of a partitioned table holds the time too, and so does not forbid it."""
    await fill(db, org)
    await tamper(
        owner_db,
        org,
        "insert into audit_logs select (jsonb_populate_record(t, jsonb_build_object('created_at',"
        " created_at + interval '1 us'))).* from audit_logs t where org_id = :org and seq = 6",
    )
    assert place(await evidence.verify(org.id)) == [("audit", Break.INSERTED, AT)]
    await tamper(owner_db, org, *CLEAR)


async def test_checkpoints_that_are_forged_deleted_or_written_over(
    db: Database, owner_db: Database, org: Org, store: LockedStore, settings: Settings
) -> None:
    signer = Signer.from_settings(settings)
    evidence = Evidence(db, store, signer)
    assert await store.locks()  # The embedded store has object lock.
    for entries in range(3):
        async with db.transaction(org.id) as session:
            await audit.record(session, org.id, actor=SYSTEM, action="a.b", resource_type="x", resource_id=str(entries))
        made = await evidence.checkpoint(org.id)
        assert made is not None
        assert made.number == entries + 1
    assert await evidence.checkpoint(org.id) is None  # Nothing moved.
    key = f"{prefix_of(org.id)}{2:012d}.json"
    with pytest.raises(Conflict):
        await store.put(key, b"{}")
    # Straight to S3, past what we ourselves refuse: what was locked is still there, and is what is read.
    client = store._client
    await asyncio.to_thread(store._client._put_object, store.bucket, key, b"{}")
    await store.delete(key)
    assert (await evidence.verify(org.id)).findings == []
    versions = await asyncio.to_thread(
        lambda: list(client.list_objects(store.bucket, prefix=key, recursive=True, include_version=True))
    )
    oldest = [version for version in versions if not version.is_delete_marker][-1].version_id
    with pytest.raises(Exception, match=r"Access ?Denied"):
        await asyncio.to_thread(client.remove_object, store.bucket, key, oldest)
    # Another's signature.
    other = Evidence(db, store, Signer.from_settings(settings.model_copy(update={"audit_signing_keys": None})))
    assert not other.anchored
    stranger = settings.model_copy(
        update={"audit_signing_keys": type(settings.database_url)(generate_signing_key("embedded-1"))}
    )
    found = place(await Evidence(db, store, Signer.from_settings(stranger)).verify(org.id))
    assert found == [("checkpoints", Break.CHECKPOINT_FORGED, number) for number in (1, 2, 3)]


async def test_a_checkpoint_that_the_store_never_got_is_stored_by_the_next_sweep(
    db: Database, org: Org, evidence: Evidence, store: LockedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the database's commit and the store."""
    await fill(db, org, 3)

    async def dies(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(store, "put", dies)
        with pytest.raises(OSError, match="killed"):
            await evidence.checkpoint(org.id)
    assert (await evidence.verify(org.id)).findings == []  # No alarm: the store never had it.
    assert await evidence.checkpoint(org.id) is None
    verified = await evidence.verify(org.id)
    assert (verified.checkpoints, verified.findings) == (1, [])


async def test_fifty_writers_at_once_leave_a_chain_without_a_gap(
    db: Database, owner_db: Database, org: Org, evidence: Evidence
) -> None:
    drawn = random.Random(seed())
    run_id = ""
    async with db.transaction(org.id) as session:
        run_id = await new_run(session, org, ceiling=1)

    async def write(number: int) -> int:
        await asyncio.sleep(drawn.random() / 20)
        kind = drawn.choice(["one", "many", "money", "rollback"])
        try:
            async with db.transaction(org.id) as session:
                if kind == "money":
                    await billing.purchase(session, org.id, amount_ucr=1, idempotency_key=f"w{number}")
                    return 1
                count = drawn.randrange(1, 9) if kind == "many" else 1
                entries = [Entry(SYSTEM, "w.w", "x", f"{number}.{i}", run_id, {"é": ["\x00", i]}) for i in range(count)]
                await audit.record_all(session, org.id, entries)
                if kind == "rollback":
                    raise ZeroDivisionError
                return count
        except ZeroDivisionError:
            return 0

    before = (await evidence.verify(org.id)).audit_entries
    counts, errors = await at_once([write(number) for number in range(50)])
    assert errors == []
    verified = await evidence.verify(org.id)
    assert verified.findings == []
    assert verified.audit_entries == before + sum(counts)
    await assert_sound(owner_db)


async def test_verifying_while_others_write_raises_no_alarm(db: Database, org: Org, evidence: Evidence) -> None:
    done = asyncio.Event()

    async def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            async with db.transaction(org.id) as session:
                await billing.purchase(session, org.id, amount_ucr=1, idempotency_key=f"v{number}")

    writer = asyncio.create_task(write())
    try:
        for _ in range(15):
            await evidence.checkpoint(org.id)
            assert (await evidence.verify(org.id)).findings == []
    finally:
        done.set()
        await writer


async def test_the_application_writes_no_entry_past_the_chain(db: Database, org: Org) -> None:
    """It has the right to call one function, and that one only for the organisation of its transaction."""
    other = "org_of_somebody_else"
    for statement in (
        "insert into audit_logs select * from audit_logs where org_id = :org limit 1",
        "update audit_heads set seq = 0 where org_id = :org",
        "insert into audit_heads (org_id) values ('x')",
        "select make_audit_partition(now())",
        f"select within_append_audit('{other}', '[]')",
        "select across_drop_audit_month(now() - interval '1 month')",
        "select across_drop_audit_month('2019-01-01Z')",
        f"insert into audit_logs_{datetime.now(UTC):%Y%m} select * from audit_logs limit 1",
    ):
        with pytest.raises(DBAPIError) as refused:
            async with db.transaction(org.id) as session:
                await session.execute(text(statement), {"org": org.id} if ":org" in statement else {})
        assert getattr(refused.value.orig, "sqlstate", "") == "42501", statement


async def old_entries(owner_db: Database, org: Org, at: datetime, count: int) -> None:
    """Let an organisation's log have begun long ago: as it would have been written then."""
    async with owner_db.transaction(org.id) as session:
        await session.execute(text("select make_audit_partition(cast(:at as timestamptz))"), {"at": at})
        previous = GENESIS
        for seq in range(1, count + 1):
            moment = at + timedelta(seconds=seq)
            micros = str(int(moment.timestamp()) * 1_000_000)
            id_ = new_id(AUDIT)
            head = (org.id, str(seq), id_, "system", None, "old.done", "x", None, None, "success")
            link = Link(seq, 1, (*head, '{"a":"é"}', None, "::1", None, micros), b"")
            previous = link_hash(Log.AUDIT, link, previous)
            await session.execute(
                text(
                    "insert into audit_logs (org_id, seq, id, actor_type, action, resource_type, result, details,"
                    " ip_address, created_at, form, hash) values (:org, :seq, :id, 'system', 'old.done', 'x',"
                    " 'success', '{\"a\":\"é\"}', '::1', :at, 1, :hash)"
                ),
                {"org": org.id, "seq": seq, "id": id_, "at": moment, "hash": previous},
            )
        await session.execute(
            text("insert into audit_heads (org_id, seq, hash, entry_at) values (:org, :seq, :hash, :at)"),
            {"org": org.id, "seq": count, "hash": previous, "at": moment},
        )


@pytest.mark.extended
async def test_a_month_is_dropped_after_seven_years_when_it_is_archived_and_the_chain_goes_on(
    db: Database, owner_db: Database, evidence: Evidence, store: LockedStore
) -> None:
    org = await make_org(owner_db, credits_amount=0)  # type: ignore[arg-type]
    long_ago = datetime(datetime.now(UTC).year - 9, 3, 5, tzinfo=UTC)
    await old_entries(owner_db, org, long_ago, 7)
    month = long_ago.replace(day=1)
    async with db.transaction(org.id) as session:
        await audit.record(session, org.id, actor=SYSTEM, action="new.done", resource_type="x", resource_id=None)
        assert month in await chain.ended_months(session)
    assert (await evidence.verify(org.id)).findings == []
    with pytest.raises(DBAPIError, match="not archived"):
        async with db.transaction(org.id) as session:
            await chain.drop_month(session, month)
    done = await ActivityEnvironment().run(AuditActivities(db, evidence).maintain)
    assert (done.months_dropped, done.findings) == (1, 0)
    async with db.transaction(org.id) as session:
        assert month not in await chain.ended_months(session)
        assert await chain.first_seq(session, org.id) == 8
        archived = await chain.get_archive(session, org.id, month)
        assert archived is not None
        assert (archived.from_seq, archived.to_seq, archived.entries) == (1, 7, 7)
    assert await store.exists(archived.object_key)
    verified = await evidence.verify(org.id)
    assert (verified.audit_entries, verified.findings) == (1, [])
    await assert_sound(owner_db)
    # Cutting the beginning is no cut that we signed.
    await tamper(
        owner_db,
        org,
        "alter table audit_archives disable trigger user",
        "update audit_archives set hash = '\\x00' where org_id = :org",
        "alter table audit_archives enable trigger user",
    )
    assert place(await evidence.verify(org.id))[0] == ("audit", Break.MISSING, 1)
    await tamper(
        owner_db,
        org,
        "alter table audit_archives disable trigger user",
        "delete from audit_archives where org_id = :org",
        "alter table audit_archives enable trigger user",
        *CLEAR,
    )


async def test_an_erased_name_is_gone_and_the_chain_still_holds(
    db: Database, owner_db: Database, org: Org, evidence: Evidence
) -> None:
    actor = Actor("user", org.owner_id, ip_address="192.0.2.1", user_agent="test")
    async with db.transaction(org.id) as session:
        await audit.record(session, org.id, actor=actor, action="user.signed_in", resource_type="user", resource_id="x")

    async def name() -> str | None:
        async with db.transaction(org.id) as session:
            [(_, found)], _ = await audit.list_entries(
                session, org.id, limit=5, asked=Filter(actor_id=org.owner_id, action="user.signed_in")
            )
            return found

    assert await name() == f"{org.owner_id}@test.invalid"
    async with owner_db.transaction(None) as session:
        await session.execute(text("update users set name = '', email = id where id = :id"), {"id": org.owner_id})
    assert await name() in (None, org.owner_id)
    assert (await evidence.verify(org.id)).findings == []


async def test_findings_are_kept_and_logged(
    db: Database, owner_db: Database, org: Org, evidence: Evidence, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(db, org)
    await tamper(owner_db, org, EDIT["audit"])
    done = await ActivityEnvironment().run(AuditActivities(db, evidence).verify_all, [org.id])
    assert done == 1
    async with db.transaction(org.id) as session:
        kept = await audit.last_verification(session, org.id)
    assert kept is not None
    assert [(f["kind"], f["seq"]) for f in kept.findings] == [("altered", AT)]
    await tamper(owner_db, org, *CLEAR)


def test_a_finding_reads_as_json() -> None:
    finding = Finding("audit", Break.ALTERED, "org_x", 3, "a", "b")
    assert finding.as_json()["kind"] == "altered"
    assert replace(finding, seq=4).as_json()["seq"] == 4
