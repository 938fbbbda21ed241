"""corpus.search and document.read over Python's own reference topics: real text that nobody here wrote."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pydoc_data.topics import topics

import pytest
import pytest_asyncio

from activities.documents.activities import DocumentActivities
from activities.embedding.embedder import Embedder
from activities.tools.context import ToolContext
from activities.tools.executor import ToolExecutor
from activities.tools.registry import builtin_tools
from infra.database import Database
from infra.http import SafeHttpClient
from infra.objects import ObjectStore, sha256_of
from schema.contracts.documents import EmbedDocumentInput, IngestDocumentInput
from schema.contracts.tools import ToolOutput
from schema.errors import NotFound
from schema.store import documents, passages, snapshots
from tests.integration.conftest import Org, make_org

TOOLS = ("corpus.search", "document.read", "web.fetch")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Corpus:
    """The organisation that holds the topics."""

    org: Org
    ids: dict[str, str]
    """Topic -> document."""


async def add_document(
    db: Database,
    objects: ObjectStore,
    org_id: str,
    name: str,
    data: bytes,
    mime_type: str = "text/plain",
    embedder: Embedder | None = None,
) -> str:
    """Upload, ingest and embed; return the document's id."""
    ref = await objects.put(f"{org_id}/documents/{sha256_of(data)}", data, mime_type)
    async with db.transaction(org_id) as session:
        document, _ = await documents.create_document(session, org_id, name=name, mime_type=mime_type, object=ref)
    activities = DocumentActivities(db, objects, embedder)
    await activities.ingest(
        IngestDocumentInput(org_id=org_id, document_id=document.id, object=ref, filename=name, mime_type=mime_type)
    )
    while (await activities.embed(EmbedDocumentInput(org_id=org_id, document_id=document.id))).missing:
        pass
    return document.id


@pytest_asyncio.fixture(scope="module")
async def corpus(db: Database, owner_db: Database, objects: ObjectStore) -> Corpus:
    """Every topic as a document."""
    org = await make_org(owner_db)
    two = asyncio.Semaphore(2)

    async def add(topic: str, text: str) -> str:
        async with two:
            return await add_document(db, objects, org.id, f"{topic}.txt", text.encode())

    ids = await asyncio.gather(*(add(topic, text) for topic, text in topics.items()))
    return Corpus(org, dict(zip(topics, ids, strict=True)))


class Agent:
    """Calls tools as an agent of an organisation does."""

    def __init__(
        self, db: Database, objects: ObjectStore, org_id: str, query: str = "", embedder: Embedder | None = None
    ) -> None:
        self.context = ToolContext(
            org_id=org_id,
            run_id="run_test",
            agent_number=1,
            step=1,
            query=query,
            now=NOW,
            db=db,
            objects=objects,
            http=SafeHttpClient(),
            heartbeat=lambda: None,
            embedder=embedder,
        )
        self._executor = ToolExecutor(builtin_tools())

    async def call(self, tool: str, **arguments: object) -> ToolOutput:
        """Call a tool."""
        return await self._executor.execute(tool, arguments, self.context, TOOLS)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("context manager __exit__ exception", {"context-managers", "with"}),
        ("decorator syntax", {"function", "class"}),
        ("operator precedence", {"operator-summary"}),
        ("What does the context manager's __exit__ method do with an exception?", {"context-managers", "with"}),
        ("How does C3 linearize the method resolution order with multiple inheritance?", {"types"}),
        ("format specification mini-language", {"formatstrings"}),
        ("descriptor protocol __get__ __set__", {"attribute-access"}),
        ("try finally return statement swallowed exception", {"try"}),
        ("global statement", {"global"}),
        ("lambda expressions anonymous functions", {"lambda", "function"}),
        ("the expression x and y first evaluates x", {"booleans"}),
        ("list slicing with a negative step", {"slicings", "typesseq", "subscriptions", "sequence-types", "types"}),
        ("debugger commands breakpoint", {"debugger"}),
        ("string methods casefold lower", {"string-methods"}),
        ("yield from generator delegation", {"yield", "types"}),
        ("dict views keys items", {"typesmapping", "dict"}),
        ("async for coroutine", {"async"}),
        ("shifting operations", {"shifting"}),
        ("how are names resolved in nested scopes", {"naming", "execmodel", "dynamic-features"}),
        ("integer literals", {"integers"}),
    ],
)
async def test_obvious_queries(
    db: Database, objects: ObjectStore, corpus: Corpus, query: str, wanted: set[str]
) -> None:
    """The first passage is of the topic that a person would open."""
    output = await Agent(db, objects, corpus.org.id).call("corpus.search", query=query)
    names = {document_id: topic for topic, document_id in corpus.ids.items()}
    found = [names[passage.source.document_id or ""] for passage in output.passages]
    assert found[0] in wanted, (found, [passage.source.score for passage in output.passages[:3]])


