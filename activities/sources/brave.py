"""Brave Search: an index of its own. https://api-dashboard.search.brave.com/api-reference/web/search/get

`offset` counts pages (0..9), `count` is at most 20, a query has at most 400 characters and 50 words. A wrong key is
401 or 422, a used-up plan 429 with one figure per window in `X-RateLimit-*`.
"""

from dataclasses import dataclass

from pydantic import SecretStr

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, moment, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind

INFO = ProviderInfo(
    name="brave",
    kind=SourceKind.WEB,
    title="Brave Search",
    licence="Brave's API terms: results may be shown; storing them needs a plan that grants it.",
    rate=Rate(1),
    cost_usd=0.005,
    needs="brave_api_key",
)
_LANGUAGES = {"ja": "jp", "zh": "zh-hans", "pt": "pt-br"}
"""Where its codes are not ISO 639-1."""


@dataclass(frozen=True)
class Brave:
    """Web results only."""

    url: str
    key: SecretStr
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {
            "q": " ".join(query.text.split()[:50])[:400],
            "count": min(query.limit, 20),
            "offset": min(query.page - 1, 9),
            "search_lang": _LANGUAGES.get(query.language, query.language),
            "text_decorations": "false",
            "result_filter": "web",
        }
        headers = {"x-subscription-token": self.key.get_secret_value()}
        document = await get_json(http, self.info, f"{self.url}/res/v1/web/search", parameters, headers)
        return kept(
            (
                Found(
                    title=text_of(item.get("title")),
                    url=text_of(item.get("url")),
                    snippet=text_of(item.get("description")),
                    published_at=moment(item.get("page_age")),
                )
                for item in listed(self.info, document, "web", "results")
            ),
            query.limit,
        )
