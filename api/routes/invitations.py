"""Invitations: make, list, read, revoke. Accepting one is in `sign_in.py`: who accepts has no key yet."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import MembersAdmin, SecuredRoute
from api.deps import InvitationId
from api.idempotency import Idempotent, Outcome, once
from api.paging import Page, PageOf, seal
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import identity as views
from schema.store import invitations

router = APIRouter(prefix="/invitations", tags=["members"], route_class=SecuredRoute)


@router.post("", status_code=201, response_model=views.NewInvitationView)
async def create_invitation(caller: MembersAdmin, asked: Idempotent, body: views.Invite, api: Api) -> Response:
    """Invite somebody, in a role up to one's own. The token is in this answer only: hand it on yourself."""

    async def work(session: AsyncSession) -> Outcome:
        made, token = await invitations.create_invitation(
            session,
            caller.org_id,
            role=body.role,
            email=body.email,
            expires_in=timedelta(seconds=body.expires_in_s),
            invited_by=caller.user_id,
            acting=caller.role,
            actor=caller.actor,
        )
        # The token must not be kept, not even for a repetition: what is stored has none.
        shown = views.new_invitation_view(made, token)
        kept = shown.model_copy(update={"token": None})
        return Outcome(201, shown, location=f"/api/v1/invitations/{made.id}", kept=kept)

    answer, _ = await once(api.database, caller.org_id, asked, work)
    return answer


@router.get("", response_model=views.InvitationList)
async def list_invitations(
    caller: MembersAdmin, page: Annotated[Page, Depends(PageOf(r"inv_[0-9a-f]{32}"))], api: Api
) -> Response:
    """List invitations, newest first, those that ended included."""
    async with api.database.transaction(caller.org_id) as session:
        rows, cursor = await invitations.list_invitations(session, caller.org_id, limit=page.limit, cursor=page.cursor)
    shown = [views.invitation_view(row, now=datetime.now(UTC)) for row in rows]
    return JsonAnswer(views.InvitationList(invitations=shown, next_cursor=seal(cursor)))


@router.get("/{invitation_id}", response_model=views.InvitationView)
async def get_invitation(invitation_id: InvitationId, caller: MembersAdmin, api: Api) -> Response:
    """Read an invitation."""
    async with api.database.transaction(caller.org_id) as session:
        found = await invitations.get_invitation(session, caller.org_id, invitation_id)
    return JsonAnswer(views.invitation_view(found, now=datetime.now(UTC)))


@router.delete("/{invitation_id}", response_model=views.InvitationView)
async def revoke_invitation(invitation_id: InvitationId, caller: MembersAdmin, api: Api) -> Response:
    """Revoke an invitation; one that is used or ended stays as it is."""
    async with api.database.transaction(caller.org_id) as session:
        found = await invitations.revoke_invitation(session, caller.org_id, invitation_id, actor=caller.actor)
    return JsonAnswer(views.invitation_view(found, now=datetime.now(UTC)))
