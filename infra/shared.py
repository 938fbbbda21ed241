"""What the workers of a deployment share about the outside world: rates, and small facts that expire.

Both live in Redis, so that ten workers together stay within a provider's limit and learn of its failure once. Without
Redis each process counts and remembers for itself; no failure of Redis reaches a caller.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

PREFIX = "swissbrain:shared:"
TIMEOUT_S = 1.0
OUTAGE_PAUSE_S = 5.0
"""After a failure of Redis, this long nothing is asked of it."""
FACTS_MAX = 2_000
"""Facts that a process remembers by itself; the oldest go first."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Rate:
    """At most `count` calls in any `per_s` seconds, over all workers."""

    count: int
    per_s: int = 1

    def __str__(self) -> str:
        return f"{self.count}/{'' if self.per_s == 1 else self.per_s} s".replace("/ s", "/s")


class Shared:
    """Rates and facts of a deployment. Never raises."""

    def __init__(self, redis_url: str | None = None) -> None:
        """Prepare; `redis_url` None: this process alone."""
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._facts: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._silent_until = 0.0
        self._redis: Redis | None = None
        self._limiter: MovingWindowRateLimiter | None = None
        if redis_url is not None:
            self._redis = Redis.from_url(
                redis_url,
                retry=Retry(NoBackoff(), 0),
                decode_responses=True,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
            )
            self._limiter = MovingWindowRateLimiter(
                RedisStorage(
                    f"async+{redis_url}",
                    implementation="redispy",
                    key_prefix=f"{PREFIX}rate",
                    connection_pool=self._redis.connection_pool,  # type: ignore[arg-type]
                )
            )

    async def admit(self, name: str, rate: Rate) -> float:
        """Count one call; return 0 if it may be made now, else how many seconds to wait before asking again."""
        item = RateLimitItemPerSecond(rate.count, rate.per_s)
        if self._limiter is not None and self._is_up():
            try:
                return await _admit(self._limiter, item, name)
            except Exception as error:  # Whatever it is: a rate is kept by each process for itself then.
                self._failed(error)
        return await _admit(self._local, item, name)

    async def recall(self, key: str) -> str | None:
        """Return what was remembered, or None."""
        if self._redis is not None and self._is_up():
            try:
                found = await self._redis.get(PREFIX + key)
                return None if found is None else str(found)
            except (RedisError, OSError) as error:
                self._failed(error)
        value, until = self._facts.get(key, ("", 0.0))
        return value if time.monotonic() < until else None

    async def remember(self, key: str, value: str, for_s: float) -> None:
        """Remember a fact for a while."""
        self._facts[key] = (value, time.monotonic() + for_s)
        self._facts.move_to_end(key)
        while len(self._facts) > FACTS_MAX:
            self._facts.popitem(last=False)
        if self._redis is not None and self._is_up():
            try:
                await self._redis.set(PREFIX + key, value, px=max(1, int(for_s * 1000)))
            except (RedisError, OSError) as error:
                self._failed(error)

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()

    def _is_up(self) -> bool:
        return time.monotonic() >= self._silent_until

    def _failed(self, error: BaseException) -> None:
        if self._is_up():
            log.warning("shared.unavailable", error=type(error).__name__)
        self._silent_until = time.monotonic() + OUTAGE_PAUSE_S


async def _admit(limiter: MovingWindowRateLimiter, item: RateLimitItemPerSecond, name: str) -> float:
    if await limiter.hit(item, name):
        return 0.0
    stats = await limiter.get_window_stats(item, name)
    return max(0.1, stats.reset_time - time.time())
