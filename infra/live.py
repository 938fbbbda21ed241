"""Wake-ups: "run R has new events", sent through Redis so that streams need not poll quickly.

Only a hint. The events are in PostgreSQL, and whoever waits here also polls there, slowly; so every failure of Redis
means "no wake-up", is logged once per outage, and reaches no caller.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from types import TracebackType

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

CHANNEL_PREFIX = "swissbrain:run:"
TIMEOUT_S = 1.0
OUTAGE_PAUSE_S = 2.0
"""After a failure, this long nothing is sent: a Redis that hangs must not slow every step of every run."""
POLL_S = 5.0

log = structlog.get_logger(__name__)


class Subscription:
    """Wake-ups of one run, as an asynchronous iterator.

    Yields at once, then on every wake-up, and after `poll_s` without one: read PostgreSQL each time, and nothing is
    missed. Several wake-ups while the reader is busy become one.
    """

    def __init__(self, live: "Live", run_id: str, poll_s: float) -> None:
        self._live = live
        self._run_id = run_id
        self._poll_s = poll_s
        self._woken = asyncio.Event()
        self._woken.set()

    async def __aenter__(self) -> "Subscription":
        self._live._join(self._run_id, self._woken)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live._leave(self._run_id, self._woken)

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        await self.wait(self._poll_s)

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a wake-up, `timeout_s` at most; tell whether one came."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Live:
    """Sends and receives wake-ups over one connection each.

    A process listens to the wake-ups of all runs and drops those that nobody here waits for: one subscription that
    always stands is simpler, and loses less, than one per open stream.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=15,
        )
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._down = False
        self._silent_until = 0.0

    async def publish(self, run_id: str) -> None:
        """Wake everybody who waits for the run's events, in every process. Never raises, never blocks for long."""
        if time.monotonic() < self._silent_until:
            return
        try:
            await self._redis.publish(CHANNEL_PREFIX + run_id, b"")
        except Exception as error:  # Whatever it is: a wake-up is never worth a failed step.
            self._failed(error)
        else:
            self._recovered()

    def subscribe(self, run_id: str, *, poll_s: float = POLL_S) -> Subscription:
        """Return the run's wake-ups: `async with live.subscribe(run_id) as wakes: async for _ in wakes: ...`."""
        return Subscription(self, run_id, poll_s)

    async def ping(self) -> None:
        """Ask Redis for an answer; the one method that raises (RedisError, OSError)."""
        await self._redis.ping()

    async def close(self) -> None:
        """Stop listening and close the connections."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    def _join(self, run_id: str, event: asyncio.Event) -> None:
        self._waiting[run_id].add(event)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="live-listener")

    def _leave(self, run_id: str, event: asyncio.Event) -> None:
        self._waiting[run_id].discard(event)
        if not self._waiting[run_id]:
            del self._waiting[run_id]

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except Exception as error:  # Whatever it is: the readers poll until it is over.
                self._failed(error)
                await asyncio.sleep(OUTAGE_PAUSE_S)

    async def _listen_once(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.psubscribe(CHANNEL_PREFIX + "*")
            while True:
                message = await pubsub.get_message(timeout=TIMEOUT_S * 10)
                if message is None:
                    continue
                self._recovered()
                if message["type"] == "psubscribe":
                    # What was sent before we listened, or while the connection was lost, is caught up now.
                    self._wake(*self._waiting)
                elif message["type"] == "pmessage":
                    self._wake(message["channel"].decode().removeprefix(CHANNEL_PREFIX))

    def _wake(self, *run_ids: str) -> None:
        for run_id in run_ids:
            for event in self._waiting.get(run_id, ()):
                event.set()

    def _failed(self, error: BaseException) -> None:
        self._silent_until = time.monotonic() + OUTAGE_PAUSE_S
        if not self._down:
            self._down = True
            log.warning("live.unavailable", error=type(error).__name__)

    def _recovered(self) -> None:
        if self._down:
            self._down = False
            log.info("live.recovered")
