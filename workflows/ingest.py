"""The IngestDocument workflow: one activity reads one uploaded document, others make its vectors.

What cannot be read is given up, once.
"""

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from schema.contracts import documents as contract
    from schema.contracts.documents import (
        EmbedDocumentInput,
        GiveUpDocumentInput,
        IngestDocumentInput,
        IngestDocumentResult,
    )
    from schema.errors import policy_of
    from schema.policies import (
        DOCUMENT_CHARACTERS_MAX,
        EMBED_TIMEOUT,
        EMBEDDED_PER_ACTIVITY,
        INGEST_TIMEOUT,
        INGEST_TRIES,
        PASSAGE_CHARACTERS,
        TaskQueue,
    )

    from workflows._support import DATABASE, Failure, failure_of, is_cancelled, queue, timed_out, tool_options

PORTIONS_MAX = 4 * DOCUMENT_CHARACTERS_MAX // (PASSAGE_CHARACTERS * EMBEDDED_PER_ACTIVITY)
"""More portions than the longest document can have: the bound of the loop, which ends before."""
EMBED_PRIORITY = 5
"""The lowest: a document that can be found by its words waits for its vectors until others can be found at all."""


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
            result = await workflow.execute_activity(
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
        if result.unembedded:
            await embed_rest(input.org_id, input.document_id, input.filename[:100])
        return result

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


async def embed_rest(org_id: str, document_id: str, summary: str) -> None:
    """Make a document's vectors, portion by portion. Without them it is found by its words: no failure counts."""
    options = tool_options(EMBED_TIMEOUT)
    for _ in range(PORTIONS_MAX):
        try:
            done = await workflow.execute_activity(
                contract.embed_document,
                EmbedDocumentInput(org_id=org_id, document_id=document_id),
                task_queue=queue(TaskQueue.TOOLS_CPU),
                start_to_close_timeout=options.start_to_close,
                heartbeat_timeout=options.heartbeat,
                retry_policy=options.retry,
                priority=Priority(priority_key=EMBED_PRIORITY),
                summary=summary,
            )
        except ActivityError as error:
            if is_cancelled(error):
                raise
            workflow.logger.warning("no vectors for document %s", document_id)
            return
        if not done.missing:
            return
