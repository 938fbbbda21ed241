"""The supervisor: starts the parts in order, keeps them running, and stops them in reverse order.

`EmbeddedServers` is the four servers alone, for tests. `up` is the whole stack: `swissbrain up`.
"""

import asyncio
import ctypes
import http.client
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncpg
import structlog

from infra.embedded.layout import DataDirectory, HalfRestored, can_bind, read_json, require_free, write_json
from infra.embedded.process import MARK, Child, Command, Register, adopted, end, has_ended, reap
from infra.embedded.servers import HOST, PROBE_TIMEOUT_S, Part, PartFailed, Stack, servers, wait_ready
from infra.health import sandbox_levels
from infra.healthcheck import last_seen, polls
from infra.local_model.catalogue import CatalogueModel
from infra.local_model.part import model_environment, model_part
from infra.sandbox.advice import shortfall
from infra.sandbox.levels import Level
from infra.settings import Settings
from infra.temporal import connect
from schema.policies import TaskQueue

RESTART_FIRST_S = 0.1
RESTART_MAX_S = 10.0
HEALTHY_S = 30.0
"""A part that ran this long is restarted without having to wait for its earlier failures."""
REAP_EVERY_S = 5.0
START_TRIES_MAX = 3
ONCE_TIMEOUT_S = 120.0
PR_SET_CHILD_SUBREAPER = 36

log = structlog.get_logger(__name__)

SEED_VERSION = 2
"""Raised where a newer version's seed adds something to an installation that was seeded before."""


class Supervisor:
    """Runs parts. One stage starts after the other answers; within a stage all start at once."""

    def __init__(self, data: DataDirectory, register: Register, *, adopt: bool = False) -> None:
        """Prepare.

        Args:
            adopt: take in, and end, the processes that a killed part leaves behind. Only for a process that has no
                children of its own besides.
        """
        self._data = data
        self._register = register
        self._adopt = adopt and _become_subreaper()
        self._stages: list[list[str]] = []
        self._children: dict[str, Child] = {}
        self._starting: set[Child] = set()
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._reaper: asyncio.Task[None] | None = None
        self.on_change: Callable[[], None] = lambda: None
        """Called after a part came back under another pid."""

    @property
    def pids(self) -> dict[str, int]:
        """Return the parts' pids as they are now."""
        return {name: child.pid for name, child in self._children.items()}

    async def start(self, parts: Sequence[Part]) -> None:
        """Start a stage and return when all of it answers; raise PartFailed, with the log's end, when one does not."""
        if self._adopt and self._reaper is None:
            self._reaper = asyncio.create_task(self._reap_orphans(), name="reap-orphans")
        self._stages.append([part.name for part in parts])
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._start(part))
        except* PartFailed as failures:
            first = failures.exceptions[0]
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None

    async def run_once(self, name: str, command: Command) -> None:
        """Run a program to its end; raise PartFailed with its log's end when it fails."""
        child = self._spawn(name, command)
        try:
            async with asyncio.timeout(ONCE_TIMEOUT_S):
                await child.ended.wait()
        except TimeoutError:
            raise PartFailed(name, f"did not end within {ONCE_TIMEOUT_S:.0f} s") from None
        finally:
            await child.kill()
            self._starting.discard(child)
        if child.returncode != 0:
            raise PartFailed(name, f"ended with code {child.returncode}{self._data.log_tail(name)}")

    async def stop(self) -> None:
        """Stop every part, the last stage first. Leaves no process behind."""
        while self._stages:
            stage = self._stages.pop()
            watchers = [self._watchers.pop(name) for name in stage if name in self._watchers]
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            stopping = [self._children.pop(name) for name in stage if name in self._children]
            await asyncio.gather(*(child.stop() for child in stopping))
        for child in list(self._starting):
            await child.kill()
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.gather(self._reaper, return_exceptions=True)
            self._reaper = None
        await self._end_orphans()

    async def _start(self, part: Part) -> None:
        try:
            await part.prepare()
            since = datetime.now(UTC)
            child = self._spawn(part.name, part.command())
        except OSError as error:
            raise PartFailed(part.name, f"cannot be started: {error}") from error
        self._children[part.name] = child
        self._starting.discard(child)
        began = time.monotonic()
        try:
            await wait_ready(part, child, since)
        except PartFailed as error:
            raise PartFailed(part.name, f"{str(error).partition(' ')[2]}{self._data.log_tail(part.name)}") from None
        log.info("embedded.ready", part=part.name, after_s=round(time.monotonic() - began, 2))
        self._watchers[part.name] = asyncio.create_task(self._watch(part), name=f"watch-{part.name}")

    async def _watch(self, part: Part) -> None:
        """Bring the part back whenever it ends."""
        pause_s = RESTART_FIRST_S
        while True:
            child, began = self._children[part.name], time.monotonic()
            await child.ended.wait()
            if time.monotonic() - began > HEALTHY_S:
                pause_s = RESTART_FIRST_S
            log.warning("embedded.ended", part=part.name, code=child.returncode, restart_in_s=round(pause_s, 2))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RESTART_MAX_S)
            try:
                await self._restart(part)
            except Exception as error:  # Whatever it was: the next round tries again, later.
                log.warning("embedded.restart_failed", part=part.name, error=repr(error))

    async def _restart(self, part: Part) -> None:
        await self._end_orphans()
        await part.prepare()
        since = datetime.now(UTC)
        child = self._spawn(part.name, part.command())
        self._children[part.name] = child
        self._starting.discard(child)
        self.on_change()
        await self._note_return(part, child, since)

    async def _note_return(self, part: Part, child: Child, since: datetime) -> None:
        try:
            await wait_ready(part, child, since)
        except PartFailed as error:
            log.warning("embedded.not_answering", part=part.name, error=str(error))
            if part.end_when_silent and not child.ended.is_set():
                await child.stop()
        else:
            log.info("embedded.restarted", part=part.name, pid=child.pid)

    def _spawn(self, name: str, command: Command) -> Child:
        child = Child.start(name, command, self._data, self._register)
        self._starting.add(child)
        return child

    def _known(self) -> set[int]:
        return {child.pid for child in (*self._children.values(), *self._starting)} | self._register.own()

    async def _reap_orphans(self) -> None:
        """Collect the orphans that end while their part lives: every sandboxed job leaves one, its namespace's init."""
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            reap([orphan for orphan in adopted(self._known) if has_ended(orphan)])

    async def _end_orphans(self) -> None:
        if not self._adopt:
            return
        while orphans := adopted(self._known):
            await end(orphans)
            reap(orphans)


