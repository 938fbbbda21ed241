"""The main paths of a run with `max_cached_workflows=0`: every workflow task replays the whole history.

What is not deterministic, and hides behind the worker's cache, fails here.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from infra.settings import Settings
from schema.contracts.run import CancelRunInput, FinishRunInput, PauseRunInput, ResumeRunInput, RunWorkflow
from schema.errors import ProviderRefused
from schema.ids import agent_workflow_id
from schema.states import RunStatus
from schema.store import billing
from tests.integration.conftest import Org
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner

pytestmark = pytest.mark.timeout(120)


class Script:
    """The reasoner of the module's platform, scripted by each test."""

    def __init__(self) -> None:
        self.now = ScriptedReasoner()
        self.name = "extractive"

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return getattr(self.now, method)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def script() -> Script:
    """What the agents do."""
    return Script()


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client, script: Script) -> AsyncIterator[Platform]:
    """Workers without a cache."""
    prefix = f"nocache-{uuid.uuid4().hex[:8]}-"
    async with platform(settings, temporal_client, prefix, reasoner=script, max_cached_workflows=0) as running:
        yield running


async def begin(stage: Platform, org: Org) -> tuple[str, WorkflowHandle[RunWorkflow, Any]]:
    """Create and start a run."""
    run_id = await stage.create(org.id, org.owner_id, f"question {uuid.uuid4().hex}")
    return run_id, await stage.start(org.id, run_id)


async def until_thinking(reasoner: ScriptedReasoner, within_s: float = 30) -> None:
    """Wait until an agent is at work."""
    async with asyncio.timeout(within_s):
        while not any(call[0] == "next_action" for call in reasoner.calls):
            await asyncio.sleep(0.02)


async def check(stage: Platform, org: Org, run_id: str, *, agents: Sequence[int] = (1, 2, 3)) -> None:
    """Nothing is held, no workflow task ever failed, and every invariant counts 0."""
    async with stage.db.transaction(org.id) as session:
        hold = await billing.hold_of(session, org.id, run_id, 1)
        assert (await billing.get_balance(session, org.id)).reserved_ucr == 0
    assert hold is not None
    assert hold.state == "settled"
    for workflow_id in (run_id, *(agent_workflow_id(run_id, number) for number in agents)):
        history = await stage.client.get_workflow_handle(workflow_id).fetch_history()
        failed = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
        assert not failed, f"{workflow_id}: {failed[0].workflow_task_failed_event_attributes.failure.message}"
    assert await stage.violations() == {}


async def test_completes(stage: Platform, script: Script, org: Org) -> None:
    script.now = ScriptedReasoner()
    run_id, handle = await begin(stage, org)
    assert (await handle.result()).status is RunStatus.COMPLETED
    await check(stage, org, run_id)


async def test_pauses_and_resumes(stage: Platform, script: Script, org: Org) -> None:
    script.now = ScriptedReasoner(steps=7)
    run_id, handle = await begin(stage, org)
    await until_thinking(script.now)
    assert (await handle.execute_update(RunWorkflow.pause, PauseRunInput())).status is RunStatus.PAUSED
    assert (await handle.execute_update(RunWorkflow.resume, ResumeRunInput())).status is RunStatus.RUNNING
    assert (await handle.result()).status is RunStatus.COMPLETED
    await check(stage, org, run_id)


async def test_cancels(stage: Platform, script: Script, org: Org) -> None:
    script.now = ScriptedReasoner(steps=7)
    run_id, handle = await begin(stage, org)
    await until_thinking(script.now)
    assert (await handle.execute_update(RunWorkflow.cancel, CancelRunInput())).status is RunStatus.CANCELLED
    assert (await handle.result()).status is RunStatus.CANCELLED
    assert (await stage.run_row(org.id, run_id)).status == "cancelled"
    await check(stage, org, run_id)


async def test_cancels_while_paused(stage: Platform, script: Script, org: Org) -> None:
    script.now = ScriptedReasoner(steps=7)
    run_id, handle = await begin(stage, org)
    await until_thinking(script.now)
    await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    assert (await handle.execute_update(RunWorkflow.cancel, CancelRunInput())).status is RunStatus.CANCELLED
    assert (await handle.result()).status is RunStatus.CANCELLED
    await check(stage, org, run_id)


async def test_finishes_early(stage: Platform, script: Script, org: Org) -> None:
    script.now = ScriptedReasoner(steps=7)
    run_id, handle = await begin(stage, org)
    await until_thinking(script.now)
    await handle.execute_update(RunWorkflow.finish, FinishRunInput())
    assert (await handle.result()).status is RunStatus.COMPLETED
    await check(stage, org, run_id)


async def test_finishes_before_any_agent_began(stage: Platform, script: Script, org: Org) -> None:
    """A finish that meets the plan: no agent begins, and the report says what it lacks."""
    finished = asyncio.Event()

    def hold_plan(method: str, agent: int, step: int) -> Any:
        return finished.wait() if method == "decompose" else None

    script.now = ScriptedReasoner(before=hold_plan)
    run_id, handle = await begin(stage, org)
    async with asyncio.timeout(30):
        while not script.now.calls:
            await asyncio.sleep(0.02)
    await handle.execute_update(RunWorkflow.finish, FinishRunInput())
    finished.set()
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert not any(call[0] == "next_action" for call in script.now.calls)
    await check(stage, org, run_id, agents=())


async def test_one_failed_agent_does_not_sink_the_run(stage: Platform, script: Script, org: Org) -> None:
    def fail_second(method: str, agent: int, step: int) -> None:
        if method == "next_action" and agent == 2:
            raise ProviderRefused("the model does not exist")

    script.now = ScriptedReasoner(before=fail_second)
    run_id, handle = await begin(stage, org)
    assert (await handle.result()).status is RunStatus.COMPLETED
    await check(stage, org, run_id)
