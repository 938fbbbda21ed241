"""corpus.search: passages of the organisation's own documents, best first."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from activities.tools.context import ToolContext
from activities.tools.ranking import (
    RELEVANCE_MIN,
    RELEVANCE_SHARE_MIN,
    Duplicates,
    Occurrences,
    Relevance,
    in_document,
    relevance,
    weigh,
    with_similarity,
)
from activities.tools.retrieval import QUERY_TERMS_MAX as QUERY_TERMS_MAX
from activities.tools.retrieval import Retrieved, retrieve
from activities.tools.scoring import document_trust, score
from activities.tools.tool import Answer, Arguments, specify
from schema.contracts.research import ConsideredSource, Outcome, Passage, SourceKind, SourceRef, considered
from schema.contracts.tools import Effect, ToolOutput
from schema.policies import CONSIDERED_PER_SEARCH_MAX, PASSAGES_PER_SEARCH_MAX
from schema.store.passages import FoundDocument, PassageHit
from schema.tables.documents import Document

PASSAGES_PER_DOCUMENT = 3
"""Of one document, unless there are too few documents to fill the answer."""
ANSWERS_MIN = 0.35
"""A passage of at least this relevance speaks for its document."""


class CorpusSearchArguments(Arguments):
    """What to look for."""

    query: str = Field(min_length=1, max_length=500, description="A question, or words that the passages should hold.")
    limit: int = Field(default=8, ge=1, le=PASSAGES_PER_SEARCH_MAX, description="How many passages at most.")


class FoundPassage(Answer):
    """Where one passage stands."""

    document_id: str
    title: str
    heading: str
    start: int
    end: int
    score: float


class CorpusSearchAnswer(Answer):
    """What was found; the texts are in the passages, in the same order."""

    results: tuple[FoundPassage, ...]
    passages_searched: int
    terms: tuple[str, ...]
    """The query as it was searched for."""
    vectors: bool
    """Whether meanings were compared too, not only words."""


@dataclass(frozen=True)
class Ranked:
    """A passage that was found, and how good it is."""

    hit: PassageHit
    document: FoundDocument
    relevance: Relevance
    source: SourceRef

    @property
    def passage(self) -> Passage:
        """Return it as the reasoner sees it."""
        hit = self.hit
        return Passage(source=self.source, start=hit.start, end=hit.end, text=hit.text, heading=hit.heading)


def rank(retrieved: Retrieved, limit: int, now: datetime, question: str = "") -> list[Ranked]:
    """Choose up to `limit` passages that answer a query best, best first. Pure.

    Args:
        question: decides how fast sources age (`scoring.question_kind`).
    """
    return _chosen(_candidates(retrieved, now, question)[0], limit)


class CorpusSearch:
    """Full text and vectors over the organisation's ready documents."""

    arguments = CorpusSearchArguments
    answer = CorpusSearchAnswer
    spec = specify(
        "corpus.search",
        "Search the organisation's own documents. Returns the passages that answer the query best.",
        CorpusSearchArguments,
        CorpusSearchAnswer,
        version="2",
        timeout_s=60,
        effect=Effect.READ,
        idempotent=True,
    )

    async def call(self, arguments: CorpusSearchArguments, context: ToolContext) -> ToolOutput:
        """Search once; the same corpus, query and moment give the same answer."""
        retrieved = await retrieve(context, arguments.query)
        candidates, below = _candidates(retrieved, context.now, context.query or arguments.query)
        chosen = _chosen(candidates, arguments.limit)
        results = tuple(
            FoundPassage(
                document_id=each.document.id,
                title=each.document.title,
                heading=each.hit.heading,
                start=each.hit.start,
                end=each.hit.end,
                score=round(each.source.score.combined, 4),
            )
            for each in chosen
        )
        answer = CorpusSearchAnswer(
            results=results,
            passages_searched=retrieved.found.passages,
            terms=tuple(lexeme for lexeme, _ in retrieved.terms),
            vectors=retrieved.cosines is not None,
        )
        return ToolOutput(
            data=answer.model_dump(mode="json"),
            passages=tuple(each.passage for each in chosen),
            considered=_left_out(chosen, candidates, below),
        )


