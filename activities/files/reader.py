"""The seam between a file's workflow and what reads each kind of file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from activities.documents.builder import ExtractedDocument
from activities.documents.passages import PassageSpan
from schema.contracts.files import Portion


@dataclass(frozen=True)
class Source:
    """A file as its reader gets it: on this machine's disk, under a name that nobody chose."""

    path: Path
    name: str
    """As uploaded; a hint and a title, never a path."""
    mime: str
    """By its content."""
    size_bytes: int


@dataclass(frozen=True)
class Extent:
    """What a file is counted in, and the portions that it is read in."""

    unit: str
    """Of `schema/prices.py`."""
    amount: int
    portions: tuple[Portion, ...] = (Portion(number=1),)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON that the reader is given again for every portion."""


@dataclass(frozen=True)
class Blob:
    """A file that was made."""

    mime: str
    data: bytes


@dataclass(frozen=True)
class Reading:
    """What was read of one portion."""

    value: Mapping[str, Any]
    """JSON."""
    blobs: Mapping[str, Blob] = field(default_factory=dict)
    """By the name under which it may be downloaded."""


@dataclass(frozen=True)
class Assembled:
    """What a whole file came to."""

    result: Mapping[str, Any]
    """JSON: what `GET /files/ID/result` answers."""
    document: ExtractedDocument | None = None
    """The text by which runs find it; None: there is none in it."""
    passages: Sequence[PassageSpan] | None = None
    """As its text was split; None: it is split by its headings and pages."""
    blobs: Mapping[str, Blob] = field(default_factory=dict)
    """Beside those of the portions."""


class Reader(Protocol):
    """Reads one kind of file. Whatever it raises of the caller's errors is a refusal, and charges nothing."""

    version: str
    """Part of the key of kept readings: changed whenever the same file would be read otherwise."""

    async def inspect(self, source: Source) -> Extent:
        """Say what reading it takes.

        Raises:
            UnsupportedFormat, PayloadTooLarge, SourceUnavailable: it is not read, and why.
        """
        ...

    async def read(
        self,
        source: Source,
        facts: Mapping[str, Any],
        portion: Portion,
        progress: Callable[[float], None],
        first: Mapping[str, Any] | None = None,
    ) -> Reading:
        """Read one portion; the same content gives the same reading.

        Args:
            progress: told how much of it is done, 0..1.
            first: the value of portion 1, for a later one.

        Raises:
            UnsupportedFormat, PayloadTooLarge, SourceUnavailable: as `inspect`.
            SandboxUnavailable: no sandbox here is strong enough to open it.
        """
        ...

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Put the portions' values together, in their order."""
        ...
