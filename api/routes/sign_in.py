"""Coming in: by password, or with an invitation. These answer without a key, and are limited by address.

They take no Idempotency-Key: an invitation is used once by itself, and a sign-in that is repeated is another one.
"""

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import cookies, identity
from api.auth import OpenRoute, actor_of, address_of, authenticate
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.views import identity as views
from infra.passwords import check_password
from schema.errors import Forbidden, NotFound, Unauthenticated, ValidationFailed
from schema.store import audit, invitations, members, sessions, sign_in, users
from schema.store.invitations import PresentedInvitation

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/auth", tags=["sign-in"], route_class=OpenRoute)


@router.post("/sign-in", response_model=views.SignedInView)
async def sign_in_by_password(request: Request, body: views.SignIn, api: Api) -> Response:
    """Open a session. An address that nobody has is answered as a wrong password is, and takes as long."""
    address = address_of(request)
    async with api.database.transaction(None) as session:
        await sign_in.begin_attempt(session, email=body.email, ip_address=address)
        found = await users.find_by_email(session, body.email)
    kept = found.password_hash if found is not None else None
    if not await api.passwords.prove(kept, body.password) or found is None or kept is None:
        log.info("sign_in.failed", ip_address=address)
        await _record_failure(request, api, None if found is None else found.id)
        raise Unauthenticated("The address or the password is wrong.")
    anew = await api.passwords.hash(body.password) if api.passwords.is_stale(kept) else None
    async with api.database.transaction(None) as session:
        await sign_in.succeed(session, email=body.email, ip_address=address)
        shown, token = await identity.open_session(
            session, request, user_id=found.id, method="password", org_id=body.org_id
        )
        if anew is not None:
            await users.set_password(session, found.id, anew, is_new=False)
    return identity.answer(request, api, shown, token, transport=body.transport)


@router.post("/invitations/accept", status_code=201, response_model=views.SignedInView)
async def accept_invitation(request: Request, body: views.AcceptInvitation, api: Api) -> Response:
    """Become a member: a session's person, which then works there; else a new person with an address and a password."""
    presented = invitations.parse_token(body.token)
    if presented is None:
        raise NotFound("This is no invitation's token. Copy it whole.")
    if _has_session(request):
        return await _accept_as_self(request, body, presented, api)
    if body.email is None or body.password is None:
        raise ValidationFailed("Give an address and a password, or accept with a session.", field="email")
    check_password(body.password, email=body.email, name=body.name or "")
    async with api.database.transaction(presented.org_id) as session:  # Nobody's password is hashed for nothing.
        await invitations.open_invitation(session, presented)
    password_hash = await api.passwords.hash(body.password)
    async with api.database.transaction(presented.org_id) as session:
        invitation = await invitations.open_invitation(session, presented)
        user_id = await users.create_user(session, email=body.email, name=body.name or "", password_hash=password_hash)
        actor = actor_of(request, "user", user_id)
        await invitations.accept(session, invitation, user_id=user_id, email=body.email, actor=actor)
        shown, token = await identity.open_session(
            session, request, user_id=user_id, method="password", org_id=presented.org_id
        )
    return identity.answer(request, api, shown, token, transport=body.transport, status_code=201)


async def _record_failure(request: Request, api: Services, user_id: str | None) -> None:
    """Tell the organisations of the account that was tried, or the platform where there is none: at the same cost."""
    async with api.database.transaction(None) as session:
        places = await members.organisations_of(session, user_id or "")
    for org_id in [place.org_id for place in places] or [audit.PLATFORM]:
        async with api.database.transaction(org_id) as session:
            await audit.record(
                session,
                org_id,
                actor=actor_of(request, "anonymous", None),
                action="user.sign_in_failed",
                resource_type="user",
                resource_id=user_id,
                result="failure",
            )


def _has_session(request: Request) -> bool:
    return bool(request.headers.get("authorization")) or cookies.SESSION in request.headers.get("cookie", "")


async def _accept_as_self(
    request: Request, body: views.AcceptInvitation, presented: PresentedInvitation, api: Services
) -> Response:
    caller = await authenticate(request)
    if caller.session_id is None:
        raise Forbidden("An API key accepts no invitation. Sign in, or accept without a key.")
    async with api.database.transaction(caller.org_id) as session:
        user = await users.get_user(session, caller.user_id)
    async with api.database.transaction(presented.org_id) as session:
        invitation = await invitations.open_invitation(session, presented)
        await invitations.accept(
            session, invitation, user_id=caller.user_id, email=user.email or "", actor=caller.actor
        )
        await sessions.switch(session, caller.user_id, caller.session_id, presented.org_id)
        places = await members.organisations_of(session, caller.user_id)
        place = next(place for place in places if place.org_id == presented.org_id)
        own = await sessions.list_sessions(session, caller.user_id)
        opened = next((each for each in own if each.id == caller.session_id), None)
        who = await identity.describe(session, user_id=caller.user_id, place=place, places=places, opened=opened)
    return JsonAnswer(views.SignedInView(**dict(who)), status_code=201)
