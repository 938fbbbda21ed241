"""Addresses of pages: one form for all spellings of the same page, and the domain that answers for it. Pure."""

from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from courlan.clean import normalize_url
from publicsuffixlist import PublicSuffixList

from schema.policies import URL_LENGTH_MAX


@lru_cache(maxsize=4_096)
def canonical(uri: str) -> str:
    """Return an address without what does not change the page: tracking parameters, fragment, default port, `www.`.

    What is no web address (`document:ID`) is returned as it is.
    """
    if not uri.lower().startswith(("http://", "https://")):
        return uri
    try:
        parts = urlsplit(normalize_url(uri, strict=False))
        port = parts.port
    except ValueError:
        return uri
    host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    place = host if port in (None, default) else f"{host}:{port}"
    path = parts.path.rstrip("/")
    for index in ("/index.html", "/index.htm", "/index.php"):
        path = path.removesuffix(index)
    # http and https of one host are one page; so the scheme is left out.
    return f"//{place}{path}" + (f"?{parts.query}" if parts.query else "")


def declared_canonical(page: str, declared: str | None) -> str | None:
    """Return the address that a page declares with `rel=canonical`, if it is of the same registered domain.

    A page cannot make itself the original of another domain's page, or the other way round: there the texts decide.
    """
    if not declared or len(declared) > URL_LENGTH_MAX:
        return None
    joined = urljoin(page, declared.strip())
    if not joined.lower().startswith(("http://", "https://")) or not host_of(joined):
        return None
    return joined if registrable(host_of(joined)) == registrable(host_of(page)) else None


def host_of(uri: str) -> str:
    """Return the host of a web address in lower case, IDNA as it came; empty where there is none."""
    try:
        return (urlsplit(uri).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


@lru_cache(maxsize=4_096)
def registrable(host: str) -> str:
    """Return the domain that was registered (`news.bbc.co.uk` -> `bbc.co.uk`, public suffix list); else the host."""
    return _suffixes().privatesuffix(host) or host


def suffixes_of(host: str) -> tuple[str, ...]:
    """Return a host and every domain above it, longest first: whose reputation may count for it."""
    labels = [label for label in host.split(".") if label]
    return tuple(".".join(labels[at:]) for at in range(len(labels)))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=True)
