"""Canaries: texts that nobody has a reason to repeat. Found in whatever common disguise, they show that data leaves.

Finding none proves nothing: a canary is an alarm, and the walls are the policy and the egress limits.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

_NOT_WORD = re.compile(r"[\W_]+")
_ALPHANUMERIC_MIN = 8
"""Letters and digits that a canary needs, to be looked for without what stands between them."""


def prompt_canary(secret: bytes) -> str:
    """Return the canary of the prompts: the same for every process of a deployment, and known to nobody outside."""
    return "cnr" + hmac.new(secret, b"swissbrain prompt canary", hashlib.sha256).hexdigest()[:24]


def texts_of(value: Any, *, keys: bool = True) -> Iterator[str]:
    """Return every string in a JSON value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if keys:
                yield str(key)
            yield from texts_of(inner, keys=keys)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner, keys=keys)


def carries(value: Any, canaries: Sequence[str]) -> bool:
    """Tell whether a text or JSON value carries a canary: plain, split up, reversed, percent-encoded, hex or base64."""
    # Values one after the other: a text that is split over arguments is one.
    return any(
        _any_carried(whole, canaries) for whole in ("".join(texts_of(value, keys=False)), " ".join(texts_of(value)))
    )


def _any_carried(whole: str, canaries: Sequence[str]) -> bool:
    # Twice: encoded within an encoding.
    plain = unicodedata.normalize("NFKC", unquote(unquote(whole)))
    squeezed = _NOT_WORD.sub("", plain).casefold()
    tight = re.sub(r"\s+", "", plain)
    return any(_carries(plain, squeezed, tight, canary) for canary in canaries if canary)


def _carries(plain: str, squeezed: str, tight: str, canary: str) -> bool:
    letters = _NOT_WORD.sub("", canary).casefold()
    if canary in plain or canary in plain[::-1]:
        return True
    if len(letters) >= _ALPHANUMERIC_MIN and (letters in squeezed or letters[::-1] in squeezed):
        return True
    return any(form in tight or form in squeezed for form in _encodings(canary))


def _encodings(canary: str) -> Iterator[str]:
    for text in (canary, canary[::-1]):
        raw = text.encode()
        yield raw.hex()
        yield raw.hex().upper()
        for offset in range(3):
            # Of base64 only the characters that depend on nothing but the canary, at each of three alignments.
            encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
            first = -(-offset * 8 // 6)
            last = (offset + len(raw)) * 8 // 6
            yield encoded[first:last]
            yield encoded[first:last].translate(str.maketrans("+/", "-_"))
        yield base64.b32encode(raw).decode().rstrip("=")[: len(raw) * 8 // 5]
