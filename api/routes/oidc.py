"""Coming in by an OpenID provider: the browser goes there, and comes back with a code, once.

A person is known by (issuer, subject). An address never leads to an account by itself: a new identity comes in with an
invitation, or is added to an account by its own session.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from api import cookies, identity
from api.auth import OpenRoute, actor_of, authenticate
from api.serialisation import JsonAnswer
from api.services import Api, Services
from api.views import identity as views
from infra.oidc import Identity, OidcProvider
from schema.errors import Conflict, Forbidden, NotFound, Unauthenticated, ValidationFailed
from schema.store import invitations, members, oidc, users
from schema.tables.identity import OidcRequest

router = APIRouter(prefix="/auth/oidc", tags=["sign-in"], route_class=OpenRoute)

CALLBACK = "/api/v1/auth/oidc/callback"
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")
"""A path of this host, and nothing that a browser takes for another one."""

Given = Annotated[str | None, Query(max_length=2_000, pattern=r"^[\x20-\x7e]*$")]
"""RFC 6749, appendix A: printable ASCII. Four of these, percent-encoded, still fit in a request line."""


@router.get("/start", status_code=303, response_class=RedirectResponse)
async def start_sign_in(request: Request, api: Api, return_to: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Send the browser to the OpenID provider, to sign in."""
    answer = RedirectResponse("/", status_code=303)
    answer.headers["location"] = await _start(request, api, views.StartOidc(return_to=return_to), answer)
    return answer


@router.post("/start", response_model=views.Redirect)
async def start_sign_in_for(request: Request, body: views.StartOidc, api: Api) -> Response:
    """Prepare a sign-in that accepts an invitation, or that is added to the session's account; go to `location`."""
    answer = Response()
    shown = JsonAnswer(views.Redirect(location=await _start(request, api, body, answer)))
    shown.headers["set-cookie"] = answer.headers["set-cookie"]
    return shown


async def _start(request: Request, api: Services, asked: views.StartOidc, answer: Response) -> str:
    provider = _provider(api)
    if not _PATH.fullmatch(asked.return_to):
        raise ValidationFailed("`return_to` must be a path of this host.", field="return_to")
    invitation_id = link_user_id = None
    if asked.link:
        caller = await authenticate(request)
        if caller.session_id is None:
            raise Forbidden("Sign in first: an API key has no account to add this to.")
        link_user_id = caller.user_id
    if asked.invitation is not None:
        presented = invitations.parse_token(asked.invitation)
        if presented is None:
            raise NotFound("This is no invitation's token. Copy it whole.")
        async with api.database.transaction(presented.org_id) as session:
            invitation_id = (await invitations.open_invitation(session, presented)).id
            invitation_id = f"{presented.org_id}/{invitation_id}"
    started = await provider.start(cookies.base_url(request, api.settings) + CALLBACK)
    async with api.database.transaction(None) as session:
        await oidc.keep_request(
            session,
            state=started.state,
            browser=started.browser,
            nonce=started.nonce,
            code_verifier=started.code_verifier,
            return_to=asked.return_to,
            invitation=invitation_id,
            link_user_id=link_user_id,
        )
    kept_s = int(oidc.KEPT.total_seconds())
    cookies.set_cookie(answer, request, api.settings, cookies.OIDC, started.browser, max_age_s=kept_s)
    return started.url


@router.get("/callback", status_code=303, response_class=RedirectResponse)
async def finish_sign_in(
    request: Request, api: Api, state: Given = None, code: Given = None, iss: Given = None, error: Given = None
) -> Response:
    """Take the browser back from the OpenID provider, open its session, and send it on."""
    provider = _provider(api)
    browser = cookies.cookie_of(request, api.settings, cookies.OIDC)
    kept = None
    if state is not None and browser is not None:
        async with api.database.transaction(None) as session:  # Committed: whatever follows, it was used.
            kept = await oidc.take_request(session, state=state, browser=browser)
    if kept is None:
        raise Unauthenticated("This sign-in is unknown, used or too old, or began in another browser. Start it again.")
    if error is not None or code is None:
        raise Unauthenticated("The identity provider did not sign you in. Start it again.")
    who = await provider.finish(
        code=code,
        issuer=iss,
        redirect_uri=cookies.base_url(request, api.settings) + CALLBACK,
        nonce=kept.nonce,
        code_verifier=kept.code_verifier,
    )
    token = await _come_in(request, api, kept, who)
    answer = RedirectResponse(kept.return_to, status_code=303)
    cookies.drop_cookie(answer, request, api.settings, cookies.OIDC)
    identity.give_cookie(answer, request, api, token)
    return answer


async def _come_in(request: Request, api: Services, kept: OidcRequest, who: Identity) -> str:
    """Find or make the person, and open a session; return its token."""
    org_id, _, invitation_id = (kept.invitation or "").partition("/")
    async with api.database.transaction(org_id or None) as session:
        found = await users.find_by_identity(session, who.issuer, who.subject)
        user_id = found.id if found is not None else kept.link_user_id
        if kept.link_user_id is not None:
            if user_id != kept.link_user_id:
                raise Conflict("This identity belongs to another account.")
            await users.link_identity(session, kept.link_user_id, issuer=who.issuer, subject=who.subject)
        if invitation_id:
            user_id = await _accept(session, request, org_id, invitation_id, who, user_id)
        if user_id is None:
            raise Forbidden("Nobody here has this identity. Ask for an invitation, or sign in and add it.")
        _, token = await identity.open_session(session, request, user_id=user_id, method="oidc", org_id=org_id or None)
    return token


async def _accept(
    session: AsyncSession, request: Request, org_id: str, invitation_id: str, who: Identity, user_id: str | None
) -> str:
    invitation = await invitations.reopen_invitation(session, org_id, invitation_id)
    if user_id is None:
        if who.email is None:
            raise Forbidden(
                "The identity provider does not say that your address was verified. Have it verified there."
            )
        user_id = await users.create_user(session, email=who.email, name=who.name)
        await users.link_identity(session, user_id, issuer=who.issuer, subject=who.subject)
    if invitation.email is not None and who.email is None:
        raise Forbidden("The invitation is for an address, and the identity provider verified none.")
    actor = actor_of(request, "user", user_id)
    await invitations.accept(session, invitation, user_id=user_id, email=who.email or "", actor=actor)
    await members.enter(session, org_id)
    return user_id


def _provider(api: Services) -> OidcProvider:
    if api.oidc is None:
        raise NotFound("No OpenID provider is configured here (SWISSBRAIN_OIDC_ISSUER).")
    return api.oidc
