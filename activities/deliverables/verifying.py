"""Verifies a replay pack, with nothing but the pack: every byte, the report made anew, every citation, the bill."""

import argparse
import hashlib
import io
import json
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from activities.deliverables.pack import (
    COMMENT,
    FORMAT,
    MANIFEST,
    SNAPSHOTS,
    VERSION,
    PackedEntry,
    PackedUsage,
    made_by,
)
from activities.deliverables.reading import read_report
from activities.research.citations import Sidecar, check_citations, render_again
from schema.chain import Log, link_hash
from schema.contracts.deliverables import RecordedLine, ReportInputs, RunRecord
from schema.money import capture_ucr, ucr_to_credits

_ENTRIES = TypeAdapter(tuple[PackedEntry, ...])
_USAGE = TypeAdapter(tuple[PackedUsage, ...])

MEMBER_BYTES_MAX = 1024**3
"""A member that says it is larger is not opened."""
PACK_BYTES_MAX = 2 * MEMBER_BYTES_MAX
"""A pack whose members say that they are larger together is not unpacked."""

T = TypeVar("T")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    member: str
    """Where: the name of a member; `container` for the ZIP's own bytes."""
    detail: str


@dataclass
class Verified:
    """What was looked at, and what was found."""

    sha256: str
    """Of the whole pack: what `GET /exports/{id}` shows for it."""
    run_id: str = ""
    made_by: str = ""
    """Version of the product that made it."""
    members: int = 0
    sentences: int = 0
    """Cited sentences, each of which its spans show."""
    sources: int = 0
    entries: int = 0
    charged_ucr: int = 0
    faults: list[Fault] = field(default_factory=list)


class _Unreadable(Exception):
    """A member cannot be read; what rests on it cannot be checked."""


def verify_pack(data: bytes) -> Verified:
    """Check a pack; no fault means that every byte is as it was written, and that report and bill follow from it."""
    found = Verified(hashlib.sha256(data).hexdigest())
    at = "container"
    try:
        members = _members(data, found)
        at = "report.md"
        _check_report(members, found)
        at = "ledger.json"
        _check_bill(members, found)
    except _Unreadable:
        pass
    except Exception as error:  # Whatever the product's own code raises on what it never writes.
        found.faults.append(Fault(at, f"It cannot be checked: {type(error).__name__}: {error}"))
    found.faults += _sealed(data, found)
    return found


def _sealed(data: bytes, found: Verified) -> Iterator[Fault]:
    """Find a byte that no member holds: of the ZIP's own tables, or of the seal."""
    whole = data[-64 - len(COMMENT) : -64] == COMMENT
    if whole and hashlib.sha256(data[:-64]).hexdigest().encode() == data[-64:]:
        return
    if not found.faults:
        yield Fault("container", "The pack was changed outside of its members: its seal does not fit.")


