"""A run's log as Server-Sent Events (WHATWG HTML, 9.2): resumable, gap-free, of any length.

The events are in PostgreSQL; a stream reads them in batches, each in a transaction of its own, and holds no
connection in between. A wake-up (`infra/live.py`) only makes the next read come sooner.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import structlog

from api.serialisation import encode
from infra.database import Database
from infra.live import Live
from schema.errors import CallerError, RateLimited, StorageUnavailable
from schema.policies import STREAM_BATCH, STREAM_PING, STREAM_POLL
from schema.states import TERMINAL, RunStatus
from schema.store import events, runs
from schema.tables.runs import RunEvent

log = structlog.get_logger(__name__)

RECONNECT_MS = 1000
"""How soon a client whose stream broke should come back."""


class StreamSlots:
    """Counts the open streams of each credential (API key or session) and organisation, in this process."""

    def __init__(self, per_key: int, per_organisation: int) -> None:
        self._limits = {"key": per_key, "organisation": per_organisation}
        self._open: Counter[tuple[str, str]] = Counter()

    def require(self, credential_id: str, org_id: str) -> None:
        """Refuse one stream too many.

        Raises:
            RateLimited: the credential or the organisation has as many streams open as it may have.
        """
        for whose, subject in (("key", credential_id), ("organisation", org_id)):
            limit = self._limits[whose]
            if self._open[whose, subject] >= limit:
                raise RateLimited(
                    f"This {whose} has {limit} streams open. Close one, or page through the log as JSON.",
                    retry_after_s=10,
                    limit=limit,
                    limit_of=whose,
                )

    async def counted(
        self, credential_id: str, org_id: str, frames: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """Pass `frames` on, and count the stream as open from its first frame to its end."""
        subjects = (("key", credential_id), ("organisation", org_id))
        self._open.update(subjects)
        try:
            async with aclosing(frames):
                async for part in frames:
                    yield part
        finally:
            self._open.subtract(subjects)
            for subject in subjects:
                if not self._open[subject]:
                    del self._open[subject]


class LogStream:
    """One open stream of one run's log."""

    def __init__(
        self,
        database: Database,
        live: Live,
        *,
        org_id: str,
        run_id: str,
        after_seq: int,
        still_allowed: Callable[[], Awaitable[object]],
    ) -> None:
        """Prepare a stream.

        Args:
            after_seq: number of the last event that the client has.
            still_allowed: asked with every ping; raises a CallerError when the key is no longer in force.
        """
        self._database, self._live = database, live
        self._org_id, self._run_id, self._seq = org_id, run_id, after_seq
        self._still_allowed = still_allowed

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield the stream's frames until the run has ended and its last event was sent."""
        yield f"retry: {RECONNECT_MS}\n\n".encode()
        sent_at = time.monotonic()
        async with self._live.subscribe(self._run_id) as wakes:
            while True:
                status, batch = await self._read()
                if batch:
                    yield b"".join(frame(event) for event in batch)
                    self._seq, sent_at = batch[-1].seq, time.monotonic()
                if len(batch) == STREAM_BATCH:
                    continue
                if status in TERMINAL:
                    yield f"event: end\ndata: {encode({'status': status, 'last_seq': self._seq})}\n\n".encode()
                    return
                if time.monotonic() - sent_at >= STREAM_PING.total_seconds():
                    if not await self._allowed():
                        return
                    yield b": ping\n\n"
                    sent_at = time.monotonic()
                await wakes.wait(STREAM_POLL.total_seconds())

    async def _read(self) -> tuple[RunStatus | None, list[RunEvent]]:
        """Read the status first, the events after it: the last event of a run that has ended is then among them."""
        try:
            async with self._database.transaction(self._org_id) as session:
                run = await runs.get_run(session, self._org_id, self._run_id)
                batch = await events.list_events(
                    session, self._org_id, self._run_id, after_seq=self._seq, limit=STREAM_BATCH
                )
                return RunStatus(run.status), batch
        except StorageUnavailable:
            # The stream outlives an outage of the database: nothing is lost, only late.
            await asyncio.sleep(STREAM_POLL.total_seconds())
            return None, []

    async def _allowed(self) -> bool:
        try:
            await self._still_allowed()
        except CallerError:
            return False
        except StorageUnavailable:
            return True
        return True


def frame(event: RunEvent) -> bytes:
    """Write one event; JSON has no raw line break, so one `data:` line is enough."""
    return f"id: {event.seq}\nevent: {event.type}\ndata: {encode(line(event))}\n\n".encode()


def line(event: RunEvent) -> dict[str, object]:
    """Return one line of the log, as JSON and stream show it."""
    return {
        "seq": event.seq,
        "timestamp": event.created_at,
        "level": event.level,
        "message": event.message,
        "type": event.type,
        "agent": event.agent_number,
        "data": event.data,
    }
