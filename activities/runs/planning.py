"""The plan: made once per run, recorded, and the same for every retry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from temporalio import activity

from activities.agents.thinking import brief_of
from activities.fallbacks import note_fallbacks
from activities.research.filling import output_row, subject_of
from activities.research.reasoner import Reasoner
from activities.sources.notes import note_degraded
from activities.usage import reasoner_usage
from infra.database import Database, driver_of
from infra.live import Live
from schema.contracts.deliverables import ExportFormat
from schema.contracts.policy import ToolPolicy
from schema.contracts.research import BY_RULE, SourceKind, Subtask
from schema.contracts.run import PlannedAgent, PlanRunInput, PlanRunResult
from schema.contracts.tables import TablePlan
from schema.contracts.tools import SourceNote
from schema.events import EventType
from schema.states import AgentStatus
from schema.store import agents, billing, clock, events, exports, forms, runs
from schema.store.agents import NewStep
from schema.store.events import NewEvent
from schema.tables.forms import RunForm
from schema.tables.runs import Agent, Run

TOOLS_BY_KIND: dict[SourceKind, tuple[str, ...]] = {
    SourceKind.CORPUS: ("corpus.search", "document.read"),
    SourceKind.WEB: ("web.search", "web.fetch"),
    SourceKind.ACADEMIC: ("academic.search", "web.fetch"),
    SourceKind.NEWS: ("news.search", "web.fetch"),
}
"""Which tools reach which kind of source; `context.sources` of a run narrows the kinds."""
SEARCH_BY_KIND = {kind: tools[0] for kind, tools in TOOLS_BY_KIND.items() if kind is not SourceKind.CORPUS}
"""The tool of each kind that needs a provider."""
CODE_TOOL = "python.run"
DATA_TOOL = "data.ask"
"""Of runs that have files; one without data among them is told so at its first call."""
WITHOUT_PROVIDER = {SourceKind.WEB: ("web.fetch",)}
"""What a kind offers where no provider of it is configured: pages that the user names can be read all the same."""


@dataclass(frozen=True)
class Offer:
    """What a deployment can offer to its runs."""

    kinds: frozenset[SourceKind] = frozenset()
    """Kinds for which a provider is configured; the corpus is always there."""
    illustrator: bool = False
    """A model of images is configured."""
    missing: tuple[SourceNote, ...] = ()
    """Providers that are configured by name and lack something."""
    code: bool = False
    """Agents may run programs (`python.run`)."""
    extra: Mapping[SourceKind, tuple[str, ...]] = field(default_factory=dict)
    """Tools of MCP servers, by the kind of source that each server is."""


def wanted_kinds(run: Run) -> tuple[SourceKind, ...]:
    """Return the kinds of source that the user wants asked, by default all; files of the run are always searched."""
    named = run.context.get("sources") or [kind.value for kind in SourceKind]
    if run.context.get("files"):
        # They are searched as the corpus is, and may be all that is to be found of it (`Reach`).
        named = [*named, SourceKind.CORPUS.value]
    return tuple(kind for kind in TOOLS_BY_KIND if kind.value in named)


def tools_of(run: Run, offer: Offer) -> tuple[str, ...]:
    """Return the run's allow-list of tools, fixed at plan time."""
    tools: dict[str, None] = {}
    for kind in wanted_kinds(run):
        usable = TOOLS_BY_KIND[kind]
        if kind in SEARCH_BY_KIND and kind not in offer.kinds:
            usable = tuple(tool for tool in usable if tool not in (SEARCH_BY_KIND[kind], "web.fetch"))
            usable += WITHOUT_PROVIDER.get(kind, ())
        tools.update(dict.fromkeys([*usable, *offer.extra.get(kind, ())]))
    if run.context.get("files"):
        tools[DATA_TOOL] = None
    if offer.code:
        tools[CODE_TOOL] = None
    policy = ToolPolicy.model_validate(run.tool_policy or {})
    return tuple(tool for tool in tools if policy.permits(tool))


def _has_deck(run: Run) -> bool:
    return ExportFormat.PPTX in exports.deliverables_of(run)


