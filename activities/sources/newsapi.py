"""NewsAPI.org: articles by key. https://newsapi.org/docs/endpoints/everything

Errors are `{"status": "error", "code": ..., "message": ...}` with 400, 401 (key), 426 (the plan does not reach that far
back or so many pages) or 429. What was taken down is titled `[Removed]`.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, moment, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind

INFO = ProviderInfo(
    name="newsapi",
    kind=SourceKind.NEWS,
    title="NewsAPI.org",
    licence="The free plan is for development only; an article belongs to its publisher.",
    rate=Rate(2),
    cost_usd=0.0018,
    needs="newsapi_key",
)
_LANGUAGES = frozenset(["ar", "de", "en", "es", "fr", "he", "it", "nl", "no", "pt", "ru", "sv", "ud", "zh"])


@dataclass(frozen=True)
class NewsApi:
    """Articles by relevance."""

    url: str
    key: SecretStr
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {
            "q": query.text[:500],
            "language": query.language if query.language in _LANGUAGES else None,
            "sortBy": "relevancy",
            "pageSize": query.limit,
            "page": query.page,
        }
        headers = {"x-api-key": self.key.get_secret_value()}
        document = await get_json(http, self.info, f"{self.url}/v2/everything", parameters, headers)
        return kept((_found(article) for article in listed(self.info, document, "articles")), query.limit)


def _found(article: dict[str, Any]) -> Found | None:
    if article.get("title") == "[Removed]":
        return None
    author = text_of(article.get("author"))
    return Found(
        title=text_of(article.get("title")),
        url=text_of(article.get("url")),
        snippet=text_of(article.get("description")),
        published_at=moment(article.get("publishedAt")),
        authors=(author,) if author else (),
    )
