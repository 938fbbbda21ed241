"""What keeps and opens a run's gate: budgets that come late, grants, a gatekeeper that dies."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError

from infra.settings import Settings
from schema.contracts.run import ResumeRunInput, RunWorkflow
from schema.errors import IllegalTransition
from schema.ids import agent_workflow_id
from schema.money import credits_to_ucr
from schema.states import RunStatus, StatusDetail
from schema.store import runs
from schema.store.audit import SYSTEM
from tests.integration.conftest import Org
from tests.integration.test_run_workflow import Script, begin
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner


@pytest.fixture(scope="module")
def script() -> Script:
    """Scripts by task."""
    return Script()


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client, script: Script) -> AsyncIterator[Platform]:
    """Workers under task queues of this module's own."""
    async with platform(settings, temporal_client, f"gt-{uuid.uuid4().hex[:8]}-", reasoner=script) as running:
        yield running


async def starve(stage: Platform, script: Script, org: Org, credits: str = "0.3", **fields):
    """Start a run whose agents use up their budget; returns when it waits for credits."""
    run_id, handle = await begin(
        stage, script, org, ScriptedReasoner(steps=6, **fields), context={"max_credits": float(credits)}
    )
    run = await stage.until(org.id, run_id, RunStatus.PAUSED)
    assert run.status_detail == StatusDetail.WAITING_FOR_CREDITS
    return run_id, handle


async def top_up(stage: Platform, org: Org, run_id: str, amount: str) -> None:
    """Raise the hold as the API does, in PostgreSQL."""
    added_ucr = credits_to_ucr(Decimal(amount))
    async with stage.db.transaction(org.id) as session:
        await runs.raise_hold(session, org.id, run_id, added_ucr=added_ucr, idempotency_key=amount, actor=SYSTEM)


@pytest.mark.parametrize("by", ["update", "signal"])
async def test_a_top_up_whose_update_was_lost_is_spent_all_the_same(
    stage: Platform, script: Script, org: Org, by: str
) -> None:
    """The workflow knew only what its own Update told it: a raised hold lay idle until the settlement."""
    run_id, handle = await starve(stage, script, org)
    await top_up(stage, org, run_id, "5")  # ... and the API dies here.
    if by == "signal":
        await handle.signal("resume")
    else:
        await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    async with asyncio.timeout(40):
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_the_same_total_told_twice_counts_once(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await starve(stage, script, org)
    await top_up(stage, org, run_id, "5")
    told = ResumeRunInput(hold_ucr=credits_to_ucr(Decimal("5.3")))
    await handle.execute_update(RunWorkflow.resume, told)
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_a_grant_lasts_for_more_than_one_step(stage: Platform, script: Script, org: Org) -> None:
    """Each grant covered one step: after a top-up every step of every agent cost the run a round trip."""
    run_id, handle = await starve(stage, script, org)
    events = [event async for event in handle.fetch_history_events()]
    before = sum(event.HasField("signal_external_workflow_execution_initiated_event_attributes") for event in events)
    await top_up(stage, org, run_id, "5")
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    assert (await handle.result()).status is RunStatus.COMPLETED
    events = [event async for event in handle.fetch_history_events()]
    after = sum(event.HasField("signal_external_workflow_execution_initiated_event_attributes") for event in events)
    assert after - before <= 2 * 3, "more than one resume and one grant for each of three agents"
    assert await stage.violations() == {}


async def test_a_gatekeeper_that_dies_ends_the_run_and_settles_it(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error was never read: agents stayed parked, and the run hung with its hold for ever."""
    project = runs.project

    async def refuse(session, org_id, run_id, projection, **more):
        if run_id == broken and projection.status is RunStatus.PAUSED:
            raise IllegalTransition("told so by the test")
        return await project(session, org_id, run_id, projection, **more)

    monkeypatch.setattr(runs, "project", refuse)
    reasoner = ScriptedReasoner(steps=8)
    broken, handle = await begin(stage, script, org, reasoner)
    async with asyncio.timeout(20):
        while len({agent for method, agent, _ in reasoner.calls if method == "next_action"}) < 3:
            await asyncio.sleep(0.02)
    await handle.signal("pause")
    with pytest.raises(WorkflowFailureError):
        async with asyncio.timeout(30):
            await handle.result()
    run = await stage.run_row(org.id, broken)
    assert (run.status, (run.last_error or {}).get("code")) == ("failed", "illegal_transition")
    for number in (1, 2, 3):
        described = await stage.client.get_workflow_handle(agent_workflow_id(broken, number)).describe()
        assert described.close_time is not None
    assert await stage.violations() == {}


async def test_a_cancel_that_cannot_be_shown_still_settles(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The announcement's failure went through the workflow's main coroutine, past the settlement."""
    project = runs.project

    async def refuse(session, org_id, run_id, projection, **more):
        if run_id == doomed and projection.detail is StatusDetail.CANCELLING:
            raise IllegalTransition("told so by the test")
        return await project(session, org_id, run_id, projection, **more)

    monkeypatch.setattr(runs, "project", refuse)
    doomed, handle = await begin(stage, script, org, ScriptedReasoner(steps=8))
    await stage.until(org.id, doomed, RunStatus.RUNNING)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await stage.run_row(org.id, doomed)).status == "cancelled"
    assert await stage.violations() == {}


async def test_pausing_a_run_that_waits_for_credits_is_refused(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await starve(stage, script, org)
    await handle.signal("pause")  # Illegal: it is paused already.
    await handle.signal("resume")  # Nothing was added: it waits again.
    await handle.signal("cancel")
    assert (await handle.result()).status is RunStatus.CANCELLED
    assert (await stage.run_row(org.id, run_id)).status == "cancelled"
    assert await stage.violations() == {}
