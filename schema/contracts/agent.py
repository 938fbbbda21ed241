"""The Agent workflow (one per subtask) and its two activities: think and act. Workflow id = `RUN/agent/N`."""

from typing import Literal

from pydantic import Field
from temporalio import activity, workflow

from schema.contracts.common import Contract, RunRef
from schema.contracts.research import Subtask, ToolCall
from schema.states import AgentStatus


class ExecuteAgentInput(RunRef):
    """Work on one subtask. The fields below `continued` carry the agent's state over a continue-as-new."""

    subtask: Subtask
    tools: tuple[str, ...]
    budget_pcr: int
    tokens_max: int
    steps_max: int
    paused: bool = False
    pause_number: int = 0
    continued: bool = False
    step: int = 0
    spent_pcr: int = 0
    tokens: int = 0
    finishing: bool = False
    recent_calls: tuple[str, ...] = ()
    stop_reason: str | None = None


class ExecuteAgentResult(Contract):
    """How the agent ended; a failed agent ends as a failed workflow."""

    status: AgentStatus
    spent_pcr: int
    steps: int


class AgentControl(Contract):
    """Signal `control` from the run to its agent."""

    kind: Literal["pause", "resume", "grant", "finish"]
    amount_pcr: int = Field(default=0, ge=0)
    """grant: how much the budget grows."""
    pause_number: int = 0
    """pause: which of the run's pauses it is; the agent's answer names it."""


class ApprovalDecided(Contract):
    """Signal `approval_decided` to an agent that waits, from the API or the reconciler; how, PostgreSQL says."""

    approval_id: str


@workflow.defn(name="Agent")
class AgentWorkflow:
    """Stub of the Agent workflow."""

    @workflow.run
    async def run(self, input: ExecuteAgentInput) -> ExecuteAgentResult:
        """Execute one agent."""
        raise NotImplementedError

    @workflow.signal(name="control")
    def control(self, input: AgentControl) -> None:
        """Take an order of the run."""
        raise NotImplementedError

    @workflow.signal(name="approval_decided")
    def approval_decided(self, input: ApprovalDecided) -> None:
        """Hear that a call may go on, or may not."""
        raise NotImplementedError


class ThinkInput(RunRef):
    """Observe what the last act brought, then choose the next action."""

    agent_number: int
    step: int
    operation_key: str
    subtask: Subtask
    tools: tuple[str, ...]
    steps_left: int
    budget_pcr: int
    """What the agent may still spend; the choice is refused rather than made beyond it."""
    finishing: bool = False
    """True: observe, then stop."""
    stop_reason: str | None = None
    """Set when the workflow ends the agent (loop, budget): observe, record the reason, stop."""


class ThinkResult(Contract):
    """What the agent wants."""

    outcome: Literal["act", "finished", "out_of_budget"]
    call: ToolCall | None = None
    spent_pcr: int = 0
    tokens: int = 0
    needs_pcr: int = 0
    """outcome out_of_budget: what the step would cost at most; nothing was done or metered."""


class ActInput(RunRef):
    """Call one tool."""

    agent_number: int
    step: int
    operation_key: str
    subtask: Subtask
    call: ToolCall
    tools: tuple[str, ...]
    withdrawn: bool = False
    """The call waited for an approval, and the agent is told to finish: the wait ends here."""


class ActResult(Contract):
    """What became of the call; a tool that failed for good is a result, so that the agent can choose another way."""

    ok: bool
    spent_pcr: int = 0
    error_code: str | None = None
    waits_for: str | None = None
    """Id of the approval without which the call is not made; nothing was done, and the same act is asked for again
    when it was decided, or after `waits_s`."""
    waits_s: float = 0.0


class CloseAgentInput(RunRef):
    """Record that an agent failed or was cancelled."""

    agent_number: int
    status: AgentStatus
    steps: int
    error_code: str | None = None
    error_detail: str | None = None


@activity.defn(name="agent.think")
async def think(input: ThinkInput) -> ThinkResult:
    """Observe and decide; records claims, step, usage, agent and events in one transaction."""
    raise NotImplementedError


@activity.defn(name="agent.think_row")
async def think_row(input: ThinkInput) -> ThinkResult:
    """Observe and decide, for the row of a table; records cells besides what `think` records."""
    raise NotImplementedError


@activity.defn(name="agent.act")
async def act(input: ActInput) -> ActResult:
    """Execute one tool call; records step, sources, usage and events in one transaction."""
    raise NotImplementedError


@activity.defn(name="agent.close")
async def close_agent(input: CloseAgentInput) -> None:
    """Project an agent's failure or cancellation."""
    raise NotImplementedError
