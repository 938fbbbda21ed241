"""Passwords: which ones are taken, and Argon2id for what is kept of them.

Hashing costs 64 MiB and some 50 ms of a core (the second recommendation of RFC 9106, argon2-cffi's default), so that
few run at once, beside the event loop.
"""

import asyncio
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schema.errors import ValidationFailed
from schema.policies import PASSWORD_DISTINCT_MIN, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN

AT_ONCE = 2
_PRODUCT = "swissbrain"


def check_password(password: str, *, email: str, name: str = "") -> None:
    """Refuse a password that is too short, or made of what everybody knows of the account.

    Length and context, and no rule about kinds of characters: NIST SP 800-63B-4, 3.1.1.2.

    Raises:
        ValidationFailed: it says why.
    """
    length = len(_normal(password))
    if not PASSWORD_LENGTH_MIN <= length <= PASSWORD_LENGTH_MAX:
        raise ValidationFailed(
            f"A password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters. A few words do well.",
            field="password",
        )
    plain = _normal(password).casefold()
    if len(set(plain)) < PASSWORD_DISTINCT_MIN:
        raise ValidationFailed("The password repeats too few characters. A few words do well.", field="password")
    known = [part.casefold() for part in (email, email.partition("@")[0], *name.split(), _PRODUCT) if len(part) > 3]
    rest = plain
    for part in sorted(known, key=len, reverse=True):
        rest = rest.replace(part, "")
    if len(rest) < PASSWORD_LENGTH_MIN // 2:
        raise ValidationFailed("The password is mostly your address or name. Choose another.", field="password")


class Passwords:
    """Hashes and proves passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return what is kept of a password: Argon2id, in the PHC string format."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def prove(self, kept: str | None, password: str) -> bool:
        """Tell whether the password is the one; with nothing kept it takes as long, and is not."""
        if kept is None and self._nobodys is None:
            self._nobodys = await self.hash("nobody's password")
        async with self._turn:
            right = await asyncio.to_thread(self._verify, kept or self._nobodys or "", _normal(password))
        return right and kept is not None

    def is_stale(self, kept: str) -> bool:
        """Tell whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """Return one spelling of what looks the same, whichever keyboard typed it (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
