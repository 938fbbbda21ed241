"""web.search: pages that search engines point to. A result is no evidence; what is cited is read by web.fetch."""

from activities.sources.asking import Sources
from activities.tools.context import ToolContext
from activities.tools.searching import SearchAnswer, SearchArguments, answer_of, ask, judged
from activities.tools.tool import specify
from schema.contracts.research import SourceKind
from schema.contracts.tools import Effect, ToolOutput


class WebSearch:
    """Asks the providers of this kind in the operator's order; see `activities/sources/asking.py`."""

    arguments = SearchArguments
    answer = SearchAnswer
    spec = specify(
        "web.search",
        "Search the web. Returns titles, addresses and snippets; read an address with web.fetch before relying on it.",
        SearchArguments,
        SearchAnswer,
        version="1",
        timeout_s=90,
        effect=Effect.EGRESS,
        idempotent=True,
    )

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def call(self, arguments: SearchArguments, context: ToolContext) -> ToolOutput:
        """Search once.

        Raises:
            SourceUnavailable, SourceTemporarilyUnavailable: no provider answered; `notes` says why.
        """
        searched = await ask(self._sources, SourceKind.WEB, arguments)
        return ToolOutput(
            data=answer_of(searched).model_dump(mode="json"),
            results=tuple(judged(SourceKind.WEB, searched, arguments, context)),
            notes=searched.notes,
        )
