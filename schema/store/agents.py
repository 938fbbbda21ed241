"""Agents, their tasks and steps: written by the activity that did the work, in its one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.common import ObjectRef
from schema.contracts.research import Subtask
from schema.ids import agent_id, step_id, task_id
from schema.states import AgentStatus, StepStatus
from schema.tables.runs import Agent, Run, Step, Task

TASK_STATUS = {
    AgentStatus.PENDING: "pending",
    AgentStatus.RUNNING: "running",
    AgentStatus.COMPLETED: "completed",
    AgentStatus.FAILED: "failed",
    AgentStatus.CANCELLED: "cancelled",
}
"""The status of a task, by that of the agent that works on it."""


@dataclass(frozen=True)
class NewStep:
    """One finished think or act (agent 0: plan or report)."""

    run_id: str
    attempt: int
    agent_number: int
    sequence_number: int
    kind: str
    name: str
    operation_key: str
    started_at: datetime
    status: StepStatus = StepStatus.COMPLETED
    tool_name: str | None = None
    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


async def record_plan(session: AsyncSession, org_id: str, run: Run, subtasks: tuple[Subtask, ...]) -> None:
    """Record the plan once: it is the same for every retry of the run. The caller holds the run's lock."""
    run.plan = [subtask.model_dump(mode="json") for subtask in subtasks]
    run.agent_count = len(subtasks)
    for subtask in subtasks:
        number = subtask.number
        session.add(
            Task(
                id=task_id(run.id, number),
                org_id=org_id,
                run_id=run.id,
                sequence_number=number,
                name=subtask.title,
                description=subtask.question,
            )
        )
        session.add(
            Agent(
                id=agent_id(run.id, number),
                org_id=org_id,
                run_id=run.id,
                number=number,
                attempt=run.attempt,
                subtask=subtask.question,
            )
        )
    await session.flush()


async def record_rows(session: AsyncSession, org_id: str, run: Run, items: Sequence[str]) -> None:
    """Record the plan of a table once: an agent and a task per row. The caller holds the run's lock.

    The run's own plan stays empty: the rows stand in `table_rows`, and 1,000 of them would travel with every read.
    """
    run.plan = []
    run.agent_count = len(items)
    await session.flush()
    shared = {"org_id": org_id, "run_id": run.id}
    rows = list(enumerate(items, 1))
    await session.execute(
        insert(Task),
        [
            {**shared, "id": task_id(run.id, number), "sequence_number": number, "name": item, "status": "pending"}
            for number, item in rows
        ],
    )
    await session.execute(
        insert(Agent),
        [
            {
                **shared,
                "id": agent_id(run.id, number),
                "number": number,
                "status": AgentStatus.PENDING.value,
                "attempt": run.attempt,
                "subtask": item,
                "steps": 0,
                "claims": 0,
            }
            for number, item in rows
        ],
    )


