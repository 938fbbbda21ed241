"""Notes: what the run's log says of providers that failed or are missing, once per run and provider."""

from collections.abc import Iterable

from schema.contracts.tools import SourceNote
from schema.events import EventType
from schema.store import events
from schema.store.direct import Connection
from schema.store.events import NewEvent


async def note_degraded(connection: Connection, org_id: str, run_id: str, notes: Iterable[SourceNote]) -> None:
    """Write a line for each provider that the run has not noted yet. The caller holds the run's row lock."""
    by_provider = {note.provider: note for note in notes}
    lines = [
        NewEvent(
            EventType.SOURCE_DEGRADED,
            f"{note.provider} was not used for {note.kind.value} sources: {note.reason}",
            "warning",
            data={"provider": note.provider, "kind": note.kind.value, "reason": note.reason},
        )
        for note in by_provider.values()
    ]
    await events.append_new(connection, org_id, run_id, lines, by="provider")
