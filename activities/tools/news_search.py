"""news.search: what news indexes and feeds point to. A result is no evidence; what is cited is read by web.fetch."""

from activities.tools.searching import Search, search_spec
from schema.contracts.research import SourceKind


class NewsSearch(Search):
    """Finds addresses."""

    kind = SourceKind.NEWS
    spec = search_spec(
        "news.search",
        "Search the news. Returns titles, addresses and snippets; read an address with web.fetch before relying on it.",
        timeout_s=90,
    )
