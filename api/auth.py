"""Who calls: an API key or a session, proven before the body of a request is read, and what it may do.

Every route names the permission that it needs by the type of its `caller` parameter (`RunsReader` ...), which the
OpenAPI document shows as the operation's `security`. Who has which permission stands in `schema/permissions.py`.
"""

import base64
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.responses import Response

from api import cookies
from api.json_body import JsonRequest
from api.problems import takes_basic
from api.query import refuse_unknown_parameters
from api.services import services
from infra.request_limits import Quota, headers_of
from schema.errors import Forbidden, RateLimited, Unauthenticated
from schema.permissions import Role, Scope, allowed
from schema.store import api_keys, members, sessions
from schema.store.audit import Actor

_BEARER = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="sk_<id>_<secret>_<checksum>",
    description="An API key: `Authorization: Bearer sk_...`; or a session's token (`ss_...`), or its cookie.",
    auto_error=False,
)
_USER_AGENT_LENGTH_MAX = 300


@dataclass(frozen=True)
class Caller:
    """The key or session that a request came with, proven, and what it may do."""

    org_id: str
    user_id: str
    role: Role
    """The member's, at this moment."""
    scopes: frozenset[str]
    """What the role allows, and, for a key, its scopes."""
    actor: Actor
    """Who the audit log names."""
    key_id: str | None = None
    session_id: str | None = None

    @property
    def credential_id(self) -> str:
        """Return the id of the key or of the session."""
        return self.key_id or self.session_id or ""


async def authenticate(request: Request) -> Caller:
    """Prove the request's key or session against the database, without a cache: a revoked one ends at once.

    Raises:
        Unauthenticated: no key, no such key, a wrong secret, expired or revoked, or its member is none any more; the
            answer does not say which.
        Forbidden: a cookie came with an unsafe request of another site.
    """
    text = _bearer(request)
    if text is None:
        text = cookies.cookie_of(request, services(request).settings, cookies.SESSION)
        if text is None:
            raise Unauthenticated(
                "The request came without an API key or session. Send `Authorization: Bearer sk_...`, or sign in."
            )
        cookies.require_own_site(request, services(request).settings, proof=True)
    return await (_session(request, text) if text.startswith(f"{sessions.PREFIX}_") else _key(request, text))


async def _key(request: Request, text: str) -> Caller:
    presented = api_keys.parse_key(text)
    if presented is None:
        raise Unauthenticated("This is not an API key. Send `Authorization: Bearer sk_...`.")
    refusal = Unauthenticated("The API key is unknown, expired or revoked. Use one that is in force.")
    request.state.presented_key_id = presented.key_id
    async with services(request).database.transaction(None) as session:
        key = await api_keys.find_key(session, presented)
        if key is None or not presented.proves(key):
            raise refusal
        await members.enter(session, key.org_id)
        role = await members.find_role(session, key.org_id, key.user_id)
        if role is None:
            raise refusal
        if api_keys.use_is_stale(key):
            await api_keys.touch_key(session, key.org_id, key.id)
    actor = actor_of(request, "api_key", key.id)
    return Caller(key.org_id, key.user_id, role, allowed(role, key.scopes), actor, key_id=key.id)


async def _session(request: Request, text: str) -> Caller:
    token = sessions.parse_token(text)
    refusal = Unauthenticated("The session has ended. Sign in again.")
    if token is None:
        raise refusal
    async with services(request).database.transaction(None) as session:
        found = await sessions.find_session(session, token)
        if found is None:
            raise refusal
        await members.enter(session, found.current_org_id)
        role = await members.find_role(session, found.current_org_id, found.user_id)
        if role is None:
            raise refusal
    actor = actor_of(request, "user", found.user_id)
    return Caller(found.current_org_id, found.user_id, role, allowed(role), actor, session_id=found.id)


def _bearer(request: Request) -> str | None:
    """Return the credential of the header `Authorization`; None where there is no such header."""
    if "authorization" not in request.headers:
        return None
    scheme, _, token = request.headers["authorization"].partition(" ")
    if scheme.lower() == "basic" and takes_basic(request.scope):
        return _password(token)
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("The header `Authorization` has no key. Send `Authorization: Bearer sk_...`.")
    return token.strip()


def _password(token: str) -> str:
    """Return the password of Basic credentials (RFC 7617), the key; the user name says nothing."""
    try:
        return base64.b64decode(token.strip(), validate=True).decode("ascii").partition(":")[2]
    except ValueError:
        return ""


def actor_of(request: Request, type: str, id: str | None) -> Actor:
    """Return who the audit log names: this request's sender as `type` and `id`."""
    return Actor(
        type=type,
        id=id,
        request_id=request.state.request_id,
        ip_address=address_of(request),
        user_agent=user_agent_of(request),
    )


