"""The data directory of one embedded stack: where things lie, its lock, its secrets, its ports.

DATA_DIR/
├── endpoint.json   how to reach the running stack; there only while everything answers
├── secrets.json    passwords and keys, made once
├── ports.json      the ports of the last start, taken again where still free
├── restoring       there only while a restore fills the directory
├── run/            lock, the children's pids, generated configuration
├── logs/           one file per child
└── postgres/ redis/ s3/ temporal/
"""

import base64
import errno
import fcntl
import json
import os
import random
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from infra.checkpoints import generate_signing_key
from infra.codec import Keyring
from infra.embedded.root import make_root

PORT_FIRST, PORT_LAST = 10_000, 22_000
"""Below Linux's ephemeral range (from 32768), as are the ports 10,000 higher, which SeaweedFS takes for gRPC."""
GRPC_OFFSET = 10_000
PORT_NAMES = (
    "postgres",
    "redis",
    "temporal",
    "temporal_ui",
    "temporal_http",
    "temporal_metrics",
    "s3",
    "s3_master",
    "s3_volume",
    "s3_filer",
    "s3_admin",
    "model",
)
PORT_TRIES_MAX = 2_000
LOG_TAIL_LINES = 20
LOG_SIZE_MAX_BYTES = 10 * 1024 * 1024


class AlreadyRunning(RuntimeError):
    """Another supervisor holds the data directory."""


class HalfRestored(RuntimeError):
    """A restore into the data directory did not come to its end."""


class PortBusy(RuntimeError):
    """The API's port is taken."""


class DataDirectory:
    """Paths and small files of one stack."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.endpoint = self.root / "endpoint.json"
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.restoring = self.root / "restoring"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Make the folders."""
        make_root(self.root)
        for folder in (self.run, self.logs):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)

    def acquire(self) -> None:
        """Take the lock, which ends with this process however it ends; raise AlreadyRunning where it is held."""
        lock = open(self.run / "lock", "a+", encoding="ascii")  # noqa: SIM115 - open for the life of the process.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise AlreadyRunning(
                f"{self.root} is in use by another supervisor (pid {holder}). "
                "Stop that one, or take another --data-dir."
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """Return the stack's secrets; make what is missing, once."""
        path = self.root / "secrets.json"
        stored: dict[str, str] = read_json(path)
        made = {
            "postgres_superuser_password": secrets.token_urlsafe(24),
            "postgres_owner_password": secrets.token_urlsafe(24),
            "postgres_app_password": secrets.token_urlsafe(24),
            "redis_password": secrets.token_urlsafe(24),
            "s3_access_key": "SB" + base64.b32encode(secrets.token_bytes(10)).decode(),
            "s3_secret_key": secrets.token_urlsafe(30),
            "payload_keys": Keyring.generate("embedded-1"),
            "audit_signing_keys": generate_signing_key("embedded-1"),
            "master_keys": Keyring.generate("embedded-1"),
            "model_api_key": secrets.token_urlsafe(24),
        }
        complete = made | stored
        if complete != stored:
            write_json(path, complete)
        return complete

    def remember(self, **values: str) -> None:
        """Add to the secrets."""
        write_json(self.root / "secrets.json", self.secrets() | values)

    def ports(self, *, fresh: Iterable[str] = (), avoid: Iterable[int] = ()) -> dict[str, int]:
        """Return a port per name: the last start's where it is free, otherwise a new one.

        Args:
            fresh: names that get a new port in any case.
            avoid: ports that something of ours is about to take (the API's).
        """
        path = self.root / "ports.json"
        stored: dict[str, int] = read_json(path)
        taken = set(avoid)
        ports: dict[str, int] = {}
        for name in PORT_NAMES:
            port = stored.get(name)
            if port is None or name in fresh or port in taken or not _is_free(port, name):
                port = _pick(name, taken | set(stored.values()))
            ports[name] = port
            taken |= {port, port + GRPC_OFFSET}
        if ports != stored:
            write_json(path, ports)
        return ports

    def log_file(self, name: str) -> Path:
        """Return the log file of a child; one that has grown large becomes `NAME.log.1` first."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_SIZE_MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def log_tail(self, name: str) -> str:
        """Return the end of a child's log, as the end of an error message."""
        path = self.logs / f"{name}.log"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            return f"; see {path}"
        return f"; the end of {path}:\n  " + "\n  ".join(lines)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; an empty one where there is none, or a torn one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object so that a reader, and a crash, see the old file or the new one; mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def require_free(host: str, port: int) -> None:
    """Raise PortBusy unless `host:port` can be bound."""
    if not can_bind(host, port):
        raise PortBusy(f"Port {port} on {host} is in use. Stop what uses it, or choose another with --port.")


def can_bind(host: str, port: int) -> bool:
    """Tell whether a server could listen on `host:port` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _is_free(port: int, name: str) -> bool:
    needed = (port, port + GRPC_OFFSET) if name.startswith("s3") else (port,)
    return all(can_bind("127.0.0.1", candidate) for candidate in needed)


def _pick(name: str, taken: set[int]) -> int:
    # At random, so that stacks that start at the same moment rarely choose alike. (No secret: `random` will do.)
    for _ in range(PORT_TRIES_MAX):
        port = random.randrange(PORT_FIRST, PORT_LAST)
        if not {port, port + GRPC_OFFSET} & taken and _is_free(port, name):
            return port
    raise RuntimeError(f"No free port between {PORT_FIRST} and {PORT_LAST} for {name}.")
