"""The seam: what a reasoner can do, and which one a deployment gets.

`extractive.py` works without a model, `models.py` with any model through litellm; `fallback.py` puts the two together,
and that is what a deployment with a model gets. Drawing insights from data joins the protocol with the
feature that needs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from activities.research.meanings import Meanings
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

Role = Literal["planner", "researcher", "writer"]
"""planner: decompose, next_action. researcher: extract_claims, fill_fields. writer: the rest."""

MODEL_CALL_TIMEOUT_S = 120.0
MODEL_CALLS_MAX = 20


@dataclass(frozen=True)
class ModelConfig:
    """Which model plays which role."""

    model: str | None = None
    """litellm's name (`openai/gpt-4.1`, `ollama/llama3.1` ...). None: no model, the extractive reasoner."""
    base_url: str | None = None
    api_key: str | None = None
    planner: str | None = None
    researcher: str | None = None
    writer: str | None = None
    timeout_s: float = MODEL_CALL_TIMEOUT_S
    calls_max: int = MODEL_CALLS_MAX
    """Calls that are with the model at once; the others wait, and their timeout does not run yet."""
    answer_form: str = "json_schema"
    """The form (`models.Form`) in which the server is asked at first."""
    prompt_characters_max: int = 16_000
    """Characters of passages or findings that one prompt shows."""
    answer_tokens_max: int = 4_000
    canary: str = ""
    """A text in every system message that nothing has a reason to repeat (`activities/tools/canary.py`)."""

    def for_role(self, role: Role) -> str | None:
        """Return the model that plays `role`."""
        overrides: dict[Role, str | None] = {
            "planner": self.planner,
            "researcher": self.researcher,
            "writer": self.writer,
        }
        return overrides[role] or self.model


@dataclass(frozen=True)
class ToolHint:
    """What a reasoner must know of a tool that is not the product's own."""

    name: str
    description: str
    """In the words of whoever runs it."""
    input_schema: Mapping[str, Any]
    argument: str | None
    """The one text that it needs; None: it needs more, or something else."""


class Reasoner(Protocol):
    """Decides and words; it never calls a tool, stores anything or retries."""

    name: str
    """`extractive` or the model's name: what usage is priced by."""

    async def decompose(self, brief: Brief) -> Reasoned[tuple[Subtask, ...]]:
        """Cut the task into 1..`brief.agents_max` distinct subtasks, numbered from 1."""
        ...

    async def next_action(self, view: AgentView) -> Reasoned[ToolCall | Finish]:
        """Choose an agent's next act among `view.tools`, or finish."""
        ...

    async def extract_claims(self, view: AgentView, passages: tuple[Passage, ...]) -> Reasoned[tuple[Claim, ...]]:
        """Draw new claims from passages; every claim's `start:end` is the exact span of its quote in the snapshot."""
        ...

    async def fill_fields(self, request: FillRequest) -> Reasoned[Filled]:
        """Fill the cells of one item; every value's words occur in the spans that its cell names."""
        ...

    async def merge(self, brief: Brief, claims: Sequence[Claim]) -> Reasoned[tuple[Finding, ...]]:
        """Put claims that say the same into findings, best first."""
        ...

    async def resolve_conflicts(
        self, brief: Brief, findings: Sequence[Finding], claims: Mapping[str, Claim]
    ) -> Reasoned[tuple[Conflict, ...]]:
        """Return what the findings disagree about, with the one to prefer and why."""
        ...

    async def write_report(
        self,
        brief: Brief,
        subtasks: Sequence[Subtask],
        findings: Sequence[Finding],
        conflicts: Sequence[Conflict],
        claims: Mapping[str, Claim],
        missing: tuple[str, ...],
    ) -> Reasoned[Report]:
        """Write the report; it still has to pass the citation gate (`citations.render_report`)."""
        ...

    async def plan_slides(self, request: OutlineRequest) -> Reasoned[Outline]:
        """Group a report's statements into slides and name them; an empty outline leaves it to the deck's rules."""
        ...


def build_reasoner(config: ModelConfig, hints: Sequence[ToolHint] = (), meanings: Meanings | None = None) -> Reasoner:
    """Return the reasoner that `config` asks for: a model where every role has one, else the extractive one alone.

    Args:
        meanings: compares meanings; None: statements are compared by their words alone.
    """
    from activities.research.extractive import ExtractiveReasoner

    roles: tuple[Role, ...] = ("planner", "researcher", "writer")
    if not all(config.for_role(role) for role in roles):
        return ExtractiveReasoner(hints, meanings)
    from activities.research.fallback import FallbackReasoner
    from activities.research.models import ModelReasoner

    return FallbackReasoner(ModelReasoner(config, hints, meanings), ExtractiveReasoner(hints, meanings))
