"""What a backup and its restore share: the form of the folder, its sealed keys, and the programs of PostgreSQL."""

import asyncio
import base64
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from infra.embedded.servers import postgres_program

FORMAT = "swissbrain.backup"
VERSION = 1
KEPT_KEYS = ("payload_keys", "master_keys", "audit_signing_keys", "api_key", "org_id", "owner_id")
"""Secrets that data depends on, and whose it is; passwords of the servers are made anew."""
PASSPHRASE = "SWISSBRAIN_BACKUP_PASSPHRASE"
OBJECTS, EVIDENCE = "objects.jsonl", "audit.jsonl"
"""The indexes of the two buckets."""
_SCRYPT_N = 2**15
_CHUNK_BYTES = 1024 * 1024


class BackupFailed(RuntimeError):
    """What went wrong, for the person who asked."""


def entries(index: Path) -> Iterator[dict[str, Any]]:
    with index.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def copy_histories(source: Path, target: Path) -> None:
    """Copy a SQLite database that others write to, at one moment (SQLite's online backup, in one step)."""
    theirs = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
    with closing(theirs), closing(sqlite3.connect(target)) as ours:
        theirs.backup(ours, pages=-1)
    target.chmod(0o600)


def as_superuser(database_url: str, database: str) -> list[str]:
    parts = urlsplit(database_url)
    return [f"--host={parts.hostname}", f"--port={parts.port}", "--username=postgres", f"--dbname={unquote(database)}"]


async def run_program(program: str, *arguments: str, password: str) -> None:
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


def sealed_keys(keys: dict[str, str], passphrase: str) -> dict[str, Any]:
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


def opened_keys(sealed: dict[str, Any], passphrase: str) -> dict[str, str]:
    salt, nonce, content = (base64.b64decode(sealed[name]) for name in ("salt", "nonce", "data"))
    try:
        found: dict[str, str] = json.loads(AESGCM(_derived(passphrase, salt)).decrypt(nonce, content, FORMAT.encode()))
    except InvalidTag:
        raise BackupFailed("This passphrase does not open the backup's keys.") from None
    return found


def _derived(passphrase: str, salt: bytes) -> bytes:
    """Return a key of a passphrase (RFC 7914; n, r and p as OWASP advises for 32 MiB)."""
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=8, p=3).derive(passphrase.encode())


def sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
