"""What a whole run records of its sources: copies, corroboration, what was left out, whom the organisation trusts."""

from datetime import UTC, datetime

from temporalio.client import Client

from activities.agents.meeting import judged, record_unread, unread
from infra.database import Database
from infra.settings import Settings
from schema.contracts.research import Outcome, Passage, Score, SourceKind, SourceRef
from schema.contracts.tools import ToolOutput
from schema.ids import DOCUMENT, RUN, new_id
from schema.states import RunStatus
from schema.store import domains, research, runs
from schema.store.audit import SYSTEM
from schema.store.research import ListedSource
from tests.integration.conftest import Org
from tests.support.platform import platform

STORY = """The council of Harbourton decided to rebuild the swing bridge over the river Alde, closed since winter.
The new swing bridge of Harbourton will cost 42.5 million crowns. Work begins in spring, said the mayor.
Engineers had warned for years that the piers were scoured by the tide. Fishermen fear for the moorings of their boats.
An earlier plan for a tunnel was dropped because the ground below the river proved too soft for the machines."""
COPY = f"{STORY}\n\nCopyright 2026 The Daily Alde. All rights reserved. 17 comments"
OWN = """Notes of the harbour guild. The cost of the new swing bridge of Harbourton is 42.5 million crowns.
Members shall be told which berths are lost, and how the guild will be heard before the piles are driven."""
OTHER = """The bakery in the old town sells bread and cakes. It was founded by two sisters, and opens at six each day.
A bridge club meets in its upper room on Thursdays, where beginners are welcome at any table."""
TASK = "How much will the new swing bridge of Harbourton cost?"
FILES = {
    "agency.md": f"---\ntitle: Agency\ndate: 2026-01-02\n---\n{STORY}",
    "daily.md": f"---\ntitle: Daily\ndate: 2026-01-05\n---\n{COPY}",
    "guild.md": f"---\ntitle: Guild\ndate: 2026-02-01\n---\n{OWN}",
    "bakery.md": f"---\ntitle: Bakery\ndate: 2026-02-01\n---\n{OTHER}",
}


async def test_a_run_tells_copies_from_witnesses(
    settings: Settings, temporal_client: Client, db: Database, org: Org
) -> None:
    """The agency and its reprint are one source; the guild is another, and so both are trusted more."""
    async with platform(settings, temporal_client, f"{new_id(DOCUMENT)}-", vectors=True) as stage:
        await stage.upload(org.id, FILES)
        run_id = await stage.create(org.id, org.owner_id, TASK, max_agents=1)
        await stage.start(org.id, run_id)
        run = await stage.until(org.id, run_id)
        assert run.status == RunStatus.COMPLETED, run.last_error
        assert await stage.violations() == {}
    async with db.transaction(org.id) as session:
        listed, _ = await research.list_sources(session, org.id, run_id, limit=50)
    found: dict[str, ListedSource] = {each.source.title: each for each in listed}
    assert set(found) >= {"Agency", "Daily", "Guild"}
    assert found["Daily"].original is not None
    assert found["Daily"].original.title == "Agency"
    assert [copy.title for copy in found["Agency"].copies] == ["Daily"]
    assert found["Guild"].original is None
    cited = {title for title, each in found.items() if each.source.number is not None}
    assert cited & {"Agency", "Daily", "Guild"}
    trusted = found["Guild"].source
    async with db.transaction(org.id) as session:
        drawn = await research.claims_of(session, org.id, run_id)
    # In other words: an agent draws the same words from one source only.
    drawn_from = {claim.source.title for claim in drawn if "42.5 million" in claim.quote}
    assert "Guild" in drawn_from
    assert drawn_from & {"Agency", "Daily"}
    assert trusted.trust > 0.8
    assert "1 independent source says the same" in trusted.reasons["trust"]
    assert all(set(each.source.reasons) == {"relevance", "trust", "recency"} for each in listed)
    if (bakery := found.get("Bakery")) is not None and bakery.source.outcome == Outcome.LEFT_OUT:
        assert bakery.source.detail


def page(uri: str, published_at: datetime | None = None) -> Passage:
    """Return a passage of a page."""
    source = SourceRef(
        snapshot_sha256="ab" * 32,
        kind=SourceKind.WEB,
        title="t",
        uri=uri,
        published_at=published_at,
        score=Score(relevance=0.6, trust=0.5, recency=0.5, reasons={"relevance": "R."}),
    )
    return Passage(source=source, start=0, end=4, text="text")


async def test_scores_are_the_organisations(db: Database, org: Org) -> None:
    """Whatever tool found it: the organisation's trust in the domain, and the age that the question minds."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    old = datetime(2025, 6, 1, tzinfo=UTC)
    output = ToolOutput(passages=(page("https://www.news.example.org/a", old), page("document:doc_1")))
    async with db.transaction(org.id) as session:
        await domains.put_domain(
            session, org.id, "example.org", trust=0.9, note="partner", set_by=org.owner_id, actor=SYSTEM
        )
    current = await judged(db, org.id, output, question="What is the latest price?", now=now)
    lasting = await judged(db, org.id, output, question="Who invented it?", now=now)
    score = current.passages[0].source.score
    assert (score.relevance, score.trust) == (0.6, 0.9)
    assert "partner" in score.reasons["trust"]
    assert score.recency < 0.2 < lasting.passages[0].source.score.recency
    assert current.passages[1].source.score.trust == 0.5


async def test_a_page_that_fails_is_a_source_that_failed(db: Database, org: Org) -> None:
    """Once per address, however it is spelled; other tools' failures are none."""
    run_id = new_id(RUN)
    async with db.transaction(org.id) as session:
        await runs.create_run(
            session, org.id, run_id=run_id, user_id=org.owner_id, name="n", description=None, task="t", context={},
            max_agents=1, max_tokens=1_000,
        )  # fmt: skip
    met = [
        await unread(db, org.id, "web.fetch", url, "It answered 404.")
        for url in ("https://example.org/x", "http://www.example.org/x?utm_source=feed")
    ]
    assert await unread(db, org.id, "corpus.search", "https://example.org/y", "x") is None
    assert await unread(db, org.id, "web.fetch", "no address", "x") is None
    assert await unread(db, org.id, "web.fetch", None, "x") is None
    async with db.direct(org.id) as connection:
        for failed in met:
            await record_unread(connection, org.id, run_id, failed)
    async with db.transaction(org.id) as session:
        listed, _ = await research.list_sources(session, org.id, run_id, limit=9)
        assert await research.count_sources(session, org.id, run_id) == 0
    assert [(each.source.outcome, each.source.detail) for each in listed] == [("failed", "It answered 404.")]
