"""`swissbrain keys payload|master ...`: rotation of the keys of an embedded stack.

Payload keys encrypt what Temporal keeps; master keys wrap the organisations' keys, which seal connectors' tokens. Both
are in the data directory's `secrets.json`, newest first: the first one encrypts, every one decrypts. Everybody must be
able to decrypt with a key before anybody encrypts with it. So: `add` (it decrypts), restart the processes, `promote`
(it encrypts), restart them (of master keys: `rewrap`), and, when nothing needs the old one any more, `retire`. Each
process reads the keys when it starts; `swissbrain up` gives a part that it restarts those of that moment.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from infra.codec import KEY_ID, Keyring
from infra.database import Database
from infra.embedded.layout import DataDirectory, read_json
from infra.settings import Settings
from infra.temporal import connect
from infra.vault import Vault

_NAMED = re.compile(re.escape(KEY_ID.encode()) + rb"\x12(.)", re.DOTALL)
"""What stands before the id of a payload's key where a metadata map is serialised; the last byte is the id's length."""


class CannotRetire(RuntimeError):
    """The key is still needed."""


class NotRunning(RuntimeError):
    """Only a running stack can tell what its keys are needed for."""


def add(text: str, key_id: str | None = None) -> str:
    """Return the keys with a fresh one at the end: it decrypts, and encrypts nothing yet."""
    key_id = key_id or datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S").replace(":", "")
    added = f"{text},{Keyring.generate(key_id)}"
    Keyring.parse(added)
    return added


def promote(text: str, key_id: str | None = None) -> str:
    """Return the keys with this one (default: the last) in front: it encrypts from the next start of a process."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    chosen = [entry for entry in entries if entry.partition(":")[0] == key_id] if key_id else entries[-1:]
    if not chosen:
        raise ValueError(f"there is no key {key_id!r}")
    return ",".join([*chosen, *(entry for entry in entries if entry not in chosen)])


def without(text: str, key_id: str) -> str:
    """Return the keys without this one.

    Raises:
        ValueError: there is no such key, or it is the one that encrypts.
    """
    keyring = Keyring.parse(text)
    if key_id not in keyring.keys:
        raise ValueError(f"there is no key {key_id!r}")
    if key_id == keyring.newest:
        raise ValueError(f"{key_id!r} encrypts; promote another one first")
    return ",".join(entry.strip() for entry in text.split(",") if entry.strip().partition(":")[0] != key_id)


def keys_named(serialised: bytes) -> set[str]:
    """Return the ids of the keys that encrypted payloads of a serialised event name, at whatever depth they lie."""
    places = ((match.end(), match[1][0]) for match in _NAMED.finditer(serialised))
    return {serialised[start : start + length].decode() for start, length in places}


async def used_keys(client: Client) -> dict[str, int]:
    """Return which keys the histories that Temporal still has name, and in how many executions each."""
    found: dict[str, int] = {}
    async for execution in client.list_workflows():
        try:
            history = await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # Dropped since it was listed.
                continue
            raise
        ids: set[str] = set()
        for event in history.events:
            if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
                ids |= keys_named(event.SerializeToString())
        for key_id in ids:
            found[key_id] = found.get(key_id, 0) + 1
    return found


async def used_masters(owner: Database) -> dict[str, int]:
    """Return which master keys wrap the organisations' keys, and how many each."""
    async with owner.transaction(None) as session:
        rows = await session.execute(text("select master_key_id, count(*) from data_keys group by 1"))
        return {str(row[0]): int(row[1]) for row in rows}


async def rewrap(owner: Database, keyring: Keyring) -> int:
    """Wrap every organisation's keys with the newest master key; no secret changes. Returns how many keys changed."""
    vault, changed = Vault(keyring), 0
    async with owner.transaction(None) as session:
        query = text("select distinct org_id from data_keys where master_key_id <> :newest order by 1")
        org_ids = list((await session.execute(query, {"newest": keyring.newest})).scalars())
    for org_id in org_ids:
        async with owner.transaction(org_id) as session:
            changed += await vault.rewrap(session, org_id)
    return changed


