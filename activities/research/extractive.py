"""The extractive reasoner: no model, deterministic, and it never invents.

Every statement of its reports is a sentence of a source. Tokens are word tokens: read (`input`) and written (`output`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from activities.research import acting
from activities.research import claims as claiming
from activities.research.composing import compose_report
from activities.research.conflicts import find_conflicts
from activities.research.decomposition import plan_subtasks
from activities.research.filling import fill
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.meanings import Meanings
from activities.research.reasoner import ToolHint
from activities.research.text import count_words
from schema.contracts.common import Tokens
from schema.contracts.research import (
    BY_RULE,
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

T = TypeVar("T")


class ExtractiveReasoner:
    """Question analysis, sentence ranking, clustering and comparison of figures instead of a model."""

    name = BY_RULE

    def __init__(self, hints: Sequence[ToolHint] = (), meanings: Meanings | None = None) -> None:
        self._meanings = meanings
        # Without a model only tools that take one text can be called: they are asked as a search is.
        self._arguments = {hint.name: hint.argument for hint in hints if hint.argument}

    async def decompose(self, brief: Brief) -> Reasoned[tuple[Subtask, ...]]:
        """Cut the task along its own grammar; see `decomposition.py`."""
        subtasks = plan_subtasks(brief)
        return _reasoned(subtasks, [brief.task], [subtask.question for subtask in subtasks])

    async def next_action(self, view: AgentView) -> Reasoned[ToolCall | Finish]:
        """Follow the search policy of `acting.py`."""
        if self._arguments:
            view = view.model_copy(update={"tool_arguments": self._arguments})
        action: ToolCall | Finish = acting.next_action(view)
        return _reasoned(action, [view.subtask.question], [action.reason])

    async def extract_claims(self, view: AgentView, passages: tuple[Passage, ...]) -> Reasoned[tuple[Claim, ...]]:
        """Take whole sentences of the passages, verbatim; see `claims.py`."""
        found = await asyncio.to_thread(claiming.extract, view, passages, self._meanings)
        return _reasoned(found, [passage.text for passage in passages], [claim.text for claim in found])

    async def fill_fields(self, request: FillRequest) -> Reasoned[Filled]:
        """Read values out of tables, pairs and sentences; see `filling.py`."""
        filled = await asyncio.to_thread(fill, request)
        read = [passage.text for passage in request.fresh or request.passages]
        return _reasoned(filled, read, [cell.raw or "" for cell in filled.cells])

    async def merge(self, brief: Brief, claims: Sequence[Claim]) -> Reasoned[tuple[Finding, ...]]:
        """Group the claims that repeat each other; see `findings.py`."""
        findings = await asyncio.to_thread(merge_claims, claims)
        return _reasoned(findings, [claim.text for claim in claims], [])

    async def resolve_conflicts(
        self, brief: Brief, findings: Sequence[Finding], claims: Mapping[str, Claim]
    ) -> Reasoned[tuple[Conflict, ...]]:
        """Compare figures, dates, versions and polarity; see `conflicts.py`."""
        questions = [subtask.question for subtask in plan_subtasks(brief)]
        conflicts = await asyncio.to_thread(find_conflicts, findings, claims, questions, self._meanings)
        return _reasoned(conflicts, [finding.text for finding in findings], [each.reason for each in conflicts])

    async def write_report(
        self,
        brief: Brief,
        subtasks: Sequence[Subtask],
        findings: Sequence[Finding],
        conflicts: Sequence[Conflict],
        claims: Mapping[str, Claim],
        missing: tuple[str, ...],
    ) -> Reasoned[Report]:
        """Arrange the findings; see `composing.py`."""
        report = await asyncio.to_thread(
            lambda: compose_report(Material(brief, subtasks, findings, conflicts, claims, missing, self._meanings))
        )
        written = [sentence.text for section in report.sections for part in section.paragraphs for sentence in part]
        return _reasoned(report, [finding.text for finding in findings], written)

    async def plan_slides(self, request: OutlineRequest) -> Reasoned[Outline]:
        """Leave it to the deck's own rules, which measure what fits (`deliverables/deck/planning.py`)."""
        return Reasoned(value=Outline())


def _reasoned(value: T, read: Iterable[str], written: Iterable[str]) -> Reasoned[T]:
    return Reasoned(value=value, tokens=Tokens(input=count_words(read), output=count_words(written)))
