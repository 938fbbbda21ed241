"""Which tools there are: registered explicitly, and refused at the start of the process if they are not sound."""

import re
from collections.abc import Iterable
from typing import Any

from activities.files.copies import LocalCopies
from activities.sources.asking import Sources
from activities.sources.robots import Robots
from activities.tools.academic_search import AcademicSearch
from activities.tools.corpus_search import CorpusSearch
from activities.tools.data_ask import DataAsk
from activities.tools.document_read import DocumentRead
from activities.tools.news_search import NewsSearch
from activities.tools.python_run import PythonRun
from activities.tools.tool import Tool
from activities.tools.web_fetch import WebFetch
from activities.tools.web_search import WebSearch
from schema.contracts.tools import ToolSpec
from schema.policies import TOOL_TIMEOUT_MAX

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
"""`noun.verb`; the tool of an MCP server is `mcp.SERVER_TOOL`."""


class ToolRegistry:
    """The tools of a process, by name."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.register(tool)

    def register(self, tool: Tool) -> None:
        """Add a tool.

        Raises:
            ValueError: the name is taken or malformed, it has no price, its timeout is out of bounds, or a schema of
                it is not strict.
        """
        spec = tool.spec
        if not _NAME.fullmatch(spec.name):
            raise ValueError(f"{spec.name!r} is not noun.verb")
        if spec.name in self._tools:
            raise ValueError(f"{spec.name} is registered already")
        if spec.cost_pcr < 0:
            raise ValueError(f"{spec.name} has no price in schema/prices.py")
        if not 0 < spec.timeout_s <= TOOL_TIMEOUT_MAX.total_seconds():
            raise ValueError(f"{spec.name} may take at most {TOOL_TIMEOUT_MAX.total_seconds():g} s")
        for schema in (spec.input_schema, spec.output_schema):
            if (loose := _loose_object(schema, "#")) is not None:
                raise ValueError(f"{spec.name}: the schema is not strict at {loose}")
        self._tools[spec.name] = tool

    def find(self, name: str) -> Tool | None:
        """Return a tool, or None."""
        return self._tools.get(name)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Return what every tool says of itself, by name."""
        return tuple(self._tools[name].spec for name in sorted(self._tools))


def builtin_tools(
    sources: Sources | None = None,
    outside: Iterable[Tool] = (),
    *,
    copies: LocalCopies | None = None,
    code: bool = False,
) -> ToolRegistry:
    """Return the tools of the product and those of MCP servers; its plan decides which of them a run gets.

    Args:
        copies: files on this worker's disk; without them none can be asked.
        code: the deployment runs agents' programs.
    """
    sources = sources or Sources()
    searches: list[Tool] = [WebSearch(sources), AcademicSearch(sources), NewsSearch(sources)]
    own: list[Tool] = [CorpusSearch(), DocumentRead(), WebFetch(Robots(sources.shared)), PythonRun(allowed=code)]
    own.append(DataAsk(copies))
    return ToolRegistry([*own, *searches, *outside])


def _loose_object(schema: Any, where: str) -> str | None:
    """Return where a schema takes properties that it does not declare; None: nowhere."""
    if isinstance(schema, list):
        parts = ((str(index), item) for index, item in enumerate(schema))
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            return where
        parts = ((key, value) for key, value in schema.items() if key != "default")
    else:
        return None
    return next((found for key, part in parts if (found := _loose_object(part, f"{where}/{key}"))), None)
