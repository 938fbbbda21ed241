"""The IngestDocument workflow: one activity reads one uploaded document."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from schema.contracts import documents as contract
    from schema.contracts.documents import IngestDocumentInput, IngestDocumentResult
    from schema.policies import INGEST_TIMEOUT, TaskQueue

    from workflows._support import queue, tool_options


@workflow.defn(name="IngestDocument")
class IngestDocumentWorkflow:
    """Reads one document; workflow id = document id."""

    @workflow.run
    async def run(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Return what became of the document; storage that fails for long leaves it to the reconciler."""
        options = tool_options(INGEST_TIMEOUT)
        return await workflow.execute_activity(
            contract.ingest_document,
            input,
            task_queue=queue(TaskQueue.TOOLS_CPU),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            summary=input.filename[:100],
        )