class EmbeddedServers:
    """The four servers, as an asynchronous context manager.

    `async with EmbeddedServers(folder) as servers: connect(servers.settings)`. Use it on the main thread.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data = DataDirectory(data_dir)
        self.stack: Stack
        self._supervisor: Supervisor

    @property
    def settings(self) -> Settings:
        """Return settings that lead to these servers."""
        return self.stack.settings

    @property
    def process_environment(self) -> dict[str, str]:
        """Return the whole environment of a process that shall use these servers, as the application's role."""
        return process_environment(self.stack)

    @property
    def pids(self) -> dict[str, int]:
        """Return the servers' pids as they are now."""
        return self._supervisor.pids

    async def __aenter__(self) -> "EmbeddedServers":
        self.data.prepare()
        self.data.acquire()
        try:
            register = Register(self.data)
            await register.end_leftovers()
            self._supervisor = Supervisor(self.data, register)
            self.stack = await start_servers(self._supervisor, self.data, register)
        except BaseException:
            self.data.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._supervisor.stop()
        self.data.release()


async def start_servers(
    supervisor: Supervisor,
    data: DataDirectory,
    register: Register,
    *,
    codec_url: str | None = None,
    avoid_ports: Sequence[int] = (),
) -> Stack:
    """Start the four servers; where somebody took a port since it was found free, take others and try again."""
    fresh: list[str] = []
    for attempt in range(1, START_TRIES_MAX + 1):
        stack = Stack(data, register, data.ports(fresh=fresh, avoid=avoid_ports), data.secrets(), codec_url)
        try:
            await supervisor.start(servers(stack))
        except BaseException as error:
            await supervisor.stop()
            fresh = [name for name, port in stack.ports.items() if not can_bind(HOST, port)]
            if not isinstance(error, PartFailed) or not fresh or attempt == START_TRIES_MAX:
                raise
            log.warning("embedded.port_taken", ports=fresh)
        else:
            return stack
    raise AssertionError("unreachable: the last attempt returns or raises")


