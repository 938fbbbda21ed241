"""The cookies of a browser, and whose page a browser's request comes from (cross-site request forgery).

`__Host-` binds a cookie to exactly this host over https (RFC 6265bis, 4.1.3.2); over plain http, for a machine of
one's own, no browser would take such a name.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from infra.settings import Settings
from schema.errors import Forbidden

SESSION = "swissbrain_session"
OIDC = "swissbrain_oidc"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def base_url(request: Request, settings: Settings) -> str:
    """Return the API's address as its callers reach it, without a slash at the end."""
    return settings.api_public_url or str(request.base_url).rstrip("/")


def cookie_of(request: Request, settings: Settings, name: str) -> str | None:
    """Return the value of one of our cookies."""
    return request.cookies.get(_full(request, settings, name))


def set_cookie(
    answer: Response, request: Request, settings: Settings, name: str, value: str, *, max_age_s: int
) -> None:
    """Give the browser a cookie that scripts cannot read and that no other site's forms send along."""
    answer.set_cookie(
        _full(request, settings, name),
        value,
        max_age=max_age_s,
        path="/",
        secure=_is_https(request, settings),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(answer: Response, request: Request, settings: Settings, name: str) -> None:
    """Have the browser forget a cookie."""
    set_cookie(answer, request, settings, name, "", max_age_s=0)


def require_own_site(request: Request, settings: Settings, *, proof: bool) -> None:
    """Refuse an unsafe request that another site's page has a browser send.

    The browser says whence it comes: `Sec-Fetch-Site` (W3C Fetch Metadata), or `Origin` where it is older.

    Args:
        proof: refuse also what says neither; for requests that a cookie authenticates, which only browsers send.

    Raises:
        Forbidden: it comes from elsewhere.
    """
    if request.method in _SAFE_METHODS:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site == "same-origin"
    elif origin is not None:
        own = origin == _origin(base_url(request, settings))
    else:
        own = not proof
    if not own:
        raise Forbidden(
            "A request with a session's cookie must come from a page of this host: send `Origin`, as browsers do. "
            "Programs use `Authorization: Bearer`."
        )


def _full(request: Request, settings: Settings, name: str) -> str:
    return f"__Host-{name}" if _is_https(request, settings) else name


def _is_https(request: Request, settings: Settings) -> bool:
    return base_url(request, settings).startswith("https://")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
