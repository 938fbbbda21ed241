"""Proving the audit log and the ledger: anchors them in the object store, and verifies both against their anchors.

`swissbrain audit verify` runs this file; the scheduled workflow calls the same functions.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.checkpoints import Anchors, Checkpoint, Signer, now, prefix_of, read_anchors, sha256
from infra.database import Database
from infra.locked import LockedStore
from infra.settings import Settings
from schema.chain import GENESIS, Break, Finding, Log, Walk
from schema.contracts.common import ObjectRef
from schema.errors import SwissbrainError
from schema.store import chain
from schema.store.chain import Heads


@dataclass(frozen=True)
class Verified:
    """What a verification of one organisation looked at, and what is wrong."""

    org_id: str
    audit_entries: int
    ledger_entries: int
    checkpoints: int
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how much was looked at."""
        return {
            "audit_entries": self.audit_entries,
            "ledger_entries": self.ledger_entries,
            "checkpoints": self.checkpoints,
        }


class Evidence:
    """Anchors and verifies the logs of organisations."""

    def __init__(self, db: Database, store: LockedStore, signer: Signer) -> None:
        self._db = db
        self._store = store
        self._signer = signer

    @property
    def anchored(self) -> bool:
        """Tell whether there is a key to verify checkpoints with."""
        return self._signer.can_verify

    @property
    def can_anchor(self) -> bool:
        """Tell whether there is a key to make checkpoints with."""
        return self._signer.can_sign

    async def prepare(self) -> None:
        """Make the bucket unless it exists."""
        await self._store.ensure_bucket()

    async def organisations(self) -> list[str]:
        """Return every organisation that has a log."""
        async with self._db.transaction(None) as session:
            return await chain.organisations(session)

    async def checkpoint(self, org_id: str, *, cut: tuple[int, bytes] | None = None) -> Checkpoint | None:
        """Sign where an organisation's chains stand, and store it; once per place where they stand.

        The database keeps it first, so that one whose storing failed is stored by the next call, byte for byte.

        Args:
            cut: the number and hash after which the audit log may begin, in place of its head.

        Returns:
            The new checkpoint; None where nothing has moved since the last.

        Raises:
            Conflict: the store has another content under the checkpoint's key.
            StorageUnavailable: the database or the object store did not answer.
        """
        async with self._db.transaction(org_id) as session:
            last = await chain.last_checkpoint(session, org_id)
        if last is not None and last.stored_at is None:
            await self._keep(org_id, last.number, last.document)
        async with self._db.transaction(org_id) as session:
            heads = await chain.get_heads(session, org_id)
            moved = last is None or (last.audit_seq, last.ledger_version) != (heads.audit_seq, heads.ledger_version)
            if cut is None and not moved:
                return None
            if cut is not None:
                heads = Heads(*cut, heads.ledger_version, heads.ledger_hash)
            made = Checkpoint(
                org_id=org_id,
                number=last.number + 1 if last else 1,
                audit_seq=heads.audit_seq,
                audit_hash=heads.audit_hash.hex(),
                ledger_version=heads.ledger_version,
                ledger_hash=heads.ledger_hash.hex(),
                at=now(),
                previous=sha256(last.document) if last else None,
                cut=cut is not None,
            )
            document = self._signer.sign(made)
            await chain.put_checkpoint(session, org_id, number=made.number, heads=heads, document=document)
        await self._keep(org_id, made.number, document)
        return made

    async def _keep(self, org_id: str, number: int, document: bytes) -> None:
        key = f"{prefix_of(org_id)}{number:012d}.json"
        await self._store.put(key, document, "application/json")
        async with self._db.transaction(org_id) as session:
            await chain.mark_stored(session, org_id, number)

    async def archive(self, key: str, data: bytes) -> ObjectRef:
        """Store an archived month, locked as checkpoints are."""
        return await self._store.put(key, data, "application/gzip")

    async def verify(self, org_id: str) -> Verified:
        """Compare an organisation's audit log and ledger with themselves, their heads and their checkpoints.

        Raises:
            StorageUnavailable: the database or the object store did not answer; nothing was proven.
        """
        # Read before the chains: what they say must be there by then.
        anchors = await self._anchors(org_id)
        findings = list(anchors.findings)
        async with self._db.transaction(org_id) as session:
            archived = await chain.last_archive(session, org_id)
            first = await chain.first_seq(session, org_id)
        start, behind = 0, GENESIS
        if archived is not None and first != 1:
            start, behind = archived.to_seq, archived.hash
            if self.anchored and anchors.cuts.get(start) != behind:
                findings.append(
                    Finding("audit", Break.MISSING, org_id, 1, "entry 1, or a signed cut", f"entry {first}")
                )
        audit = Walk(Log.AUDIT, org_id, anchors.audit, start, behind)
        ledger = Walk(Log.LEDGER, org_id, anchors.ledger)
        for walk in (audit, ledger):
            await self._walk(walk)
            if walk.broken is not None:
                findings.append(walk.broken)
        return Verified(org_id, audit.count, ledger.count, anchors.count, findings)

    async def _anchors(self, org_id: str) -> Anchors:
        if not self.anchored:
            return Anchors([], [], {}, [], 0)
        async with self._db.transaction(org_id) as session:
            known = await chain.stored_checkpoints(session, org_id)
        documents = [
            (int(key.rpartition("/")[2].removesuffix(".json")), data)
            for key, data in await self._store.list_oldest(prefix_of(org_id))
        ]
        return read_anchors(self._signer, org_id, documents, known)

    async def _walk(self, walk: Walk) -> None:
        """Follow a chain to the head that is read after its entries, so that writers may go on meanwhile."""
        async with self._db.transaction(walk.org_id) as session:
            async for links in chain.read_chain(session, walk.org_id, walk.log, after=walk.seq):
                walk.follow(links)
            heads = await chain.get_heads(session, walk.org_id)
            seq = heads.audit_seq if walk.log is Log.AUDIT else heads.ledger_version
            if seq > walk.seq:
                async for links in chain.read_chain(session, walk.org_id, walk.log, after=walk.seq, upto=seq):
                    walk.follow(links)
        walk.end(seq, heads.audit_hash if walk.log is Log.AUDIT else None)