@dataclass(frozen=True)
class Application:
    """What runs on the servers, as data, so that a test can run something else."""

    migrate: tuple[str, ...] = (sys.executable, "-P", "-m", "schema.migrations", "upgrade", "head")
    seed: tuple[str, ...] = (sys.executable, "-P", "-m", "infra.embedded.seed")
    api: tuple[str, ...] = (
        *(sys.executable, "-P", "-m", "uvicorn", "api.app:create_app", "--factory"),
        *("--no-access-log", "--timeout-graceful-shutdown", "3"),
    )
    """`--host` and `--port` are added."""
    worker: tuple[str, ...] = (sys.executable, "-P", "-m", "worker", "--role", "all")
    worker_role: str | None = "all"
    """The worker is up when it asks for this role's work; None: when it lives."""
    local_model: CatalogueModel | None = None
    """The model that runs beside the servers and that the worker uses; None: whatever the environment says."""
    models_folder: Path | None = None
    """Where its weights are; None: the user's cache folder."""


async def up(data_dir: Path, *, host: str = HOST, port: int = 8000, application: Application | None = None) -> None:
    """Run the whole stack until SIGINT, SIGTERM or SIGHUP.

    Raises:
        AlreadyRunning: another supervisor holds the data directory.
        HalfRestored: a restore into it did not come to its end.
        PortBusy: the API's port is taken.
        PartFailed: a part does not start.
    """
    data = DataDirectory(data_dir)
    data.prepare()
    data.acquire()
    try:
        if data.restoring.exists():
            raise HalfRestored(f"{data.root} is only half restored: remove it, and restore again.")
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        data.endpoint.unlink(missing_ok=True)
        register = Register(data)
        if leftovers := await register.end_leftovers():
            log.warning("embedded.leftovers_ended", parts=leftovers)
        require_free(host, port)
        supervisor = Supervisor(data, register, adopt=True)
        starting = asyncio.create_task(_bring_up(supervisor, data, register, host, port, application or Application()))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stop.wait()
            sys.stdout.write("Stopping ...\n")
            sys.stdout.flush()
        finally:
            data.endpoint.unlink(missing_ok=True)
            supervisor.on_change = lambda: None
            for task in (starting, stopping):
                task.cancel()
            await asyncio.wait({starting, stopping})
            await supervisor.stop()
            data.endpoint.unlink(missing_ok=True)
    finally:
        data.release()


async def _seed(supervisor: Supervisor, data: DataDirectory, command: Command) -> None:
    """Seed a database that has not been seeded; a seeded one is marked by a file beside its data, and goes with it."""
    marker = data.root / "postgres" / f"seeded-{SEED_VERSION}"
    if marker.exists() and "api_key" in data.secrets():
        return
    await supervisor.run_once("seed", command)
    marker.touch()


async def up_to_date(stack: Stack, application: Application) -> bool:
    """Tell whether the database's revision is the newest, without starting Alembic, which takes a second."""
    if application.migrate != Application.migrate:
        return False
    found = find_spec("schema.migrations")
    if found is None or found.origin is None:
        return False
    heads = newest_revisions(Path(found.origin).with_name("versions"))
    connection = await asyncpg.connect(stack.owner_url, timeout=PROBE_TIMEOUT_S)
    try:
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
    return bool(heads) and {row["version_num"] for row in rows} == heads


