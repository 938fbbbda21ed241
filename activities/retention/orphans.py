"""Objects that no row points to: what is stored before its row, by work that died and was never done again.

A walk through the bucket in order of keys. It deletes nothing itself: the wish goes to `object_deletions`, and the
collector looks at the rows once more before it takes an object away.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import structlog
from temporalio import activity

from infra.database import Database
from infra.objects import Listed, ObjectStore
from schema.contracts.retention import OrphansResult
from schema.ids import ORGANISATION
from schema.policies import ORPHAN_AFTER, ORPHAN_FOLDERS, ORPHANS_PAGE
from schema.store import retention

log = structlog.get_logger(__name__)


class OrphanActivities:
    """What the Orphans workflow calls."""

    def __init__(self, db: Database, objects: ObjectStore, older_than: timedelta = ORPHAN_AFTER) -> None:
        self._db = db
        self._objects = objects
        self._older_than = older_than

    @activity.defn(name="retention.orphans")
    async def find(self) -> OrphansResult:
        """Ask for the deletion of objects that no row points to; goes on from its heartbeat where it was stopped.

        Raises:
            StorageUnavailable: PostgreSQL or the object store failed.
        """
        done = activity.info().heartbeat_details
        after, looked_at, asked = done if done else ("", 0, 0)
        while page := await self._objects.page(after, ORPHANS_PAGE):
            for org_id, keys in self._candidates(page).items():
                asked += await self._ask(org_id, keys)
            after, looked_at = page[-1].key, looked_at + len(page)
            activity.heartbeat(after, looked_at, asked)
        return OrphansResult(looked_at=looked_at, asked=asked)

    def _candidates(self, page: list[Listed]) -> dict[str, list[str]]:
        """Return keys by organisation, of the kinds that have a row each, and old enough to have it."""
        found: dict[str, list[str]] = defaultdict(list)
        before = datetime.now(UTC) - self._older_than
        for listed in page:
            org_id, _, rest = listed.key.partition("/")
            kept = rest.partition("/")[0] in ORPHAN_FOLDERS and org_id.startswith(f"{ORGANISATION}_")
            if kept and listed.changed_at <= before:
                found[org_id].append(listed.key)
        return found

    async def _ask(self, org_id: str, keys: list[str]) -> int:
        async with self._db.transaction(org_id) as session:
            orphans = await retention.unreferenced(session, org_id, keys)
            await retention.ask_for_deletion(session, org_id, orphans)
        for key in orphans:
            log.info("retention.orphan", org_id=org_id, object_key=key)
        return len(orphans)
