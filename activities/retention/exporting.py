"""Exports of data: a ZIP with a JSON-lines file per table, the files that go with it, and a manifest."""

import asyncio
import hashlib
import tempfile
import zipfile
from typing import IO, Any

from temporalio import activity

from infra.archive import canonical
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.retention import ExportDataInput
from schema.errors import NotFound
from schema.policies import DATA_EXPORT_FILES_BYTES_MAX
from schema.store import data_exports
from schema.store.data_exports import TABLES

_CHUNK_ROWS = 500


class ExportActivities:
    """What the ExportData workflow calls."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    @activity.defn(name="exports.build")
    async def build(self, input: ExportDataInput) -> None:
        """Write the ZIP, store it, and record it; a repeat changes nothing."""
        org_id = input.org_id
        async with self._db.transaction(org_id) as session:
            if (await data_exports.get_export(session, org_id, input.export_id)).status != "processing":
                return
        with tempfile.TemporaryFile() as target:
            await self._write(target, input)
            size_bytes = target.tell()
            target.seek(0)
            data = await asyncio.to_thread(target.read, size_bytes)
        ref = await self._objects.put(f"{org_id}/exports/{sha256_of(data)}", data, "application/zip")
        async with self._db.transaction(org_id) as session:
            await data_exports.complete_export(session, org_id, input.export_id, ref)

    async def _write(self, target: IO[bytes], input: ExportDataInput) -> None:
        manifest: dict[str, Any] = {
            "format": "swissbrain.data-export",
            "version": 1,
            "org_id": input.org_id,
            "user_id": input.user_id,
            "tables": {},
            "files": [],
        }
        files: list[tuple[str, ObjectRef]] = []
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            async with self._db.transaction(input.org_id) as session:
                for table in TABLES:
                    digest, count = hashlib.sha256(), 0
                    with archive.open(f"{table}.jsonl", "w") as member:
                        async for row in data_exports.rows_of_table(session, input.org_id, table, input.user_id):
                            line = canonical(row) + b"\n"
                            member.write(line)
                            digest.update(line)
                            count += 1
                            files += _files_of(table, row)
                            if count % _CHUNK_ROWS == 0:
                                await asyncio.sleep(0)  # Let the heartbeat through.
                    manifest["tables"][f"{table}.jsonl"] = {"rows": count, "sha256": digest.hexdigest()}
            left_bytes = DATA_EXPORT_FILES_BYTES_MAX
            for name, ref in files:
                entry = {"name": name, "size_bytes": ref.size_bytes, "sha256": ref.sha256, "included": False}
                if ref.size_bytes <= left_bytes:
                    try:
                        archive.writestr(name, await self._objects.get(ref))
                    except NotFound:
                        entry["missing"] = True
                    else:
                        entry["included"] = True
                        left_bytes -= ref.size_bytes
                manifest["files"].append(entry)
            archive.writestr("manifest.json", canonical(manifest))


def _files_of(table: str, row: dict[str, Any]) -> list[tuple[str, ObjectRef]]:
    """Return the files that a row names: what a person uploaded, and what their runs made."""
    if table == "run_archives":
        refs = {kind: row.get(kind) for kind in ("bundle", "artifacts")}
        return [
            (f"archives/{row['run_id']}/{kind}-{ref['sha256']}", ObjectRef.model_validate(ref))
            for kind, ref in refs.items()
            if ref is not None
        ]
    if table not in ("documents", "files", "artifacts") or row.get("deleted_at") is not None:
        return []
    if row["content_sha256"] is None or (table == "documents" and row["file_id"] is not None):
        return []  # Not here yet; or the text of a file, which stands below `files`.
    ref = ObjectRef(key=row["object_key"], sha256=row["content_sha256"], size_bytes=row["size_bytes"])
    # The id keeps files of one name apart; a name may hold what a path must not.
    name = "".join(c if c.isalnum() or c in "._- " else "_" for c in row["name"]).lstrip(".") or "file"
    return [(f"{table}/{row['id']}/{name}", ref)]
