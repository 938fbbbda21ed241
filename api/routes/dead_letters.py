"""Dead letters: work that was given up after its retries; list them, and replay them."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import RunsReader, RunsWriter, SecuredRoute
from api.commands import open_attempt, retried
from api.deps import DeadLetterId
from api.idempotency import Idempotent
from api.paging import Page, PageSince, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import dead_letters as views
from api.views.base import Empty
from api.views.runs import RetriedRun
from schema.errors import Conflict
from schema.states import RunCommand
from schema.store import dead_letters, runs
from schema.tables.runs import Run

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


@router.post("/{letter_id}/replay", response_model=RetriedRun)
async def replay_dead_letter(
    letter_id: DeadLetterId,
    caller: RunsWriter,
    asked: Idempotent,
    api: Api,
    _body: Annotated[Empty, Body(description="`{}`, or no body.")] = NO_BODY,
) -> Response:
    """Retry the failed run that a dead letter is of: its failed agents run again, those that finished do not."""

    async def find(session: AsyncSession) -> Run:
        letter = await dead_letters.get_dead_letter(session, caller.org_id, letter_id)
        if letter.run_id is None or not views.is_replayable(letter):
            raise Conflict(_refusal(letter.kind, replayed=letter.replayed_at is not None), kind=letter.kind)
        return await runs.get_run(session, caller.org_id, letter.run_id)

    return await open_attempt(api, caller, asked, RunCommand.RETRY, find, retried)


def _refusal(kind: str, *, replayed: bool) -> str:
    if replayed:
        return "The run of this dead letter was retried already. If it failed again, it has a newer dead letter."
    return f"A dead letter of the kind '{kind}' has no run to retry. Upload the document again."
