"""Think: observe what the last act brought, then choose the next action. One transaction at its end."""

from temporalio import activity

from activities.agents.deciding import Thought, calls_of, decided, own, record, step_of, stop_of, unaffordable
from activities.agents.memory import recall
from activities.calls import kept_where_it_fails
from activities.research.reasoner import Reasoner
from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import CloseAgentInput, ThinkInput, ThinkResult
from schema.contracts.common import Tokens
from schema.contracts.research import AgentView, Brief, Claim, Fallback
from schema.events import EventType
from schema.states import TERMINAL, AgentStatus
from schema.store import agents, dead_letters, events, runs, steps
from schema.store.agents import AgentProgress
from schema.store.events import NewEvent
from schema.tables.runs import Run


def brief_of(run: Run) -> Brief:
    """Return what the user asked for."""
    return Brief(
        task=run.task,
        name=run.name,
        context=run.context,
        agents_max=run.max_agents,
        tokens_max=run.max_tokens,
        asked_at=run.created_at,
    )


class ThinkActivities:
    """The agent's reasoning."""

    def __init__(self, db: Database, objects: ObjectStore, live: Live, reasoner: Reasoner) -> None:
        self._db = db
        self._objects = objects
        self._live = live
        self._reasoner = reasoner

    @activity.defn(name="agent.think")
    async def think(self, input: ThinkInput) -> ThinkResult:
        """Observe and decide.

        Idempotency key: `operation_key`; once recorded, a repeat returns the recorded decision without thinking again.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: the model failed.
            HoldClosed: the attempt was settled meanwhile.
        """
        async with self._db.direct(input.org_id) as connection:
            memory = await steps.remember(
                connection,
                input.org_id,
                input.run_id,
                attempt=input.attempt,
                agent_number=input.agent_number,
                operation_key=input.operation_key,
            )
        if memory.recorded is not None:
            return ThinkResult.model_validate(memory.recorded.output)
        if (refused := unaffordable(input, self._reasoner.name)) is not None:
            return refused
        view = AgentView(
            brief=memory.brief,
            subtask=input.subtask,
            steps=await recall(self._objects, memory),
            claims=memory.claims,
            tools=input.tools,
            steps_left=input.steps_left,
        )
        calls = calls_of(self._db, self._objects, input, self._reasoner.name)
        async with kept_where_it_fails(calls):
            thought = await self._reason(input, view)
        step = step_of(input, memory.now, {"claims": len(view.claims)})
        async with self._db.direct(input.org_id) as connection:
            opening = await steps.open_attempt(connection, input.org_id, input.run_id, input.attempt)
            result = await record(connection, opening, input, step, thought, calls)
            if result is None:
                result = await decided(connection, input)
        await self._live.publish(input.run_id)
        return result

    async def _reason(self, input: ThinkInput, view: AgentView) -> Thought:
        """Extract claims from the last act, if it was the step before this one; then decide."""
        tokens = Tokens()
        found: tuple[Claim, ...] = ()
        fallbacks: tuple[Fallback, ...] = ()
        last = view.steps[-1] if view.steps else None
        if last is not None and last.step == input.step - 1 and last.passages:
            extracted = await self._reasoner.extract_claims(view, last.passages)
            tokens += extracted.tokens
            fallbacks = extracted.fallbacks
            found = own(extracted.value, input.agent_number)
        if (stop := stop_of(input)) is not None:
            return Thought(stop, found, tokens, fallbacks)
        chosen = await self._reasoner.next_action(view.model_copy(update={"claims": view.claims + found}))
        return Thought(chosen.value, found, tokens + chosen.tokens, fallbacks + chosen.fallbacks)


class CloseAgentActivities:
    """The end of an agent that did not finish by itself."""

    def __init__(self, db: Database, live: Live) -> None:
        self._db = db
        self._live = live

    @activity.defn(name="agent.close")
    async def close(self, input: CloseAgentInput) -> None:
        """Project a failure or cancellation; a repeat changes nothing that matters."""
        failed = input.status is AgentStatus.FAILED
        error = {"code": input.error_code, "detail": input.error_detail} if input.error_code else None
        number, org_id, run_id = input.agent_number, input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            run = await runs.lock_run(session, org_id, run_id)
            if run.attempt != input.attempt or run.status in TERMINAL:
                return
            progress = AgentProgress(
                number=number, attempt=input.attempt, status=input.status, steps=input.steps, error=error
            )
            await agents.advance(session, org_id, run_id, progress)
            kind = EventType.AGENT_FAILED if failed else EventType.AGENT_CANCELLED
            text = f"Agent {number} {input.status.value}" + (f": {input.error_detail}" if failed else "")
            level = "warning" if failed else "info"
            await events.append(session, org_id, run_id, NewEvent(kind, text, level, number, {"error": error}))
            if failed:
                await dead_letters.record(
                    session,
                    org_id,
                    kind="agent",
                    subject_id=f"{run_id}/agent/{number}",
                    attempt=input.attempt,
                    error=error or {},
                    run_id=run_id,
                )
        await self._live.publish(run_id)
