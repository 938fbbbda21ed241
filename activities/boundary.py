"""The one boundary between activities and Temporal: heartbeats, log context, and errors.

An error of this product becomes an `ApplicationError` whose `type` is its code, retried as `schema/errors.py` says,
after a delay with full jitter that honours Retry-After. `CancelledError` passes untouched.
"""

import asyncio
import random
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from schema.errors import SwissbrainError, policy_of
from schema.policies import HEARTBEAT_EVERY, RETRY_ATTEMPTS_MODEL, RETRY_CAP, RETRY_INITIAL

log = structlog.get_logger(__name__)


def full_jitter(attempt: int, floor_s: float = 0.0) -> timedelta:
    """Return the delay before the next try: uniform in 0..min(cap, initial x 2^attempt), above `floor_s`.

    Full jitter spreads clients over the whole window, where a few percent would keep them in step (AWS architecture
    blog, "Exponential backoff and jitter"; measured in `defects.md` D61).
    """
    ceiling = min(RETRY_CAP.total_seconds(), RETRY_INITIAL.total_seconds() * 2.0 ** min(attempt, 30))
    return timedelta(seconds=floor_s + random.uniform(0, ceiling))


def is_worth_another_try(error: SwissbrainError, attempt: int, attempts_max: int) -> bool:
    """Tell whether an activity that failed at attempt number `attempt` (from 1) is tried again.

    A part of our own that is away is waited for. Anything else is given up at `attempts_max`, so that a dead provider
    or page ends a step and not the patience of a run; tries that a killed worker took count as well.
    """
    policy = policy_of(error)
    return policy.retryable and (policy.patient or attempt < attempts_max)


def to_application_error(error: SwissbrainError, attempt: int, attempts_max: int) -> ApplicationError:
    """Convert an error of this product, for attempt number `attempt` (from 1) of an activity."""
    policy, again = policy_of(error), is_worth_another_try(error, attempt, attempts_max)
    return ApplicationError(
        error.detail,
        error.facts,
        type=error.code,
        non_retryable=not again,
        next_retry_delay=full_jitter(attempt, error.retry_after_s or 0.0) if again else None,
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
        # Work that heartbeats calls others, and gives up on them; what only writes our own rows never does.
        attempts_max = RETRY_ATTEMPTS_MODEL if info.heartbeat_timeout else sys.maxsize
        with structlog.contextvars.bound_contextvars(
            workflow_id=info.workflow_id, activity=info.activity_type, activity_attempt=info.attempt
        ):
            try:
                return await super().execute_activity(input)
            except SwissbrainError as error:
                level = "info" if policy_of(error).expected else "warning"
                getattr(log, level)("activity refused", code=error.code, detail=error.detail)
                raise to_application_error(error, info.attempt, attempts_max) from error
            except Exception as error:
                if isinstance(error, ApplicationError) or info.attempt < attempts_max:
                    raise
                log.exception("activity failed for good")
                raise ApplicationError(repr(error), type="internal_error", non_retryable=True) from error
            finally:
                if beats is not None:
                    beats.cancel()
                    with suppress(asyncio.CancelledError):
                        await beats


async def _beat() -> None:
    """Heartbeat while the activity works: a cancel reaches it by this, and a dead worker is noticed by its absence.

    The first beat comes after the first interval, so that a short activity costs the server none.
    """
    while True:
        await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())
        activity.heartbeat()
