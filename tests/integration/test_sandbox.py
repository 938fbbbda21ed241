"""The sandbox: no attack gets out at the level that is claimed, limits end what they bound, and nothing is left."""

import asyncio
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from activities.documents.sandbox import parse
from infra.sandbox import probe
from infra.sandbox.escapes import ATTACKS
from infra.sandbox.launch import bubblewrap_path, end_group, launch
from infra.sandbox.levels import Job, Level, Limits, Outcome
from infra.sandbox.probe import Probed, Sandbox, attack, prove
from schema.errors import SandboxUnavailable

LIMITS = Limits(
    wall_s=20,
    cpu_s=10,
    memory_bytes=2 * 1024**3,
    output_bytes=256 * 1024,
    answer_bytes=1024**2,
    file_bytes=4 * 1024**2,
    folder_bytes=16 * 1024**2,
    folder_entries=200,
)
WALLED = [
    pytest.param(
        Level.BUBBLEWRAP,
        marks=pytest.mark.skipif(bubblewrap_path() is None, reason="BUBBLEWRAP IS NOT INSTALLED: untested"),
    ),
    Level.LANDLOCK,
]
TAKES_TURNS = (
    tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 12) and Path("/proc/self/sched").exists()
)
each_level = pytest.mark.parametrize("level", WALLED, ids=lambda level: level.label)


def program(code: str, *, keep: tuple[str, ...] = (), files: tuple[tuple[str, bytes], ...] = ()) -> bytes:
    """Return the input of a job that runs a program."""
    header = {"code": code, "files": [(name, len(data)) for name, data in files], "keep": keep, "made_max": 100}
    return json.dumps(header).encode() + b"\n" + b"".join(data for _, data in files)


async def run(code: str, level: Level, *, limits: Limits = LIMITS, **more: tuple[str, ...]) -> Outcome:
    """Run a program."""
    return await launch(Job("infra.sandbox.python_job", (), limits, program(code, **more)), level)


def jobs() -> list[psutil.Process]:
    """Return the sandboxed processes of this process that still run."""
    return [each for each in psutil.Process().children(recursive=True) if "infra.sandbox.inside" in command_of(each)]


def turns_of(pid: int) -> str:
    """Return the line that tells how long the turns of a process are, in ns (Linux 6.12 and newer); empty: ended."""
    try:
        lines = Path(f"/proc/{pid}/sched").read_text(encoding="ascii").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("se.slice")), "")


