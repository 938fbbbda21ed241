"""The Run workflow and the activities that only it calls. Workflow id = run id."""

from pydantic import Field
from temporalio import activity, workflow

from schema.contracts.common import Contract, ObjectRef, RunRef
from schema.contracts.research import Subtask
from schema.contracts.tables import TablePlan
from schema.states import RunStatus, StatusDetail


class ExecuteRunInput(RunRef):
    """Start one attempt of a run."""

    hold_ucr: int
    """What the attempt may spend."""
    tokens_max: int
    tries_max: int
    paused_max_s: float
    retried: bool = False
    """True when the attempt began with a retry: the row is `retrying`, not `pending`."""


class ExecuteRunResult(Contract):
    """How an attempt ended; `failed` ends as a failed workflow instead."""

    status: RunStatus
    charged_ucr: int
    released_ucr: int


class PauseRunInput(Contract):
    """Pause between steps."""


class PauseRunResult(Contract):
    """Where the run stands: `paused`, or still `running` with detail `pausing`."""

    status: RunStatus
    agents_paused: int


class ResumeRunInput(Contract):
    """Go on, with what the attempt's hold comes to by now."""

    added_ucr: int = Field(default=0, ge=0)
    """What this command added to the hold, already committed: with it, a run that goes on already is no refusal."""
    hold_ucr: int = Field(default=0, ge=0)
    """All that is held, as committed in PostgreSQL, additions included. A total, and not what was added: an Update
    that is lost takes nothing with it, since any later one tells the same. 0: not told."""


class ResumeRunResult(Contract):
    """Where the run stands after the resume."""

    status: RunStatus


class CancelRunInput(Contract):
    """Stop everything, charge what was used, release the rest."""

    reason: str = "cancelled by the caller"


class CancelRunResult(Contract):
    """Where the run stands: `cancelled`, or still on the way with detail `cancelling`."""

    status: RunStatus
    charged_ucr: int
    released_ucr: int


class FinishRunInput(Contract):
    """Let the agents stop at their next step and write the report with what there is."""


class FinishRunResult(Contract):
    """Where the run stands."""

    status: RunStatus


class RunView(Contract):
    """What the workflow knows of itself (query `state`, for debugging only)."""

    status: RunStatus
    status_detail: StatusDetail | None
    agents_live: int
    agents_parked: int
    pool_pcr: int
    """What no agent has been given yet."""
    seq: int


class AgentParked(Contract):
    """Signal `agent_parked` from an agent to its run: it waits at its gate, or (parked=False) went on."""

    agent_number: int
    parked: bool
    needs_pcr: int = Field(default=0, ge=0)
    """Above 0: it waits for this much budget, not for a resume."""
    pause_number: int = 0
    """Which of the run's pauses it answers; a late answer to an earlier one says nothing about this one."""


@workflow.defn(name="Run")
class RunWorkflow:
    """Stub of the Run workflow."""

    @workflow.run
    async def run(self, input: ExecuteRunInput) -> ExecuteRunResult:
        """Execute one attempt of a run."""
        raise NotImplementedError

    @workflow.update(name="pause")
    async def pause(self, input: PauseRunInput) -> PauseRunResult:
        """Pause; refused with `illegal_transition` unless the run is running."""
        raise NotImplementedError

    @workflow.update(name="resume")
    async def resume(self, input: ResumeRunInput) -> ResumeRunResult:
        """Resume; refused with `illegal_transition` unless the run is paused."""
        raise NotImplementedError

    @workflow.update(name="cancel")
    async def cancel(self, input: CancelRunInput) -> CancelRunResult:
        """Cancel; refused with `illegal_transition` once the run is settling."""
        raise NotImplementedError

    @workflow.update(name="finish")
    async def finish(self, input: FinishRunInput) -> FinishRunResult:
        """Finish with what there is; refused with `illegal_transition` unless running or paused."""
        raise NotImplementedError

    @workflow.query(name="state")
    def state(self) -> RunView:
        """Return what the workflow knows of itself."""
        raise NotImplementedError


class TransitionRunInput(RunRef):
    """Project one status onto the run's row; a write whose (attempt, seq) is not newer is a no-op."""

    seq: int
    status: RunStatus
    status_detail: StatusDetail | None = None
    message: str
    tries: int = 0
    agents_paused: int = 0


class BeginRunInput(TransitionRunInput):
    """The first projection of an attempt: asserts the hold by its key."""

    hold_ucr: int


class PlanRunInput(RunRef):
    """Split the question into subtasks, once per run."""

    operation_key: str


class PlannedAgent(Contract):
    """One agent of the plan."""

    subtask: Subtask
    done: bool
    """True when an earlier attempt finished it; it is not run again."""


