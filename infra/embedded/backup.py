"""`swissbrain backup DIR` and `swissbrain restore DIR --data-dir NEW`: an embedded stack, while it works.

DIR/
├── backup.json         what this is: times, counts, size and SHA-256 of every file below
├── temporal.sqlite     the histories of workflows
├── postgres.dump       pg_dump's custom format
├── objects.jsonl       key, content type, size and SHA-256 of every object
├── objects/SHA256      their contents, each once
└── keys.json           only with --with-keys: encrypted with a passphrase

The order is what makes a copy of a running stack whole. Temporal's first: what it lacks, the database has, and a
workflow that does a step again finds it done (`reset` does the same). The database next, in one snapshot. Objects last:
none is ever overwritten, so every one that the snapshot names is there, unless retention deleted it meanwhile; its
schedule is paused while the backup runs.
"""

# ruff: noqa: ASYNC240 - a command that does one thing: nobody waits for its loop.

import argparse
import asyncio
import base64
import getpass
import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError

from infra.embedded.layout import DataDirectory, read_json, write_json
from infra.embedded.servers import BUCKET, DATABASE, OWNER_ROLE, Stack, postgres_program
from infra.embedded.supervisor import EmbeddedServers
from infra.logging import configure_logging
from infra.objects import ObjectStore, sha256_of
from infra.settings import Settings
from infra.temporal import connect
from schema.contracts.common import ObjectRef
from schema.errors import NotFound

FORMAT = "swissbrain.backup"
VERSION = 1
KEPT_KEYS = ("payload_keys", "master_keys", "api_key", "org_id", "owner_id")
"""Secrets that data depends on, and whose it is; passwords of the servers are made anew."""
PASSPHRASE = "SWISSBRAIN_BACKUP_PASSPHRASE"
RETENTION_ID = "retention"
_SCRYPT_N = 2**15
_CHUNK_BYTES = 1024 * 1024


class BackupFailed(RuntimeError):
    """What went wrong, for the person who asked."""


# ---- Backup


async def backup(data_dir: Path, target: Path, *, passphrase: str | None = None) -> dict[str, Any]:
    """Back up a running stack into a new folder; return what `backup.json` says.

    Args:
        passphrase: encrypts the keys, which are left out without one.
    """
    data = DataDirectory(data_dir)
    endpoint = read_json(data.endpoint)
    if not endpoint:
        raise BackupFailed(f"{data.root} is not running; copy it whole instead, or start it (`swissbrain up`).")
    if target.exists() and any(target.iterdir()):
        raise BackupFailed(f"{target} is not empty.")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = datetime.now(UTC)
    secrets = data.secrets()
    settings = Settings(
        temporal_address=endpoint["temporal_address"], temporal_namespace=endpoint["temporal_namespace"]
    ).model_copy(update={"payload_keys": SecretStr(secrets["payload_keys"])})
    async with _retention_paused(await connect(settings)):
        await asyncio.to_thread(_copy_histories, data.root / "temporal" / "temporal.sqlite", target / "temporal.sqlite")
        await _dump(endpoint["database_url"], secrets, target / "postgres.dump")
        objects = await _copy_objects(endpoint["s3_url"], secrets, target)
    if passphrase:
        write_json(target / "keys.json", _sealed({name: secrets[name] for name in KEPT_KEYS}, passphrase))
    files = sorted(path for path in target.iterdir() if path.is_file())
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "began_at": began.isoformat(),
        "ended_at": datetime.now(UTC).isoformat(),
        "objects": objects,
        "with_keys": passphrase is not None,
        "files": {path.name: {"size_bytes": path.stat().st_size, "sha256": _sha256_of(path)} for path in files},
    }
    write_json(target / "backup.json", manifest)
    return manifest


@asynccontextmanager
async def _retention_paused(client: Client) -> AsyncIterator[None]:
    handle = client.get_schedule_handle(RETENTION_ID)
    try:
        was_paused = (await handle.describe()).schedule.state.paused
        await handle.pause(note="a backup is being made")
    except RPCError:  # No worker has made it yet.
        yield
        return
    try:
        yield
    finally:
        if not was_paused:
            with suppress(RPCError):
                await handle.unpause(note="the backup is made")


