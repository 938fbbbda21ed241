"""The bucket of what must not be changed: audit checkpoints and archived months, under object lock where there is one.

Locked objects have versions, so that writing over one or deleting it only adds a version: readers here take the oldest.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.error import S3Error

from infra.objects import ObjectStore, sha256_of
from infra.settings import Settings
from schema.contracts.common import ObjectRef


class LockedStore(ObjectStore):
    """One bucket whose objects are refused deletion and change until their time is over."""

    _lock_for: timedelta = timedelta(0)
    _mode: str = COMPLIANCE
    _locks: bool | None = None

    @classmethod
    def from_settings(cls, settings: Settings, **more: Any) -> "LockedStore":
        """Return the deployment's audit bucket."""
        store = cls(
            settings.s3_endpoint_url,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            bucket=settings.audit_bucket_name,
            region=settings.s3_region,
            **more,
        )
        store._lock_for = timedelta(days=settings.audit_lock_days)
        store._mode = GOVERNANCE if settings.audit_lock_mode == "GOVERNANCE" else COMPLIANCE
        return store

    async def locks(self) -> bool:
        """Tell whether the store locks what is put here: asked of the store once."""
        if self._locks is None:
            self._locks = bool(self._lock_for) and await self._run(self._probe)
        return self._locks

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:
        """Store `data` under `key`, locked; putting the same content again changes nothing.

        Raises:
            Conflict: other content stands under `key`; it is left as it is.
            StorageUnavailable: the store did not take it.
        """
        ref = ObjectRef(key=key, sha256=sha256_of(data), size_bytes=len(data))
        until = datetime.now(UTC) + self._lock_for if await self.locks() else None
        await self._run(self._put, ref, data, content_type, until)
        return ref

    async def list_oldest(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every object below `prefix` by rising key, each in its oldest version, whatever was put over it."""
        found: list[tuple[str, bytes]] = await self._run(self._oldest, prefix)
        return found

    def _probe(self) -> bool:
        try:
            self._client.get_object_lock_config(self.bucket)
        except S3Error as error:
            if error.code in ("NoSuchBucket", "AccessDenied"):
                raise
            return False  # No such configuration, or a store that does not know what that is.
        return True

    def _put(self, ref: ObjectRef, data: bytes, content_type: str, until: datetime | None = None) -> None:
        headers: dict[str, Any] = {}
        if until is not None:
            headers = {
                "x-amz-object-lock-mode": self._mode,
                "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        self._store(ref, data, content_type, headers)

    def _oldest(self, prefix: str) -> list[tuple[str, bytes]]:
        oldest: dict[str, Any] = {}
        # Of one second, the older stands later in the list.
        for item in self._client.list_objects(self.bucket, prefix=prefix, recursive=True, include_version=True):
            known = oldest.get(item.object_name)
            if not item.is_delete_marker and (known is None or item.last_modified <= known.last_modified):
                oldest[item.object_name] = item
        return [(name, self._read(name, oldest[name].version_id)) for name in sorted(oldest)]

    def _ensure_bucket(self) -> None:
        if self._client.bucket_exists(self.bucket):
            return
        try:
            self._client.make_bucket(self.bucket, object_lock=bool(self._lock_for))
        except S3Error as error:
            if error.code == "NotImplemented":
                self._client.make_bucket(self.bucket)
            elif error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
