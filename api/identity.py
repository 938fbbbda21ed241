"""Who somebody is: what a sign-in, however it was done, comes to."""

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api import cookies
from api.auth import address_of, user_agent_of
from api.serialisation import JsonAnswer
from api.services import Services
from api.views import identity as views
from schema.errors import Forbidden
from schema.permissions import allowed
from schema.policies import SESSION_MAX
from schema.store import audit, members, sessions, users
from schema.store.audit import Actor
from schema.store.members import Place
from schema.tables.identity import Session


async def open_session(
    session: AsyncSession, request: Request, *, user_id: str, method: str, org_id: str | None = None
) -> tuple[views.SignedInView, str]:
    """Open a session of a person who has proven to be `user_id`; return how it is shown, and its token.

    Args:
        org_id: the organisation to work in; None: that of the oldest membership.

    Raises:
        Forbidden: the person is no member of it, or of any.
    """
    places = await members.organisations_of(session, user_id)
    place = next((place for place in places if org_id in (None, place.org_id)), None)
    if place is None:
        raise Forbidden("You are no member of this organisation, or of any. Ask for an invitation.")
    await members.enter(session, place.org_id)
    opened, token = await sessions.open_session(
        session,
        user_id=user_id,
        org_id=place.org_id,
        method=method,
        ip_address=address_of(request),
        user_agent=user_agent_of(request),
    )
    actor = Actor("user", user_id, request.state.request_id, address_of(request), user_agent_of(request))
    await record(session, place.org_id, actor, "user.signed_in", opened.id, method=method)
    who = await describe(session, user_id=user_id, place=place, places=places, opened=opened)
    return views.SignedInView(**dict(who)), token


async def describe(
    session: AsyncSession,
    *,
    user_id: str,
    place: Place,
    places: list[Place],
    opened: Session | None,
    permissions: frozenset[str] | None = None,
) -> views.WhoView:
    """Show who somebody is, in a transaction of the organisation."""
    return views.WhoView(
        user=views.user_view(await users.get_user(session, user_id)),
        organisation=views.place_view(place),
        permissions=sorted(allowed(place.role) if permissions is None else permissions),
        session=None if opened is None else views.session_view(opened, current=opened.id),
        organisations=[views.place_view(each) for each in places],
    )


async def record(
    session: AsyncSession, org_id: str, actor: Actor, action: str, session_id: str, **details: str
) -> None:
    """Say in the audit log what happened to a session."""
    await audit.record(
        session, org_id, actor=actor, action=action, resource_type="session", resource_id=session_id, details=details
    )


def answer(
    request: Request, api: Services, shown: views.SignedInView, token: str, *, transport: str, status_code: int = 200
) -> Response:
    """Send a session's beginning: its token as a cookie, or in the answer."""
    if transport == "bearer":
        return JsonAnswer(shown.model_copy(update={"token": token}), status_code=status_code)
    sent = JsonAnswer(shown, status_code=status_code)
    give_cookie(sent, request, api, token)
    return sent


def give_cookie(sent: Response, request: Request, api: Services, token: str) -> None:
    """Set the session's cookie."""
    max_age_s = int(SESSION_MAX.total_seconds())
    cookies.set_cookie(sent, request, api.settings, cookies.SESSION, token, max_age_s=max_age_s)
