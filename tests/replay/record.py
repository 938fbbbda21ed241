"""`make histories`: record the histories that `test_histories.py` replays; every workflow, every path.

Run it when a workflow gains a path. A change that old runs in flight could not replay shows as a failing replay of the
histories that are committed already: then the change needs `workflow.patched`, not new histories.
"""

import asyncio
import base64
import json
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from infra.database import Database
from infra.embedded.supervisor import EmbeddedServers
from infra.objects import ObjectStore, sha256_of
from infra.temporal import connect
from schema import policies
from schema.contracts.deliverables import ExportFormat, ExportOptions
from schema.contracts.documents import IngestDocumentInput
from schema.contracts.exports import ExportRunInput
from schema.contracts.files import AskFileInput, IngestFileInput
from schema.contracts.policy import ToolPolicy
from schema.contracts.retention import EraseInput, ExportDataInput
from schema.contracts.run import CancelRunInput, FinishRunInput, PauseRunInput, ResumeRunInput, RunWorkflow
from schema.contracts.tables import Column, ColumnType, TableSpec
from schema.errors import ProviderRefused, ProviderUnavailable
from schema.ids import EXPORT, FILE_QUESTION, USER, agent_workflow_id, lane_workflow_id, new_id
from schema.states import RunStatus
from schema.store import approvals, data_exports, erasures, exports, files, forms, runs
from schema.store.audit import SYSTEM
from schema.store.files import NewFile
from schema.tables.approvals import Approval
from tests.integration.conftest import Org, make_org, migrate
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner

FOLDER = Path(__file__).parent / "histories"
PATIENCE_S = 30


class Recorder:
    """Runs one scenario after the other and keeps the histories."""

    def __init__(self, stage: Platform, org: Org) -> None:
        self.stage = stage
        self.org = org

    async def run(self, **fields: object) -> tuple[str, WorkflowHandle[RunWorkflow, object]]:
        """Create and start a run."""
        run_id = await self.stage.create(self.org.id, self.org.owner_id, "recorded question", **fields)
        return run_id, await self.stage.start(self.org.id, run_id)

    async def status(self, run_id: str, status: RunStatus) -> None:
        """Wait for a status."""
        await self.stage.until(self.org.id, run_id, status, within_s=PATIENCE_S)

    async def keep(self, name: str, workflow_id: str) -> None:
        """Write the history of a workflow's last execution."""
        history = await self.stage.client.get_workflow_handle(workflow_id).fetch_history()
        (FOLDER / f"{name}.json").write_text(json.dumps(without_traces(json.loads(history.to_json())), indent=1))
        print(f"{name}: {len(history.events)} events")


