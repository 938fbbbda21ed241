"""What happens around every request: its id, a bound on its body, safe headers, an access line, a last resort.

Plain ASGI, so that a stream stays a stream and a disconnect reaches it.
"""

import re
import time
from contextlib import suppress

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem, unexpected
from schema.ids import REQUEST, new_id
from schema.policies import FILE_DIRECT_BYTES_MAX, REQUEST_BYTES_MAX, UPLOAD_BYTES_MAX

log = structlog.get_logger("api.access")

UPLOAD_REQUEST_BYTES_MAX = 4 * UPLOAD_BYTES_MAX
"""Largest body of one upload, all its files together."""
UPLOAD_PATH = "/api/v1/documents"
_UPLOADS = {UPLOAD_PATH: UPLOAD_REQUEST_BYTES_MAX, "/api/v1/files": 2 * FILE_DIRECT_BYTES_MAX}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_QUIET_PATHS = frozenset({"/healthz", "/readyz"})

_SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "cache-control": "no-store",
}
"""Set unless the answer says otherwise: what comes from here is data, and most of it a tenant's."""


class RequestContext:
    """Give the request an id, log one line about it, and answer for an exception that nobody meant to raise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.monotonic()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers.update(scope["state"].get("rate_limit_headers", {}))
                for name, value in _SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, sending)
            except Exception as error:  # The last resort: a caller gets a problem, never a broken connection.
                answer = unexpected(scope, error)
                if status == 0:
                    await answer(scope, receive, sending)
                else:
                    raise
            finally:
                if scope["path"] not in _QUIET_PATHS:
                    _log(scope, status, time.monotonic() - started)


def _request_id(given: str | None) -> str:
    """Take the caller's id where it is harmless, else make one."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else new_id(REQUEST)


def _log(scope: Scope, status: int, duration_s: float) -> None:
    caller = scope["state"].get("caller")
    log.info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        duration_ms=round(duration_s * 1000, 1),
        org_id=getattr(caller, "org_id", None),
        api_key_id=getattr(caller, "key_id", None),
        session_id=getattr(caller, "session_id", None),
    )


class BodyLimit:
    """Refuse a body larger than its limit (413): by its declared length at once, a chunked one while it is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = _UPLOADS.get(scope["path"].rstrip("/"), REQUEST_BYTES_MAX)
        detail = f"The body is larger than {limit} bytes. Send less in one request."
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isascii() or not declared.isdigit():
            await problem(scope, "invalid_request", "Content-Length is not a number.")(scope, receive, send)
            return
        if int(declared) > limit:
            answer = problem(scope, "payload_too_large", detail, facts={"limit_bytes": limit})
            await answer(scope, receive, send)
            return
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                # An HTTPException, because FastAPI turns any other one into 400 while it reads a body.
                raise HTTPException(413, detail)
            return message

        await self.app(scope, receiving, send)


class HeadAsGet:
    """Answer HEAD as GET without its body (RFC 9110, 9.1: every server has both), a stream's head included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        ended = False

        async def sending(message: Message) -> None:
            nonlocal ended
            if ended:
                if message.get("more_body"):
                    raise OSError("the head was sent")  # How a stream learns that nobody reads it.
                return
            await send(message)
            if message["type"] == "http.response.start":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                ended = True

        with suppress(OSError, ClientDisconnect):
            await self.app({**scope, "method": "GET"}, receive, sending)


class CodecCors:
    """Let the Temporal Web UI call the codec endpoint from its own origin, and nobody else (CORS)."""

    def __init__(self, app: ASGIApp, origin: str | None) -> None:
        self.app = app
        self._shared = (
            app
            if origin is None
            else CORSMiddleware(
                app,
                allow_origins=[origin],
                allow_credentials=True,
                allow_methods=["POST"],
                allow_headers=["authorization", "content-type", "x-namespace"],
                max_age=600,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        shared = scope["type"] == "http" and scope["path"].startswith("/codec/")
        await (self._shared if shared else self.app)(scope, receive, send)
