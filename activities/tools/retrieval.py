"""Hybrid retrieval over the organisation's documents: candidates by full text and by vector, for `ranking` to judge."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from activities.documents.languages import CONFIGURATIONS, searchable, spoken
from activities.embedding.embedder import Embedder, supports
from activities.tools.context import ToolContext
from activities.tools.ranking import prior_weight
from schema.errors import DependencyError
from schema.policies import QUERY_VECTOR_WITHIN
from schema.store import passages
from schema.store.passages import QueryTerms, QueryVector, SearchResult

log = structlog.get_logger(__name__)

QUERY_TERMS_MAX = 40
QUERY_VECTORS_CACHED_MAX = 512
"""Vectors of queries that a worker keeps; some two megabytes of the local model's."""


@dataclass(frozen=True)
class Retrieved:
    """The candidates for a query."""

    terms: list[tuple[str, int]]
    """(term, word position in the query)."""
    found: SearchResult
    cosines: tuple[float, float] | None = None
    """What a cosine of the embedder means (`Embedder.cosines`); None: no vectors took part."""


async def retrieve(context: ToolContext, query: str, *, document_id: str | None = None) -> Retrieved:
    """Find candidates; the same corpus and query give the same ones.

    A query in a language that the embedder does not know, and one whose vector cannot be had, is looked up by full text
    alone.
    """
    indexed = searchable(query)
    vector = await query_vector(context, query)
    async with context.db.direct(context.org_id) as connection:
        asked = await passages.query_terms(connection, context.org_id, indexed)
        terms = list(asked.terms[:QUERY_TERMS_MAX])
        if context.embedder and not supports(context.embedder, _language(asked, query)):
            vector = None
        found = await passages.search_passages(
            connection,
            context.org_id,
            {lexeme: prior_weight(lexeme) for lexeme, _ in terms},
            variants=asked.variants,
            vector=vector,
            document_id=document_id,
            reach=context.reach,
        )
    return Retrieved(terms, found, context.embedder.cosines if context.embedder and vector else None)


async def query_vector(context: ToolContext, query: str) -> QueryVector | None:
    """Return the query's vector; None where there is no embedder for it, or it failed."""
    embedder = context.embedder
    if embedder is None or not supports(embedder, spoken(query)):
        return None
    if known := _vectors.get((embedder, query)):
        _vectors.move_to_end((embedder, query))
        return known
    try:
        async with asyncio.timeout(QUERY_VECTOR_WITHIN.total_seconds()):
            (values,) = await embedder.embed([query])
    except (DependencyError, TimeoutError) as error:
        log.warning("no vector for a query; full text alone", error=repr(error))
        return None
    vector = _vectors[embedder, query] = QueryVector(embedder.name, values)
    if len(_vectors) > QUERY_VECTORS_CACHED_MAX:
        _vectors.popitem(last=False)
    return vector


_vectors: OrderedDict[tuple[Embedder, str], QueryVector] = OrderedDict()
"""By embedder and query: agents ask the same of several documents, and again after a pause or a retry."""


def _language(asked: QueryTerms, query: str) -> str | None:
    """Return the query's language; of a short one, that of the documents that read it best."""
    if known := spoken(query):
        return known
    return next((code for code, name in CONFIGURATIONS.items() if name == asked.configuration), None)
