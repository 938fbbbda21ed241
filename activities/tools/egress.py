"""What may leave once an agent has read private text: how often, how much, and which words. Pure.

A search query is text of the model's own choosing, and goes to a provider that the operator chose: it may be asked for
what the task or anything public names. Private text is recognised by its words: figures and odd words must stand in
the task or in something public, and no three words in a row may come from private documents alone. What plain words
can still say is bounded by number and size.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from infra.addresses import check_url
from schema.errors import BlockedAddress
from schema.policies import (
    EGRESS_CALLS_AFTER_PRIVATE_MAX,
    EGRESS_COPIED_WORDS_MAX,
    EGRESS_NEW_WORDS_AFTER_PRIVATE_MAX,
    EGRESS_QUERY_AFTER_PRIVATE_BYTES_MAX,
    EGRESS_TEXT_AFTER_PRIVATE_BYTES_MAX,
    EGRESS_TEXT_AFTER_PRIVATE_BYTES_SUM,
)

URL = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_TRAILING = ".,;:!?)]*_~"
_WORD = re.compile(r"\w+")
_PLAIN_WORD_LENGTH_MAX = 15


@dataclass(frozen=True)
class Vocabulary:
    """What an agent was told and has read, as far as it bears on what may leave."""

    open: tuple[str, ...]
    """The task, its context, the question, and everything public that was read."""
    private: tuple[str, ...]

    @cached_property
    def open_text(self) -> str:
        """Return the open texts, normalised, one after the other."""
        return f" {' '.join(' '.join(words(text)) for text in self.open)} "

    @cached_property
    def private_runs(self) -> frozenset[tuple[str, ...]]:
        """Return every run of words of the private texts, one longer than may be copied."""
        length = EGRESS_COPIED_WORDS_MAX + 1
        return frozenset(run for text in self.private for run in _runs(words(text), length))

    def is_open(self, phrase: Sequence[str]) -> bool:
        """Tell whether these words, in this order, stand in what is open."""
        return f" {' '.join(phrase)} " in self.open_text


@dataclass(frozen=True)
class Sent:
    """What left since the agent read private text."""

    calls: int = 0
    text_bytes: int = 0


def words(text: str) -> list[str]:
    """Return the words of a text, without case and without invisible characters."""
    shown = "".join(
        character
        for character in unicodedata.normalize("NFKC", text)
        if unicodedata.category(character) not in ("Cf", "Cc", "Co", "Cn") or character.isspace()
    )
    return _WORD.findall(shown.casefold())


def _runs(found: Sequence[str], length: int) -> Iterable[tuple[str, ...]]:
    return (tuple(found[start : start + length]) for start in range(len(found) - length + 1))


def addresses_in(text: str) -> list[str]:
    """Return the web addresses that stand in a text."""
    return [match.group().rstrip(_TRAILING) for match in URL.finditer(text)]


def addresses_of(argument: str) -> list[str]:
    """Return the addresses in one argument of a call: an argument that begins like one is one, to its last character.

    What a reader of prose takes for its end (a quotation mark, a bracket) a client sends along.
    """
    if argument.strip().casefold().startswith(("http:", "https:")):
        return [argument.strip()]
    return addresses_in(argument)


def same_address(url: str) -> str:
    """Return one spelling of an address, so that two can be compared; one that cannot be read stays as it is."""
    try:
        return str(check_url(url.partition("#")[0]))
    except BlockedAddress:
        return url.partition("#")[0]


def fault_of(texts: Sequence[str], urls: Sequence[str], vocabulary: Vocabulary, sent: Sent) -> tuple[str, str] | None:
    """Return (rule, detail) of what forbids a call that leaves, after private text was read; None: nothing.

    Args:
        texts: strings of the arguments that are no address.
        urls: addresses in the arguments; where each may lead to is decided elsewhere.
    """
    size = sum(len(text.encode()) for text in texts)
    if sent.calls >= EGRESS_CALLS_AFTER_PRIVATE_MAX:
        return "egress_calls", f"After private documents were read, {EGRESS_CALLS_AFTER_PRIVATE_MAX} calls may leave."
    if (
        size > EGRESS_TEXT_AFTER_PRIVATE_BYTES_MAX
        or sent.text_bytes + size > EGRESS_TEXT_AFTER_PRIVATE_BYTES_SUM
        or any(len(urlsplit(url).query.encode()) > EGRESS_QUERY_AFTER_PRIVATE_BYTES_MAX for url in urls)
    ):
        return "egress_bytes", "After private documents were read, so much text may not leave."
    fresh: set[str] = set()
    for text in texts:
        found = words(text)
        for run in _runs(found, EGRESS_COPIED_WORDS_MAX + 1):
            if run in vocabulary.private_runs and not vocabulary.is_open(run):
                return "private_text", "The text repeats a private document. Ask with the words of the question."
        fresh |= {word for word in found if not vocabulary.is_open([word])}
    if any(not word.isalpha() or len(word) > _PLAIN_WORD_LENGTH_MAX for word in fresh):
        return "private_text", (
            "A figure or an odd word stands neither in the task nor in anything public. Ask with the words of the "
            "question."
        )
    if len(fresh) > EGRESS_NEW_WORDS_AFTER_PRIVATE_MAX:
        return "private_text", "Too many words stand neither in the task nor in anything public."
    return None
