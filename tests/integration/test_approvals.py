"""Runs whose calls wait for a person: the agent waits durably, holds only its credits, and goes on as decided."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlmodel import col, select
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.reconcile import activities as reconciling
from activities.reconcile.activities import ReconcileActivities
from infra.settings import Settings
from schema.contracts.policy import ToolPolicy
from schema.contracts.run import CancelRunInput, FinishRunInput, PauseRunInput, ResumeRunInput, RunWorkflow
from schema.ids import agent_workflow_id
from schema.states import RunStatus
from schema.store import approvals, billing, events
from schema.store.audit import Actor
from schema.tables.approvals import Approval
from schema.tables.audit import AuditLog
from tests.integration.conftest import Org
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner

POLICY = ToolPolicy(require_approval=("corpus.search",))
WORKER = Actor(type="api_key", id="key_test")


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client) -> AsyncIterator[Platform]:
    """Workers whose one agent makes one call."""
    script = ScriptedReasoner(agents=1, steps=1)
    async with platform(settings, temporal_client, f"approve-{uuid.uuid4().hex[:8]}-", reasoner=script) as running:
        yield running


async def waiting(stage: Platform, org: Org, policy: ToolPolicy = POLICY) -> tuple[str, Approval]:
    """Start a run and wait until its call waits."""
    await stage.upload(org.id, {"a.txt": "word1 word0 stand in this document of the organisation."})
    run_id = await stage.create(org.id, org.owner_id, "What of word1?", tool_policy=policy)
    await stage.start(org.id, run_id)
    return run_id, await approval_of(stage, org, run_id)


async def approval_of(stage: Platform, org: Org, run_id: str) -> Approval:
    """Wait for the run's approval."""
    async with asyncio.timeout(30):
        while True:
            async with stage.db.transaction(org.id) as session:
                rows, _ = await approvals.list_approvals(session, org.id, limit=9, run_id=run_id)
            if rows:
                return rows[0]
            await asyncio.sleep(0.05)


async def decide(stage: Platform, org: Org, approval: Approval, *, approve: bool, tell: bool = True) -> None:
    """Decide as the API does."""
    async with stage.db.transaction(org.id) as session:
        await approvals.decide(
            session, org.id, approval.id, approve=approve, arguments_sha256=approval.arguments_sha256, note="seen",
            user_id=org.owner_id, actor=WORKER,
        )  # fmt: skip
    if tell:
        assert await stage.orchestrator.tell_decided(approval.run_id, approval.agent_number, approval.id)


async def told(stage: Platform, org: Org, run_id: str) -> list[str]:
    """Return what became of the run's approval, by its log and by the audit."""
    async with stage.db.transaction(org.id) as session:
        log = await events.list_events(session, org.id, run_id, limit=500)
        query = select(AuditLog).where(AuditLog.org_id == org.id).order_by(col(AuditLog.seq))
        audited = (await session.execute(query)).scalars().all()
    decided = [str((event.data or {})["status"]) for event in log if event.type == "approval.decided"]
    assert [row.action for row in audited if row.action.startswith("approval.")] == [
        "approval.requested", *(f"approval.{status}" for status in decided)
    ]  # fmt: skip
    return decided


async def steps_of(stage: Platform, org: Org, run_id: str) -> list[str]:
    """Return how the run's calls ended."""
    async with stage.db.transaction(org.id) as session:
        log = await events.list_events(session, org.id, run_id, limit=500)
    return [event.type for event in log if event.type.startswith("tool.")]


async def test_approved_while_paused_and_resumed(stage: Platform, org: Org) -> None:
    run_id, approval = await waiting(stage, org)
    handle = stage.client.get_workflow_handle_for(RunWorkflow.run, run_id)
    async with stage.db.transaction(org.id) as session:
        before = await billing.hold_of(session, org.id, run_id, 1)
    assert before is not None
    paused = await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    assert (paused.status, paused.agents_paused) == (RunStatus.PAUSED, 1), "an agent that waits is parked by a pause"
    await decide(stage, org, approval, approve=True)
    assert (await stage.run_row(org.id, run_id)).status == RunStatus.PAUSED
    assert await steps_of(stage, org, run_id) == []
    async with stage.db.transaction(org.id) as session:
        during = await billing.hold_of(session, org.id, run_id, 1)
    assert during is not None
    assert (during.state, during.amount_ucr) == ("open", before.amount_ucr), "the hold is kept"
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    assert (await stage.until(org.id, run_id)).status == RunStatus.COMPLETED
    assert await steps_of(stage, org, run_id) == ["tool.completed"]
    assert await told(stage, org, run_id) == ["approved"]


async def test_denied_and_the_agent_goes_on_without(stage: Platform, org: Org) -> None:
    run_id, approval = await waiting(stage, org)
    # A message that nothing was decided behind wakes nobody for long.
    agent = stage.client.get_workflow_handle(agent_workflow_id(run_id, 1))
    await agent.signal("approval_decided", {"approval_id": approval.id})
    await asyncio.sleep(0.3)
    assert await steps_of(stage, org, run_id) == []
    await decide(stage, org, approval, approve=False)
    await stage.until(org.id, run_id)
    assert await steps_of(stage, org, run_id) == ["tool.refused"]
    assert await told(stage, org, run_id) == ["denied"]


async def test_cancelled_while_waiting(stage: Platform, org: Org) -> None:
    run_id, approval = await waiting(stage, org)
    handle = stage.client.get_workflow_handle_for(RunWorkflow.run, run_id)
    await handle.execute_update(RunWorkflow.cancel, CancelRunInput())
    assert (await stage.until(org.id, run_id)).status == RunStatus.CANCELLED
    assert await told(stage, org, run_id) == ["cancelled"]
    with pytest.raises(approvals.Conflict):
        await decide(stage, org, approval, approve=True, tell=False)
    assert await stage.violations() == {}


async def test_finished_while_waiting(stage: Platform, org: Org) -> None:
    run_id, _ = await waiting(stage, org)
    handle = stage.client.get_workflow_handle_for(RunWorkflow.run, run_id)
    await handle.execute_update(RunWorkflow.finish, FinishRunInput())
    assert (await stage.until(org.id, run_id)).status in (RunStatus.COMPLETED, RunStatus.FAILED)
    assert await told(stage, org, run_id) == ["cancelled"]


async def test_nobody_decides_and_the_timer_ends_it(stage: Platform, org: Org) -> None:
    run_id, _ = await waiting(stage, org, POLICY.model_copy(update={"approval_expires_s": 1}))
    await stage.until(org.id, run_id)
    assert await steps_of(stage, org, run_id) == ["tool.refused"]
    assert await told(stage, org, run_id) == ["expired"]


async def test_a_decision_that_was_not_told_is_told_by_the_reconciler(
    stage: Platform, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API died between commit and message."""
    run_id, approval = await waiting(stage, org)
    await decide(stage, org, approval, approve=True, tell=False)
    await asyncio.sleep(0.2)
    assert await steps_of(stage, org, run_id) == []
    monkeypatch.setattr(reconciling, "RECONCILE_GRACE", timedelta(0))
    sweep = ReconcileActivities(stage.db, stage.orchestrator)
    assert await ActivityEnvironment().run(sweep._tell_approvals) >= 1
    assert (await stage.until(org.id, run_id)).status == RunStatus.COMPLETED
    assert await told(stage, org, run_id) == ["approved"]
