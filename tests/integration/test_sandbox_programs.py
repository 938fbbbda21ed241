"""A sandboxed job that becomes a program (ffmpeg, say): the same walls, one execution, and no other program."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from infra.sandbox import escapes
from infra.sandbox.escapes import ATTACKS
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Level, Limits, Outcome
from infra.sandbox.probe import _targets
from tests.integration.test_sandbox import LIMITS, command_of, each_level

PYTHON = os.path.realpath(sys.executable)
ATTACKER = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("escapes", {escapes.__file__!r})
module = importlib.util.module_from_spec(spec)
sys.modules["escapes"] = module
spec.loader.exec_module(module)
module.main(3)
"""


async def become(
    code: str,
    level: Level,
    *,
    limits: Limits = LIMITS,
    data: bytes = b"",
    files: tuple[str, ...] = (),
    hear: Callable[[bytes], None] | None = None,
) -> Outcome:
    """Become an interpreter, as the program that is most at an attacker's will."""
    return await launch(Job("", (), limits, data, files, (PYTHON, "-c", code)), level, hear=hear)


def children() -> list[str]:
    """Return the commands of programs of this test that still run; servers of other tests may be children too."""
    commands = [command_of(each) for each in psutil.Process().children(recursive=True)]
    return [command for command in commands if "time.sleep(60)" in command]


@each_level
async def test_no_attack_gets_out_of_a_program(level: Level) -> None:
    with _targets() as target:
        files = (escapes.__file__,)
        outcome = await become(ATTACKER, level, data=json.dumps(asdict(target)).encode(), files=files)
    assert outcome.status == 0, outcome.stderr
    assert json.loads(outcome.answer) == dict.fromkeys(ATTACKS), outcome.answer


@each_level
async def test_it_executes_nothing_else_and_not_itself_again(level: Level) -> None:
    code = f"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
for path in ({PYTHON!r}, "/bin/true", "/usr/bin/env", "/lib64/ld-linux-x86-64.so.2"):
    try:
        os.execv(path, [path, "-c", "print('executed')"])
    except OSError as error:
        print(error.errno)
    # The same address for every call, as the filter compares it; and a descriptor in place of a path.
    arguments = (ctypes.c_char_p * 2)(path.encode(), None)
    libc.execve(path.encode(), arguments, None)
    print(ctypes.get_errno())
try:
    os.execve(os.open({PYTHON!r}, os.O_RDONLY), ["x", "-c", "print('executed')"], {{}})
except OSError as error:
    print(error.errno)
"""
    outcome = await become(code, level)
    assert outcome.status == 0, outcome.stderr
    assert set(outcome.stdout.split()) <= {b"1", b"2", b"13"}, outcome.stdout
    assert outcome.stdout.split().count(b"1") >= 5


@each_level
async def test_it_reads_what_is_named_answers_and_is_heard(level: Level, tmp_path: Path) -> None:
    """Also where the file is its owner's alone, and the worker is root."""
    tmp_path.chmod(0o700)
    named, neighbour = tmp_path / "named", tmp_path / "neighbour"
    for path in (named, neighbour):
        path.write_text("mine")
        path.chmod(0o600)
    code = f"""
import os
os.write(3, open({str(named)!r}, "rb").read())
try:
    open({str(neighbour)!r})
except OSError:
    print("refused")
"""
    heard: list[bytes] = []
    outcome = await become(code, level, files=(str(named),), hear=heard.append)
    assert (outcome.status, outcome.answer) == (0, b"mine"), outcome.stderr
    assert b"".join(heard) == outcome.stdout == b"refused\n"


@each_level
async def test_its_limits_hold(level: Level) -> None:
    slow = await become("import time; time.sleep(60)", level, limits=replace(LIMITS, wall_s=1.5))
    assert slow.ended == "time"
    chatty = await become("import os\nwhile True: os.write(3, b'x' * 65536)", level)
    assert chatty.ended == "output"
    greedy = await become("bytearray(3 * 1024**3)", level)
    assert b"MemoryError" in greedy.stderr
    assert not children()


@each_level
async def test_a_cancel_kills_it(level: Level) -> None:
    began = asyncio.Event()
    code = "import time; print('here', flush=True); time.sleep(60)"
    task = asyncio.ensure_future(become(code, level, hear=lambda _: began.set()))
    await asyncio.wait_for(began.wait(), 15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children()
