"""What a deployment sets up at its start, and what it asks of Temporal's queues: schedules, priorities, ingestion."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client, ScheduleOverlapPolicy, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import Priority
from temporalio.worker import Worker

import worker
from activities.boundary import Boundary
from activities.documents.activities import DocumentActivities
from infra.database import Database
from infra.objects import ObjectStore
from infra.settings import Settings
from schema import policies
from schema.contracts.documents import IngestDocumentInput, IngestDocumentResult
from schema.errors import StorageUnavailable
from schema.ids import agent_workflow_id
from schema.policies import TaskQueue
from schema.store import dead_letters, documents, runs
from tests.integration.conftest import Org
from tests.integration.test_documents import upload
from tests.integration.test_run_workflow import Script, begin
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner
from workflows.ingest import IngestDocumentWorkflow


@pytest.fixture(scope="module")
def script() -> Script:
    """Scripts by task."""
    return Script()


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client, script: Script) -> AsyncIterator[Platform]:
    """Workers under task queues of this module's own."""
    async with platform(settings, temporal_client, f"dp-{uuid.uuid4().hex[:8]}-", reasoner=script) as running:
        yield running


async def test_two_deployments_in_one_namespace_have_a_reconciler_each(
    settings: Settings, temporal_client: Client
) -> None:
    """Both had the schedule `reconciler`: the second one's sweeps went to the first one's queue, and database."""
    prefixes = [f"dp-{uuid.uuid4().hex[:8]}-" for _ in range(2)]
    for prefix in prefixes:
        own = settings.model_copy(update={"temporal_task_queue_prefix": prefix})
        await worker.ensure_schedules(temporal_client, own)
        handle = temporal_client.get_schedule_handle(f"{prefix}reconciler")
        await handle.pause(note="an operator's")
        await worker.ensure_schedules(temporal_client, own)
        found = (await handle.describe()).schedule
        assert found.action.task_queue == f"{prefix}runs"
        assert found.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert found.state.paused, "an operator's pause did not survive a worker's start"
        await handle.delete()


async def test_a_runs_priority_reaches_its_agents_and_activities(stage: Platform, script: Script, org: Org) -> None:
    """Fairness between organisations holds only where every task of a run says whose it is."""
    seen: dict[str, Priority] = {}

    def note(method: str, agent: int, step: int) -> None:
        seen[f"{activity.info().activity_type} {agent}"] = activity.info().priority

    run_id, handle = await begin(stage, script, org, ScriptedReasoner(agents=2, steps=2, before=note))
    await handle.result()
    async with stage.db.transaction(org.id) as session:
        weight = float((await runs.get_organisation(session, org.id)).fairness_weight)
    wanted = Priority(priority_key=policies.PRIORITY_RUN, fairness_key=org.id, fairness_weight=weight)
    assert seen.keys() >= {"run.plan 0", "agent.think 1", "agent.think 2", "report.merge 0"}
    assert set(seen.values()) == {wanted}
    for workflow_id in (run_id, agent_workflow_id(run_id, 1)):
        events = [event async for event in stage.client.get_workflow_handle(workflow_id).fetch_history_events()]
        priority = events[0].workflow_execution_started_event_attributes.priority
        assert (priority.priority_key, priority.fairness_key) == (policies.PRIORITY_RUN, org.id)


async def test_an_agent_keeps_its_priority_when_it_continues_as_new(
    stage: Platform, script: Script, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Priority] = []
    monkeypatch.setattr(policies, "AGENT_STEPS_PER_EXECUTION", 2)

    def note(method: str, agent: int, step: int) -> None:
        if method == "next_action":
            seen.append(activity.info().priority)

    task = f"question {uuid.uuid4().hex}"
    script.by_task[task] = ScriptedReasoner(agents=1, steps=5, before=note)
    prefix = f"dp-{uuid.uuid4().hex[:8]}-"
    async with platform(stage.settings, stage.client, prefix, reasoner=script) as own:
        run_id = await own.create(org.id, org.owner_id, task)
        await (await own.start(org.id, run_id)).result()
    first = await stage.client.get_workflow_handle(agent_workflow_id(run_id, 1)).describe()
    assert first.raw_description.workflow_execution_info.first_run_id != first.run_id, "it did not continue as new"
    assert {priority.fairness_key for priority in seen} == {org.id}


class Reading:
    """A `documents.ingest` that fails as it is told."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    @activity.defn(name="documents.ingest")
    async def ingest(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Fail, or answer."""
        if self.error is not None:
            raise self.error
        return IngestDocumentResult(document_id=input.document_id, status="ready")


@pytest.mark.parametrize(
    ("error", "letters"), [(RuntimeError("killed by a bomb"), 1), (StorageUnavailable("S3 is away"), 0)]
)
async def test_a_document_that_cannot_be_read_is_given_up_once(
    db: Database,
    objects: ObjectStore,
    temporal_client: Client,
    org: Org,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    letters: int,
) -> None:
    """The reconciler started it again for ever; but storage that is away is no fault of the document."""
    monkeypatch.setattr(policies, "INGEST_TRIES", 2)
    document, _, order = await upload(db, objects, org.id, uuid.uuid4().bytes)
    real, prefix = DocumentActivities(db, objects), f"dp-{uuid.uuid4().hex[:8]}-"
    common = {"interceptors": [Boundary()]}
    async with (
        Worker(temporal_client, task_queue=f"{prefix}{TaskQueue.RUNS}", workflows=[IngestDocumentWorkflow], **common),
        Worker(
            temporal_client, task_queue=f"{prefix}{TaskQueue.TOOLS_CPU}", activities=[Reading(error).ingest], **common
        ),
        Worker(temporal_client, task_queue=f"{prefix}{TaskQueue.BILLING}", activities=[real.give_up], **common),
    ):
        handle = await temporal_client.start_workflow(
            IngestDocumentWorkflow.run,
            order,
            id=document.id,
            task_queue=f"{prefix}{TaskQueue.RUNS}",
            execution_timeout=timedelta(minutes=2),
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.FAILED
    async with db.transaction(org.id) as session:
        found = await documents.get_document(session, org.id, document.id)
        kept, _ = await dead_letters.list_dead_letters(session, org.id, limit=10)
    assert (found.status, len(kept)) == (("failed", 1) if letters else ("processing", 0))
