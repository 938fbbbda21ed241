"""Questions about the data of a file: the query that a question becomes is shown, and run read-only in the sandbox."""

from contextlib import AsyncExitStack

from temporalio import activity

from activities.files.copies import LocalCopies
from activities.insights.analysing import ask, relate
from infra.database import Database
from schema.contracts.common import Contract
from schema.contracts.files import AskFileInput, AskFileResult, RefuseQuestionInput
from schema.contracts.insights import AnalysisOptions
from schema.errors import CallerError, NotFound, SourceUnavailable
from schema.store import files


class QuestionActivities:
    """Answers questions."""

    def __init__(self, db: Database, copies: LocalCopies) -> None:
        self._db = db
        self._copies = copies

    @activity.defn(name="files.ask")
    async def ask(self, input: AskFileInput) -> AskFileResult:
        """Answer one question, or record why it cannot be answered.

        Idempotency key: the question's id; the first answer stays.

        Raises:
            StorageUnavailable: PostgreSQL or the object store failed.
            SandboxUnavailable: no sandbox here is strong enough to open the file.
        """
        try:
            async with self._db.transaction(input.org_id) as session:
                file = await files.get_file(session, input.org_id, input.file_id)
                question = await files.get_question(session, input.org_id, input.file_id, input.question_id)
                others = await files.require_files(session, input.org_id, question.others or ())
        except NotFound:
            return AskFileResult(status="refused")  # Deleted meanwhile: nobody waits for it.
        try:
            async with AsyncExitStack() as stack:
                here = []
                for each in (file, *others):
                    path, _ = await stack.enter_async_context(self._copies.copy(each.object_key))
                    here.append((path, each.name))
                answered: Contract = (
                    await relate(here) if others else await ask(*here[0], question.question, AnalysisOptions())
                )
        except (CallerError, SourceUnavailable) as error:
            return await self._close(input, error={"code": error.code, "detail": error.detail})
        return await self._close(input, answer=answered.model_dump(mode="json"))

    @activity.defn(name="files.refuse_question")
    async def refuse(self, input: RefuseQuestionInput) -> None:
        """Record that a question found no answer in its tries; a repeat changes nothing."""
        await self._close(input, error={"code": input.code, "detail": input.detail})

    async def _close(self, input: AskFileInput, **outcome: dict[str, object]) -> AskFileResult:
        try:
            async with self._db.transaction(input.org_id) as session:
                closed = await files.close_question(session, input.org_id, input.file_id, input.question_id, **outcome)
        except NotFound:
            return AskFileResult(status="refused")
        return AskFileResult(status=closed.status)