def _members(data: bytes, found: Verified) -> dict[str, bytes]:
    """Return every member by name, each checked against the manifest."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        found.faults.append(Fault("container", f"It is no ZIP that can be read: {error}"))
        raise _Unreadable from error
    size = sum(info.file_size for info in infos if info.file_size <= MEMBER_BYTES_MAX)
    if size > PACK_BYTES_MAX:
        found.faults.append(Fault("container", f"It would unpack to {size:,} bytes; a pack may to {PACK_BYTES_MAX:,}."))
        raise _Unreadable
    read: dict[str, bytes] = {}
    for info in infos:
        if info.filename in read:
            found.faults.append(Fault(info.filename, "It stands in the pack twice."))
        try:
            if info.file_size > MEMBER_BYTES_MAX:
                raise ValueError(f"it would have {info.file_size:,} bytes")
            read[info.filename] = archive.read(info)
        except Exception as error:  # Whatever a decompressor raises on altered bytes.
            found.faults.append(Fault(info.filename, f"It cannot be read: {error}"))
    listed = _manifest(read, found)
    for name in sorted(listed.keys() | (read.keys() - {MANIFEST})):
        if name not in listed:
            found.faults.append(Fault(name, "The manifest does not know it."))
        elif name not in read:
            if not any(fault.member == name for fault in found.faults):
                found.faults.append(Fault(name, "It is missing."))
        elif (len(read[name]), hashlib.sha256(read[name]).hexdigest()) != listed[name]:
            found.faults.append(Fault(name, "It is not what the manifest says: it was changed."))
    found.members = len(listed)
    return read


def _manifest(read: dict[str, bytes], found: Verified) -> dict[str, tuple[int, str]]:
    try:
        manifest: dict[str, Any] = json.loads(read[MANIFEST])
        if (manifest["format"], manifest["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is a {manifest['format']} of version {manifest['version']}")
        found.run_id, found.made_by = str(manifest["run_id"]), str(manifest.get("made_by", ""))
        return {str(each["name"]): (int(each["size_bytes"]), str(each["sha256"])) for each in manifest["files"]}
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        if not any(fault.member == MANIFEST for fault in found.faults):
            found.faults.append(Fault(MANIFEST, f"It cannot be read: {error}"))
        raise _Unreadable from error


def _parsed(members: dict[str, bytes], name: str, form: "type[T] | TypeAdapter[T]", found: Verified) -> T:
    try:
        adapter = form if isinstance(form, TypeAdapter) else TypeAdapter(form)
        return adapter.validate_json(members[name])
    except KeyError:
        if not any(fault.member == name for fault in found.faults):
            found.faults.append(Fault(name, "It is missing."))
        raise _Unreadable from None
    except (ValidationError, ValueError) as error:
        found.faults.append(Fault(name, f"It is not what it should be: {str(error).splitlines()[0]}"))
        raise _Unreadable from error


def _check_report(members: dict[str, bytes], found: Verified) -> None:
    """Make the report anew of what it was made of, and check every citation from the outside."""
    inputs = _parsed(members, "inputs.json", ReportInputs, found)
    sidecar = _parsed(members, "citations.json", Sidecar, found)
    if "report.md" not in members:
        raise _Unreadable
    texts: dict[str, str] = {}
    for name, content in members.items():
        if name.startswith(SNAPSHOTS):
            sha256 = name.removeprefix(SNAPSHOTS).removesuffix(".txt")
            if hashlib.sha256(content).hexdigest() != sha256:
                found.faults.append(Fault(name, "The text is not the one that was read: its hash is another."))
            texts[sha256] = content.decode("utf-8", "replace")
    again = render_again(inputs, texts.__getitem__)
    if again.markdown.encode() != members["report.md"]:
        line = _first_difference(again.markdown, members["report.md"].decode("utf-8", "replace"))
        other = f" It was made by version {found.made_by}, this is {made_by()}." if found.made_by != made_by() else ""
        found.faults.append(Fault("report.md", f"Made anew, the report differs, first in line {line}.{other}"))
    if again.sidecar != sidecar:
        found.faults.append(Fault("citations.json", "Made anew, the citations differ."))
    problems = check_citations(members["report.md"].decode("utf-8", "replace"), sidecar, texts.__getitem__)
    found.faults += [Fault("report.md", f"{each.code}: {each.detail} ({each.sentence[:80]})") for each in problems]
    found.sentences = sum(bool(sentence.spans) for sentence in sidecar.sentences)
    found.sources = len(sidecar.sources)


def _first_difference(left: str, right: str) -> int:
    pairs = zip(left.splitlines(), right.splitlines(), strict=False)
    return next((number for number, (one, other) in enumerate(pairs, 1) if one != other), 1 + right.count("\n"))


def _check_bill(members: dict[str, bytes], found: Verified) -> None:
    """Check the ledger's hashes, and that what was charged is what was metered, within what was held."""
    entries = _parsed(members, "ledger.json", _ENTRIES, found)
    usage = _parsed(members, "usage.json", _USAGE, found)
    record = _parsed(members, "run.json", RunRecord, found)
    found.run_id, found.entries = record.run.id, len(entries)
    found.faults += [Fault("ledger.json", detail) for detail in _chained(entries, record.run.id)]
    found.faults += [Fault("ledger.json", detail) for detail in _misdirected(entries)]
    keys = [each.operation_key for each in usage]
    if len(keys) != len(set(keys)):
        found.faults.append(Fault("usage.json", "A call was metered twice."))
    if any(each.amount_pcr < 0 for each in usage):
        found.faults.append(Fault("usage.json", "A call cost less than nothing."))
    moved = _moved(entries)
    for attempt in sorted(moved.keys() | {each.attempt for each in usage}):
        amounts, metered = moved[attempt], sum(each.amount_pcr for each in usage if each.attempt == attempt)
        delivered = attempt == record.run.attempt
        found.faults += [Fault("ledger.json", detail) for detail in _settled(attempt, amounts, metered, delivered)]
    totals = {kind: sum(amounts[kind] for amounts in moved.values()) for kind in _KINDS}
    if totals["refund"] > totals["charge"]:
        found.faults.append(Fault("ledger.json", "More was refunded than charged."))
    bill = record.bill
    if (bill.held_ucr, bill.charged_ucr, bill.released_ucr, bill.refunded_ucr) != tuple(totals.values()):
        found.faults.append(Fault("run.json", "The bill is not the ledger's."))
    if list(map(_line_of, bill.lines)) != list(map(_line_of_entry, entries)):
        found.faults.append(Fault("run.json", "The lines of the bill are not the ledger's."))
    if record.document != read_report(members["report.md"].decode("utf-8", "replace")):
        found.faults.append(Fault("run.json", "Its document is not the report."))
    found.charged_ucr = totals["charge"] - totals["refund"]


_KINDS = ("hold", "charge", "release", "refund")


