"""web.fetch: the main text of one page, kept as a snapshot."""

from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from activities.documents.indexing import store_snapshot
from activities.documents.sandbox import ParsedDocument, parse
from activities.research.addresses import declared_canonical
from activities.sources.robots import Robots
from activities.tools.context import ToolContext
from activities.tools.corpus_search import QUERY_TERMS_MAX
from activities.tools.ranking import Relevance, frequencies_of, occurrences, query_terms, relevance, weigh
from activities.tools.scoring import score
from activities.tools.searching import trust_of
from activities.tools.tool import Answer, Arguments, specify
from infra.http import HttpResponse
from schema.contracts.research import Passage, SourceKind, SourceRef
from schema.contracts.tools import Effect, SnapshotRef, ToolOutput
from schema.errors import PayloadTooLarge, SourceUnavailable, UnsupportedFormat
from schema.policies import PASSAGES_PER_SEARCH_MAX, URL_LENGTH_MAX


class WebFetchArguments(Arguments):
    """Which page."""

    url: str = Field(min_length=8, max_length=URL_LENGTH_MAX, description="Address of a page, http:// or https://.")
    kind: Literal["web", "academic", "news"] = Field(
        default="web", description="Which search pointed to it: its age and trust are judged by it."
    )


class WebFetchAnswer(Answer):
    """What came back; the passages that answer the agent's question best are in `passages`."""

    url: str
    """Where it came from, after redirects."""
    title: str
    author: str | None
    published_at: datetime | None
    language: str | None
    """ISO 639-1, where it can be told."""
    content_type: str
    characters: int
    passages_total: int


class WebFetch:
    """Reads a page by the safe client, parses it in the sandbox, keeps the text."""

    arguments = WebFetchArguments
    answer = WebFetchAnswer
    spec = specify(
        "web.fetch",
        "Fetch a page (HTML, text, Markdown, PDF, feed) and return the passages of its main text that matter.",
        WebFetchArguments,
        WebFetchAnswer,
        version="2",
        timeout_s=100,
        effect=Effect.EGRESS,
        idempotent=True,
    )

    def __init__(self, robots: Robots) -> None:
        self._robots = robots

    async def call(self, arguments: WebFetchArguments, context: ToolContext) -> ToolOutput:
        """Fetch once.

        Raises:
            BlockedAddress: outbound requests may not go there.
            SourceUnavailable: there is no such page, it cannot be read, or robots.txt forbids it (`rule`).
            SourceTemporarilyUnavailable: another try may help.
        """
        await self._robots.check(context.http, arguments.url)
        page = await context.http.get(arguments.url, headers={"accept": "text/html,text/*;q=0.9,*/*;q=0.5"})
        if urlsplit(page.url)[:2] != urlsplit(arguments.url)[:2]:
            # It led to another host, which has rules of its own: what they close is not used.
            await self._robots.check(context.http, page.url)
        mime = f"{page.content_type}; charset={page.charset}" if page.charset else page.content_type
        parts = urlsplit(page.url)
        name = PurePosixPath(parts.path).name or parts.hostname or "page"
        try:
            parsed = await parse(page.body, name, mime)
        except (UnsupportedFormat, PayloadTooLarge) as error:
            raise SourceUnavailable(f"{parts.hostname}: {error.detail}") from error
        snapshot = await store_snapshot(context.objects, context.org_id, parsed.document.text)
        answer = WebFetchAnswer(
            url=page.url,
            title=parsed.document.title,
            author=parsed.document.author,
            published_at=parsed.document.published_at,
            language=parsed.document.language,
            content_type=parsed.document.mime,
            characters=len(parsed.document.text),
            passages_total=len(parsed.passages),
        )
        kind = SourceKind(arguments.kind)
        reference = SnapshotRef(
            object=snapshot,
            title=parsed.document.title,
            uri=page.url,
            kind=kind,
            canonical_uri=declared_canonical(page.url, parsed.document.canonical),
        )
        return ToolOutput(
            data=answer.model_dump(mode="json"),
            passages=_passages(parsed, page, snapshot.sha256, kind, context),
            snapshots=(reference,),
        )


def _passages(
    parsed: ParsedDocument, page: HttpResponse, sha256: str, kind: SourceKind, context: ToolContext
) -> tuple[Passage, ...]:
    """Return the passages that answer the question best; of equal ones the earlier."""
    terms = query_terms(context.query)[:QUERY_TERMS_MAX]
    lexemes = [lexeme for lexeme, _ in terms]
    text = parsed.document.text
    found = [occurrences(lexemes, text[each.start : each.end], each.heading) for each in parsed.passages]
    weighed = weigh(terms, frequencies_of(found), len(found))
    passages = []
    for span, held in zip(parsed.passages, found, strict=True):
        quoted = text[span.start : span.end]
        source = _source(parsed, page, sha256, kind, relevance(weighed, held, quoted), context)
        passages.append(Passage(source=source, start=span.start, end=span.end, text=quoted, heading=span.heading))
    passages.sort(key=lambda each: (-each.source.score.relevance, each.start))
    return tuple(passages[:PASSAGES_PER_SEARCH_MAX])


def _source(
    parsed: ParsedDocument,
    page: HttpResponse,
    sha256: str,
    kind: SourceKind,
    value: Relevance,
    context: ToolContext,
) -> SourceRef:
    document = parsed.document
    return SourceRef(
        snapshot_sha256=sha256,
        kind=kind,
        title=document.title,
        uri=page.url,
        published_at=document.published_at,
        score=score(
            kind,
            relevance=value.value,
            relevance_reason=value.reason,
            trust=trust_of(kind, page.url),
            published_at=document.published_at,
            now=context.now,
        ),
    )
