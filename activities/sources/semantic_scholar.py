"""Semantic Scholar: the Academic Graph's relevance search. https://api.semanticscholar.org/api-docs/graph

Without a key one shares a rate with everybody else and meets 429 often; a wrong key is 403. `offset + limit` stays
below 1,000.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, moment, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind

INFO = ProviderInfo(
    name="semantic_scholar",
    kind=SourceKind.ACADEMIC,
    title="Semantic Scholar",
    licence="Semantic Scholar's API licence: attribution; an abstract belongs to its publisher.",
    rate=Rate(1),
    timeout_s=15,
)
_FIELDS = "title,abstract,url,externalIds,publicationDate,year,authors,openAccessPdf"


@dataclass(frozen=True)
class SemanticScholar:
    """Plain words; it knows no query language."""

    url: str
    key: SecretStr | None = None
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {
            "query": query.text[:300].replace("-", " "),  # A hyphen finds nothing there.
            "limit": query.limit,
            "offset": query.offset,
            "fields": _FIELDS,
        }
        headers = {"x-api-key": self.key.get_secret_value()} if self.key else {}
        document = await get_json(http, self.info, f"{self.url}/graph/v1/paper/search", parameters, headers)
        return kept((_found(paper) for paper in listed(self.info, document, "data")), query.limit)


def _found(paper: dict[str, Any]) -> Found:
    doi = text_of((paper.get("externalIds") or {}).get("DOI"))
    year = paper.get("year")
    return Found(
        title=text_of(paper.get("title")),
        url=f"https://doi.org/{doi}" if doi else text_of(paper.get("url")),
        snippet=text_of(paper.get("abstract")),
        published_at=moment(paper.get("publicationDate")) or moment(f"{year}-01-01" if year else None),
        authors=tuple(text_of(author.get("name")) for author in paper.get("authors") or ()),
        abstract=text_of(paper.get("abstract")),
        full_text_url=text_of((paper.get("openAccessPdf") or {}).get("url")) or None,
    )
