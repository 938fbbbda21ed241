"""Packs that were made up as a whole, manifest and seal too: what they claim must follow; nothing crashes."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activities.deliverables import verifying
from activities.deliverables.pack import FORMAT, VERSION, PackedUsage, made_by, sealed, write_pack
from activities.deliverables.reading import read_report
from activities.deliverables.verifying import verify_pack
from activities.research.citations import render_again
from infra.archive import write_zip
from schema.chain import GENESIS, LEDGER_FIELDS, Link, Log, link_hash
from schema.contracts.deliverables import Bill, RecordedLine, ReportInputs, RunRecord
from schema.contracts.research import Brief, Report, Section, Sentence
from tests.support.making import claim_of
from tests.support.records import made_record

TEXT = "The Zephyr-9 engine produces 420 kW at sea level. It was introduced in May 2021 by Rolls."
CLAIM = claim_of(TEXT, "The Zephyr-9 engine produces 420 kW at sea level.", title="Engine")
INPUTS = ReportInputs(
    report=Report(
        title="Engines",
        sections=(
            Section(title="Executive summary", paragraphs=((Sentence(text=CLAIM.text, claim_ids=(CLAIM.id,)),),)),
        ),
    ),
    claims=(CLAIM,),
    brief=Brief(task="Which engine?"),
    conflicts=0,
    sources_read=1,
)
Moved = tuple[str, int, int, int]
"""(type, attempt, posted, held), in micro-credits."""
FINE: list[Moved] = [("hold", 1, 0, 50), ("charge", 1, -20, -20), ("release", 1, 0, -30)]
USED = [(1, 20_000_000)]
"""(attempt, pico-credits)."""


def pack(moved: list[Moved], used: list[tuple[int, int]], attempt: int = 1) -> bytes:
    """Make the pack of a run that moved and used this."""
    base = made_record(1)
    run = base.run.model_copy(update={"attempt": attempt})
    ledger, before = list[tuple[Link, bytes]](), GENESIS
    lines = list[RecordedLine]()
    for number, (kind, of_attempt, posted, held) in enumerate(moved, 1):
        facts: dict[str, Any] = {"org_id": "org_1", "version": number, "type": kind, "run_id": run.id}
        facts |= {"posted_delta_ucr": posted, "held_delta_ucr": held, "attempt": of_attempt}
        fields = tuple(None if facts.get(name) is None else str(facts[name]) for name in LEDGER_FIELDS)
        link = Link(number, 1, fields, b"")
        link = Link(number, 1, fields, link_hash(Log.LEDGER, link, before))
        ledger.append((link, before))
        before = link.hash
        lines.append(
            RecordedLine(
                sequence_number=number,
                type=kind,
                amount_ucr=posted or held,
                description="",
                created_at=run.completed_at,
                attempt=of_attempt,
            )
        )

    def total(*kinds: str) -> int:
        return sum(abs(posted or held) for kind, _, posted, held in moved if kind in kinds)

    rendered = render_again(INPUTS, lambda sha256: TEXT)
    bill = Bill(
        held_ucr=total("hold"),
        charged_ucr=total("charge"),
        released_ucr=total("release", "expire"),
        refunded_ucr=total("refund"),
        lines=tuple(lines),
    )
    document = read_report(rendered.markdown)
    record = base.model_copy(update={"run": run, "bill": bill, "document": document, "sources": (), "log": ()})
    return write_pack(
        record,
        report=rendered.markdown.encode(),
        citations=rendered.sidecar.model_dump_json().encode(),
        inputs=INPUTS,
        snapshots={CLAIM.source.snapshot_sha256: TEXT.encode()},
        ledger=ledger,
        usage=[
            PackedUsage(
                operation_key=f"op{number}",
                attempt=of_attempt,
                kind="model",
                item="m",
                input_tokens=1,
                output_tokens=1,
                calls=1,
                amount_pcr=amount_pcr,
                price_version="1",
            )
            for number, (of_attempt, amount_pcr) in enumerate(used)
        ],
    )


def forged(changes: dict[str, Callable[[bytes], bytes]]) -> bytes:
    """Change members of a sound pack, and write manifest and seal anew."""
    archive = zipfile.ZipFile(io.BytesIO(pack(FINE, USED)))
    members = {info.filename: archive.read(info) for info in archive.infolist() if info.filename != "manifest.json"}
    for name, change in changes.items():
        members[name] = change(members[name])
    head = {"format": FORMAT, "version": VERSION, "made_by": made_by(), "run_id": made_record(1).run.id}
    return sealed(write_zip(members.items(), head))


@pytest.mark.parametrize(
    ("moved", "used", "attempt"),
    [
        (FINE, USED, 1),
        (
            [("hold", 1, 0, 50), ("hold", 1, 0, 50), ("charge", 1, -70, -70), ("release", 1, 0, -30)],
            [(1, 70_000_000)],
            1,
        ),
        (
            [("hold", 1, 0, 50), ("release", 1, 0, -50), *((k, 2, p, h) for k, _, p, h in FINE)],
            [(1, 9), (2, USED[0][1])],
            2,
        ),
        ([("hold", 1, 0, 50), ("expire", 1, 0, -50), *((k, 2, p, h) for k, _, p, h in FINE)], [(2, USED[0][1])], 2),
        ([*FINE, ("refund", 1, 5, 0)], USED, 1),
        ([("hold", 1, 0, 50), ("release", 1, 0, -50)], [], 1),
        ([("hold", 1, 0, 50), ("charge", 1, -50, -50)], [(1, 50_000_000)], 1),
    ],
    ids=["plain", "raised", "retried", "expired", "refunded", "free", "spent"],
)
def test_the_pack_of_every_kind_of_run_verifies(moved: list[Moved], used: list[tuple[int, int]], attempt: int) -> None:
    assert verify_pack(pack(moved, used, attempt)).faults == []


@pytest.mark.parametrize(
    ("moved", "used", "why"),
    [
        ([("charge", 1, -900, 0)], [], "without a hold"),
        ([("release", 1, 0, -9)], [], "without a hold"),
        ([], USED, "without a hold"),
        ([("hold", 1, 0, 50), ("charge", 1, 20, 20), ("release", 1, 0, -30)], USED, "wrong way"),
        ([("hold", 1, 0, 50), ("charge", 1, -20, -20), ("release", 1, 0, 30)], USED, "wrong way"),
        ([*FINE, ("refund", 1, -5, 0)], USED, "wrong way"),
        ([*FINE, ("gift", 1, -500, 0)], USED, "no run has"),
    ],
    ids=["no hold", "release alone", "no entries", "charge pays", "release holds", "refund takes", "unknown"],
)
def test_a_made_up_bill_is_found(moved: list[Moved], used: list[tuple[int, int]], why: str) -> None:
    faults = verify_pack(pack(moved, used)).faults
    assert any(fault.member == "ledger.json" and why in fault.detail for fault in faults), faults


def test_use_that_is_less_than_nothing_is_found() -> None:
    faults = verify_pack(pack(FINE, [(1, 5_020_000_000), (1, -5_000_000_000)])).faults
    assert [fault.member for fault in faults] == ["usage.json"]


def _record(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        value = json.loads(content)
        change(value)
        return RunRecord.model_validate(value).model_dump_json().encode()

    return changed


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda value: value["document"]["parts"][0]["blocks"][0]["sentences"][0].update(text="9 kW."), "report"),
        (lambda value: value["document"].update(title="Another"), "report"),
        (lambda value: value["bill"]["lines"][1].update(amount_ucr=-7), "ledger"),
        (lambda value: value["bill"].update(lines=[]), "ledger"),
    ],
    ids=["sentence", "title", "line", "no lines"],
)
def test_a_record_that_says_something_else_is_found(change: Callable[[dict[str, Any]], Any], why: str) -> None:
    faults = verify_pack(forged({"run.json": _record(change)})).faults
    assert any(fault.member == "run.json" and why in fault.detail for fault in faults), faults


def _manifest(**changes: object) -> bytes:
    archive = zipfile.ZipFile(io.BytesIO(pack(FINE, USED)))
    members = {info.filename: archive.read(info) for info in archive.infolist()}
    members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | changes).encode()
    return zipped(members)


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sealed(target.getvalue())


def _entry(**changes: object) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps([json.loads(content)[0] | changes]).encode()


@pytest.mark.parametrize(
    "data",
    [
        zipped({"manifest.json": b"[" * 200_000}),
        _manifest(files=[{"name": "x", "size_bytes": float("inf"), "sha256": ""}]),
        _manifest(files=[{"name": "x", "size_bytes": float("nan"), "sha256": ""}]),
        _manifest(version=float("nan")),
        forged({"ledger.json": _entry(fields=["org"])}),
        forged({"ledger.json": _entry(fields=["x"] * len(LEDGER_FIELDS))}),
        forged({"ledger.json": _entry(hash="zz", previous="zz")}),
        forged({"report.md": lambda content: content.replace(b"[1]\n", b"[" + b"9" * 5_000 + b"]\n", 1)}),
        forged({"inputs.json": lambda content: content.replace(CLAIM.source.uri.encode(), b"http://[x")}),
        forged({"report.md": lambda content: b"\xff\xfe" + content}),
        forged({"run.json": lambda content: b"\xff\xfe" + content}),
    ],
    ids=[
        *("deep", "infinite", "nan", "version", "fields", "numbers", "hex", "digits", "address", "utf-8", "record"),
    ],
)
def test_what_cannot_be_read_is_a_fault_and_no_crash(data: bytes) -> None:
    assert verify_pack(data).faults


def test_members_together_may_not_be_larger_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of many large members is not unpacked."""
    monkeypatch.setattr(verifying, "PACK_BYTES_MAX", 3 * 1024**2)
    data = zipped({f"artifacts/{number}": bytes(1024**2) for number in range(5)})
    faults = verify_pack(data).faults
    assert [fault.member for fault in faults] == ["container"]
    assert "5,242,880 bytes" in faults[0].detail


def test_what_a_pack_says_does_not_write_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Names are foreign: no line of their own, no escape sequence, no character that cannot be written."""
    path = tmp_path / "run.zip"
    path.write_bytes(_manifest(files=[{"name": "a\nok     \x1b[2J\ud800", "size_bytes": 1, "sha256": ""}]))
    monkeypatch.setattr(sys, "argv", ["verify", str(path)])
    assert verifying.main() == 1
    lines = capfd.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(("BROKEN", "  "))] == []
    assert "\x1b" not in "".join(lines)
