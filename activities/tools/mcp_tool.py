"""mcp.SERVER_TOOL: a tool of an MCP server. Its schema checks the arguments; its text is kept and can be cited."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import ConfigDict, model_validator

from activities.documents.indexing import store_snapshot
from activities.documents.sandbox import ParsedDocument, parse
from activities.research.reasoner import ToolHint
from activities.sources.mcp import McpServer, McpTool, call_tool, only_text, registered_name, strict
from activities.tools.context import ToolContext
from activities.tools.corpus_search import QUERY_TERMS_MAX
from activities.tools.ranking import frequencies_of, occurrences, query_terms, relevance, weigh
from activities.tools.scoring import TRUST, score
from activities.tools.tool import Answer, Arguments, specify
from schema.contracts.common import ObjectRef
from schema.contracts.research import Passage, SourceRef
from schema.contracts.tools import SnapshotRef, ToolOutput, ToolSpec
from schema.errors import PayloadTooLarge, SourceUnavailable, UnsupportedFormat
from schema.policies import PASSAGES_PER_SEARCH_MAX

DESCRIPTION_CHARACTERS_MAX = 1_000

log = structlog.get_logger(__name__)


class McpAnswer(Answer):
    """What came back; the text itself is in the passages."""

    server: str
    tool: str
    characters: int


@dataclass(frozen=True)
class McpSource:
    """One tool of one server, as the executor calls it."""

    server: McpServer
    tool: McpTool
    spec: ToolSpec
    arguments: type[Arguments]
    answer: type[Answer] = McpAnswer

    @property
    def hint(self) -> ToolHint:
        """Return what a reasoner must know of it."""
        schema = self.spec.input_schema
        return ToolHint(self.spec.name, self.tool.description, schema, only_text(schema))

    async def call(self, arguments: Any, context: ToolContext) -> ToolOutput:
        """Call it once.

        Raises:
            SourceTemporarilyUnavailable: the server could not be reached, or did not answer.
            SourceUnavailable: it said that the call failed, or answered nothing that can be read.
        """
        text = await call_tool(self.server, self.tool, arguments.model_dump())
        try:
            parsed = await parse(text.encode(), f"{self.tool.server} {self.tool.name}", "text/plain; charset=utf-8")
        except (UnsupportedFormat, PayloadTooLarge) as error:
            raise SourceUnavailable(f"{self.tool.server}: {error.detail}") from error
        snapshot = await store_snapshot(context.objects, context.org_id, parsed.document.text)
        uri, title = f"mcp:{self.tool.server}/{self.tool.name}", parsed.document.title
        answer = McpAnswer(server=self.tool.server, tool=self.tool.name, characters=len(parsed.document.text))
        return ToolOutput(
            data=answer.model_dump(mode="json"),
            passages=self._passages(parsed, snapshot, uri, context),
            snapshots=(SnapshotRef(object=snapshot, title=title, uri=uri, kind=self.server.kind),),
        )

    def _passages(
        self, parsed: ParsedDocument, snapshot: ObjectRef, uri: str, context: ToolContext
    ) -> tuple[Passage, ...]:
        """Return the passages that answer the question best; of equal ones the earlier."""
        text, kind = parsed.document.text, self.server.kind
        terms = query_terms(context.query)[:QUERY_TERMS_MAX]
        lexemes = [lexeme for lexeme, _ in terms]
        held = [occurrences(lexemes, text[span.start : span.end], span.heading) for span in parsed.passages]
        weighed = weigh(terms, frequencies_of(held), len(held))
        trust, what = TRUST[kind]
        passages = []
        for span, found in zip(parsed.passages, held, strict=True):
            quoted = text[span.start : span.end]
            value = relevance(weighed, found, quoted)
            source = SourceRef(
                snapshot_sha256=snapshot.sha256,
                kind=kind,
                title=parsed.document.title,
                uri=uri,
                published_at=parsed.document.published_at,
                score=score(
                    kind,
                    relevance=value.value,
                    relevance_reason=value.reason,
                    trust=(trust, f"It is {what}, by the MCP server {self.tool.server}: {trust:.2f}."),
                    published_at=parsed.document.published_at,
                    now=context.now,
                ),
            )
            passages.append(Passage(source=source, start=span.start, end=span.end, text=quoted, heading=span.heading))
        passages.sort(key=lambda each: (-each.source.score.relevance, each.start))
        return tuple(passages[:PASSAGES_PER_SEARCH_MAX])


def mcp_sources(servers: Mapping[str, McpServer], tools: list[McpTool]) -> list[McpSource]:
    """Return the tools that agents can be given; one whose schema is no JSON Schema of an object is left out."""
    sources: dict[str, McpSource] = {}
    for tool in tools:
        name, schema = registered_name(tool.server, tool.name), strict(tool.input_schema)
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError:
            schema = {}
        if schema.get("type") != "object" or name in sources:
            log.warning("mcp tool is not used", server=tool.server, tool=tool.name)
            continue
        arguments = _arguments(schema)
        server = servers[tool.server]
        spec = specify(
            name,
            tool.description[:DESCRIPTION_CHARACTERS_MAX],
            arguments,
            McpAnswer,
            version="1",
            timeout_s=server.timeout_s + 10,
            effect=server.effect,
            idempotent=False,
        ).model_copy(update={"input_schema": schema})
        sources[name] = McpSource(server, tool, spec, arguments)
    return list(sources.values())


def _arguments(schema: dict[str, Any]) -> type[Arguments]:
    """Return a model that takes what the schema takes."""
    validator = Draft202012Validator(schema)

    class McpArguments(Arguments):
        """Arguments of one tool."""

        model_config = ConfigDict(extra="allow", frozen=True)

        @model_validator(mode="before")
        @classmethod
        def _fits(cls, given: Any) -> Any:
            if error := next(iter(validator.iter_errors(given)), None):
                place = ".".join(str(part) for part in error.absolute_path)
                raise ValueError(f"{place or 'the arguments'}: {error.message[:200]}")
            return given

    return McpArguments
