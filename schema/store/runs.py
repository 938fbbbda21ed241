"""Runs: creation, commands that PostgreSQL decides, and the projections that the workflow orders."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.policy import ToolPolicy
from schema.errors import IllegalTransition, NotFound
from schema.events import EventType
from schema.ids import settle_key
from schema.money import credits_to_ucr, ucr_to_credits
from schema.policies import RUN_TRIES_DEFAULT
from schema.prices import quote_ucr
from schema.states import LIVE, TERMINAL, AgentStatus, RunCommand, RunStatus, StatusDetail, allows, may_transition
from schema.store import approvals, audit, billing, dead_letters, events, files, organisations
from schema.store.audit import Actor
from schema.store.billing import Settlement
from schema.store.events import NewEvent
from schema.tables.organisations import Organisation
from schema.tables.runs import Agent, Run, RunStatusChange, Step, Task

_EVENTS: dict[RunStatus, EventType] = {
    RunStatus.PENDING: EventType.RUN_PENDING,
    RunStatus.RUNNING: EventType.RUN_STARTED,
    RunStatus.PAUSED: EventType.RUN_PAUSED,
    RunStatus.RESUMING: EventType.RUN_RESUMED,
    RunStatus.RETRYING: EventType.RUN_RETRYING,
    RunStatus.COMPLETED: EventType.RUN_COMPLETED,
    RunStatus.FAILED: EventType.RUN_FAILED,
    RunStatus.CANCELLED: EventType.RUN_CANCELLED,
}
_DETAIL_EVENTS: dict[StatusDetail | None, EventType] = {
    StatusDetail.PAUSING: EventType.RUN_PAUSING,
    StatusDetail.CANCELLING: EventType.RUN_CANCELLING,
}
"""Where the status stays and only its detail changes."""


@dataclass(frozen=True)
class Projection:
    """One status of one attempt, as its workflow ordered it."""

    attempt: int
    seq: int
    status: RunStatus
    detail: StatusDetail | None
    message: str
    tries: int = 0


async def create_run(
    session: AsyncSession,
    org_id: str,
    *,
    run_id: str,
    user_id: str,
    name: str,
    description: str | None,
    task: str,
    context: dict[str, Any],
    max_agents: int,
    max_tokens: int,
    rows: int = 0,
    workspace_id: str | None = None,
    tool_policy: ToolPolicy | None = None,
    actor: Actor = audit.SYSTEM,
) -> Run:
    """Insert a run in status `created`. Nothing is held; `quoted_ucr` is what a start will hold.

    `rows`, where the run fills a table, decides the quote instead of its agents; the caller records the table.
    `tool_policy` says what its agents may do; None: what the organisation set by default.
    `context["max_credits"]`, where given, lowers the quote: it is the most that the run may ever cost.
    """
    quoted_ucr = quote_ucr(max_agents, max_tokens, rows=rows)
    if context.get("max_credits") is not None:
        quoted_ucr = min(quoted_ucr, credits_to_ucr(Decimal(str(context["max_credits"]))))
    if tool_policy is None:
        tool_policy = await organisations.tool_policy(session, org_id)
    run = Run(
        id=run_id,
        org_id=org_id,
        user_id=user_id,
        workspace_id=workspace_id,
        name=name,
        description=description,
        task=task,
        context=context,
        max_agents=max_agents,
        max_tokens=max_tokens,
        max_tries=RUN_TRIES_DEFAULT,
        quoted_ucr=quoted_ucr,
        tool_policy=tool_policy.model_dump(mode="json"),
    )
    session.add(run)
    await session.flush()
    await events.append(session, org_id, run_id, NewEvent(EventType.RUN_CREATED, "Run created"))
    await audit.record(session, org_id, actor=actor, action="run.created", resource_type="run", resource_id=run_id)
    await session.refresh(run)
    return run


async def get_run(session: AsyncSession, org_id: str, run_id: str) -> Run:
    """Return a run.

    Raises:
        NotFound: the organisation has no such run.
    """
    run = (await session.execute(select(Run).where(Run.org_id == org_id, Run.id == run_id))).scalar_one_or_none()
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run


async def lock_run(session: AsyncSession, org_id: str, run_id: str) -> Run:
    """Return a run with its row locked to the end of the transaction; first in the order of locks.

    Raises:
        NotFound: the organisation has no such run.
    """
    query = select(Run).where(Run.org_id == org_id, Run.id == run_id).with_for_update()
    run = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run


async def list_runs(
    session: AsyncSession, org_id: str, *, limit: int, cursor: str | None = None, status: str | None = None
) -> tuple[list[Run], str | None]:
    """Return a page of runs, newest first, and the cursor of the next page (ids sort by creation time)."""
    query = select(Run).where(Run.org_id == org_id)
    if cursor is not None:
        query = query.where(Run.id < cursor)
    if status is not None:
        query = query.where(Run.status == status)
    rows = list((await session.execute(query.order_by(col(Run.id).desc()).limit(limit + 1))).scalars())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def live_count(session: AsyncSession, org_id: str) -> int:
    """Count the organisation's runs that a workflow works on, or is about to."""
    query = select(func.count()).select_from(Run).where(Run.org_id == org_id, col(Run.status).in_(sorted(LIVE)))
    return int((await session.execute(query)).scalar_one())


