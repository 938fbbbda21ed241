"""The Run and Agent workflows on real Temporal, PostgreSQL and S3: lifecycle, money, messages."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from infra.settings import Settings
from schema.contracts.run import (
    CancelRunInput,
    FinishRunInput,
    PauseRunInput,
    ResumeRunInput,
    RunWorkflow,
)
from schema.errors import ProviderRefused, ProviderUnavailable
from schema.ids import agent_workflow_id
from schema.money import credits_to_ucr
from schema.states import RunStatus, StatusDetail
from schema.store import billing, events, runs
from schema.store.audit import SYSTEM
from tests.integration.conftest import Org
from tests.support.platform import Platform, platform
from tests.support.scripted import ProcessTool, ScriptedReasoner


class Script:
    """The reasoner of the session's platform, which each test scripts by its own task text."""

    def __init__(self) -> None:
        self.by_task: dict[str, ScriptedReasoner] = {}
        self.name = "extractive"

    def __getattr__(self, method: str):
        async def dispatch(first, *rest):
            task = (first.brief if hasattr(first, "brief") else first).task
            return await getattr(self.by_task[task], method)(first, *rest)

        return dispatch


@pytest.fixture(scope="module")
def script() -> Script:
    """Scripts by task."""
    return Script()


@pytest.fixture(scope="module")
def naps() -> ProcessTool:
    """The tool that runs a process."""
    return ProcessTool()


@pytest_asyncio.fixture(scope="module")
async def stage(
    settings: Settings, temporal_client: Client, script: Script, naps: ProcessTool
) -> AsyncIterator[Platform]:
    """Workers under task queues of this module's own."""
    prefix = f"wf-{uuid.uuid4().hex[:8]}-"
    async with platform(settings, temporal_client, prefix, reasoner=script, tools=[naps]) as running:
        yield running


@pytest.fixture(autouse=True)
def allow_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the agents of these tests use the test's own tool."""
    from activities.runs import planning

    allowed = {kind: (*tools, "corpus.nap") for kind, tools in planning.TOOLS_BY_KIND.items()}
    monkeypatch.setattr(planning, "TOOLS_BY_KIND", allowed)


async def begin(stage: Platform, script: Script, org: Org, reasoner: ScriptedReasoner, **fields):
    """Create and start a run with a script of its own."""
    task = f"question {uuid.uuid4().hex}"
    script.by_task[task] = reasoner
    run_id = await stage.create(org.id, org.owner_id, task, **fields)
    return run_id, await stage.start(org.id, run_id)


def napping(seconds: float = 30.0, **fields) -> ScriptedReasoner:
    """Agents that call the tool with a process."""
    return ScriptedReasoner(tool="corpus.nap", arguments=lambda a, s: {"seconds": seconds + s / 1000}, **fields)


async def test_completes_and_charges_what_was_metered(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner())
    result = await handle.result()
    run = await stage.run_row(org.id, run_id)
    assert (result.status, run.status) == (RunStatus.COMPLETED, "completed")
    async with stage.db.transaction(org.id) as session:
        hold = await billing.hold_of(session, org.id, run_id, 1)
        balance = await billing.get_balance(session, org.id)
        steps, _ = await runs.list_steps(session, org.id, run_id, agent_number=2, limit=100)
        log = await events.list_events(session, org.id, run_id, limit=500)
    assert hold is not None
    assert hold.state == "settled"
    # 3 agents x (4 searches at 0.02 + 5 thinks of 110 tokens at 10 per million), a plan of 110 tokens, and the report.
    assert 240_000 <= hold.captured_ucr == result.charged_ucr < 300_000
    assert balance.balance_ucr == credits_to_ucr(Decimal(1000)) - hold.captured_ucr
    assert balance.reserved_ucr == 0
    assert [step.sequence_number for step in steps if step.kind == "act"] == [0, 1, 2, 3]
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert await stage.violations() == {}


async def test_history_stays_within_its_budget(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=6))
    await handle.result()
    described = await stage.client.get_workflow_handle(agent_workflow_id(run_id, 1)).describe()
    assert described.history_length / 7 <= 14


