"""web.search: pages that search engines point to. A result is no evidence; what is cited is read by web.fetch."""

from activities.tools.searching import Search, search_spec
from schema.contracts.research import SourceKind


class WebSearch(Search):
    """Finds addresses."""

    kind = SourceKind.WEB
    spec = search_spec(
        "web.search",
        "Search the web. Returns titles, addresses and snippets; read an address with web.fetch before relying on it.",
        timeout_s=90,
    )
