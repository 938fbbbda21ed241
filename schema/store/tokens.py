"""Secrets that are shown once: made, recognised, and kept as their SHA-256 only.

256 random bits need no slow hash. A token reads `PREFIX_<id>_<secret>_<checksum>`; the checksum (CRC-32, as GitHub's
tokens have) tells a mistyped or invented one without a look into the database.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_LENGTH = 43
"""Base62 characters: 256 bits."""


@dataclass(frozen=True)
class Token:
    """A token that somebody showed, taken apart; well-formed, and not yet proven."""

    id: str
    """32 hexadecimal digits, without a prefix."""
    digest: bytes
    """SHA-256 of the secret."""


def make(prefix: str, id: str) -> tuple[str, bytes]:
    """Make a token for `id` (its prefix is left out); return its text, kept nowhere, and the digest to keep."""
    secret = random_text(SECRET_LENGTH)
    body = f"{prefix}_{id.rpartition('_')[2]}_{secret}"
    return f"{body}_{checksum(body)}", digest(secret)


def parse(prefix: str, text: str) -> Token | None:
    """Take a token apart; None where it cannot be one of ours."""
    form = rf"{prefix}_(?P<id>[0-9a-f]{{32}})_(?P<secret>[0-9A-Za-z]{{{SECRET_LENGTH}}})_(?P<checksum>[0-9A-Za-z]{{6}})"
    found = re.fullmatch(form, text)
    if found is None or checksum(text.rpartition("_")[0]) != found["checksum"]:
        return None
    return Token(found["id"], digest(found["secret"]))


def digest(secret: str) -> bytes:
    """Return the SHA-256 of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def random_text(length: int) -> str:
    """Return random base62 characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def checksum(text: str) -> str:
    """Return the CRC-32 as six base62 characters."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits
