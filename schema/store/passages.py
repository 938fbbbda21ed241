"""Passages of documents: their vectors, the search among them by terms and by vectors, and reading on from one."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col, select

from schema.errors import NotFound
from schema.policies import EXACT_SEARCH_PASSAGES_MAX
from schema.store.direct import Connection, Statement, received
from schema.store.documents import get_document
from schema.tables.documents import Document, DocumentPassage

SEARCH_CANDIDATES_MAX = 300
"""Passages that a search returns at most; they are ranked by the caller."""
VECTOR_CANDIDATES_MAX = 100
"""Passages that a search finds by their vectors at most."""
_VECTORS_BATCH = 200
_REACHED = "((cast(:corpus as boolean) and file_id is null) or file_id = any (cast(:files as text[])))"
"""Of a document or a passage: whether the search may find it (`Reach`)."""


@dataclass(frozen=True)
class Unembedded:
    """A passage that waits for its vector."""

    number: int
    heading: str
    text: str


@dataclass(frozen=True)
class QueryTerms:
    """The terms of a query, as the passages of an organisation are indexed."""

    terms: tuple[tuple[str, int], ...] = ()
    """(term, its first word position in the query), in order; stop words are none."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Stems of the same words in the other languages of the corpus -> the term they stand for."""
    configuration: str = "english"
    """The text search configuration of the language that the query seems to be in."""


@dataclass(frozen=True)
class PassageHit:
    """A passage that holds a term of the query, or whose vector is near, with what ranking needs to know of it."""

    document_id: str
    number: int
    start: int
    end: int
    heading: str
    text: str
    in_text: Mapping[str, tuple[int, ...]]
    """Query term -> its word positions in the text."""
    in_heading: Mapping[str, tuple[int, ...]]
    cosine: float | None = None
    """Of its vector and the query's; None: one of them is missing."""


@dataclass(frozen=True)
class QueryVector:
    """A query as a vector."""

    model: str
    values: Sequence[float]

    @cached_property
    def text(self) -> str:
        """Return it as pgvector reads it."""
        return json.dumps([round(value, 7) for value in self.values])


@dataclass(frozen=True)
class Reach:
    """What a search may find: the corpus, and documents of files."""

    corpus: bool = True
    files: tuple[str, ...] = ()
    """Files that the run has been given."""


CORPUS = Reach()


@dataclass(frozen=True)
class FoundDocument:
    """What a search tells of a document; `Document` has the same and more."""

    id: str
    title: str
    name: str
    snapshot_sha256: str | None
    published_at: datetime | None
    trust: float | None
    passages: int


@dataclass(frozen=True)
class SearchResult:
    """The candidates for a query, and how rare its terms are in what was searched."""

    hits: tuple[PassageHit, ...]
    documents: Mapping[str, FoundDocument]
    """By id, of all hits."""
    passages: int
    """How many were searched."""
    frequencies: Mapping[str, int]
    """Query term -> in how many passages it occurs."""


async def unembedded_passages(
    session: AsyncSession, org_id: str, document_id: str, *, model: str, limit: int
) -> list[Unembedded]:
    """Return the first passages of a document that have no vector of `model`.

    Raises:
        NotFound: the organisation has no such document.
    """
    await get_document(session, org_id, document_id)
    query = (
        select(DocumentPassage.number, DocumentPassage.heading, DocumentPassage.text)
        .where(
            DocumentPassage.org_id == org_id,
            DocumentPassage.document_id == document_id,
            col(DocumentPassage.embedding_model).is_distinct_from(model),
        )
        .order_by(col(DocumentPassage.number))
        .limit(limit)
    )
    return [Unembedded(*row) for row in await session.execute(query)]


async def put_vectors(
    session: AsyncSession, org_id: str, document_id: str, *, model: str, vectors: Mapping[str, Sequence[float]]
) -> int:
    """Store vectors of a document's passages and return how many passages still have none of `model`.

    A passage that changed meanwhile keeps what it has: its text is part of the key.

    Args:
        vectors: number and text of a passage (`vector_key`) -> its vector, of unit length.

    Raises:
        NotFound: the organisation has no such document; it was deleted meanwhile.
    """
    document = await get_document(session, org_id, document_id, lock=True)
    scope = {"org_id": org_id, "document_id": document_id, "model": model}
    keys = list(vectors)
    for first in range(0, len(keys), _VECTORS_BATCH):
        batch = keys[first : first + _VECTORS_BATCH]
        values = [json.dumps([round(value, 7) for value in vectors[key]]) for key in batch]
        await session.execute(_PUT_VECTORS, {**scope, "keys": batch, "vectors": values})
    missing = int((await session.execute(_COUNT_UNEMBEDDED, scope)).scalar_one())
    if not missing:
        document.embedding_model = model
        await session.flush()
    return missing


