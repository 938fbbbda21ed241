"""Checkpoints: where an organisation's chains stood, signed (Ed25519, RFC 8032) and kept in the object store.

A chain alone finds a changed entry. That the tail was cut, or the whole chain made anew, only a statement finds that
lies outside of the database's reach and that nobody without the key can make.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schema.chain import Anchor, Break, Finding, canonical_json

if TYPE_CHECKING:
    from infra.settings import Settings

_LABEL = b"swissbrain.checkpoint.1\n"
"""Signed before the document, so that a signature of ours over anything else is no checkpoint."""


def generate_signing_key(key_id: str) -> str:
    """Make a key in the form of `SWISSBRAIN_AUDIT_SIGNING_KEYS`."""
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    return f"{key_id}:{base64.b64encode(raw).decode()}"


@dataclass(frozen=True)
class Checkpoint:
    """Where an organisation's chains stood."""

    org_id: str
    number: int
    """From 1, without gaps."""
    audit_seq: int
    audit_hash: str
    """Hexadecimal."""
    ledger_version: int
    ledger_hash: str
    at: str
    """RFC 3339."""
    previous: str | None
    """SHA-256 of the checkpoint before, as it is stored."""
    cut: bool = False
    """The audit log may begin after `audit_seq`: what lies before was archived."""

    @property
    def key(self) -> str:
        """Return the checkpoint's key in the object store."""
        return f"{prefix_of(self.org_id)}{self.number:012d}.json"


def prefix_of(org_id: str) -> str:
    """Return what the keys of an organisation's checkpoints begin with."""
    return f"checkpoints/{org_id}/"


class Signer:
    """Signs checkpoints with one key, and verifies with every one it knows."""

    def __init__(
        self, private: Mapping[str, Ed25519PrivateKey], public: Mapping[str, Ed25519PublicKey] | None = None
    ) -> None:
        """Take the keys by their ids; the first private one signs."""
        self._private = dict(private)
        self._public = {**(public or {}), **{name: key.public_key() for name, key in private.items()}}

    @classmethod
    def from_settings(cls, settings: "Settings") -> Self:
        """Read the keys.

        Raises:
            ValueError: a key is not `id:base64` of 32 bytes.
        """
        secret = settings.audit_signing_keys.get_secret_value() if settings.audit_signing_keys else ""
        private = {name: Ed25519PrivateKey.from_private_bytes(raw) for name, raw in _keys(secret)}
        public = {
            name: Ed25519PublicKey.from_public_bytes(raw) for name, raw in _keys(settings.audit_verify_keys or "")
        }
        return cls(private, public)

    @property
    def can_sign(self) -> bool:
        """Tell whether there is a key to sign with."""
        return bool(self._private)

    @property
    def can_verify(self) -> bool:
        """Tell whether there is a key to verify with."""
        return bool(self._public)

    def public_keys(self) -> dict[str, str]:
        """Return the public keys by their ids, base64: what an auditor is given."""
        return {
            name: base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
            for name, key in self._public.items()
        }

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the signed document."""
        name, key = next(iter(self._private.items()))
        said = vars(checkpoint) | {"v": 1, "key_id": name}
        signature = key.sign(_LABEL + canonical_json(said).encode())
        return canonical_json(said | {"signature": base64.b64encode(signature).decode()}).encode()

    def read(self, document: bytes) -> Checkpoint | None:
        """Return what a document says; None unless one of our keys signed exactly that."""
        try:
            said: dict[str, Any] = json.loads(document)
            signature = base64.b64decode(said.pop("signature"), validate=True)
            self._public[said["key_id"]].verify(signature, _LABEL + canonical_json(said).encode())
            fields = {name: value for name, value in said.items() if name not in ("v", "key_id")}
            return Checkpoint(**fields) if said["v"] == 1 else None
        except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
            return None


def _keys(text: str) -> list[tuple[str, bytes]]:
    found = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, encoded = item.partition(":")
        raw = base64.b64decode(encoded, validate=True)
        if not name or len(raw) != 32:
            raise ValueError("a key of the audit log is `id:base64` of 32 bytes")
        found.append((name, raw))
    return found


def now() -> str:
    """Return the present time, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def sha256(document: bytes) -> str:
    """Return what the next checkpoint calls this one."""
    return hashlib.sha256(document).hexdigest()


@dataclass(frozen=True)
class Anchors:
    """What an organisation's checkpoints say, and what is wrong with them."""

    audit: list[Anchor]
    ledger: list[Anchor]
    cuts: dict[int, bytes]
    """Where the audit log may begin: the number of the last archived entry, and its hash."""
    findings: list[Finding]
    count: int


def read_anchors(signer: Signer, org_id: str, documents: Sequence[tuple[int, bytes]], known: int) -> Anchors:
    """Check an organisation's checkpoints against each other.

    Args:
        documents: number (of the key) and content, by rising number.
        known: the number of the newest one that the database says was stored.
    """
    found = Anchors([], [], {}, [], len(documents))
    previous: str | None = None
    number = 0

    def wrong(kind: Break, at: int, expected: str, was: str) -> None:
        found.findings.append(Finding("checkpoints", kind, org_id, at, expected, was))

    for at, document in documents:
        if at > number + 1:
            wrong(Break.CHECKPOINT_MISSING, number + 1, f"checkpoint {number + 1}", f"checkpoint {at}")
            previous = None
        read = signer.read(document)
        if read is None or (read.org_id, read.number) != (org_id, at):
            wrong(Break.CHECKPOINT_FORGED, at, "our signature", "another, or none")
        elif previous is not None and read.previous != previous:
            wrong(Break.CHECKPOINT_FORGED, at, f"behind {previous}", f"behind {read.previous}")
        else:
            found.audit.append(Anchor(read.audit_seq, bytes.fromhex(read.audit_hash), at))
            found.ledger.append(Anchor(read.ledger_version, bytes.fromhex(read.ledger_hash), at))
            if read.cut:
                found.cuts[read.audit_seq] = bytes.fromhex(read.audit_hash)
            number, previous = at, sha256(document)
            continue
        number, previous = at, None
    if known > number:
        wrong(Break.CHECKPOINT_MISSING, number + 1, f"checkpoints up to {known}", f"up to {number}")
    found.audit.sort(key=lambda anchor: anchor.seq)
    found.ledger.sort(key=lambda anchor: anchor.seq)
    return found
