"""Deletion of a file of a run: its rows, then what lies in the object store under its name and its content's."""

from infra.database import Database
from infra.objects import ObjectStore
from infra.uploads import Uploads
from schema.store import retention


class FileRemover:
    """Deletes one file at a time."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects
        self._uploads = Uploads(objects)

    async def remove(self, org_id: str, file_id: str) -> bool:
        """Delete a file for good, and ask for the deletion of its objects; False when it is gone, or is being read."""
        async with self._db.transaction(org_id) as session:
            gone = await retention.delete_file_rows(session, org_id, file_id)
        if gone is None:
            return False
        # A worker that dies here leaves objects that nothing points to, and parts that the store's own rule ends.
        if gone.upload_id is not None:
            await self._uploads.abort(gone.object_key, gone.upload_id)
        if gone.content_sha256 is not None:
            keys = await self._objects.keys(f"{org_id}/readings/{gone.content_sha256}/")
            async with self._db.transaction(org_id) as session:
                await retention.ask_for_deletion(session, org_id, keys)
        return True
