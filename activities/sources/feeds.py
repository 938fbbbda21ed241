"""Feeds: RSS and Atom feeds that the operator names, searched here.

A feed knows no query: each is read, kept for a few minutes for all workers, and its entries are ranked as passages
are. One feed that cannot be read does not hide the others.
"""

import asyncio
import json
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.documents.feed import parse_feed
from activities.sources.provider import Found, ProviderInfo, Query, get, kept, moment, plain, text_of
from activities.tools.ranking import RELEVANCE_MIN, frequencies_of, occurrences, query_terms, relevance, weigh
from infra.http import SafeHttpClient
from infra.shared import Rate, Shared
from schema.contracts.research import SourceKind
from schema.errors import BlockedAddress, SourceTemporarilyUnavailable, SourceUnavailable
from schema.policies import FEED_ENTRIES_MAX, FEED_KEPT, SNIPPET_CHARACTERS_MAX

INFO = ProviderInfo(
    name="feeds",
    kind=SourceKind.NEWS,
    title="the configured feeds",
    licence="Each publisher's own terms.",
    rate=Rate(10),
    needs="news_feeds",
    timeout_s=20,
)


@dataclass(frozen=True)
class Feeds:
    """Searches the entries of all feeds together."""

    urls: Sequence[str]
    shared: Shared
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`.

        Raises:
            SourceUnavailable: none of the feeds can be read.
        """
        read = await asyncio.gather(*(self._read(http, url) for url in self.urls))
        if all(entries is None for entries in read):
            raise SourceUnavailable("None of the configured feeds can be read.", provider=self.info.name)
        entries = [entry for found in read for entry in found or ()]
        return kept(_ranked(entries, query.text), query.offset + query.limit)[query.offset :]

    async def _read(self, http: SafeHttpClient, url: str) -> list[Found] | None:
        key = f"feed:{url}"
        if (known := await self.shared.recall(key)) is not None:
            return [_restored(item) for item in json.loads(known)]
        try:
            answer = await get(http, url, {}, {"accept": "application/rss+xml, application/atom+xml, */*;q=0.5"})
        except (SourceUnavailable, SourceTemporarilyUnavailable, BlockedAddress):
            return None
        feed = await asyncio.to_thread(parse_feed, answer.body)
        if not feed.version:
            return None
        entries = [_found(entry) for entry in feed.entries[:FEED_ENTRIES_MAX]]
        await self.shared.remember(key, json.dumps([_kept(entry) for entry in entries]), FEED_KEPT.total_seconds())
        return entries


def _found(entry: Any) -> Found:
    # feedparser has brought every format's date into one form; where it could not, the text itself may be readable.
    parsed = entry.get("published_parsed") or entry.get("updated_parsed")
    published = (
        datetime.fromtimestamp(timegm(parsed), UTC)
        if parsed
        else moment(entry.get("published") or entry.get("updated"))
    )
    author = text_of(entry.get("author"))
    return Found(
        title=plain(entry.get("title")),
        url=text_of(entry.get("link")),
        snippet=plain(f"<p>{text_of(entry.get('summary'))}</p>")[:SNIPPET_CHARACTERS_MAX],
        published_at=published,
        authors=(author,) if author else (),
    )


def _kept(entry: Found) -> list[Any]:
    published = entry.published_at.isoformat() if entry.published_at else None
    return [entry.title, entry.url, entry.snippet, published, list(entry.authors)]


def _restored(item: list[Any]) -> Found:
    title, url, snippet, published, authors = item
    return Found(title, url, snippet, datetime.fromisoformat(published) if published else None, tuple(authors))


def _ranked(entries: list[Found], query: str) -> list[Found]:
    """Return the entries that hold enough of the query, best first; of equal ones the newer."""
    terms = query_terms(query)
    lexemes = [lexeme for lexeme, _ in terms]
    held = [occurrences(lexemes, f"{entry.title}. {entry.snippet}", entry.title) for entry in entries]
    weighed = weigh(terms, frequencies_of(held), len(held))
    values = [
        relevance(weighed, found, f"{entry.title}. {entry.snippet}").value
        for entry, found in zip(entries, held, strict=True)
    ]
    ranked = sorted(
        zip(values, entries, strict=True),
        key=lambda each: (-each[0], -(each[1].published_at.timestamp() if each[1].published_at else 0.0), each[1].url),
    )
    return [entry for value, entry in ranked if value >= RELEVANCE_MIN]
