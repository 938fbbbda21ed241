"""Act: one tool call of an agent. One transaction at its end."""

from datetime import datetime
from typing import Any

from temporalio import activity

from activities.agents.meeting import judged, record_met, record_unread, snapshotted
from activities.agents.memory import pack_output
from activities.boundary import is_worth_another_try
from activities.embedding.embedder import Embedder
from activities.tools.context import ToolContext
from activities.tools.executor import ToolExecutor
from activities.usage import tool_usage
from infra.database import Database
from infra.http import SafeHttpClient
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import ActInput, ActResult
from schema.contracts.tools import ToolOutput
from schema.errors import SwissbrainError
from schema.events import EventType
from schema.policies import RETRY_ATTEMPTS_TOOL
from schema.prices import tool_pcr
from schema.states import StepStatus
from schema.store import agents, billing, clock, events, runs
from schema.store.agents import NewStep
from schema.store.events import NewEvent


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
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (step := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return self._recorded(input.call.tool, step.error)
            run = await runs.get_run(session, input.org_id, input.run_id)
        context = ToolContext(
            org_id=input.org_id,
            run_id=input.run_id,
            agent_number=input.agent_number,
            step=input.step,
            query=input.subtask.question,
            # The run's own time, not this moment's: the same run scores its sources the same after any delay.
            now=run.created_at,
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
            result = await self._record_failure(input, started_at, error)
        else:
            result = await self._record(input, started_at, run.created_at, output)
        await self._live.publish(input.run_id)
        return result

    @staticmethod
    def _recorded(tool: str, error: dict[str, Any] | None) -> ActResult:
        """Return the result of a call that an earlier try of this activity made and recorded, with the same price."""
        if error is not None:
            return ActResult(ok=False, error_code=error.get("code"))
        return ActResult(ok=True, spent_pcr=tool_pcr(tool))

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

    async def _record(self, input: ActInput, started_at: datetime, now: datetime, output: ToolOutput) -> ActResult:
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            output = await judged(session, org_id, output, question=input.subtask.question, now=now)
        snapshots = await snapshotted(self._objects, output)
        packed = await pack_output(self._objects, org_id, output)
        usage = tool_usage(input.operation_key, input.call.tool)
        async with self._db.transaction(org_id) as session:
            await runs.lock_attempt(session, org_id, run_id, input.attempt)
            spent_pcr = await billing.meter(
                session, org_id, run_id=run_id, attempt=input.attempt, agent_number=input.agent_number, items=[usage]
            )
            sources = await record_met(session, org_id, run_id, output, snapshots)
            if await agents.record_step(session, org_id, self._step(input, started_at, output=packed)):
                text = f"Agent {input.agent_number}: {input.call.tool} returned {len(output.passages)} passages"
                data = {"step": input.step, "tool": input.call.tool, "sources": sources}
                await events.append(
                    session,
                    org_id,
                    run_id,
                    NewEvent(EventType.TOOL_COMPLETED, text, "info", input.agent_number, data),
                )
        return ActResult(ok=True, spent_pcr=spent_pcr)

    async def _record_failure(self, input: ActInput, started_at: datetime, error: SwissbrainError) -> ActResult:
        facts = {"code": error.code, "detail": error.detail}
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            await runs.lock_attempt(session, org_id, run_id, input.attempt)
            url = input.call.arguments.get("url")
            await record_unread(session, org_id, run_id, input.call.tool, url, error.detail)
            step = self._step(input, started_at, status=StepStatus.FAILED, error=facts)
            if await agents.record_step(session, org_id, step):
                text = f"Agent {input.agent_number}: {input.call.tool} failed: {error.detail}"
                data = {"step": input.step, "tool": input.call.tool, "code": error.code}
                await events.append(
                    session,
                    org_id,
                    run_id,
                    NewEvent(EventType.TOOL_FAILED, text, "warning", input.agent_number, data),
                )
        return ActResult(ok=False, error_code=error.code)
