"""Sources of a run and domains over HTTP: each score, why it was used or not, and the text around each span."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from infra.database import Database, driver_of
from infra.objects import ObjectStore
from schema.contracts.research import Claim, ConsideredSource, Outcome, Score, SourceKind, SourceRef
from schema.policies import SOURCE_CONTEXT_CHARACTERS
from schema.store import api_keys, research, runs, snapshots
from schema.tables import research as tables
from tests.integration.api.conftest import Caller, Running, make_key

pytestmark = pytest.mark.usefixtures("worker")

TEXT = "x" * 400 + " The tide in the channel rises fourteen metres at springs. " + "y" * 400
QUOTE = "The tide in the channel rises fourteen metres at springs."
REASONS = {"relevance": "R.", "trust": "T.", "recency": "D."}


def _claim_row(org_id: str, run_id: str, claim: Claim) -> tables.Claim:
    return tables.Claim(
        run_id=run_id,
        id=claim.id,
        org_id=org_id,
        agent_number=claim.agent_number,
        step=1,
        snapshot_sha256=claim.source.snapshot_sha256,
        start_offset=claim.start,
        end_offset=claim.end,
        text=claim.text,
        quote=claim.quote,
        relevance=claim.relevance,
    )


def source(text: str, uri: str, relevance: float, **fields: Any) -> SourceRef:
    """Return a page that was read."""
    return SourceRef(
        snapshot_sha256=hashlib.sha256(text.encode()).hexdigest(),
        kind=SourceKind.WEB,
        title=uri,
        uri=uri,
        published_at=datetime(2026, 1, 2, tzinfo=UTC),
        score=Score(relevance=relevance, trust=0.5, recency=0.5, reasons=REASONS),
        **fields,
    )


def met(uri: str, outcome: Outcome, detail: str, relevance: float = 0.1) -> ConsideredSource:
    """Return a page that was not read."""
    return ConsideredSource(
        kind=SourceKind.WEB,
        title=uri,
        uri=uri,
        outcome=outcome,
        detail=detail,
        score=Score(relevance=relevance, trust=0.5, recency=0.5, reasons=REASONS),
    )


CITED = source(TEXT, "https://a.example/tides", 0.9)
COPY = source(TEXT + " All rights reserved.", "https://b.example/tides", 0.8)
MIRROR = source(TEXT, "https://mirror.example/tides", 0.2)
UNUSED = source("z" * 50, "https://c.example/", 0.7)
DROPPED = met("https://d.example/", Outcome.LEFT_OUT, "Its relevance is below the floor of the search.", 0.3)
FAILED = met("https://e.example/", Outcome.FAILED, "e.example answered 404.")
READ_LATER = met("https://c.example/?utm_source=x", Outcome.LEFT_OUT, "Others answer better.")


@pytest_asyncio.fixture
async def run_id(caller: Caller, db: Database, objects: ObjectStore) -> str:
    """A run with sources of every kind, and its report written."""
    run = (await caller.create())["id"]
    org_id = caller.org.id
    canonical = {READ_LATER.uri: "//c.example", UNUSED.uri: "//c.example"}
    async with db.transaction(org_id) as session:
        for text in (TEXT, TEXT + " All rights reserved.", "z" * 50):
            key = f"{org_id}/snapshots/{hashlib.sha256(text.encode()).hexdigest()}"
            ref = await objects.put(key, text.encode(), "text/plain")
            await snapshots.put_snapshot(session, org_id, ref, fingerprint=b"x", language="en")
        await research.put_sources(await driver_of(session), org_id, run, [CITED, COPY, UNUSED], canonical)
        await research.put_sources(await driver_of(session), org_id, run, [MIRROR])
        await research.put_considered(await driver_of(session), org_id, run, [DROPPED, FAILED, READ_LATER], canonical)
        claims = [
            Claim(
                id=f"clm_{number}",
                agent_number=1,
                text=QUOTE,
                source=CITED,
                start=TEXT.index(QUOTE),
                end=TEXT.index(QUOTE) + len(QUOTE),
                quote=QUOTE,
            )
            for number in range(3)
        ]
        session.add_all(_claim_row(org_id, run, claim) for claim in claims)
        await session.flush()
        await research.judge_sources(
            session,
            org_id,
            run,
            copies={COPY.snapshot_sha256: CITED.snapshot_sha256},
            trusted={CITED.snapshot_sha256: (0.625, "T. 1 independent source says the same.")},
        )
        await research.number_sources(session, org_id, run, {CITED.snapshot_sha256: 1})
        (await runs.lock_run(session, org_id, run)).quality = {"claims": 3}
    return str(run)


async def test_nobody_else_sees_them(
    run_id: str, caller: Caller, other: Caller, anonymous: Caller, api: Running, db: Database, owner_db: Database
) -> None:
    first = (await caller.get(f"/api/v1/runs/{run_id}/sources")).json()["sources"][0]["id"]
    for path in (f"/api/v1/runs/{run_id}/sources", f"/api/v1/runs/{run_id}/sources/{first}"):
        assert (await anonymous.get(path)).status_code == 401
        assert (await other.get(path)).status_code == 404
        key = await make_key(owner_db, caller.org, ("documents:read",))
        async with Caller(api.url, caller.org, key) as narrow:
            assert (await narrow.get(path)).status_code == 403
    theirs = (await other.create())["id"]
    assert (await other.get(f"/api/v1/runs/{theirs}/sources/{first}")).status_code == 404
    assert (await caller.get(f"/api/v1/runs/{run_id}/sources/src_1")).status_code == 404


async def test_every_source_says_why_it_was_used_or_not(run_id: str, caller: Caller) -> None:
    answer = await caller.get(f"/api/v1/runs/{run_id}/sources")
    assert answer.status_code == 200, answer.text
    listed = {each["uri"]: each for each in answer.json()["sources"]}
    assert list(listed) == [CITED.uri, COPY.uri, UNUSED.uri, DROPPED.uri, FAILED.uri]
    cited = listed[CITED.uri]
    assert (cited["number"], cited["used"], cited["why"], cited["claims"]) == (1, True, "Cited as [1].", 3)
    assert (cited["language"], cited["outcome"], cited["snapshot_sha256"]) == ("en", "read", CITED.snapshot_sha256)
    assert cited["published_at"] == "2026-01-02T00:00:00Z"
    score = cited["score"]
    assert score["combined"] == pytest.approx(0.5 * 0.9 + 0.3 * 0.625 + 0.2 * 0.5)
    assert score["reasons"] == {**REASONS, "trust": "T. 1 independent source says the same."}
    assert [(copy["uri"], copy["source_id"]) for copy in cited["copies"]] == [
        (MIRROR.uri, None),
        (COPY.uri, listed[COPY.uri]["id"]),
    ]
    assert listed[COPY.uri]["copy_of"] == cited["id"]
    assert listed[COPY.uri]["why"] == f"It is a copy of [1] ({CITED.uri}), which counts in its place."
    assert listed[UNUSED.uri]["why"] == "Read, but nothing in it answers the question."
    assert listed[DROPPED.uri]["why"] == DROPPED.detail
    assert listed[FAILED.uri]["why"] == "It could not be loaded: e.example answered 404."
    assert listed[FAILED.uri]["snapshot_sha256"] is None
    assert not any(each["used"] for uri, each in listed.items() if uri != CITED.uri)


async def test_pages_of_sources(run_id: str, caller: Caller) -> None:
    """Every source once, in the same order, whatever the size of the page; a strange cursor is refused."""
    path = f"/api/v1/runs/{run_id}/sources"
    whole = [each["id"] for each in (await caller.get(path)).json()["sources"]]
    for limit in (1, 2, 4):
        found, cursor = [], None
        while True:
            page = (await caller.get(path, params={"limit": limit} | ({"cursor": cursor} if cursor else {}))).json()
            assert len(page["sources"]) <= limit
            found += [each["id"] for each in page["sources"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert found == whole
    assert (await caller.get(path, params={"cursor": "YzE6MXx4"})).status_code == 400


async def test_a_source_opens_to_its_evidence(run_id: str, caller: Caller) -> None:
    """The text before, in and after each span is the snapshot's."""
    listed = (await caller.get(f"/api/v1/runs/{run_id}/sources")).json()["sources"]
    shown = (await caller.get(listed[0]["_links"]["self"], params={"limit": 2})).json()
    assert {key: shown[key] for key in listed[0]} == listed[0]
    assert [claim["id"] for claim in shown["evidence"]] == ["clm_0", "clm_1"]
    start = TEXT.index(QUOTE)
    for claim in shown["evidence"]:
        assert claim["quote"] == QUOTE
        assert claim["before"] == TEXT[start - SOURCE_CONTEXT_CHARACTERS : start]
        assert claim["after"] == TEXT[start + len(QUOTE) :][:SOURCE_CONTEXT_CHARACTERS]
    rest = await caller.get(listed[0]["_links"]["self"], params={"cursor": shown["next_cursor"]})
    assert [claim["id"] for claim in rest.json()["evidence"]] == ["clm_2"]
    failed = (await caller.get(listed[-1]["_links"]["self"])).json()
    assert (failed["evidence"], failed["next_cursor"]) == ([], None)


