"""Trust in a web address by its domain: what the organisation set, else what is shipped, else its kind's. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from activities.research.addresses import suffixes_of

_FILE = Path(__file__).with_name("reputations.toml")


@dataclass(frozen=True)
class Shipped:
    """The reputations that come with this version."""

    version: str
    trust: Mapping[str, tuple[float, str]]
    """Domain -> (trust, what it is)."""


@lru_cache(maxsize=1)
def shipped() -> Shipped:
    """Read the shipped table; every entry has a reason."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    trust = {
        domain: (float(group["trust"]), str(group["reason"]))
        for group in data["suffixes"]
        for domain in group["domains"]
    }
    return Shipped(data["version"], trust)


def domain_trust(host: str, own: Mapping[str, tuple[float, str]] | None = None) -> tuple[float, str] | None:
    """Return the trust in a host and a sentence for it; None where no table knows it.

    The organisation's own word counts before the shipped one, a longer suffix before a shorter one.

    Args:
        own: domain -> (trust, note) of the organisation.
    """
    names = suffixes_of(host.lower().rstrip("."))
    for name in names:
        if own and name in own:
            trust, note = own[name]
            why = f" ({note})" if note else ""
            return trust, f"The organisation set the trust in {name} to {trust:.2f}{why}."
    table = shipped()
    for name in names:
        if name in table.trust:
            trust, reason = table.trust[name]
            return trust, f"{name} {reason}: {trust:.2f} (list {table.version})."
    return None