class PlanActivities:
    """The run's plan."""

    def __init__(self, db: Database, live: Live, reasoner: Reasoner, offer: Offer) -> None:
        self._db = db
        self._live = live
        self._reasoner = reasoner
        self._offer = offer

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
            form = await forms.find_form(session, input.org_id, input.run_id)
            if run.plan is not None:
                return self._planned(run, await runs.list_agents(session, input.org_id, input.run_id), form)
        if form is not None and form.kind == forms.TABLE:
            return await self._plan_table(input, started_at, form)
        reasoned = await self._reasoner.decompose(brief_of(run))
        usage = reasoner_usage(input.operation_key, self._reasoner.name, reasoned.tokens)
        async with self._db.transaction(input.org_id) as session:
            run = await runs.lock_run(session, input.org_id, input.run_id)
            if run.plan is None:
                spent_pcr = await billing.meter(
                    session, input.org_id, run_id=run.id, attempt=input.attempt, agent_number=0, items=[usage]
                )
                subtasks = reasoned.value
                if form is not None:
                    row = output_row(run.task, number=len(subtasks) + 1)
                    subtasks = (*subtasks, row)
                await agents.record_plan(session, input.org_id, run, subtasks)
                if form is not None:
                    await forms.add_row(session, input.org_id, run.id, row.number, subject_of(run.task))
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
                    output={"subtasks": len(subtasks), "spent_pcr": spent_pcr},
                )
                await agents.record_step(session, input.org_id, step)
                await agents.add_tokens(session, input.org_id, run.id, reasoned.tokens.total)
                await events.append(session, input.org_id, run.id, *_events(subtasks), *self._not_asked(run))
                connection = await driver_of(session)
                await note_degraded(connection, input.org_id, run.id, self._missing(run))
                await note_fallbacks(connection, input.org_id, run.id, reasoned.fallbacks, input.operation_key)
            result = self._planned(run, await runs.list_agents(session, input.org_id, input.run_id), form)
        await self._live.publish(input.run_id)
        return result

    async def _plan_table(self, input: PlanRunInput, started_at: datetime, form: RunForm) -> PlanRunResult:
        """Plan a table: an agent per row. Nothing is reasoned, and nothing is charged."""
        async with self._db.transaction(input.org_id) as session:
            run = await runs.lock_run(session, input.org_id, input.run_id)
            if run.plan is None:
                items = await forms.items_of(session, input.org_id, run.id)
                await agents.record_rows(session, input.org_id, run, items)
                step = NewStep(
                    run_id=run.id,
                    attempt=input.attempt,
                    agent_number=0,
                    sequence_number=0,
                    kind="plan",
                    name="plan",
                    operation_key=input.operation_key,
                    started_at=started_at,
                    input={"rows": len(items), "lanes": run.max_agents},
                    output={"rows": len(items), "spent_pcr": 0},
                )
                await agents.record_step(session, input.org_id, step)
                await events.append(session, input.org_id, run.id, _table_event(form), *self._not_asked(run))
                await note_degraded(await driver_of(session), input.org_id, run.id, self._missing(run))
            result = self._planned(run, await runs.list_agents(session, input.org_id, input.run_id), form)
        await self._live.publish(input.run_id)
        return result

    def _planned(self, run: Run, rows: list[Agent], form: RunForm | None) -> PlanRunResult:
        done = {row.number for row in rows if row.status == AgentStatus.COMPLETED}
        if form is not None and form.kind == forms.TABLE:
            waiting = tuple(row.number for row in rows if row.number not in done)
            table = TablePlan(rows=len(rows), waiting=waiting, lanes=run.max_agents)
            return PlanRunResult(agents=(), tools=tools_of(run, self._offer), spent_pcr=0, table=table)
        subtasks = [Subtask.model_validate(item) for item in run.plan or []]
        return PlanRunResult(
            agents=tuple(PlannedAgent(subtask=subtask, done=subtask.number in done) for subtask in subtasks),
            tools=tools_of(run, self._offer),
            spent_pcr=0,
            outlined=self._reasoner.name != BY_RULE and _has_deck(run),
            illustrated=self._offer.illustrator and _has_deck(run),
        )

    def _missing(self, run: Run) -> list[SourceNote]:
        wanted = wanted_kinds(run)
        return [note for note in self._offer.missing if note.kind in wanted]

    def _not_asked(self, run: Run) -> list[NewEvent]:
        """Say which kinds of source no provider is configured for, where the user named them."""
        named = wanted_kinds(run) if run.context.get("sources") else ()
        reason = "no provider is configured"
        return [
            NewEvent(
                EventType.SOURCE_DEGRADED,
                f"No {kind.value} source can be searched: {reason}",
                "warning",
                data={"provider": None, "kind": kind.value, "reason": reason},
            )
            for kind in named
            if kind in SEARCH_BY_KIND and kind not in self._offer.kinds and not self._offer.extra.get(kind)
        ]


def _table_event(form: RunForm) -> NewEvent:
    names = [column.name for column in forms.columns_of(form)]
    text = f"Planned {form.row_count} rows of {len(names)} columns"
    return NewEvent(EventType.RUN_PLANNED, text, data={"rows": form.row_count, "columns": names})


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
