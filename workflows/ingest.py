"""The IngestDocument workflow: one activity reads one uploaded document; what cannot be read is given up, once."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from schema.contracts import documents as contract
    from schema.contracts.documents import GiveUpDocumentInput, IngestDocumentInput, IngestDocumentResult
    from schema.errors import policy_of
    from schema.policies import INGEST_TIMEOUT, INGEST_TRIES, TaskQueue

    from workflows._support import DATABASE, Failure, failure_of, queue, timed_out, tool_options


@workflow.defn(name="IngestDocument")
class IngestDocumentWorkflow:
    """Reads one document; workflow id = document id."""

    @workflow.run
    async def run(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Return what became of the document.

        Fails when the reading was given up: with a dead letter where it is the document's doing (it kills or outlasts
        its workers), without one where storage is away, since then the reconciler starts the reading again.
        """
        options = tool_options(INGEST_TIMEOUT, attempts=INGEST_TRIES)
        try:
            return await workflow.execute_activity(
                contract.ingest_document,
                input,
                task_queue=queue(TaskQueue.TOOLS_CPU),
                start_to_close_timeout=options.start_to_close,
                heartbeat_timeout=options.heartbeat,
                retry_policy=options.retry,
                summary=input.filename[:100],
            )
        except ActivityError as error:
            failure = failure_of(error)
            if not is_cancelled_exception(error) and (timed_out(error) or not policy_of(failure.code).patient):
                await self._give_up(input, failure)
            raise

    async def _give_up(self, input: IngestDocumentInput, failure: Failure) -> None:
        await workflow.execute_activity(
            contract.give_up_document,
            GiveUpDocumentInput(
                org_id=input.org_id,
                document_id=input.document_id,
                error_code=failure.code,
                error_detail=f"The document could not be read in {INGEST_TRIES} tries: {failure.detail}",
            ),
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=DATABASE.start_to_close,
            retry_policy=DATABASE.retry,
            summary="give up",
        )
