"""Dead letters: how work that was given up is shown."""

from typing import Any, Literal

from pydantic import Field

from api.serialisation import Instant
from api.views.base import Listing, View
from schema.tables.runs import DeadLetter

DeadLetterKind = Literal["run", "agent", "document", "file"]
_OF_RUNS = ("run", "agent")
_READ = {"document": "documents", "file": "files"}


class DeadLetterView(View):
    """Work that was given up after its retries."""

    id: str
    kind: DeadLetterKind
    subject_id: str
    """What was given up: the run, the agent's workflow (`RUN/agent/N`), the document, or the file."""
    run_id: str | None
    error: dict[str, Any]
    """`code` and `detail` of what failed last."""
    created_at: Instant
    replayed_at: Instant | None
    """When its run was retried, or its document or file read again, by a replay or otherwise; null while nobody did."""
    links: dict[str, str] = Field(alias="_links")


class DeadLetterPage(Listing):
    """A page of dead letters, newest first."""

    dead_letters: list[DeadLetterView]


def is_replayable(letter: DeadLetter) -> bool:
    """Tell whether a replay has something to do again, once: a run to retry, or a document or file to read."""
    known = letter.kind in _READ or (letter.kind in _OF_RUNS and letter.run_id is not None)
    return known and letter.replayed_at is None


def dead_letter_view(letter: DeadLetter) -> DeadLetterView:
    """Show a dead letter."""
    links = {"run": f"/api/v1/runs/{letter.run_id}"} if letter.run_id else {}
    if letter.kind in _READ:
        links = {letter.kind: f"/api/v1/{_READ[letter.kind]}/{letter.subject_id}"}
    if is_replayable(letter):
        links["replay"] = f"/api/v1/dead-letters/{letter.id}/replay"
    return DeadLetterView(
        id=letter.id,
        kind=letter.kind,
        subject_id=letter.subject_id,
        run_id=letter.run_id,
        error=letter.error,
        created_at=letter.created_at,
        replayed_at=letter.replayed_at,
        links=links,
    )
