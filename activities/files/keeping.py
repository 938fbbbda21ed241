"""Readings in the object store: kept by the content that was read, so that nothing is read twice in an organisation.

Keys are `ORG/readings/SHA256/READER/...`; two organisations never meet, whatever they upload. Whoever writes first
wins: a reading is a function of the content, and what a second worker has of it is the same in all that counts.
"""

import json
from collections.abc import Mapping
from typing import Any

from activities.files.reader import Blob, Reading
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.files import Inspection
from schema.errors import Conflict, InvariantViolated, NotFound

_JSON = "application/json"


def prefix_of(org_id: str, sha256: str) -> str:
    """Return the beginning of the keys of all that was read of a content."""
    return f"{org_id}/readings/{sha256}/"


class Readings:
    """The readings of an organisation's files."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def find(self, org_id: str, inspection: Inspection, number: int) -> ObjectRef | None:
        """Return the reading of a portion that was read before; None: it was not, or what is there is damaged."""
        try:
            stored = await self._objects.read(_portion_key(org_id, inspection, number))
            json.loads(stored.data)
        except (NotFound, ValueError):
            return None
        key = _portion_key(org_id, inspection, number)
        return ObjectRef(key=key, sha256=sha256_of(stored.data), size_bytes=len(stored.data))

    async def keep(self, org_id: str, inspection: Inspection, number: int, reading: Reading) -> ObjectRef:
        """Keep the reading of a portion with what was made of it; another worker's, where that came first."""
        blobs = {name: await self.keep_blob(org_id, inspection, blob) for name, blob in reading.blobs.items()}
        data = _encoded({"value": reading.value, "blobs": blobs})
        key = _portion_key(org_id, inspection, number)
        try:
            return await self._objects.put(key, data, _JSON)
        except Conflict:
            first = await self.find(org_id, inspection, number)
            if first is None:
                raise InvariantViolated(f"The reading {key} is damaged.", key=key) from None
            return first

    async def load(self, ref: ObjectRef) -> tuple[Mapping[str, Any], dict[str, dict[str, Any]]]:
        """Return the value of a portion's reading, and what was made of it: name -> `{mime, object}`."""
        stored = json.loads(await self._objects.get(ref))
        return stored["value"], stored["blobs"]

    async def keep_blob(self, org_id: str, inspection: Inspection, blob: Blob) -> dict[str, Any]:
        """Keep a file that was made; return it as `{mime, object}`."""
        ref = await self._put(org_id, inspection, blob.data, blob.mime)
        return {"mime": blob.mime, "object": ref.model_dump()}

    async def keep_result(self, org_id: str, inspection: Inspection, result: Mapping[str, Any]) -> ObjectRef:
        """Keep what a whole file came to."""
        return await self._put(org_id, inspection, _encoded(result), _JSON)

    async def _put(self, org_id: str, inspection: Inspection, data: bytes, mime: str) -> ObjectRef:
        # By its own hash: whatever is made anew of the same content stands beside, and overwrites nothing.
        key = f"{prefix_of(org_id, inspection.sha256)}{inspection.reader}/made/{sha256_of(data)}"
        return await self._objects.put(key, data, mime)


def _portion_key(org_id: str, inspection: Inspection, number: int) -> str:
    return f"{prefix_of(org_id, inspection.sha256)}{inspection.reader}/{number}"


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