def command_of(process: psutil.Process) -> str:
    """Return the command line; empty: it has ended."""
    try:
        return str(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


FLOOD_OF_ANSWERS = """
import os
for number in range(4, 4096):
    try:
        while True:
            os.write(number, b"x" * 65536)
    except OSError:
        pass
"""
AS_THE_WORKER = """
import sys, uvloop
from infra.sandbox.levels import Level
from infra.sandbox.probe import attack
probed = uvloop.run(attack(Level(int(sys.argv[1]))))
sys.exit(0 if probed.holds else f"{probed.reason} {probed.escaped}")
"""
_attacked: dict[Level, Probed] = {}


@each_level
def test_the_level_holds_in_a_process_as_the_worker_is(level: Level, tmp_path: Path) -> None:
    """Its event loop, the installed package alone on its path, somewhere else: not as in these tests' own process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", AS_THE_WORKER, str(int(level))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def attacked(level: Level) -> Probed:
    """Attack a level once for all tests."""
    if level not in _attacked:
        _attacked[level] = await attack(level)
    return _attacked[level]


@each_level
async def test_file_named_is_readable_its_neighbour_is_not(level: Level, tmp_path: Path) -> None:
    """A large file is read where it lies; neither it nor its folder can be changed."""
    tmp_path.chmod(0o700)
    named, neighbour = tmp_path / "named.csv", tmp_path / "other.csv"
    named.write_text("mine")
    neighbour.write_text("theirs")
    code = f"""
print(open({str(named)!r}).read())
for path, mode in (({str(neighbour)!r}, "r"), ({str(named)!r}, "a"), ({str(tmp_path / "new")!r}, "w")):
    try:
        open(path, mode)
        print("open")
    except OSError:
        print("refused")
"""
    outcome = await launch(Job("infra.sandbox.python_job", (), LIMITS, program(code), (str(named),)), level)
    assert outcome.status == 0, outcome.stderr
    assert outcome.stdout.split() == [b"mine", *[b"refused"] * 3]


@each_level
@pytest.mark.parametrize("name", sorted(ATTACKS))
async def test_no_attack_gets_out(level: Level, name: str) -> None:
    probed = await attacked(level)
    assert probed.reason is None
    assert probed.results[name] is None, f"{name} got out of {level.label}: {probed.results[name]}"


async def test_the_attacks_are_real() -> None:
    """Where there are no walls they get out; those that do not are refused by a limit or by who runs the tests."""
    results = (await attacked(Level.LIMITS)).results
    closed = {name for name, achieved in results.items() if achieved is None}
    of_limits = {"take_memory", "take_descriptors", "fill_file", "dump_core", "raise_limits", "take_threads"}
    by_machine = {
        "read_own_environment",
        "inherit_descriptors",
        "press_sysrq",
        "leave_group",
        "read_devices",
        "open_vsock",
    }
    for_root = {
        *("become_root", "make_device", "write_sysctl", "write_cgroup", "mount_files", "set_clock", "set_host_name"),
        *("change_root", "open_raw_socket", "write_library", "write_installed", "signal_group"),
        *(name for name in ATTACKS if name.startswith("call_")),
    }
    allowed = of_limits | by_machine | (for_root if os.geteuid() else {"call_init_module", "call_kexec_load"})
    assert closed <= allowed, f"these prove nothing: {closed - allowed}"


async def test_a_level_that_lets_one_attack_through_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails closed: what does not hold is not claimed, and what needs it is refused."""

    async def leaking(level: Level) -> Probed:
        return Probed(level, {**dict.fromkeys(ATTACKS), "read_host_file": "read it"})

    monkeypatch.setattr(probe, "attack", leaking)
    assert await prove() == Level.LIMITS
    monkeypatch.setitem(probe._proved, "sandbox", Sandbox(Level.LIMITS))
    with pytest.raises(SandboxUnavailable, match="landlock"):
        await parse(b"Text.", "a.txt", "text/plain")
    monkeypatch.setitem(probe._proved, "sandbox", Sandbox(Level.LIMITS, Level.LIMITS))
    assert (await parse(b"Text.", "a.txt", "text/plain")).level == "limits"


async def test_an_attack_that_was_not_made_does_not_count() -> None:
    results = dict.fromkeys(ATTACKS)
    assert Probed(Level.LANDLOCK, results).holds
    del results["fork_process"]
    assert not Probed(Level.LANDLOCK, results).holds


@each_level
@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("import time\ntime.sleep(60)", "time"),
        ("import signal, time\nfor n in (2, 14, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)", "time"),
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", "output"),
        ("import sys\nwhile True: sys.stderr.write('x' * 65536)", "output"),
        (FLOOD_OF_ANSWERS, "output"),
        ("import time\nfor n in range(2000): open(f'f{n}', 'w').close()\ntime.sleep(60)", "folder"),
    ],
    ids=["sleep", "ignored-signals", "stdout", "stderr", "answer", "inodes"],
)
async def test_what_writes_or_takes_too_much_is_killed(level: Level, code: str, ended: str) -> None:
    limits = Limits(**{**vars(LIMITS), "wall_s": 4.0 if ended == "time" else 20.0})
    before = psutil.Process().memory_info().rss
    outcome = await run(code, level, limits=limits)
    assert outcome.ended == ended, outcome.stderr[-500:]
    assert psutil.Process().memory_info().rss - before < 100 * 1024**2
    assert jobs() == []


async def test_full_pipes_that_nobody_reads_do_not_hold_up_the_end() -> None:
    code = "import os\nn = 1 + (os.fork() > 0)\nwhile True: os.write(n, b'x' * 65536)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    await asyncio.sleep(1)
    async with asyncio.timeout(10):
        await end_group(process)
    assert process.returncode == -signal.SIGKILL


@each_level
async def test_a_full_folder_ends_in_a_refusal(level: Level) -> None:
    """Of a tmpfs by the kernel, of a folder by who watches it; one file is bounded in both."""
    code = "import time\nfor n in range(40): open(f'f{n}', 'wb').write(b'x' * 1024**2)\ntime.sleep(60)"
    outcome = await run(code, level)
    assert outcome.ended == "folder" or b"No space left" in outcome.stderr
    large = await run("open('large', 'wb').write(b'x' * 5 * 1024**2)", level)
    assert b"File too large" in large.stderr


@each_level
async def test_memory_and_processor_time_end(level: Level) -> None:
    assert b"MemoryError" in (await run("x = bytearray(4 * 1024**3)", level)).stderr
    limits = Limits(**{**vars(LIMITS), "cpu_s": 1})
    assert (await run("while True: pass", level, limits=limits)).status in (-signal.SIGKILL, 128 + signal.SIGKILL)


