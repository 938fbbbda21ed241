"""A small searchable corpus in memory, for tests of the reasoners: real texts, BM25, the platform's passage size."""

import hashlib
import importlib.metadata
import pydoc_data.topics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from activities.agents.deciding import own
from activities.documents.extract import extract
from activities.documents.passages import embedded_text, split_passages
from activities.embedding.embedder import Vector
from activities.research.citations import RenderedReport, render_report
from activities.research.meanings import Meanings
from activities.research.reasoner import Reasoner
from activities.research.similarity import Bm25
from activities.research.text import STOP_WORDS, stem, terms, words
from activities.tools.corpus_search import rank
from activities.tools.corpus_search import source_of as source_of_document
from activities.tools.document_read import WINDOW_PASSAGES
from activities.tools.ranking import Relevance, query_terms
from activities.tools.retrieval import Retrieved
from schema.contracts.common import Tokens
from schema.contracts.research import (
    AgentView,
    Brief,
    Claim,
    Conflict,
    Finding,
    Finish,
    Passage,
    Score,
    SourceKind,
    SourceRef,
    StepRecord,
    Subtask,
)
from schema.policies import PASSAGE_CHARACTERS
from schema.store.passages import VECTOR_CANDIDATES_MAX, PassageHit, SearchResult
from schema.tables.documents import Document


def sha256_of(text: str) -> str:
    """Return the identity of a snapshot."""
    return hashlib.sha256(text.encode()).hexdigest()


def source_of(
    text: str, title: str, *, published_at: datetime | None = None, trust: float = 0.6, uri: str | None = None
) -> SourceRef:
    """Describe a text as a source of the corpus."""
    name = f"doc_{sha256_of(title + text)[:12]}"
    return SourceRef(
        snapshot_sha256=sha256_of(text),
        kind=SourceKind.CORPUS if uri is None else SourceKind.WEB,
        title=title,
        uri=uri or f"document:{name}",
        document_id=name if uri is None else None,
        published_at=published_at,
        score=Score(relevance=0.7, trust=trust, recency=0.5),
    )


