"""One child process: started so that it cannot outlive us, watched, and stopped with everything it started.

Also the register of children in `run/pids.json`, by which the next start finds what a killed supervisor left behind.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import structlog

from infra.embedded.layout import DataDirectory, read_json, write_json

LAUNCHER = Path(__file__).with_name("launch.py")
KILL_WAIT_S = 5.0
MARK = "SWISSBRAIN_EMBEDDED_IN"
"""Environment variable of the application's processes: the data directory of the stack they belong to."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Command:
    """How to start a program."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """The program's whole environment."""
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when the supervisor dies (Linux)."""
    stop_timeout_s: float = 10.0
    uid: int | None = None
    gid: int | None = None
    pass_search: bool = False


class Child:
    """A started program."""

    def __init__(self, name: str, command: Command, process: "subprocess.Popen[bytes]", register: "Register") -> None:
        self.name = name
        self.command = command
        self.pid = process.pid
        self.ended = asyncio.Event()
        self._process = process
        self._register = register
        loop = asyncio.get_running_loop()
        # A thread of its own: the default executor has few, and these wait for as long as the child lives.
        threading.Thread(target=self._wait, args=(loop,), name=f"wait-{name}", daemon=True).start()

    @classmethod
    def start(cls, name: str, command: Command, data: DataDirectory, register: "Register") -> "Child":
        """Start the program with its output in `logs/NAME.log`. Call from the main thread.

        The kernel ties the child to the *thread* that made it, so a thread that ends would take the child along.
        """
        options = ["--parent", str(os.getpid()), "--death-signal", str(int(command.death_signal))]
        if command.uid is not None and command.gid is not None:
            options += ["--uid", str(command.uid), "--gid", str(command.gid)]
            options += ["--pass-search"] if command.pass_search else []
        with data.log_file(name).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *command.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(command.env),
                cwd=command.cwd,
                # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops in order.
                start_new_session=True,
            )
        register.add(name, process.pid)
        return cls(name, command, process, register)

    @property
    def returncode(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.returncode

    async def stop(self) -> None:
        """Ask it to end, and kill it and what it started when it does not within its time."""
        descendants = _descendants(self.pid)
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self.command.stop_signal)
            try:
                async with asyncio.timeout(self.command.stop_timeout_s):
                    await self.ended.wait()
            except TimeoutError:
                log.warning("embedded.killed", part=self.name, after_s=self.command.stop_timeout_s)
        await self.kill(descendants)

    async def kill(self, descendants: list[psutil.Process] | None = None) -> None:
        """End it and what it started, at once."""
        processes = (descendants or []) + _descendants(self.pid)
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await end(processes)
        await self.ended.wait()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._process.wait()
        self._register.remove(self.name, self.pid)
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(self.ended.set)


class Register:
    """The children's pids with the moment each began, on disk: a pid alone may belong to somebody else by now."""

    def __init__(self, data: DataDirectory) -> None:
        self._path = data.run / "pids.json"
        self._mark = str(data.root)
        self._lock = threading.Lock()
        self._own: set[int] = set()

    def own(self) -> set[int]:
        """Return the pids of the children that run, those of short errands included."""
        with self._lock:
            return set(self._own)

    def add(self, name: str, pid: int) -> None:
        """Note a child."""
        with self._lock:
            self._own.add(pid)
        try:
            began = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        with self._lock:
            write_json(self._path, read_json(self._path) | {name: {"pid": pid, "create_time": began}})

    def remove(self, name: str, pid: int) -> None:
        """Forget a child that has ended."""
        with self._lock:
            self._own.discard(pid)
            entries = read_json(self._path)
            if entries.get(name, {}).get("pid") == pid:
                del entries[name]
                with contextlib.suppress(OSError):  # The data directory may be gone by now (tests).
                    write_json(self._path, entries)

    async def end_leftovers(self) -> list[str]:
        """End what an earlier supervisor left running; return the names."""
        found: dict[str, psutil.Process] = {}
        for name, entry in read_json(self._path).items():
            process = find(int(entry["pid"]), float(entry["create_time"]))
            if process is not None:
                found[name] = process
        processes = [inner for process in found.values() for inner in _family(process)] + marked(self._mark)
        # PostgreSQL's own wish for "at once, but tidily" is SIGQUIT; whoever is left after the wait is killed.
        for name, process in found.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
        await _gone([process for name, process in found.items() if name == "postgres"], KILL_WAIT_S)
        await end(processes)
        with self._lock:
            self._path.unlink(missing_ok=True)
        return list(found)


def find(pid: int, create_time: float) -> psutil.Process | None:
    """Return the process with this pid if it began at this moment."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - create_time) < 0.02 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def marked(value: str) -> list[psutil.Process]:
    """Return the processes that inherited this mark: what a tool started outlives its worker, and is in no register."""
    us = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in us and process.environ().get(MARK) == value:
                found.append(process)
    return found


async def end(processes: list[psutil.Process]) -> None:
    """Kill the processes and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    await _gone(processes, KILL_WAIT_S)


def adopted(known: Callable[[], set[int]]) -> list[psutil.Process]:
    """Return our direct children that are none of the known ones: orphans of a child that died."""
    return [process for process in psutil.Process().children() if process.pid not in known()]


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process runs no more; one that nobody has collected yet has ended too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def reap(processes: list[psutil.Process]) -> None:
    """Collect ended orphans, which would stay as zombies."""
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *_descendants(process.pid)]


async def _gone(processes: list[psutil.Process], timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            for process in processes:
                while not has_ended(process):  # noqa: ASYNC110 - the kernel sets no event for a process that is not our child.
                    await asyncio.sleep(0.01)
