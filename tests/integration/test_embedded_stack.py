"""The embedded stack keeps its promises: it starts, survives kills, keeps data, and leaves nothing behind."""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from infra.embedded.layout import can_bind
from infra.embedded.process import marked
from infra.embedded.supervisor import REAP_EVERY_S
from infra.objects import ObjectStore
from infra.settings import Settings
from infra.temporal import connect
from schema.contracts.common import ObjectRef

APPLICATION = Path(__file__).with_name("stack_application.py")
PARTS = ("postgres", "redis", "s3", "temporal", "api", "worker")
UP_TIMEOUT_S = 90.0
DOWN_TIMEOUT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """Await a condition with a bound; an exception means "not yet"."""
    deadline = time.monotonic() + timeout_s
    last: BaseException | None = None
    while time.monotonic() < deadline:
        try:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
        except Exception as error:
            last = error
        else:
            if found:
                return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s: {what} ({last!r})")


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that have not ended; a zombie has, and waits for somebody to notice."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


class Up:
    """A running supervisor, as a user sees it."""

    def __init__(self, data_dir: Path, port: int, prefix: tuple[str, ...] = ()) -> None:
        self.data_dir = data_dir
        self.port = port
        data_dir.mkdir(parents=True, exist_ok=True)
        self.output = data_dir.with_name(data_dir.name + ".out")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, str(APPLICATION), "up", str(data_dir), str(port)],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def endpoint(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.data_dir / "endpoint.json").read_text())
        return value

    @property
    def pids(self) -> dict[str, int]:
        pids: dict[str, int] = self.endpoint["pids"]
        return pids

    async def ready(self) -> "Up":
        def published() -> bool:
            assert self.process.poll() is None, f"ended: {self.output.read_text()}"
            return self.pids["supervisor"] == self.process.pid

        await until(published, f"endpoint.json; {self.output}", UP_TIMEOUT_S)
        return self

    async def down(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None, "the supervisor ends", DOWN_TIMEOUT_S)
        code: int = self.process.returncode
        return code

    def family(self) -> list[psutil.Process]:
        """Return the supervisor's descendants."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def remains(self) -> list[str]:
        """Return the processes that still belong to the data directory."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = [*process.cmdline(), process.cwd()]
                if any(word.startswith((f"{self.data_dir}/", f"-dir={self.data_dir}/")) for word in words):
                    found.append(f"{process.pid} {process.name()}")
        return found

    def settings(self) -> Settings:
        """Return settings for this stack, from what it published and its secrets."""
        secrets = json.loads((self.data_dir / "secrets.json").read_text())
        ports = json.loads((self.data_dir / "ports.json").read_text())
        return Settings.model_validate(
            {
                "database_url": self.endpoint["database_url"],
                "s3_endpoint_url": self.endpoint["s3_url"],
                "s3_access_key": secrets["s3_access_key"],
                "s3_secret_key": secrets["s3_secret_key"],
                "redis_url": f"redis://:{secrets['redis_password']}@127.0.0.1:{ports['redis']}/0",
                "temporal_address": self.endpoint["temporal_address"],
                "payload_keys": secrets["payload_keys"],
            }
        )

    def kill_everything(self) -> None:
        """End all of it without any warning."""
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = self.family()
        self.process.kill()
        for process in (*family, *marked(str(self.data_dir))):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start supervisors that do not outlive the test."""
    started: list[Up] = []

    def start_one(name: str = "stack", port: int | None = None) -> Up:
        started.append(Up(tmp_path / name, port or free_port()))
        return started[-1]

    yield start_one
    for one in started:
        one.kill_everything()


async def write_everywhere(up: Up, note: str) -> ObjectRef:
    """Leave a note in every server."""
    settings = up.settings()
    database = await asyncpg.connect(settings.database_url.get_secret_value())
    await database.execute("INSERT INTO notes (body) VALUES ($1)", note)
    await database.close()
    async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        await redis.set(note, "kept")
    objects = ObjectStore.from_settings(settings)
    ref = await objects.put(f"notes/{note}", note.encode())
    await objects.close()
    client = await connect(settings)
    await client.start_workflow("Nobody", note, id=note, task_queue="nobody", rpc_timeout=timedelta(seconds=10))
    return ref


async def read_everywhere(up: Up, ref: ObjectRef, note: str) -> bool:
    """Find the note in every server, or raise."""
    settings = up.settings()
    database = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        assert await database.fetchval("SELECT 1 FROM notes WHERE body = $1", note) == 1
    finally:
        await database.close()
    async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        assert await redis.get(note) == b"kept"
    objects = ObjectStore.from_settings(settings)
    try:
        assert await objects.get(ref) == note.encode()
        await objects.put(f"notes/again-{time.monotonic_ns()}", b"and it can be written")
    finally:
        await objects.close()
    client = await connect(settings)
    description = await client.get_workflow_handle(note).describe()
    assert description.status is not None
    assert description.status.name == "RUNNING"
    return True


async def test_up_answers_and_down_leaves_nothing(start: Callable[..., Up]) -> None:
    up = await start().ready()
    endpoint = up.endpoint
    assert set(endpoint) == {
        *("api_url", "api_key", "org_id", "temporal_address", "temporal_namespace", "temporal_ui_url"),
        *("database_url", "s3_url", "pids"),
    }
    assert set(endpoint["pids"]) == {"supervisor", *PARTS}
    assert endpoint["pids"]["supervisor"] == up.process.pid
    assert endpoint["api_key"].startswith("key-")
    for name in ("endpoint.json", "secrets.json"):
        assert stat.S_IMODE((up.data_dir / name).stat().st_mode) == 0o600
    with socket.create_connection(("127.0.0.1", int(endpoint["temporal_ui_url"].rpartition(":")[2]))):
        pass
    family = up.family()
    assert {process.pid for process in family} >= set(endpoint["pids"].values()) - {up.process.pid}
    listening = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}, "the stack is for this machine only"

    assert await up.down(signal.SIGINT) == 0
    assert not living(family)
    assert not up.remains()
    assert not (up.data_dir / "endpoint.json").exists()


async def test_restart_keeps_data_ports_and_key(start: Callable[..., Up]) -> None:
    up = await start().ready()
    before = up.endpoint
    ref = await write_everywhere(up, "restart")
    assert await up.down() == 0
    again = await start(port=up.port).ready()
    after = again.endpoint
    assert {**after, "pids": None} == {**before, "pids": None}
    assert await read_everywhere(again, ref, "restart")


async def test_each_killed_part_is_repaired(start: Callable[..., Up]) -> None:
    up = await start().ready()
    ref = await write_everywhere(up, "repair")
    for name in PARTS:
        pid = up.pids[name]
        children = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        await until(lambda name=name, pid=pid: up.pids[name] not in (pid, None), f"{name} has another pid")
        assert psutil.pid_exists(up.pids[name])
        await until(lambda children=children: not living(children), f"nothing is left of {name}")
        await until(lambda: read_everywhere(up, ref, "repair"), f"everything works after {name} was killed")
    await until(lambda: socket.create_connection(("127.0.0.1", up.port)).close() is None, "the API answers")
    # Many deaths in a row are repaired too.
    for _ in range(3):
        pid = up.pids["worker"]
        os.kill(pid, signal.SIGKILL)
        await until(lambda pid=pid: up.pids["worker"] != pid, "the worker has another pid")
    assert await up.down() == 0
    assert not up.remains()


async def test_killed_supervisor_takes_its_children_along_and_can_be_started_again(start: Callable[..., Up]) -> None:
    up = await start().ready()
    ref = await write_everywhere(up, "supervisor")
    (tool,) = psutil.Process(up.pids["worker"]).children()
    family = [psutil.Process(pid) for name, pid in up.pids.items() if name != "supervisor"]
    up.process.kill()
    again = await start(port=up.port).ready()
    assert not living([*family, tool])
    assert await read_everywhere(again, ref, "supervisor")
    up.process.wait()


@pytest.mark.extended
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
async def test_killed_supervisor_leaves_no_orphans(start: Callable[..., Up]) -> None:
    up = await start().ready()
    family = [psutil.Process(pid) for name, pid in up.pids.items() if name != "supervisor"]
    up.process.kill()
    up.process.wait()
    await until(lambda: not living(family), "the children end by themselves")


async def test_everything_killed_at_once_comes_back_with_its_data(start: Callable[..., Up]) -> None:
    up = await start().ready()
    ref = await write_everywhere(up, "everything")
    up.kill_everything()
    again = await start(port=up.port).ready()
    assert await read_everywhere(again, ref, "everything")
    assert await again.down() == 0
    assert not again.remains()


@pytest.mark.extended
async def test_a_reused_pid_in_postgres_lock_file_does_not_hinder(start: Callable[..., Up]) -> None:
    up = await start().ready()
    up.kill_everything()
    lock_file = up.data_dir / "postgres" / "data" / "postmaster.pid"
    lines = lock_file.read_text().splitlines()
    lock_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    again = await start(port=up.port).ready()
    assert await again.down() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are taken in on Linux alone")
async def test_orphans_that_have_ended_are_collected(start: Callable[..., Up]) -> None:
    """The init of a sandboxed job's namespace outlives the job's leader by a moment: a zombie for each, once."""
    up = await start().ready()
    await asyncio.sleep(1)  # The stand-in's orphan has ended by now.

    def zombies() -> list[psutil.Process]:
        return [each for each in psutil.Process(up.process.pid).children() if each.status() == psutil.STATUS_ZOMBIE]

    await until(lambda: not zombies(), "no zombie", 2 * REAP_EVERY_S + 10)
    assert psutil.Process(up.pids["worker"]).is_running()
    assert await up.down() == 0


async def test_second_supervisor_is_refused(start: Callable[..., Up]) -> None:
    up = await start().ready()
    second = start()
    assert await second.ended() == 1
    assert f"in use by another supervisor (pid {up.process.pid})" in up.output.read_text()
    assert await read_everywhere(up, await write_everywhere(up, "second"), "second")
    assert await up.down() == 0


async def test_busy_port_is_refused_before_anything_starts(start: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        up = start(port=busy.getsockname()[1])
        assert await up.ended() == 1
    assert f"Port {up.port} on 127.0.0.1 is in use" in up.output.read_text()
    assert not (up.data_dir / "postgres").exists()


@pytest.mark.extended
async def test_a_taken_server_port_is_replaced(start: Callable[..., Up]) -> None:
    up = await start().ready()
    before = json.loads((up.data_dir / "ports.json").read_text())
    assert await up.down() == 0
    with socket.create_server(("127.0.0.1", before["postgres"])):
        again = await start(port=up.port).ready()
        after = json.loads((up.data_dir / "ports.json").read_text())
        assert after["postgres"] != before["postgres"]
        assert {**after, "postgres": 0} == {**before, "postgres": 0}
        assert await again.down() == 0


async def test_stop_while_starting(start: Callable[..., Up]) -> None:
    up = start()
    await until(lambda: (up.data_dir / "logs" / "temporal.log").exists(), "the servers are being started")
    assert await up.down() == 0
    assert not up.remains()


@pytest.mark.extended
async def test_two_stacks_side_by_side(start: Callable[..., Up]) -> None:
    first, second = start("first"), start("second")
    await asyncio.gather(first.ready(), second.ready())
    refs = [await write_everywhere(first, "first"), await write_everywhere(second, "second")]
    assert await read_everywhere(first, refs[0], "first")
    assert await read_everywhere(second, refs[1], "second")
    assert await first.down() == 0
    assert await read_everywhere(second, refs[1], "second")
    assert await second.down() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
async def test_runs_as_an_ordinary_user() -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no setpriv to become another user with")
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="swissbrain-"))
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    prefix: tuple[str, ...] = (
        setpriv,
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        # An interpreter below a private home (pyenv of root) must still be readable; it may write nowhere.
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    )
    data_dir = folder / "stack"
    data_dir.mkdir()
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    up = Up(data_dir, free_port(), prefix)
    try:
        await up.ready()
        owners = {process.username() for process in up.family()}
        assert owners == {"nobody"}
        ref = await write_everywhere(up, "nobody")
        assert await read_everywhere(up, ref, "nobody")
        assert await up.down() == 0
        assert not up.remains()
    finally:
        up.kill_everything()
        shutil.rmtree(folder, ignore_errors=True)


def test_can_bind_sees_a_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not can_bind("127.0.0.1", port)
    assert can_bind("127.0.0.1", port)
