"""The sweep of retention. One thing that cannot be done now does not stop the others."""

from collections.abc import Awaitable, Callable

import structlog
from temporalio import activity

from activities.retention.archiving import Archiver
from activities.retention.files import FileRemover
from activities.retention.objects import Collector
from infra.database import Database
from infra.objects import ObjectStore
from infra.orchestrator import Orchestrator
from schema.contracts.retention import EraseInput, ExportDataInput, RetentionResult
from schema.errors import NotFound
from schema.ids import ERASURE
from schema.policies import REQUEST_RESTARTED_AFTER, RETENTION_BATCH
from schema.store import archives, data_exports, erasures, retention
from schema.store.retention import Mark

log = structlog.get_logger(__name__)

Work = Callable[[str, str], Awaitable[bool]]


class RetentionActivities:
    """What the schedule's workflow calls."""

    def __init__(self, db: Database, objects: ObjectStore, orchestrator: Orchestrator) -> None:
        self._db = db
        self._remover = FileRemover(db, objects)
        self._orchestrator = orchestrator
        self._archiver = Archiver(db, objects)
        self._collector = Collector(db, objects)

    @activity.defn(name="retention.sweep")
    async def sweep(self) -> RetentionResult:
        """Archive and delete a batch of what is due; every part is idempotent."""
        parts: dict[str, tuple[Callable[..., Awaitable[list[Mark]]], Work]] = {
            "artifacts_archived": (retention.due_artifacts, self._archiver.archive_files),
            "runs_archived": (retention.due_runs, self._archiver.archive_run),
            "archives_deleted": (retention.due_archives, self._delete_archive),
            "exports_deleted": (retention.due_exports, self._expire_export),
            "documents_deleted": (retention.due_documents, self._delete_document),
            "files_deleted": (retention.due_files, self._remover.remove),
            "objects_deleted": (retention.due_objects, self._collector.collect),
        }
        counts = dict.fromkeys(parts, 0)
        deferred, more = 0, False
        for name, (due, work) in parts.items():
            async with self._db.transaction(None) as session:
                marks = await due(session, limit=RETENTION_BATCH)
            done, failed = await self._each(name, marks, work)
            counts[name] = done
            deferred += failed
            # What fails stays due: a batch of nothing else must not keep the workflow busy.
            more |= len(marks) == RETENTION_BATCH and failed < len(marks)
        return RetentionResult(**counts, deferred=deferred, more=more, requests_restarted=await self._restart())

    async def _each(self, name: str, marks: list[Mark], work: Work) -> tuple[int, int]:
        done = failed = 0
        for mark in marks:
            activity.heartbeat()
            try:
                done += await work(mark.org_id, mark.id)
            except Exception:
                failed += 1
                log.warning("retention.deferred", part=name, org_id=mark.org_id, id=mark.id, exc_info=True)
        return done, failed

    async def _delete_archive(self, org_id: str, run_id: str) -> bool:
        async with self._db.transaction(org_id) as session:
            return await archives.delete_archive(session, org_id, run_id)

    async def _expire_export(self, org_id: str, export_id: str) -> bool:
        async with self._db.transaction(org_id) as session:
            return await data_exports.expire_export(session, org_id, export_id)

    async def _delete_document(self, org_id: str, document_id: str) -> bool:
        async with self._db.transaction(org_id) as session:
            return await retention.delete_document_rows(session, org_id, document_id)

    async def _restart(self) -> int:
        """Start erasures and exports whose workflow never ran; one that runs is left alone."""
        async with self._db.transaction(None) as session:
            marks = await retention.unfinished_requests(
                session, older_than=REQUEST_RESTARTED_AFTER, limit=RETENTION_BATCH
            )
        done, _ = await self._each("requests_restarted", marks, self._start)
        return done

    async def _start(self, org_id: str, request_id: str) -> bool:
        async with self._db.transaction(org_id) as session:
            try:
                if request_id.startswith(ERASURE):
                    erasure = await erasures.get_erasure(session, org_id, request_id)
                    input: EraseInput | ExportDataInput = EraseInput(
                        org_id=org_id, erasure_id=request_id, user_id=erasure.user_id
                    )
                else:
                    export = await data_exports.get_export(session, org_id, request_id)
                    input = ExportDataInput(org_id=org_id, export_id=request_id, user_id=export.user_id)
            except NotFound:
                return False
        return await self._orchestrator.start_request(input)
