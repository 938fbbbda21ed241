"""Think: observe what the last act brought, then choose the next action. One transaction at its end."""

from dataclasses import dataclass

from temporalio import activity

from activities.agents.memory import recall
from activities.fallbacks import note_fallbacks
from activities.research.reasoner import Reasoner
from activities.usage import reasoner_usage
from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import CloseAgentInput, ThinkInput, ThinkResult
from schema.contracts.common import Tokens
from schema.contracts.research import AgentView, Brief, Claim, Fallback, Finish, ToolCall
from schema.events import EventType
from schema.ids import CLAIM, derived_id
from schema.prices import step_needs_pcr
from schema.states import TERMINAL, AgentStatus
from schema.store import agents, dead_letters, events, runs, steps
from schema.store.agents import AgentProgress, NewStep
from schema.store.events import NewEvent
from schema.store.steps import FinishedStep
from schema.tables.runs import Run


def brief_of(run: Run) -> Brief:
    """Return what the user asked for."""
    return Brief(
        task=run.task, name=run.name, context=run.context, agents_max=run.max_agents, tokens_max=run.max_tokens
    )


@dataclass(frozen=True)
class _Thought:
    """What one think came to."""

    action: ToolCall | Finish
    claims: tuple[Claim, ...]
    tokens: Tokens
    fallbacks: tuple[Fallback, ...] = ()


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
        must_stop = input.finishing or input.stop_reason is not None
        needs_pcr = step_needs_pcr(self._reasoner.name)
        if input.budget_pcr < needs_pcr and not must_stop:
            return ThinkResult(outcome="out_of_budget", needs_pcr=needs_pcr)
        view = AgentView(
            brief=memory.brief,
            subtask=input.subtask,
            steps=await recall(self._objects, memory),
            claims=memory.claims,
            tools=input.tools,
            steps_left=input.steps_left,
        )
        thought = await self._reason(input, view, must_stop)
        step = NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=input.agent_number,
            sequence_number=input.step,
            kind="think",
            name="think",
            operation_key=input.operation_key,
            started_at=memory.now,
            input={"steps_left": input.steps_left, "claims": len(view.claims)},
        )
        result = await self._record(input, thought, step)
        await self._live.publish(input.run_id)
        return result

    async def _reason(self, input: ThinkInput, view: AgentView, must_stop: bool) -> _Thought:
        """Extract claims from the last act, if it was the step before this one; then decide."""
        tokens = Tokens()
        found: tuple[Claim, ...] = ()
        fallbacks: tuple[Fallback, ...] = ()
        last = view.steps[-1] if view.steps else None
        if last is not None and last.step == input.step - 1 and last.passages:
            extracted = await self._reasoner.extract_claims(view, last.passages)
            tokens += extracted.tokens
            fallbacks = extracted.fallbacks
            # Two agents may draw the same sentence from the same span: each keeps its own claim. The run is not in the
            # id: claims of equal relevance are ordered by it, and a question shall give the same report in every run.
            found = tuple(
                claim.model_copy(
                    update={
                        "id": derived_id(CLAIM, input.agent_number, claim.id),
                        "agent_number": input.agent_number,
                    }
                )
                for claim in extracted.value
            )
        if must_stop:
            reason = input.stop_reason or "told to finish with what there is"
            return _Thought(Finish(reason=reason), found, tokens, fallbacks)
        decided = await self._reasoner.next_action(view.model_copy(update={"claims": view.claims + found}))
        return _Thought(decided.value, found, tokens + decided.tokens, fallbacks + decided.fallbacks)

    async def _record(self, input: ThinkInput, thought: _Thought, step: NewStep) -> ThinkResult:
        usage = reasoner_usage(input.operation_key, self._reasoner.name, thought.tokens)
        finished = isinstance(thought.action, Finish)
        org_id, run_id = input.org_id, input.run_id
        progress = AgentProgress(
            number=input.agent_number,
            attempt=input.attempt,
            status=AgentStatus.COMPLETED if finished else AgentStatus.RUNNING,
            steps=input.step + 1,
            tokens=thought.tokens.total,
            outcome=thought.action.reason if finished else None,
        )
        async with self._db.direct(org_id) as connection:
            opening = await steps.open_attempt(connection, org_id, run_id, input.attempt)
            result = ThinkResult(
                outcome="finished" if finished else "act",
                call=None if isinstance(thought.action, Finish) else thought.action,
                spent_pcr=opening.amount_pcr(usage),
                tokens=thought.tokens.total,
            )
            recorded = NewStep(**{**vars(step), "output": result.model_dump(mode="json")})
            done = FinishedStep(recorded, _event(input, thought), usage, progress, thought.claims)
            if not await steps.record(connection, org_id, opening, done):
                # Another try was under way at the same time and came first: what it decided is what stands.
                first = await steps.start(connection, org_id, run_id, operation_key=input.operation_key)
                assert first.recorded is not None
                return ThinkResult.model_validate(first.recorded.output)
            await note_fallbacks(connection, org_id, run_id, thought.fallbacks, input.operation_key, input.agent_number)
        return result


def _event(input: ThinkInput, thought: _Thought) -> NewEvent:
    number, action = input.agent_number, thought.action
    data = {"step": input.step, "tokens": thought.tokens.total}
    if isinstance(action, ToolCall):
        text = f"Agent {number} wants {action.tool}" + (f": {action.reason}" if action.reason else "")
        return NewEvent(EventType.AGENT_THOUGHT, text, "debug", number, {**data, "tool": action.tool})
    text = f"Agent {number} completed: {action.reason or 'subtask answered'}"
    return NewEvent(EventType.AGENT_COMPLETED, text, "info", number, data)


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
