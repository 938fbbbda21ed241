"""The audit log: who did what, and whether the log still is what was written."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.auth import AuditReader, SecuredRoute
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import audit as views
from api.views.base import Moment
from schema.store import audit
from schema.store.audit import Filter

router = APIRouter(prefix="/audit", tags=["audit"], route_class=SecuredRoute)

Word = Annotated[str | None, Query(max_length=200, pattern=r"^[\x21-\x7e]+$")]


@router.get("", response_model=views.AuditPage)
async def list_audit_entries(
    caller: AuditReader,
    page: Annotated[Page, Depends(PageOf(r"\d{1,18}"))],
    api: Api,
    actor: Annotated[Word, Query(description="Only what this actor did, by its id.")] = None,
    action: Annotated[Word, Query(description="Only this action, such as `data.read` or `run.started`.")] = None,
    resource_type: Annotated[Word, Query(description="Only what was done to things of this type.")] = None,
    resource_id: Annotated[Word, Query(description="Only what was done to the thing of this id.")] = None,
    run_id: Annotated[
        str | None, Query(pattern=r"^run_[0-9a-f]{32}$", description="Only what is about this run.")
    ] = None,
    outcome: Annotated[views.AuditOutcome | None, Query(description="Only what ended so.")] = None,
    since: Annotated[
        Moment | None, Query(alias="from", description="Not before this time (RFC 3339, with its zone).")
    ] = None,
    until: Annotated[
        Moment | None, Query(alias="to", description="Before this time (RFC 3339, with its zone).")
    ] = None,
) -> Response:
    """List who did what, newest first."""
    asked = Filter(actor, action, resource_type, resource_id, run_id, outcome, since, until)
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await audit.list_entries(
            session, caller.org_id, limit=page.limit, cursor=page.cursor, asked=asked
        )
    return JsonAnswer(
        views.AuditPage(entries=[views.entry_view(entry, name) for entry, name in rows], next_cursor=seal(cursor))
    )


@router.get("/verification", response_model=views.AuditVerificationView)
async def get_audit_verification(caller: AuditReader, api: Api) -> Response:
    """Read what the last scheduled verification of log, ledger and checkpoints found; `swissbrain audit verify` makes
    a new one."""
    async with api.database.transaction(caller.org_id) as session:
        found = await audit.last_verification(session, caller.org_id)
    return JsonAnswer(views.verification_view(found))
