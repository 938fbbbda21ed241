"""A journal of model calls: what a call answered is kept while the work around it is not done yet.

Work that makes many calls may lose its worker in the middle. With a journal in its context, a repetition finds the
answers of the calls that were made, and only makes the rest. Where no journal is open, nothing is kept.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from schema.contracts.common import Tokens


@dataclass(frozen=True)
class Answered:
    """What one question was answered, and what it cost."""

    text: str | None
    """The usable answer, as JSON; None: there was none, after the repair as well. Of a draft, its text."""
    tokens: Tokens
    fault: str = ""
    """Why there was none, or what is wrong with a draft."""


class Journal(Protocol):
    """Keeps answers by the digest of what was asked."""

    async def find(self, digest: str) -> Answered | None:
        """Return what an earlier try of the same work was answered."""
        ...

    async def keep(self, digest: str, prompt: str, answered: Answered) -> None:
        """Keep an answer, and meter it; once per digest."""
        ...


_journal: ContextVar[Journal | None] = ContextVar("journal", default=None)


@contextmanager
def journalled(journal: Journal) -> Iterator[None]:
    """Keep the calls that are made within."""
    token = _journal.set(journal)
    try:
        yield
    finally:
        _journal.reset(token)


def journal() -> Journal | None:
    """Return the journal that is open here."""
    return _journal.get()


def digest_of(model: str, prompt: str, data: Sequence[str], values: Mapping[str, int | str]) -> str:
    """Return the identity of a call: the same question to the same model is the same call."""
    facts = json.dumps([model, prompt, list(data), dict(values)], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()