def _copy_histories(source: Path, target: Path) -> None:
    """Copy a SQLite database that others write to, at one moment (SQLite's online backup, in one step)."""
    theirs = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
    with closing(theirs), closing(sqlite3.connect(target)) as ours:
        theirs.backup(ours, pages=-1)
    target.chmod(0o600)


async def _dump(database_url: str, secrets: dict[str, str], target: Path) -> None:
    target.touch(mode=0o600)
    await _run(
        *("pg_dump", "--format=custom", "--compress=gzip:3", f"--file={target}"),
        *_as_superuser(database_url, DATABASE),
        password=secrets["postgres_superuser_password"],
    )


async def _copy_objects(s3_url: str, secrets: dict[str, str], target: Path) -> int:
    store = ObjectStore(s3_url, access_key=secrets["s3_access_key"], secret_key=secrets["s3_secret_key"], bucket=BUCKET)
    folder = target / "objects"
    folder.mkdir(mode=0o700)
    count = 0
    try:
        with (target / "objects.jsonl").open("w", encoding="utf-8") as index:
            for key in await store.keys():
                try:
                    found = await store.read(key)
                except NotFound:
                    continue  # Gone since it was listed; an object of the servers' own probes.
                digest = sha256_of(found.data)
                path = folder / digest
                if not path.exists():
                    path.write_bytes(found.data)
                entry = {
                    "key": key,
                    "content_type": found.content_type,
                    "size_bytes": len(found.data),
                    "sha256": digest,
                }
                index.write(json.dumps(entry) + "\n")
                count += 1
    finally:
        await store.close()
    return count


# ---- Restore


