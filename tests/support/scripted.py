"""A reasoner and tools with a script: for tests of control flow, where what is researched does not matter.

Nothing here is used by the product.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from activities.research.extractive import ExtractiveReasoner
from activities.tools.tool import Answer, Arguments, specify
from schema.contracts.common import Tokens
from schema.contracts.research import (
    AgentView,
    Brief,
    Claim,
    Conflict,
    Finding,
    Finish,
    Passage,
    Reasoned,
    Report,
    Subtask,
    ToolCall,
)
from schema.contracts.slides import Outline, OutlineRequest
from schema.contracts.tables import Filled, FillRequest
from schema.contracts.tools import Effect, ToolOutput


@dataclass
class ScriptedReasoner:
    """Makes `agents` agents that call `tool` for `steps` steps each; `before` may raise or wait at any point."""

    agents: int = 3
    steps: int = 4
    tool: str = "corpus.search"
    arguments: Callable[[int, int], dict[str, Any]] = lambda agent, step: {"query": f"word{agent} word{step}"}
    before: Callable[[str, int, int], Any] | None = None
    """Called with (method, agent, step); may be async."""
    tokens: Tokens = field(default_factory=lambda: Tokens(input=100, output=10))
    name: str = "extractive"
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    _writer: ExtractiveReasoner = field(default_factory=ExtractiveReasoner)

    async def _enter(self, method: str, agent: int = 0, step: int = 0) -> None:
        self.calls.append((method, agent, step))
        if self.before is not None and asyncio.iscoroutine(waiting := self.before(method, agent, step)):
            await waiting

    async def decompose(self, brief: Brief) -> Reasoned[tuple[Subtask, ...]]:
        """Make the scripted number of subtasks."""
        await self._enter("decompose")
        numbers = range(1, self.agents + 1)
        subtasks = tuple(Subtask(number=n, title=f"Part {n}", question=f"{brief.task} {n}") for n in numbers)
        return Reasoned[tuple[Subtask, ...]](value=subtasks, tokens=self.tokens)

    async def next_action(self, view: AgentView) -> Reasoned[ToolCall | Finish]:
        """Call the tool until the script ends."""
        agent, step = view.subtask.number, len(view.steps)
        await self._enter("next_action", agent, step)
        value: ToolCall | Finish = Finish(reason="scripted end")
        if step < self.steps:
            value = ToolCall(tool=self.tool, arguments=self.arguments(agent, step))
        return Reasoned[ToolCall | Finish](value=value, tokens=self.tokens)

    async def extract_claims(self, view: AgentView, passages: tuple[Passage, ...]) -> Reasoned[tuple[Claim, ...]]:
        """Draw real claims, so that real reports are written."""
        await self._enter("extract_claims", view.subtask.number, len(view.steps))
        return await self._writer.extract_claims(view, passages)

    async def fill_fields(self, request: FillRequest) -> Reasoned[Filled]:
        """Fill as the extractive reasoner does."""
        await self._enter("fill_fields", request.agent_number)
        return await self._writer.fill_fields(request)

    async def merge(self, brief: Brief, claims: Sequence[Claim]) -> Reasoned[tuple[Finding, ...]]:
        """Merge as the extractive reasoner does."""
        await self._enter("merge")
        return await self._writer.merge(brief, claims)

    async def resolve_conflicts(
        self, brief: Brief, findings: Sequence[Finding], claims: Mapping[str, Claim]
    ) -> Reasoned[tuple[Conflict, ...]]:
        """Resolve as the extractive reasoner does."""
        return await self._writer.resolve_conflicts(brief, findings, claims)

    async def write_report(
        self,
        brief: Brief,
        subtasks: Sequence[Subtask],
        findings: Sequence[Finding],
        conflicts: Sequence[Conflict],
        claims: Mapping[str, Claim],
        missing: tuple[str, ...],
    ) -> Reasoned[Report]:
        """Write as the extractive reasoner does."""
        await self._enter("write_report")
        return await self._writer.write_report(brief, subtasks, findings, conflicts, claims, missing)

    async def plan_slides(self, request: OutlineRequest) -> Reasoned[Outline]:
        """Leave it to the rules, as the extractive reasoner does."""
        return await self._writer.plan_slides(request)


class _Nap(Arguments):
    seconds: float


class _Slept(Answer):
    pid: int


class ProcessTool:
    """A tool that runs a child process, as parsers and code do; keeps the pids of the processes it started."""

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.spec = specify(
            "corpus.nap",
            "Sleeps in a child process.",
            _Nap,
            _Slept,
            version="1",
            timeout_s=60,
            effect=Effect.READ,
            idempotent=True,
        ).model_copy(update={"cost_pcr": 0})
        self.arguments = _Nap
        self.answer = _Slept

    async def call(self, arguments: Any, context: Any) -> ToolOutput:
        """Sleep; a cancel kills the process group."""
        process = await asyncio.create_subprocess_exec("sleep", str(arguments.seconds), start_new_session=True)
        self.pids.append(process.pid)
        try:
            await process.wait()
        except asyncio.CancelledError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        return ToolOutput(data={"pid": process.pid})
