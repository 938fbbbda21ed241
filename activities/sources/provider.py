"""The contract of a search provider, and what its clients have in common.

A provider turns a query into what it found, in one documented format. It keeps no state, retries nothing, and raises
what `infra/http.py` raises; who is asked, how often, and what happens when it fails stands in `asking.py`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from dateutil import parser as dates

from infra.http import HttpResponse, SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind
from schema.errors import SourceUnavailable
from schema.policies import (
    ABSTRACT_CHARACTERS_MAX,
    PROVIDER_BYTES_MAX,
    SEARCH_RESULTS_MAX,
    SNIPPET_CHARACTERS_MAX,
    URL_LENGTH_MAX,
)

AUTHORS_MAX = 10
TITLE_CHARACTERS_MAX = 300


@dataclass(frozen=True)
class ProviderInfo:
    """What a provider is, as the documentation's table and the rate limiter need it."""

    name: str
    kind: SourceKind
    title: str
    licence: str
    """What its terms say of what it returns."""
    rate: Rate
    cost_usd: float = 0.0
    """List price of one request; what a run pays is in `schema/prices.py`."""
    needs: str = ""
    """Setting without which it cannot be asked; empty: none."""
    timeout_s: float = 10.0


@dataclass(frozen=True)
class Query:
    """What to look for."""

    text: str
    limit: int = 10
    page: int = 1
    """From 1."""
    language: str = "en"
    """ISO 639-1 code of the query's language."""

    @property
    def offset(self) -> int:
        """Return how many results stand on the pages before."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True)
class Found:
    """One result, as a provider gave it and cleaned."""

    title: str
    url: str
    snippet: str = ""
    published_at: datetime | None = None
    authors: tuple[str, ...] = ()
    abstract: str = ""
    """Content that can be cited; empty where the provider gives only pointers."""
    full_text_url: str | None = None


class SearchProvider(Protocol):
    """Somewhere to look."""

    @property
    def info(self) -> ProviderInfo:
        """What it is."""

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once, best first; empty where it knows nothing.

        Raises:
            SourceTemporarilyUnavailable: it is busy, failing, or limits its rate (`retry_after_s`).
            SourceUnavailable: it refused, or answered what it does not document.
        """


async def get_json(
    http: SafeHttpClient, info: ProviderInfo, url: str, parameters: Mapping[str, Any], headers: Mapping[str, str] = {}
) -> Any:
    """GET a JSON document.

    Raises:
        SourceTemporarilyUnavailable, SourceUnavailable: see `SearchProvider.search`.
    """
    return read_json(info, await get(http, url, parameters, {**headers, "accept": "application/json"}))


async def get(
    http: SafeHttpClient, url: str, parameters: Mapping[str, Any] = {}, headers: Mapping[str, str] = {}
) -> HttpResponse:
    """GET whatever stands there; parameters that are None are left out."""
    given = {name: value for name, value in parameters.items() if value is not None}
    if given:
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(given)}"
    return await http.get(url, headers=headers, content_types=None, bytes_max=PROVIDER_BYTES_MAX)


def read_json(info: ProviderInfo, answer: HttpResponse) -> Any:
    """Read an answer that is documented as JSON; an error page with status 200 is no answer."""
    try:
        return json.loads(answer.body)
    except ValueError as error:
        what = answer.content_type or "something"
        raise SourceUnavailable(f"{info.title} answered {what} that is not JSON.", provider=info.name) from error


def listed(info: ProviderInfo, document: Any, *path: str) -> list[dict[str, Any]]:
    """Return the list of objects at a path of a document; absent where the provider found nothing.

    Raises:
        SourceUnavailable: something else stands there.
    """
    for name in path:
        document = document.get(name) if isinstance(document, dict) else document
    if document is None:
        return []
    if not isinstance(document, list):
        raise SourceUnavailable(f"{info.title} answered in a form that it does not document.", provider=info.name)
    return [item for item in document if isinstance(item, dict)]


def kept(found: Iterable[Found | None], limit: int) -> list[Found]:
    """Return the results that can be used, cleaned, without repeated addresses."""
    chosen: dict[str, Found] = {}
    for each in found:
        if each is None or len(chosen) >= min(limit, SEARCH_RESULTS_MAX):
            continue
        title = plain(each.title)[:TITLE_CHARACTERS_MAX]
        if title and _is_address(each.url):
            clean = Found(
                title=title,
                url=each.url,
                snippet=plain(each.snippet)[:SNIPPET_CHARACTERS_MAX],
                published_at=each.published_at,
                authors=tuple(name for author in each.authors if (name := plain(author)[:100]))[:AUTHORS_MAX],
                abstract=plain(each.abstract)[:ABSTRACT_CHARACTERS_MAX],
                full_text_url=each.full_text_url if _is_address(each.full_text_url or "") else None,
            )
            chosen.setdefault(each.url, clean)
    return list(chosen.values())


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= URL_LENGTH_MAX
    except ValueError:
        return False


_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")


def plain(value: Any) -> str:
    """Return one line of text without markup (`<strong>`, `<jats:p>`) and entities; anything but text is nothing."""
    if not isinstance(value, str):
        return ""
    return " ".join(unescape(_TAG.sub(" " if "<p" in value or "jats:" in value else "", value)).split())


def text_of(value: Any) -> str:
    """Return a value where it is text."""
    return value if isinstance(value, str) else ""


def moment(value: Any) -> datetime | None:
    """Read a date in whatever form a provider writes it; None where it cannot be read. Without a zone it is UTC."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        read = dates.parse(value, default=datetime(1, 1, 1))  # noqa: DTZ001  the zone is set below
    except (ValueError, OverflowError, TypeError):
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return read.astimezone(UTC) if 1500 < read.year < 9999 else None
