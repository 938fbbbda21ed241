"""Wikipedia: the fallback that needs no key, by MediaWiki's search. https://www.mediawiki.org/wiki/API:Search

Every wiki speaks this protocol, so the address may also name a wiki of the operator's. An error is a document with
`error` and status 200. The foundation asks for a user agent with a contact address and few requests at a time.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, moment, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind
from schema.errors import SourceTemporarilyUnavailable, SourceUnavailable

INFO = ProviderInfo(
    name="wikipedia",
    kind=SourceKind.WEB,
    title="Wikipedia",
    licence="CC BY-SA 4.0: quotations name the article.",
    rate=Rate(5),
)
_BUSY = frozenset(("maxlag", "ratelimited", "readonly"))


@dataclass(frozen=True)
class Wikipedia:
    """`url` may hold `{language}`: the wiki of the query's language is asked."""

    url: str
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        url = self.url.replace("{language}", query.language)
        parameters = {
            "action": "query",
            "list": "search",
            "srsearch": query.text[:300],
            "srlimit": query.limit,
            "sroffset": query.offset,
            "srprop": "snippet|timestamp",
            "format": "json",
            "formatversion": "2",
            "maxlag": "5",
        }
        document = await get_json(http, self.info, url, parameters)
        if isinstance(document, dict) and isinstance(document.get("error"), dict):
            code = text_of(document["error"].get("code"))
            kind = SourceTemporarilyUnavailable if code in _BUSY else SourceUnavailable
            raise kind(f"{self.info.title} refused the search: {code or 'no reason given'}.", provider=self.info.name)
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0].removesuffix('/w')}/wiki/"
        return kept(
            (
                Found(
                    title=text_of(item.get("title")),
                    url=site + quote(text_of(item.get("title")).replace(" ", "_"), safe="/:(),"),
                    snippet=text_of(item.get("snippet")),
                    # The last edit, not a date of publication; still the best that is known of the text's age.
                    published_at=moment(item.get("timestamp")),
                )
                for item in listed(self.info, document, "query", "search")
            ),
            query.limit,
        )
