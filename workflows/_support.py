"""What every workflow needs: queues, activity options, and reading a failure."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TemporalTimeout

with workflow.unsafe.imports_passed_through():
    from schema.errors import policy_of
    from schema.policies import (
        DATABASE_TIMEOUT,
        HEARTBEAT,
        RETRY_ATTEMPTS_LOST,
        RETRY_CAP,
        RETRY_INITIAL,
        TaskQueue,
    )

T = TypeVar("T")


def queue(name: TaskQueue) -> str:
    """Return the full name of a task queue: the workflow's own queue tells the deployment's prefix."""
    own = workflow.info().task_queue
    for known in sorted(TaskQueue, key=lambda item: -len(item.value)):
        if own.endswith(known.value):
            return own.removesuffix(known.value) + name.value
    return name.value


@dataclass(frozen=True)
class ActivityOptions:
    """Timeouts and retries of one kind of activity."""

    start_to_close: timedelta
    retry: RetryPolicy
    heartbeat: timedelta | None = None


def _retry(attempts: int) -> RetryPolicy:
    """Retry with backoff; the boundary of the activities sets the jittered delay, honouring Retry-After."""
    return RetryPolicy(
        initial_interval=RETRY_INITIAL, backoff_coefficient=2.0, maximum_interval=RETRY_CAP, maximum_attempts=attempts
    )


DATABASE = ActivityOptions(DATABASE_TIMEOUT, _retry(0))
"""Projection and money: tried for ever, since a failover must not fail a paid run."""


def model_options(timeout: timedelta) -> ActivityOptions:
    """Return the options of an activity that calls the reasoner; its boundary gives up failures of the model."""
    return ActivityOptions(timeout, _retry(RETRY_ATTEMPTS_LOST), HEARTBEAT)


def tool_options(timeout: timedelta, attempts: int = RETRY_ATTEMPTS_LOST) -> ActivityOptions:
    """Return the options of an activity that calls a tool; the activity records a failure of the tool as its result."""
    return ActivityOptions(timeout, _retry(attempts), HEARTBEAT)


@dataclass(frozen=True)
class Failure:
    """Why something failed, in this product's codes."""

    code: str
    detail: str
    retryable: bool


def failure_of(error: BaseException) -> Failure:
    """Read the innermost cause of an activity's or a child's failure."""
    cause: BaseException = error
    while isinstance(cause, (ActivityError, ChildWorkflowError)) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        code = cause.type or "internal_error"
        return Failure(code, cause.message, policy_of(code).retryable)
    if isinstance(cause, TemporalTimeout):
        return Failure("orchestrator_unavailable", "the work timed out", True)
    return Failure("internal_error", str(cause), False)


def timed_out(error: BaseException) -> bool:
    """Tell whether an activity ended because nothing was heard of it in time, or its worker was gone."""
    return isinstance(error, ActivityError) and isinstance(error.cause, TemporalTimeout)


def spent_of(error: BaseException) -> int | None:
    """Return what a failed agent says that it spent, in pico-credits; None when it could not say."""
    if isinstance(error, WorkflowAlreadyStartedError):
        return 0
    cause = error.cause if isinstance(error, ChildWorkflowError) else None
    said = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    return said if isinstance(said, int) else None


def is_cancelled(error: BaseException) -> bool:
    """Tell whether an exception is a cancellation, however it arrives."""
    return is_cancelled_exception(error)


async def to_the_end(work: Awaitable[T]) -> T:
    """Wait for work that no cancel of this execution may stop, and return what it came to."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
    return task.result()


async def wait_until(condition: Callable[[], bool], timeout: timedelta | None = None) -> bool:
    """Wait for a condition; False when `timeout` passed first."""
    try:
        await workflow.wait_condition(condition, timeout=timeout)
    except TimeoutError:
        return False
    return True