async def test_before_the_report_nothing_is_decided(caller: Caller, db: Database, objects: ObjectStore) -> None:
    run = (await caller.create())["id"]
    async with db.transaction(caller.org.id) as session:
        ref = await objects.put(f"{caller.org.id}/snapshots/{UNUSED.snapshot_sha256}", b"z" * 50, "text/plain")
        await snapshots.put_snapshot(session, caller.org.id, ref)
        await research.put_sources(await driver_of(session), caller.org.id, run, [UNUSED])
    [shown] = (await caller.get(f"/api/v1/runs/{run}/sources")).json()["sources"]
    assert shown["why"] == "Read; 0 statements were drawn from it so far. The report is not written yet."


async def test_met_sources_do_not_depend_on_who_comes_first(caller: Caller, db: Database) -> None:
    """A failure before what was left out, the more relevant before the less."""
    items = [
        met("https://x.example/", Outcome.LEFT_OUT, "a", 0.2),
        met("https://x.example/", Outcome.LEFT_OUT, "b", 0.6),
        met("https://x.example/", Outcome.FAILED, "c", 0.0),
    ]
    for order in (items, items[::-1]):
        run = (await caller.create())["id"]
        async with db.transaction(caller.org.id) as session:
            for item in order:
                await research.put_considered(await driver_of(session), caller.org.id, run, [item])
        [shown] = (await caller.get(f"/api/v1/runs/{run}/sources")).json()["sources"]
        assert shown["why"] == "It could not be loaded: c"


