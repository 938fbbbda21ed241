"""What hangs on a run: log, agents, tasks, steps, sources, claims, tools."""

from typing import Any

from pydantic import Field

from api.serialisation import Credits, Instant
from api.views.base import Listing, View
from api.views.runs import pcr_to_credits
from schema.contracts.tools import ToolSpec
from schema.states import AgentStatus, StepStatus
from schema.tables.research import Claim, Source
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


class SourceView(View):
    """A source that a run read."""

    id: str
    run_id: str
    number: int | None
    """Its `[n]` in the report; null: read and not cited."""
    kind: str
    title: str
    uri: str
    document_id: str | None
    snapshot_sha256: str
    published_at: Instant | None
    score: ScoreView
    created_at: Instant


class SourceList(View):
    """The sources of a run: the cited ones by number, then the others by score."""

    sources: list[SourceView]


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


def source_view(source: Source) -> SourceView:
    """Show a source."""
    names = (
        "id",
        "run_id",
        "number",
        "kind",
        "title",
        "uri",
        "document_id",
        "snapshot_sha256",
        "published_at",
        "created_at",
    )
    combined = 0.5 * source.relevance + 0.3 * source.trust + 0.2 * source.recency
    score = ScoreView(combined=round(combined, 6), **_copied(source, "relevance", "trust", "recency", "reasons"))
    return SourceView(**_copied(source, *names), score=score)


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
