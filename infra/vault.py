"""Envelope encryption of secrets that a tenant entrusts to us, such as a connector's tokens.

A master key of the deployment (`SWISSBRAIN_MASTER_KEYS`, or a key service that holds it) wraps a data key per
organisation; the data key seals each secret with AES-256-GCM (NIST SP 800-38D), a fresh 96-bit nonce each. Associated
data name organisation, row, column and data key: a ciphertext that is copied to another row, or to another tenant, does
not open. A new master key re-wraps the data keys and touches no secret. At most 2^32 secrets may be sealed per data key
(random nonces, SP 800-38D, 8.3): a new number makes a new one.

Plain text leaves this module as `SecretStr` only, and never goes into a log, a workflow or a prompt: activities take a
connector's id.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from infra.codec import NONCE_SIZE_BYTES, Keyring
from schema.errors import InvariantViolated
from schema.store import data_keys
from schema.tables.retention import DataKey

KEY_SIZE_BYTES = 32
_VERSION = b"\x01"


class Vault:
    """Seals and opens; holds the master keys, the newest of which wraps."""

    def __init__(self, keyring: Keyring) -> None:
        self._newest = keyring.newest
        self._masters = {key_id: AESGCM(key) for key_id, key in keyring.keys.items()}

    async def seal(self, session: AsyncSession, org_id: str, subject: str, column: str, secret: SecretStr) -> bytes:
        """Return the ciphertext of a secret of an organisation.

        Args:
            subject: id of the row that keeps it, for example a connector's.
            column: which of the row's secrets.
        """
        row = await data_keys.newest_key(session, org_id)
        if row is None:
            fresh = os.urandom(KEY_SIZE_BYTES)
            row = await data_keys.add_key(
                session, org_id, wrapped=self._wrap(org_id, 1, fresh), master_key_id=self._newest
            )
        nonce = os.urandom(NONCE_SIZE_BYTES)
        aad = _aad(org_id, subject, column, row.number)
        sealed = AESGCM(self._unwrap(row)).encrypt(nonce, secret.get_secret_value().encode(), aad)
        return _VERSION + row.number.to_bytes(4, "big") + nonce + sealed

    async def open(self, session: AsyncSession, org_id: str, subject: str, column: str, sealed: bytes) -> SecretStr:
        """Return the secret.

        Raises:
            InvariantViolated: it was sealed for another row, column or organisation, was altered, or its master key is
                not among the deployment's.
        """
        if sealed[:1] != _VERSION or len(sealed) < 5 + NONCE_SIZE_BYTES:
            raise InvariantViolated("This is no sealed secret.", subject=subject)
        number = int.from_bytes(sealed[1:5], "big")
        row = await data_keys.get_key(session, org_id, number)
        if row is None:
            raise InvariantViolated("The organisation has no key that could open this secret.", subject=subject)
        nonce, rest = sealed[5 : 5 + NONCE_SIZE_BYTES], sealed[5 + NONCE_SIZE_BYTES :]
        try:
            opened = AESGCM(self._unwrap(row)).decrypt(nonce, rest, _aad(org_id, subject, column, number))
        except InvalidTag:
            raise InvariantViolated("A secret does not open where it lies.", subject=subject) from None
        return SecretStr(opened.decode())

    async def rotate_data_key(self, session: AsyncSession, org_id: str) -> int:
        """Make another data key for an organisation, which seals from now on; returns its number."""
        before = await data_keys.newest_key(session, org_id)
        number = before.number + 1 if before is not None else 1
        wrapped = self._wrap(org_id, number, os.urandom(KEY_SIZE_BYTES))
        return (await data_keys.add_key(session, org_id, wrapped=wrapped, master_key_id=self._newest)).number

    async def rewrap(self, session: AsyncSession, org_id: str) -> int:
        """Wrap the organisation's data keys with the newest master key; no secret changes. Returns how many changed."""
        changed = 0
        for row in await data_keys.keys_not_of(session, org_id, self._newest):
            wrapped = self._wrap(org_id, row.number, self._unwrap(row))
            await data_keys.put_wrapped(session, org_id, row.number, wrapped=wrapped, master_key_id=self._newest)
            changed += 1
        return changed

    def _wrap(self, org_id: str, number: int, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_SIZE_BYTES)
        return nonce + self._masters[self._newest].encrypt(nonce, key, _key_aad(org_id, number, self._newest))

    def _unwrap(self, row: DataKey) -> bytes:
        master = self._masters.get(row.master_key_id)
        if master is None:
            raise InvariantViolated(
                f"The master key {row.master_key_id!r} is not among SWISSBRAIN_MASTER_KEYS.", org_id=row.org_id
            )
        nonce, wrapped = row.wrapped[:NONCE_SIZE_BYTES], row.wrapped[NONCE_SIZE_BYTES:]
        try:
            return master.decrypt(nonce, wrapped, _key_aad(row.org_id, row.number, row.master_key_id))
        except InvalidTag:
            raise InvariantViolated("A data key does not open where it lies.", org_id=row.org_id) from None


def _aad(org_id: str, subject: str, column: str, number: int) -> bytes:
    return "|".join(("secret", org_id, subject, column, str(number))).encode()


def _key_aad(org_id: str, number: int, master_key_id: str) -> bytes:
    return "|".join(("data-key", org_id, str(number), master_key_id)).encode()
