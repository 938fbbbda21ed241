"""Notes: what the run's log says of providers that failed or are missing, once per run and provider."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from schema.contracts.tools import SourceNote
from schema.events import EventType
from schema.store import events
from schema.store.events import NewEvent


async def note_degraded(session: AsyncSession, org_id: str, run_id: str, notes: Iterable[SourceNote]) -> None:
    """Write a line for each provider that the run has not noted yet. The caller holds the run's row lock."""
    by_provider = {note.provider: note for note in notes}
    if not by_provider:
        return
    known = await events.degraded_providers(session, org_id, run_id)
    await events.append(
        session,
        org_id,
        run_id,
        *(
            NewEvent(
                EventType.SOURCE_DEGRADED,
                f"{note.provider} was not used for {note.kind.value} sources: {note.reason}",
                "warning",
                data={"provider": note.provider, "kind": note.kind.value, "reason": note.reason},
            )
            for note in by_provider.values()
            if note.provider not in known
        ),
    )
