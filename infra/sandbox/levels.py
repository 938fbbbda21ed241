"""How strong a sandbox is, and what a job in it may use. Pure."""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """Kinds of sandbox, the weakest first."""

    LIMITS = 1
    """Limits of resources and an empty environment; files and network are open. Not enough for anything untrusted."""
    LANDLOCK = 2
    """Landlock, a seccomp allow-list of system calls, dropped privileges, limits. Needs no privilege."""
    BUBBLEWRAP = 3
    """All that, in namespaces of its own: nothing of the host's files, processes or network is even there."""
    GVISOR = 4
    """One of the two above, on gVisor's kernel in place of the host's."""

    @property
    def label(self) -> str:
        """Return the name by which settings, logs and records call the level."""
        return self.name.lower()


CODE_LEVEL_MIN = Level.LANDLOCK
"""No setting opens code execution below this."""


ANSWER = 3
"""File descriptor to which a program writes what it hands back."""


@dataclass(frozen=True)
class Limits:
    """What a job may use. It is one process and cannot fork, so that a limit of the process is one of the job."""

    wall_s: float
    """Real time, the start of the process included; then its process group is killed."""
    cpu_s: int
    memory_bytes: int
    """Address space."""
    output_bytes: int
    """Each of standard output and standard error; a job that writes more is killed."""
    answer_bytes: int
    """What it may hand back; a job that hands back more is killed."""
    threads: int = 64
    files_open: int = 64
    file_bytes: int = 0
    """The largest file that it may write; 0: none, and it has no folder of its own."""
    folder_bytes: int = 0
    """All files in its folder together."""
    folder_entries: int = 0
    """Files and folders in its folder."""


@dataclass(frozen=True)
class Job:
    """What is to be done in the sandbox."""

    target: str
    """Module whose `main(answer)` is called inside, with the file descriptor to write its answer to."""
    packages: tuple[str, ...]
    """Our packages that the target imports; what is installed in the environment is readable in any case."""
    limits: Limits
    data: bytes = b""
    """Standard input."""
    files: tuple[str, ...] = ()
    """Files of the worker that it may read, by their paths: what is too large to be handed through a pipe."""
    program: tuple[str, ...] = ()
    """In place of a target: the program that the job becomes, by its absolute path, and its arguments. It writes its
    answer to file descriptor `ANSWER`; it can start no other program, and not itself a second time."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    level: Level
    status: int
    """Exit status; negative: the signal that ended it."""
    ended: str
    """`exited`, or what it was killed for: `time`, `output` (too much of it), `folder` (too much in it)."""
    answer: bytes
    stdout: bytes
    stderr: bytes
    seconds: float
