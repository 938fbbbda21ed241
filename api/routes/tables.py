"""The table of a run: live while it is filled, page by page."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.auth import RunsReader, SecuredRoute
from api.deps import RunId
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import tables as views
from schema.errors import NotFound
from schema.store import forms, runs

router = APIRouter(tags=["tables"], route_class=SecuredRoute)


@router.get("/runs/{run_id}/table", response_model=views.TableView)
async def get_table(
    run_id: RunId, caller: RunsReader, page: Annotated[Page, Depends(PageOf(r"\d{1,6}"))], api: Api
) -> Response:
    """Read the table that a run fills, by row, with the evidence of every cell."""
    async with api.database.transaction(caller.org_id) as session:
        run = await runs.get_run(session, caller.org_id, run_id)
        form = await forms.find_form(session, caller.org_id, run_id)
        if form is None or form.kind != forms.TABLE:
            raise NotFound("This run fills no table.")
        after = int(page.cursor or 0)
        rows = await forms.list_rows(session, caller.org_id, run_id, after=after, limit=page.limit + 1)
        progress = await forms.progress_of(session, caller.org_id, run_id)
    shown = rows[: page.limit]
    cursor = seal(str(shown[-1].row.number)) if len(rows) > page.limit else None
    return JsonAnswer(views.table_view(run, form, forms.columns_of(form), shown, progress, cursor))
