"""The walls that Linux offers to a process without privileges, by system call: Landlock, seccomp, capabilities.

Everything that calls the kernel past Python's standard library stands here. Sources: landlock(7), seccomp(2),
capabilities(7), prctl(2). Only `inside.py` and the start of a worker use it.
"""

import ctypes
import errno
import mmap
import os
import platform
import secrets
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from infra.sandbox.syscalls import ALLOWED, AUDIT_ARCH, number

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47

_CAP_DAC_READ_SEARCH = 2
_CAP_LAST = 63

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
"""The same number on every machine."""
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files an ABI knows; they are the lowest bits."""
READ = 1 << 2 | 1 << 3
"""Read files, list folders."""
EXECUTE = 1 << 0
READ_FILE = 1 << 2
WRITE_FILE = 1 << 1
OWN = READ | WRITE_FILE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 13 | 1 << 14
"""Also: make and remove files and folders, move between folders, cut. No links, devices, sockets, and no execution."""
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
"""What the kernel executes besides a dynamically linked program (System V ABI; only the one of the machine exists)."""
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
"""What can be granted on a file; the others only on a folder."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SLICE_NS = 100_000_000
"""The longest turn that sched_setattr(2) takes."""

_SECCOMP_FILTER_TSYNC = 1
_RET_ALLOW, _RET_ERRNO, _RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_X32 = 0x40000000

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
_AF_UNIX, _SOCK_STREAM = 1, 1
_FCNTL_REFUSED = (8, 10, 15)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to a process of one's choice."""
_IOCTLS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_PRCTLS = (3, 15, 16, 0x53564D41)
"""PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA."""