async def test_answer_is_scored_diverse_exact_and_repeatable(
    db: Database, objects: ObjectStore, corpus: Corpus
) -> None:
    """Best first by the combined score; spans are exact; no document crowds the others out."""
    agent = Agent(db, objects, corpus.org.id)
    output = await agent.call("corpus.search", query="exception handling in context managers", limit=20)
    assert output == await agent.call("corpus.search", query="exception handling in context managers", limit=20)
    combined = [passage.source.score.combined for passage in output.passages]
    assert combined == sorted(combined, reverse=True)
    counts: dict[str, int] = {}
    for passage in output.passages:
        score = passage.source.score
        assert 0 <= score.relevance <= 1
        assert set(score.reasons) == {"relevance", "trust", "recency"}
        counts[passage.source.snapshot_sha256] = counts.get(passage.source.snapshot_sha256, 0) + 1
    assert max(counts.values()) <= 3
    assert len({passage.text for passage in output.passages}) == len(output.passages)
    await _check_spans(db, objects, corpus.org.id, output)


async def _check_spans(db: Database, objects: ObjectStore, org_id: str, output: ToolOutput) -> None:
    assert output.passages
    hashes = sorted({passage.source.snapshot_sha256 for passage in output.passages})
    async with db.transaction(org_id) as session:
        refs = await snapshots.snapshot_refs(session, org_id, hashes)
    texts = {ref.sha256: (await objects.get(ref)).decode() for ref in refs}
    for passage in output.passages:
        assert texts[passage.source.snapshot_sha256][passage.start : passage.end] == passage.text


async def test_relevance_is_comparable_across_queries(db: Database, objects: ObjectStore, corpus: Corpus) -> None:
    """What the corpus holds scores high, what it does not hold scores low or is not found."""
    agent = Agent(db, objects, corpus.org.id)
    for query in ("operator precedence", "format specification mini-language", "shifting operations"):
        output = await agent.call("corpus.search", query=query)
        assert output.passages[0].source.score.relevance > 0.7
    for query in ("mortgage interest rates in Portugal", "photosynthesis chlorophyll", "penguin habitat antarctica"):
        output = await agent.call("corpus.search", query=query)
        assert all(passage.source.score.relevance < 0.4 for passage in output.passages)
    assert (await agent.call("corpus.search", query="the of and")).passages == ()
    assert (await agent.call("corpus.search", query="zzyzx \\ ' & | ! <-> :* ()")).passages == ()


async def test_read_a_window(db: Database, objects: ObjectStore, corpus: Corpus) -> None:
    """document.read gives passages around an offset, or where a query is answered."""
    agent = Agent(db, objects, corpus.org.id, query="What is the precedence of operators?")
    document_id = corpus.ids["types"]
    start = await agent.call("document.read", document_id=document_id)
    assert start.data["start"] < 200
    assert [passage.start for passage in start.passages] == sorted(passage.start for passage in start.passages)
    later = await agent.call("document.read", document_id=document_id, around=20_000)
    assert later.data["start"] <= 20_000 <= later.data["end"]
    asked = await agent.call("document.read", document_id=document_id, query="generator iterator yield")
    assert "generator" in asked.passages[0].text.lower()
    for output in (start, later, asked):
        await _check_spans(db, objects, corpus.org.id, output)
    beyond = await agent.call("document.read", document_id=document_id, around=2**31 - 1)
    assert beyond.passages


