"""SearXNG: a metasearch engine that the operator hosts, by its JSON format.

https://docs.searxng.org/dev/search_api.html. `json` must be among `search.formats` of its settings, or it answers 403.
"""

from dataclasses import dataclass

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, moment, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind
from schema.policies import PROVIDER_REQUESTS_PER_SEARCH_MAX

INFO = ProviderInfo(
    name="searxng",
    kind=SourceKind.WEB,
    title="SearXNG",
    licence="The engines' own terms; the software is AGPL-3.0 and runs apart from this product.",
    rate=Rate(5),
    needs="searxng_url",
    timeout_s=15,
)


@dataclass(frozen=True)
class SearXNG:
    """Asks page after page until there is enough: the size of its pages cannot be chosen."""

    url: str
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        found: list[Found | None] = []
        first = 1 + (query.page - 1) * PROVIDER_REQUESTS_PER_SEARCH_MAX
        for page in range(first, first + PROVIDER_REQUESTS_PER_SEARCH_MAX):
            parameters = {"q": query.text, "format": "json", "language": query.language, "pageno": page}
            items = listed(self.info, await get_json(http, self.info, f"{self.url}/search", parameters), "results")
            found += [
                Found(
                    title=text_of(item.get("title")),
                    url=text_of(item.get("url")),
                    snippet=text_of(item.get("content")),
                    published_at=moment(item.get("publishedDate")),
                )
                for item in items
            ]
            if not items or len(found) >= query.limit:
                break
        return kept(found, query.limit)
