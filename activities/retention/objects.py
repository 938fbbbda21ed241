"""Deletion of objects that nothing points to any more.

Objects are content-addressed and shared within an organisation. An upload of the same content may find the object and
not store it again, and only then write its row: so a deleted object is kept in memory until the rows were looked at
once more, and put back where one points to it now.
"""

import structlog

from infra.database import Database
from infra.objects import ObjectStore
from schema.errors import NotFound
from schema.store import retention

log = structlog.get_logger(__name__)


class Collector:
    """Deletes one object at a time."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    async def collect(self, org_id: str, key: str) -> bool:
        """Delete an object unless a row points to it; False when one does, or it was gone. Takes the wish back."""
        deleted = False
        if key.startswith(f"{org_id}/files/"):
            # Of one file alone, under a name that no other will have; it may be too large to be kept in memory.
            if not await self._referenced(org_id, key):
                await self._objects.delete(key)
                deleted = True
        elif not await self._referenced(org_id, key):
            try:
                kept = await self._objects.read(key)
            except NotFound:
                kept = None
            if kept is not None:
                await self._objects.delete(key)
                deleted = True
                if await self._referenced(org_id, key):
                    await self._objects.put(key, kept.data, kept.content_type)
                    deleted = False
                    log.info("retention.put_back", object_key=key)
        async with self._db.transaction(org_id) as session:
            await retention.forget_deletion(session, org_id, key)
        return deleted

    async def _referenced(self, org_id: str, key: str) -> bool:
        async with self._db.transaction(org_id) as session:
            return await retention.is_referenced(session, org_id, key)