def passages_of(text: str, source: SourceRef, size: int = PASSAGE_CHARACTERS) -> list[Passage]:
    """Cut a text into passages at empty lines where that is possible."""
    found, start = [], 0
    while start < len(text):
        end = min(len(text), start + size)
        if end < len(text):
            cut = text.rfind("\n\n", start + size // 3, end)
            end = cut + 2 if cut > 0 else end
        found.append(Passage(source=source, start=start, end=end, text=text[start:end]))
        start = end
    return found


class MemoryCorpus:
    """Documents by title, searchable."""

    def __init__(self, documents: Iterable[tuple[SourceRef, str]]) -> None:
        self.snapshots: dict[str, str] = {}
        self.passages: list[Passage] = []
        for source, text in documents:
            self.snapshots[source.snapshot_sha256] = text
            self.passages += passages_of(text, source)
        self._index = Bm25([terms(passage.text + " " + passage.source.title) for passage in self.passages])

    def search(self, query: str, limit: int = 8) -> tuple[Passage, ...]:
        """Return the best passages for a query."""
        weights = dict.fromkeys(terms(query), 1.0)
        scored = [(self._index.score(weights, number), -number) for number in range(len(self.passages))]
        best = sorted(scored, reverse=True)[:limit]
        return tuple(self.passages[-number] for score, number in best if score > 0)

    def read(self, document_id: str) -> tuple[Passage, ...]:
        """Return all passages of a document."""
        return tuple(passage for passage in self.passages if passage.source.document_id == document_id)


class Vectors(Protocol):
    """Makes vectors of unit length without an event loop."""

    @property
    def cosines(self) -> tuple[float, float]:
        """As `Embedder.cosines`."""

    def of(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Return a vector per text, in order."""

    def cosines_to(self, vectors: Sequence[Vector], query: str) -> Sequence[float]:
        """Return the cosine of each vector and the query's."""

    @property
    def meanings(self) -> Meanings | None:
        """What compares single statements as the product does."""


class ReadCorpus:
    """Files as the product reads, splits and ranks them; only the SQL of the search is replaced by a loop."""

    def __init__(
        self,
        files: Mapping[str, str | bytes],
        *,
        now: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        vectors: Vectors | None = None,
    ) -> None:
        self.snapshots: dict[str, str] = {}
        self._now = now
        self._vectors = vectors
        self._documents: dict[str, Document] = {}
        self._hits: list[PassageHit] = []
        self._terms: list[tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]] = []
        for number, (name, text) in enumerate(sorted(files.items())):
            self._add(f"doc_{number:04}", name, text)
        # English alone, as the local model is; what is here is English.
        self._embedded = vectors.of([embedded_text(hit.heading, hit.text) for hit in self._hits]) if vectors else ()

    def _add(self, document_id: str, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        read = extract(data, name, "text/plain")
        self.snapshots[sha256_of(read.text)] = read.text
        spans = split_passages(read.text, read.headings, read.pages, title=read.title)
        self._documents[document_id] = Document(
            id=document_id,
            org_id="org",
            name=name,
            title=read.title,
            mime_type=read.mime,
            object_key="",
            content_sha256="",
            size_bytes=len(data),
            status="ready",
            snapshot_sha256=sha256_of(read.text),
            published_at=read.published_at,
            characters=len(read.text),
            passages=len(spans),
        )
        for number, span in enumerate(spans, start=1):
            body = read.text[span.start : span.end]
            above = _positions(span.heading, 1)
            self._terms.append((_positions(body, 1 + len(words(span.heading))), above))
            self._hits.append(PassageHit(document_id, number, span.start, span.end, span.heading, body, {}, {}))

    def search(self, query: str, limit: int = 8) -> tuple[Passage, ...]:
        """Search as corpus.search does."""
        asked = query_terms(query)
        wanted = {lexeme for lexeme, _ in asked}
        cosines = self._vectors.cosines_to(self._embedded, query) if self._vectors else ()
        nearest = set(sorted(range(len(cosines)), key=lambda number: -cosines[number])[:VECTOR_CANDIDATES_MAX])
        hits, frequencies = [], Counter[str]()
        for number, (hit, (text, above)) in enumerate(zip(self._hits, self._terms, strict=True)):
            in_text = {lexeme: text[lexeme] for lexeme in wanted & text.keys()}
            in_heading = {lexeme: above[lexeme] for lexeme in wanted & above.keys()}
            if in_text or in_heading or number in nearest:
                frequencies.update(in_text.keys() | in_heading.keys())
                cosine = cosines[number] if cosines else None
                hits.append(replace(hit, in_text=in_text, in_heading=in_heading, cosine=cosine))
        found = SearchResult(tuple(hits), self._documents, len(self._hits), frequencies)
        retrieved = Retrieved(asked, found, self._vectors.cosines if self._vectors else None)
        return tuple(each.passage for each in rank(retrieved, limit, self._now))

    def read(self, document_id: str, around: int = 0) -> tuple[Passage, ...]:
        """Read as document.read does."""
        own = [hit for hit in self._hits if hit.document_id == document_id]
        centre = max((hit.number for hit in own if hit.start <= around), default=1)
        first = max(1, centre - WINDOW_PASSAGES // 3)
        source = source_of_document(self._documents[document_id], Relevance(0.5, "Read on."), self._now)
        return tuple(
            Passage(source=source, start=hit.start, end=hit.end, text=hit.text, heading=hit.heading)
            for hit in own
            if first <= hit.number < first + WINDOW_PASSAGES
        )


def _positions(text: str, start: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for position, word in enumerate(words(text), start=start):
        if word not in STOP_WORDS:
            found[stem(word)] = (*found.get(stem(word), ()), position)
    return found


def python_reference() -> list[tuple[SourceRef, str]]:
    """Return the Python language reference that comes with the interpreter."""
    documents = []
    for topic, text in sorted(pydoc_data.topics.topics.items()):
        title = text.strip().splitlines()[0].strip('"*= ') if text.strip() else topic
        documents.append((source_of(text, f"{title} ({topic})"), text))
    return documents


def package_descriptions(*packages: str) -> list[tuple[SourceRef, str]]:
    """Return the long descriptions of installed packages."""
    documents = []
    for package in packages:
        metadata = importlib.metadata.metadata(package)
        text = str(metadata.get_payload() or metadata.get("Description") or "")
        if text.strip():
            documents.append((source_of(text, package), text))
    return documents


@dataclass
class Outcome:
    """All that a run of a reasoner came to."""

    subtasks: tuple[Subtask, ...]
    claims: dict[str, Claim]
    findings: tuple[Finding, ...]
    conflicts: tuple[Conflict, ...]
    rendered: RenderedReport
    tokens: Tokens
    actions: list[str]


async def research(
    reasoner: Reasoner,
    corpus: MemoryCorpus | ReadCorpus,
    brief: Brief,
    *,
    steps: int = 6,
    missing: tuple[str, ...] = (),
) -> Outcome:
    """Do in memory what the workflows do: plan, let every agent think and act, merge, resolve, write, check."""
    planned = await reasoner.decompose(brief)
    tokens, claims, actions = planned.tokens, dict[str, Claim](), list[str]()
    for subtask in planned.value:
        view = AgentView(brief=brief, subtask=subtask, tools=("corpus.search", "document.read"))
        for step in range(steps):
            view = view.model_copy(update={"steps_left": steps - step})
            decided = await reasoner.next_action(view)
            tokens += decided.tokens
            action = decided.value
            actions.append(
                f"{subtask.number}: {action.reason}" if isinstance(action, Finish) else str(action.arguments)
            )
            if isinstance(action, Finish):
                break
            passages = _call(corpus, action.tool, action.arguments)
            record = StepRecord(step=step, tool=action.tool, arguments=action.arguments, ok=True, passages=passages)
            drawn = await reasoner.extract_claims(view, passages)
            tokens += drawn.tokens
            found = own(drawn.value, subtask.number)
            view = view.model_copy(update={"steps": (*view.steps, record), "claims": (*view.claims, *found)})
        claims.update((claim.id, claim) for claim in view.claims)
    merged = await reasoner.merge(brief, tuple(claims.values()))
    resolved = await reasoner.resolve_conflicts(brief, merged.value, claims)
    report = await reasoner.write_report(brief, planned.value, merged.value, resolved.value, claims, missing)
    rendered = render_report(
        report.value,
        claims,
        corpus.snapshots.__getitem__,
        brief=brief,
        conflicts=len(resolved.value),
        sources_read=len(corpus.snapshots),
    )
    tokens += merged.tokens + resolved.tokens + report.tokens
    return Outcome(planned.value, claims, merged.value, resolved.value, rendered, tokens, actions)


def _call(corpus: MemoryCorpus | ReadCorpus, tool: str, arguments: Mapping[str, object]) -> tuple[Passage, ...]:
    if tool == "corpus.search":
        return corpus.search(str(arguments["query"]), int(str(arguments.get("limit", 8))))
    if isinstance(corpus, ReadCorpus):
        return corpus.read(str(arguments["document_id"]), int(str(arguments.get("around", 0))))
    return corpus.read(str(arguments["document_id"]))
