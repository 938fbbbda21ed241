"""Marginalia: an independent index of small sites. https://about.marginalia-search.com/article/api

It needs a key on purpose: what it returns is licensed CC BY-NC-SA 4.0 unless one buys a commercial key, so it is no
default of a product that charges. A used-up shared rate is 503.
"""

from dataclasses import dataclass

from pydantic import SecretStr

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind

INFO = ProviderInfo(
    name="marginalia",
    kind=SourceKind.WEB,
    title="Marginalia",
    licence="CC BY-NC-SA 4.0, or none of its conditions with a commercial key.",
    rate=Rate(1),
    needs="marginalia_api_key",
)


@dataclass(frozen=True)
class Marginalia:
    """English sites, mostly."""

    url: str
    key: SecretStr
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {"query": query.text[:300], "count": query.limit, "dc": 3, "page": query.page}
        headers = {"api-key": self.key.get_secret_value()}
        document = await get_json(http, self.info, f"{self.url}/search", parameters, headers)
        return kept(
            (
                Found(
                    title=text_of(item.get("title")),
                    url=text_of(item.get("url")),
                    snippet=text_of(item.get("description")),
                )
                for item in listed(self.info, document, "results")
            ),
            query.limit,
        )