def user_agent_of(request: Request) -> str | None:
    """Return how the client introduces itself, shortened to what can be kept."""
    agent = request.headers.get("user-agent", "").encode("ascii", "replace").decode()[:_USER_AGENT_LENGTH_MAX]
    return agent.replace("\x00", "") or None


def address_of(request: Request) -> str | None:
    """Return the peer's address; behind a proxy uvicorn has put the forwarded one there, if it trusts the proxy."""
    host = request.client.host if request.client else ""
    return host if host and all(c in "0123456789abcdefABCDEF.:" for c in host) else None


class SecuredRoute(APIRoute):
    """A route that answers nobody without a key: proven before FastAPI reads the body, so that 401 comes first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the proof and the limits of requests in front."""
        handle = super().get_route_handler()

        async def handle_secured(request: Request) -> Response:
            caller = request.state.caller = await authenticate(request)
            settings = services(request).settings
            await _count(
                request,
                Quota("key", caller.credential_id, settings.requests_per_minute_key),
                Quota("organisation", caller.org_id, settings.requests_per_minute_organisation),
            )
            refuse_unknown_parameters(request, self.name)
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_secured


class OpenRoute(APIRoute):
    """A route that answers whoever has no key yet: limited by address, and closed to other sites' pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the limit of requests in front."""
        handle = super().get_route_handler()

        async def handle_open(request: Request) -> Response:
            settings = services(request).settings
            await _count(request, Quota("address", address_of(request) or "", settings.requests_per_minute_address))
            cookies.require_own_site(request, settings, proof=False)
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_open


async def _count(request: Request, *quotas: Quota) -> None:
    standings = await services(request).request_limits.count(quotas)
    # The middleware puts them on every answer to this request, a refusal included.
    request.state.rate_limit_headers = headers_of(standings)
    for standing in standings:
        if not standing.admitted:
            raise RateLimited(
                f"More than {standing.quota.per_minute} requests a minute of this {standing.quota.name}. Wait, then "
                "go on slower.",
                retry_after_s=standing.reset_s,
                limit=standing.quota.per_minute,
                limit_of=standing.quota.name,
            )


def authorised(
    request: Request,
    needed: SecurityScopes,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    """Return the caller that `SecuredRoute` proved, if it has the permissions.

    Raises:
        Forbidden: one is missing.
    """
    caller: Caller = request.state.caller
    request.state.needed_scopes = tuple(needed.scopes)  # For the audit log: asked, and allowed or not.
    missing = sorted(set(needed.scopes) - caller.scopes)
    if missing:
        lacks = "API key lacks the scope" if caller.key_id else f"role {caller.role} lacks the permission"
        raise Forbidden(f"The {lacks} {', '.join(missing)}.", missing_scopes=missing)
    return caller


def signed_in(caller: Annotated[Caller, Security(authorised)]) -> Caller:
    """Return the caller, if it is a person's session.

    Raises:
        Forbidden: it is an API key.
    """
    if caller.session_id is None:
        raise Forbidden("This is about your own account. Sign in: an API key cannot do it.")
    return caller


def _with(*scopes: Scope) -> Any:
    return Security(authorised, scopes=[scope.value for scope in scopes])


SignedIn = Annotated[Caller, Depends(signed_in)]
AnyCaller = Annotated[Caller, _with()]
RunsReader = Annotated[Caller, _with(Scope.RUNS_READ)]
RunsWriter = Annotated[Caller, _with(Scope.RUNS_WRITE)]
DocumentsReader = Annotated[Caller, _with(Scope.DOCUMENTS_READ)]
DocumentsWriter = Annotated[Caller, _with(Scope.DOCUMENTS_WRITE)]
BillingReader = Annotated[Caller, _with(Scope.BILLING_READ)]
BillingAdmin = Annotated[Caller, _with(Scope.BILLING_ADMIN)]
KeysOwner = Annotated[Caller, _with(Scope.KEYS_OWN)]
MembersReader = Annotated[Caller, _with(Scope.MEMBERS_READ)]
MembersAdmin = Annotated[Caller, _with(Scope.MEMBERS_ADMIN)]
OrganisationAdmin = Annotated[Caller, _with(Scope.ORGANISATION_ADMIN)]
AuditReader = Annotated[Caller, _with(Scope.AUDIT_READ)]
PolicyAdmin = Annotated[Caller, _with(Scope.KEYS_ADMIN)]
"""Who sets what agents may do, and decides on calls that wait: owners and admins."""
DataAdmin = Annotated[Caller, _with(Scope.DATA_ADMIN)]
Operator = Annotated[Caller, _with(Scope.OPERATOR)]
