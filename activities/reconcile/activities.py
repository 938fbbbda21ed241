"""One sweep: compare PostgreSQL with Temporal and repair. Every repair is idempotent, and made under the run's lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus

from infra.database import Database
from infra.orchestrator import Attempt, Orchestrator
from schema.contracts.common import ObjectRef
from schema.contracts.documents import IngestDocumentInput
from schema.contracts.files import IngestFileInput
from schema.contracts.reconcile import ReconcileResult
from schema.ids import FILE
from schema.policies import (
    CREATED_UNSTARTED_MAX,
    EXPORT_GRACE,
    IDEMPOTENCY_KEPT,
    INGEST_TIMEOUT,
    RECONCILE_BATCH,
    RECONCILE_GRACE,
    RECONCILE_MISSING_GRACE,
)
from schema.states import RunStatus
from schema.store import billing, clock, documents, exports, files, reconcile, runs
from schema.store.audit import SYSTEM
from schema.store.reconcile import DocumentMark, HoldMark, RunMark
from schema.store.runs import Ending

log = structlog.get_logger(__name__)

_NOT_STARTED = (RunStatus.PENDING, RunStatus.RETRYING)


@asynccontextmanager
async def _deferring(kind: str, id: str) -> AsyncIterator[None]:
    """Leave to the next sweep what cannot be repaired now, whatever the reason: it must not stop the others."""
    try:
        yield
    except Exception:
        log.warning("reconcile.deferred", kind=kind, id=id, exc_info=True)


class ReconcileActivities:
    """The reconciler's sweep."""

    def __init__(self, db: Database, orchestrator: Orchestrator) -> None:
        self._db = db
        self._orchestrator = orchestrator

    @activity.defn(name="reconcile.sweep")
    async def sweep(self) -> ReconcileResult:
        """Repair what is apart; one run that cannot be repaired now does not stop the others."""
        async with self._db.transaction(None) as session:
            live = await reconcile.live_runs(session, unchanged_for=RECONCILE_GRACE, limit=RECONCILE_BATCH)
            unstarted = await reconcile.unstarted_runs(session, older_than=CREATED_UNSTARTED_MAX, limit=RECONCILE_BATCH)
        started = closed = expired = 0
        for run in live:
            activity.heartbeat()
            outcome: str | None = None
            async with _deferring("run", run.id):
                outcome = await self._repair(run)
            started += outcome == "started"
            closed += outcome == "closed"
        for run in unstarted:
            async with _deferring("run", run.id), self._db.transaction(run.org_id) as session:
                current = await runs.lock_run(session, run.org_id, run.id)
                if current.status == RunStatus.CREATED:
                    await runs.cancel_created(session, run.org_id, run.id, SYSTEM)
                    expired += 1
        return ReconcileResult(
            started=started,
            closed=closed,
            expired_unstarted=expired,
            holds_released=await self._release_holds(),
            documents_restarted=await self._restart_documents(),
            files_restarted=await self._restart_files(),
            exports_restarted=await self._restart_exports(),
            keys_deleted=await self._forget_keys(),
            approvals_told=await self._tell_approvals(),
        )

    async def _repair(self, run: RunMark) -> str | None:
        """Start a run whose workflow is missing; close one whose workflow is closed."""
        found = await self._orchestrator.execution(run.id)
        if found is not None and found.status is WorkflowExecutionStatus.RUNNING:
            return None
        ours = found is not None and found.attempt == run.attempt
        if RunStatus(run.status) in _NOT_STARTED and not ours:
            async with self._db.transaction(run.org_id) as session:
                hold = await billing.hold_of(session, run.org_id, run.id, run.attempt)
                organisation = await runs.get_organisation(session, run.org_id)
                current = await runs.get_run(session, run.org_id, run.id)
            if (current.attempt, current.status) != (run.attempt, run.status):
                return None
            if hold is not None:
                await self._orchestrator.start_attempt(Attempt(current, hold, organisation))
                log.info("reconcile.started", run_id=run.id, attempt=run.attempt)
                return "started"
        if found is not None:
            return await self._close(run, found.status.name.lower())
        if await self._unchanged_for(run, RECONCILE_MISSING_GRACE):
            return await self._close(run, "missing")
        log.error("reconcile.missing", run_id=run.id, attempt=run.attempt, status=run.status)
        return None

    async def _unchanged_for(self, run: RunMark, period: timedelta) -> bool:
        async with self._db.transaction(None) as session:
            return await clock.now(session) - run.updated_at > period

    async def _close(self, run: RunMark, workflow_status: str) -> str | None:
        """Settle and close an open row whose workflow is closed (terminated, timed out, or lost)."""
        cancelled = workflow_status == "canceled"
        ending = Ending(
            attempt=run.attempt,
            seq=run.seq + 1,
            status=RunStatus.CANCELLED if cancelled else RunStatus.FAILED,
            message=f"Run closed by the reconciler: its workflow is {workflow_status}",
            error=None if cancelled else {"code": "orchestrator_unavailable", "detail": f"workflow {workflow_status}"},
        )
        async with self._db.transaction(run.org_id) as session:
            current = await runs.lock_run(session, run.org_id, run.id)
            if (current.attempt, current.seq, current.status) != (run.attempt, run.seq, run.status):
                return None
            await runs.close(session, run.org_id, run.id, ending, actor=SYSTEM)
        log.warning("reconcile.closed", run_id=run.id, attempt=run.attempt, workflow=workflow_status)
        return "closed"

    async def _release_holds(self) -> int:
        """Release holds past their deadline; a run that still lives is told to cancel, and settles its own."""
        released = 0
        async with self._db.transaction(None) as session:
            holds = await reconcile.expired_holds(session, limit=RECONCILE_BATCH, grace=RECONCILE_GRACE)
        for hold in holds:
            activity.heartbeat()
            async with _deferring("hold", hold.id):
                if hold.run_id.startswith(f"{FILE}_"):
                    released += await self._expire_file(hold)
                    continue
                if await self._orchestrator.signal_cancel(hold.run_id):
                    continue
                async with self._db.transaction(hold.org_id) as session:
                    await runs.lock_run(session, hold.org_id, hold.run_id)
                    await billing.settle(
                        session, hold.org_id, run_id=hold.run_id, attempt=hold.attempt, capture=False, expired=True
                    )
                released += 1
        return released

    async def _restart_documents(self) -> int:
        """Start the ingestion of documents again whose workflow never ran."""
        async with self._db.transaction(None) as session:
            waiting = await reconcile.processing_documents(session, older_than=INGEST_TIMEOUT, limit=RECONCILE_BATCH)
        restarted = 0
        for mark in waiting:
            activity.heartbeat()
            async with _deferring("document", mark.id):
                await self._restart_document(mark)
                restarted += 1
        return restarted

    async def _restart_document(self, mark: DocumentMark) -> None:
        async with self._db.transaction(mark.org_id) as session:
            organisation = await runs.get_organisation(session, mark.org_id)
            document = await documents.get_document(session, mark.org_id, mark.id)
        if document.status != "processing":
            return
        ref = ObjectRef(key=document.object_key, sha256=document.content_sha256, size_bytes=document.size_bytes)
        await self._orchestrator.ingest(
            IngestDocumentInput(
                org_id=document.org_id,
                document_id=document.id,
                object=ref,
                filename=document.name,
                mime_type=document.mime_type,
            ),
            organisation,
        )

    async def _restart_files(self) -> int:
        """Start the reading of files again whose workflow never ran, or ended while storage was away."""
        async with self._db.transaction(None) as session:
            waiting = await reconcile.processing_files(session, older_than=INGEST_TIMEOUT, limit=RECONCILE_BATCH)
        restarted = 0
        for mark in waiting:
            activity.heartbeat()
            async with _deferring("file", mark.id):
                async with self._db.transaction(mark.org_id) as session:
                    organisation = await runs.get_organisation(session, mark.org_id)
                    file = await files.get_file(session, mark.org_id, mark.id)
                order = IngestFileInput(org_id=file.org_id, file_id=file.id, attempt=file.attempt, name=file.name)
                await self._orchestrator.ingest_file(order, organisation)
                restarted += 1
        return restarted

    async def _restart_exports(self) -> int:
        """Start exports again whose workflow never ran, or ended while storage was away."""
        async with self._db.transaction(None) as session:
            waiting = await reconcile.processing_exports(session, older_than=EXPORT_GRACE, limit=RECONCILE_BATCH)
        restarted = 0
        for mark in waiting:
            activity.heartbeat()
            async with _deferring("export", mark.id):
                async with self._db.transaction(mark.org_id) as session:
                    organisation = await runs.get_organisation(session, mark.org_id)
                    export = (await exports.get_export(session, mark.org_id, mark.id)).export
                await self._orchestrator.export(exports.order_of(export), organisation)
                restarted += 1
        return restarted

    async def _expire_file(self, hold: HoldMark) -> bool:
        """Give up the reading of a file whose hold is past its deadline."""
        detail = "The reading took longer than what was held for it."
        async with self._db.transaction(hold.org_id) as session:
            failed = await files.fail(
                session,
                hold.org_id,
                hold.run_id,
                hold.attempt,
                code="gone",
                detail=detail,
                expired=True,
            )
            if not failed:
                await billing.settle(
                    session, hold.org_id, run_id=hold.run_id, attempt=hold.attempt, capture=False, expired=True
                )
        await self._orchestrator.try_cancel(hold.run_id)
        return True

    async def _tell_approvals(self) -> int:
        """Tell agents of decisions that were committed and did not reach them."""
        told = 0
        async with self._db.transaction(None) as session:
            marks = await reconcile.untold_approvals(session, older_than=RECONCILE_GRACE, limit=RECONCILE_BATCH)
        for mark in marks:
            activity.heartbeat()
            async with _deferring("approval", mark.id):
                told += await self._orchestrator.tell_decided(mark.run_id, mark.agent_number, mark.id)
        return told

    async def _forget_keys(self) -> int:
        async with self._db.transaction(None) as session:
            return await reconcile.forget_answers(session, older_than=IDEMPOTENCY_KEPT)