def _chained(entries: Sequence[PackedEntry], run_id: str) -> Iterator[str]:
    for entry in entries:
        if link_hash(Log.LEDGER, entry.link, bytes.fromhex(entry.previous)).hex() != entry.hash:
            yield f"Entry {entry.field('version')} does not hash to what it carries."
        if entry.field("run_id") != run_id:
            yield f"Entry {entry.field('version')} is not this run's."


_DIRECTIONS = {"hold": (0, 1), "charge": (-1, -1), "release": (0, -1), "expire": (0, -1), "refund": (1, 0)}
"""Which way each kind of entry moves what is posted and what is held: `schema/tables/billing.py: deltas_fit_type`."""


def _misdirected(entries: Sequence[PackedEntry]) -> Iterator[str]:
    for entry in entries:
        posted, held = entry.number("posted_delta_ucr"), entry.number("held_delta_ucr")
        ways = _DIRECTIONS.get(str(entry.field("type")))
        if ways is None:
            yield f"Entry {entry.field('version')} is a {entry.field('type')}, which no run has."
        elif (_sign(posted), _sign(held)) != ways or (entry.field("type") == "charge" and posted != held):
            yield f"Entry {entry.field('version')}, a {entry.field('type')}, moves credits the wrong way."


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _line_of(line: RecordedLine) -> tuple[object, ...]:
    return (line.sequence_number, line.type, line.amount_ucr, line.attempt, line.description)


def _line_of_entry(entry: PackedEntry) -> tuple[object, ...]:
    amount = entry.number("posted_delta_ucr") or entry.number("held_delta_ucr")
    attempt = entry.number("attempt") if entry.field("attempt") is not None else None
    return (entry.number("version"), entry.field("type"), amount, attempt, entry.field("description") or "")


def _moved(entries: Sequence[PackedEntry]) -> dict[int, Counter[str]]:
    """Return what the entries of each attempt moved by kind, in micro-credits; what expired was released."""
    moved: dict[int, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        kind = "release" if entry.field("type") == "expire" else str(entry.field("type"))
        moved[entry.number("attempt")][kind] += abs(entry.number("posted_delta_ucr") or entry.number("held_delta_ucr"))
    return moved


def _settled(attempt: int, amounts: Counter[str], metered_pcr: int, delivered: bool) -> Iterator[str]:
    """Tell what is wrong with an attempt's money; one that held nothing has used nothing."""
    if not amounts["hold"]:
        if amounts["charge"] or amounts["release"] or metered_pcr:
            yield f"Attempt {attempt}: it was charged, released or used without a hold."
        return
    if amounts["hold"] != amounts["charge"] + amounts["release"]:
        yield f"Attempt {attempt}: what was held is not what was charged and released."
    due = capture_ucr(metered_pcr, amounts["hold"])
    if amounts["charge"] != due and (delivered or amounts["charge"]):
        yield f"Attempt {attempt}: {amounts['charge']} micro-credits were charged, {due} were due for what was metered."


def main() -> int:
    """Verify packs and say what was found; `swissbrain verify` becomes this. Status 1: something is wrong."""
    parser = argparse.ArgumentParser(
        prog="swissbrain verify",
        description="Check replay packs (exports as zip) without any server: every byte, the report made anew, every "
        "citation, the bill.",
    )
    parser.add_argument("packs", nargs="+", type=Path, metavar="PACK", help="A file that was exported as zip.")
    parser.add_argument("--json", action="store_true", help="One line of JSON per pack, for programs.")
    given = parser.parse_args()
    wrong = 0
    for path in given.packs:
        try:
            found = verify_pack(path.read_bytes())
        except OSError as error:
            parser.error(f"{path} cannot be read: {error.strerror}")
        wrong += bool(found.faults)
        told = {**vars(found), "faults": [vars(fault) for fault in found.faults], "path": str(path)}
        sys.stdout.write((json.dumps(told) if given.json else _told(path, found)) + "\n")
    return 1 if wrong else 0


def _plain(text: str) -> str:
    """Return what a pack says on one line, without what moves a terminal's cursor or cannot be written."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _told(path: Path, found: Verified) -> str:
    if found.faults:
        lines = [f"  {_plain(fault.member)}: {_plain(fault.detail)}" for fault in found.faults]
        return "\n".join([f"BROKEN {path} ({_plain(found.run_id) or 'unknown run'})", *lines])
    return (
        f"ok     {path} ({_plain(found.run_id)})\n"
        f"  {found.members} members as written; the report made anew is the same, byte for byte\n"
        f"  {found.sentences} cited sentences shown by {found.sources} sources\n"
        f"  {found.entries} ledger entries hash right, {ucr_to_credits(found.charged_ucr)} credits charged as metered\n"
        f"  SHA-256 of the pack {found.sha256}: compare it with `sha256` of the export"
    )


if __name__ == "__main__":
    raise SystemExit(main())