def vector_key(number: int, text: str) -> str:
    """Name a passage for `put_vectors`: the SQL below names it likewise."""
    return f"{number}:{text}"


async def query_terms(connection: Connection, org_id: str, query: str) -> QueryTerms:
    """Return the terms of a query in the languages that the organisation's documents are indexed in.

    The query is taken to be in the language whose stop words it has most of (English where none has more), so that a
    stop word of one language does not become a term because another language does not know it.

    Args:
        query: as it is indexed (`activities/documents/languages.py`).
    """
    by_configuration: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for configuration, lexeme, position in await _QUERY_TERMS.rows(connection, {"org_id": org_id, "query": query}):
        by_configuration[configuration].append((lexeme, position))
    if not by_configuration:
        return QueryTerms()
    # `simple` has no stop words: it never says what language a query is in unless it is the only one.
    language = min(
        by_configuration,
        key=lambda name: (name == "simple", len(by_configuration[name]), name != "english", name),
    )
    terms = by_configuration.pop(language)
    at = {position: lexeme for lexeme, position in terms}
    known = {lexeme for lexeme, _ in terms}
    variants = {
        lexeme: at[position]
        for others in by_configuration.values()
        for lexeme, position in others
        if position in at and lexeme not in known
    }
    return QueryTerms(tuple(terms), variants, language)


async def search_passages(
    connection: Connection,
    org_id: str,
    weights: Mapping[str, float],
    *,
    variants: Mapping[str, str] | None = None,
    vector: QueryVector | None = None,
    document_id: str | None = None,
    reach: Reach = CORPUS,
    limit: int = SEARCH_CANDIDATES_MAX,
    nearest: int = VECTOR_CANDIDATES_MAX,
) -> SearchResult:
    """Return the passages that hold any of the terms, those with the most and rarest first, and the nearest by vector.

    Args:
        weights: query term (see `query_terms`) -> how much it says about the query.
        variants: other stems of a term -> the term.
        vector: the query's vector; None: by full text alone.
        document_id: search this document only.
        reach: documents of which files are searched, and whether the corpus is.
        limit: passages by full text at most.
        nearest: passages by vector at most.
    """
    scope = {"org_id": org_id, "document_id": document_id, "corpus": reach.corpus, "files": reach.files}
    passages = int((await _COUNT.row(connection, scope))["passages"])
    if not passages or not (weights or vector):
        return SearchResult((), {}, passages, {})
    exact = passages <= EXACT_SEARCH_PASSAGES_MAX
    near = await _nearest(connection, scope, vector, nearest, exact=exact) if vector else set()
    stands_for = {term: term for term in weights} | {
        variant: term for variant, term in (variants or {}).items() if term in weights
    }
    parameters = {
        **scope,
        "lexemes": tuple(stands_for),
        "terms": tuple(stands_for.values()),
        "weights": tuple(weights[term] for term in stands_for.values()),
        "any_term": " | ".join(_quoted(lexeme) for lexeme in stands_for),
        "each_lexeme": tuple(_quoted(lexeme) for lexeme in stands_for),
        "limit": limit,
        "passages": passages,
        "near_documents": tuple(document for document, _ in near),
        "near_numbers": tuple(number for _, number in near),
        "model": vector.model if vector else None,
        "vector": vector.text if vector else None,
    }
    rows = await _SEARCH.rows(connection, parameters)
    hits = tuple(_hit(row, stands_for) for row in rows)
    found = await _found_documents(connection, org_id, {hit.document_id for hit in hits})
    return SearchResult(hits, found, passages, received(rows[0]["frequencies"]) or {} if rows else {})


async def _nearest(
    connection: Connection, scope: Mapping[str, Any], vector: QueryVector, limit: int, *, exact: bool
) -> set[tuple[str, int]]:
    """Return the nearest passages, as (document, number).

    Args:
        exact: compare with all, which takes milliseconds for some thousands, and finds the same whatever the planner
            and the index make of it.
    """
    given = {**scope, "vector": vector.text, "model": vector.model, "limit": limit}
    if exact:
        given["dimensions"] = len(vector.values)
        rows = await _NEAREST_OF_ALL.rows(connection, given)
    else:
        await _SCAN_ON.row(connection, {})
        rows = await _nearest_by_index(len(vector.values)).rows(connection, given)
    return {(row["document_id"], row["number"]) for row in rows}