def _settings(data_dir: Path | None) -> Settings:
    if data_dir is None:
        return Settings()
    from infra.embedded.layout import DataDirectory, read_json
    from infra.embedded.process import Register
    from infra.embedded.servers import Stack

    data = DataDirectory(data_dir)
    if not data.endpoint.exists():
        sys.exit(f"swissbrain audit: {data.root} is not running: start it (`swissbrain up`), so that it can be asked.")
    # As they are in use: `ports()` would choose others for those that are taken.
    return Stack(data, Register(data), read_json(data.root / "ports.json"), data.secrets()).settings


async def _verify(settings: Settings, wanted: Sequence[str], *, as_json: bool) -> int:
    db = Database(settings.owner_url, pool_size=2, pool_overflow=0, statement_timeout_s=0)
    store = LockedStore.from_settings(settings)
    evidence = Evidence(db, store, Signer.from_settings(settings))
    try:
        verified = [await evidence.verify(org_id) for org_id in wanted or await evidence.organisations()]
    except SwissbrainError as error:
        sys.stderr.write(f"not verified: {error}\n")
        return 2
    finally:
        await store.close()
        await db.close()
    broken = sum(len(item.findings) for item in verified)
    if as_json:
        rows: list[dict[str, Any]] = [
            {"org_id": item.org_id, **item.counts(), "findings": [finding.as_json() for finding in item.findings]}
            for item in verified
        ]
        sys.stdout.write(json.dumps({"anchored": evidence.anchored, "organisations": rows}, indent=2) + "\n")
        return 1 if broken else 0
    for item in verified:
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in item.counts().items())
        sys.stdout.write(f"{'ok' if not item.findings else 'BROKEN':<7}{item.org_id}: {said}\n")
        for found in item.findings:
            sys.stdout.write(
                f"       {found.log} entry {found.seq}: {found.kind.value}; "
                f"expected {found.expected}, found {found.found}\n"
            )
    if not evidence.anchored:
        sys.stdout.write("No checkpoint key is set: a log cut or rewritten as a whole would not have been found.\n")
    return 1 if broken else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per organisation and one per finding; 0: all holds, 1: something is broken, 2: not verified."""
    parser = argparse.ArgumentParser(prog="swissbrain audit verify", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=None, help="of a running `swissbrain up`; else environment")
    parser.add_argument("--org", action="append", default=[], help="only this organisation; may be repeated")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    return asyncio.run(_verify(_settings(options.data_dir), options.org, as_json=options.json))


if __name__ == "__main__":
    sys.exit(main())
