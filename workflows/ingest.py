"""The IngestDocument workflow: one activity reads one uploaded document, others make its vectors."""

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from schema.contracts import documents as contract
    from schema.contracts.documents import EmbedDocumentInput, IngestDocumentInput, IngestDocumentResult
    from schema.policies import (
        DOCUMENT_CHARACTERS_MAX,
        EMBED_TIMEOUT,
        EMBEDDED_PER_ACTIVITY,
        INGEST_TIMEOUT,
        PASSAGE_CHARACTERS,
        TaskQueue,
    )

    from workflows._support import is_cancelled, queue, tool_options

PORTIONS_MAX = 4 * DOCUMENT_CHARACTERS_MAX // (PASSAGE_CHARACTERS * EMBEDDED_PER_ACTIVITY)
"""More portions than the longest document can have: the bound of the loop, which ends before."""
EMBED_PRIORITY = 5
"""The lowest: a document that can be found by its words waits for its vectors until others can be found at all."""


@workflow.defn(name="IngestDocument")
class IngestDocumentWorkflow:
    """Reads one document; workflow id = document id."""

    @workflow.run
    async def run(self, input: IngestDocumentInput) -> IngestDocumentResult:
        """Return what became of the document; storage that fails for long leaves it to the reconciler."""
        options = tool_options(INGEST_TIMEOUT)
        result = await workflow.execute_activity(
            contract.ingest_document,
            input,
            task_queue=queue(TaskQueue.TOOLS_CPU),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            summary=input.filename[:100],
        )
        if result.status == "ready" and workflow.patched("documents.embed"):
            await self._embed(input)
        return result

    async def _embed(self, input: IngestDocumentInput) -> None:
        """Make the vectors, portion by portion. Without them the document is found by its words: no failure counts."""
        options = tool_options(EMBED_TIMEOUT)
        for _ in range(PORTIONS_MAX):
            try:
                done = await workflow.execute_activity(
                    contract.embed_document,
                    EmbedDocumentInput(org_id=input.org_id, document_id=input.document_id),
                    task_queue=queue(TaskQueue.TOOLS_CPU),
                    start_to_close_timeout=options.start_to_close,
                    heartbeat_timeout=options.heartbeat,
                    retry_policy=options.retry,
                    priority=Priority(priority_key=EMBED_PRIORITY),
                    summary=input.filename[:100],
                )
            except ActivityError as error:
                if is_cancelled(error):
                    raise
                workflow.logger.warning("no vectors for document %s", input.document_id)
                return
            if not done.missing:
                return
