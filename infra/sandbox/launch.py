"""Runs a job in a sandbox, from outside: starts the child, feeds it, bounds what comes back, leaves nothing of it."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from infra.sandbox.inside import NICENESS, UNREADABLE, Policy
from infra.sandbox.levels import Job, Level, Limits, Outcome
from schema.errors import SandboxUnavailable

FOLDER = "/job"
"""The folder of a job in a mount namespace."""
_WATCHED_EVERY_S = 0.1
_EMPTIED_WITHIN_S = 5.0
_CHUNK_BYTES = 256 * 1024
_FIRST_UID, _UIDS = 61_184, 4_336
"""Users that systemd.exec(5) sets apart for services without one."""
_system = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache", "/etc/localtime")
_linked = ("/etc/alternatives",)
"""By which Debian's programs find those of their libraries that there are several of."""
_starts = count(os.getpid())


class _TooMuch(Exception):
    """A stream, or the folder, has outgrown its limit."""


@dataclass
class _Pipes:
    """What has come back so far."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    ended: str = "exited"


async def launch(job: Job, level: Level, *, hear: Callable[[bytes], None] | None = None) -> Outcome:
    """Do a job at a level, and return how it ended; its process group is gone afterwards, whatever happened.

    The child gets an empty environment, no file descriptors but its pipes, and no network. A job that runs too long,
    or writes too much, is killed, which is an outcome and no error.

    Args:
        job: what is to be done.
        level: how strong the walls are to be.
        hear: is given what the job writes to its standard output, as it comes.

    Raises:
        SandboxUnavailable: the walls could not be raised; nothing of the job has run.
        CancelledError: the child is dead.
    """
    started = time.monotonic()
    with _folder(job.limits, level) as folder:
        reading, writing = os.pipe()
        try:
            try:
                process = await spawned(_start(job, level, folder, writing))
            finally:
                os.close(writing)
            pipes = _Pipes()
            try:
                await _supervise(process, job, level, folder, reading, pipes, hear)
            finally:
                await asyncio.shield(end_group(process))
        finally:
            os.close(reading)
    status = process.returncode if process.returncode is not None else -signal.SIGKILL
    if status == UNREADABLE and pipes.ended == "exited" and not pipes.answer:
        raise SandboxUnavailable("No sandbox could be built: " + pipes.stderr.decode("utf-8", "replace")[-300:].strip())
    return Outcome(
        level,
        status,
        pipes.ended,
        bytes(pipes.answer),
        bytes(pipes.stdout),
        bytes(pipes.stderr),
        time.monotonic() - started,
    )


@contextlib.contextmanager
def _folder(limits: Limits, level: Level) -> Iterator[str | None]:
    """Give a job that may write a folder of its own; in a mount namespace it lies in memory and ends with it."""
    if not limits.folder_bytes:
        yield None
    elif level >= Level.BUBBLEWRAP:
        yield FOLDER
    else:
        folder = tempfile.mkdtemp(prefix="swissbrain-job-")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def spawned(starting: Coroutine[Any, Any, asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """Wait for a process that starts, of a session of its own; a cancel meanwhile lets it start, and then ends it.

    A cancel between its fork and the opening of its pipes leaves asyncio waiting for the end of pipes that nobody reads
    (https://github.com/python/cpython/issues/119710), for ever.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await end_group(await task)
        raise


async def _start(job: Job, level: Level, folder: str | None, answer: int) -> asyncio.subprocess.Process:
    readable = [*_readable(job.packages, _linked if job.program else ()), *job.files, *job.program[:1]]
    wrapped = level >= Level.BUBBLEWRAP
    limits = job.limits
    policy = Policy(
        level=level,
        target=job.target,
        program=list(job.program),
        packages=list(job.packages),
        readable=readable,
        folder=folder,
        answer=answer,
        uid=_FIRST_UID + next(_starts) % _UIDS,
        parent=0 if wrapped else os.getpid(),
        wall_s=limits.wall_s,
        cpu_s=limits.cpu_s,
        memory_bytes=limits.memory_bytes,
        file_bytes=limits.file_bytes,
        files_open=limits.files_open,
        threads=limits.threads,
    )
    outer = _bubblewrap(readable, folder, limits) if wrapped else []
    process = await asyncio.create_subprocess_exec(
        *outer,
        *(sys.executable, "-m", "infra.sandbox.inside", json.dumps(asdict(policy))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
        cwd="/",
        pass_fds=(answer,),
        start_new_session=True,
        limit=_CHUNK_BYTES,
    )
    _be_nice(process.pid)
    return process


def _be_nice(pid: int) -> None:
    """Where Linux groups processes by session (sched(7), autogroup), niceness counts within a group alone."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS), encoding="ascii")


def bubblewrap_path() -> str | None:
    """Return where bubblewrap is installed, or None."""
    return shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")


def _bubblewrap(readable: list[str], folder: str | None, limits: Limits) -> list[str]:
    path = bubblewrap_path()
    if path is None:
        raise SandboxUnavailable("bubblewrap is not installed.")
    command = [path, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # Root of the host would stay root of the host in a user namespace: the child becomes another user instead.
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH"):
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-user"]
    for each in readable:
        command += ["--ro-bind", each, each]
    for device in ("/dev/null", "/dev/urandom"):
        command += ["--dev-bind", device, device]
    if folder is not None:
        command += ["--perms", "1777", "--size", str(limits.folder_bytes), "--tmpfs", folder]
    return [*command, "--remount-ro", "/", "--chdir", folder or "/", "--"]


def _readable(packages: tuple[str, ...], more: tuple[str, ...]) -> list[str]:
    """Return what a child may read: the interpreter, what is installed, libraries, and our packages that it names."""
    found = [sys.base_prefix, sys.prefix, os.path.realpath(sys.executable), *_system, *more]
    for package in ("infra.sandbox", *packages):
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise SandboxUnavailable(f"The package {package} is not installed.")
        found += spec.submodule_search_locations
        above = package.split(".")[:-1]
        parents = (find_spec(".".join(above[: depth + 1])) for depth in range(len(above)))
        found += [parent.origin for parent in parents if parent is not None and parent.origin is not None]
    return [path for path in dict.fromkeys(found) if Path(path).exists()]


def environment(folder: str | None = None) -> dict[str, str]:
    """Return what the interpreter needs to find the same modules, and nothing else."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": folder or "/nonexistent",
        "TMPDIR": folder or "/nonexistent",
        # Polars cannot tell in there how much memory there is, takes it for none, and would spill to a folder that is
        # not there either; the limit is the job's own. What it has freed, its allocator gives back soon.
        "POLARS_OVERRIDE_TOTAL_MEMORY_MB": str(64 * 1024),
        "_RJEM_MALLOC_CONF": "dirty_decay_ms:100,muzzy_decay_ms:0",
        # Libraries that start a thread per core of the host would meet the limit of threads.
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"), "2"),
    }


async def _supervise(
    process: asyncio.subprocess.Process,
    job: Job,
    level: Level,
    folder: str | None,
    reading: int,
    pipes: _Pipes,
    hear: Callable[[bytes], None] | None,
) -> None:
    """Feed and read the child until it ends, its time is over, or it has written too much; what is left dies after."""
    limits = job.limits
    assert process.stdout is not None
    assert process.stderr is not None
    feeding = asyncio.ensure_future(_feed(process, job.data))
    watching = asyncio.ensure_future(_watch(process, folder, level, limits) if folder else asyncio.sleep(limits.wall_s))
    try:
        async with asyncio.timeout(limits.wall_s), _reader(reading) as answering:
            readers = (
                asyncio.ensure_future(_drain(process.stdout, pipes.stdout, limits.output_bytes, hear)),
                asyncio.ensure_future(_drain(process.stderr, pipes.stderr, limits.output_bytes)),
                asyncio.ensure_future(_drain(answering, pipes.answer, limits.answer_bytes)),
            )
            draining = asyncio.gather(*readers, process.wait())
            try:
                await asyncio.wait((draining, watching), return_when=asyncio.FIRST_COMPLETED)
                if not draining.done():
                    watching.result()
                await draining
            finally:
                draining.cancel()
                # A gather that has failed leaves the others at work: none may read a stream that the end reads too.
                for each in readers:
                    each.cancel()
                await asyncio.gather(draining, *readers, return_exceptions=True)
    except TimeoutError:
        pipes.ended = "time"
    except _TooMuch as error:
        pipes.ended = str(error)
    finally:
        feeding.cancel()
        watching.cancel()
        await asyncio.gather(feeding, watching, return_exceptions=True)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    # A child that refuses early closes its end; what it says is in its answer.
    with contextlib.suppress(ConnectionError):
        view = memoryview(data)
        for start in range(0, len(view), _CHUNK_BYTES):
            process.stdin.write(view[start : start + _CHUNK_BYTES])
            await process.stdin.drain()
        process.stdin.write_eof()


@contextlib.asynccontextmanager
async def _reader(descriptor: int) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
    pipe = os.fdopen(os.dup(descriptor), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        yield reader
    finally:
        transport.close()


async def _drain(
    stream: asyncio.StreamReader, into: bytearray, bytes_max: int, hear: Callable[[bytes], None] | None = None
) -> None:
    while chunk := await stream.read(_CHUNK_BYTES):
        into += chunk[: bytes_max - len(into)]
        if hear is not None:
            hear(chunk)
        if len(into) >= bytes_max:
            raise _TooMuch("output")


async def _watch(process: asyncio.subprocess.Process, folder: str, level: Level, limits: Limits) -> None:
    """Raise `_TooMuch` when the job's folder holds more than it may; the kernel bounds one file, and a tmpfs' bytes."""
    while True:
        await asyncio.sleep(_WATCHED_EVERY_S)
        place = _seen_from_here(process.pid, folder) if level >= Level.BUBBLEWRAP else Path(folder)
        if place is not None and _is_overfull(place, limits):
            raise _TooMuch("folder")


def _seen_from_here(pid: int, folder: str) -> Path | None:
    """Return the folder of a mount namespace by way of /proc; None: it is not made yet, or gone."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return None
    return Path(f"/proc/{children[0]}/root{folder}") if children else None


def _is_overfull(folder: Path, limits: Limits) -> bool:
    entries, size_bytes, pending = 0, 0, [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    else:
                        size_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entries > limits.folder_entries or size_bytes > limits.folder_bytes:
                        return True
        except OSError:
            continue
    return False


async def end_group(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of a process group, and wait until its leader is gone and its pipes are closed.

    asyncio's `wait()` returns only when the pipes are at their end too, and a pipe that nobody reads never is
    (https://github.com/python/cpython/issues/119710): what is left in them is read and dropped meanwhile.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    emptying = [asyncio.ensure_future(_drop(stream)) for stream in (process.stdout, process.stderr) if stream]
    try:
        await process.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EMPTIED_WITHIN_S):
                await asyncio.gather(*emptying)
    finally:
        for each in emptying:
            each.cancel()
    # One turn of the loop lets the transports of the pipes close.
    await asyncio.sleep(0)


async def _drop(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK_BYTES):
        pass
