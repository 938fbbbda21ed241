"""Crossref: what publishers register with their DOIs. https://api.crossref.org/swagger-ui/index.html

A `mailto` moves requests to the polite pool. Abstracts, where there are any, are JATS XML. Too fast is 429 with
`X-Rate-Limit-*`; a wrong parameter is 400 with `status: failed`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, plain, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind

INFO = ProviderInfo(
    name="crossref",
    kind=SourceKind.ACADEMIC,
    title="Crossref",
    licence="Metadata are facts and free; an abstract belongs to its publisher.",
    rate=Rate(1),
    timeout_s=20,
)
_FIELDS = "DOI,URL,title,author,issued,abstract,link"


@dataclass(frozen=True)
class Crossref:
    """Works by relevance; those without a title are left out."""

    url: str
    mailto: str | None = None
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {
            "query.bibliographic": query.text[:500],
            "rows": query.limit,
            "offset": query.offset,
            "select": _FIELDS,
            "mailto": self.mailto,
        }
        document = await get_json(http, self.info, f"{self.url}/works", parameters)
        return kept((_found(work) for work in listed(self.info, document, "message", "items")), query.limit)


def _found(work: dict[str, Any]) -> Found:
    titles = work.get("title") or [""]
    # Many abstracts begin with the word as a heading of their own.
    abstract = plain(work.get("abstract")).removeprefix("Abstract").lstrip(" :.")
    pdf = [
        text_of(link.get("URL"))
        for link in work.get("link") or ()
        if link.get("content-type") == "application/pdf" and link.get("intended-application") != "similarity-checking"
    ]
    return Found(
        title=text_of(titles[0]),
        url=f"https://doi.org/{work['DOI']}" if work.get("DOI") else text_of(work.get("URL")),
        snippet=abstract,
        published_at=_date(work.get("issued")),
        authors=tuple(
            " ".join(filter(None, (text_of(author.get("given")), text_of(author.get("family")))))
            for author in work.get("author") or ()
        ),
        abstract=abstract,
        full_text_url=pdf[0] if pdf else None,
    )


def _date(issued: Any) -> datetime | None:
    """Read `{"date-parts": [[year, month, day]]}`, of which only the year is always there."""
    try:
        year, *rest = issued["date-parts"][0]
        month, day = (*rest, 1, 1)[:2]
        return datetime(year, month, day, tzinfo=UTC)
    except (TypeError, KeyError, IndexError, ValueError):
        return None
