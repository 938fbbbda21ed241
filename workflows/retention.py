"""The workflows of retention: the sweep that a schedule starts, a person's erasure, an export of data."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from schema.contracts import retention as contract
    from schema.contracts.retention import (
        EraseInput,
        ExportDataInput,
        FailErasureInput,
        OrphansResult,
        RetentionResult,
    )
    from schema.policies import (
        ERASURE_CANCEL_POLL,
        ERASURE_CANCEL_WITHIN,
        ORPHANS_TIMEOUT,
        RETENTION_PASSES_MAX,
        RETENTION_TIMEOUT,
        TaskQueue,
    )

    from workflows._support import DATABASE, failure_of, queue, tool_options

ERASE_BATCHES_MAX = 1_000
"""Batches after which an erasure continues as new."""


@workflow.defn(name="Retention")
class RetentionWorkflow:
    """Archives and deletes what is due."""

    @workflow.run
    async def run(self) -> RetentionResult:
        """Sweep until nothing is due, or for `RETENTION_PASSES_MAX` passes; the next hour's goes on from there."""
        total = RetentionResult()
        for _ in range(RETENTION_PASSES_MAX):
            done = await workflow.execute_activity(
                contract.sweep,
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=RETENTION_TIMEOUT,
                heartbeat_timeout=timedelta(seconds=20),
                retry_policy=tool_options(RETENTION_TIMEOUT, attempts=3).retry,
                summary="sweep",
            )
            counts = {name: getattr(total, name) + number for name, number in done if name != "more"}
            total = RetentionResult(**counts, more=done.more)
            if not done.more:
                break
        return total


@workflow.defn(name="Orphans")
class OrphansWorkflow:
    """Finds objects that lost their row, or never had one."""

    @workflow.run
    async def run(self) -> OrphansResult:
        """Walk through the bucket once; what is found, the next sweep deletes."""
        options = tool_options(ORPHANS_TIMEOUT)
        return await workflow.execute_activity(
            contract.find_orphans,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
        )


@workflow.defn(name="Erase")
class EraseWorkflow:
    """Erases a person's data from an organisation; workflow id = erasure id."""

    @workflow.run
    async def run(self, input: EraseInput) -> None:
        """End the person's runs, erase them and their documents, then what names the person.

        Every step may be made again: what is gone is not found, and not counted, a second time. Databases that are
        away are waited for.
        """
        try:
            await self._erase(input)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            failure = failure_of(error)
            await self._fail(input, failure.code, failure.detail)
            raise

    async def _erase(self, input: EraseInput) -> None:
        deadline = workflow.now() + ERASURE_CANCEL_WITHIN
        options = tool_options(RETENTION_TIMEOUT)
        while True:
            stopped = await workflow.execute_activity(
                contract.stop_runs,
                input,
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=options.start_to_close,
                heartbeat_timeout=options.heartbeat,
                retry_policy=options.retry,
            )
            if not stopped.live:
                break
            if workflow.now() > deadline:
                await self._fail(input, "conflict", f"{stopped.live} runs of theirs did not end.")
                return
            await workflow.sleep(ERASURE_CANCEL_POLL)
        for _ in range(ERASE_BATCHES_MAX):
            batch = await workflow.execute_activity(
                contract.erase_batch,
                input,
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=options.start_to_close,
                heartbeat_timeout=options.heartbeat,
                retry_policy=options.retry,
            )
            if not batch.more:
                break
        else:
            workflow.continue_as_new(input)
        await workflow.execute_activity(
            contract.finish_erasure,
            input,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
        )

    async def _fail(self, input: EraseInput, code: str, detail: str) -> None:
        await workflow.execute_activity(
            contract.fail_erasure,
            FailErasureInput(org_id=input.org_id, erasure_id=input.erasure_id, code=code, detail=detail),
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=DATABASE.start_to_close,
            retry_policy=DATABASE.retry,
        )


@workflow.defn(name="ExportData")
class ExportDataWorkflow:
    """Makes an export of data; workflow id = export id."""

    @workflow.run
    async def run(self, input: ExportDataInput) -> None:
        """Make the export."""
        options = tool_options(RETENTION_TIMEOUT)
        await workflow.execute_activity(
            contract.build_export,
            input,
            task_queue=queue(TaskQueue.TOOLS_CPU),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
        )
