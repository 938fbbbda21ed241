"""The hash chains of the audit log and of the ledger: what is hashed, how a chain is walked, what a checkpoint says.

Pure. The database computes the same hashes when it inserts (migration 0007); this module is the second opinion, made
of nothing but the rows. Each entry's hash is SHA-256 over a label that names the form, a line feed, and its fields as
netstrings (`length in bytes:text,`, an absent one `-,`), the hash of the entry before it being the first.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

GENESIS = bytes(32)
"""What stands for the hash of the entry before the first."""


class Log(StrEnum):
    """What is chained."""

    AUDIT = "audit"
    LEDGER = "ledger"


class Break(StrEnum):
    """How a log differs from what was written."""

    ALTERED = "altered"
    """The entry does not hash to what it carries: it was changed, moved, or what stands before it was."""
    MISSING = "missing"
    """The entry is not there, and later ones are."""
    INSERTED = "inserted"
    """An entry that the log never gave a number: a second one of that number, or one beyond the head."""
    TRUNCATED = "truncated"
    """The entry and all after it are gone: the head, the balance or a checkpoint knows of them."""
    REWRITTEN = "rewritten"
    """The chain is whole, and not the one that a checkpoint was made of."""
    CHECKPOINT_MISSING = "checkpoint_missing"
    CHECKPOINT_FORGED = "checkpoint_forged"
    """The signature is not ours, or the checkpoint does not continue the one before."""


LEDGER_FIELDS = (
    *("org_id", "version", "id", "type", "posted_delta_ucr", "held_delta_ucr", "posted_after_ucr", "held_after_ucr"),
    *("run_id", "attempt", "hold_id", "reverses_id", "invoice_id", "idempotency_key", "fingerprint", "description"),
    *("details", "created_by", "created_at_us"),
)
"""What the fields of a ledger entry's link are, in their order."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    log: str
    """`audit`, `ledger` or `checkpoints`."""
    kind: Break
    org_id: str
    seq: int
    """Number of the first broken entry (or checkpoint), as far as it can be told."""
    expected: str
    found: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {"log": self.log, "kind": self.kind.value, "seq": self.seq, "expected": self.expected} | {
            "found": self.found,
            "org_id": self.org_id,
        }


@dataclass(frozen=True)
class Link:
    """One entry as it was read."""

    seq: int
    form: int
    fields: tuple[str | None, ...]
    """Every hashed field as text, without the hash of the entry before."""
    hash: bytes


def link_hash(log: Log, link: Link, previous: bytes) -> bytes:
    """Return the hash that `link` must carry behind an entry with the hash `previous`."""
    digest = hashlib.sha256(f"swissbrain.{log.value}.{link.form}\n".encode())
    for text in (previous.hex(), *link.fields):
        encoded = None if text is None else text.encode()
        digest.update(b"-," if encoded is None else b"%d:%s," % (len(encoded), encoded))
    return digest.digest()


@dataclass(frozen=True)
class Anchor:
    """A point of the chain that is known from outside of the database."""

    seq: int
    hash: bytes
    checkpoint: int


@dataclass
class Walk:
    """Follows one organisation's chain from its start, and keeps the first break."""

    log: Log
    org_id: str
    anchors: Sequence[Anchor] = ()
    """By rising `seq`."""
    seq: int = 0
    """The last entry that holds; at first, the one before the first."""
    hash: bytes = GENESIS
    broken: Finding | None = None
    count: int = 0
    _next_anchor: int = field(default=0, repr=False)
    _anchored: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        """Look at anchors that lie before the first entry, too."""
        self._anchored = self.seq
        while self._next_anchor < len(self.anchors) and self.anchors[self._next_anchor].seq < self.seq:
            self._next_anchor += 1
        self._meet_anchors()

    def follow(self, links: Iterable[Link]) -> None:
        """Take the next entries, by rising number; none is looked at after a break."""
        for link in links:
            if self.broken is not None:
                return
            self.count += 1
            expected = link_hash(self.log, link, self.hash)
            if link.seq > self.seq + 1:
                self._break(Break.MISSING, self.seq + 1, f"entry {self.seq + 1}", f"entry {link.seq}")
            elif link.seq <= self.seq:
                self._break(Break.INSERTED, link.seq, f"entry {self.seq + 1}", f"another entry {link.seq}")
            elif link.hash != expected:
                self._break(Break.ALTERED, link.seq, expected.hex(), link.hash.hex())
            else:
                self.seq, self.hash = link.seq, link.hash
                self._meet_anchors()

    def end(self, head_seq: int, head_hash: bytes | None) -> None:
        """Compare the end of the chain with the head (its number, and its hash where one is kept) and the anchors."""
        if self.broken is not None:
            return
        if head_seq > self.seq:
            self._break(Break.TRUNCATED, self.seq + 1, f"entries up to {head_seq}", f"entries up to {self.seq}")
        elif self._next_anchor < len(self.anchors):
            anchor = self.anchors[-1]
            self._break(
                Break.TRUNCATED,
                self.seq + 1,
                f"entries up to {anchor.seq} (checkpoint {anchor.checkpoint})",
                f"entries up to {self.seq}",
            )
        elif head_seq < self.seq:
            self._break(Break.INSERTED, head_seq + 1, f"entries up to {head_seq}", f"entries up to {self.seq}")
        elif head_hash is not None and head_hash != self.hash:
            self._break(Break.ALTERED, self.seq, f"{head_hash.hex()} (head)", self.hash.hex())

    def _meet_anchors(self) -> None:
        while self._next_anchor < len(self.anchors) and self.anchors[self._next_anchor].seq == self.seq:
            anchor = self.anchors[self._next_anchor]
            if anchor.hash != self.hash:
                expected = f"{anchor.hash.hex()} at entry {anchor.seq} (checkpoint {anchor.checkpoint})"
                self._break(Break.REWRITTEN, self._anchored + 1, expected, self.hash.hex())
                return
            self._anchored = self.seq
            self._next_anchor += 1

    def _break(self, kind: Break, seq: int, expected: str, found: str) -> None:
        self.broken = Finding(self.log.value, kind, self.org_id, seq, expected, found)


def canonical_json(value: Any) -> str:
    """Return JSON in one spelling: sorted keys, no white space, no NUL (which PostgreSQL's text cannot hold)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, default=str)
    return text.replace("\\u0000", "\\ufffd")
