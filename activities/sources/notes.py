"""Notes: what the run's log says of providers that failed or are missing, once per run and provider."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from schema.contracts.tools import SourceNote
from schema.events import EventType
from schema.store import events
from schema.store.events import NewEvent


async def note_degraded(
    session: AsyncSession, org_id: str, run_id: str, notes: Iterable[SourceNote], agent_number: int | None = None
) -> None:
    """Write a line for each provider that the run has not noted yet. The caller holds the run's row lock."""
    notes = {note.provider: note for note in notes}.values()
    if not notes:
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
                agent_number,
                {"provider": note.provider, "kind": note.kind.value, "reason": note.reason},
            )
            for note in notes
            if note.provider not in known
        ),
    )
