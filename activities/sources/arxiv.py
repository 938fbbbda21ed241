"""arXiv: preprints, by its Atom interface. https://info.arxiv.org/help/api/user-manual.html

One request in three seconds and one connection at a time are asked for. An error is a feed with one entry whose id
begins with `http://arxiv.org/api/errors`.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from activities.documents.feed import parse_feed
from activities.sources.provider import Found, ProviderInfo, Query, get, kept, moment, text_of
from activities.tools.ranking import GENERIC_WEIGHT, prior_weight, query_terms
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind
from schema.errors import SourceUnavailable

INFO = ProviderInfo(
    name="arxiv",
    kind=SourceKind.ACADEMIC,
    title="arXiv",
    licence="Metadata and abstracts may be reused; each paper has a licence of its own.",
    rate=Rate(1, 3),
    timeout_s=20,
)
_WORDS_MAX = 8


@dataclass(frozen=True)
class ArXiv:
    """Searches all fields."""

    url: str
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {
            "search_query": _expression(query.text),
            "start": query.offset,
            "max_results": query.limit,
            "sortBy": "relevance",
        }
        answer = await get(http, f"{self.url}/api/query", parameters, {"accept": "application/atom+xml"})
        feed = await asyncio.to_thread(parse_feed, answer.body)
        if not feed.version:
            raise SourceUnavailable(f"{self.info.title} answered no feed.", provider=self.info.name)
        for entry in feed.entries:
            if "/api/errors" in text_of(entry.get("id")):
                raise SourceUnavailable(
                    f"{self.info.title} refused the search: {text_of(entry.get('summary'))[:200]}",
                    provider=self.info.name,
                )
        return kept((_found(entry) for entry in feed.entries), query.limit)


def _expression(text: str) -> str:
    """Return a query of its language: operators and field names of the user's are words like others."""
    words = [word.strip("\"'()[]{}:,;?!.") for word in text.split()]
    known = dict(query_terms(text))
    weighty = [
        word
        for word in words
        if word and any(prior_weight(term) > GENERIC_WEIGHT for term, _ in query_terms(word) if term in known)
    ]
    chosen = [word for word in (weighty or words) if word][:_WORDS_MAX]
    return " AND ".join(f'all:"{word}"' for word in dict.fromkeys(chosen))


def _found(entry: Any) -> Found:
    links = entry.get("links") or ()
    pdf = next((text_of(link.get("href")) for link in links if link.get("type") == "application/pdf"), "")
    doi = text_of(entry.get("arxiv_doi"))
    summary = text_of(entry.get("summary"))
    return Found(
        title=text_of(entry.get("title")),
        url=f"https://doi.org/{doi}" if doi else text_of(entry.get("link") or entry.get("id")),
        snippet=summary,
        published_at=moment(entry.get("published")),
        authors=tuple(text_of(author.get("name")) for author in entry.get("authors") or ()),
        abstract=summary,
        full_text_url=pdf.replace("http://arxiv.org/", "https://arxiv.org/") or None,
    )
