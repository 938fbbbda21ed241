"""The payload codec: what a workflow receives, answers or fails with is encrypted before it reaches Temporal.

AES-256-GCM (NIST SP 800-38D), a fresh 96-bit nonce per payload. The id of the key stands in the payload's metadata and
is authenticated with it, so a payload cannot be passed off as one of another key. Workflow and activity ids, failure
types, search attributes and queue names stay readable in Temporal: no tenant text goes there.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING = b"binary/encrypted"
"""Value of the `encoding` metadata: the name that Temporal's samples and UI use for encrypted payloads."""
KEY_ID = "encryption-key-id"
CIPHER = "encryption-cipher"
CIPHER_NAME = b"AES-256-GCM"
NONCE_SIZE_BYTES = 12


class UnknownPayloadKey(ValueError):
    """A payload was encrypted with a key that this process does not hold."""


class PayloadTampered(ValueError):
    """A payload does not decrypt: it was altered, or the key of this id is another one."""


@dataclass(frozen=True)
class Keyring:
    """Payload keys by id; `newest` encodes and every one decodes."""

    newest: str
    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read `id:base64,id2:base64`; raise ValueError, never showing a key, where an entry is unusable."""
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = entry.partition(":")
            if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", key_id):
                raise ValueError("a payload key's id must be 1 to 64 of A-Z a-z 0-9 _ . -")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise ValueError(f"payload key {key_id!r} is not base64") from None
            if len(key) != 32:
                raise ValueError(f"payload key {key_id!r} has {len(key)} bytes instead of 32")
            if key_id in keys:
                raise ValueError(f"payload key {key_id!r} stands twice")
            keys[key_id] = key
        if not keys:
            raise ValueError("no payload key given")
        return cls(next(iter(keys)), keys)

    @classmethod
    def generate(cls, key_id: str) -> str:
        """Return a fresh key in the form that `parse` reads."""
        return f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"


class EncryptionCodec(PayloadCodec):
    """Encrypts every payload with the newest key; passes payloads that are not encrypted through when decoding.

    The pass-through is for signals that an operator types into Temporal's command line, and for histories from before
    encryption was turned on. Such content is no more trusted than its sender: control messages carry none.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._newest = keyring.newest
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keyring.keys.items()}

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Encrypt each payload, its metadata included."""
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt each payload.

        Raises:
            UnknownPayloadKey: a payload's key id is not in the keyring.
            PayloadTampered: a payload does not authenticate.
        """
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._newest.encode()
        nonce = os.urandom(NONCE_SIZE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(
            metadata={"encoding": ENCODING, CIPHER: CIPHER_NAME, KEY_ID: key_id},
            data=nonce + sealed,
        )

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise UnknownPayloadKey(
                f"payload key {key_id.decode(errors='replace')!r} is not among SWISSBRAIN_PAYLOAD_KEYS "
                f"({', '.join(self._ciphers)})"
            )
        try:
            opened = cipher.decrypt(payload.data[:NONCE_SIZE_BYTES], payload.data[NONCE_SIZE_BYTES:], key_id)
        except (InvalidTag, ValueError):
            raise PayloadTampered(f"a payload of key {key_id.decode()!r} does not authenticate") from None
        return Payload.FromString(opened)
