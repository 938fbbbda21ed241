"""Act: one tool call of an agent. One transaction at its end."""

from datetime import datetime
from typing import Any

from temporalio import activity

from activities.agents.meeting import judged, record_met, record_unread, snapshotted, sources_of, unread
from activities.agents.memory import pack_output
from activities.boundary import is_worth_another_try
from activities.embedding.embedder import Embedder
from activities.sources.notes import note_degraded
from activities.tools.context import ToolContext
from activities.tools.executor import ToolExecutor
from activities.usage import tool_usage
from infra.database import Database
from infra.http import SafeHttpClient
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import ActInput, ActResult
from schema.contracts.tools import SourceNote, ToolOutput
from schema.errors import SwissbrainError
from schema.events import EventType
from schema.policies import RETRY_ATTEMPTS_TOOL
from schema.prices import tool_pcr
from schema.states import StepStatus
from schema.store import steps
from schema.store.agents import NewStep
from schema.store.direct import Connection
from schema.store.events import NewEvent
from schema.store.steps import FinishedStep, RecordedStep, Start


class ActActivities:
    """The agent's hands."""

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        live: Live,
        http: SafeHttpClient,
        executor: ToolExecutor,
        embedder: Embedder | None = None,
    ) -> None:
        self._db = db
        self._objects = objects
        self._live = live
        self._http = http
        self._executor = executor
        self._embedder = embedder

    @activity.defn(name="agent.act")
    async def act(self, input: ActInput) -> ActResult:
        """Execute one tool call.

        Idempotency key: `operation_key`; once recorded, a repeat returns the recorded result without another call.
        A call that fails for good, or for the last time, is a recorded result that costs nothing, so that the agent
        can choose another way.

        Raises:
            DependencyError: worth another try, which Temporal makes.
            HoldClosed: the attempt was settled meanwhile.
        """
        async with self._db.direct(input.org_id) as connection:
            start = await steps.start(connection, input.org_id, input.run_id, operation_key=input.operation_key)
        if start.recorded is not None:
            return self._recorded(input, start.recorded)
        context = ToolContext(
            org_id=input.org_id,
            run_id=input.run_id,
            agent_number=input.agent_number,
            step=input.step,
            query=input.subtask.question,
            # The run's own time, not this moment's: the same run scores its sources the same after any delay.
            now=start.run_created_at,
            db=self._db,
            objects=self._objects,
            http=self._http,
            heartbeat=activity.heartbeat,
            embedder=self._embedder,
        )
        try:
            output = await self._executor.execute(input.call.tool, input.call.arguments, context, allowed=input.tools)
        except SwissbrainError as error:
            if is_worth_another_try(error, activity.info().attempt, RETRY_ATTEMPTS_TOOL):
                raise
            result = await self._record_failure(input, start.now, error)
        else:
            result = await self._record(input, start, output)
        await self._live.publish(input.run_id)
        return result

    @staticmethod
    def _recorded(input: ActInput, step: RecordedStep) -> ActResult:
        """Return the result of a call that an earlier try of this activity made and recorded, with the same price."""
        if step.error is not None:
            return ActResult(ok=False, error_code=step.error.get("code"))
        return ActResult(ok=True, spent_pcr=tool_pcr(input.call.tool))

    async def _recorded_meanwhile(self, connection: Connection, input: ActInput) -> ActResult:
        """Return the result of the other try that was under way at the same time and came first."""
        start = await steps.start(connection, input.org_id, input.run_id, operation_key=input.operation_key)
        assert start.recorded is not None
        return self._recorded(input, start.recorded)

    def _step(self, input: ActInput, started_at: datetime, **fields: Any) -> NewStep:
        return NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=input.agent_number,
            sequence_number=input.step,
            kind="act",
            name=input.call.tool,
            tool_name=input.call.tool,
            operation_key=input.operation_key,
            started_at=started_at,
            input=input.call.arguments,
            **fields,
        )

    async def _record(self, input: ActInput, start: Start, output: ToolOutput) -> ActResult:
        org_id, run_id = input.org_id, input.run_id
        output = await judged(self._db, org_id, output, question=input.subtask.question, now=start.run_created_at)
        snapshots = await snapshotted(self._objects, output)
        packed = await pack_output(self._objects, org_id, output)
        usage = tool_usage(input.operation_key, input.call.tool)
        text = f"Agent {input.agent_number}: {input.call.tool} returned {_what(output)}"
        data = {"step": input.step, "tool": input.call.tool, "sources": len(sources_of(output))}
        event = NewEvent(EventType.TOOL_COMPLETED, text, "info", input.agent_number, data)
        async with self._db.direct(org_id) as connection:
            opening = await steps.open_attempt(connection, org_id, run_id, input.attempt)
            await record_met(connection, org_id, run_id, output, snapshots)
            step = self._step(input, start.now, output=packed)
            if not await steps.record(connection, org_id, opening, FinishedStep(step, event, usage)):
                return await self._recorded_meanwhile(connection, input)
            await note_degraded(connection, org_id, run_id, output.notes)
        return ActResult(ok=True, spent_pcr=opening.amount_pcr(usage))

    async def _record_failure(self, input: ActInput, started_at: datetime, error: SwissbrainError) -> ActResult:
        facts = {"code": error.code, "detail": error.detail}
        org_id, run_id = input.org_id, input.run_id
        text = f"Agent {input.agent_number}: {input.call.tool} failed: {error.detail}"
        data = {"step": input.step, "tool": input.call.tool, "code": error.code}
        event = NewEvent(EventType.TOOL_FAILED, text, "warning", input.agent_number, data)
        notes = [SourceNote.model_validate(note) for note in error.facts.get("notes", ())]
        failed = await unread(self._db, org_id, input.call.tool, input.call.arguments.get("url"), error.detail)
        async with self._db.direct(org_id) as connection:
            opening = await steps.open_attempt(connection, org_id, run_id, input.attempt)
            await record_unread(connection, org_id, run_id, failed)
            step = self._step(input, started_at, status=StepStatus.FAILED, error=facts)
            if not await steps.record(connection, org_id, opening, FinishedStep(step, event)):
                return await self._recorded_meanwhile(connection, input)
            await note_degraded(connection, org_id, run_id, notes)
        return ActResult(ok=False, error_code=error.code)


def _what(output: ToolOutput) -> str:
    """Say what a call brought."""
    results = f"{len(output.results)} results and " if output.results else ""
    return f"{results}{len(output.passages)} passages"
