"""What operators do by hand with `temporal`: signals with nothing or nonsense in them, cancel, terminate, reset."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.reconcile import activities as reconcile_module
from activities.reconcile.activities import ReconcileActivities
from infra.settings import Settings
from schema.contracts.run import CancelRunInput, RunWorkflow
from schema.ids import agent_workflow_id
from schema.states import RunStatus
from tests.integration.conftest import Org
from tests.integration.test_run_workflow import Script, begin
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner

NONSENSE = ({"x": 1}, "z", None)
REACHED_WITHIN = 120
"""Seconds until the agents think, on a machine under load; less than the suite's limit for a test."""


@pytest.fixture(scope="module")
def script() -> Script:
    """Scripts by task."""
    return Script()


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client, script: Script) -> AsyncIterator[Platform]:
    """Workers under task queues of this module's own."""
    async with platform(settings, temporal_client, f"op-{uuid.uuid4().hex[:8]}-", reasoner=script) as running:
        yield running


class Brake:
    """Holds every agent at its first think until it is let go."""

    def __init__(self, method: str = "next_action") -> None:
        self.method = method
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()

    async def __call__(self, method: str, agent: int, step: int) -> None:
        """Wait where told."""
        if method == self.method:
            self.reached.set()
            await self.let_go.wait()


async def ended(handle, within_s: float = 40.0) -> RunStatus:
    """Wait for the end of a run."""
    async with asyncio.timeout(within_s):
        return (await handle.result()).status


async def test_signals_without_input_or_with_nonsense_stop_nothing(stage: Platform, script: Script, org: Org) -> None:
    """A signal stays in the history: one that a handler cannot take failed every workflow task from then on."""
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=2, steps=2, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    agent = stage.client.get_workflow_handle(agent_workflow_id(run_id, 1))
    for name in ("agent_parked", "nothing", "resume"):
        await handle.signal(name)
        await handle.signal(name, args=[{"x": 1}, 2])
        for value in NONSENSE:
            await handle.signal(name, value)
    for name in ("control", "nothing", "pause"):
        await agent.signal(name)
        await agent.signal(name, args=[{"x": 1}, 2])
        for value in NONSENSE:
            await agent.signal(name, value)
    brake.let_go.set()
    assert await ended(handle) is RunStatus.COMPLETED
    assert await stage.violations() == {}


@pytest.mark.parametrize("sent", [[], ["the tenant asked"], [None], [{"reason": "x"}, 2]])
@pytest.mark.parametrize(("name", "end"), [("cancel", RunStatus.CANCELLED), ("finish", RunStatus.COMPLETED)])
async def test_an_order_is_followed_whatever_is_sent_along(
    stage: Platform, script: Script, org: Org, name: str, end: RunStatus, sent: list[object]
) -> None:
    """`temporal workflow signal --name cancel --input '"the tenant asked"'`."""
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=2, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    await handle.signal(name, args=sent)
    brake.let_go.set()
    assert await ended(handle) is end
    assert (await stage.run_row(org.id, run_id)).status == end
    assert await stage.violations() == {}


@pytest.mark.parametrize("sent", [[], [7]])
async def test_pause_and_resume_are_followed_whatever_is_sent_along(
    stage: Platform, script: Script, org: Org, sent: list[object]
) -> None:
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=2, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    await handle.signal("pause", args=sent)
    brake.let_go.set()
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    await handle.signal("resume", args=sent)
    assert await ended(handle) is RunStatus.COMPLETED


async def test_orders_that_nobody_gave_change_nothing_for_good(stage: Platform, script: Script, org: Org) -> None:
    """Well-formed, and wrong: an agent that does not exist, a grant below zero, a pause that the run knows not of."""
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=2, steps=3, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    for number in (0, -1, 99, 1):
        await handle.signal("agent_parked", {"agent_number": number, "parked": True, "needs_pcr": -5})
        await handle.signal("agent_parked", {"agent_number": number, "parked": True, "pause_number": 7})
    agent = stage.client.get_workflow_handle(agent_workflow_id(run_id, 1))
    await agent.signal("control", {"kind": "grant", "amount_pcr": -(10**18)})
    await agent.signal("control", {"kind": "explode"})
    brake.let_go.set()
    assert await ended(handle) is RunStatus.COMPLETED
    assert await stage.violations() == {}


