"""Approvals: calls of tools that wait for a person. Decision, log line and audit entry are one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import Conflict, NotFound, ToolRefused
from schema.events import EventType
from schema.ids import approval_id
from schema.policies import APPROVAL_HOLD_MARGIN, APPROVALS_PENDING_MAX
from schema.states import TERMINAL
from schema.store import audit, clock, events
from schema.store.audit import Actor, workflow_actor
from schema.store.events import NewEvent
from schema.tables.approvals import Approval
from schema.tables.billing import CreditHold
from schema.tables.runs import Run

DECISIONS = {True: "approved", False: "denied"}


@dataclass(frozen=True)
class WaitingCall:
    """A call that is to wait."""

    run_id: str
    attempt: int
    agent_number: int
    step: int
    operation_key: str
    tool: str
    tool_version: str
    effect: str
    arguments_json: str
    arguments_sha256: str
    rule: str
    reason: str
    expires: timedelta


async def find(session: AsyncSession, org_id: str, operation_key: str) -> Approval | None:
    """Return the approval that the act of an operation key waits for, or waited."""
    query = select(Approval).where(Approval.org_id == org_id, Approval.operation_key == operation_key)
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


async def request(session: AsyncSession, org_id: str, call: WaitingCall) -> Approval:
    """Let a call wait, once per operation key; the caller has opened the attempt in this transaction.

    It expires with margin before the attempt's hold does: what is approved can still be paid.

    Raises:
        ToolRefused: too many calls of the organisation wait already, or the hold is about to expire.
    """
    if (known := await find(session, org_id, call.operation_key)) is not None:
        return known
    now = await clock.now(session)
    held = select(CreditHold.expires_at).where(
        CreditHold.org_id == org_id, CreditHold.run_id == call.run_id, CreditHold.attempt == call.attempt
    )
    until = (await session.execute(held)).scalar_one_or_none()
    expires_at = now + call.expires
    if until is not None:
        expires_at = min(expires_at, until - APPROVAL_HOLD_MARGIN)
    if expires_at <= now:
        raise ToolRefused("No call can wait any longer: the hold of this run is about to expire.", rule="approval")
    pending = select(func.count()).where(Approval.org_id == org_id, Approval.status == "pending")
    if (await session.execute(pending)).scalar_one() >= APPROVALS_PENDING_MAX:
        raise ToolRefused(f"{APPROVALS_PENDING_MAX} calls wait for a decision already.", rule="approval")
    values = {name: value for name, value in vars(call).items() if name != "expires"}
    made = upsert(Approval).values(
        id=approval_id(call.operation_key), org_id=org_id, status="pending", expires_at=expires_at, **values
    )
    await session.execute(made.on_conflict_do_nothing())
    approval = await find(session, org_id, call.operation_key)
    assert approval is not None
    data = {
        "approval_id": approval.id,
        "step": call.step,
        "tool": call.tool,
        "arguments_sha256": call.arguments_sha256,
        "expires_at": approval.expires_at.isoformat(),
    }
    text = f"Agent {call.agent_number}: {call.tool} waits for an approval"
    event = NewEvent(EventType.APPROVAL_REQUESTED, text, "warning", call.agent_number, data)
    await events.append(session, org_id, call.run_id, event)
    await _audit(session, org_id, approval, "requested", workflow_actor(call.run_id))
    return approval


async def get(session: AsyncSession, org_id: str, approval_id: str) -> Approval:
    """Return one approval.

    Raises:
        NotFound: the organisation has none of this id.
    """
    query = select(Approval).where(Approval.org_id == org_id, Approval.id == approval_id)
    approval = (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    if approval is None:
        raise NotFound("There is no such approval.")
    return approval


async def list_approvals(
    session: AsyncSession,
    org_id: str,
    *,
    limit: int,
    cursor: str | None = None,
    status: str | None = None,
    run_id: str | None = None,
) -> tuple[list[Approval], str | None]:
    """Return a page of approvals, newest first, and the cursor of the next page."""
    query = select(Approval).where(Approval.org_id == org_id)
    if cursor is not None:
        at, _, last_id = cursor.partition("|")
        query = query.where(func.row(Approval.created_at, Approval.id) < func.row(datetime.fromisoformat(at), last_id))
    if status is not None:
        query = query.where(Approval.status == status)
    if run_id is not None:
        query = query.where(Approval.run_id == run_id)
    order = (col(Approval.created_at).desc(), col(Approval.id).desc())
    rows = list((await session.execute(query.order_by(*order).limit(limit + 1))).scalars())
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], f"{last.created_at.isoformat()}|{last.id}" if last is not None else None


async def decide(
    session: AsyncSession,
    org_id: str,
    approval_id: str,
    *,
    approve: bool,
    arguments_sha256: str | None,
    note: str | None,
    user_id: str,
    actor: Actor,
) -> Approval:
    """Approve or deny a call that waits; the same decision again changes nothing.

    Args:
        arguments_sha256: what the decider saw; None, where a denial need not say.

    Raises:
        NotFound: the organisation has no such approval.
        Conflict: it was decided otherwise, expired, ended with its run, or is of another call than was seen.
    """
    run_id = (await get(session, org_id, approval_id)).run_id
    # The run first, as everywhere: an end of the run and a decision come one after the other.
    lock = select(Run).where(Run.org_id == org_id, Run.id == run_id).with_for_update()
    run = (await session.execute(lock.execution_options(populate_existing=True))).scalar_one()
    approval = await get(session, org_id, approval_id)
    if arguments_sha256 is not None and arguments_sha256 != approval.arguments_sha256:
        raise Conflict(
            "The call that waits is not the one whose hash was sent. Read the approval again.",
            arguments_sha256=approval.arguments_sha256,
        )
    wanted = DECISIONS[approve]
    if approval.status == wanted:
        return approval
    status = approval.status
    if status == "pending" and await clock.now(session) >= approval.expires_at:
        status = "expired"
    if status != "pending" or run.status in TERMINAL or run.attempt != approval.attempt:
        raise Conflict(f"This call waits no longer: it is {status}.", approval_status=status)
    await _end(session, org_id, approval, wanted, decided_by=user_id, note=note, actor=actor)
    return await get(session, org_id, approval_id)


async def expire(session: AsyncSession, org_id: str, approval: Approval, status: str) -> bool:
    """End a wait that nobody ended, as `expired`, or `cancelled` when the run finishes with what it has.

    Returns:
        False when it had ended already.
    """
    return approval.status == "pending" and await _end(
        session, org_id, approval, status, actor=workflow_actor(approval.run_id)
    )


async def withdraw(session: AsyncSession, org_id: str, run_id: str) -> None:
    """End every wait of a run that has ended. The caller holds the run's lock."""
    query = select(Approval).where(Approval.org_id == org_id, Approval.run_id == run_id, Approval.status == "pending")
    for approval in (await session.execute(query)).scalars().all():
        await _end(session, org_id, approval, "cancelled", actor=workflow_actor(run_id))


