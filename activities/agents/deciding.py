"""What every think has in common, whatever its agent works on: its budget, its step, and the record of its decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.calls import CallJournal
from activities.fallbacks import note_fallbacks
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.agent import ThinkInput, ThinkResult
from schema.contracts.common import Tokens
from schema.contracts.research import Claim, Fallback, Finish, ToolCall
from schema.events import EventType
from schema.ids import CLAIM, derived_id
from schema.prices import step_needs_pcr
from schema.states import AgentStatus
from schema.store import steps
from schema.store.agents import AgentProgress, NewStep
from schema.store.direct import Connection
from schema.store.events import NewEvent
from schema.store.steps import FinishedStep, Opening


@dataclass(frozen=True)
class Thought:
    """What one think came to."""

    action: ToolCall | Finish
    claims: tuple[Claim, ...]
    tokens: Tokens
    fallbacks: tuple[Fallback, ...] = ()


def stop_of(input: ThinkInput) -> Finish | None:
    """Return the end that an agent is told to come to; None where it may go on."""
    if not input.finishing and input.stop_reason is None:
        return None
    return Finish(reason=input.stop_reason or "told to finish with what there is")


def unaffordable(input: ThinkInput, reasoner: str) -> ThinkResult | None:
    """Return that the budget does not reach for a step of this reasoner; None where it does, or nothing is bought."""
    needs_pcr = step_needs_pcr(reasoner)
    if input.budget_pcr >= needs_pcr or stop_of(input) is not None:
        return None
    return ThinkResult(outcome="out_of_budget", needs_pcr=needs_pcr)


def step_of(input: ThinkInput, started_at: datetime, facts: Mapping[str, Any]) -> NewStep:
    """Return the step of a think, without its output.

    Args:
        facts: what the step's row tells of its input, besides the steps that were left.
    """
    return NewStep(
        run_id=input.run_id,
        attempt=input.attempt,
        agent_number=input.agent_number,
        sequence_number=input.step,
        kind="think",
        name="think",
        operation_key=input.operation_key,
        started_at=started_at,
        input={"steps_left": input.steps_left, **facts},
    )


def calls_of(db: Database, objects: ObjectStore, input: ThinkInput, reasoner: str) -> CallJournal:
    """Return the journal of a think's model calls."""
    return CallJournal(
        *(db, objects, input),
        operation_key=input.operation_key,
        step=input.step,
        reasoner=reasoner,
        agent_number=input.agent_number,
    )


def own(claims: tuple[Claim, ...], number: int) -> tuple[Claim, ...]:
    """Give claims their agent's identifiers: two may draw the same from the same span, and each keeps its own.

    The run is not in the identifier: claims of equal relevance are ordered by it, and a question shall give the same
    report in every run.
    """
    return tuple(
        claim.model_copy(update={"id": derived_id(CLAIM, number, claim.id), "agent_number": number}) for claim in claims
    )


async def record(
    connection: Connection, opening: Opening, input: ThinkInput, step: NewStep, thought: Thought, calls: CallJournal
) -> ThinkResult | None:
    """Record a decision with its usage, claims, progress and log line; the caller has opened the attempt.

    Args:
        calls: what earlier tries of this step bought and metered before they failed.

    Returns:
        None if another try was under way at the same time and came first: what that one decided is what stands, and
        nothing was written.
    """
    action = thought.action
    finished = isinstance(action, Finish)
    rest, usage = calls.unmetered(thought.tokens)
    progress = AgentProgress(
        number=input.agent_number,
        attempt=input.attempt,
        status=AgentStatus.COMPLETED if finished else AgentStatus.RUNNING,
        steps=input.step + 1,
        tokens=rest.total,
        outcome=action.reason if isinstance(action, Finish) else None,
    )
    result = ThinkResult(
        outcome="finished" if finished else "act",
        call=None if isinstance(action, Finish) else action,
        spent_pcr=calls.spent_pcr + (opening.amount_pcr(usage) if usage else 0),
        tokens=thought.tokens.total,
    )
    recorded = NewStep(**{**vars(step), "output": result.model_dump(mode="json")})
    done = FinishedStep(recorded, _event(input, thought), usage, progress, thought.claims)
    if not await steps.record(connection, input.org_id, opening, done):
        return None
    await note_fallbacks(
        connection, input.org_id, input.run_id, thought.fallbacks, input.operation_key, input.agent_number
    )
    return result


async def decided(connection: Connection, input: ThinkInput) -> ThinkResult:
    """Return what the try that came first decided."""
    first = await steps.start(connection, input.org_id, input.run_id, operation_key=input.operation_key)
    assert first.recorded is not None
    return ThinkResult.model_validate(first.recorded.output)


def _event(input: ThinkInput, thought: Thought) -> NewEvent:
    number, action = input.agent_number, thought.action
    data = {"step": input.step, "tokens": thought.tokens.total}
    if isinstance(action, ToolCall):
        text = f"Agent {number} wants {action.tool}" + (f": {action.reason}" if action.reason else "")
        return NewEvent(EventType.AGENT_THOUGHT, text, "debug", number, {**data, "tool": action.tool})
    text = f"Agent {number} completed: {action.reason or 'subtask answered'}"
    return NewEvent(EventType.AGENT_COMPLETED, text, "info", number, data)