async def test_domains(caller: Caller, other: Caller, anonymous: Caller) -> None:
    """Set, changed, listed, forgotten; one organisation's only; every change is in the audit log once."""
    path = "/api/v1/domains/example.org"
    for method in ("get", "delete"):
        assert (await getattr(anonymous, method)(path)).status_code == 401
        assert (await getattr(caller, method)(path)).status_code == 404
    assert (await anonymous.put(path, json={"trust": 0.9})).status_code == 401
    assert (await anonymous.get("/api/v1/domains")).status_code == 401
    made = await caller.put("/api/v1/domains/WWW.Example.ORG.", json={"trust": 0.9, "note": "our partner"})
    assert made.status_code == 201, made.text
    assert (made.json()["domain"], made.json()["trust"], made.json()["note"]) == ("example.org", 0.9, "our partner")
    assert (await caller.get(path)).json() == made.json()
    assert (await other.get(path)).status_code == 404
    assert (await other.delete(path)).status_code == 404
    again = await caller.put(path, json={"trust": 0.9, "note": "our partner"})
    assert (again.status_code, again.json()) == (200, made.json())
    changed = await caller.put(path, json={"trust": 0, "note": ""})
    assert (changed.status_code, changed.json()["trust"]) == (200, 0)
    assert (await caller.put("/api/v1/domains/bücher.example", json={"trust": 1})).json()["domain"] == (
        "xn--bcher-kva.example"
    )
    first = (await caller.get("/api/v1/domains", params={"limit": 1})).json()
    assert [each["domain"] for each in first["domains"]] == ["example.org"]
    rest = (await caller.get("/api/v1/domains", params={"cursor": first["next_cursor"]})).json()
    assert [each["domain"] for each in rest["domains"]] == ["xn--bcher-kva.example"]
    assert (await other.get("/api/v1/domains")).json() == {"domains": [], "next_cursor": None}
    assert (await caller.delete(path)).status_code == 204
    assert (await caller.get(path)).status_code == 404


@pytest.mark.parametrize("body", [{"trust": 1.1}, {"trust": -0.1}, {"trust": "high"}, {}, {"trust": 0.5, "x": 1}])
async def test_a_trust_is_a_number_from_0_to_1(caller: Caller, body: dict[str, Any]) -> None:
    assert (await caller.put("/api/v1/domains/example.org", json=body)).status_code == 422


@pytest.mark.parametrize("name", ["10.0.0.1", "a b", "-x-.example", "x" * 64 + ".example", "[::1]", "example.org:80"])
async def test_what_is_no_domain_is_refused(caller: Caller, name: str) -> None:
    answer = await caller.put(f"/api/v1/domains/{name}", json={"trust": 0.5})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_reading_and_setting_need_their_scopes(caller: Caller, api: Running, owner_db: Database) -> None:
    key = await make_key(owner_db, caller.org, (api_keys.Scope.DOCUMENTS_READ.value,))
    async with Caller(api.url, caller.org, key) as narrow:
        assert (await narrow.get("/api/v1/domains")).status_code == 200
        assert (await narrow.put("/api/v1/domains/example.org", json={"trust": 0.5})).status_code == 403
        assert (await narrow.delete("/api/v1/domains/example.org")).status_code == 403


async def test_a_document_is_read_anew(caller: Caller, other: Caller, anonymous: Caller) -> None:
    """202 and the document; the same key again starts nothing and answers the same."""
    files = [("file", ("a.txt", b"The tide rises.", "text/plain"))]
    [made] = (await caller.post("/api/v1/documents", files=files)).json()["documents"]
    path = f"/api/v1/documents/{made['id']}/reindex"
    assert (await anonymous.post(path)).status_code == 401
    assert (await other.post(path)).status_code == 404
    assert (await caller.post(path, idem=None)).status_code == 400
    first = await caller.post(path, idem="again")
    assert (first.status_code, first.json()["id"]) == (202, made["id"])
    second = await caller.post(path, idem="again")
    assert (second.status_code, second.content) == (202, first.content)
    assert second.headers["idempotent-replayed"] == "true"