async def restore(
    source: Path, data_dir: Path, *, passphrase: str | None = None, secrets_file: Path | None = None
) -> None:
    """Restore a backup into a data directory that does not exist yet; `swissbrain up` then goes on from there.

    Args:
        passphrase: opens the backup's keys.
        secrets_file: the `secrets.json` of the stack that was backed up, where the backup has no keys.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BackupFailed(f"{data_dir} is not empty; a restore makes a new data directory.")
    _verify(source)
    keys = _keys_of(source, passphrase, secrets_file)
    data = DataDirectory(data_dir)
    data.prepare()
    data.remember(**keys)
    histories = data.root / "temporal"
    histories.mkdir(mode=0o700)
    _copy_histories(source / "temporal.sqlite", histories / "temporal.sqlite")
    async with EmbeddedServers(data.root) as servers:
        await _load(servers.stack, source / "postgres.dump")
        await _put_objects(servers.stack, source)


def _verify(source: Path) -> None:
    manifest = read_json(source / "backup.json")
    if (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
        raise BackupFailed(f"{source} is no backup of this version, or an unfinished one.")
    for name, told in manifest["files"].items():
        path = source / name
        if not path.is_file() or _sha256_of(path) != told["sha256"]:
            raise BackupFailed(f"{path} is missing, or not what was backed up.")


def _keys_of(source: Path, passphrase: str | None, secrets_file: Path | None) -> dict[str, str]:
    if secrets_file is not None:
        found = read_json(secrets_file)
        missing = [name for name in KEPT_KEYS if name not in found]
        if missing:
            raise BackupFailed(f"{secrets_file} lacks {', '.join(missing)}.")
        return {name: found[name] for name in KEPT_KEYS}
    if not (source / "keys.json").exists():
        raise BackupFailed("The backup has no keys: name the stack's secrets.json with --secrets.")
    if not passphrase:
        raise BackupFailed(f"The backup's keys need their passphrase ({PASSPHRASE}).")
    return _opened(read_json(source / "keys.json"), passphrase)


async def _load(stack: Stack, dump: Path) -> None:
    """Put the dump in place of the database that the servers have just made, in one transaction."""
    connection = await asyncpg.connect(stack.database_url("postgres", "postgres_superuser_password", "postgres"))
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE} TEMPLATE template0")
        await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO swissbrain_app")
    finally:
        await connection.close()
    # One transaction, so that a restore is whole or nothing.
    await _run(
        *("pg_restore", "--single-transaction", "--exit-on-error"),
        *_as_superuser(stack.owner_url, DATABASE),
        str(dump),
        password=stack.secrets["postgres_superuser_password"],
    )


async def _put_objects(stack: Stack, source: Path) -> None:
    store = ObjectStore.from_settings(stack.settings)
    try:
        await store.ensure_bucket()
        with (source / "objects.jsonl").open(encoding="utf-8") as index:
            for line in index:
                entry = json.loads(line)
                content = (source / "objects" / entry["sha256"]).read_bytes()
                if sha256_of(content) != entry["sha256"]:
                    raise BackupFailed(f"The object {entry['key']} is not what was backed up.")
                ref: ObjectRef = await store.put(entry["key"], content, entry["content_type"])
                assert ref.sha256 == entry["sha256"]
    finally:
        await store.close()


# ---- Both


def _as_superuser(database_url: str, database: str) -> list[str]:
    parts = urlsplit(database_url)
    return [f"--host={parts.hostname}", f"--port={parts.port}", "--username=postgres", f"--dbname={unquote(database)}"]


async def _run(program: str, *arguments: str, password: str) -> None:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PGPASSWORD": password, "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        *(str(postgres_program(program)), "--no-password", *arguments),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        raise BackupFailed(f"{program} ended with {process.returncode}: {said.decode(errors='replace')[-2000:]}")


def _sealed(keys: dict[str, str], passphrase: str) -> dict[str, Any]:
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_derived(passphrase, salt)).encrypt(nonce, json.dumps(keys).encode(), FORMAT.encode())
    return {
        "kdf": "scrypt",
        "n": _SCRYPT_N,
        "cipher": "AES-256-GCM",
        **{
            name: base64.b64encode(value).decode()
            for name, value in (("salt", salt), ("nonce", nonce), ("data", sealed))
        },
    }


def _opened(sealed: dict[str, Any], passphrase: str) -> dict[str, str]:
    salt, nonce, content = (base64.b64decode(sealed[name]) for name in ("salt", "nonce", "data"))
    try:
        found: dict[str, str] = json.loads(AESGCM(_derived(passphrase, salt)).decrypt(nonce, content, FORMAT.encode()))
    except InvalidTag:
        raise BackupFailed("This passphrase does not open the backup's keys.") from None
    return found


def _derived(passphrase: str, salt: bytes) -> bytes:
    """Return a key of a passphrase (RFC 7914; n, r and p as OWASP advises for 32 MiB)."""
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=8, p=3).derive(passphrase.encode())


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _passphrase(*, twice: bool) -> str:
    given = os.environ.get(PASSPHRASE) or getpass.getpass("Passphrase of the backup's keys: ")
    if twice and PASSPHRASE not in os.environ and given != getpass.getpass("Once more: "):
        raise BackupFailed("The two are not the same.")
    if not given:
        raise BackupFailed("The passphrase is empty.")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Back up or restore; end with a message and 1 where it cannot be done."""
    parser = argparse.ArgumentParser(prog="swissbrain")
    commands = parser.add_subparsers(dest="command", required=True)
    backing = commands.add_parser("backup", help="back up a running stack")
    backing.add_argument("target", type=Path)
    backing.add_argument(
        "--with-keys", action="store_true", help=f"encrypted with a passphrase ({PASSPHRASE}, or asked)"
    )
    restoring = commands.add_parser("restore", help="restore into a new data directory")
    restoring.add_argument("source", type=Path)
    restoring.add_argument("--secrets", type=Path, help="secrets.json of the stack, where the backup has no keys")
    backing.add_argument("--data-dir", type=Path, default=Path(".swissbrain"))
    restoring.add_argument("--data-dir", type=Path, required=True, help="the new data directory")
    options = parser.parse_args(arguments)
    configure_logging(level="warning", log_format="console", service="backup")
    try:
        if options.command == "backup":
            passphrase = _passphrase(twice=True) if options.with_keys else None
            made = asyncio.run(backup(options.data_dir, options.target, passphrase=passphrase))
            size = sum(path.stat().st_size for path in options.target.rglob("*") if path.is_file())
            keys = "with its keys, encrypted" if passphrase else "WITHOUT the keys that read it: keep secrets.json"
            sys.stdout.write(f"{options.target}: {made['objects']} objects, {size / 1e6:.1f} MB, {keys}\n")
        else:
            with_keys = options.secrets is None and (options.source / "keys.json").exists()
            opened = _passphrase(twice=False) if with_keys else None
            asyncio.run(restore(options.source, options.data_dir, passphrase=opened, secrets_file=options.secrets))
            sys.stdout.write(f"Restored. Next: swissbrain up --data-dir {options.data_dir}\n")
    except BackupFailed as error:
        sys.exit(f"swissbrain {options.command}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