async def get_organisation(session: AsyncSession, org_id: str) -> Organisation:
    """Return the organisation's own row (limits and fairness weight)."""
    row = (await session.execute(select(Organisation).where(Organisation.id == org_id))).scalar_one_or_none()
    if row is None:
        raise NotFound("there is no such organisation")
    return row


def require(command: RunCommand, run: Run) -> None:
    """Refuse a command that the run's status does not allow.

    Raises:
        IllegalTransition: with the current `status`.
    """
    if not allows(command, RunStatus(run.status)):
        raise IllegalTransition(
            f"a run that is {run.status} cannot be given the command '{command}'", status=run.status, command=command
        )


async def start_run(session: AsyncSession, org_id: str, run_id: str, actor: Actor) -> Run:
    """created -> pending, with its hold, in the caller's transaction.

    Raises:
        IllegalTransition: it was started before.
        InsufficientCredits: nothing was held.
        Conflict: a file of the run is not ready, or gone.
    """
    run = await lock_run(session, org_id, run_id)
    require(RunCommand.START, run)
    await files.require_files(session, org_id, run.context.get("files") or (), ready=True)
    return await _open_attempt(session, run, RunStatus.PENDING, attempt=run.attempt, actor=actor)


async def retry_run(session: AsyncSession, org_id: str, run_id: str, actor: Actor) -> Run:
    """failed -> retrying: the next attempt, with a new hold, in the caller's transaction.

    Raises:
        IllegalTransition: the run has not failed.
        InsufficientCredits: nothing was held.
    """
    run = await lock_run(session, org_id, run_id)
    require(RunCommand.RETRY, run)
    return await _open_attempt(session, run, RunStatus.RETRYING, attempt=run.attempt + 1, actor=actor)


async def _open_attempt(session: AsyncSession, run: Run, status: RunStatus, *, attempt: int, actor: Actor) -> Run:
    hold = await billing.place_hold(
        session,
        run.org_id,
        run_id=run.id,
        attempt=attempt,
        amount_ucr=run.quoted_ucr,
        user_id=run.user_id,
        created_by=actor.id,
    )
    run.status, run.status_detail, run.attempt = status.value, None, attempt
    if attempt > 1:
        run.seq, run.tries, run.completed_at, run.last_error = 0, 0, None, None
        await dead_letters.mark_replayed(session, run.org_id, run_id=run.id)
    else:
        run.started_at = func.clock_timestamp()  # type: ignore[assignment]
    await session.flush()
    held = ucr_to_credits(hold.amount_ucr)
    await events.append(
        session,
        run.org_id,
        run.id,
        NewEvent(_EVENTS[status], f"Run is {status.value}", data={"attempt": attempt}),
        NewEvent(EventType.CREDITS_HELD, f"{held} credits held", data={"credits": str(held)}),
    )
    await _audit_status(session, run, actor, f"run.{'started' if attempt == 1 else 'retried'}")
    await session.refresh(run)
    return run


async def cancel_created(session: AsyncSession, org_id: str, run_id: str, actor: Actor) -> Run:
    """created -> cancelled; there is no workflow and no hold.

    Raises:
        IllegalTransition: the run was started meanwhile.
    """
    run = await lock_run(session, org_id, run_id)
    if run.status != RunStatus.CREATED:
        raise IllegalTransition(f"the run is {run.status}", status=run.status, command=RunCommand.CANCEL)
    run.status = RunStatus.CANCELLED.value
    run.completed_at = func.clock_timestamp()  # type: ignore[assignment]
    await session.flush()
    await events.append(session, org_id, run_id, NewEvent(EventType.RUN_CANCELLED, "Run cancelled before it started"))
    await _audit_status(session, run, actor, "run.cancelled")
    await session.refresh(run)
    return run


