"""The ExportRun workflow: one file made of a finished run, by one activity, recorded by another.

    build (record -> sandbox -> object) -> finish (artifact and export, one transaction)
          any refusal or failure -> fail

The file is a function of the run, so a worker that dies leaves nothing that its successor would not make again, under
the same key.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from schema.contracts import exports as contract
    from schema.contracts.exports import (
        BuiltExport,
        ExportRunInput,
        ExportRunResult,
        FailExportInput,
        FinishExportInput,
    )
    from schema.errors import policy_of
    from schema.policies import EXPORT_TIMEOUT, EXPORT_TRIES, TaskQueue

    from workflows._support import DATABASE, failure_of, queue, timed_out, to_the_end, tool_options

CANCELLED = "The export was cancelled."


@workflow.defn(name="ExportRun")
class ExportRunWorkflow:
    """Exports a run; workflow id = export id."""

    @workflow.run
    async def run(self, input: ExportRunInput) -> ExportRunResult:
        """Return what became of the export. One that is refused is a result; one whose storage is away fails, and the
        reconciler starts it again."""
        try:
            built = await self._build(input)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None:
                raise  # No cancel: the worker forgets this execution, which goes on elsewhere.
            await self._fail(input, "cancelled", CANCELLED, cancelled=True)
            raise
        except ActivityError as error:
            if is_cancelled_exception(error):
                await self._fail(input, "cancelled", CANCELLED, cancelled=True)
                raise
            failure = failure_of(error)
            if policy_of(failure.code).patient and not timed_out(error):
                raise
            await self._fail(input, failure.code, failure.detail)
            return ExportRunResult(status="failed")
        await to_the_end(
            workflow.execute_activity(
                contract.finish_export,
                FinishExportInput(**input.model_dump(), built=built),
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=DATABASE.start_to_close,
                retry_policy=DATABASE.retry,
                summary="finish",
            )
        )
        return ExportRunResult(status="completed")

    async def _build(self, input: ExportRunInput) -> BuiltExport:
        options = tool_options(EXPORT_TIMEOUT, attempts=EXPORT_TRIES)
        return await workflow.execute_activity(
            contract.build_export,
            input,
            task_queue=queue(TaskQueue.TOOLS_CPU),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"build {input.format.value}",
        )

    async def _fail(self, input: ExportRunInput, code: str, detail: str, *, cancelled: bool = False) -> None:
        await to_the_end(
            workflow.execute_activity(
                contract.fail_export,
                FailExportInput(**input.model_dump(), code=code, detail=detail, cancelled=cancelled),
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=DATABASE.start_to_close,
                retry_policy=DATABASE.retry,
                summary="fail",
            )
        )
