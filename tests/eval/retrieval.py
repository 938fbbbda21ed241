"""Retrieval alone: nDCG@10 and recall@20 of the combined score against its parts, on documents nobody here wrote.

`python -m tests.eval.retrieval` starts the embedded PostgreSQL and S3, ingests two corpora with the product's own
activities (the Python language reference, and the descriptions of installed packages), asks each question through the
product's own retrieval, and prints a table. Rankers:

- `full text (PostgreSQL)`  ts_rank_cd over an OR query, as one would write it first
- `full text (ours)`        the words' part of our relevance
- `vectors`                 cosine of MiniLM, exact
- `fusion of ranks`         reciprocal-rank fusion of the two above (k = 60)
- `combined score`          what the product ranks by: 0.5 relevance + 0.3 trust + 0.2 recency (`corpus_search.rank`)

Queries whose relevant passages are known by construction, and not by wording: (1) questions written by hand, which
paraphrase (`retrieval_questions.toml`), and (2) first sentences of passages, taken out of the document before it is
read; relevant is the passage that follows. Half of each is held out by a hash of its text: nothing was tuned on it.
"""

import argparse
import asyncio
import hashlib
import importlib.metadata
import math
import pickle
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from pydoc_data.topics import topics

from sqlalchemy import text

from activities.documents.activities import DocumentActivities
from activities.embedding.embedder import Embedder, EmbeddingConfig, build_embedder
from activities.research.sentences import sentences
from activities.tools import corpus_search
from activities.tools.context import ToolContext
from activities.tools.ranking import Occurrences, relevance, weigh
from activities.tools.retrieval import Retrieved, retrieve
from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.http import SafeHttpClient
from infra.objects import ObjectStore, sha256_of
from schema.contracts.documents import EmbedDocumentInput, IngestDocumentInput
from schema.store import documents
from tests.integration.conftest import make_org, migrate

QUESTIONS = Path(__file__).with_name("retrieval_questions.toml")
PACKAGES = (
    *("python-dotenv", "tqdm", "h11", "tzlocal", "jusText", "pytest-timeout", "psutil", "courlan", "pytz", "regex"),
    *("pathspec", "sortedcontainers", "trafilatura", "htmldate", "filetype", "idna", "distro", "structlog", "attrs"),
    *("minio", "SQLAlchemy", "alembic", "fastapi", "typer", "rich", "redis", "httpx", "markdown-it-py", "httpcore"),
    *("python-dateutil", "uvicorn", "websockets", "sqlmodel", "aiohttp", "urllib3", "charset-normalizer", "asyncpg"),
)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SENTENCES_EVERY = 4
"""Of the passages that could give a query of their first sentence, every so many gives one."""
RRF_K = 60

Key = tuple[str, int]
"""(document, number of the passage)."""


@dataclass(frozen=True)
class Query:
    """A question and the passages that answer it."""

    corpus: str
    kind: str
    text: str
    document: str
    """Name of the document that the relevant passage is in."""
    anchor: str
    """Stands in the relevant passages, in the form of `_flat`."""

    @property
    def is_held_out(self) -> bool:
        """Tell whether nothing may be tuned on it."""
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 1


@dataclass
class Asked:
    """One query, what retrieval found for it, and what is relevant."""

    query: Query
    relevant: frozenset[Key]
    retrieved: Retrieved
    full_text: list[Key]
    """PostgreSQL's own ranking."""
    vectors: list[Key]
    texts: dict[Key, str]
    """Hash of the words of each passage of the corpus."""


def gain_at(ranking: Sequence[Key], asked: "Asked", depth: int) -> float:
    """Return nDCG at a depth, of a query with one answer: 1 / log2(place + 1) (Järvelin and Kekäläinen, 2002).

    Documents quote one another. An answer counts once, wherever it is found first, and passages of the same words take
    one place.
    """
    place = _place(ranking, asked)
    return 1 / math.log2(place + 1) if place is not None and place <= depth else 0.0


def found_by(ranking: Sequence[Key], asked: "Asked", depth: int) -> float:
    """Return recall at a depth, of a query with one answer."""
    place = _place(ranking, asked)
    return float(place is not None and place <= depth)


def _place(ranking: Sequence[Key], asked: "Asked") -> int | None:
    seen: set[str] = set()
    for key in ranking:
        seen.add(asked.texts[key])
        if key in asked.relevant:
            return len(seen)
    return None


def fused(*rankings: Sequence[Key]) -> list[Key]:
    """Fuse by reciprocal ranks (Cormack, Clarke and Buettcher, 2009)."""
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + place)
    return sorted(scores, key=lambda key: (-scores[key], key))


def by_words(asked: Asked) -> list[Key]:
    """Rank by the words' part of our relevance."""
    found = asked.retrieved.found
    weighed = weigh(asked.retrieved.terms, found.frequencies, found.passages)
    scored = []
    for hit in found.hits:
        value = relevance(weighed, Occurrences(hit.in_text, hit.in_heading), hit.text).value
        if value > 0:
            scored.append((-round(value, 9), hit.document_id, hit.number))
    return [(document, number) for _, document, number in sorted(scored)]


