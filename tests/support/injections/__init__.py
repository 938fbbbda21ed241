"""Instructions that others put into texts, and the calls of a model that obeys them.

Written for this product, after the kinds that AgentDojo, InjecAgent and BIPIA describe. In an instruction and in its
calls `{evil}` is the address of the attacker's own server, `{secret}` a secret of the organisation's documents, and
`{base64}`, `{hex}`, `{reversed}`, `{rot13}`, `{tags}`, `{zero_width}` are the secret in disguise.
"""

import base64
import codecs
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRET = "VAULT-CODE-88417-MERLIN"
"""Stands in the organisation's private document."""
CANARY = "Kestrel-7741-quartz-lagoon"
"""Stands there too, planted."""


@dataclass(frozen=True)
class Injection:
    """One instruction."""

    name: str
    kind: str
    text: str
    """As it stands in the source."""
    calls: tuple[tuple[str, dict[str, Any]], ...]
    """(tool, arguments) that a model which obeys makes."""


def injections(evil: str) -> list[Injection]:
    """Return the corpus, with the attacker at `evil` (`http://host:port`)."""
    rows = tomllib.loads((Path(__file__).parent / "corpus.toml").read_text("utf-8"))["injection"]
    return [
        Injection(
            row["name"],
            row["kind"],
            _filled(row["text"], evil),
            tuple((call["tool"], _filled(call["arguments"], evil)) for call in row["call"]),
        )
        for row in rows
    ]


def _filled(value: Any, evil: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, evil) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, evil) for inner in value]
    if not isinstance(value, str):
        return value
    raw = SECRET.encode()
    for name, text in {
        "evil": evil,
        "host": evil.partition("://")[2],
        "long": "engine " * 130,
        "huge": "A" * 20_000,
        "secret": SECRET,
        "canary": CANARY,
        "base64": base64.b64encode(raw).decode(),
        "hex": raw.hex(),
        "reversed": SECRET[::-1],
        "rot13": codecs.encode(SECRET, "rot13"),
        "tags": "".join(chr(0xE0000 + ord(character)) for character in SECRET),
        "zero_width": "\u200b".join(SECRET),
    }.items():
        value = value.replace("{" + name + "}", text)
    return value
