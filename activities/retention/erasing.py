"""Erasure of a person's data: their runs end, go with their histories and objects, then what names the person."""

from temporalio import activity

from activities.retention.files import FileRemover
from activities.retention.objects import Collector
from infra.database import Database
from infra.objects import ObjectStore
from infra.orchestrator import Orchestrator
from schema.contracts.retention import EraseBatchResult, EraseInput, FailErasureInput, StopRunsResult
from schema.policies import RETENTION_BATCH
from schema.store import erasures, retention


class EraseActivities:
    """What the Erase workflow calls."""

    def __init__(self, db: Database, objects: ObjectStore, orchestrator: Orchestrator) -> None:
        self._db = db
        self._orchestrator = orchestrator
        self._collector = Collector(db, objects)
        self._remover = FileRemover(db, objects)

    @activity.defn(name="erasure.stop_runs")
    async def stop_runs(self, input: EraseInput) -> StopRunsResult:
        """Cancel the person's live runs; returns how many have not ended yet."""
        async with self._db.transaction(input.org_id) as session:
            live = await erasures.live_runs_of(session, input.org_id, input.user_id)
        for run_id in live:
            activity.heartbeat()
            await self._orchestrator.signal_cancel(run_id)
        return StopRunsResult(live=len(live))

    @activity.defn(name="erasure.erase")
    async def erase_batch(self, input: EraseInput) -> EraseBatchResult:
        """Erase a batch of runs, documents and files, with their histories and objects; a repeat finds nothing."""
        org_id = input.org_id
        async with self._db.transaction(org_id) as session:
            found = await erasures.runs_of(session, org_id, input.user_id, limit=RETENTION_BATCH)
        for run_id in found:
            activity.heartbeat()
            # Histories first: once the rows are gone, nothing says any more which there were.
            await self._orchestrator.forget(org_id, run_id)
            async with self._db.transaction(org_id) as session:
                await erasures.erase_run(session, org_id, input.erasure_id, run_id)
        async with self._db.transaction(org_id) as session:
            documents = await erasures.erase_documents(session, org_id, input.erasure_id, limit=RETENTION_BATCH)
            files = await erasures.erase_files(session, org_id, input.erasure_id, limit=RETENTION_BATCH)
        for file_id in files:
            activity.heartbeat()
            await self._orchestrator.forget(org_id, file_id)
            await self._remover.remove(org_id, file_id)
        objects = await self._collect(org_id)
        return EraseBatchResult(more=RETENTION_BATCH in (len(found), documents, len(files), objects))

    @activity.defn(name="erasure.finish")
    async def finish(self, input: EraseInput) -> None:
        """Erase what names the person, and close the record; a repeat changes nothing."""
        async with self._db.transaction(input.org_id) as session:
            await erasures.erase_person(session, input.org_id, input.erasure_id)
        await self._collect(input.org_id)

    @activity.defn(name="erasure.fail")
    async def fail(self, input: FailErasureInput) -> None:
        """Close the record of an erasure that did not come to its end."""
        async with self._db.transaction(input.org_id) as session:
            await erasures.fail_erasure(session, input.org_id, input.erasure_id, code=input.code, detail=input.detail)

    async def _collect(self, org_id: str) -> int:
        async with self._db.transaction(org_id) as session:
            marks = await retention.asked_for_deletion(session, org_id, limit=RETENTION_BATCH)
        for mark in marks:
            activity.heartbeat()
            await self._collector.collect(org_id, mark.id)
        return len(marks)