def newest_revisions(folder: Path) -> set[str]:
    """Return the revisions of a folder of migrations that no other one follows."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        for name, names in (("revision", revisions), ("down_revision", followed)):
            assigned = re.search(rf"^{name}\b[^=\n]*=(.*)$", text, re.MULTILINE)
            names.update(re.findall(r"[\"']([^\"']+)[\"']", assigned[1]) if assigned else ())
    return revisions - followed


async def _bring_up(
    supervisor: Supervisor, data: DataDirectory, register: Register, host: str, port: int, application: Application
) -> None:
    began = time.monotonic()
    reachable = HOST if host in ("0.0.0.0", "::") else host
    api_url = f"http://{reachable}:{port}"
    stack = await start_servers(supervisor, data, register, codec_url=f"{api_url}/codec", avoid_ports=(port,))
    environment = {
        **process_environment(stack),
        MARK: str(data.root),
        "SWISSBRAIN_API_HOST": host,
        "SWISSBRAIN_API_PORT": str(port),
        "SWISSBRAIN_API_PUBLIC_URL": api_url,
        "PYTHONUNBUFFERED": "1",
    }
    if application.local_model is not None:
        await supervisor.start([model_part(stack, application.local_model, application.models_folder)])
        environment |= model_environment(stack, application.local_model)
    owner = {**environment, "SWISSBRAIN_DATABASE_OWNER_URL": stack.owner_url}
    if not await up_to_date(stack, application):
        await supervisor.run_once("migrate", Command(application.migrate, owner))
    seed = asyncio.create_task(
        _seed(supervisor, data, Command((*application.seed, "--data-dir", str(data.root)), owner))
    )
    try:
        await supervisor.start(
            [
                Part(
                    "api",
                    lambda: Command(
                        (*application.api, "--host", host, "--port", str(port)), environment | stack.keys()
                    ),
                    lambda _since: asyncio.to_thread(_require_ready, reachable, port),
                    end_when_silent=False,
                ),
                Part(
                    "worker",
                    lambda: Command(application.worker, environment | stack.keys(), stop_timeout_s=30.0),
                    lambda since: _require_poller(stack.settings, application.worker_role, since),
                    end_when_silent=False,
                ),
            ]
        )
        await seed
        notice = await _sandbox_notice(stack.settings, application.worker_role)
    finally:
        seed.cancel()
        await asyncio.wait({seed})

    def write_endpoint() -> None:
        secrets = read_json(data.root / "secrets.json")
        write_json(
            data.endpoint,
            {
                "api_url": api_url,
                "api_key": secrets.get("api_key", ""),
                "org_id": secrets.get("org_id", ""),
                "temporal_address": stack.temporal_address,
                "temporal_namespace": stack.settings.temporal_namespace,
                "temporal_ui_url": stack.temporal_ui_url,
                "database_url": stack.owner_url,
                "s3_url": stack.s3_url,
                "pids": {"supervisor": os.getpid(), **supervisor.pids},
            },
        )

    write_endpoint()
    supervisor.on_change = write_endpoint
    sys.stdout.write(
        f"Swissbrain is up after {time.monotonic() - began:.1f} s.\n"
        f"  API          {api_url}\n"
        f"  Temporal UI  {stack.temporal_ui_url}\n"
        "  Sign in      make your account first: swissbrain users add YOU@EXAMPLE.COM --role owner\n"
        f"  S3           {stack.s3_url}\n"
        f"  Keys, pids   {data.endpoint}\n"
        f"  Logs         {data.logs}\n"
        "Ctrl-C stops everything; the data stays.\n"
    )
    sys.stdout.writelines(f"{line}\n" for line in notice)
    sys.stdout.flush()


def process_environment(stack: Stack) -> dict[str, str]:
    """Return our environment with the stack's settings in place of those that lead elsewhere; the others pass."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    ours.pop("SWISSBRAIN_DATABASE_OWNER_URL", None)
    # A user's profile for another Temporal is not meant for this one either.
    return {**ours, **stack.environment(), "TEMPORAL_CONFIG_FILE": os.devnull}


def _require_ready(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=4)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(1000).decode(errors="replace")
    finally:
        connection.close()
    if answer.status != 200:
        raise PartFailed("api", f"answers {answer.status} to /readyz: {body}")


async def _require_poller(settings: Settings, role: str | None, since: datetime) -> None:
    """Return when a worker that started after `since` asks for work."""
    if role is None:
        return
    if not await polls(await connect(settings), settings, role, lambda poller: last_seen(poller) >= since):
        raise PartFailed("worker", f"does not ask for work of the role {role!r}")


async def _sandbox_notice(settings: Settings, role: str | None) -> list[str]:
    """Return what to say of a worker that proved less of a sandbox than the settings ask for."""
    if role is None:
        return []
    levels = await sandbox_levels(await connect(settings), settings.task_queue(TaskQueue.TOOLS_CPU))
    if not levels:
        return []
    return shortfall(
        min(Level[name.upper()] for name in levels),
        Level[settings.sandbox_level_min.upper()],
        code_execution=settings.code_execution,
    )


def _become_subreaper() -> bool:
    """Have orphans of our children become ours, rather than init's, so that we can end them (Linux)."""
    if sys.platform != "linux":
        return False
    libc: Any = ctypes.CDLL(None)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
