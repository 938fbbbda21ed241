"""The IngestFile workflow: what a file is, its price held, its portions one after another, ready and charged.

    inspect -> begin (hold) -> read 1 .. n -> finish (charge) -> vectors
                     any refusal or failure -> fail (release)

A worker that dies in the middle of an hour-long recording loses the portion it was at: what came before stands in the
history, and in the object store. A cancel reaches the portion's child process by its heartbeat.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from schema.contracts import files as contract
    from schema.contracts.common import ObjectRef
    from schema.contracts.files import (
        BeginFileInput,
        FailFileInput,
        FileRef,
        FinishFileInput,
        FinishFileResult,
        IngestFileInput,
        IngestFileResult,
        ReadPortionInput,
        Refusal,
    )
    from schema.errors import policy_of
    from schema.policies import (
        FILE_FINISH_TIMEOUT,
        FILE_INSPECT_TIMEOUT,
        FILE_READ_TIMEOUT,
        FILE_TRIES,
        TaskQueue,
    )

    from workflows._support import DATABASE, failure_of, queue, timed_out, to_the_end, tool_options
    from workflows.ingest import embed_rest

InputT = TypeVar("InputT")
ResultT = TypeVar("ResultT")


@workflow.defn(name="IngestFile")
class IngestFileWorkflow:
    """Reads one file; workflow id = file id."""

    @workflow.run
    async def run(self, input: IngestFileInput) -> IngestFileResult:
        """Return what became of the file. A file that is refused is a result; one that was given up fails."""
        try:
            result = await self._ingest(input)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None:
                raise  # No cancel: the worker forgets this execution, which goes on elsewhere.
            await self._fail(input, Refusal(code="cancelled", detail="The reading was cancelled."))
            raise
        except ActivityError as error:
            if is_cancelled_exception(error):
                await self._fail(input, Refusal(code="cancelled", detail="The reading was cancelled."))
                raise
            failure = failure_of(error)
            if policy_of(failure.code).patient and not timed_out(error):
                raise  # Storage is away: the reconciler starts this again.
            detail = f"The file could not be read in {FILE_TRIES} tries: {failure.detail}"
            await self._fail(input, Refusal(code=failure.code, detail=detail), given_up=True)
            raise
        if result.refusal is not None:
            await self._fail(input, result.refusal)
        elif result.document_id is not None and result.unembedded:
            await embed_rest(input.org_id, result.document_id, "vectors")
        return IngestFileResult(status=result.status, document_id=result.document_id, refusal=result.refusal)

    async def _ingest(self, input: IngestFileInput) -> FinishFileResult:
        file = FileRef(org_id=input.org_id, file_id=input.file_id, attempt=input.attempt)
        ref = file.model_dump()
        inspected = await self._call(contract.inspect_file, file, FILE_INSPECT_TIMEOUT, "inspect")
        inspection = inspected.inspection
        if inspection is None:
            return _refused(inspected.refusal)
        begun = await workflow.execute_activity(
            contract.begin_file,
            BeginFileInput(**ref, inspection=inspection),
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=DATABASE.start_to_close,
            retry_policy=DATABASE.retry,
            summary="hold",
        )
        if begun.refusal is not None:
            return _refused(begun.refusal)
        if begun.gone:
            return FinishFileResult(status="gone")
        readings: list[ObjectRef] = []
        for portion in inspection.portions:
            order = ReadPortionInput(**ref, name=input.name, inspection=inspection, portion=portion)
            summary = f"portion {portion.number} of {len(inspection.portions)}"
            read = await self._call(contract.read_portion, order, FILE_READ_TIMEOUT, summary)
            if read.reading is None:
                return _refused(read.refusal)
            readings.append(read.reading)
        finish = FinishFileInput(**ref, name=input.name, inspection=inspection, readings=tuple(readings))
        return await self._call(contract.finish_file, finish, FILE_FINISH_TIMEOUT, "finish")

    async def _call(
        self, activity: Callable[[InputT], Awaitable[ResultT]], order: InputT, timeout: timedelta, summary: str
    ) -> ResultT:
        options = tool_options(timeout, attempts=FILE_TRIES)
        return await workflow.execute_activity(
            activity,
            order,
            task_queue=queue(TaskQueue.TOOLS_CPU),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )

    async def _fail(self, input: IngestFileInput, refusal: Refusal, *, given_up: bool = False) -> None:
        """Close the attempt and release its hold, whatever happens to this execution meanwhile."""
        await to_the_end(
            workflow.execute_activity(
                contract.fail_file,
                FailFileInput(
                    org_id=input.org_id,
                    file_id=input.file_id,
                    attempt=input.attempt,
                    code=refusal.code,
                    detail=refusal.detail,
                    given_up=given_up,
                ),
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=DATABASE.start_to_close,
                retry_policy=DATABASE.retry,
                summary="release",
            )
        )


def _refused(refusal: Refusal | None) -> FinishFileResult:
    return FinishFileResult(
        status="failed", refusal=refusal or Refusal(code="internal_error", detail="It was refused.")
    )
