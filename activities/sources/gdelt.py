"""GDELT DOC 2.0: the news of the last three months. https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/

One request in five seconds. It has no pages, at most 250 articles, and no snippets. What is wrong with a query is said
in a sentence of plain text with status 200; no article is `{}`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.research.text import STOP_WORDS
from activities.sources.provider import Found, ProviderInfo, Query, get, kept, listed, plain, read_json, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind
from schema.errors import SourceTemporarilyUnavailable, SourceUnavailable

INFO = ProviderInfo(
    name="gdelt",
    kind=SourceKind.NEWS,
    title="GDELT",
    licence="Free for any use with a link to the GDELT Project; an article belongs to its publisher.",
    rate=Rate(1, 5),
    timeout_s=20,
)
_WORDS_MAX = 8
_LIMITED = re.compile(r"limit requests|too many requests", re.IGNORECASE)


@dataclass(frozen=True)
class Gdelt:
    """Articles by relevance."""

    url: str
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        text = _expression(query.text)
        if not text:
            return []
        parameters = {
            "query": text,
            "mode": "ArtList",
            "format": "json",
            "maxrecords": min(query.offset + query.limit, 250),
            "timespan": "3months",
            "sort": "HybridRel",
        }
        answer = await get(http, f"{self.url}/api/v2/doc/doc", parameters, {"accept": "application/json"})
        if not answer.body.lstrip().startswith(b"{"):
            said = plain(answer.body[:1_000].decode("utf-8", "replace"))[:200]
            kind = SourceTemporarilyUnavailable if _LIMITED.search(said) else SourceUnavailable
            raise kind(f"{self.info.title} refused the search: {said or 'nothing was said'}", provider=self.info.name)
        articles = listed(self.info, read_json(self.info, answer), "articles")
        return kept((_found(article) for article in articles), query.offset + query.limit)[query.offset :]


def _expression(text: str) -> str:
    """Return words that it takes: its operators are punctuation, and words of one or two letters are refused."""
    words = [word for word in re.findall(r"[^\W_]+", text) if word.lower() not in STOP_WORDS]
    return " ".join([word for word in words if len(word) > 2 or not word.isascii()][:_WORDS_MAX])


def _found(article: dict[str, Any]) -> Found:
    try:
        seen = datetime.strptime(text_of(article.get("seendate")), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        seen = None
    return Found(title=text_of(article.get("title")), url=text_of(article.get("url")), published_at=seen)