async def take(session: AsyncSession, org_id: str, approval_id: str) -> bool:
    """Note that the agent took the decision up; False when it had been taken up before."""
    taken = await session.execute(
        update(Approval)
        .where(col(Approval.org_id) == org_id, col(Approval.id) == approval_id, col(Approval.taken_at).is_(None))
        .values(taken_at=func.clock_timestamp())
        .returning(col(Approval.id))
        .execution_options(synchronize_session=False)
    )
    return taken.scalar_one_or_none() is not None


async def _end(
    session: AsyncSession,
    org_id: str,
    approval: Approval,
    status: str,
    *,
    decided_by: str | None = None,
    note: str | None = None,
    actor: Actor,
) -> bool:
    ended = await session.execute(
        update(Approval)
        .where(col(Approval.org_id) == org_id, col(Approval.id) == approval.id, col(Approval.status) == "pending")
        .values(status=status, decided_at=func.clock_timestamp(), decided_by=decided_by, note=note)
        .returning(col(Approval.id))
        .execution_options(synchronize_session=False)
    )
    if ended.scalar_one_or_none() is None:
        return False
    data = {"approval_id": approval.id, "tool": approval.tool, "status": status, "decided_by": decided_by}
    text = f"Agent {approval.agent_number}: the call of {approval.tool} is {status}"
    event = NewEvent(EventType.APPROVAL_DECIDED, text, "info", approval.agent_number, data)
    await events.append(session, org_id, approval.run_id, event)
    await _audit(session, org_id, approval, status, actor, note=note)
    return True


async def _audit(
    session: AsyncSession, org_id: str, approval: Approval, what: str, actor: Actor, *, note: str | None = None
) -> None:
    details = {
        "tool": approval.tool,
        "tool_version": approval.tool_version,
        "arguments_sha256": approval.arguments_sha256,
        "rule": approval.rule,
        "note": note,
    }
    await audit.record(
        session,
        org_id,
        actor=actor,
        action=f"approval.{what}",
        resource_type="approval",
        resource_id=approval.id,
        run_id=approval.run_id,
        details=details,
        result="denied" if what == "denied" else "success",
    )
