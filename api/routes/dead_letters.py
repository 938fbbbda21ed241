"""Dead letters: work that was given up after its retries; list them, and replay them."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import Caller, RunsReader, RunsWriter, SecuredRoute
from api.commands import open_attempt, retried
from api.deps import DeadLetterId
from api.idempotency import Idempotent, Outcome, once
from api.ingestion import try_ingest, try_ingest_file
from api.paging import Page, PageSince, seal
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.views import dead_letters as views
from api.views.base import Empty
from api.views.documents import DocumentView, document_view
from api.views.files import FileView, file_view
from api.views.runs import RetriedRun
from schema.errors import Conflict, Forbidden
from schema.states import RunCommand
from schema.store import dead_letters, documents, files, organisations, runs
from schema.store.api_keys import Scope
from schema.store.idempotency import Asked
from schema.tables.documents import Document
from schema.tables.files import File
from schema.tables.organisations import Organisation
from schema.tables.runs import DeadLetter, Run

router = APIRouter(prefix="/dead-letters", tags=["dead-letters"], route_class=SecuredRoute)

NO_BODY = Empty()


@router.get("", response_model=views.DeadLetterPage)
async def list_dead_letters(
    caller: RunsReader,
    page: Annotated[Page, Depends(PageSince(r"dead_[0-9a-f]{32}"))],
    api: Api,
    replayed: Annotated[bool, Query(description="Those that were replayed as well.")] = False,
) -> Response:
    """List work that was given up, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await dead_letters.list_dead_letters(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, replayed=replayed
        )
    return JsonAnswer(
        views.DeadLetterPage(dead_letters=[views.dead_letter_view(row) for row in rows], next_cursor=seal(cursor))
    )


@router.post("/{letter_id}/replay", response_model=RetriedRun | DocumentView | FileView)
async def replay_dead_letter(
    letter_id: DeadLetterId,
    caller: RunsWriter,
    asked: Idempotent,
    api: Api,
    _body: Annotated[Empty, Body(description="`{}`, or no body.")] = NO_BODY,
) -> Response:
    """Do again what was given up: retry the failed run (agents that finished do not run again), or read the
    document or file.

    These need the scope `documents:write` as well.
    """

    async def find(session: AsyncSession) -> Run:
        letter = await _replayable(session, caller, letter_id)
        return await runs.get_run(session, caller.org_id, letter.run_id or "")

    async with api.database.transaction(caller.org_id) as session:
        kind = (await dead_letters.get_dead_letter(session, caller.org_id, letter_id)).kind
    if kind in ("document", "file"):
        return await _read_again(api, caller, asked, letter_id)
    return await open_attempt(api, caller, asked, RunCommand.RETRY, find, retried)


async def _read_again(api: Services, caller: Caller, asked: Asked, letter_id: str) -> Response:
    if Scope.DOCUMENTS_WRITE.value not in caller.scopes:
        missing = [Scope.DOCUMENTS_WRITE.value]
        raise Forbidden(f"The API key lacks the scope {missing[0]}.", missing_scopes=missing)
    reopened: list[tuple[Document | File, Organisation]] = []

    async def work(session: AsyncSession) -> Outcome:
        letter = await _replayable(session, caller, letter_id)
        organisation = await organisations.get_organisation(session, caller.org_id)
        if letter.kind == "file":
            file = await files.reopen(session, caller.org_id, letter.subject_id, actor=caller.actor)
            reopened.append((file, organisation))
            return Outcome(200, file_view(file))
        document = await documents.reopen(session, caller.org_id, letter.subject_id, actor=caller.actor)
        reopened.append((document, organisation))
        return Outcome(200, document_view(document))

    answer, _ = await once(api.database, caller.org_id, asked, work)
    for each, organisation in reopened:
        if isinstance(each, File):
            await try_ingest_file(api, each, organisation)
        else:
            await try_ingest(api, each, organisation)
    return answer


async def _replayable(session: AsyncSession, caller: Caller, letter_id: str) -> DeadLetter:
    letter = await dead_letters.get_dead_letter(session, caller.org_id, letter_id)
    if not views.is_replayable(letter):
        raise Conflict(_refusal(letter.kind, replayed=letter.replayed_at is not None), kind=letter.kind)
    return letter


def _refusal(kind: str, *, replayed: bool) -> str:
    if replayed:
        return "What this dead letter is of was done again already. If it failed again, it has a newer dead letter."
    return f"A dead letter of the kind '{kind}' has no run to retry."
