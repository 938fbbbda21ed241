"""Into the archive: a run's files, then the run. Object first, read back, then the row and the deletion in one."""

from infra.archive import read_bundle, write_bundle, write_zip
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.errors import NotFound
from schema.states import TERMINAL, RunStatus
from schema.store import archives, artifacts, runs
from schema.tables.runs import Run

FOLDER = "archives"


class Archiver:
    """Archives one run at a time. Every step may be repeated: the same content has the same key."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    async def archive_files(self, org_id: str, run_id: str) -> bool:
        """Move a run's files and the texts that its report cites to the archive; False when there is nothing to do."""
        async with self._db.transaction(org_id) as session:
            try:
                run = await runs.get_run(session, org_id, run_id)
            except NotFound:
                return False
            found = await artifacts.list_artifacts(session, org_id, run_id)
            cited = await archives.cited_snapshots(session, org_id, run_id)
        if not _ended(run) or not found:
            return False
        files = [
            (
                f"artifacts/{item.name}",
                await self._objects.get(
                    ObjectRef(key=item.object_key, sha256=item.content_sha256, size_bytes=item.size_bytes)
                ),
            )
            for item in found
        ]
        files += [(f"sources/{ref.sha256}.txt", await self._objects.get(ref)) for ref in cited]
        ref = await self._stored(org_id, write_zip(files), "application/zip")
        async with self._db.transaction(org_id) as session:
            now = await runs.lock_run(session, org_id, run_id)
            if (now.attempt, now.seq) != (run.attempt, run.seq) or not _ended(now):
                return False  # Retried meanwhile: its next end is another sweep's.
            await archives.put_artifacts_archive(session, org_id, now, ref)
        return True

    async def archive_run(self, org_id: str, run_id: str) -> bool:
        """Move an ended run to the archive, its files first; False when there is nothing to do."""
        await self.archive_files(org_id, run_id)
        async with self._db.transaction(org_id) as session:
            try:
                run = await runs.get_run(session, org_id, run_id)
            except NotFound:
                return False
            if not _ended(run):
                return False
            rows = await archives.rows_of_run(session, org_id, run_id)
            before = await archives.find_archive(session, org_id, run_id)
        files = before.artifacts if before is not None else None
        bundle = write_bundle(org_id, run_id, [(row.table, row.values) for row in rows], files)
        ref = await self._stored(org_id, bundle, "application/gzip")
        # Nothing is deleted on the strength of an answer: the bundle is read back first.
        read_bundle(await self._objects.get(ref))
        async with self._db.transaction(org_id) as session:
            now = await runs.lock_run(session, org_id, run_id)
            if (now.attempt, now.seq, now.event_seq) != (run.attempt, run.seq, run.event_seq) or not _ended(now):
                return False
            await archives.put_run_archive(session, org_id, now, ref)
        return True

    async def _stored(self, org_id: str, data: bytes, mime_type: str) -> ObjectRef:
        return await self._objects.put(f"{org_id}/{FOLDER}/{sha256_of(data)}", data, mime_type)


def _ended(run: Run) -> bool:
    return RunStatus(run.status) in TERMINAL
