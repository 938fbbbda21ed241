"""`swissbrain backup DIR` and `swissbrain restore DIR --data-dir NEW`: an embedded stack, while it works.

DIR/
├── backup.json         what this is: times, counts, size and SHA-256 of every file below
├── temporal.sqlite     the histories of workflows
├── postgres.dump       pg_dump's custom format
├── objects.jsonl       key, content type, size and SHA-256 of every object
├── audit.jsonl         the same of the audit log's bucket: signed checkpoints, archived months
├── objects/SHA256      their contents, each once
└── keys.json           only with --with-keys: encrypted with a passphrase

The order is what makes a copy of a running stack whole. Temporal's first: what it lacks, the database has, and a
workflow that does a step again finds it done (`reset` does the same). The database next, in one snapshot. Objects last:
none is ever overwritten, so every one that the snapshot names is there, unless retention deleted it meanwhile: from
before the snapshot until the end its schedule is paused and no sweep runs. Of the checkpoints only those are kept that
the snapshot knows: a later one would prove entries that the snapshot does not have.
"""

# ruff: noqa: ASYNC240 - a command that does one thing: nobody waits for its loop.

import argparse
import asyncio
import getpass
import json
import mimetypes
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleHandle, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

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
    run_program,
    sealed_keys,
    sha256_of_file,
)
from infra.embedded.layout import DataDirectory, read_json, write_json
from infra.embedded.restore import restore
from infra.embedded.servers import BUCKET, DATABASE
from infra.locked import LockedStore
from infra.logging import configure_logging
from infra.objects import ObjectStore, sha256_of
from infra.settings import Settings
from infra.temporal import connect
from schema.errors import NotFound

RETENTION_ID = "retention"
PAUSED_NOTE = "a backup is being made"
SWEEP_ENDS_WITHIN = timedelta(minutes=5)
CHECKPOINTS = "checkpoints/"


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
    # Before the schedule is paused: a restored stack must not find it so.
    await asyncio.to_thread(copy_histories, data.root / "temporal" / "temporal.sqlite", target / "temporal.sqlite")
    (target / "objects").mkdir(mode=0o700)
    async with _no_retention(await connect(settings), settings.task_queue(RETENTION_ID)):
        known = await _dump(endpoint["database_url"], secrets, target / "postgres.dump")
        objects = await _copy_objects(_objects_of(endpoint["s3_url"], secrets), target)
    audit = await _copy_evidence(_evidence_of(endpoint["s3_url"], secrets), target, known)
    if passphrase:
        write_json(target / "keys.json", sealed_keys({name: secrets[name] for name in KEPT_KEYS}, passphrase))
    files = sorted(path for path in target.iterdir() if path.is_file())
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "began_at": began.isoformat(),
        "ended_at": datetime.now(UTC).isoformat(),
        "objects": objects,
        "audit_objects": audit,
        "with_keys": passphrase is not None,
        "files": {path.name: {"size_bytes": path.stat().st_size, "sha256": sha256_of_file(path)} for path in files},
    }
    write_json(target / "backup.json", manifest)
    return manifest


@asynccontextmanager
async def _no_retention(client: Client, schedule_id: str) -> AsyncIterator[None]:
    """Let no sweep of retention run meanwhile: the schedule is paused, and a sweep that runs is waited for."""
    handle = client.get_schedule_handle(schedule_id)
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        yield  # No worker has made it yet.
        return
    state = found.schedule.state
    # Paused by a backup that was killed: it is ours to end.
    by_others = state.paused and state.note != PAUSED_NOTE
    await handle.pause(note=state.note if by_others else PAUSED_NOTE)
    try:
        await _sweeps_end(client, handle)
        yield
    finally:
        if not by_others:
            await handle.unpause(note="the backup is made")


async def _sweeps_end(client: Client, handle: ScheduleHandle) -> None:
    for action in (await handle.describe()).info.running_actions:
        if isinstance(action, ScheduleActionExecutionStartWorkflow):
            sweep = client.get_workflow_handle(action.workflow_id)
            try:
                await asyncio.wait_for(sweep.result(), SWEEP_ENDS_WITHIN.total_seconds())
            except TimeoutError:
                raise BackupFailed(
                    f"A sweep of retention has run for {SWEEP_ENDS_WITHIN} and still deletes objects; try again later."
                ) from None
            except WorkflowFailureError:
                continue


async def _dump(database_url: str, secrets: dict[str, str], target: Path) -> dict[str, int]:
    """Dump the database as one snapshot; return the number of each organisation's newest checkpoint in it."""
    target.touch(mode=0o600)
    place = as_superuser(database_url, DATABASE)
    password = secrets["postgres_superuser_password"]
    parts = urlsplit(database_url)
    connection = await asyncpg.connect(
        host=parts.hostname, port=parts.port, user="postgres", password=password, database=DATABASE
    )
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("select pg_export_snapshot()")
            await run_program(
                *("pg_dump", "--format=custom", "--compress=gzip:3", f"--snapshot={snapshot}", f"--file={target}"),
                *place,
                password=password,
            )
            rows = await connection.fetch("select org_id, max(number) as number from audit_checkpoints group by org_id")
    finally:
        await connection.close()
    return {row["org_id"]: row["number"] for row in rows}


async def _copy_objects(store: ObjectStore, target: Path) -> int:
    count = 0
    try:
        with (target / OBJECTS).open("w", encoding="utf-8") as index:
            for key in await store.keys():
                try:
                    found = await store.read(key)
                except NotFound:
                    continue  # Gone since it was listed; an object of the servers' own probes.
                _keep(target, index, key, found.data, found.content_type)
                count += 1
    finally:
        await store.close()
    return count


async def _copy_evidence(store: LockedStore, target: Path, known: dict[str, int]) -> int:
    """Copy the archived months and the checkpoints, each organisation's up to the number that the snapshot knows."""
    count = 0
    try:
        with (target / EVIDENCE).open("w", encoding="utf-8") as index:
            for key, data in await store.list_oldest(""):
                if key.startswith(CHECKPOINTS):
                    org_id, _, name = key.removeprefix(CHECKPOINTS).partition("/")
                    if int(name.removesuffix(".json")) > known.get(org_id, 0):
                        continue
                _keep(target, index, key, data, mimetypes.guess_type(key)[0] or "application/octet-stream")
                count += 1
    except NotFound:
        return count  # The bucket is made with the first checkpoint.
    finally:
        await store.close()
    return count


def _keep(target: Path, index: IO[str], key: str, data: bytes, content_type: str) -> None:
    digest = sha256_of(data)
    path = target / "objects" / digest
    if not path.exists():
        path.write_bytes(data)
    entry = {"key": key, "content_type": content_type, "size_bytes": len(data), "sha256": digest}
    index.write(json.dumps(entry) + "\n")


def _objects_of(s3_url: str, secrets: dict[str, str]) -> ObjectStore:
    return ObjectStore(s3_url, access_key=secrets["s3_access_key"], secret_key=secrets["s3_secret_key"], bucket=BUCKET)


def _evidence_of(s3_url: str, secrets: dict[str, str]) -> LockedStore:
    bucket = Settings(s3_bucket=BUCKET).audit_bucket_name
    return LockedStore(s3_url, access_key=secrets["s3_access_key"], secret_key=secrets["s3_secret_key"], bucket=bucket)


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
