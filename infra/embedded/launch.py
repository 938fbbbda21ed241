"""Starts one child of the supervisor: binds its life to the parent's, drops privileges, then becomes the program.

Run by path with `python -I -S`, so it imports nothing but the standard library and costs some 20 ms. A separate program
rather than a `preexec_fn`, which must not run in a process that has threads.
"""

import argparse
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def main() -> None:
    """Prepare this process and replace it by the command after `--`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, default=signal.SIGKILL)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--pass-search", action="store_true")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if arguments.uid is not None:
        _become(libc, arguments.uid, arguments.gid, keep_search=arguments.pass_search)
    if libc is not None:
        # After the change of user, which clears it.
        libc.prctl(PR_SET_PDEATHSIG, arguments.death_signal, 0, 0, 0)
    if os.getppid() != arguments.parent:
        sys.exit("The supervisor ended before its child began.")
    os.umask(0o077)
    os.execv(arguments.command[0], arguments.command)


def _become(libc: ctypes.CDLL | None, uid: int, gid: int, *, keep_search: bool) -> None:
    """Become an ordinary user.

    With `keep_search` the process may still pass folders that only root may pass (a checkout below /root): root's
    alternative is to open those folders to everybody. It is kept as an ambient capability, so that `execv` keeps it.
    """
    if keep_search and libc is not None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if not keep_search or libc is None:
        return
    # Containers often lack READ_SEARCH and have OVERRIDE; the narrower of the two is enough.
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        bit = 1 << capability
        header = _CapHeader(CAPABILITY_VERSION_3, 0)
        data = (_CapData * 2)(_CapData(bit, bit, bit), _CapData(0, 0, 0))
        if (
            libc.capset(ctypes.byref(header), ctypes.byref(data)) == 0
            and libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0
        ):
            return


if __name__ == "__main__":
    main()
