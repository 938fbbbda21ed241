"""academic.search: works of science. Their abstracts are content: kept as snapshots, and cited by their DOI."""

import asyncio
from dataclasses import dataclass

from activities.documents.builder import TextBuilder
from activities.documents.indexing import store_snapshot
from activities.documents.passages import PassageSpan, split_passages
from activities.sources.asking import Searched
from activities.sources.provider import Found
from activities.tools.context import ToolContext
from activities.tools.corpus_search import QUERY_TERMS_MAX
from activities.tools.ranking import frequencies_of, occurrences, query_terms, relevance, weigh
from activities.tools.searching import Search, SearchArguments, score_of, search_spec
from schema.contracts.common import ObjectRef
from schema.contracts.research import Passage, SourceKind, SourceRef
from schema.contracts.tools import SnapshotRef
from schema.policies import PASSAGES_PER_SEARCH_MAX


@dataclass(frozen=True)
class _Abstract:
    """A work whose abstract is kept: title, empty line, abstract."""

    found: Found
    text: str
    spans: list[PassageSpan]
    snapshot: ObjectRef


class AcademicSearch(Search):
    """Finds works, and keeps their abstracts."""

    kind = SourceKind.ACADEMIC
    spec = search_spec(
        "academic.search",
        "Search works of science. Returns the passages of their abstracts, and addresses where a work can be read.",
        timeout_s=100,
    )

    async def _texts(
        self, searched: Searched, arguments: SearchArguments, context: ToolContext
    ) -> tuple[tuple[Passage, ...], tuple[SnapshotRef, ...]]:
        kept = await asyncio.gather(*(_keep(each, context) for each in searched.found if each.abstract))
        snapshots = tuple(
            SnapshotRef(object=each.snapshot, title=each.found.title, uri=each.found.url, kind=SourceKind.ACADEMIC)
            for each in kept
        )
        return _passages(kept, context.query or arguments.query, context), snapshots


async def _keep(found: Found, context: ToolContext) -> _Abstract:
    builder = TextBuilder()
    builder.heading(1, found.title)
    builder.prose(found.abstract)
    text = builder.text()
    spans = split_passages(text, builder.headings, title=found.title)
    return _Abstract(found, text, spans, await store_snapshot(context.objects, context.org_id, text))


def _passages(kept: list[_Abstract], question: str, context: ToolContext) -> tuple[Passage, ...]:
    """Return the passages of all abstracts that answer the question best."""
    terms = query_terms(question)[:QUERY_TERMS_MAX]
    lexemes = [lexeme for lexeme, _ in terms]
    spans = [(work, span) for work in kept for span in work.spans]
    held = [occurrences(lexemes, work.text[span.start : span.end], span.heading) for work, span in spans]
    weighed = weigh(terms, frequencies_of(held), len(held))
    passages = []
    for (work, span), found in zip(spans, held, strict=True):
        quoted = work.text[span.start : span.end]
        value = relevance(weighed, found, quoted)
        source = SourceRef(
            snapshot_sha256=work.snapshot.sha256,
            kind=SourceKind.ACADEMIC,
            title=work.found.title,
            uri=work.found.url,
            published_at=work.found.published_at,
            score=score_of(SourceKind.ACADEMIC, work.found.url, value, work.found, context),
        )
        passages.append(Passage(source=source, start=span.start, end=span.end, text=quoted, heading=span.heading))
    passages.sort(key=lambda each: (-each.source.score.relevance, each.source.uri, each.start))
    return tuple(passages[:PASSAGES_PER_SEARCH_MAX])
