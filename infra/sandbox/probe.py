"""Which level of sandbox holds on this machine: found by attacking it, not by asking what is installed."""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from infra.sandbox import kernel
from infra.sandbox.escapes import ATTACKS, Target
from infra.sandbox.launch import bubblewrap_path, launch
from infra.sandbox.levels import Job, Level, Limits
from schema.errors import SandboxUnavailable
from schema.policies import SANDBOX_PROBE_WITHIN

log = structlog.get_logger(__name__)

_CANARY = "SWISSBRAIN_SANDBOX_CANARY"
_LIMITS = Limits(
    wall_s=SANDBOX_PROBE_WITHIN.total_seconds(),
    cpu_s=5,
    memory_bytes=1024**3,
    output_bytes=64 * 1024,
    answer_bytes=256 * 1024,
    file_bytes=1024**2,
    folder_bytes=16 * 1024**2,
    folder_entries=100,
)


@dataclass(frozen=True)
class Probed:
    """What came of attacking one level."""

    level: Level
    results: dict[str, str | None]
    """What each attack achieved; None: it was refused."""
    reason: str | None = None
    """Why the level cannot be had at all; then there are no results."""
    seconds: float = 0.0

    @property
    def escaped(self) -> list[str]:
        """Return the attacks that were not refused."""
        return [name for name, achieved in self.results.items() if achieved is not None]

    @property
    def holds(self) -> bool:
        """Tell whether every attack was made, and refused."""
        return self.reason is None and set(self.results) == set(ATTACKS) and not self.escaped


async def attack(level: Level) -> Probed:
    """Make every attack at a level."""
    started = time.monotonic()
    try:
        with _targets() as target:
            job = Job("infra.sandbox.escapes", (), _LIMITS, json.dumps(asdict(target)).encode())
            outcome = await launch(job, level)
    except (SandboxUnavailable, OSError) as error:
        return Probed(level, {}, getattr(error, "detail", str(error)))
    try:
        results = {str(name): achieved for name, achieved in json.loads(outcome.answer).items()}
    except (ValueError, AttributeError):
        said = outcome.stderr.decode("utf-8", "replace").strip()[-300:]
        return Probed(level, {}, f"It ended with {outcome.status} ({outcome.ended}). {said}".strip())
    return Probed(level, results, None, time.monotonic() - started)


async def prove() -> Level:
    """Return the strongest level that refuses every attack; `LIMITS` where none does."""
    for level in (Level.BUBBLEWRAP, Level.LANDLOCK):
        if level == Level.BUBBLEWRAP and bubblewrap_path() is None:
            log.info("sandbox level skipped", level=level.label, reason="bubblewrap is not installed")
            continue
        probed = await attack(level)
        if probed.holds:
            proven = Level.GVISOR if kernel.is_gvisor() and level == Level.BUBBLEWRAP else level
            log.info(
                "sandbox proved", level=proven.label, attacks=len(probed.results), seconds=round(probed.seconds, 3)
            )
            return proven
        log.warning("sandbox level does not hold", level=level.label, reason=probed.reason, escaped=probed.escaped)
    return Level.LIMITS


@contextlib.contextmanager
def _targets() -> Iterator[Target]:
    """Make what the attacks are to reach: files, sockets that listen, a secret in the environment."""
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="swissbrain-probe-") as folder, contextlib.ExitStack() as stack:
        for name in ("secret", "to-remove", "to-move"):
            path = Path(folder, name)
            path.write_text(secret)
            path.chmod(0o600)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix, abstract = Path(folder, "socket"), f"swissbrain-{secret}"
        for address in (str(unix), "\0" + abstract):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
            server.listen(8)
        os.environ[_CANARY] = secret
        stack.callback(os.environ.pop, _CANARY, None)
        port: int = tcp.getsockname()[1]
        yield Target(secret, str(Path(folder, "secret")), folder, os.getpid(), port, str(unix), abstract)


class Sandbox:
    """The sandbox of a process, at the level that was proved."""

    def __init__(self, level: Level, minimum: Level = Level.LANDLOCK) -> None:
        self.level = level
        self.minimum = minimum
        """What files that are to be parsed need at least, by the operator's setting."""

    def require(self, minimum: Level) -> None:
        """Refuse where the proved level is too weak.

        Raises:
            SandboxUnavailable: it is.
        """
        if self.level < minimum:
            raise SandboxUnavailable(
                f"This needs a sandbox of level {minimum.label} at least; the worker has proved {self.level.label}. "
                "Install bubblewrap, or run on a kernel with Landlock (docs/sandbox.md).",
                level=self.level.label,
            )


_proved: dict[str, Sandbox] = {}
_proving = asyncio.Lock()


async def sandbox(minimum: Level | None = None) -> Sandbox:
    """Return this process's sandbox; the first call proves its level, which the machine and not the caller decides.

    Args:
        minimum: what parsers need, told once by the worker as it starts; until then `LANDLOCK`.
    """
    async with _proving:
        found = _proved.get("sandbox")
        if found is None or minimum is not None:
            level = found.level if found else await prove()
            _proved["sandbox"] = found = Sandbox(level, minimum or Level.LANDLOCK)
    return found