def by_score(asked: Asked) -> list[Key]:
    """Rank as the product does."""
    ranked = corpus_search.rank(asked.retrieved, 20, NOW, asked.query.text)
    return [(each.hit.document_id, each.hit.number) for each in ranked]


RANKERS: dict[str, Callable[[Asked], list[Key]]] = {
    "full text (PostgreSQL)": lambda asked: asked.full_text,
    "full text (ours)": by_words,
    "vectors": lambda asked: asked.vectors,
    "fusion of ranks": lambda asked: fused(by_words(asked)[:100], asked.vectors),
    "combined score": by_score,
}


def _flat(value: str) -> str:
    """Return a text so that anchors are found in it: no marks of emphasis, plain quotation marks, single blanks."""
    plain = value.replace("“", '"').replace("”", '"').replace("’", "'")
    return re.sub(r"[\s*`_\[\]]+", " ", plain).lower().strip()


def corpora() -> dict[str, dict[str, str]]:
    """Return the corpora: name -> document -> text."""
    described = {}
    for package in PACKAGES:
        try:
            metadata = importlib.metadata.metadata(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        described[package] = str(metadata.get_payload() or metadata.get("Description") or "")
    return {"reference": dict(topics), "packages": {name: body for name, body in described.items() if body.strip()}}


def written() -> list[Query]:
    """Return the questions that were written by hand."""
    found = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    return [
        Query(corpus, "question", item["question"], item["topic"], _flat(item["anchor"]))
        for corpus, items in found.items()
        for item in items
    ]


def without_first_sentences(
    corpus: str, files: dict[str, str], kept: Iterable[str]
) -> tuple[dict[str, str], list[Query]]:
    """Take the first sentence out of some paragraphs, wherever it stands; it is a query for the rest of its paragraph.

    Args:
        kept: anchors of other queries, which must stay.
    """
    anchors = tuple(kept)
    queries: list[Query] = []
    seen: set[str] = set()
    for name, body in sorted(files.items()):
        for block in body.split("\n\n"):
            spans = sentences(block)
            if len(spans) < 3 or block.startswith("    ") or any(anchor in _flat(block) for anchor in anchors):
                continue
            first, second = spans[0], spans[1]
            query = " ".join(block[first.start : first.end].split())
            anchor = _flat(block[second.start : second.end])
            if not 40 <= len(query) <= 300 or len(anchor) < 40 or query in seen:
                continue
            seen.add(query)
            if len(seen) % SENTENCES_EVERY == 0:
                queries.append(Query(corpus, "sentence", query, name, anchor))
    # Documents quote one another: a sentence that stayed in one of them would be found by its wording.
    gone = [re.compile(r"\s+".join(map(re.escape, query.text.split())) + r"\s*") for query in queries]
    left = dict(files)
    for name in left:
        for pattern in gone:
            left[name] = pattern.sub("", left[name])
    return left, queries


class Bench:
    """Ingests and asks on real servers."""

    def __init__(self, db: Database, owner: Database, objects: ObjectStore, embedder: Embedder) -> None:
        self._db, self._owner, self._objects, self._embedder = db, owner, objects, embedder

    async def ask_all(self) -> list[Asked]:
        """Return every query with what was found for it."""
        asked: list[Asked] = []
        by_hand = written()
        for corpus, files in corpora().items():
            own = [query for query in by_hand if query.corpus == corpus]
            files, queries = without_first_sentences(corpus, files, [query.anchor for query in own])
            org = await make_org(self._owner)
            for name, body in files.items():
                await self._ingest(org.id, name, body)
            passages = await self._passages(org.id)
            texts = {key: hashlib.sha256(body.encode()).hexdigest() for key, body in passages.items()}
            print(f"{corpus}: {len(files)} documents, {len(passages)} passages", file=sys.stderr)
            for query in [*own, *queries]:
                relevant = frozenset(key for key, body in passages.items() if query.anchor[:60] in body)
                if not relevant:
                    print(f"no passage holds {query.anchor[:50]!r} of {query.document}", file=sys.stderr)
                    continue
                asked.append(await self._ask(org.id, query, relevant, texts))
        return asked

    async def _ingest(self, org_id: str, name: str, body: str) -> None:
        data = body.encode()
        ref = await self._objects.put(f"{org_id}/documents/{sha256_of(data)}", data, "text/plain")
        async with self._db.transaction(org_id) as session:
            document, _ = await documents.create_document(
                session, org_id, name=f"{name}.txt", mime_type="text/plain", object=ref
            )
        activities = DocumentActivities(self._db, self._objects, self._embedder)
        given = IngestDocumentInput(
            org_id=org_id, document_id=document.id, object=ref, filename=f"{name}.txt", mime_type="text/plain"
        )
        await activities.ingest(given)
        while (await activities.embed(EmbedDocumentInput(org_id=org_id, document_id=document.id))).missing:
            pass

    async def _passages(self, org_id: str) -> dict[Key, str]:
        query = text("select document_id, number, text from document_passages where org_id = :org_id")
        async with self._db.transaction(org_id) as session:
            return {(row[0], row[1]): _flat(row[2]) for row in await session.execute(query, {"org_id": org_id})}

    async def _ask(self, org_id: str, query: Query, relevant: frozenset[Key], texts: dict[Key, str]) -> Asked:
        context = ToolContext(
            org_id=org_id,
            run_id="run_eval",
            agent_number=1,
            step=1,
            query=query.text,
            now=NOW,
            db=self._db,
            objects=self._objects,
            http=SafeHttpClient(),
            heartbeat=lambda: None,
            embedder=self._embedder,
        )
        retrieved = await retrieve(context, query.text)
        (values,) = await self._embedder.embed([query.text])
        vector = str([round(value, 7) for value in values])
        async with self._db.transaction(org_id) as session:
            full = await session.execute(_FULL_TEXT, {"org_id": org_id, "query": query.text})
            near = await session.execute(_VECTORS, {"org_id": org_id, "vector": vector})
            full_text, vectors = [(row[0], row[1]) for row in full], [(row[0], row[1]) for row in near]
        return Asked(query, relevant, retrieved, full_text, vectors, texts)


_FULL_TEXT = text(
    """
    with asked as (
        select cast(replace(cast(plainto_tsquery('english', :query) as text), '&', '|') as tsquery) as query
    )
    select document_id, number from document_passages, asked
    where org_id = :org_id and terms @@ asked.query
    order by ts_rank_cd(terms, asked.query, 1) desc, document_id, number limit 100
    """
)
_VECTORS = text(
    """
    select document_id, number from document_passages where org_id = :org_id and embedding is not null
    order by embedding <=> cast(cast(:vector as text) as vector), document_id, number limit 100
    """
)


@dataclass(frozen=True)
class Measured:
    """One query under one ranker."""

    query: Query
    ranker: str
    ndcg: float
    recall: float


def measured(asked: Sequence[Asked], rankers: dict[str, Callable[[Asked], list[Key]]] = RANKERS) -> list[Measured]:
    """Rank every query by every ranker."""
    found = []
    for each in asked:
        for name, ranker in rankers.items():
            ranking = ranker(each)
            found.append(Measured(each.query, name, gain_at(ranking, each, 10), found_by(ranking, each, 20)))
    return found


def table(results: Sequence[Measured]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| corpus | queries | half | n | ranker | nDCG@10 | recall@20 |", "|---|---|---|---|---|---|---|"]
    groups = [*sorted({(each.query.corpus, each.query.kind) for each in results}), ("all", "all")]
    for corpus, kind in groups:
        for held_out in (False, True):
            chosen = [
                each
                for each in results
                if each.query.is_held_out is held_out
                and corpus in ("all", each.query.corpus)
                and kind in ("all", each.query.kind)
            ]
            for name in dict.fromkeys(each.ranker for each in chosen):
                count, ndcg, recall = means(chosen, name)
                half = "held out" if held_out else "develop"
                lines.append(f"| {corpus} | {kind} | {half} | {count} | {name} | {ndcg:.3f} | {recall:.3f} |")
    return "\n".join(lines)


def means(results: Sequence[Measured], ranker: str) -> tuple[int, float, float]:
    """Return the number of queries, mean nDCG@10 and mean recall@20 of one ranker."""
    own = [each for each in results if each.ranker == ranker]
    count = max(len(own), 1)
    return len(own), math.fsum(each.ndcg for each in own) / count, math.fsum(each.recall for each in own) / count


async def measure() -> list[Asked]:
    """Start the servers, ingest, ask."""
    embedder = build_embedder(EmbeddingConfig())
    if embedder is None:
        raise SystemExit("The extra `vectors` is not installed.")
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            await migrate(servers)
            db = Database.from_settings(servers.settings, application_name="eval")
            owner = Database(servers.stack.owner_url, pool_size=2, application_name="eval-owner")
            objects = ObjectStore.from_settings(servers.settings)
            try:
                return await Bench(db, owner, objects, embedder).ask_all()
            finally:
                await objects.close()
                await owner.close()
                await db.close()


def main() -> int:
    """Measure and print; 1 where the combined score is not at or above the best single ranker on held-out queries."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="Keep what was retrieved in this file, to try rankers on it.")
    parser.add_argument("--kept", type=Path, help="Rank what an earlier call kept.")
    given = parser.parse_args()
    asked = pickle.loads(given.kept.read_bytes()) if given.kept else asyncio.run(measure())
    if given.keep:
        given.keep.write_bytes(pickle.dumps(asked))
    results = measured(asked)
    print(table(results))
    held_out = [each for each in results if each.query.is_held_out]
    best = {name: means(held_out, name)[1] for name in RANKERS}
    singles = {name: value for name, value in best.items() if name.startswith(("full text", "vectors"))}
    print(f"\nheld out, nDCG@10: combined {best['combined score']:.3f}, best single {max(singles.values()):.3f}")
    return 0 if best["combined score"] >= max(singles.values()) else 1


if __name__ == "__main__":
    # Pickled classes are found again under this module's own name, not under `__main__`.
    from tests.eval import retrieval

    sys.exit(retrieval.main())
