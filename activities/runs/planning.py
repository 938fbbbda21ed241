"""The plan: made once per run, recorded, and the same for every retry."""

from temporalio import activity

from activities.agents.thinking import brief_of
from activities.research.reasoner import Reasoner
from activities.usage import reasoner_usage
from infra.database import Database
from infra.live import Live
from schema.contracts.research import SourceKind, Subtask
from schema.contracts.run import PlannedAgent, PlanRunInput, PlanRunResult
from schema.events import EventType
from schema.states import AgentStatus
from schema.store import agents, billing, clock, events, runs
from schema.store.agents import NewStep
from schema.store.events import NewEvent
from schema.tables.runs import Agent, Run

TOOLS_BY_KIND: dict[SourceKind, tuple[str, ...]] = {
    SourceKind.CORPUS: ("corpus.search", "document.read"),
    SourceKind.WEB: ("web.fetch",),
}
"""Which tools reach which kind of source; `context.sources` of a run narrows the kinds."""


def tools_of(run: Run) -> tuple[str, ...]:
    """Return the run's allow-list of tools, fixed at plan time."""
    wanted = run.context.get("sources") or [kind.value for kind in SourceKind]
    return tuple(tool for kind, tools in TOOLS_BY_KIND.items() if kind.value in wanted for tool in tools)


class PlanActivities:
    """The run's plan."""

    def __init__(self, db: Database, live: Live, reasoner: Reasoner) -> None:
        self._db = db
        self._live = live
        self._reasoner = reasoner

    @activity.defn(name="run.plan")
    async def plan(self, input: PlanRunInput) -> PlanRunResult:
        """Decompose the task, or return the plan that was recorded before.

        Idempotency key: the run itself; a plan is never made twice.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: the model failed.
            HoldClosed: the attempt was settled meanwhile.
        """
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            run = await runs.get_run(session, input.org_id, input.run_id)
            if run.plan is not None:
                return _planned(run, await runs.list_agents(session, input.org_id, input.run_id))
        reasoned = await self._reasoner.decompose(brief_of(run))
        usage = reasoner_usage(input.operation_key, self._reasoner.name, reasoned.tokens)
        async with self._db.transaction(input.org_id) as session:
            run = await runs.lock_run(session, input.org_id, input.run_id)
            if run.plan is None:
                spent_pcr = await billing.meter(
                    session, input.org_id, run_id=run.id, attempt=input.attempt, agent_number=0, items=[usage]
                )
                await agents.record_plan(session, input.org_id, run, reasoned.value)
                step = NewStep(
                    run_id=run.id,
                    attempt=input.attempt,
                    agent_number=0,
                    sequence_number=0,
                    kind="plan",
                    name="plan",
                    operation_key=input.operation_key,
                    started_at=started_at,
                    input={"agents_max": run.max_agents},
                    output={"subtasks": len(reasoned.value), "spent_pcr": spent_pcr},
                )
                await agents.record_step(session, input.org_id, step)
                await agents.add_tokens(session, input.org_id, run.id, reasoned.tokens.total)
                await events.append(session, input.org_id, run.id, *_events(reasoned.value))
            result = _planned(run, await runs.list_agents(session, input.org_id, input.run_id))
        await self._live.publish(input.run_id)
        return result


def _planned(run: Run, rows: list[Agent]) -> PlanRunResult:
    done = {row.number for row in rows if row.status == AgentStatus.COMPLETED}
    subtasks = [Subtask.model_validate(item) for item in run.plan or []]
    return PlanRunResult(
        agents=tuple(PlannedAgent(subtask=subtask, done=subtask.number in done) for subtask in subtasks),
        tools=tools_of(run),
        spent_pcr=0,
    )


def _events(subtasks: tuple[Subtask, ...]) -> list[NewEvent]:
    return [
        NewEvent(
            EventType.RUN_PLANNED, f"Planned {len(subtasks)} subtasks", data={"titles": [s.title for s in subtasks]}
        ),
        *(
            NewEvent(EventType.AGENT_SPAWNED, f"Agent {s.number} spawned: {s.title}", agent_number=s.number)
            for s in subtasks
        ),
    ]
