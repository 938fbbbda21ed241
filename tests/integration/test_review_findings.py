"""What a hostile review of workflows, money and the reconciler found: each test failed before its fix."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import worker
from activities.documents.indexing import store_snapshot
from activities.reconcile import activities as reconcile_module
from activities.reconcile.activities import ReconcileActivities
from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from schema.contracts.research import Score, SourceKind, SourceRef
from schema.contracts.run import CancelRunInput, FinishRunInput, PauseRunInput, ResumeRunInput, RunWorkflow
from schema.errors import ProviderUnavailable
from schema.ids import RUN, new_id
from schema.money import PCR_PER_UCR, credits_to_ucr
from schema.policies import PAYLOAD_BYTES_MAX, TaskQueue
from schema.states import RunStatus
from schema.store import research, runs, snapshots
from schema.store.audit import SYSTEM
from schema.store.runs import Ending
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
    async with platform(settings, temporal_client, f"rf-{uuid.uuid4().hex[:8]}-", reasoner=script) as running:
        yield running


class Brake:
    """Holds a reasoner at one method until it is let go."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()

    async def __call__(self, method: str, agent: int, step: int) -> None:
        """Wait where told."""
        if method == self.method:
            self.reached.set()
            await self.let_go.wait()


async def _ends(handle: WorkflowHandle, within_s: float = 25.0):
    async with asyncio.timeout(within_s):
        return await handle.result()


async def test_pause_during_the_report_then_resume_completes(stage: Platform, script: Script, org: Org) -> None:
    """The body passed the last gate while the row was still paused: paused -> completed is not in the table."""
    brake = Brake("merge")
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(steps=1, before=brake))
    await asyncio.wait_for(brake.reached.wait(), 30)
    await handle.signal("pause")
    await asyncio.sleep(0.3)
    brake.let_go.set()
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    assert (await _ends(handle)).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_finish_during_the_plan_ends_the_run(stage: Platform, script: Script, org: Org) -> None:
    """No agent ran and none failed: `worst[0]` raised IndexError, and the workflow task failed for ever."""
    brake = Brake("decompose")
    _, handle = await begin(stage, script, org, ScriptedReasoner(before=brake))
    await asyncio.wait_for(brake.reached.wait(), 30)
    await handle.execute_update(RunWorkflow.finish, FinishRunInput())
    brake.let_go.set()
    try:
        assert (await _ends(handle)).status is RunStatus.COMPLETED
    finally:
        if (await handle.describe()).close_time is None:
            await handle.terminate()
    assert await stage.violations() == {}


async def test_an_automatic_retry_has_the_budget_of_the_agents_that_failed(
    stage: Platform, script: Script, org: Org
) -> None:
    """The budget of a failed agent never came back: the retry had none, and waited for credits."""
    failures = {"left": 6}

    def fail(method: str, agent: int, step: int) -> None:
        if method == "next_action" and step == 1 and failures["left"]:
            failures["left"] -= 1
            raise ProviderUnavailable("away", retry_after_s=0.0)

    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=3, before=fail))
    run = await stage.until(
        org.id, run_id, RunStatus.PAUSED, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, within_s=90
    )
    if run.status == RunStatus.PAUSED:
        await handle.terminate()
    assert (run.status, run.tries) == ("completed", 1)
    assert await stage.violations() == {}


