"""The two reasoners together: a model first, and rules where it brings nothing that can be used.

What the model's unusable answers cost is in the tokens: they were bought. What is done by rule instead costs nothing.
Each such piece of work is one of the answer's `fallbacks`. Nothing is left to chance: a repetition of an operation that
finds the same answers (`journal.py`) comes to the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from activities.research.composing import compose_report
from activities.research.material import Material
from activities.research.models import ModelReasoner
from activities.research.models_asking import tokens_bought
from activities.research.reasoner import Reasoner
from schema.contracts.research import (
    BY_RULE,
    AgentView,
    Brief,
    Claim,
    Conflict,
    Fallback,
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
from schema.errors import ProviderAnswerInvalid

T = TypeVar("T")


class FallbackReasoner:
    """A model in front, rules behind it."""

    def __init__(self, model: ModelReasoner, rules: Reasoner) -> None:
        self._model = model
        self._rules = rules
        self.name = model.name

    async def decompose(self, brief: Brief) -> Reasoned[tuple[Subtask, ...]]:
        """Let the model split the task; else its own grammar does."""
        return await _either("decompose", self._model.decompose(brief), lambda: self._rules.decompose(brief))

    async def next_action(self, view: AgentView) -> Reasoned[ToolCall | Finish]:
        """Let the model choose; the search policy does where it wants what it may not, or ends before it looked."""
        chosen = await _either("next_action", self._model.next_action(view), lambda: self._rules.next_action(view))
        # Small models call a question answered before they have looked.
        is_blind = isinstance(chosen.value, Finish) and not view.steps and view.steps_left > 0
        if chosen.fallbacks or not (chosen.unusable or is_blind):
            return chosen
        by_rule = await self._rules.next_action(view)
        noted = Fallback(operation="next_action", reason="not_allowed" if chosen.unusable else "has_not_looked")
        return chosen.model_copy(update={"value": by_rule.value, "fallbacks": (noted,)})

    async def extract_claims(self, view: AgentView, passages: tuple[Passage, ...]) -> Reasoned[tuple[Claim, ...]]:
        """Let the model draw claims; of a source of which it drew none that its text shows, rules draw what answers."""
        drawn = await self._model.extract_claims(view, passages)
        spoken = {claim.source.snapshot_sha256 for claim in drawn.value if claim.drawn_by != BY_RULE}
        silent = tuple(passage for passage in passages if passage.source.snapshot_sha256 not in spoken)
        if not silent:
            return drawn
        # All passages are ranked together: what is taken of a silent source is good beside what the others say.
        by_rule = await self._rules.extract_claims(view, passages)
        held = {claim.id for claim in drawn.value}
        added = tuple(
            claim for claim in by_rule.value if claim.source.snapshot_sha256 not in spoken and claim.id not in held
        )
        if not added and not drawn.unusable:
            return drawn
        noted = Fallback(
            operation="extract_claims",
            reason="unusable_answer" if drawn.unusable else "nothing_shown",
            sources=tuple(dict.fromkeys(claim.source.title for claim in added)),
            claims=len(added),
        )
        return drawn.model_copy(update={"value": (*drawn.value, *added), "fallbacks": (noted,)})

    async def fill_fields(self, request: FillRequest) -> Reasoned[Filled]:
        """Fill by code first in any case; what the model could not add is only noted."""
        return _noted("fill_fields", await self._model.fill_fields(request))

    async def merge(self, brief: Brief, claims: Sequence[Claim]) -> Reasoned[tuple[Finding, ...]]:
        """Group by code first in any case; what the model could not add is only noted."""
        return _noted("merge", await self._model.merge(brief, claims))

    async def resolve_conflicts(
        self, brief: Brief, findings: Sequence[Finding], claims: Mapping[str, Claim]
    ) -> Reasoned[tuple[Conflict, ...]]:
        """Compare by code first in any case; what the model could not add is only noted."""
        return _noted("resolve_conflicts", await self._model.resolve_conflicts(brief, findings, claims))

    async def write_report(
        self,
        brief: Brief,
        subtasks: Sequence[Subtask],
        findings: Sequence[Finding],
        conflicts: Sequence[Conflict],
        claims: Mapping[str, Claim],
        missing: tuple[str, ...],
    ) -> Reasoned[Report]:
        """Let the model write; without a summary of its own the report is arranged by rule, and says so."""

        async def arranged() -> Reasoned[Report]:
            material = await asyncio.to_thread(
                Material, brief, subtasks, findings, conflicts, claims, missing, self._model.meanings
            )
            return Reasoned(value=await asyncio.to_thread(compose_report, material, made="arranged"))

        written = self._model.write_report(brief, subtasks, findings, conflicts, claims, missing)
        return _noted("write_report", await _either("write_report", written, arranged))

    async def plan_slides(self, request: OutlineRequest) -> Reasoned[Outline]:
        """Let the model group and name; the deck's rules do where it brings no slide that can be used."""
        return _noted(
            "plan_slides",
            await _either("plan_slides", self._model.plan_slides(request), lambda: self._rules.plan_slides(request)),
        )


async def _either(
    operation: str, first: Awaitable[Reasoned[T]], second: Callable[[], Awaitable[Reasoned[T]]]
) -> Reasoned[T]:
    """Return what the first comes to, or the second for the price of the first's unusable answers."""
    try:
        return await first
    except ProviderAnswerInvalid as error:
        # A provider that sent nothing readable at all may do better at the next try, which Temporal makes.
        if (bought := tokens_bought(error)) is None:
            raise
    by_rule = await second()
    noted = Fallback(operation=operation, reason="unusable_answer")
    return by_rule.model_copy(update={"tokens": bought, "unusable": 1, "fallbacks": (noted,)})


def _noted(operation: str, reasoned: Reasoned[T]) -> Reasoned[T]:
    """Note a part of the work that had no usable answer."""
    if not reasoned.unusable or reasoned.fallbacks:
        return reasoned
    noted = Fallback(operation=operation, reason="unusable_answer")
    return reasoned.model_copy(update={"fallbacks": (noted,)})