@each_level
async def test_programs_work(level: Level) -> None:
    """Tables, threads, an event loop, files of their own; and nothing stays for the next one."""
    code = """
import asyncio, csv, pathlib, sqlite3, threading
import polars
frame = polars.read_csv("in.csv").group_by("k").agg(polars.col("v").sum()).sort("k")
frame.write_csv("out.csv")
print(frame["v"].to_list(), sqlite3.connect(":memory:").execute("select 6 * 7").fetchone())
thread = threading.Thread(target=lambda: print("in a thread")); thread.start(); thread.join()
asyncio.run(asyncio.sleep(0))
pathlib.Path("sub").mkdir(); pathlib.Path("sub/a.txt").write_text("a")
print(sorted(str(p) for p in pathlib.Path(".").rglob("*")))
"""
    given = (("in.csv", b"k,v\na,1\nb,2\na,3\n"),)
    outcome = await run(code, level, files=given, keep=("out.csv", "missing.csv"))  # type: ignore[arg-type]
    assert outcome.status == 0, outcome.stderr
    assert outcome.stdout.decode().splitlines() == [
        "[4, 2] (42,)",
        "in a thread",
        "['in.csv', 'out.csv', 'sub', 'sub/a.txt']",
    ]
    told, _, kept = outcome.answer.partition(b"\n")
    assert json.loads(told) == {"kept": [["out.csv", 12]], "made": ["out.csv", "sub/a.txt"]}
    assert kept == b"k,v\na,4\nb,2\n"
    assert b"[]" in (await run("import os\nprint(os.listdir('.'))", level)).stdout


@each_level
async def test_a_programs_end_is_told(level: Level) -> None:
    failed = await run("x = 1\nraise ValueError('no')", level)
    assert failed.status == 1
    assert b'File "<code>", line 2' in failed.stderr
    assert b"python_job" not in failed.stderr
    assert (await run("import sys\nsys.exit(7)", level)).status == 7
    assert (await run("def (", level)).status == 1


@each_level
@pytest.mark.skipif(not TAKES_TURNS, reason="THIS KERNEL HAS TURNS OF ONE LENGTH: untested")
async def test_a_job_gives_way_to_whoever_wakes_up(level: Level) -> None:
    task = asyncio.ensure_future(run("import time\ntime.sleep(60)", level))
    try:
        async with asyncio.timeout(20):
            while not (found := [each.pid for each in jobs() if "100000000" in turns_of(each.pid)]):
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert found


@each_level
async def test_cancel_kills_the_group(level: Level) -> None:
    task = asyncio.ensure_future(run("import time\ntime.sleep(60)", level))
    while not jobs():
        assert not task.done()
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert jobs() == []


@each_level
async def test_a_cancel_while_it_starts_ends_it(level: Level) -> None:
    """Whenever it comes: between fork and pipes asyncio would wait for ever (one in some fifty hung before)."""
    dice = random.Random(1)
    for _ in range(100):
        task = asyncio.ensure_future(run("import time\ntime.sleep(60)", level))
        await asyncio.sleep(dice.uniform(0, 0.02))
        task.cancel()
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()
    assert jobs() == []


@each_level
async def test_a_killed_worker_leaves_no_process(level: Level, tmp_path: Path) -> None:
    """SIGKILL gives nobody time to clean up: the kernel does."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import asyncio, sys\n"
        "from infra.sandbox.launch import launch\n"
        "from infra.sandbox.levels import Job, Level, Limits\n"
        "limits = Limits(60, 60, 2 * 1024**3, 65536, 65536, folder_bytes=1024**2, file_bytes=1024, folder_entries=9)\n"
        f"job = Job('infra.sandbox.python_job', (), limits, {program('import time; time.sleep(55)')!r})\n"
        f"asyncio.run(launch(job, Level({int(level)})))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    worker = subprocess.Popen([sys.executable, str(script)], env=env)
    try:
        known = psutil.Process(worker.pid)
        deadline = time.monotonic() + 60
        while not (found := [each for each in known.children(recursive=True) if each.name().startswith("python")]):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        # Until the job itself runs, and not only what starts it.
        while all(each.cpu_times().user < 0.01 for each in found) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        children = known.children(recursive=True)
    finally:
        worker.kill()
        worker.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=20)
    assert alive == []
    assert gone


async def test_a_worker_hides_its_environment() -> None:
    """A process of the same user cannot read it, once it is not dumpable."""
    code = "from infra.sandbox.kernel import hide_process; hide_process(); print('ready', flush=True); input()"
    env = {**os.environ, "SECRET": "x", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    worker = subprocess.Popen([sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        # The kernel gives what is not dumpable to root.
        assert Path(f"/proc/{worker.pid}/environ").stat().st_uid == 0
        if os.geteuid():
            with pytest.raises(PermissionError):
                Path(f"/proc/{worker.pid}/environ").read_bytes()
    finally:
        worker.communicate(b"\n")