async def test_a_retry_whose_earlier_execution_is_forgotten_starts_and_stops_no_sweep(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal forgets closed workflows (retention): `describe` of attempt 1 answered NOT_FOUND, and the sweep died."""
    monkeypatch.setattr(reconcile_module, "RECONCILE_GRACE", timedelta(0))
    task = f"question {uuid.uuid4().hex}"
    script.by_task[task] = ScriptedReasoner(steps=1)
    run_id = await stage.create(org.id, org.owner_id, task)
    async with stage.db.transaction(org.id) as session:
        await runs.start_run(session, org.id, run_id, SYSTEM)
    async with stage.db.transaction(org.id) as session:
        await runs.close(session, org.id, run_id, Ending(1, 1, RunStatus.FAILED, "failed long ago"), actor=SYSTEM)
    async with stage.db.transaction(org.id) as session:
        await runs.retry_run(session, org.id, run_id, SYSTEM)
    await ActivityEnvironment().run(ReconcileActivities(stage.db, stage.orchestrator).sweep)
    assert (await stage.until(org.id, run_id, within_s=30)).status == "completed"
    assert await stage.violations() == {}


async def test_pause_right_after_resume_parks_agents_whose_worker_was_away(
    settings: Settings, temporal_client: Client, script: Script, org: Org
) -> None:
    """An agent that saw `resume` and `pause` in one task never left its gate, and never said that it is parked."""
    prefix = f"rf-{uuid.uuid4().hex[:8]}-"
    own = settings.model_copy(update={"temporal_task_queue_prefix": prefix})
    async with AsyncExitStack() as stack:
        parts = await worker.open_parts(own, temporal_client, stack)
        parts = worker.Parts(**{**vars(parts), "reasoner": script})
        away = AsyncExitStack()
        for station in worker.stations(parts, worker.builtin_tools()):
            built = worker.build_worker(
                parts, station, own.task_queue(station.queue), graceful_shutdown_timeout=timedelta(0)
            )
            await (away if station.queue is TaskQueue.AGENTS else stack).enter_async_context(built)
        stage = Platform(temporal_client, parts.db, own, parts, parts.orchestrator)
        run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=2, steps=8))
        await stage.until(org.id, run_id, RunStatus.RUNNING)
        await asyncio.sleep(0.5)
        assert (await handle.execute_update(RunWorkflow.pause, PauseRunInput())).status is RunStatus.PAUSED
        await away.aclose()
        assert (await handle.execute_update(RunWorkflow.resume, ResumeRunInput())).status is RunStatus.RUNNING
        await handle.signal("pause")
        await asyncio.sleep(1.0)
        agents = next(item for item in worker.stations(parts, worker.builtin_tools()) if item.queue == TaskQueue.AGENTS)
        await stack.enter_async_context(worker.build_worker(parts, agents, own.task_queue(agents.queue)))
        try:
            await stage.until(org.id, run_id, RunStatus.PAUSED, within_s=15)
            await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
            assert (await _ends(handle, 40)).status is RunStatus.COMPLETED
        finally:
            if (await handle.describe()).close_time is None:
                await handle.terminate()


async def test_a_retry_waits_for_agents_of_a_terminated_attempt(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that still closed under the same workflow id made its successor fail at once."""
    monkeypatch.setattr(reconcile_module, "RECONCILE_GRACE", timedelta(0))
    reached, let_go = asyncio.Event(), asyncio.Event()

    async def linger(method: str, agent: int, step: int) -> None:
        """Ignore a cancel, as a tool in a foreign library may."""
        if method == "next_action" and not let_go.is_set():
            reached.set()
            while not let_go.is_set():
                try:
                    await asyncio.shield(asyncio.ensure_future(let_go.wait()))
                except asyncio.CancelledError:
                    continue

    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=1, before=linger))
    await asyncio.wait_for(reached.wait(), 30)
    await handle.terminate()
    await ActivityEnvironment().run(ReconcileActivities(stage.db, stage.orchestrator).sweep)
    assert (await stage.run_row(org.id, run_id)).status == RunStatus.FAILED
    handle = await stage.retry(org.id, run_id)
    await stage.until(org.id, run_id, RunStatus.RUNNING)
    await asyncio.sleep(1.5)
    let_go.set()
    assert (await _ends(handle)).status is RunStatus.COMPLETED
    async with stage.db.transaction(org.id) as session:
        assert [agent.status for agent in await runs.list_agents(session, org.id, run_id)] == ["completed"]
    assert await stage.violations() == {}


async def test_sources_do_not_depend_on_who_writes_first(db: Database, objects: ObjectStore, org: Org) -> None:
    """Two documents of the same text: the row kept the title and address of whichever agent came first."""
    text = f"The same text in two documents, {uuid.uuid4().hex}."
    found: list[list[tuple[object, ...]]] = []
    for turned in (False, True):
        run_id = new_id(RUN)
        async with db.transaction(org.id) as session:
            await runs.create_run(
                session, org.id, run_id=run_id, user_id=org.owner_id, name="n", description=None, task="t", context={},
                max_agents=1, max_tokens=1_000,
            )  # fmt: skip
            snapshot = await store_snapshot(objects, org.id, text)
            await snapshots.put_snapshot(session, org.id, snapshot)
            given = [
                SourceRef(
                    snapshot_sha256=snapshot.sha256,
                    kind=SourceKind.CORPUS,
                    title=name,
                    uri=f"document:{name}",
                    document_id=None,
                    published_at=None,
                    score=Score(relevance=0.5, trust=0.8, recency=0.5, reasons={"relevance": f"it is {name}"}),
                )
                for name in ("doc_a", "doc_b")
            ]
        async with db.direct(org.id) as connection:
            for source in reversed(given) if turned else given:
                await research.put_sources(connection, org.id, run_id, [source])
        async with db.transaction(org.id) as session:
            rows, _ = await research.list_sources(session, org.id, run_id, limit=9)
            read = [each.source for each in rows]
            found.append([(row.title, row.uri, row.addresses, row.relevance, row.reasons) for row in read])
    assert found[0] == found[1]
    assert set(found[0][0][2]) == {"document:doc_a", "document:doc_b"}