async def record_step(session: AsyncSession, org_id: str, step: NewStep) -> bool:
    """Insert a step, once per operation key. Returns False if an earlier attempt of the activity did."""
    statement = (
        upsert(Step)
        .values(
            id=step_id(step.operation_key),
            org_id=org_id,
            run_id=step.run_id,
            task_id=task_id(step.run_id, step.agent_number) if step.agent_number else None,
            operation_key=step.operation_key,
            attempt=step.attempt,
            agent_number=step.agent_number,
            sequence_number=step.sequence_number,
            kind=step.kind,
            name=step.name,
            tool_name=step.tool_name,
            status=step.status.value,
            input=step.input or {},
            output=step.output,
            error=step.error,
            started_at=step.started_at,
            duration_ms=func.greatest(func.extract("epoch", func.clock_timestamp() - step.started_at) * 1000, 0),
        )
        .on_conflict_do_nothing(index_elements=["org_id", "operation_key"])
        .returning(col(Step.id))
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def find_step(session: AsyncSession, org_id: str, operation_key: str) -> Step | None:
    """Return the step that an operation key names, if it was recorded."""
    query = select(Step).where(Step.org_id == org_id, Step.operation_key == operation_key)
    return (await session.execute(query)).scalar_one_or_none()


async def latest_value(session: AsyncSession, org_id: str, run_id: str, kind: str) -> ObjectRef | None:
    """Return what the latest stage of a kind came to, in the run's last attempt that had one; None: none did.

    Args:
        kind: `render`: what the report was made of (`ReportInputs`); `outline`: how its deck is planned (`Outline`).
    """
    query = select(Step).where(Step.org_id == org_id, Step.run_id == run_id, Step.kind == kind)
    latest = query.order_by(col(Step.attempt).desc(), col(Step.sequence_number).desc()).limit(1)
    step = (await session.execute(latest)).scalar_one_or_none()
    value = (step.output or {}).get("value") if step is not None else None
    return ObjectRef.model_validate(value) if value is not None else None


async def list_acts(
    session: AsyncSession, org_id: str, run_id: str, *, attempt: int | None, agent_number: int
) -> list[Step]:
    """Return the acts that an agent finished in an attempt, in order; with `attempt=None` in every attempt."""
    query = select(Step).where(
        Step.org_id == org_id, Step.run_id == run_id, Step.agent_number == agent_number, Step.kind == "act"
    )
    if attempt is not None:
        query = query.where(Step.attempt == attempt)
    return list((await session.execute(query.order_by(col(Step.attempt), col(Step.sequence_number)))).scalars())


@dataclass(frozen=True)
class AgentProgress:
    """What one step adds to an agent's row."""

    number: int
    attempt: int
    status: AgentStatus
    steps: int
    tokens: int = 0
    claims: int = 0
    outcome: str | None = None
    error: dict[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Tell whether the agent works no more."""
        return self.status not in (AgentStatus.PENDING, AgentStatus.RUNNING)


async def advance(session: AsyncSession, org_id: str, run_id: str, progress: AgentProgress) -> None:
    """Project an agent's progress onto its row and its task; a row of a later attempt is left alone."""
    now = func.clock_timestamp()
    ended = progress.has_ended
    values: dict[str, Any] = {
        "status": progress.status.value,
        "attempt": progress.attempt,
        "steps": progress.steps,
        "tokens_used": col(Agent.tokens_used) + progress.tokens,
        "claims": col(Agent.claims) + progress.claims,
        "started_at": func.coalesce(col(Agent.started_at), now),
        "completed_at": now if ended else None,
        "outcome": progress.outcome,
        "last_error": progress.error,
    }
    advanced = await session.execute(
        update(Agent)
        .where(
            col(Agent.org_id) == org_id,
            col(Agent.run_id) == run_id,
            col(Agent.number) == progress.number,
            col(Agent.attempt) <= progress.attempt,
        )
        .values(**values)
        .returning(col(Agent.id))
        .execution_options(synchronize_session=False)
    )
    if advanced.scalar_one_or_none() is None:
        return
    await session.execute(
        update(Task)
        .where(col(Task.org_id) == org_id, col(Task.run_id) == run_id, col(Task.sequence_number) == progress.number)
        .values(
            status=TASK_STATUS[progress.status],
            started_at=func.coalesce(col(Task.started_at), now),
            completed_at=now if ended else None,
        )
        .execution_options(synchronize_session=False)
    )


async def add_tokens(session: AsyncSession, org_id: str, run_id: str, tokens: int, *, agent_number: int = 0) -> None:
    """Add to the token count of the run, and of the agent where it is one's."""
    if agent_number:
        await session.execute(
            update(Agent)
            .where(col(Agent.org_id) == org_id, col(Agent.run_id) == run_id, col(Agent.number) == agent_number)
            .values(tokens_used=col(Agent.tokens_used) + tokens)
            .execution_options(synchronize_session=False)
        )
    await session.execute(
        update(Run)
        .where(col(Run.org_id) == org_id, col(Run.id) == run_id)
        .values(tokens_used=col(Run.tokens_used) + tokens)
        .execution_options(synchronize_session=False)
    )
