"""`swissbrain restore DIR --data-dir NEW`: a backup becomes a data directory, from which `swissbrain up` goes on."""

# ruff: noqa: ASYNC240 - a command that does one thing: nobody waits for its loop.

from pathlib import Path

import asyncpg

from infra.embedded.backup_form import (
    EVIDENCE,
    FORMAT,
    KEPT_KEYS,
    OBJECTS,
    PASSPHRASE,
    VERSION,
    BackupFailed,
    as_superuser,
    copy_histories,
    entries,
    opened_keys,
    run_program,
    sha256_of_file,
)
from infra.embedded.layout import DataDirectory, read_json
from infra.embedded.servers import DATABASE, OWNER_ROLE, Stack
from infra.embedded.supervisor import EmbeddedServers
from infra.locked import LockedStore
from infra.objects import ObjectStore


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
    data.restoring.touch()
    data.remember(**keys)
    histories = data.root / "temporal"
    histories.mkdir(mode=0o700)
    copy_histories(source / "temporal.sqlite", histories / "temporal.sqlite")
    async with EmbeddedServers(data.root) as servers:
        await _load(servers.stack, source / "postgres.dump")
        await _put_objects(ObjectStore.from_settings(servers.stack.settings), source / OBJECTS)
        await _put_objects(LockedStore.from_settings(servers.stack.settings), source / EVIDENCE)
        data.restoring.unlink()


def _verify(source: Path) -> None:
    manifest = read_json(source / "backup.json")
    if (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
        raise BackupFailed(f"{source} is no backup of this version, or an unfinished one.")
    for name, told in manifest["files"].items():
        path = source / name
        _verify_file(path, told["sha256"])
    for index in (OBJECTS, EVIDENCE):
        for entry in entries(source / index):
            _verify_file(source / "objects" / entry["sha256"], entry["sha256"])


def _verify_file(path: Path, sha256: str) -> None:
    if not path.is_file() or sha256_of_file(path) != sha256:
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
    return opened_keys(read_json(source / "keys.json"), passphrase)


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
    await run_program(
        *("pg_restore", "--single-transaction", "--exit-on-error"),
        *as_superuser(stack.owner_url, DATABASE),
        str(dump),
        password=stack.secrets["postgres_superuser_password"],
    )
    # A dump has no statistics, and without them the first queries take minutes.
    connection = await asyncpg.connect(stack.database_url("postgres", "postgres_superuser_password"))
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _put_objects(store: ObjectStore, index: Path) -> None:
    try:
        await store.ensure_bucket()
        for entry in entries(index):
            content = (index.parent / "objects" / entry["sha256"]).read_bytes()
            await store.put(entry["key"], content, entry["content_type"])
    finally:
        await store.close()
