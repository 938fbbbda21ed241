"""How many requests an API key, a session, an organisation or an address may send in a minute.

A sliding window, counted in Redis for all processes of a deployment. Without Redis each process counts for itself,
which lets through at most as many times the limit as there are processes; it is logged once per outage, and `/readyz`
says `degraded`.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

PREFIX = "swissbrain:requests"
WINDOW_S = 60
TIMEOUT_S = 0.5
OUTAGE_PAUSE_S = 5.0
"""After a failure of Redis, this long nothing is asked of it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Quota:
    """A limit, and whom it counts."""

    name: str
    """`key`, `organisation` or `address`; what the headers call it."""
    subject: str
    per_minute: int


@dataclass(frozen=True)
class Standing:
    """How a request stands with one of its limits."""

    quota: Quota
    admitted: bool
    remaining: int
    reset_s: int
    """Until more are available, seconds."""


class RequestLimits:
    """Counts requests. Never raises."""

    def __init__(self, redis_url: str | None = None) -> None:
        """Prepare; `redis_url` None: this process alone."""
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._redis: Redis | None = None
        self._silent_until = 0.0
        self._down = False
        if redis_url is not None:
            self._redis = Redis.from_url(
                redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
            )
            self._shared = SlidingWindowCounterRateLimiter(
                RedisStorage(
                    f"async+{redis_url}",
                    implementation="redispy",
                    key_prefix=PREFIX,
                    connection_pool=self._redis.connection_pool,  # type: ignore[arg-type]
                )
            )

    async def count(self, quotas: Sequence[Quota]) -> list[Standing]:
        """Count one request against each limit above zero (zero: none), and return how it stands with them."""
        counted = [quota for quota in quotas if quota.per_minute > 0]
        if self._shared is not None and time.monotonic() >= self._silent_until:
            try:
                standings = await asyncio.gather(*(_count(self._shared, quota) for quota in counted))
            except Exception as error:  # Whatever it is: a limit is kept by each process for itself then.
                if not self._down:
                    log.warning("request_limits.degraded", error=type(error).__name__)
                self._down, self._silent_until = True, time.monotonic() + OUTAGE_PAUSE_S
            else:
                if self._down:
                    log.info("request_limits.restored")
                self._down = False
                return standings
        return [await _count(self._local, quota) for quota in counted]

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()


def headers_of(standings: Sequence[Standing]) -> dict[str, str]:
    """Return `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-10 has them (RFC 9651)."""
    if not standings:
        return {}
    policies = (f'"{each.quota.name}";q={each.quota.per_minute};w={WINDOW_S}' for each in standings)
    states = (f'"{each.quota.name}";r={each.remaining};t={each.reset_s}' for each in standings)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


async def _count(limiter: SlidingWindowCounterRateLimiter, quota: Quota) -> Standing:
    item = RateLimitItemPerMinute(quota.per_minute)
    admitted = await limiter.hit(item, quota.name, quota.subject)
    stats = await limiter.get_window_stats(item, quota.name, quota.subject)
    reset_s = max(1 if not admitted else 0, math.ceil(stats.reset_time - time.time()))
    return Standing(quota, admitted, int(stats.remaining), reset_s)
