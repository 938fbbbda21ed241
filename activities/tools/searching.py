"""What the three searches outside the corpus have in common: the call, and the score of what they found."""

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from activities.documents.language import language_of
from activities.sources.asking import Searched, Sources
from activities.sources.provider import Found, Query
from activities.tools.context import ToolContext
from activities.tools.corpus_search import QUERY_TERMS_MAX
from activities.tools.ranking import Occurrences, Relevance, frequencies_of, occurrences, query_terms, relevance, weigh
from activities.tools.scoring import TRUST, page_trust, score
from activities.tools.tool import Answer, Arguments, specify
from schema.contracts.research import FoundItem, Passage, Score, SourceKind
from schema.contracts.tools import Effect, SnapshotRef, ToolOutput, ToolSpec
from schema.policies import SEARCH_PAGES_MAX, SEARCH_RESULTS_MAX

RESULTS_DEFAULT = 10


class SearchArguments(Arguments):
    """What to look for."""

    query: str = Field(min_length=1, max_length=500, description="A few specific words, or a question.")
    limit: int = Field(default=RESULTS_DEFAULT, ge=1, le=SEARCH_RESULTS_MAX, description="How many results at most.")
    page: int = Field(default=1, ge=1, le=SEARCH_PAGES_MAX, description="Which page of the results, from 1.")


class SearchAnswer(Answer):
    """What a search came to; the results themselves are in `results`, best first."""

    provider: str | None
    """Who found them; null: nobody found anything."""
    found: int
    asked_in_vain: tuple[str, ...]
    """Providers that did not answer, each with the reason."""


def search_spec(name: str, description: str, *, timeout_s: float) -> ToolSpec:
    """Specify a search."""
    return specify(
        name,
        description,
        SearchArguments,
        SearchAnswer,
        version="1",
        timeout_s=timeout_s,
        effect=Effect.EGRESS,
        idempotent=True,
    )


class Search:
    """Asks the providers of its kind in the operator's order; see `activities/sources/asking.py`."""

    kind: ClassVar[SourceKind]
    spec: ToolSpec
    arguments = SearchArguments
    answer = SearchAnswer

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def call(self, arguments: SearchArguments, context: ToolContext) -> ToolOutput:
        """Search once.

        Raises:
            SourceUnavailable, SourceTemporarilyUnavailable: no provider answered; `notes` says why.
        """
        searched = await ask(self._sources, self.kind, arguments)
        passages, snapshots = await self._texts(searched, arguments, context)
        return ToolOutput(
            data=answer_of(searched).model_dump(mode="json"),
            results=tuple(judged(self.kind, searched, arguments, context)),
            notes=searched.notes,
            passages=passages,
            snapshots=snapshots,
        )

    async def _texts(
        self, searched: Searched, arguments: SearchArguments, context: ToolContext
    ) -> tuple[tuple[Passage, ...], tuple[SnapshotRef, ...]]:
        """Return the evidence in the results themselves, where the kind has any: passages, and what they stand in."""
        return (), ()


async def ask(sources: Sources, kind: SourceKind, arguments: SearchArguments) -> Searched:
    """Ask the providers of a kind once; see `Sources.search`."""
    query = Query(
        text=arguments.query,
        limit=arguments.limit,
        page=arguments.page,
        language=language_of(arguments.query) or "en",
    )
    return await sources.search(kind, query)


def answer_of(searched: Searched) -> SearchAnswer:
    """Return a search's `data`."""
    in_vain = tuple(f"{note.provider}: {note.reason}" for note in searched.notes)
    return SearchAnswer(provider=searched.provider, found=len(searched.found), asked_in_vain=in_vain)


def judged(kind: SourceKind, searched: Searched, arguments: SearchArguments, context: ToolContext) -> list[FoundItem]:
    """Score what was found by title and snippet, best first; of equal ones in the provider's order.

    The agent's question decides, not the words of this search: results of several searches are compared.
    """
    terms = query_terms(context.query or arguments.query)[:QUERY_TERMS_MAX]
    lexemes = [lexeme for lexeme, _ in terms]
    held = [occurrences(lexemes, shown(each), "") for each in searched.found]
    weighed = weigh(terms, frequencies_of(held), len(held))

    def valued(each: Found, found: Occurrences) -> FoundItem:
        value = relevance(weighed, found, shown(each))
        return FoundItem(
            title=each.title,
            url=each.url,
            snippet=each.snippet,
            kind=kind,
            provider=searched.provider or "",
            published_at=each.published_at,
            authors=each.authors,
            score=score_of(kind, each.url, value, each, context),
            full_text_url=each.full_text_url,
            has_text=bool(each.abstract),
        )

    items = [valued(each, found) for each, found in zip(searched.found, held, strict=True)]
    return sorted(items, key=lambda item: -round(item.score.combined, 9))


def shown(found: Found) -> str:
    """Return what a result shows of itself."""
    return f"{found.title}. {found.snippet}"


def score_of(kind: SourceKind, url: str, value: Relevance, found: Found, context: ToolContext) -> Score:
    """Put the three parts together."""
    return score(
        kind,
        relevance=value.value,
        relevance_reason=value.reason,
        trust=trust_of(kind, url),
        published_at=found.published_at,
        now=context.now,
    )


def trust_of(kind: SourceKind, url: str) -> tuple[float, str]:
    """Return the trust in an address: what is known of its host, else what is known of its kind."""
    by_host = page_trust(urlsplit(url).hostname or "")
    if kind is SourceKind.WEB or by_host[0] != TRUST[SourceKind.WEB][0]:
        return by_host
    value, what = TRUST[kind]
    return value, f"It is {what}: {value:.2f}."
