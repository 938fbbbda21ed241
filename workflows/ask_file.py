"""The AskFile workflow: one question about a file's data, answered by one activity."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from schema.contracts import files as contract
    from schema.contracts.files import AskFileInput, AskFileResult
    from schema.policies import FILE_QUESTION_TIMEOUT, FILE_TRIES, TaskQueue

    from workflows._support import DATABASE, failure_of, is_cancelled, queue, tool_options


@workflow.defn(name="AskFile")
class AskFileWorkflow:
    """Answers one question; workflow id = question id."""

    @workflow.run
    async def run(self, input: AskFileInput) -> AskFileResult:
        """Return whether it was answered; a question that outlasts its tries is refused, with the reason."""
        options = tool_options(FILE_QUESTION_TIMEOUT, attempts=FILE_TRIES)
        try:
            return await workflow.execute_activity(
                contract.ask_file,
                input,
                task_queue=queue(TaskQueue.TOOLS_CPU),
                start_to_close_timeout=options.start_to_close,
                heartbeat_timeout=options.heartbeat,
                retry_policy=options.retry,
                summary="answer",
            )
        except ActivityError as error:
            if is_cancelled(error):
                raise
            failure = failure_of(error)
            refusal = contract.RefuseQuestionInput(**input.model_dump(), code=failure.code, detail=failure.detail)
            await workflow.execute_activity(
                contract.refuse_question,
                refusal,
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=DATABASE.start_to_close,
                retry_policy=DATABASE.retry,
                summary="refuse",
            )
            return AskFileResult(status="refused")