class PlanRunResult(Contract):
    """The recorded plan; the same on every retry of the run."""

    agents: tuple[PlannedAgent, ...]
    """Empty where the run fills a table: its agents are started by lanes, and do not travel through the run."""
    tools: tuple[str, ...]
    spent_pcr: int
    table: TablePlan | None = None
    outlined: bool = False
    """A model plans the slides of the deck that the run was created with."""
    illustrated: bool = False
    """A model draws that deck's cover."""


class ReportStageResult(Contract):
    """What a stage of the report made; kept under its operation key, and the same on every repetition."""

    value: ObjectRef
    """JSON: findings (merge), conflicts (resolve), report (write)."""
    spent_pcr: int


class MergeClaimsInput(RunRef):
    """First stage of the report: put claims that say the same into findings."""

    operation_key: str
    step: int
    """Number of the step row."""


class ResolveConflictsInput(RunRef):
    """Second stage: find what disagrees, and choose."""

    operation_key: str
    step: int
    findings: ObjectRef


class WriteReportInput(RunRef):
    """Third stage: word the report."""

    operation_key: str
    step: int
    findings: ObjectRef
    conflicts: ObjectRef
    missing: tuple[str, ...] = ()
    """What is not covered and why, one sentence each."""


class WordedReport(Contract):
    """What the stages before the last one made."""

    findings: ObjectRef
    conflicts: ObjectRef
    report: ObjectRef


class OutlineDeckInput(RunRef):
    """After the report, where a deck is to be delivered and a model plans it: what its slides say."""

    operation_key: str
    step: int


class IllustrateDeckInput(RunRef):
    """After the report, where a deck is to be delivered and a model of images is configured: its cover's picture."""

    operation_key: str
    step: int


class RenderReportInput(RunRef):
    """Last stage: check every citation, number the sources, store the artifacts. No model, no cost."""

    operation_key: str
    step: int
    worded: WordedReport | None = None
    """None: the run filled a table, whose report is made by code from its cells."""


class RenderReportResult(Contract):
    """The stored report."""

    artifact_id: str
    value: ObjectRef | None = None
    """JSON: what it was made of (`ReportInputs`); None in results from before this was kept."""


class TransitionRunResult(Contract):
    """What the projection found beside the status."""

    hold_ucr: int = 0
    """All that the attempt holds; told when a run resumes, whoever resumed it. 0: not told."""


class SettleRunInput(RunRef):
    """End the attempt: money and status in one transaction."""

    seq: int
    status: RunStatus
    """completed, cancelled: capture the metered use; failed: capture nothing."""
    error_code: str | None = None
    error_detail: str | None = None
    message: str


class SettleRunResult(Contract):
    """What the settlement moved."""

    status: RunStatus
    charged_ucr: int
    released_ucr: int


@activity.defn(name="run.begin")
async def begin_run(input: BeginRunInput) -> None:
    """Assert the attempt's hold and project its first status."""
    raise NotImplementedError


@activity.defn(name="run.transition")
async def transition_run(input: TransitionRunInput) -> TransitionRunResult:
    """Project a status, its event and its audit entry, in one transaction."""
    raise NotImplementedError


@activity.defn(name="run.plan")
async def plan_run(input: PlanRunInput) -> PlanRunResult:
    """Decompose the task; records plan, tasks, agents, step, usage and events in one transaction."""
    raise NotImplementedError


@activity.defn(name="report.merge")
async def merge_claims(input: MergeClaimsInput) -> ReportStageResult:
    """Merge the claims; records step, usage and result in one transaction."""
    raise NotImplementedError


@activity.defn(name="report.resolve")
async def resolve_conflicts(input: ResolveConflictsInput) -> ReportStageResult:
    """Resolve conflicts; records step, usage and result in one transaction."""
    raise NotImplementedError


@activity.defn(name="report.write")
async def write_report(input: WriteReportInput) -> ReportStageResult:
    """Write the report; records step, usage and result in one transaction."""
    raise NotImplementedError


@activity.defn(name="report.outline")
async def outline_deck(input: OutlineDeckInput) -> ReportStageResult:
    """Have a model group and name the slides of the run's deck; records step, usage and result in one transaction."""
    raise NotImplementedError


@activity.defn(name="report.illustrate")
async def illustrate_deck(input: IllustrateDeckInput) -> ReportStageResult:
    """Have the cover of the run's deck drawn; records artifact, step and usage in one transaction."""
    raise NotImplementedError


@activity.defn(name="report.render")
async def render_report(input: RenderReportInput) -> RenderReportResult:
    """Render the report; records artifacts, step, quality and events in one transaction."""
    raise NotImplementedError


@activity.defn(name="run.settle")
async def settle_run(input: SettleRunInput) -> SettleRunResult:
    """Capture, release and close; idempotent: a second call returns what the first one moved."""
    raise NotImplementedError