class _Keys:
    """The keys of one kind in a data directory."""

    def __init__(self, data: DataDirectory, kind: str) -> None:
        self._data = data
        self.kind = kind
        self._name = f"{kind}_keys"

    @property
    def text(self) -> str:
        return self._data.secrets()[self._name]

    def keep(self, text: str) -> None:
        self._data.remember(**{self._name: text})

    def _endpoint(self) -> dict[str, Any]:
        if not (endpoint := read_json(self._data.endpoint)):
            raise NotRunning(f"{self._data.root} is not running: start it (`swissbrain up`), so that it can be asked.")
        return endpoint

    async def used(self) -> dict[str, int]:
        endpoint = self._endpoint()
        if self.kind == "master":
            owner = Database(endpoint["database_url"], pool_size=1)
            try:
                return await used_masters(owner)
            finally:
                await owner.close()
        settings = Settings(
            temporal_address=endpoint["temporal_address"], temporal_namespace=endpoint["temporal_namespace"]
        )
        return await used_keys(await connect(settings.model_copy(update={"payload_keys": SecretStr(self.text)})))

    async def rewrap(self) -> int:
        owner = Database(self._endpoint()["database_url"], pool_size=1)
        try:
            return await rewrap(owner, Keyring.parse(self.text))
        finally:
            await owner.close()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _list(keys: _Keys, used: dict[str, int] | None = None) -> None:
    keyring = Keyring.parse(keys.text)
    for key_id in keyring.keys:
        role = "encrypts and decrypts" if key_id == keyring.newest else "decrypts"
        seen = "" if used is None else f"  needed by {used.get(key_id, 0)}"
        _say(f"{key_id}  {role}{seen}")


def _retire(keys: _Keys, key_id: str) -> None:
    left = without(keys.text, key_id)
    if number := asyncio.run(keys.used()).get(key_id, 0):
        what = "histories in Temporal" if keys.kind == "payload" else "keys of organisations"
        later = (
            "Try again when Temporal has dropped them (the namespace's retention)."
            if keys.kind == "payload"
            else "First: swissbrain keys master rewrap."
        )
        raise CannotRetire(f"{number} {what} need {key_id!r}. {later}")
    keys.keep(left)
    _say(f"{key_id} is retired. Restart the processes.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; end with a message and 1 where it refuses."""
    parser = argparse.ArgumentParser(prog="swissbrain keys", description=__doc__)
    parser.add_argument("kind", choices=["payload", "master"])
    parser.add_argument("command", choices=["list", "add", "promote", "rewrap", "retire"])
    parser.add_argument("key_id", nargs="?", help="default of add: the time; of promote: the one added last")
    parser.add_argument("--used", action="store_true", help="list: count what needs each key")
    parser.add_argument("--data-dir", type=Path, default=Path(".swissbrain"))
    options = parser.parse_args(arguments)
    data = DataDirectory(options.data_dir)
    if not (data.root / "secrets.json").exists():
        sys.exit(f"swissbrain keys: {data.root} is no data directory")
    keys = _Keys(data, options.kind)
    try:
        _act(keys, options)
    except (ValueError, CannotRetire, NotRunning) as error:
        sys.exit(f"swissbrain keys: {error}")
    return 0


def _act(keys: _Keys, options: argparse.Namespace) -> None:
    match options.command, keys.kind:
        case "list", _:
            _list(keys, asyncio.run(keys.used()) if options.used else None)
        case "add", _:
            keys.keep(add(keys.text, options.key_id))
            _list(keys)
            _say("Restart the processes, then promote it.")
        case "promote", _:
            keys.keep(promote(keys.text, options.key_id))
            _list(keys)
            _say("Restart the processes: from then on it encrypts.")
        case "rewrap", "master":
            _say(f"{asyncio.run(keys.rewrap())} keys wrapped anew")
        case "retire", _ if options.key_id:
            _retire(keys, options.key_id)
        case _:
            raise ValueError(f"{options.command} does not go with {keys.kind}, or lacks the key's id")


if __name__ == "__main__":
    sys.exit(main())
