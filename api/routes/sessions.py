"""One's own account: who one is, the sessions that are open, the password."""

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api import cookies, identity
from api.auth import AnyCaller, Caller, SecuredRoute, SignedIn
from api.deps import SessionId
from api.serialisation import JsonAnswer
from api.services import Api
from api.views import identity as views
from infra.passwords import check_password
from schema.errors import Forbidden, NotFound, Unauthenticated
from schema.store import members, sessions, sign_in, users
from schema.store.members import Place
from schema.tables.identity import Session

router = APIRouter(tags=["account"], route_class=SecuredRoute)


@router.get("/session", response_model=views.WhoView)
async def get_session(caller: AnyCaller, api: Api) -> Response:
    """Tell who asks, in which organisation, and what they may do."""
    async with api.database.transaction(caller.org_id) as session:
        places = await members.organisations_of(session, caller.user_id)
        own = await sessions.list_sessions(session, caller.user_id) if caller.session_id else []
        shown = await _who(session, caller, places, next((each for each in own if each.id == caller.session_id), None))
    return JsonAnswer(shown)


@router.put("/session/organisation", response_model=views.WhoView)
async def switch_organisation(caller: SignedIn, body: views.SwitchOrganisation, api: Api) -> Response:
    """Work in another organisation of one's own, with this session, from now on."""
    async with api.database.transaction(None) as session:
        places = await members.organisations_of(session, caller.user_id)
        place = next((place for place in places if place.org_id == body.org_id), None)
        if place is None:
            raise NotFound("You are a member of no such organisation.")
        await sessions.switch(session, caller.user_id, caller.session_id or "", place.org_id)
        await members.enter(session, place.org_id)
        own = await sessions.list_sessions(session, caller.user_id)
        opened = next((each for each in own if each.id == caller.session_id), None)
        shown = await identity.describe(session, user_id=caller.user_id, place=place, places=places, opened=opened)
    return JsonAnswer(shown)


@router.put("/session/password", status_code=204, response_class=Response)
async def change_password(request: Request, caller: SignedIn, body: views.ChangePassword, api: Api) -> Response:
    """Change one's password; every other session of the account ends."""
    async with api.database.transaction(caller.org_id) as session:
        user = await users.get_user(session, caller.user_id)
    email = user.email or ""
    if user.password_hash is not None:
        # A stolen session must not find out the password by trying: these count as sign-ins do.
        async with api.database.transaction(None) as session:
            await sign_in.begin_attempt(session, email=email, ip_address=caller.actor.ip_address)
        if not await api.passwords.prove(user.password_hash, body.current_password or ""):
            raise Forbidden("The current password is wrong.")
    check_password(body.new_password, email=email, name=user.name)
    password_hash = await api.passwords.hash(body.new_password)
    async with api.database.transaction(caller.org_id) as session:
        if user.password_hash is not None:
            await sign_in.succeed(session, email=email, ip_address=caller.actor.ip_address)
        await users.set_password(session, caller.user_id, password_hash)
        await sessions.end_all(session, caller.user_id, but=caller.session_id)
        await identity.record(session, caller.org_id, caller.actor, "user.password_changed", caller.session_id or "")
    return Response(status_code=204)


@router.delete("/session", status_code=204, response_class=Response)
async def sign_out(request: Request, caller: SignedIn, api: Api) -> Response:
    """End this session."""
    async with api.database.transaction(caller.org_id) as session:
        await sessions.end_session(session, caller.user_id, caller.session_id or "")
        await identity.record(session, caller.org_id, caller.actor, "user.signed_out", caller.session_id or "")
    return _gone(request, api)


@router.delete("/session/membership", status_code=204, response_class=Response)
async def leave_organisation(request: Request, caller: SignedIn, api: Api) -> Response:
    """Leave the organisation that the session works in, and end one's keys there; the last owner cannot."""
    async with api.database.transaction(caller.org_id) as session:
        await members.remove_member(session, caller.org_id, caller.user_id, acting=caller.role, actor=caller.actor)
    return _gone(request, api)


@router.get("/sessions", response_model=views.SessionList)
async def list_sessions(caller: SignedIn, api: Api) -> Response:
    """List one's own sessions that are in force, newest first."""
    async with api.database.transaction(caller.org_id) as session:
        found = await sessions.list_sessions(session, caller.user_id)
    shown = [views.session_view(each, current=caller.session_id) for each in found]
    return JsonAnswer(views.SessionList(sessions=shown))


@router.delete("/sessions", status_code=204, response_class=Response)
async def sign_out_everywhere(request: Request, caller: SignedIn, api: Api) -> Response:
    """End every session of the account, this one included."""
    async with api.database.transaction(caller.org_id) as session:
        ended = await sessions.end_all(session, caller.user_id)
        await identity.record(
            session, caller.org_id, caller.actor, "user.signed_out", caller.session_id or "", sessions=str(ended)
        )
    return _gone(request, api)


@router.delete("/sessions/{session_id}", status_code=204, response_class=Response)
async def end_session(session_id: SessionId, caller: SignedIn, api: Api) -> Response:
    """End one of one's own sessions."""
    async with api.database.transaction(caller.org_id) as session:
        await sessions.end_session(session, caller.user_id, session_id)
        await identity.record(session, caller.org_id, caller.actor, "user.signed_out", session_id)
    return Response(status_code=204)


async def _who(session: AsyncSession, caller: Caller, places: list[Place], opened: Session | None) -> views.WhoView:
    here = next((place for place in places if place.org_id == caller.org_id), None)
    if here is None:
        raise Unauthenticated("You are no member of this organisation any more.")
    return await identity.describe(
        session,
        user_id=caller.user_id,
        place=here,
        places=places if caller.session_id else [here],
        opened=opened,
        permissions=caller.scopes,
    )


def _gone(request: Request, api: Api) -> Response:
    answer = Response(status_code=204)
    cookies.drop_cookie(answer, request, api.settings, cookies.SESSION)
    return answer
