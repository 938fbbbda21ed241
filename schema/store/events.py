"""A run's log: gap-free sequence numbers, allocated under the run's row lock."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.events import EventType
from schema.tables.runs import Run, RunEvent


@dataclass(frozen=True)
class NewEvent:
    """One line to append."""

    type: EventType
    message: str
    level: str = "info"
    agent_number: int | None = None
    data: dict[str, Any] | None = None


async def append(session: AsyncSession, org_id: str, run_id: str, *events: NewEvent) -> None:
    """Append `events` in order. The caller's transaction holds the run's row lock from here to its end.

    Raises:
        NotFound: the organisation has no such run.
    """
    if not events:
        return
    last = (
        await session.execute(
            update(Run)
            .where(col(Run.org_id) == org_id, col(Run.id) == run_id)
            .values(event_seq=col(Run.event_seq) + len(events))
            .returning(col(Run.event_seq))
            .execution_options(synchronize_session=False)
        )
    ).scalar_one_or_none()
    if last is None:
        raise NotFound(f"there is no run {run_id}")
    first = last - len(events) + 1
    await session.execute(
        insert(RunEvent),
        [
            {
                "org_id": org_id,
                "run_id": run_id,
                "seq": first + offset,
                "type": event.type.value,
                "level": event.level,
                "message": event.message,
                "agent_number": event.agent_number,
                "data": event.data,
            }
            for offset, event in enumerate(events)
        ],
    )


async def list_events(
    session: AsyncSession, org_id: str, run_id: str, *, after_seq: int = 0, limit: int = 100
) -> list[RunEvent]:
    """Return up to `limit` events with a sequence number above `after_seq`, in order."""
    rows = await session.execute(
        select(RunEvent)
        .where(RunEvent.org_id == org_id, RunEvent.run_id == run_id, RunEvent.seq > after_seq)
        .order_by(col(RunEvent.seq))
        .limit(limit)
    )
    return list(rows.scalars())


async def degraded_providers(session: AsyncSession, org_id: str, run_id: str) -> set[str]:
    """Return the providers of sources whose failure the run's log names already."""
    provider = col(RunEvent.data)["provider"].as_string()
    rows = await session.execute(
        select(provider).where(
            RunEvent.org_id == org_id,
            RunEvent.run_id == run_id,
            RunEvent.type == EventType.SOURCE_DEGRADED.value,
            provider.is_not(None),
        )
    )
    return set(rows.scalars())