@pytest.mark.parametrize("name", ["pause", "resume", "finish", "cancel"])
async def test_updates_without_input_or_with_nonsense_are_refused_and_stop_nothing(
    stage: Platform, script: Script, org: Org, name: str
) -> None:
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=1, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    for args in ([], [["y"]], ["z"], [7], [{"hold_ucr": "much", "reason": 1, "added_ucr": []}]):
        try:
            async with asyncio.timeout(15):
                await handle.execute_update(name, args=args)
        except (WorkflowUpdateFailedError, RPCError):
            continue
        else:
            assert name in ("pause", "finish"), f"{name} took {args}"
    brake.let_go.set()
    if name == "pause":  # The last one was a pause: what a newer sender adds is passed over.
        await stage.until(org.id, run_id, RunStatus.PAUSED)
        await handle.signal("resume")
    assert await ended(handle) is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_signals_to_a_run_that_has_ended_are_refused(stage: Platform, script: Script, org: Org) -> None:
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=1))
    assert await ended(handle) is RunStatus.COMPLETED
    for name in ("pause", "cancel"):
        with pytest.raises(RPCError):
            await handle.signal(name)
    assert (await stage.run_row(org.id, run_id)).status == "completed"


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("when", ["running", "reporting", "completed"])
async def test_a_reset_run_ends_and_is_charged_once(
    stage: Platform, script: Script, org: Org, when: str, twice: bool
) -> None:
    """`temporal workflow reset --type FirstWorkflowTask`: the same attempt, run again on what is recorded."""
    brake = Brake({"running": "next_action", "reporting": "merge", "completed": "never"}[when])
    reasoner = ScriptedReasoner(agents=2, steps=2, before=brake)
    run_id, handle = await begin(stage, script, org, reasoner)
    if when == "completed":
        assert await ended(handle) is RunStatus.COMPLETED
    else:
        await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    for _ in range(1 + twice):
        await reset(stage.client, run_id)
    brake.let_go.set()
    assert await ended(stage.client.get_workflow_handle_for(RunWorkflow.run, run_id), 60) is RunStatus.COMPLETED
    assert (await stage.run_row(org.id, run_id)).status == "completed"
    assert await stage.violations() == {}


async def reset(client: Client, run_id: str) -> None:
    """Reset a run to its first workflow task, as the command line does."""
    described = await client.get_workflow_handle(run_id).describe()
    current = client.get_workflow_handle(run_id, run_id=described.run_id)
    ends = [f"workflow_task_{how}_event_attributes" for how in ("completed", "failed", "timed_out")]
    first = None
    async with asyncio.timeout(20):
        while first is None:
            events = (await current.fetch_history()).events
            first = next((event.event_id for event in events if any(event.HasField(end) for end in ends)), None)
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run_id, run_id=described.run_id),
            reason="test",
            workflow_task_finish_event_id=first,
            request_id=uuid.uuid4().hex,
        )
    )


@pytest.mark.parametrize("how", ["cancel", "terminate"])
async def test_an_agent_that_is_ended_by_hand_is_missing_and_the_run_goes_on(
    stage: Platform, script: Script, org: Org, how: str
) -> None:
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=3, steps=1, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    await stage.until(org.id, run_id, RunStatus.RUNNING)
    agent = stage.client.get_workflow_handle(agent_workflow_id(run_id, 2))
    await (agent.cancel() if how == "cancel" else agent.terminate())
    brake.let_go.set()
    assert await ended(handle) is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_a_paused_run_that_is_terminated_is_settled_and_can_be_retried(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_module, "RECONCILE_GRACE", timedelta(0))
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=2, steps=2, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    await handle.signal("pause")
    brake.let_go.set()
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    await handle.terminate()
    await ActivityEnvironment().run(ReconcileActivities(stage.db, stage.orchestrator).sweep)
    assert (await stage.until(org.id, run_id)).status == "failed"
    handle = await stage.retry(org.id, run_id)
    assert await ended(handle, 60) is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_cancel_update_and_native_cancel_at_once(stage: Platform, script: Script, org: Org) -> None:
    brake = Brake()
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=2, steps=2, before=brake))
    await asyncio.wait_for(brake.reached.wait(), REACHED_WITHIN)
    await asyncio.gather(
        handle.execute_update(RunWorkflow.cancel, CancelRunInput()), handle.cancel(), return_exceptions=True
    )
    brake.let_go.set()
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    assert (await stage.until(org.id, run_id)).status == "cancelled"
    assert await stage.violations() == {}
