"""The object store: any S3, through `minio`'s client on a thread pool of its own.

The only place that knows the vendor's errors. Keys are chosen by the callers; most are content-addressed
(`org/kind/sha256`), and no object is ever overwritten.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import structlog
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.lifecycleconfig import AbortIncompleteMultipartUpload, LifecycleConfig, Rule

from infra.settings import Settings
from schema.contracts.common import ObjectRef
from schema.errors import Conflict, InvariantViolated, NotFound, StorageUnavailable
from schema.policies import UPLOADS_KEPT_DAYS

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 30.0
PING_TIMEOUT_S = 2.0
THREADS_MAX = 16
CHUNK_SIZE_BYTES = 256 * 1024
PRESIGN_EXPIRES_MAX = timedelta(hours=1)

_PART_BYTES = 16 * 1024 * 1024
_SHA256_HEADER = "x-amz-meta-sha256"
_MISSING = {"NoSuchKey", "NoSuchObject", "NoSuchUpload", "ResourceNotFound"}
_LIFECYCLE = LifecycleConfig(
    [
        Rule(
            ENABLED,
            rule_filter=Filter(prefix=""),
            rule_id="swissbrain-uploads",
            abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(days_after_initiation=UPLOADS_KEPT_DAYS),
        )
    ]
)
_NO_CONDITIONS = {"NotImplemented", "MethodNotAllowed"}


def sha256_of(data: bytes) -> str:
    """Return the hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Stored:
    """An object as it lies in the bucket."""

    data: bytes
    content_type: str


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it."""

    key: str
    changed_at: datetime


class ObjectStore:
    """One bucket. Made without connecting; `ensure_bucket` is for the start of a process."""

    def __init__(
        self,
        endpoint_url: str,
        *,
        access_key: str,
        secret_key: str,
        bucket: str,
        region: str = "us-east-1",
        public_endpoint_url: str | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Prepare the clients.

        Args:
            public_endpoint_url: the endpoint that presigned links name, where users reach the store by another name.
            read_timeout_s: longest silence of the server within one answer.
        """
        self.bucket = bucket
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="objects")

        def client(url: str, read_timeout_s: float) -> Minio:
            parts = urlsplit(url)
            pool = urllib3.PoolManager(
                maxsize=THREADS_MAX,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s),
                # One repetition, for a kept-alive connection that the server closed; the rest is Temporal's work.
                retries=urllib3.Retry(total=1, status=0, redirect=0, backoff_factor=0, raise_on_status=False),
            )
            return Minio(
                parts.netloc,
                access_key=access_key,
                secret_key=secret_key,
                secure=parts.scheme == "https",
                region=region,
                http_client=pool,
            )

        self._client = client(endpoint_url, read_timeout_s)
        self._pinger = client(endpoint_url, PING_TIMEOUT_S)
        # Signing needs no connection: the region is known.
        self._signer = client(public_endpoint_url or endpoint_url, READ_TIMEOUT_S)

    @classmethod
    def from_settings(cls, settings: Settings, *, read_timeout_s: float = READ_TIMEOUT_S) -> "ObjectStore":
        """Return the deployment's store."""
        return cls(
            settings.s3_endpoint_url,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            public_endpoint_url=settings.s3_public_endpoint_url,
            read_timeout_s=read_timeout_s,
        )

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> ObjectRef:
        """Store `data` under `key` unless it is there already; putting the same content again changes nothing.

        Raises:
            Conflict: other content stands under `key`; it is left as it is.
            StorageUnavailable: the store did not take it.
        """
        ref = ObjectRef(key=key, sha256=sha256_of(data), size_bytes=len(data))
        await self._run(self._put, ref, data, content_type)
        return ref

    async def put_file(self, key: str, file: BinaryIO, size_bytes: int) -> None:
        """Store a file of any size under a key of its own, from where it stands, in parts where it is large."""
        await self._run(lambda: self._client.put_object(self.bucket, key, file, size_bytes, part_size=_PART_BYTES))

    async def fetch(self, key: str, path: Path) -> ObjectRef:
        """Write an object of any size to a file, and return what it is.

        Raises:
            NotFound: there is no such object.
            StorageUnavailable: the store did not answer, or stopped in the middle.
        """
        ref: ObjectRef = await self._run(self._fetch, key, path)
        return ref

    async def get(self, ref: ObjectRef) -> bytes:
        """Return the content, checked against the reference's size and SHA-256.

        Raises:
            NotFound: there is no such object.
            InvariantViolated: the content is not the one that was stored.
            StorageUnavailable: the store did not answer, or stopped in the middle.
        """
        data: bytes = await self._run(self._read, ref.key)
        if len(data) != ref.size_bytes or sha256_of(data) != ref.sha256:
            raise InvariantViolated(f"Object {ref.key} is not the one that was stored.", key=ref.key)
        return data

    async def read(self, key: str) -> Stored:
        """Return an object by its key alone, unchecked: for what moves objects and knows no reference.

        Raises:
            NotFound: there is no such object.
        """
        stored: Stored = await self._run(self._read_stored, key)
        return stored

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys of every object below `prefix`, in order."""
        found: list[str] = await self._run(self._keys, prefix)
        return found

    async def page(self, after: str, limit: int) -> list[Listed]:
        """Return up to `limit` objects whose keys come after `after`, in order of their keys."""
        found: list[Listed] = await self._run(self._page, after, limit)
        return found

    async def stream(self, ref: ObjectRef, chunk_size_bytes: int = CHUNK_SIZE_BYTES) -> AsyncIterator[bytes]:
        """Yield the content in chunks; raise as `get` does, a wrong content after its last chunk."""
        response = await self._run(self._client.get_object, self.bucket, ref.key)
        digest, size_bytes = hashlib.sha256(), 0
        try:
            while chunk := await self._run(response.read, chunk_size_bytes):
                digest.update(chunk)
                size_bytes += len(chunk)
                yield chunk
        finally:
            response.close()
            response.release_conn()
        if size_bytes != ref.size_bytes or digest.hexdigest() != ref.sha256:
            raise InvariantViolated(f"Object {ref.key} is not the one that was stored.", key=ref.key)

    async def presign_get(self, key: str, *, filename: str, content_type: str, expires: timedelta) -> str:
        """Return a link that downloads the object as `filename`; it ends after `expires`, one hour at most.

        Whoever holds the link can read: never store or log it.
        """
        headers: dict[str, Any] = {
            "response-content-disposition": content_disposition(filename),
            "response-content-type": content_type,
        }
        url: str = await self._run(
            lambda: self._signer.presigned_get_object(
                self.bucket, key, expires=min(expires, PRESIGN_EXPIRES_MAX), response_headers=headers
            )
        )
        return url

    async def presign_put(self, key: str, query: dict[str, str], *, expires: timedelta) -> str:
        """Return a link that takes a PUT; whoever holds it can write there: never store or log it."""
        url: str = await self._run(
            lambda: self._signer.get_presigned_url(
                "PUT", self.bucket, key, expires=min(expires, PRESIGN_EXPIRES_MAX), extra_query_params=dict(query)
            )
        )
        return url

    async def vendor(self, call: Callable[[Minio], Any], *, missing_ok: bool = False) -> Any:
        """Call the vendor's client, for what stands beside this class (`infra/uploads.py`); errors are translated."""
        try:
            return await self._run(call, self._client)
        except NotFound:
            if missing_ok:
                return None
            raise

    async def size_of(self, key: str) -> int | None:
        """Return an object's size in bytes; None: there is none."""
        try:
            found = await self._run(self._client.stat_object, self.bucket, key)
        except NotFound:
            return None
        return int(found.size)

    async def exists(self, key: str) -> bool:
        """Tell whether the object is there."""
        try:
            await self._run(self._client.stat_object, self.bucket, key)
        except NotFound:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Delete the object; deleting one that is gone already is no error."""
        try:
            await self._run(self._client.remove_object, self.bucket, key)
        except NotFound:
            return

    async def ensure_bucket(self) -> None:
        """Make the bucket unless it exists; where it has no lifecycle rules, one ends uploads that nobody completes.

        An operator's own rules stay. A store without such rules keeps the parts; the rows of their files end all the
        same.
        """
        await self._run(self._ensure_bucket)
        try:
            if await self._run(self._client.get_bucket_lifecycle, self.bucket) is None:
                await self._run(self._client.set_bucket_lifecycle, self.bucket, _LIFECYCLE)
        except (StorageUnavailable, NotFound) as error:
            log.info("objects.no_lifecycle", bucket=self.bucket, error=str(error))

    async def ping(self) -> None:
        """Raise StorageUnavailable unless the store answers and has the bucket."""
        if not await self._run(self._pinger.bucket_exists, self.bucket):
            raise StorageUnavailable(f"The object store has no bucket {self.bucket}.")

    async def close(self) -> None:
        """Give the threads back without waiting for a request that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the vendor on a thread, and translate its failures: the only place that does."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *arguments)
        except S3Error as error:
            if error.code in _MISSING:
                raise NotFound("There is no such object.") from error
            raise StorageUnavailable("The object store refused the request.", s3_code=error.code) from error
        except (ServerError, InvalidResponseError, MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise StorageUnavailable("The object store does not answer.") from error

    def _put(self, ref: ObjectRef, data: bytes, content_type: str) -> None:
        self._store(ref, data, content_type, {})

    def _store(self, ref: ObjectRef, data: bytes, content_type: str, more: dict[str, Any]) -> None:
        headers: dict[str, Any] = {"Content-Type": content_type, _SHA256_HEADER: ref.sha256, **more}
        try:
            # The public `put_object` cannot carry a condition. From here the object may stand, whatever we hear.
            self._client._put_object(self.bucket, ref.key, data, headers={**headers, "If-None-Match": "*"})
        except S3Error as error:
            if error.code == "PreconditionFailed":
                self._require_same(ref)
            elif error.code in _NO_CONDITIONS:
                self._client._put_object(self.bucket, ref.key, data, headers=headers)
            else:
                raise

    def _require_same(self, ref: ObjectRef) -> None:
        found = self._client.stat_object(self.bucket, ref.key)
        stored = (found.metadata or {}).get(_SHA256_HEADER)
        if (stored or sha256_of(self._read(ref.key))) != ref.sha256:
            raise Conflict("An object with other content has this key.", key=ref.key)

    def _read(self, key: str, version_id: str | None = None) -> bytes:
        response = self._client.get_object(self.bucket, key, version_id=version_id)
        try:
            data: bytes = response.read()
            return data
        finally:
            response.close()
            response.release_conn()

    def _fetch(self, key: str, path: Path) -> ObjectRef:
        digest, size_bytes = hashlib.sha256(), 0
        response = self._client.get_object(self.bucket, key)
        try:
            with path.open("wb") as out:
                while chunk := response.read(CHUNK_SIZE_BYTES):
                    digest.update(chunk)
                    size_bytes += len(chunk)
                    out.write(chunk)
        finally:
            response.close()
            response.release_conn()
        return ObjectRef(key=key, sha256=digest.hexdigest(), size_bytes=size_bytes)

    def _read_stored(self, key: str) -> Stored:
        response = self._client.get_object(self.bucket, key)
        try:
            return Stored(response.read(), response.headers.get("content-type", "application/octet-stream"))
        finally:
            response.close()
            response.release_conn()

    def _keys(self, prefix: str) -> list[str]:
        listed = self._client.list_objects(self.bucket, prefix=prefix, recursive=True)
        return sorted(item.object_name for item in listed if not item.is_dir)

    def _page(self, after: str, limit: int) -> list[Listed]:
        listed = self._client.list_objects(self.bucket, recursive=True, start_after=after)
        return [Listed(item.object_name, item.last_modified) for item in islice(listed, limit)]

    def _ensure_bucket(self) -> None:
        if self._client.bucket_exists(self.bucket):
            return
        try:
            self._client.make_bucket(self.bucket)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


def content_disposition(filename: str) -> str:
    """Return an attachment header (RFC 6266) that no file name can break out of."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename).strip() or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
