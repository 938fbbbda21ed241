"""Who calls: an API key, proven before the body of a request is read."""

import base64
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.responses import Response

from api.json_body import JsonRequest
from api.problems import takes_basic
from api.services import services
from schema.errors import Forbidden, Unauthenticated
from schema.store import api_keys
from schema.store.api_keys import Scope
from schema.store.audit import Actor

_BEARER = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="sk_<id>_<secret>_<checksum>",
    description="An API key: `Authorization: Bearer sk_...`.",
    auto_error=False,
)
_USER_AGENT_LENGTH_MAX = 300


@dataclass(frozen=True)
class Caller:
    """The key that a request came with, proven, and what it may do."""

    org_id: str
    user_id: str
    key_id: str
    scopes: frozenset[str]
    actor: Actor
    """Who the audit log names."""


async def authenticate(request: Request) -> Caller:
    """Prove the request's key against the database, without a cache: a revoked key ends at once.

    Raises:
        Unauthenticated: no key, no such key, a wrong secret, expired or revoked; the answer does not say which.
    """
    presented = api_keys.parse_key(_bearer(request))
    if presented is None:
        raise Unauthenticated("This is not an API key. Send `Authorization: Bearer sk_...`.")
    request.state.presented_key_id = presented.key_id
    async with services(request).database.transaction(None) as session:
        key = await api_keys.find_key(session, presented)
    if key is None or not presented.proves(key):
        raise Unauthenticated("The API key is unknown, expired or revoked. Use one that is in force.")
    if api_keys.use_is_stale(key):
        async with services(request).database.transaction(key.org_id) as session:
            await api_keys.touch_key(session, key.org_id, key.id)
    return Caller(key.org_id, key.user_id, key.id, frozenset(key.scopes), _actor(request, key.id))


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and takes_basic(request.scope):
        return _password(token)
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("The request came without an API key. Send `Authorization: Bearer sk_...`.")
    return token.strip()


def _password(token: str) -> str:
    """Return the password of Basic credentials (RFC 7617), the key; the user name says nothing."""
    try:
        return base64.b64decode(token.strip(), validate=True).decode("ascii").partition(":")[2]
    except ValueError:
        return ""


def _actor(request: Request, key_id: str) -> Actor:
    agent = request.headers.get("user-agent", "").encode("ascii", "replace").decode()[:_USER_AGENT_LENGTH_MAX]
    return Actor(
        type="api_key",
        id=key_id,
        request_id=request.state.request_id,
        ip_address=_address(request),
        user_agent=agent.replace("\x00", "") or None,
    )


def _address(request: Request) -> str | None:
    """Return the peer's address; behind a proxy uvicorn has put the forwarded one there, if it trusts the proxy."""
    host = request.client.host if request.client else ""
    return host if host and all(c in "0123456789abcdefABCDEF.:" for c in host) else None


class SecuredRoute(APIRoute):
    """A route that answers nobody without a key: proven before FastAPI reads the body, so that 401 comes first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with the proof in front."""
        handle = super().get_route_handler()

        async def handle_secured(request: Request) -> Response:
            request.state.caller = await authenticate(request)
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_secured


def authorised(
    request: Request,
    needed: SecurityScopes,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    """Return the caller that `SecuredRoute` proved, if its key has the scopes.

    Raises:
        Forbidden: a scope is missing.
    """
    caller: Caller = request.state.caller
    request.state.needed_scopes = tuple(needed.scopes)  # For the audit log: asked, and allowed or not.
    missing = sorted(set(needed.scopes) - caller.scopes)
    if missing:
        raise Forbidden(f"The API key lacks the scope {', '.join(missing)}.", missing_scopes=missing)
    return caller


def _with(*scopes: Scope) -> Any:
    return Security(authorised, scopes=[scope.value for scope in scopes])


AnyCaller = Annotated[Caller, _with()]
RunsReader = Annotated[Caller, _with(Scope.RUNS_READ)]
RunsWriter = Annotated[Caller, _with(Scope.RUNS_WRITE)]
DocumentsReader = Annotated[Caller, _with(Scope.DOCUMENTS_READ)]
DocumentsWriter = Annotated[Caller, _with(Scope.DOCUMENTS_WRITE)]
BillingReader = Annotated[Caller, _with(Scope.BILLING_READ)]
BillingAdmin = Annotated[Caller, _with(Scope.BILLING_ADMIN)]
KeysAdmin = Annotated[Caller, _with(Scope.KEYS_ADMIN)]
AuditReader = Annotated[Caller, _with(Scope.AUDIT_READ)]
Operator = Annotated[Caller, _with(Scope.OPERATOR)]
