"""The one boundary between activities and Temporal: heartbeats, log context, and errors.

An error of this product becomes an `ApplicationError` whose `type` is its code, retried as `schema/errors.py` says,
after a delay with full jitter that honours Retry-After. `CancelledError` passes untouched.
"""

import asyncio
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from schema.errors import SwissbrainError, policy_of
from schema.policies import HEARTBEAT_EVERY, RETRY_CAP, RETRY_INITIAL

log = structlog.get_logger(__name__)


def full_jitter(attempt: int, floor_s: float = 0.0) -> timedelta:
    """Return the delay before the next try: uniform in 0..min(cap, initial x 2^attempt), above `floor_s`.

    Full jitter spreads clients over the whole window, where a few percent would keep them in step (AWS architecture
    blog, "Exponential backoff and jitter"; measured in `defects.md` D61).
    """
    ceiling = min(RETRY_CAP.total_seconds(), RETRY_INITIAL.total_seconds() * 2.0 ** min(attempt, 30))
    return timedelta(seconds=floor_s + random.uniform(0, ceiling))


def to_application_error(error: SwissbrainError, attempt: int) -> ApplicationError:
    """Convert an error of this product, for attempt number `attempt` (from 1) of an activity."""
    policy = policy_of(error)
    return ApplicationError(
        error.detail,
        error.facts,
        type=error.code,
        non_retryable=not policy.retryable,
        next_retry_delay=full_jitter(attempt, error.retry_after_s or 0.0) if policy.retryable else None,
        category=ApplicationErrorCategory.BENIGN if policy.expected else ApplicationErrorCategory.UNSPECIFIED,
    )


class Boundary(Interceptor):
    """Put every activity of a worker behind the boundary."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap one activity."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        beats = asyncio.create_task(_beat()) if info.heartbeat_timeout else None
        with structlog.contextvars.bound_contextvars(
            workflow_id=info.workflow_id, activity=info.activity_type, activity_attempt=info.attempt
        ):
            try:
                return await super().execute_activity(input)
            except SwissbrainError as error:
                level = "info" if policy_of(error).expected else "warning"
                getattr(log, level)("activity refused", code=error.code, detail=error.detail)
                raise to_application_error(error, info.attempt) from error
            finally:
                if beats is not None:
                    beats.cancel()
                    with suppress(asyncio.CancelledError):
                        await beats


async def _beat() -> None:
    """Heartbeat while the activity works: a cancel reaches it by this, and a dead worker is noticed by its absence."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())
