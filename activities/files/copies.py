"""Files on a worker's own disk: what is read portion by portion is fetched once, and kept while there is room.

One folder per process, under the system's folder for temporary files; one file per object, under a name made of its
key's hash, so that no two files meet, whatever they are called. What a killed worker left is removed by the next.
"""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.policies import FILE_COPIES_BYTES_MAX

log = structlog.get_logger(__name__)

_PREFIX = "swissbrain-files-"


@dataclass
class _Copy:
    fetching: "asyncio.Task[ObjectRef]"
    path: Path
    users: int = 0


class LocalCopies:
    """The copies of one worker."""

    def __init__(
        self, objects: ObjectStore, *, bytes_max: int = FILE_COPIES_BYTES_MAX, base: Path | None = None
    ) -> None:
        """Prepare; the folder is made at the first use.

        Args:
            bytes_max: what copies that nobody uses may take together.
            base: where the folder is made; default: the system's folder for temporary files.
        """
        self._objects = objects
        self._bytes_max = bytes_max
        self._base = base
        self._folder: Path | None = None
        self._copies: OrderedDict[str, _Copy] = OrderedDict()

    @asynccontextmanager
    async def copy(self, key: str) -> AsyncIterator[tuple[Path, ObjectRef]]:
        """Yield where an object lies on this disk, and what it is; it stays while it is used.

        Raises:
            NotFound: there is no such object.
            StorageUnavailable: the store failed.
        """
        copy = self._copies.get(key)
        if copy is None:
            path = self._place() / hashlib.sha256(key.encode()).hexdigest()
            copy = self._copies[key] = _Copy(asyncio.ensure_future(self._objects.fetch(key, path)), path)
        self._copies.move_to_end(key)
        copy.users += 1
        try:
            # A caller that is cancelled takes the fetch of another with it no more than its own.
            yield copy.path, await asyncio.shield(copy.fetching)
        finally:
            copy.users -= 1
            if copy.fetching.done() and (copy.fetching.cancelled() or copy.fetching.exception() is not None):
                self._forget(key, copy)
            self._make_room()

    def close(self) -> None:
        """Remove everything."""
        for copy in self._copies.values():
            copy.fetching.cancel()
        self._copies.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _place(self) -> Path:
        if self._folder is None:
            remove_left_behind(self._base)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._base))
        return self._folder

    def _make_room(self) -> None:
        taken = sum(copy.path.stat().st_size for copy in self._copies.values() if copy.path.exists())
        for key, copy in list(self._copies.items()):
            if taken <= self._bytes_max:
                return
            if copy.users == 0 and copy.fetching.done():
                taken -= copy.path.stat().st_size if copy.path.exists() else 0
                self._forget(key, copy)

    def _forget(self, key: str, copy: _Copy) -> None:
        if copy.users == 0 and self._copies.get(key) is copy:
            del self._copies[key]
            copy.path.unlink(missing_ok=True)


def remove_left_behind(base: Path | None = None) -> None:
    """Remove the folders of workers that are gone."""
    for folder in Path(base or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            log.info("removed copies of a worker that is gone", pid=int(pid))
            shutil.rmtree(folder, ignore_errors=True)