async def test_a_payload_above_the_limit_is_refused_and_the_run_still_settles(
    stage: Platform, script: Script, org: Org
) -> None:
    """The design promises that 256 KiB are refused before scheduling; nothing did."""
    with pytest.raises(ApplicationError):
        await stage.client.start_workflow("Run", "x" * (PAYLOAD_BYTES_MAX + 1), id="never", task_queue="nowhere")
    reasoner = ScriptedReasoner(agents=40)
    decompose = reasoner.decompose

    async def wordy(brief):
        """Make a plan that is too large to travel."""
        made = await decompose(brief)
        wordy = tuple(subtask.model_copy(update={"title": "word " * 1_500}) for subtask in made.value)
        return made.model_copy(update={"value": wordy})

    reasoner.decompose = wordy  # type: ignore[method-assign]
    run_id, handle = await begin(stage, script, org, reasoner, max_agents=40)
    with pytest.raises(WorkflowFailureError):
        await _ends(handle, 60)
    run = await stage.run_row(org.id, run_id)
    assert (run.status, (run.last_error or {}).get("code")) == ("failed", "payload_too_large")
    assert await stage.violations() == {}


async def test_credits_that_are_held_already_are_not_refused(stage: Platform, script: Script, org: Org) -> None:
    """Of two resumes at once the second was refused after its credits were held: nobody could spend them."""
    brake = Brake("next_action")
    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=1, steps=1, before=brake))
    await asyncio.wait_for(brake.reached.wait(), 30)
    await handle.signal("pause")
    brake.let_go.set()
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    brake.let_go.clear()
    added_ucr = credits_to_ucr(Decimal(5))
    async with stage.db.transaction(org.id) as session:
        await runs.raise_hold(session, org.id, run_id, added_ucr=added_ucr, idempotency_key="second", actor=SYSTEM)
    before = (await handle.query(RunWorkflow.state)).pool_pcr
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    held_ucr = (await stage.run_row(org.id, run_id)).quoted_ucr + added_ucr
    resumed = await handle.execute_update(RunWorkflow.resume, ResumeRunInput(added_ucr=added_ucr, hold_ucr=held_ucr))
    assert resumed.status is RunStatus.RUNNING
    assert (await handle.query(RunWorkflow.state)).pool_pcr == before + added_ucr * PCR_PER_UCR
    brake.let_go.set()
    assert (await _ends(handle)).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_a_healthy_run_does_not_hide_another_from_the_reconciler(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oldest first, a batch full of runs that are paused for weeks was all that every sweep ever saw."""
    monkeypatch.setattr(reconcile_module, "RECONCILE_GRACE", timedelta(0))
    monkeypatch.setattr(reconcile_module, "RECONCILE_BATCH", 1)
    brakes = [Brake("decompose"), Brake("decompose")]
    healthy, healthy_handle = await begin(stage, script, org, ScriptedReasoner(steps=0, before=brakes[0]))
    await asyncio.wait_for(brakes[0].reached.wait(), 30)
    broken, handle = await begin(stage, script, org, ScriptedReasoner(before=brakes[1]))
    await asyncio.wait_for(brakes[1].reached.wait(), 30)
    await handle.terminate()
    sweep = ReconcileActivities(stage.db, stage.orchestrator).sweep
    async with asyncio.timeout(60):  # Rows that other tests left alive are drawn as well.
        while (await stage.run_row(org.id, broken)).status != RunStatus.FAILED:
            await ActivityEnvironment().run(sweep)
    brakes[0].let_go.set()
    brakes[1].let_go.set()
    assert (await stage.run_row(org.id, broken)).status == RunStatus.FAILED
    assert (await _ends(healthy_handle)).status is RunStatus.COMPLETED
    assert (await stage.run_row(org.id, healthy)).status == RunStatus.COMPLETED


async def test_a_cancel_right_after_a_pause_is_never_lost(stage: Platform, script: Script, org: Org) -> None:
    """An agent that is telling its run that it is parked swallows the cancel's exception; the state must do."""
    chance = random.Random(20261122)
    for _ in range(6):
        run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=5, steps=8))
        await stage.until(org.id, run_id, RunStatus.RUNNING)
        await asyncio.sleep(chance.uniform(0.1, 0.6))
        pausing = asyncio.create_task(handle.execute_update(RunWorkflow.pause, PauseRunInput()))
        await asyncio.sleep(chance.uniform(0.0, 0.15))
        await asyncio.gather(
            pausing, handle.execute_update(RunWorkflow.cancel, CancelRunInput()), return_exceptions=True
        )
        assert (await stage.until(org.id, run_id, within_s=20)).status in ("cancelled", "completed")
    assert await stage.violations() == {}