async def test_other_organisations_find_nothing(
    db: Database, owner_db: Database, objects: ObjectStore, corpus: Corpus
) -> None:
    """A tenant sees its own documents only: by search, by read, by the store with and without row-level security."""
    other = await make_org(owner_db)
    stranger = Agent(db, objects, other.id)
    output = await stranger.call("corpus.search", query="operator precedence")
    assert output.passages == ()
    assert output.data["passages_searched"] == 0
    document_id = corpus.ids["operator-summary"]
    with pytest.raises(NotFound):
        await stranger.call("document.read", document_id=document_id)
    for database in (db, owner_db):
        async with database.direct(other.id) as connection:
            assert (await passages.search_passages(connection, other.id, {"oper": 1.0})).hits == ()
        async with database.transaction(other.id) as session:
            assert (await documents.list_documents(session, other.id, limit=10)) == ([], None)
            with pytest.raises(NotFound):
                await documents.get_document(session, other.id, document_id)
        with pytest.raises(NotFound):
            async with database.transaction(other.id) as session:
                await documents.delete_document(session, other.id, document_id)


async def test_trust_and_recency_order_equal_passages(db: Database, objects: ObjectStore, org: Org) -> None:
    """Of passages that say the same, the trusted and the recent one comes first, and the reasons say so."""
    texts = {
        "old.md": "---\ntitle: Old\ndate: 2010-01-01\n---\nThe melting point of gallium was measured at 29 degrees.",
        "new.md": "---\ntitle: New\ndate: 2026-10-01\n---\nGallium melts: its melting point is 29.76 degrees Celsius.",
    }
    ids = {
        name: await add_document(db, objects, org.id, name, text.encode(), "text/markdown")
        for name, text in texts.items()
    }
    agent = Agent(db, objects, org.id)
    output = await agent.call("corpus.search", query="gallium melting point")
    assert [passage.source.title for passage in output.passages] == ["New", "Old"]
    assert "2026-10-01" in output.passages[0].source.score.reasons["recency"]
    async with db.transaction(org.id) as session:
        (await documents.get_document(session, org.id, ids["new.md"])).trust = 0.1
    output = await agent.call("corpus.search", query="gallium melting point")
    assert output.passages[0].source.title == "Old"


async def test_near_duplicates_are_shown_once(db: Database, objects: ObjectStore, org: Org) -> None:
    """The same words uploaded twice in slightly different files are one passage of the answer."""
    text = "Gallium is a soft metal. "
    text += "Its melting point lies a little above room temperature, at 29.76 degrees. " * 2
    for number, suffix in enumerate(("", " Really.", "\n\nEnd of file.")):
        await add_document(db, objects, org.id, f"{number}.txt", (text + suffix).encode())
    output = await Agent(db, objects, org.id).call("corpus.search", query="gallium melting point")
    assert len(output.passages) == 1


async def test_deleted_document_is_not_found(db: Database, objects: ObjectStore, org: Org) -> None:
    """A deleted document leaves the corpus; its snapshot stays for the reports that cite it."""
    document_id = await add_document(db, objects, org.id, "a.txt", b"Gallium melts at 29.76 degrees Celsius.")
    agent = Agent(db, objects, org.id)
    output = await agent.call("corpus.search", query="gallium")
    async with db.transaction(org.id) as session:
        await documents.delete_document(session, org.id, document_id)
    assert (await agent.call("corpus.search", query="gallium")).passages == ()
    with pytest.raises(NotFound):
        await agent.call("document.read", document_id=document_id)
    await _check_spans(db, objects, org.id, output)
