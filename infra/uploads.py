"""Uploads in parts, straight from a user to the object store: S3's multipart upload, by presigned links.

A part that is lost is sent again and the rest is not; what is not completed costs nothing and is given up later. The
vendor's client has no public call for these; what it has of its own is used (`infra/objects.py` translates the errors).
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from minio import Minio
from minio.datatypes import ListPartsResult, Part

from infra.objects import ObjectStore

PARTS_MAX = 10_000
"""S3's own limit."""


@dataclass(frozen=True)
class ReceivedPart:
    """A part that the store has."""

    number: int
    size_bytes: int
    etag: str


class Uploads:
    """Uploads to the deployment's bucket."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def begin(self, key: str) -> str:
        """Open an upload, and return its id."""
        upload_id: str = await self._objects.vendor(
            lambda client: client._create_multipart_upload(self._objects.bucket, key, {})
        )
        return upload_id

    async def parts(self, key: str, upload_id: str) -> list[ReceivedPart]:
        """Return the parts that have come, by number.

        Raises:
            NotFound: there is no such upload (any more).
        """
        found: list[ReceivedPart] = []
        marker: str | None = None
        while True:
            page = await self._objects.vendor(partial(self._page, key, upload_id, marker))
            found += [ReceivedPart(part.part_number, part.size or 0, part.etag.strip('"')) for part in page.parts]
            if not page.is_truncated or len(found) >= PARTS_MAX:
                return sorted(found, key=lambda part: part.number)
            marker = str(page.next_part_number_marker)

    def _page(self, key: str, upload_id: str, marker: str | None, client: Minio) -> ListPartsResult:
        return client._list_parts(self._objects.bucket, key, upload_id, part_number_marker=marker)

    async def link(self, key: str, upload_id: str, number: int, expires: timedelta) -> str:
        """Return where one part is sent to, by PUT."""
        return await self._objects.presign_put(key, {"uploadId": upload_id, "partNumber": str(number)}, expires=expires)

    async def complete(self, key: str, upload_id: str, parts: list[ReceivedPart]) -> None:
        """Make one object of the parts.

        Raises:
            NotFound: there is no such upload: it is complete, or given up.
        """
        listed = [Part(part.number, part.etag) for part in parts]
        await self._objects.vendor(
            lambda client: client._complete_multipart_upload(self._objects.bucket, key, upload_id, listed)
        )

    async def abort(self, key: str, upload_id: str) -> None:
        """Give an upload up; one that is gone already is no error."""
        await self._objects.vendor(
            lambda client: client._abort_multipart_upload(self._objects.bucket, key, upload_id), missing_ok=True
        )