async def test_pause_holds_every_tool_and_resume_goes_on(stage: Platform, script: Script, org: Org) -> None:
    reasoner = ScriptedReasoner(steps=8)
    run_id, handle = await begin(stage, script, org, reasoner)
    await stage.until(org.id, run_id, RunStatus.RUNNING)
    while not any(call[0] == "next_action" for call in reasoner.calls):
        await asyncio.sleep(0.02)
    paused = await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    assert paused.status is RunStatus.PAUSED
    calls = len(reasoner.calls)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "illegal_transition"
    await asyncio.sleep(1.0)
    assert len(reasoner.calls) == calls, "something ran while the run was paused"
    assert (await handle.execute_update(RunWorkflow.resume, ResumeRunInput())).status is RunStatus.RUNNING
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_operators_signal_by_name(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(steps=8))
    await stage.until(org.id, run_id, RunStatus.RUNNING)
    await handle.signal("pause")
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    await handle.signal("pause")  # Illegal now: logged, ignored.
    await handle.signal("resume")
    await stage.until(org.id, run_id, RunStatus.RUNNING, RunStatus.COMPLETED)
    assert (await handle.result()).status is RunStatus.COMPLETED


async def test_cancel_reaches_the_running_process(stage: Platform, script: Script, org: Org, naps: ProcessTool) -> None:
    before = len(naps.pids)
    run_id, handle = await begin(stage, script, org, napping())
    async with asyncio.timeout(20):
        while len(naps.pids) < before + 3:
            await asyncio.sleep(0.05)
    asked = asyncio.get_running_loop().time()
    cancelled = await handle.execute_update(RunWorkflow.cancel, CancelRunInput())
    took_s = asyncio.get_running_loop().time() - asked
    assert cancelled.status is RunStatus.CANCELLED
    assert took_s < 5.0
    for pid in naps.pids[before:]:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    run = await stage.run_row(org.id, run_id)
    assert run.status == "cancelled"
    assert (await handle.result()).status is RunStatus.CANCELLED
    assert await stage.violations() == {}


async def test_native_cancel_of_the_web_ui_settles_too(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, napping())
    await stage.until(org.id, run_id, RunStatus.RUNNING)
    await handle.cancel()
    await asyncio.sleep(0.2)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await stage.run_row(org.id, run_id)).status == "cancelled"
    assert await stage.violations() == {}


async def test_one_failed_agent_does_not_sink_the_run(stage: Platform, script: Script, org: Org) -> None:
    def fail_second(method: str, agent: int, step: int) -> None:
        if method == "next_action" and agent == 2:
            raise ProviderRefused("the model does not exist")

    run_id, handle = await begin(stage, script, org, ScriptedReasoner(before=fail_second))
    assert (await handle.result()).status is RunStatus.COMPLETED
    async with stage.db.transaction(org.id) as session:
        found = {agent.number: agent.status for agent in await runs.list_agents(session, org.id, run_id)}
    assert found == {1: "completed", 2: "failed", 3: "completed"}
    assert await stage.violations() == {}


async def test_retryable_failure_is_retried_on_the_same_hold(stage: Platform, script: Script, org: Org) -> None:
    failures = {"left": 7}

    def fail_plan(method: str, agent: int, step: int) -> None:
        if method == "decompose" and failures["left"]:
            failures["left"] -= 1
            raise ProviderUnavailable("away", retry_after_s=0.0)

    run_id, handle = await begin(stage, script, org, ScriptedReasoner(before=fail_plan))
    assert (await handle.result()).status is RunStatus.COMPLETED
    run = await stage.run_row(org.id, run_id)
    async with stage.db.transaction(org.id) as session:
        changes = [change.to_status for change in await runs.list_status_changes(session, org.id, run_id)]
    assert (run.attempt, run.tries) == (1, 1)
    assert changes == ["created", "pending", "running", "retrying", "pending", "running", "completed"]
    assert await stage.violations() == {}


