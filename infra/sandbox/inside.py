"""The child: `python -m infra.sandbox.inside POLICY` raises its walls, and then does one job.

Imports nothing but the standard library and its neighbours, so that it starts soon.
"""

import importlib
import json
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.sandbox import kernel
from infra.sandbox.levels import ANSWER, Level

GRACE_S = 30
"""Ends an orphan by alarm, this much after the parent would have killed it."""
DESCRIPTORS_MAX = 65_536
NICENESS = 10
UNREADABLE = 97
"""Exit status of a child that could not raise its walls: nothing untrusted has run."""


@dataclass(frozen=True)
class Policy:
    """What the parent orders; travels as JSON in the arguments."""

    level: int
    target: str
    program: list[str]
    """What to become in place of doing the target: path and arguments."""
    packages: list[str]
    readable: list[str]
    folder: str | None
    answer: int
    """File descriptor of the answer."""
    uid: int
    """User to become where this is root."""
    parent: int
    """Who must live; 0: another process sees to it."""
    wall_s: float
    cpu_s: int
    memory_bytes: int
    file_bytes: int
    files_open: int
    threads: int


def main(argument: str) -> int:
    """Raise the walls, and do the job."""
    policy = Policy(**json.loads(argument))
    # A file is in nobody's way: who waits for an answer comes first.
    kernel.give_way(NICENESS)
    level = Level(policy.level)
    # What starts the child may leave descriptors open in it (uvloop does).
    os.closerange(3, policy.answer)
    os.closerange(policy.answer + 1, DESCRIPTORS_MAX)
    # Packages in folders of which nothing else is readable are found before those are closed.
    for package in policy.packages:
        importlib.import_module(package)
    target = None if policy.program else importlib.import_module(policy.target)
    try:
        program = kernel.Program(policy.program, dict(os.environ)) if policy.program else None
        if policy.folder is not None:
            os.chdir(policy.folder)
        _raise_walls(policy, level, program)
        if program is not None:
            os.dup2(policy.answer, ANSWER)
            os.closerange(ANSWER + 1, DESCRIPTORS_MAX)
            program.become()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"the sandbox could not be built: {error}\n")
        return UNREADABLE
    assert target is not None
    status: int = target.main(policy.answer)
    return status


def _raise_walls(policy: Policy, level: Level, program: kernel.Program | None) -> None:
    signal.alarm(int(policy.wall_s) + GRACE_S)
    root = os.geteuid() == 0
    landlock = _rules(policy) if level == Level.LANDLOCK or (level > Level.LANDLOCK and kernel.landlock_abi()) else None
    alone = False
    if root:
        alone = level > Level.LIMITS and _become_another(policy, level)
    # In a user namespace of its own, or as a user of its own, the threads are counted from none.
    counted = 0 if alone or level >= Level.BUBBLEWRAP else _threads_of_user()
    _limit(policy, counted + policy.threads)
    if level > Level.LIMITS:
        kernel.drop_capabilities(keep_reading=root and landlock is not None, keep_across=program is not None)
    kernel.no_new_privileges()
    if policy.parent:
        # Last of what changes who this is: a change of user clears it.
        kernel.die_with_parent(policy.parent, signal.SIGKILL)
    if landlock is not None:
        landlock.restrict()
    if level > Level.LIMITS:
        kernel.allow_system_calls(program)


def _become_another(policy: Policy, level: Level) -> bool:
    """Stop being root, where this root may: that of a container may lack the right, which the attacks will show."""
    try:
        if policy.folder is not None and level == Level.LANDLOCK:
            os.chown(policy.folder, policy.uid, policy.uid)
    except PermissionError:
        return False
    return kernel.become(policy.uid)


def _rules(policy: Policy) -> kernel.Landlock:
    rules = [(Path(path), kernel.READ) for path in policy.readable]
    rules += [(Path("/dev/null"), kernel.READ_FILE | kernel.WRITE_FILE), (Path("/dev/urandom"), kernel.READ_FILE)]
    for path in kernel.LOADERS + tuple(policy.program[:1]):
        if policy.program:
            rules.append((Path(path), kernel.READ_FILE | kernel.EXECUTE))
    if policy.folder is not None:
        rules.append((Path(policy.folder), kernel.OWN))
    return kernel.Landlock(rules)


def _limit(policy: Policy, threads: int) -> None:
    for limit, value in (
        (resource.RLIMIT_AS, policy.memory_bytes),
        (resource.RLIMIT_CPU, policy.cpu_s),
        (resource.RLIMIT_FSIZE, policy.file_bytes),
        (resource.RLIMIT_NOFILE, policy.files_open),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (ceiling, ceiling))


def _threads_of_user() -> int:
    """Count the threads of this user: RLIMIT_NPROC counts them all, and only the sandboxed are to be bounded."""
    count, uid = 0, os.getuid()
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{entry.name}/task"))
        except OSError:
            continue
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
