"""OpenAlex: works of science, with abstracts. https://developers.openalex.org/api-reference

Abstracts come as an inverted index (word -> positions). Without a key a few searches a day are free, and paging is by
number only (a cursor answers 401); a daily limit that is used up is 429, too fast is 403.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from activities.sources.provider import Found, ProviderInfo, Query, get_json, kept, listed, moment, text_of
from infra.http import SafeHttpClient
from infra.shared import Rate
from schema.contracts.research import SourceKind

INFO = ProviderInfo(
    name="openalex",
    kind=SourceKind.ACADEMIC,
    title="OpenAlex",
    licence="CC0 metadata; an abstract belongs to its publisher.",
    rate=Rate(10),
    cost_usd=0.001,
)
_FIELDS = "id,doi,display_name,publication_date,authorships,abstract_inverted_index,primary_location,best_oa_location"
_WORDS_MAX = 5_000


@dataclass(frozen=True)
class OpenAlex:
    """`mailto` names whom to write to when something is wrong."""

    url: str
    key: SecretStr | None = None
    mailto: str | None = None
    info: ProviderInfo = INFO

    async def search(self, http: SafeHttpClient, query: Query) -> list[Found]:
        """Ask once; see `SearchProvider`."""
        parameters = {
            "search": query.text[:500],
            "per_page": query.limit,
            "page": query.page,
            "select": _FIELDS,
            "mailto": self.mailto,
            "api_key": self.key.get_secret_value() if self.key else None,
        }
        document = await get_json(http, self.info, f"{self.url}/works", parameters)
        return kept((_found(work) for work in listed(self.info, document, "results")), query.limit)


def _found(work: dict[str, Any]) -> Found:
    best, primary = (work.get(name) or {} for name in ("best_oa_location", "primary_location"))
    authors = [text_of((item.get("author") or {}).get("display_name")) for item in work.get("authorships") or ()]
    abstract = abstract_of(work.get("abstract_inverted_index"))
    return Found(
        title=text_of(work.get("display_name")),
        url=text_of(work.get("doi")) or text_of(primary.get("landing_page_url")) or text_of(work.get("id")),
        snippet=abstract,
        published_at=moment(work.get("publication_date")),
        authors=tuple(authors),
        abstract=abstract,
        full_text_url=text_of(best.get("pdf_url")) or None,
    )


def abstract_of(index: Any) -> str:
    """Put an inverted index (word -> positions) back into a text."""
    if not isinstance(index, dict):
        return ""
    words = [
        (position, word)
        for word, positions in index.items()
        if isinstance(positions, list)
        for position in positions
        if isinstance(position, int)
    ]
    return " ".join(word for _, word in sorted(words)[:_WORDS_MAX])