@cache
def _nearest_by_index(dimensions: int) -> Statement:
    """Write the query for vectors of a length: only a literal can be matched with the index."""
    typed = f"vector({dimensions})"
    return Statement(
        f"""
        select document_id, number
        from document_passages
        where org_id = :org_id and vector_dims(embedding) = {dimensions} and embedding_model = :model
            and (cast(:document_id as text) is null or document_id = :document_id)
            and {_REACHED}
        order by cast(embedding as {typed}) <=> (select cast(cast(:vector as text) as {typed}))
        limit :limit
        """  # noqa: S608 - an int and a constant.
    )


async def read_window(
    session: AsyncSession, org_id: str, document_id: str, *, around: int, passages_max: int
) -> tuple[Document, list[DocumentPassage]]:
    """Return a ready document, and its passages around the offset `around`, in the order of the text.

    Raises:
        NotFound: the organisation has no such document, or it cannot be read (yet).
    """
    document = await get_document(session, org_id, document_id)
    if document.status != "ready":
        raise NotFound(f"Document {document_id} is not ready: {document.status}.", status=document.status)
    inside = (DocumentPassage.org_id == org_id, DocumentPassage.document_id == document_id)
    nearest = (
        select(DocumentPassage.number)
        .where(*inside, DocumentPassage.start_offset <= max(around, 0))
        .order_by(col(DocumentPassage.number).desc())
        .limit(1)
    )
    centre = (await session.execute(nearest)).scalar_one_or_none() or 1
    first = max(1, centre - passages_max // 3)
    query = (
        select(DocumentPassage)
        .where(*inside, DocumentPassage.number >= first)
        .order_by(col(DocumentPassage.number))
        .limit(passages_max)
        # Nobody reads these here, and a vector is more to unpack than the passage's text.
        .options(defer(DocumentPassage.terms), defer(DocumentPassage.embedding))
    )
    return document, list((await session.execute(query)).scalars())


_PUT_VECTORS = text(
    """
    update document_passages passage set embedding = cast(given.vector as vector), embedding_model = :model
    from unnest(cast(:keys as text[]), cast(:vectors as text[])) as given (key, vector)
    where passage.org_id = :org_id and passage.document_id = :document_id
        and passage.number || ':' || passage.text = given.key
    """
)
_COUNT_UNEMBEDDED = text(
    """
    select count(*) from document_passages
    where org_id = :org_id and document_id = :document_id and embedding_model is distinct from :model
    """
)
# Every language of the corpus reads the query with its own stems; all use the same parser, so positions agree.
_QUERY_TERMS = Statement(
    """
    with configurations as (
        select distinct search_config as name from documents
        where org_id = :org_id and status = 'ready' and deleted_at is null
    )
    select configurations.name, word.lexeme, word.positions[1]
    from configurations, unnest(to_tsvector(cast(configurations.name as regconfig), cast(:query as text))) as word
    order by configurations.name, word.positions[1], word.lexeme
    """
)
# The query and its vector are read once, each in a select of its own: a plan that is kept for any parameters would read
# their text again for every passage, which takes longer than all the rest.
# One pass over the organisation's matching passages: which terms each holds, how frequent each term is, and the sum of
# the rarities (BM25's idf) as a first order; then the nearest by vector, where they are not among those. Only ready
# documents have passages (`mark_ready`, `mark_failed` and `delete_document` see to it), so their rows need not be
# joined: a join made the planner rescan the corpus for each. The function (migration 0011) keeps to the transaction's
# organisation: below the table's policy the index of the terms would not be used.
_SEARCH = Statement(
    """
    with asked as materialized (
        select cast(cast(:any_term as text) as tsquery) as any_term, cast(cast(:vector as text) as vector) as vector
    ), lexemes as (
        select * from unnest(cast(:lexemes as text[]), cast(:terms as text[]), cast(:weights as float8[]),
            cast(cast(:each_lexeme as text[]) as tsquery[])) as lexeme (lexeme, term, weight, query)
    ), matched as materialized (
        select passage.document_id, passage.number,
            array(select distinct term from lexemes where passage.terms @@ lexemes.query) as found,
            ts_rank(passage.terms, (select any_term from asked), 1) as rank
        from within_passages_readable(:org_id, :document_id, (select any_term from asked),
            cast(:corpus as boolean), cast(:files as text[])) passage
    ), frequencies as (
        select term, count(*) as passages from matched, unnest(matched.found) as term group by term
    ), rarities as materialized (
        select term, max(weight) * ln(1 + (:passages - max(passages) + 0.5) / (max(passages) + 0.5)) as rarity
        from frequencies join lexemes using (term) group by term
    ), best as (
        select document_id, number, rank, (select sum(rarity) from rarities where term = any (found)) as rarity
        from matched
        order by rarity desc nulls last, rank desc, document_id, number
        limit :limit
    ), wanted as (
        select document_id, number, rank, rarity from best
        union all
        select document_id, number, 0, null
        from unnest(cast(:near_documents as text[]), cast(:near_numbers as int[])) as near (document_id, number)
        where not exists (
            select from best where best.document_id = near.document_id and best.number = near.number
        )
    )
    select wanted.document_id, wanted.number, passage.start_offset, passage.end_offset, passage.heading, passage.text,
        (select jsonb_object_agg(word.lexeme, jsonb_build_array(word.positions, word.weights))
            from unnest(passage.terms) as word where word.lexeme = any (cast(:lexemes as text[]))) as occurrences,
        (select jsonb_object_agg(term, passages) from frequencies) as frequencies,
        case when passage.embedding_model = cast(:model as text)
            then 1 - (passage.embedding <=> (select vector from asked)) end as cosine
    from wanted join document_passages passage using (document_id, number)
    where passage.org_id = :org_id
    order by wanted.rarity desc nulls last, wanted.rank desc, wanted.document_id, wanted.number
    """
)
# No expression that an index has, so that all are compared. Why the vector stands in a select, `_SEARCH` says.
_NEAREST_OF_ALL = Statement(
    f"""
    select document_id, number
    from document_passages
    where org_id = :org_id and vector_dims(embedding) = :dimensions and embedding_model = :model
        and (cast(:document_id as text) is null or document_id = :document_id)
        and {_REACHED}
    order by embedding <=> (select cast(cast(:vector as text) as vector))
    limit :limit
    """  # noqa: S608 - a constant.
)
# Without this, an index that is asked for one tenant among many gives up before it has met enough of it (pgvector 0.8,
# iterative index scans). It ends with the transaction.
_SCAN_ON = Statement(
    "select set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '200', true)"
)
_FOUND_DOCUMENTS = Statement(
    """
    select id, title, name, snapshot_sha256, published_at, trust, passages from documents
    where org_id = :org_id and id = any (cast(:ids as text[]))
    """
)
_COUNT = Statement(
    f"""
    select cast(coalesce(sum(passages), 0) as bigint) as passages from documents
    where org_id = :org_id and status = 'ready' and deleted_at is null
        and (cast(:document_id as text) is null or id = :document_id)
        and {_REACHED}
    """  # noqa: S608 - a constant.
)


def _hit(row: Mapping[Any, Any], stands_for: Mapping[str, str]) -> PassageHit:
    in_text: dict[str, tuple[int, ...]] = {}
    in_heading: dict[str, tuple[int, ...]] = {}
    for lexeme, (positions, weights) in (received(row["occurrences"]) or {}).items():
        term = stands_for[lexeme]
        pairs = list(zip(positions, weights, strict=True))
        if body := [position for position, weight in pairs if weight == "B"]:
            in_text[term] = tuple(sorted({*in_text.get(term, ()), *body}))
        if above := [position for position, weight in pairs if weight == "A"]:
            in_heading[term] = tuple(sorted({*in_heading.get(term, ()), *above}))
    return PassageHit(
        document_id=row["document_id"],
        number=row["number"],
        start=row["start_offset"],
        end=row["end_offset"],
        heading=row["heading"],
        text=row["text"],
        in_text=in_text,
        in_heading=in_heading,
        cosine=row["cosine"],
    )


def _quoted(lexeme: str) -> str:
    """Return a term as a tsquery reads it."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


async def _found_documents(connection: Connection, org_id: str, ids: set[str]) -> dict[str, FoundDocument]:
    rows = await _FOUND_DOCUMENTS.rows(connection, {"org_id": org_id, "ids": tuple(sorted(ids))})
    return {row["id"]: FoundDocument(**row) for row in rows}
