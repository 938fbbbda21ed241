"""Act: one tool call of an agent. One transaction at its end."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import activity

from activities.agents.guard import Guard
from activities.agents.meeting import judged, record_met, record_unread, snapshotted, sources_of, unread
from activities.agents.memory import pack_output
from activities.boundary import is_worth_another_try
from activities.embedding.embedder import Embedder
from activities.sources.notes import note_degraded
from activities.tools.context import ToolContext
from activities.tools.executor import ToolExecutor
from activities.tools.policy import Verdict
from activities.tools.tool import Tool
from activities.usage import tool_usage
from infra.database import Database, driver_of
from infra.http import SafeHttpClient
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import ActInput, ActResult
from schema.contracts.policy import ToolPolicy, call_digest, canonical_json
from schema.contracts.tools import SourceNote, ToolOutput
from schema.errors import CanaryLeaked, SwissbrainError, ToolNotAllowed, ToolRefused
from schema.events import EventType
from schema.ids import agent_workflow_id
from schema.policies import APPROVAL_NOTE_LENGTH_MAX, RETRY_ATTEMPTS_TOOL
from schema.prices import tool_pcr
from schema.states import StepStatus
from schema.store import approvals, audit, clock, events, steps
from schema.store.agents import NewStep
from schema.store.approvals import WaitingCall
from schema.store.audit import workflow_actor
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
        canaries: Iterable[str] = (),
    ) -> None:
        """Keep what acts need.

        Args:
            canaries: texts that no call may carry out, of the deployment (`activities/tools/canary.py`).
        """
        self._guard = Guard(db, objects, executor.effect_of, canaries)
        self._db = db
        self._objects = objects
        self._live = live
        self._http = http
        self._executor = executor
        self._embedder = embedder

    @activity.defn(name="agent.act")
    async def act(self, input: ActInput) -> ActResult:
        """Execute one tool call, or let it wait for a person.

        Idempotency key: `operation_key`; once recorded, a repeat returns the recorded result without another call.
        A call that fails for good, or for the last time, is a recorded result that costs nothing, so that the agent
        can choose another way; so is one that the run's policy or a person refuses. A call that waits is recorded as
        an approval, and made by the same act, asked for again, once it was approved.

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
            reach=start.reach,
            embedder=self._embedder,
        )
        try:
            tool, arguments = self._executor.check(input.call.tool, input.call.arguments, input.tools)
            decision = await self._guard.judge(input, start.policy, tool, arguments)
            if (
                decision.verdict is Verdict.APPROVE
                and (waits := await self._approval(input, start.policy, tool, arguments, decision.rule)) is not None
            ):
                await self._live.publish(input.run_id)
                return waits
            output = await self._executor.call(tool, arguments, context)
        except SwissbrainError as error:
            if is_worth_another_try(error, activity.info().attempt, RETRY_ATTEMPTS_TOOL):
                raise
            result = await self._record_failure(input, start.now, error)
        else:
            result = await self._record(input, start, output)
        await self._live.publish(input.run_id)
        return result

    async def _approval(
        self, input: ActInput, policy: ToolPolicy, tool: Tool, arguments: BaseModel, rule: str
    ) -> ActResult | None:
        """Return what to wait for; None when the call was approved, and may be made now.

        Raises:
            ToolRefused: a person refused it, nobody decided in time, the agent is told to finish, or the tool or its
                arguments are not those that were approved.
            HoldClosed: the attempt was settled meanwhile.
        """
        org_id, spec = input.org_id, tool.spec
        said = canonical_json(arguments.model_dump(mode="json"))
        digest = call_digest(spec.name, spec.version, said)
        call = WaitingCall(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=input.agent_number,
            step=input.step,
            operation_key=input.operation_key,
            tool=spec.name,
            tool_version=spec.version,
            effect=spec.effect.value,
            arguments_json=said,
            arguments_sha256=digest,
            rule=rule,
            reason=input.call.reason[:APPROVAL_NOTE_LENGTH_MAX],
            expires=timedelta(seconds=policy.approval_expires_s),
        )
        async with self._db.transaction(org_id) as session:
            await steps.open_attempt(await driver_of(session), org_id, input.run_id, input.attempt)
            approval = await approvals.request(session, org_id, call)
            status, left = approval.status, approval.expires_at - await clock.now(session)
            if status == "pending" and left > timedelta() and not input.withdrawn:
                return ActResult(ok=False, waits_for=approval.id, waits_s=left.total_seconds())
            if status == "pending":
                status = "cancelled" if input.withdrawn else "expired"
                await approvals.expire(session, org_id, approval, status)
            first = await approvals.take(session, org_id, approval.id)
        if status != "approved":
            raise ToolRefused(f"The call of {spec.name} waited for an approval: {status}.", rule=f"approval_{status}")
        if approval.arguments_sha256 != digest:
            raise ToolRefused(f"{spec.name} is not what was approved; ask again.", rule="approval_mismatch")
        if not first and not spec.idempotent:
            # An earlier try of this activity may have made it: an approval is for one call.
            raise ToolRefused(f"The call of {spec.name} was begun before; what became of it is not known.", rule="once")
        return None

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
        if isinstance(error, ToolRefused | ToolNotAllowed | CanaryLeaked):
            return await self._record_refusal(input, started_at, error)
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

    async def _record_refusal(self, input: ActInput, started_at: datetime, error: SwissbrainError) -> ActResult:
        """Record a call that was refused, in the log and in the audit, in one transaction."""
        org_id, run_id, tool = input.org_id, input.run_id, input.call.tool[:100]
        rule = "canary" if isinstance(error, CanaryLeaked) else error.facts.get("rule", "not_listed")
        data = {"step": input.step, "tool": tool, "rule": rule}
        text = f"Agent {input.agent_number}: {tool} refused: {error.detail}"
        event = NewEvent(EventType.TOOL_REFUSED, text, "warning", input.agent_number, data)
        facts = {"code": error.code, "detail": error.detail, "rule": rule}
        async with self._db.transaction(org_id) as session:
            connection = await driver_of(session)
            opening = await steps.open_attempt(connection, org_id, run_id, input.attempt)
            step = self._step(input, started_at, status=StepStatus.FAILED, error=facts)
            if not await steps.record(connection, org_id, opening, FinishedStep(step, event)):
                return await self._recorded_meanwhile(connection, input)
            if rule == "canary":
                await events.append(session, org_id, run_id, canary_event("call", tool))
            await audit.record(
                session,
                org_id,
                actor=workflow_actor(agent_workflow_id(run_id, input.agent_number)),
                action="canary.detected" if rule == "canary" else "tool.refused",
                resource_type="run",
                resource_id=run_id,
                run_id=run_id,
                details={**data, "agent_number": input.agent_number, "attempt": input.attempt},
                result="denied",
            )
        return ActResult(ok=False, error_code=error.code)


def canary_event(where: str, tool: str | None) -> NewEvent:
    """Return the log line of a canary that was met; `where` is `call` or `report`."""
    text = f"A planted text was about to leave in a {where}; it was stopped"
    return NewEvent(EventType.CANARY_DETECTED, text, "error", data={"where": where, "tool": tool})


def _what(output: ToolOutput) -> str:
    """Say what a call brought."""
    results = f"{len(output.results)} results and " if output.results else ""
    return f"{results}{len(output.passages)} passages"
