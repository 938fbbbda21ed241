"""The activities of a run itself: the projection of its status, its settlement, and its long calls."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.workflow import ActivityCancellationType, ActivityHandle

with workflow.unsafe.imports_passed_through():
    from schema.contracts import run as contract
    from schema.contracts.run import BeginRunInput, SettleRunInput, SettleRunResult, TransitionRunInput
    from schema.policies import TaskQueue
    from schema.states import RunStatus

    from workflows._support import DATABASE, Failure, model_options, queue
    from workflows.attempt.state import Attempt, Stopped

_STATUS_ATTRIBUTE = SearchAttributeKey.for_keyword("RunStatus")
_FAILURE_ATTRIBUTE = SearchAttributeKey.for_keyword("FailureClass")

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Records:
    """Writes the attempt to PostgreSQL, in order, and calls its long activities, one at a time."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._projecting = asyncio.Lock()
        self._in_flight: ActivityHandle[Any] | None = None

    async def project(self, message: str, *, hold_ucr: int | None = None) -> None:
        """Write the status to PostgreSQL; one projection at a time, so that they leave in the order of their `seq`.

        With `hold_ucr` it is the attempt's first, which asserts that hold.
        """
        attempt = self._attempt
        async with self._projecting:
            if attempt.settlement is not None:
                return
            attempt.seq += 1
            fields = TransitionRunInput(
                **attempt.ref(),
                seq=attempt.seq,
                status=attempt.status,
                status_detail=attempt.detail,
                message=message,
                tries=attempt.tries,
                agents_paused=len(attempt.seats),
            )
            status = attempt.status
            workflow.upsert_search_attributes([_STATUS_ATTRIBUTE.value_set(status.value)])
            if hold_ucr is not None:
                begin = BeginRunInput(**fields.model_dump(), hold_ucr=hold_ucr)
                await self._record(contract.begin_run, begin, f"{status.value}")
            else:
                attempt.take_hold((await self._record(contract.transition_run, fields, f"{status.value}")).hold_ucr)
            attempt.shown = status

    async def settle(self, failure: Failure | None) -> SettleRunResult:
        """End the attempt: money and status in one transaction, tried until it is done."""
        attempt = self._attempt
        if failure is not None:
            status, message = RunStatus.FAILED, f"Run failed: {failure.detail}"
        elif attempt.cancelled():
            status, message = RunStatus.CANCELLED, f"Run cancelled: {attempt.cancel_reason}"
        else:
            status, message = RunStatus.COMPLETED, "Run completed"
        async with self._projecting:
            attempt.seq += 1
            result = await self._record(
                contract.settle_run,
                SettleRunInput(
                    **attempt.ref(),
                    seq=attempt.seq,
                    status=status,
                    error_code=failure.code if failure else None,
                    error_detail=failure.detail if failure else None,
                    message=message,
                ),
                f"settle: {status.value}",
            )
            attributes: list[Any] = [_STATUS_ATTRIBUTE.value_set(result.status.value)]
            if failure is not None:
                attributes.append(_FAILURE_ATTRIBUTE.value_set(failure.code))
            workflow.upsert_search_attributes(attributes)
            attempt.status, attempt.detail, attempt.shown = result.status, None, result.status
            attempt.settlement = result
            return result

    async def _record(self, activity: Callable[[_In], Awaitable[_Out]], input: _In, summary: str) -> _Out:
        return await workflow.execute_activity(
            activity,
            input,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=DATABASE.start_to_close,
            retry_policy=DATABASE.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )

    async def call(
        self, activity: Callable[[_In], Awaitable[_Out]], input: _In, timeout: timedelta, summary: str
    ) -> _Out:
        """Run one of the run's own long activities; a cancel reaches it, and is met at the next gate."""
        options = model_options(timeout)
        handle: ActivityHandle[_Out] = workflow.start_activity(
            activity,
            input,
            task_queue=queue(TaskQueue.AGENTS),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
        self._in_flight = handle
        try:
            return await handle
        except asyncio.CancelledError:
            if not self._attempt.cancelled():
                raise
            raise Stopped from None  # Cancelled before it was scheduled; the body itself is never cancelled.
        finally:
            self._in_flight = None

    def stop_call(self) -> None:
        """Cancel the long activity that is under way, if one is."""
        if self._in_flight is not None:
            self._in_flight.cancel()
