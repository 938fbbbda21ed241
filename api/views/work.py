"""What hangs on a run: log, agents, tasks, steps, sources, claims, tools."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from api.serialisation import Credits, Instant
from api.views.base import Listing, View
from api.views.runs import pcr_to_credits
from schema.contracts.research import Outcome
from schema.contracts.tools import ToolSpec
from schema.policies import SOURCE_CONTEXT_CHARACTERS
from schema.states import AgentStatus, StepStatus
from schema.store.research import ListedSource
from schema.tables.research import Claim
from schema.tables.runs import Agent, Step, Task


class LogLine(View):
    """One line of a run's log."""

    seq: int
    """Gap-free per run, from 1; the stream's `id:`."""
    timestamp: Instant
    level: str
    message: str
    type: str
    agent: int | None
    data: dict[str, Any] | None


class LogPage(View):
    """Lines of a run's log, oldest first."""

    logs: list[LogLine]
    last_seq: int
    """Pass it as `after_seq` to go on."""
    has_more: bool


class AgentView(View):
    """One agent of a run."""

    id: str
    run_id: str
    number: int
    status: AgentStatus
    attempt_number: int
    subtask: str
    steps: int
    tokens_used: int
    claims: int
    outcome: str | None
    last_error: dict[str, Any] | None
    created_at: Instant
    started_at: Instant | None
    completed_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


class AgentList(View):
    """The agents of a run, by number."""

    agents: list[AgentView]


class TaskView(View):
    """One subtask of a run's plan."""

    id: str
    run_id: str
    sequence_number: int
    name: str
    description: str | None
    status: str
    created_at: Instant
    started_at: Instant | None
    completed_at: Instant | None


class TaskList(View):
    """The subtasks of a run, in order."""

    tasks: list[TaskView]


class StepView(View):
    """One think or act of an agent; agent 0 is the run itself."""

    id: str
    run_id: str
    task_id: str | None
    attempt_number: int
    agent: int
    sequence_number: int
    kind: str
    name: str
    tool_name: str | None
    status: StepStatus
    input: dict[str, Any]
    output: dict[str, Any] | None
    error: dict[str, Any] | None
    started_at: Instant | None
    completed_at: Instant
    duration_ms: int


class StepList(Listing):
    """A page of steps, in order."""

    steps: list[StepView]


class ScoreView(View):
    """Why a source ranks where it does: `0.5 relevance + 0.3 trust + 0.2 recency`, each in 0..1."""

    combined: float
    relevance: float
    trust: float
    recency: float
    reasons: dict[str, Any]


class SourceCopy(View):
    """The same text at another address; it counts as no source of its own."""

    source_id: str | None
    """Null: word for word the same, met at another address."""
    title: str
    uri: str


class SourceView(View):
    """A source that a run met."""

    id: str
    run_id: str
    number: int | None
    """Its `[n]` in the report; null: not cited."""
    kind: str
    title: str
    uri: str
    document_id: str | None
    snapshot_sha256: str | None
    """Of the text that was read; null: nothing was."""
    language: str | None
    published_at: Instant | None
    score: ScoreView
    outcome: Outcome
    used: bool
    """Whether the report cites it."""
    why: str
    """Why it is cited or not, as a sentence."""
    claims: int
    """Statements that were drawn from it."""
    copy_of: str | None
    """The source that it is a copy of."""
    copies: list[SourceCopy]
    created_at: Instant
    links: dict[str, str] = Field(alias="_links")


class SourceList(Listing):
    """A page of all sources that a run met: the cited ones by number, then the others by score."""

    sources: list[SourceView]


class SourceClaim(View):
    """A statement and the very text around the span that shows it."""

    id: str
    agent: int
    text: str
    quote: str
    start_offset: int
    end_offset: int
    before: str
    """Of the snapshot: what stands before the span."""
    after: str
    relevance: float


class SourceDetail(SourceView):
    """One source with a page of what was drawn from it."""

    evidence: list[SourceClaim]
    next_cursor: str | None
    """Pass it as `cursor` to get more of `evidence`; null on the last page."""


class ClaimView(View):
    """A statement, and the span of the snapshot that shows it."""

    id: str
    run_id: str
    agent: int
    step: int
    text: str
    quote: str
    snapshot_sha256: str
    start_offset: int
    end_offset: int
    relevance: float
    drawn_by: str | None
    """The model that drew it, or `extractive`; null for claims from before this was recorded."""
    created_at: Instant


class ClaimList(Listing):
    """A page of claims."""

    claims: list[ClaimView]


class ToolView(View):
    """A tool that agents may use."""

    name: str
    version: str
    description: str
    effect: str
    idempotent: bool
    timeout_s: float
    cost_credits: Credits
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


class ToolList(View):
    """The tools, by name."""

    tools: list[ToolView]


