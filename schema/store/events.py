"""A run's log: gap-free sequence numbers, allocated under the run's row lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.errors import NotFound
from schema.events import EventType
from schema.store.direct import Connection, Statement
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


_APPEND_NEW = Statement(
    """
    with given as (
        select *
        from jsonb_to_recordset(:events) as given (place int, type text, level text, message text, agent_number int,
            data jsonb)
    ), fresh as (
        select given.*, row_number() over (order by place) as number
        from given
        where not exists (
            select 1 from run_events known
            where known.org_id = :org_id and known.run_id = :run_id and known.type = given.type
                and known.data -> cast(:by as text) = given.data -> cast(:by as text)
        )
    ), run as (
        update runs set event_seq = event_seq + (select count(*) from fresh)
        where org_id = :org_id and id = :run_id
        returning event_seq
    )
    insert into run_events (org_id, run_id, seq, type, level, message, agent_number, data)
    select :org_id, :run_id, run.event_seq - (select count(*) from fresh) + fresh.number, fresh.type, fresh.level,
        fresh.message, fresh.agent_number, fresh.data
    from run, fresh
    """
)


async def append_new(connection: Connection, org_id: str, run_id: str, events: Sequence[NewEvent], *, by: str) -> None:
    """Append those of `events` that the log does not have yet: of the same type, with the same `data[by]`.

    The caller's transaction holds the run's row lock from here to its end.
    """
    if not events:
        return
    rows = [
        {
            "place": place,
            "type": event.type.value,
            "level": event.level,
            "message": event.message,
            "agent_number": event.agent_number,
            "data": event.data,
        }
        for place, event in enumerate(events)
    ]
    await _APPEND_NEW.row(connection, {"org_id": org_id, "run_id": run_id, "events": rows, "by": by})


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
