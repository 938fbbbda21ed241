"""Stubs of the workflows that the API starts: registered under the real names, on the real server, with real rows."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

from infra.database import Database
from schema.contracts.common import ObjectRef
from schema.contracts.documents import IngestDocumentInput, IngestDocumentResult
from schema.contracts.run import (
    CancelRunInput,
    CancelRunResult,
    ExecuteRunInput,
    ExecuteRunResult,
    FinishRunInput,
    FinishRunResult,
    PauseRunInput,
    PauseRunResult,
    ResumeRunInput,
    ResumeRunResult,
)
from schema.ids import operation_key
from schema.states import RunCommand, RunStatus, StatusDetail, allows
from schema.store import artifacts, billing, clock, runs
from schema.store.artifacts import NewArtifact
from schema.store.audit import workflow_actor
from schema.store.billing import UsageItem
from schema.store.runs import Ending, Projection

SLOW = "slow to stop"
"""A reason of a cancel that takes the stub longer than the API waits."""
USED_PCR = 25 * 10**12 // 10


@dataclass
class Project:
    org_id: str
    run_id: str
    attempt: int
    seq: int
    status: str
    detail: str | None = None


class StubActivities:
    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="stub.project")
    async def project(self, input: Project) -> None:
        async with self._database.transaction(input.org_id) as session:
            await runs.project(
                session,
                input.org_id,
                input.run_id,
                Projection(
                    input.attempt,
                    input.seq,
                    RunStatus(input.status),
                    StatusDetail(input.detail) if input.detail else None,
                    f"Run is {input.status}",
                ),
                actor=workflow_actor(input.run_id),
            )

    @activity.defn(name="stub.close")
    async def close(self, input: Project) -> list[int]:
        async with self._database.transaction(input.org_id) as session:
            item = UsageItem(
                operation_key(input.run_id, input.attempt, 1, 1, "tool"), "tool", "corpus.search", USED_PCR, calls=1
            )
            await billing.meter(
                session, input.org_id, run_id=input.run_id, attempt=input.attempt, agent_number=1, items=[item]
            )
        async with self._database.transaction(input.org_id) as session:
            made = await artifacts.list_artifacts(session, input.org_id, input.run_id)
            if input.status == RunStatus.COMPLETED and not made:
                report = ObjectRef(key=f"{input.org_id}/artifacts/{input.run_id}", sha256="0" * 64, size_bytes=1)
                new = NewArtifact("research_report.md", "text/markdown", report)
                # The row that every completed run has; without an object behind it, it is never shown.
                artifact_id = await artifacts.put_artifact(session, input.org_id, input.run_id, new)
                (await artifacts.get_artifact(session, input.org_id, artifact_id)).deleted_at = await clock.now(session)
            ending = Ending(input.attempt, input.seq, RunStatus(input.status), f"Run {input.status}")
            moved = await runs.close(session, input.org_id, input.run_id, ending, actor=workflow_actor(input.run_id))
        return [moved.charged_ucr, moved.released_ucr]

    @activity.defn(name="stub.ingest")
    async def ingest(self, input: IngestDocumentInput) -> IngestDocumentResult:
        return IngestDocumentResult(document_id=input.document_id, status="ready", passages=1)


@workflow.defn(name="IngestDocument")
class StubIngestDocument:
    @workflow.run
    async def run(self, input: IngestDocumentInput) -> IngestDocumentResult:
        return await workflow.execute_activity(
            "stub.ingest", input, result_type=IngestDocumentResult, start_to_close_timeout=timedelta(seconds=10)
        )


@workflow.defn(name="Run")
class StubRun:
    """pending -> running, then whatever it is told; a signal `end` ends it with a status."""

    @workflow.init
    def __init__(self, input: ExecuteRunInput) -> None:
        self._input = input
        self._seq = 0
        self._status = RunStatus.PENDING
        self._end: RunStatus | None = None
        self._moved = [0, 0]
        self._closed = False
        self._lock = asyncio.Lock()

    @workflow.run
    async def run(self, input: ExecuteRunInput) -> ExecuteRunResult:
        if input.retried:
            await self._go(RunStatus.PENDING)
        await self._go(RunStatus.RUNNING)
        await workflow.wait_condition(lambda: self._end is not None)
        assert self._end is not None
        await self._close(self._end)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._end is RunStatus.FAILED:
            raise ApplicationError("failed as told", type="internal_error")
        return ExecuteRunResult(status=self._end, charged_ucr=self._moved[0], released_ucr=self._moved[1])

    @workflow.signal
    def end(self, status: str) -> None:
        self._end = RunStatus(status)

    @workflow.signal(name="cancel")
    def cancel_unasked(self) -> None:
        self._end = RunStatus.CANCELLED

    @workflow.update
    async def pause(self, input: PauseRunInput) -> PauseRunResult:
        await self._go(RunStatus.PAUSED)
        return PauseRunResult(status=RunStatus.PAUSED, agents_paused=5)

    @pause.validator
    def _may_pause(self, input: PauseRunInput) -> None:
        self._require(RunCommand.PAUSE)

    @workflow.update
    async def resume(self, input: ResumeRunInput) -> ResumeRunResult:
        await self._go(RunStatus.RESUMING)
        await self._go(RunStatus.RUNNING)
        return ResumeRunResult(status=RunStatus.RUNNING)

    @resume.validator
    def _may_resume(self, input: ResumeRunInput) -> None:
        self._require(RunCommand.RESUME)

    @workflow.update
    async def cancel(self, input: CancelRunInput) -> CancelRunResult:
        if input.reason == SLOW:
            await workflow.sleep(12)
        self._end = RunStatus.CANCELLED
        await workflow.wait_condition(lambda: self._closed)
        return CancelRunResult(status=RunStatus.CANCELLED, charged_ucr=self._moved[0], released_ucr=self._moved[1])

    @cancel.validator
    def _may_cancel(self, input: CancelRunInput) -> None:
        self._require(RunCommand.CANCEL)

    @workflow.update
    async def finish(self, input: FinishRunInput) -> FinishRunResult:
        return FinishRunResult(status=self._status)

    @finish.validator
    def _may_finish(self, input: FinishRunInput) -> None:
        self._require(RunCommand.FINISH)

    def _require(self, command: RunCommand) -> None:
        if not allows(command, self._status):
            raise ApplicationError(
                f"the run is {self._status}",
                {"status": self._status.value},
                type="illegal_transition",
                non_retryable=True,
            )

    async def _go(self, status: RunStatus) -> None:
        async with self._lock:
            self._status = status
            self._seq += 1
            await self._activity("stub.project", status)

    async def _close(self, status: RunStatus) -> None:
        async with self._lock:
            self._status = status
            self._seq += 1
            self._moved = await self._activity("stub.close", status) or [0, 0]
            self._closed = True

    async def _activity(self, name: str, status: RunStatus) -> list[int] | None:
        given = self._input
        moved: list[int] | None = await workflow.execute_activity(
            name,
            Project(given.org_id, given.run_id, given.attempt, self._seq, status.value),
            start_to_close_timeout=timedelta(seconds=10),
        )
        return moved
