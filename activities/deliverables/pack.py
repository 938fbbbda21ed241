"""The replay pack (`zip`): a run with all that its report and its bill rest on, to be checked far from here.

    manifest.json          names, sizes and SHA-256 of every other member
    report.md              as delivered                  citations.json        as delivered
    inputs.json            what the report was made of   snapshots/SHA256.txt  the texts that it cites
    ledger.json            the run's entries of the ledger, with the hashes that chain them
    usage.json             every metered call            run.json              the run's record
    artifacts/NAME         with `include_artifacts`      log.jsonl             with `include_logs`

The ZIP's comment ends the file and holds the SHA-256 of every byte before it. The same run gives the same pack.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from infra.archive import write_zip
from schema.chain import LEDGER_FIELDS, Link
from schema.contracts.common import Contract
from schema.contracts.deliverables import RecordedEvent, ReportInputs, RunRecord

FORMAT = "swissbrain.pack"
VERSION = 1
COMMENT = b"swissbrain.pack sha256="
MANIFEST = "manifest.json"
SNAPSHOTS = "snapshots/"


class PackedUsage(Contract):
    """One metered call."""

    operation_key: str
    attempt: int
    kind: str
    item: str
    input_tokens: int
    output_tokens: int
    calls: int
    amount_pcr: int
    """Pico-credits."""
    price_version: str


class PackedEntry(Contract):
    """One entry of the ledger, as it is hashed."""

    form: int
    fields: tuple[str | None, ...]
    """By `schema/chain.py: LEDGER_FIELDS`."""
    previous: str
    """Hash of the entry before it in the organisation's ledger, hexadecimal."""
    hash: str

    def field(self, name: str) -> str | None:
        """Return a field by its name."""
        return self.fields[LEDGER_FIELDS.index(name)]

    def number(self, name: str) -> int:
        """Return a field that is a number."""
        return int(self.field(name) or 0)

    @property
    def link(self) -> Link:
        """Return the entry as a link of the chain."""
        return Link(self.number("version"), self.form, self.fields, bytes.fromhex(self.hash))


def write_pack(
    record: RunRecord,
    *,
    report: bytes,
    citations: bytes,
    inputs: ReportInputs,
    snapshots: Mapping[str, bytes],
    ledger: Sequence[tuple[Link, bytes]],
    usage: Sequence[PackedUsage],
    artifacts: Iterable[tuple[str, bytes]] = (),
) -> bytes:
    """Return a run as a pack.

    Args:
        snapshots: texts by their SHA-256; those of every claim that the report's sentences name.
        ledger: the run's entries, each with the hash of the entry before it.
        artifacts: (name, content).
    """
    entries = [
        PackedEntry(form=link.form, fields=link.fields, previous=before.hex(), hash=link.hash.hex())
        for link, before in ledger
    ]
    members: list[tuple[str, bytes]] = [
        ("run.json", _pretty(record)),
        ("report.md", report),
        ("citations.json", citations),
        ("inputs.json", _pretty(inputs)),
        ("ledger.json", _list(entries)),
        ("usage.json", _list(usage)),
        *((f"{SNAPSHOTS}{sha256}.txt", text) for sha256, text in sorted(snapshots.items())),
        *((f"artifacts/{name}", content) for name, content in artifacts),
    ]
    if record.log:
        members.append(("log.jsonl", _lines(record.log)))
    head = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": made_by(),
        "run_id": record.run.id,
        "org_id": _org_of(entries),
    }
    return sealed(write_zip(members, head))


def made_by() -> str:
    """Return the product's version, which words and ranks as it does."""
    return version("swissbrain")


def sealed(archive: bytes) -> bytes:
    """Return a ZIP with the comment that seals it."""
    target = io.BytesIO(archive)
    with zipfile.ZipFile(target, "a") as opened:
        opened.comment = COMMENT + b"0" * 64
    data = target.getvalue()[:-64]
    return data + hashlib.sha256(data).hexdigest().encode()


def _org_of(entries: Sequence[PackedEntry]) -> str | None:
    return entries[0].field("org_id") if entries else None


def _pretty(value: Contract) -> bytes:
    return (value.model_dump_json(indent=1) + "\n").encode()


def _list(values: Sequence[Contract]) -> bytes:
    rows: list[Any] = [value.model_dump(mode="json") for value in values]
    return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()


def _lines(events: Sequence[RecordedEvent]) -> bytes:
    return b"".join(event.model_dump_json().encode() + b"\n" for event in events)