def source_of(document: Document | FoundDocument, value: Relevance, now: datetime, question: str = "") -> SourceRef:
    """Return a ready document as a source, scored."""
    return SourceRef(
        snapshot_sha256=document.snapshot_sha256 or "",
        kind=SourceKind.CORPUS,
        title=document.title or document.name,
        uri=f"document:{document.id}",
        document_id=document.id,
        published_at=document.published_at,
        score=score(
            SourceKind.CORPUS,
            relevance=value.value,
            relevance_reason=value.reason,
            trust=document_trust(document.trust),
            published_at=document.published_at,
            now=now,
            question=question,
        ),
    )


def _candidates(retrieved: Retrieved, now: datetime, question: str) -> tuple[list[Ranked], list[Ranked]]:
    """Return what is relevant enough, best first, and what is not; ties by document and place."""
    found = retrieved.found
    weighed = weigh(retrieved.terms, found.frequencies, found.passages)
    values = [
        with_similarity(
            relevance(weighed, Occurrences(hit.in_text, hit.in_heading), hit.text), hit.cosine, retrieved.cosines
        )
        for hit in found.hits
    ]
    answering = Counter(
        hit.document_id for hit, value in zip(found.hits, values, strict=True) if value.value >= ANSWERS_MIN
    )
    judged = [
        (hit, in_document(alone, answering[hit.document_id], found.documents[hit.document_id].passages))
        for hit, alone in zip(found.hits, values, strict=True)
    ]
    best = max((value.value for _, value in judged), default=0.0)
    floor = max(RELEVANCE_MIN, RELEVANCE_SHARE_MIN * best)
    # Of a document below the floor the best passage is enough to say so: most hits are there, and a source is dear.
    below: dict[str, tuple[PassageHit, Relevance]] = {}
    for hit, value in judged:
        known = below.get(hit.document_id)
        if value.value < floor and (known is None or (known[1].value, -known[0].number) < (value.value, -hit.number)):
            below[hit.document_id] = hit, value

    def ranked(chosen: Iterable[tuple[PassageHit, Relevance]]) -> list[Ranked]:
        made = [
            Ranked(hit, document, value, source_of(document, value, now, question))
            for hit, value in chosen
            for document in (found.documents[hit.document_id],)
        ]
        return sorted(made, key=_order)

    return ranked(each for each in judged if each[1].value >= floor), ranked(below.values())


def _order(each: Ranked) -> tuple[float, float, str, int]:
    return (
        -round(each.source.score.combined, 9),
        -round(each.relevance.value, 9),
        each.document.id,
        each.hit.number,
    )


def _left_out(chosen: list[Ranked], candidates: list[Ranked], below: list[Ranked]) -> tuple[ConsideredSource, ...]:
    """Return the documents of which nothing was chosen, the best first, and why."""
    taken = {each.document.id for each in chosen}
    left: dict[str, ConsideredSource] = {}
    for each, why in (
        *((each, "It was found, but others answer the query better.") for each in candidates),
        *((each, "It was found, but its relevance is below the floor of the search.") for each in below),
    ):
        if each.document.id not in taken and len(left) < CONSIDERED_PER_SEARCH_MAX:
            left.setdefault(each.document.id, considered(each.source, Outcome.LEFT_OUT, why))
    return tuple(left.values())


def _chosen(candidates: list[Ranked], limit: int) -> list[Ranked]:
    """Take the best without near repetitions, and not too many of one document."""
    sources = len({each.document.id for each in candidates})
    per_document = max(PASSAGES_PER_DOCUMENT, -(-limit // max(sources, 1)))
    taken: Counter[str] = Counter()
    duplicates = Duplicates()
    chosen: list[Ranked] = []
    for each in candidates:
        if len(chosen) == limit:
            break
        if taken[each.document.id] < per_document and duplicates.is_new(each.hit.text):
            taken[each.document.id] += 1
            chosen.append(each)
    return chosen