def _call(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _prctl(option: int, *values: int) -> None:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _call(_libc.prctl(option, *arguments), f"prctl {option}")


def hide_process() -> None:
    """Close this process's memory and environment in /proc to others of its user, and keep it from dumping core."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int, number: int) -> None:
    """Have the kernel send this process a signal when its parent ends.

    Raises:
        ProcessLookupError: it has ended already.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        raise ProcessLookupError("the parent has ended")


def give_way(niceness: int) -> None:
    """Let every process that wakes up run before this one and its threads, which take fewer and longer turns instead.

    Niceness says how much of a processor a process gets, not how soon another gets it: since Linux 6.6 who runs keeps
    the processor for a few milliseconds, unless who wakes up asks for shorter turns. An older kernel than 6.12 takes
    the length of a turn and does nothing with it; a machine that has no such call keeps the niceness alone.
    """
    os.nice(niceness)
    call = _SCHED_SETATTR.get(platform.machine())
    if call is not None:
        # struct sched_attr: size, policy (SCHED_OTHER), flags, niceness, priority, runtime, deadline, period.
        asked = struct.pack("=IIQiIQQQ", 48, 0, 0, os.getpriority(os.PRIO_PROCESS, 0), 0, _SLICE_NS, 0, 0)
        _libc.syscall(call, 0, asked, 0)


def no_new_privileges() -> None:
    """Make setuid programs and file capabilities mean nothing to this process from now on."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def become(uid: int) -> bool:
    """Change from root to a user of its own, for good; tell whether that was possible.

    The capability to read what others cannot stays, since the interpreter may lie in root's folder: Landlock or a mount
    namespace must bound it.
    """
    try:
        _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:
        return False
    return True


def drop_capabilities(*, keep_reading: bool, keep_across: bool = False) -> None:
    """Give up every capability, in every set; `keep_reading` keeps CAP_DAC_READ_SEARCH where it is held.

    `keep_across` hands what is kept on to the program that this process becomes.
    """
    header = struct.pack("=Ii", 0x20080522, 0)
    found = ctypes.create_string_buffer(24)
    _call(_libc.capget(header, found), "capget")
    held = struct.unpack("=6I", found.raw)[1]
    reading = held & (1 << _CAP_DAC_READ_SEARCH) if keep_reading else 0
    inherited = reading if keep_across else 0
    _libc.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(4), 0, 0, 0)
    # Before it leaves the bounding set, after which nothing can be made inheritable.
    _call(_libc.capset(header, struct.pack("=6I", held, held, inherited, 0, 0, 0)), "capset")
    for capability in range(_CAP_LAST + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break  # Not held, not permitted to drop it, or past the last one: the sets below count.
    _call(_libc.capset(header, struct.pack("=6I", reading, reading, inherited, 0, 0, 0)), "capset")
    if inherited:
        _prctl(_PR_CAP_AMBIENT, 2, _CAP_DAC_READ_SEARCH)


def is_gvisor() -> bool:
    """Tell whether the kernel is gVisor's: it says so in its log, which it shows to everybody."""
    log = ctypes.create_string_buffer(65536)
    length = _libc.klogctl(3, log, len(log))
    return length > 0 and b"gVisor" in log.raw[:length]


def landlock_abi() -> int:
    """Return the version of Landlock; 0: there is none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


class Landlock:
    """Rules over files: what no rule names cannot be opened, made, moved or removed.

    What Landlock does not govern: metadata of a path can be read, so a process can tell that a file exists.
    """

    def __init__(self, rules: Iterable[tuple[Path, int]]) -> None:
        """Prepare rules of (path, rights); a path that does not exist needs none.

        Raises:
            OSError: there is no Landlock here.
        """
        abi = landlock_abi()
        if not abi:
            raise OSError(errno.ENOSYS, "this kernel has no Landlock")
        self._handled = (1 << _RIGHTS_BY_ABI.get(abi, 16)) - 1
        # Since ABI 4 also TCP (bind, connect), since ABI 6 abstract sockets and signals to the outside.
        words = struct.pack("=QQQ", self._handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
        size = 24 if abi >= 6 else 16 if abi >= 4 else 8
        self._ruleset = _call(_libc.syscall(_LANDLOCK_CREATE, words, ctypes.c_size_t(size), 0), "landlock")
        for path, rights in rules:
            self._add(path, rights)

    def _add(self, path: Path, rights: int) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            granted = rights & self._handled & (-1 if path.is_dir() else _FILE_RIGHTS)
            rule = struct.pack("=Qi", granted, descriptor)
            _call(_libc.syscall(_LANDLOCK_ADD, self._ruleset, 1, rule, 0), f"landlock {path}")
        finally:
            os.close(descriptor)

    def restrict(self) -> None:
        """Bind this thread, and what it starts, for good. Needs `no_new_privileges`."""
        _call(_libc.syscall(_LANDLOCK_RESTRICT, self._ruleset, 0), "landlock")
        os.close(self._ruleset)


class Program:
    """The one program that this process may become, once.

    The filter of system calls cannot read a path, but it can compare where one lies: execve is allowed with the address
    of this object's path and no other. After it, nothing of this memory is left, and what came in its place does not
    know where in 2^47 bytes to put another path.
    """

    def __init__(self, program: Sequence[str], environment: dict[str, str]) -> None:
        """Prepare it; `program` is an absolute path, and the arguments after the name of the program."""
        path = os.fsencode(program[0]) + b"\0"
        self._page = mmap.mmap(-1, max(len(path) * 2, mmap.PAGESIZE))
        place = secrets.randbelow(len(self._page) - len(path))
        self._page[place : place + len(path)] = path
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._page, place))
        self._arguments = _strings(program)
        self._environment = _strings([f"{name}={value}" for name, value in environment.items()])

    def become(self) -> NoReturn:
        """Replace this process by the program.

        Raises:
            OSError: it cannot be executed.
        """
        _libc.execve(ctypes.c_void_p(self.address), self._arguments, self._environment)
        code = ctypes.get_errno()
        raise OSError(code, f"execve: {os.strerror(code)}")


def _strings(texts: Sequence[str]) -> "ctypes.Array[ctypes.c_char_p]":
    return (ctypes.c_char_p * (len(texts) + 1))(*map(os.fsencode, texts), None)


def allow_system_calls(program: Program | None = None) -> None:
    """Refuse every system call that is not on the list, for all threads of this process, for good.

    Needs `no_new_privileges`. `program` is what this process may become.

    Raises:
        OSError: the kernel has no seccomp, or there is no list for this machine.
    """
    machine = platform.machine()
    if machine not in AUDIT_ARCH:
        raise OSError(errno.ENOSYS, f"there is no list of system calls for {machine}")
    steps = b"".join(_program(machine, os.getpid(), program.address if program else None))
    code = ctypes.create_string_buffer(steps, len(steps))
    header = struct.pack("@HP", len(steps) // 8, ctypes.addressof(code))
    seccomp = {"x86_64": 317, "aarch64": 277}[machine]
    _call(_libc.syscall(seccomp, 1, _SECCOMP_FILTER_TSYNC, header), "seccomp")


def _program(machine: str, pid: int, execute: int | None) -> list[bytes]:
    """Return the filter: machine, then the calls one after another, then refusal."""
    program = [
        _step(_LOAD, 4),
        _step(_JUMP_EQUAL, AUDIT_ARCH[machine], 1, 0),
        _step(_RETURN, _RET_KILL),
        _step(_LOAD, 0),
        _step(_JUMP_GREATER_EQUAL, _X32, 0, 1),
        _step(_RETURN, _RET_KILL),
    ]
    for name in ALLOWED:
        if (called := number(name, machine)) is not None:
            program += [_step(_JUMP_EQUAL, called, 0, 1), _step(_RETURN, _RET_ALLOW)]
    # glibc falls back to clone, whose flags a filter can read.
    program += _checked(number("clone3", machine), [], otherwise=_RET_ERRNO | errno.ENOSYS)
    flags = [(0, _CLONE_THREAD, (_CLONE_THREAD,)), (0, _CLONE_NAMESPACES, (0,))]
    program += _checked(number("clone", machine), flags)
    program += _checked(number("kill", machine), [(0, 0xFFFFFFFF, (pid,))])
    program += _checked(number("tgkill", machine), [(0, 0xFFFFFFFF, (pid,))])
    program += _checked(number("prctl", machine), [(0, 0xFFFFFFFF, _PRCTLS)])
    program += _checked(number("ioctl", machine), [(1, 0xFFFFFFFF, _IOCTLS)], otherwise=_RET_ERRNO | errno.ENOTTY)
    # Reading limits, not setting them: the pointer to new ones is null in both halves.
    program += _checked(
        number("prlimit64", machine), [(0, 0xFFFFFFFF, (0, pid)), (2, 0xFFFFFFFF, (0,)), (2.5, -1, (0,))]
    )
    # A pair of connected streams, as event loops want; datagrams could be sent to addresses.
    program += _checked(number("socketpair", machine), [(0, -1, (_AF_UNIX,)), (1, 0xF, (_SOCK_STREAM,))])
    program += _checked(number("fcntl", machine), [(1, -1, _FCNTL_REFUSED)], refuse=True)
    if execute is not None:
        halves = [(0, -1, (execute & 0xFFFFFFFF,)), (0.5, -1, (execute >> 32,))]
        program += _checked(number("execve", machine), halves)
    return [*program, _step(_RETURN, _RET_ERRNO | errno.EPERM)]


def _checked(
    called: int | None,
    conditions: Sequence[tuple[float, int, tuple[int, ...]]],
    *,
    refuse: bool = False,
    otherwise: int = _RET_ERRNO | errno.EPERM,
) -> list[bytes]:
    """Allow a call where each condition (argument, mask, values) holds; with `refuse` where the one does not.

    Half an argument further is its upper word.
    """
    if called is None:
        return []
    block: list[bytes] = []
    for argument, mask, values in conditions:
        block += [_step(_LOAD, 16 + int(8 * argument)), _step(_AND, mask & 0xFFFFFFFF)]
        for index, value in enumerate(values):
            # To what follows the refusal of this condition; else to the next value, and after the last to the refusal.
            block.append(_step(_JUMP_EQUAL, value, len(values) - index, 0))
        block.append(_step(_RETURN, _RET_ALLOW if refuse else otherwise))
    last = otherwise if refuse or not conditions else _RET_ALLOW
    block.append(_step(_RETURN, last))
    return [_step(_JUMP_EQUAL, called, 0, len(block)), *block]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