async def test_failure_charges_nothing_and_retry_keeps_finished_agents(
    stage: Platform, script: Script, org: Org
) -> None:
    broken = {"report": True}

    def fail_report(method: str, agent: int, step: int) -> None:
        if method == "merge" and broken["report"]:
            raise ProviderRefused("no such model")

    reasoner = ScriptedReasoner(before=fail_report)
    run_id, handle = await begin(stage, script, org, reasoner)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    run = await stage.run_row(org.id, run_id)
    assert run.status == "failed"
    assert run.last_error == {"code": "provider_refused", "detail": "no such model"}
    async with stage.db.transaction(org.id) as session:
        assert (await billing.get_balance(session, org.id)).balance_ucr == credits_to_ucr(Decimal(1000))
    broken["report"] = False
    thinks = sum(call[0] == "next_action" for call in reasoner.calls)
    handle = await stage.retry(org.id, run_id)
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert sum(call[0] == "next_action" for call in reasoner.calls) == thinks, "finished agents ran again"
    run = await stage.run_row(org.id, run_id)
    assert (run.status, run.attempt) == ("completed", 2)
    assert await stage.violations() == {}


async def test_waits_for_credits_and_goes_on_with_more(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(steps=6), context={"max_credits": 0.3})
    run = await stage.until(org.id, run_id, RunStatus.PAUSED)
    assert run.status_detail == StatusDetail.WAITING_FOR_CREDITS
    async with stage.db.transaction(org.id) as session:
        await runs.raise_hold(
            session, org.id, run_id, added_ucr=credits_to_ucr(Decimal(5)), idempotency_key="top-up", actor=SYSTEM
        )
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput(hold_ucr=credits_to_ucr(Decimal("5.3"))))
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_finishes_with_what_it_has(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(steps=6), context={"max_credits": 0.3})
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    await handle.execute_update(RunWorkflow.finish, FinishRunInput())
    assert (await handle.result()).status is RunStatus.COMPLETED
    async with stage.db.transaction(org.id) as session:
        hold = await billing.hold_of(session, org.id, run_id, 1)
    assert hold is not None
    assert hold.captured_ucr <= 300_000
    assert await stage.violations() == {}


async def test_a_looping_agent_is_stopped(stage: Platform, script: Script, org: Org) -> None:
    reasoner = ScriptedReasoner(agents=1, steps=50, arguments=lambda a, s: {"query": "the same"})
    run_id, handle = await begin(stage, script, org, reasoner)
    assert (await handle.result()).status is RunStatus.COMPLETED
    async with stage.db.transaction(org.id) as session:
        agent = (await runs.list_agents(session, org.id, run_id))[0]
    assert agent.outcome is not None
    assert "loop detected" in agent.outcome


async def test_step_budget_ends_an_agent(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=50))
    assert (await handle.result()).status is RunStatus.COMPLETED
    async with stage.db.transaction(org.id) as session:
        agent = (await runs.list_agents(session, org.id, run_id))[0]
    assert "step budget used up" in (agent.outcome or "")


async def test_paused_too_long_is_cancelled(stage: Platform, script: Script, org: Org) -> None:
    from sqlalchemy import text

    async with stage.db.transaction(org.id) as session:
        await session.execute(text("update organisations set paused_max_s = 1 where id = :id"), {"id": org.id})
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(steps=8))
    await stage.until(org.id, run_id, RunStatus.RUNNING)
    await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    await handle.result()
    assert (await stage.run_row(org.id, run_id)).status == "cancelled"
    assert await stage.violations() == {}


async def test_reconciler_starts_what_was_promised_and_closes_what_was_terminated(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from temporalio.testing import ActivityEnvironment

    from activities.reconcile import activities as module
    from activities.reconcile.activities import ReconcileActivities

    monkeypatch.setattr(module, "RECONCILE_GRACE", timedelta(0))
    sweep = ReconcileActivities(stage.db, stage.orchestrator).sweep
    task = f"question {uuid.uuid4().hex}"
    script.by_task[task] = ScriptedReasoner()
    promised = await stage.create(org.id, org.owner_id, task)
    async with stage.db.transaction(org.id) as session:
        await runs.start_run(session, org.id, promised, SYSTEM)  # ... and the API dies here.
    terminated, handle = await begin(stage, script, org, napping())
    await stage.until(org.id, terminated, RunStatus.RUNNING)
    await handle.terminate()
    found = await ActivityEnvironment().run(sweep)
    assert found.started >= 1
    assert found.closed >= 1
    assert (await stage.until(org.id, promised)).status == "completed"
    run = await stage.run_row(org.id, terminated)
    assert (run.status, (run.last_error or {}).get("detail")) == ("failed", "workflow terminated")
    assert await stage.violations() == {}
