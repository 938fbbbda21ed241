"""The tool contract: what a tool says of itself, what it takes and returns."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from schema.contracts.common import Contract, ObjectRef
from schema.contracts.research import ConsideredSource, FoundItem, Passage, SourceKind


class Effect(StrEnum):
    """What a call of the tool does to the world."""

    READ = "read"
    """Reads what the organisation already has."""
    EGRESS = "egress"
    """Sends a request out of the platform."""
    WRITE = "write"
    """Changes something; never given to an agent that reads untrusted text."""


class ToolSpec(Contract):
    """What a tool says of itself; `GET /tools` shows it."""

    name: str
    """`noun.verb`."""
    version: str
    description: str
    input_schema: dict[str, Any]
    """JSON Schema of the arguments, strict (`additionalProperties: false`)."""
    output_schema: dict[str, Any]
    timeout_s: float
    cost_pcr: int
    """Price of one successful call, in pico-credits."""
    effect: Effect
    idempotent: bool
    """A repeat of the same call changes nothing and may be made after a crash."""


class SnapshotRef(Contract):
    """A text that was read in this call and is kept, content-addressed."""

    object: ObjectRef
    title: str
    uri: str
    kind: SourceKind
    document_id: str | None = None
    canonical_uri: str | None = None
    """Address that the page declares as its own (`rel=canonical`)."""


class SourceNote(Contract):
    """A provider that could not be asked, or did not answer: a line of the run's log, once per run and provider."""

    provider: str
    kind: SourceKind
    reason: str


class ToolOutput(Contract):
    """What a tool returns to the executor."""

    data: dict[str, Any] = Field(default_factory=dict)
    """Fits the tool's output schema; small (the text itself is in `passages`)."""
    passages: tuple[Passage, ...] = ()
    """What an agent can draw claims from, best first."""
    results: tuple[FoundItem, ...] = ()
    """What a search pointed to, best first."""
    notes: tuple[SourceNote, ...] = ()
    """Providers that failed on the way."""
    considered: tuple[ConsideredSource, ...] = ()
    """What a search found and left out, the best first, CONSIDERED_PER_SEARCH_MAX at most."""
    snapshots: tuple[SnapshotRef, ...] = ()
    """Stored before the call returns; a passage's source is one of them or one stored earlier."""