def agent_view(agent: Agent) -> AgentView:
    """Show an agent."""
    links = {
        "self": f"/api/v1/agents/{agent.id}",
        "run": f"/api/v1/runs/{agent.run_id}",
        "steps": f"/api/v1/runs/{agent.run_id}/steps?agent={agent.number}",
    }
    names = ("id", "run_id", "number", "status", "subtask", "steps", "tokens_used", "claims", "outcome", "last_error")
    return AgentView(**_copied(agent, *names), **_times(agent), attempt_number=agent.attempt, links=links)


def task_view(task: Task) -> TaskView:
    """Show a subtask."""
    names = ("id", "run_id", "sequence_number", "name", "description", "status")
    return TaskView(**_copied(task, *names), **_times(task))


def step_view(step: Step) -> StepView:
    """Show a step."""
    names = ("id", "run_id", "task_id", "sequence_number", "kind", "name", "tool_name", "status", "input", "output")
    more = ("error", "started_at", "completed_at", "duration_ms")
    return StepView(**_copied(step, *names, *more), attempt_number=step.attempt, agent=step.agent_number)


def source_view(listed: ListedSource, *, finished: bool) -> SourceView:
    """Show a source.

    Args:
        finished: the run's report is written, so that what is not cited by now will not be.
    """
    return SourceView(**_source_fields(listed, finished))


def source_detail(
    listed: ListedSource, *, finished: bool, claims: Sequence[Claim], snapshot: str, next_cursor: str | None
) -> SourceDetail:
    """Show a source with the text around each claim.

    Args:
        snapshot: the text that was read.
    """
    evidence = [
        SourceClaim(
            **_copied(claim, "id", "text", "quote", "start_offset", "end_offset", "relevance"),
            agent=claim.agent_number,
            before=snapshot[max(0, claim.start_offset - SOURCE_CONTEXT_CHARACTERS) : claim.start_offset],
            after=snapshot[claim.end_offset : claim.end_offset + SOURCE_CONTEXT_CHARACTERS],
        )
        for claim in claims
    ]
    return SourceDetail(**_source_fields(listed, finished), evidence=evidence, next_cursor=next_cursor)


def _source_fields(listed: ListedSource, finished: bool) -> dict[str, Any]:
    source = listed.source
    combined = 0.5 * source.relevance + 0.3 * source.trust + 0.2 * source.recency
    names = ("id", "run_id", "number", "kind", "title", "uri", "document_id", "snapshot_sha256", "published_at")
    elsewhere = [
        SourceCopy(source_id=None, title=str(title), uri=uri)
        for uri, title in sorted(source.addresses.items())
        if uri != source.uri
    ]
    return {
        **_copied(source, *names, "created_at", "copy_of"),
        "score": ScoreView(combined=round(combined, 6), **_copied(source, "relevance", "trust", "recency", "reasons")),
        "language": listed.language,
        "outcome": Outcome(source.outcome),
        "used": source.number is not None,
        "why": why(listed, finished),
        "claims": listed.claims,
        "copies": elsewhere + [SourceCopy(source_id=copy.id, title=copy.title, uri=copy.uri) for copy in listed.copies],
        "links": {
            "self": f"/api/v1/runs/{source.run_id}/sources/{source.id}",
            "run": f"/api/v1/runs/{source.run_id}",
        },
    }


def why(listed: ListedSource, finished: bool) -> str:
    """Say why a source is cited or not."""
    source, original = listed.source, listed.original
    if source.number is not None:
        return f"Cited as [{source.number}]."
    if source.outcome == Outcome.FAILED:
        return f"It could not be loaded: {source.detail or 'no reason is known.'}"
    if source.outcome == Outcome.LEFT_OUT:
        return source.detail or "It was found and not opened."
    if original is not None:
        named = f"[{original.number}]" if original.number is not None else f"“{original.title}”"
        return f"It is a copy of {named} ({original.uri}), which counts in its place."
    drawn = "1 statement was" if listed.claims == 1 else f"{listed.claims} statements were"
    if not finished:
        return f"Read; {drawn} drawn from it so far. The report is not written yet."
    if not listed.claims:
        return "Read, but nothing in it answers the question."
    return f"Read; {drawn} drawn from it, and the report uses none: others say the same, or answer better."


def claim_view(claim: Claim) -> ClaimView:
    """Show a claim."""
    names = (
        "id",
        "run_id",
        "step",
        "text",
        "quote",
        "snapshot_sha256",
        "start_offset",
        "end_offset",
        "relevance",
        "drawn_by",
        "created_at",
    )
    return ClaimView(**_copied(claim, *names), agent=claim.agent_number)


def tool_view(tool: ToolSpec) -> ToolView:
    """Show a tool."""
    names = ("name", "version", "description", "idempotent", "timeout_s", "input_schema", "output_schema")
    return ToolView(**_copied(tool, *names), effect=tool.effect.value, cost_credits=pcr_to_credits(tool.cost_pcr))


def _copied(row: object, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _times(row: object) -> dict[str, Any]:
    return _copied(row, "created_at", "started_at", "completed_at")