async def raise_hold(
    session: AsyncSession, org_id: str, run_id: str, *, added_ucr: int, idempotency_key: str, actor: Actor
) -> Run:
    """Add credits to what a paused run may spend; once per `idempotency_key`, whatever became of the run since.

    Raises:
        IllegalTransition: the run is not paused.
        InsufficientCredits: nothing was added.
    """
    run = await lock_run(session, org_id, run_id)
    asked: dict[str, Any] = {"run_id": run_id, "attempt": run.attempt, "added_ucr": added_ucr}
    if await billing.was_raised(session, org_id, **asked, idempotency_key=idempotency_key):
        return run
    require(RunCommand.RESUME, run)
    await billing.raise_hold(session, org_id, **asked, idempotency_key=idempotency_key, created_by=actor.id)
    added = ucr_to_credits(added_ucr)
    message = f"{added} credits added to the hold"
    await events.append(
        session, org_id, run_id, NewEvent(EventType.CREDITS_HELD, message, data={"credits": str(added)})
    )
    await audit.record(
        session,
        org_id,
        actor=actor,
        action="run.hold_raised",
        resource_type="run",
        resource_id=run_id,
        details={"credits": str(added)},
    )
    return run


async def project(
    session: AsyncSession, org_id: str, run_id: str, projection: Projection, *, actor: Actor, agents_paused: int = 0
) -> bool:
    """Write a live status that the workflow ordered, unless the row is further already or terminal.

    Returns:
        Whether the row was written; a late or repeated projection is not, nor one of another attempt.

    Raises:
        IllegalTransition: the table does not allow it, or it moves money too: `start_run` and `retry_run` open an
            attempt, `close` ends it.
    """
    run = await lock_run(session, org_id, run_id)
    current = RunStatus(run.status)
    if run.attempt != projection.attempt or run.seq >= projection.seq or current in TERMINAL:
        return False
    live = current in LIVE and projection.status in LIVE
    if not live or (current != projection.status and not may_transition(current, projection.status)):
        raise IllegalTransition(f"{current} -> {projection.status} is not in the table", status=run.status)
    changed = current != projection.status
    run.seq, run.tries = projection.seq, projection.tries
    run.status, run.status_detail = projection.status.value, projection.detail.value if projection.detail else None
    now = func.clock_timestamp()
    if projection.status is RunStatus.PAUSED and changed:
        run.paused_at = now  # type: ignore[assignment]
    if projection.status is RunStatus.RESUMING:
        run.resumed_at = now  # type: ignore[assignment]
    await session.flush()
    of_detail = _DETAIL_EVENTS.get(projection.detail, EventType.RUN_STATUS_CHANGED)
    kind = _EVENTS[projection.status] if changed else of_detail
    data = {"status": run.status, "status_detail": run.status_detail, "attempt": run.attempt}
    if projection.status is RunStatus.PAUSED:
        data["agents_paused"] = agents_paused
    await events.append(session, org_id, run_id, NewEvent(kind, projection.message, data=data))
    if changed:
        await _audit_status(session, run, actor, f"run.{run.status}")
    return True


@dataclass(frozen=True)
class Ending:
    """How an attempt ends."""

    attempt: int
    seq: int
    status: RunStatus
    message: str
    error: dict[str, Any] | None = None


async def close(session: AsyncSession, org_id: str, run_id: str, ending: Ending, *, actor: Actor) -> Settlement:
    """End an attempt: money and status in one transaction.

    completed and cancelled capture the metered use; failed is the platform's fault and captures nothing. A repeat, or
    a racing end of another kind, changes nothing and returns what the first one moved.

    Raises:
        IllegalTransition: the run's status does not lead to this end.
    """
    run = await lock_run(session, org_id, run_id)
    capture = ending.status is not RunStatus.FAILED
    if run.attempt != ending.attempt or RunStatus(run.status) in TERMINAL:
        hold = await billing.hold_of(session, org_id, run_id, ending.attempt)
        return Settlement(hold.captured_ucr, hold.released_ucr) if hold else Settlement(0, 0)
    if ending.status not in TERMINAL or not may_transition(RunStatus(run.status), ending.status):
        raise IllegalTransition(f"{run.status} -> {ending.status} is not in the table", status=run.status)
    moved = await billing.settle(session, org_id, run_id=run_id, attempt=ending.attempt, capture=capture)
    run.status, run.status_detail, run.seq = ending.status.value, None, max(ending.seq, run.seq)
    run.last_error = ending.error
    run.completed_at = func.clock_timestamp()  # type: ignore[assignment]
    await _close_agents(session, run, ending.status)
    await approvals.withdraw(session, org_id, run_id)
    if ending.status is RunStatus.FAILED:
        await dead_letters.record(
            session,
            org_id,
            kind="run",
            subject_id=run_id,
            attempt=ending.attempt,
            error=ending.error or {"code": "internal_error", "detail": ending.message},
            run_id=run_id,
        )
    await session.flush()
    charged, released = ucr_to_credits(moved.charged_ucr), ucr_to_credits(moved.released_ucr)
    settled = {"charged": str(charged), "released": str(released), "key": settle_key(run_id, ending.attempt, "charge")}
    level = "error" if ending.status is RunStatus.FAILED else "info"
    await events.append(
        session,
        org_id,
        run_id,
        NewEvent(EventType.CREDITS_SETTLED, f"{charged} credits charged, {released} released", data=settled),
        NewEvent(
            _EVENTS[ending.status], ending.message, level=level, data={"attempt": ending.attempt, "error": ending.error}
        ),
    )
    await _audit_status(session, run, actor, f"run.{ending.status.value}", details=settled)
    return moved


