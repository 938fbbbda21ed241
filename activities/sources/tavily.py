"""Tavily: search for agents. https://docs.tavily.com/documentation/api-reference/endpoint/search

POST with a bearer key; it has no pages. 401: wrong key; 429: too fast; 432 and 433: the plan is used up.
"""

import json
from dataclasses import dataclass

from pydantic import SecretStr

from activities.sources.provider import Found, ProviderInfo, Query, kept, listed, moment, read_json, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind
from schema.policies import PROVIDER_BYTES_MAX

INFO = ProviderInfo(
    name="tavily",
    kind=SourceKind.WEB,
    title="Tavily",
    licence="Tavily's terms: for use in one's own product, not for resale as a search service.",
    rate=Rate(100, 60),
    cost_usd=0.008,
    needs="tavily_api_key",
    timeout_s=15,
)


@dataclass(frozen=True)
class Tavily:
    """Basic depth: one credit of the plan per request."""

    url: str
    key: SecretStr
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        if query.page > 1:
            return []
        body = {
            "query": query.text[:400],
            "search_depth": "basic",
            "topic": "general",
            "max_results": min(query.limit, 20),
            "include_answer": False,
            "include_raw_content": False,
        }
        answer = await http.request(
            "POST",
            f"{self.url}/search",
            headers={
                "authorization": f"Bearer {self.key.get_secret_value()}",
                "content-type": "application/json",
                "accept": "application/json",
            },
            content=json.dumps(body).encode(),
            content_types=None,
            bytes_max=PROVIDER_BYTES_MAX,
        )
        return kept(
            (
                Found(
                    title=text_of(item.get("title")),
                    url=text_of(item.get("url")),
                    snippet=text_of(item.get("content")),
                    published_at=moment(item.get("published_date")),
                )
                for item in listed(self.info, read_json(self.info, answer), "results")
            ),
            query.limit,
        )