def without_traces(value: Any) -> Any:
    """Return a history without the stack traces of its failures: they name files of the machine that recorded it."""
    if isinstance(value, list):
        return [without_traces(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "encodedAttributes" in value:
        payload = value["encodedAttributes"]
        facts = json.loads(base64.b64decode(payload["data"])) | {"stack_trace": ""}
        value = value | {"encodedAttributes": payload | {"data": base64.b64encode(json.dumps(facts).encode()).decode()}}
    return {key: without_traces(item) for key, item in value.items()}


Scenario = Callable[[Recorder, ScriptedReasoner], Awaitable[None]]


async def _ended(handle: WorkflowHandle[RunWorkflow, object]) -> None:
    try:
        await handle.result()
    except WorkflowFailureError:
        return


async def completed(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A run that nothing happens to, its first agent too."""
    run_id, handle = await recorder.run()
    await handle.result()
    await recorder.keep("run-completed", run_id)
    await recorder.keep("agent-completed", agent_workflow_id(run_id, 1))


async def paused(recorder: Recorder, script: ScriptedReasoner) -> None:
    """Paused by Update, resumed; paused and resumed by signal."""
    script.steps = 8
    run_id, handle = await recorder.run()
    await recorder.status(run_id, RunStatus.RUNNING)
    await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    await handle.signal("pause")
    await recorder.status(run_id, RunStatus.PAUSED)
    await handle.signal("resume")
    await handle.result()
    await recorder.keep("run-paused-resumed", run_id)
    await recorder.keep("agent-paused-resumed", agent_workflow_id(run_id, 1))


async def cancelled(recorder: Recorder, script: ScriptedReasoner) -> None:
    """Cancelled by Update, and natively."""
    script.before = lambda method, agent, step: asyncio.sleep(30) if method == "next_action" and step == 1 else None
    run_id, handle = await recorder.run()
    await recorder.status(run_id, RunStatus.RUNNING)
    await asyncio.sleep(1)
    await handle.execute_update(RunWorkflow.cancel, CancelRunInput())
    await recorder.keep("run-cancelled", run_id)
    await recorder.keep("agent-cancelled", agent_workflow_id(run_id, 1))
    run_id, handle = await recorder.run()
    await recorder.status(run_id, RunStatus.RUNNING)
    await handle.cancel()
    await _ended(handle)
    await recorder.keep("run-cancelled-natively", run_id)


async def failed(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A failed agent; a failed run and its retry; an automatic retry."""
    broken = {"merge": True, "plan": 6}

    def fail(method: str, agent: int, step: int) -> None:
        if method == "next_action" and agent == 2:
            raise ProviderRefused("refused")
        if method == "merge" and broken["merge"]:
            raise ProviderRefused("refused")
        if method == "decompose" and broken["plan"]:
            broken["plan"] -= 1
            raise ProviderUnavailable("away")

    script.before = fail
    run_id, handle = await recorder.run()
    await _ended(handle)
    await recorder.keep("run-retried-then-failed", run_id)
    await recorder.keep("agent-failed", agent_workflow_id(run_id, 2))
    broken["merge"] = False
    await (await recorder.stage.retry(recorder.org.id, run_id)).result()
    await recorder.keep("run-second-attempt", run_id)


async def starved(recorder: Recorder, script: ScriptedReasoner) -> None:
    """Out of credits, then finished with what it has."""
    script.steps = 8
    run_id, handle = await recorder.run(context={"max_credits": 0.3})
    await recorder.status(run_id, RunStatus.PAUSED)
    await handle.execute_update(RunWorkflow.finish, FinishRunInput())
    await handle.result()
    await recorder.keep("run-starved-finished", run_id)
    await recorder.keep("agent-starved-finished", agent_workflow_id(run_id, 1))


async def tabled(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A table: its lane continues as new; a row that fails; a pause and a resume; a cancel."""
    script.before = lambda method, agent, step: (
        _refuse() if (method, agent) == ("fill_fields", 2) else asyncio.sleep(0.05)
    )
    run_id = await _table(recorder, rows=8, lanes=2)
    handle = await recorder.stage.start(recorder.org.id, run_id)
    await recorder.status(run_id, RunStatus.RUNNING)
    await asyncio.sleep(0.5)
    await handle.execute_update(RunWorkflow.pause, PauseRunInput())
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    await handle.result()
    await recorder.keep("run-table", run_id)
    await recorder.keep("lane-continued", lane_workflow_id(run_id, 1))
    await recorder.keep("agent-row", agent_workflow_id(run_id, 1))
    await recorder.keep("agent-row-failed", agent_workflow_id(run_id, 2))
    run_id = await _table(recorder, rows=20, lanes=2)
    handle = await recorder.stage.start(recorder.org.id, run_id)
    await recorder.status(run_id, RunStatus.RUNNING)
    await asyncio.sleep(0.5)
    await handle.execute_update(RunWorkflow.cancel, CancelRunInput())
    await handle.result()
    await recorder.keep("run-table-cancelled", run_id)
    await recorder.keep("lane-cancelled", lane_workflow_id(run_id, 1))


def _refuse() -> None:
    raise ProviderRefused("refused")


async def _table(recorder: Recorder, *, rows: int, lanes: int) -> str:
    stage, org = recorder.stage, recorder.org
    await stage.upload(org.id, {"table.txt": "Alpha AG was founded in 1901."})
    run_id = await stage.create(org.id, org.owner_id, "recorded table", rows=rows, max_agents=lanes)
    items = ("Alpha AG", *(f"Item {number}" for number in range(2, rows + 1)))
    spec = TableSpec(items=items, columns=(Column(name="founded", type=ColumnType.INTEGER),))
    async with stage.db.transaction(org.id) as session:
        await forms.create_table(session, org.id, run_id, spec)
    return run_id


async def ingested(recorder: Recorder, script: ScriptedReasoner) -> None:
    """An ingestion of a document that nobody uploaded, and one sweep of the reconciler."""
    data = b"A short text about nothing."
    ref = await recorder.stage.parts.objects.put(f"{recorder.org.id}/uploads/{sha256_of(data)}", data, "text/plain")
    document_id = f"doc_{uuid.uuid4().hex}"
    fields = IngestDocumentInput(
        org_id=recorder.org.id, document_id=document_id, object=ref, filename="a.txt", mime_type="text/plain"
    )
    queue = recorder.stage.settings.task_queue(policies.TaskQueue.RUNS)
    handle = await recorder.stage.client.start_workflow("IngestDocument", fields, id=document_id, task_queue=queue)
    await _ended(handle)
    await recorder.keep("ingest", document_id)
    sweep_id = f"reconcile-{uuid.uuid4().hex}"
    await recorder.stage.client.execute_workflow("Reconcile", id=sweep_id, task_queue=queue)
    await recorder.keep("reconcile", sweep_id)


async def audited(recorder: Recorder, script: ScriptedReasoner) -> None:
    """One round of checkpoints, and one day's upkeep of the audit log."""
    queue = recorder.stage.settings.task_queue(policies.TaskQueue.RUNS)
    for workflow, name in (("CheckpointAudit", "audit-checkpoints"), ("MaintainAudit", "audit-upkeep")):
        workflow_id = f"{name}-{uuid.uuid4().hex}"
        await recorder.stage.client.execute_workflow(workflow, id=workflow_id, task_queue=queue)
        await recorder.keep(name, workflow_id)


async def approved(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A call that waits for a person: approved; refused; and cancelled while it waits."""
    script.agents, script.steps = 1, 1
    for approve, name in ((True, "agent-approved"), (False, "agent-refused")):
        run_id, handle = await _waiting(recorder)
        await _decide(recorder, run_id, approve=approve)
        await handle.result()
        await recorder.keep(name, agent_workflow_id(run_id, 1))
        if approve:
            await recorder.keep("run-approved", run_id)
    run_id, handle = await _waiting(recorder)
    await handle.execute_update(RunWorkflow.cancel, CancelRunInput())
    await recorder.keep("agent-cancelled-waiting", agent_workflow_id(run_id, 1))


async def _waiting(recorder: Recorder) -> tuple[str, WorkflowHandle[RunWorkflow, object]]:
    """Start a run and wait until its agent's call waits for a person."""
    run_id, handle = await recorder.run(tool_policy=ToolPolicy(require_approval=("corpus.search",)))
    async with asyncio.timeout(PATIENCE_S):
        while not await _asked(recorder, run_id):
            await asyncio.sleep(0.05)
    return run_id, handle


async def _asked(recorder: Recorder, run_id: str) -> list[Approval]:
    async with recorder.stage.db.transaction(recorder.org.id) as session:
        return (await approvals.list_approvals(session, recorder.org.id, limit=1, run_id=run_id))[0]


async def _decide(recorder: Recorder, run_id: str, *, approve: bool) -> None:
    [asked] = await _asked(recorder, run_id)
    async with recorder.stage.db.transaction(recorder.org.id) as session:
        await approvals.decide(
            session, recorder.org.id, asked.id, approve=approve, arguments_sha256=asked.arguments_sha256, note="seen",
            user_id=recorder.org.owner_id, actor=SYSTEM,
        )  # fmt: skip
    assert await recorder.stage.orchestrator.tell_decided(run_id, asked.agent_number, asked.id)


async def kept(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A sweep of retention, a walk through the bucket, an export of data, the erasure of somebody with a live run."""
    stage, org = recorder.stage, recorder.org
    queue = stage.settings.task_queue(policies.TaskQueue.RUNS)
    sweep_id = f"retention-{uuid.uuid4().hex}"
    await stage.client.execute_workflow("Retention", id=sweep_id, task_queue=queue)
    await recorder.keep("retention", sweep_id)
    walk_id = f"orphans-{uuid.uuid4().hex}"
    await stage.client.execute_workflow("Orphans", id=walk_id, task_queue=queue)
    await recorder.keep("orphans", walk_id)
    user_id = new_id(USER)
    owner = Database(stage.settings.owner_url, pool_size=1)
    async with owner.transaction(org.id) as session:
        parameters = {"org": org.id, "user": user_id, "email": f"{user_id}@test.invalid"}
        await session.execute(text("insert into users (id, email, name) values (:user, :email, 'x')"), parameters)
        await session.execute(
            text("insert into memberships (org_id, user_id, role) values (:org, :user, 'member')"), parameters
        )
        export = await data_exports.create_export(session, org.id, user_id, actor=SYSTEM)
        erasure = await erasures.create_erasure(session, org.id, user_id, actor=SYSTEM)
    await owner.close()
    await stage.orchestrator.start_request(ExportDataInput(org_id=org.id, export_id=export.id, user_id=user_id))
    await stage.client.get_workflow_handle(export.id).result()
    await recorder.keep("export-data", export.id)
    run_id = await stage.create(org.id, user_id, "recorded question")
    await stage.start(org.id, run_id)
    await stage.orchestrator.start_request(EraseInput(org_id=org.id, erasure_id=erasure.id, user_id=user_id))
    await stage.client.get_workflow_handle(erasure.id).result()
    await recorder.keep("erase", erasure.id)


async def filed(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A file that is read, one that is refused, one that is cancelled, and a question that is refused."""
    stage, org = recorder.stage, recorder.org
    queue = stage.settings.task_queue(policies.TaskQueue.RUNS)

    async def start(name: str, data: bytes) -> str:
        file_id = files.new_file_id()
        async with stage.db.transaction(org.id) as session:
            file = await files.create_file(session, org.id, file_id, NewFile(name, "text/plain", len(data)))
            await files.complete_upload(session, org.id, file_id)
        await stage.parts.objects.put(file.object_key, data)
        order = IngestFileInput(org_id=org.id, file_id=file_id, attempt=1, name=name)
        await stage.client.start_workflow("IngestFile", order, id=file_id, task_queue=queue)
        return file_id

    for name, data in (("file-read", b"A short text about nothing."), ("file-refused", b"MZ\x90\x00" + bytes(99))):
        file_id = await start(name, data)
        await stage.client.get_workflow_handle(file_id).result()
        await recorder.keep(name, file_id)
    file_id = await start("file-cancelled", b"Another text.")
    await stage.client.get_workflow_handle(file_id).cancel()
    await _ended(stage.client.get_workflow_handle(file_id))
    await recorder.keep("file-cancelled", file_id)
    question_id = new_id(FILE_QUESTION)
    asked = AskFileInput(org_id=org.id, file_id=file_id, question_id=question_id)
    await stage.client.execute_workflow("AskFile", asked, id=question_id, task_queue=queue)
    await recorder.keep("file-asked", question_id)


async def delivered(recorder: Recorder, script: ScriptedReasoner) -> None:
    """A run that delivers a deck, which a model plans."""
    script.name = "scripted"
    run_id, handle = await recorder.run(context={"deliverables": ["pptx"]})
    await handle.result()
    await recorder.keep("run-delivered", run_id)


async def exported(recorder: Recorder, script: ScriptedReasoner) -> None:
    """An export that is made, one that is refused, one that is cancelled."""
    stage, org = recorder.stage, recorder.org
    run_id, handle = await recorder.run()
    await handle.result()

    async def ask(format: ExportFormat) -> str:
        async with stage.db.transaction(org.id) as session:
            export = await exports.create_export(
                session, org.id, run_id, format, ExportOptions(), created_by=None, actor=SYSTEM
            )
            organisation = await runs.get_organisation(session, org.id)
        await stage.orchestrator.export(exports.order_of(export), organisation)
        return export.id

    export_id = await ask(ExportFormat.JSON)
    await stage.client.get_workflow_handle(export_id).result()
    await recorder.keep("export-made", export_id)
    export_id = await ask(ExportFormat.HTML)
    await stage.client.get_workflow_handle(export_id).cancel()
    await _ended(stage.client.get_workflow_handle(export_id))
    await recorder.keep("export-cancelled", export_id)
    lost = ExportRunInput(org_id=org.id, run_id=run_id, export_id=new_id(EXPORT), format=ExportFormat.JSON)
    queue = stage.settings.task_queue(policies.TaskQueue.RUNS)
    await stage.client.execute_workflow("ExportRun", lost, id=lost.export_id, task_queue=queue)
    await recorder.keep("export-refused", lost.export_id)


SCENARIOS: tuple[Scenario, ...] = (
    *(completed, paused, cancelled, failed, starved, tabled),
    *(ingested, audited, approved, kept, filed, exported, delivered),
)


async def record(names: Sequence[str] = ()) -> None:
    """Record the scenarios of these names, or every one, on real servers, without encryption: files can be read."""
    # Agents and lanes continue as new, so that histories hold it.
    policies.AGENT_STEPS_PER_EXECUTION = 3  # type: ignore[misc]
    policies.LANE_ROWS_PER_EXECUTION = 3  # type: ignore[misc]
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            await migrate(servers)
            settings = servers.settings.model_copy(update={"payload_keys": None})
            owner = Database(servers.stack.owner_url, pool_size=2)
            await ObjectStore.from_settings(settings).ensure_bucket()
            org = await make_org(owner)
            client: Client = await connect(settings)
            for scenario in SCENARIOS:
                if names and scenario.__name__ not in names:
                    continue
                script = ScriptedReasoner()
                async with platform(settings, client, f"rec-{uuid.uuid4().hex[:6]}-", reasoner=script) as stage:
                    await scenario(Recorder(stage, org), script)
            await owner.close()


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
    sys.exit(0)