async def _close_agents(session: AsyncSession, run: Run, status: RunStatus) -> None:
    """Leave no agent or task open behind a run that is not."""
    open_states = [AgentStatus.PENDING.value, AgentStatus.RUNNING.value]
    agent_end = AgentStatus.CANCELLED if status is RunStatus.CANCELLED else AgentStatus.FAILED
    task_end = "cancelled" if status is RunStatus.CANCELLED else "failed"
    for table, end in ((Agent, agent_end.value), (Task, task_end)):
        await session.execute(
            update(table)
            .where(col(table.org_id) == run.org_id, col(table.run_id) == run.id, col(table.status).in_(open_states))
            .values(status=end, completed_at=func.clock_timestamp())
            .execution_options(synchronize_session=False)
        )


async def _audit_status(
    session: AsyncSession, run: Run, actor: Actor, action: str, *, details: dict[str, Any] | None = None
) -> None:
    facts = {"status": run.status, "attempt": run.attempt, **(details or {})}
    await audit.record(
        session, run.org_id, actor=actor, action=action, resource_type="run", resource_id=run.id, details=facts
    )


async def list_agents(session: AsyncSession, org_id: str, run_id: str) -> list[Agent]:
    """Return the run's agents by number."""
    query = select(Agent).where(Agent.org_id == org_id, Agent.run_id == run_id).order_by(col(Agent.number))
    return list((await session.execute(query)).scalars())


async def get_agent(session: AsyncSession, org_id: str, agent_id: str) -> Agent:
    """Return one agent.

    Raises:
        NotFound: the organisation has no such agent.
    """
    query = select(Agent).where(Agent.org_id == org_id, Agent.id == agent_id)
    agent = (await session.execute(query)).scalar_one_or_none()
    if agent is None:
        raise NotFound(f"there is no agent {agent_id}")
    return agent


async def list_tasks(session: AsyncSession, org_id: str, run_id: str) -> list[Task]:
    """Return the run's subtasks in order."""
    query = select(Task).where(Task.org_id == org_id, Task.run_id == run_id).order_by(col(Task.sequence_number))
    return list((await session.execute(query)).scalars())


async def list_steps(
    session: AsyncSession,
    org_id: str,
    run_id: str,
    *,
    agent_number: int | None = None,
    limit: int,
    cursor: str | None = None,
) -> tuple[list[Step], str | None]:
    """Return a page of steps in the order (attempt, agent, number, kind), and the cursor of the next page."""
    query = select(Step).where(Step.org_id == org_id, Step.run_id == run_id)
    if agent_number is not None:
        query = query.where(Step.agent_number == agent_number)
    order = (col(Step.attempt), col(Step.agent_number), col(Step.sequence_number), col(Step.id))
    if cursor is not None:
        attempt, agent, number, step_id = cursor.split("|")
        query = query.where(func.row(*order) > func.row(int(attempt), int(agent), int(number), step_id))
    rows = list((await session.execute(query.order_by(*order).limit(limit + 1))).scalars())
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], f"{last.attempt}|{last.agent_number}|{last.sequence_number}|{last.id}"


async def list_status_changes(session: AsyncSession, org_id: str, run_id: str) -> list[RunStatusChange]:
    """Return every status change of the run, in order."""
    query = select(RunStatusChange).where(RunStatusChange.org_id == org_id, RunStatusChange.run_id == run_id)
    return list((await session.execute(query.order_by(col(RunStatusChange.id)))).scalars())
