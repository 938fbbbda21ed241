"""The one client for outbound HTTP: it connects only to the address that it validated.

Every hop is checked by `infra/addresses.py`, resolved once, and dialled by address; redirects are followed by hand.
There is no pool and no cookie jar: a socket never serves two requests, so never two hosts or tenants. Nothing is read
from the environment (no proxies). What the body means is the caller's business; it is data, never instructions.
"""

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, NoReturn
from urllib.parse import urljoin

import httpcore
import httpx

from infra.addresses import Address, CheckedUrl, check_address, check_characters, check_url
from schema.errors import BlockedAddress, InvariantViolated, SourceTemporarilyUnavailable, SourceUnavailable
from schema.policies import FETCH_BYTES_MAX, FETCH_CONNECT_TIMEOUT, FETCH_REDIRECTS_MAX, FETCH_TIMEOUT

Resolver = Callable[[str, int], Awaitable[list[Address]]]
"""Resolves (host, port) to addresses, in the order in which they should be tried."""

PAGE_TYPES = frozenset(
    [
        "text/html",
        "application/xhtml+xml",
        "text/plain",
        "text/markdown",
        "text/x-markdown",
        "text/x-rst",
        "application/pdf",
        "application/json",
        "application/xml",
        "text/xml",
        "application/rss+xml",
        "application/atom+xml",
    ]
)
"""Content types that can be read as a source."""
READ_TIMEOUT_S = 10.0
"""The longest silence of a server."""
BODY_TIMEOUT_S = 20.0
"""How long a body may take, however steadily it drips."""
ADDRESSES_TRIED_MAX = 4
USER_AGENT = "Swissbrain/1 (research agent)"

_REDIRECTS = {301, 302, 303, 307, 308}
_BUSY = {408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
"""Answers that another try may change."""
_KEPT_ACROSS_ORIGINS = {"accept", "accept-language", "user-agent"}
_RETRY_AFTER_MAX_S = 600.0


@dataclass(frozen=True)
class HttpResponse:
    """A complete answer."""

    url: str
    """Where it came from, after redirects."""
    status: int
    content_type: str
    """Media type without parameters, lower case."""
    charset: str | None
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes
    """Decompressed."""


async def resolve(host: str, port: int) -> list[Address]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))


class SafeHttpClient:
    """Sends requests to public hosts only. Holds no connection; needs no closing."""

    def __init__(
        self,
        private_hosts: Iterable[str] = (),
        *,
        resolver: Resolver = resolve,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        timeout_s: float = FETCH_TIMEOUT.total_seconds(),
        connect_timeout_s: float = FETCH_CONNECT_TIMEOUT.total_seconds(),
        read_timeout_s: float = READ_TIMEOUT_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        """Prepare the client.

        Args:
            private_hosts: `host:port` of services on private addresses that are open by configuration.
            user_agent: how requests introduce themselves; what robots.txt is asked for too.
            timeout_s: for the whole request: resolving, every hop, the body.
        """
        self._private_hosts = tuple(private_hosts)
        self._resolver = resolver
        self._ssl_context = ssl_context or httpx.create_ssl_context(trust_env=False)
        self.user_agent = user_agent
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._body_timeout_s = body_timeout_s

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, **limits: Any) -> HttpResponse:
        """Fetch a URL; see `request`."""
        return await self.request("GET", url, headers=headers, **limits)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        content_types: frozenset[str] | None = PAGE_TYPES,
        bytes_max: int = FETCH_BYTES_MAX,
    ) -> HttpResponse:
        """Send one request, follow its redirects, and return the complete answer.

        Args:
            headers: sent to the first origin; credentials and everything else of the caller's but `Accept`,
                `Accept-Language` and `User-Agent` is dropped when a redirect leads to another origin.
            content_types: what may come back; None: anything.
            bytes_max: of the body, counted after decompression.

        Raises:
            BlockedAddress: the URL, a redirect or an address breaks a rule; `rule` names it.
            SourceTemporarilyUnavailable: it hung, broke off, or answered that it is busy or failing.
            SourceUnavailable: it said no, or what it sent cannot be taken.
        """
        sent = {"user-agent": self.user_agent, "accept": "*/*"} | {k.lower(): v for k, v in (headers or {}).items()}
        target = check_url(url, self._private_hosts)
        try:
            async with asyncio.timeout(self._timeout_s):
                for _ in range(FETCH_REDIRECTS_MAX + 1):
                    answer = await self._hop(method, target, sent, content, content_types, bytes_max)
                    if isinstance(answer, HttpResponse):
                        return answer
                    if method not in ("GET", "HEAD"):
                        raise SourceUnavailable("The server redirects a request that must not be repeated elsewhere.")
                    if answer.origin != target.origin:
                        sent = {name: value for name, value in sent.items() if name in _KEPT_ACROSS_ORIGINS}
                    target = answer
        except TimeoutError as error:
            raise SourceTemporarilyUnavailable(f"{target.host} did not answer within {self._timeout_s:g} s.") from error
        raise SourceUnavailable(f"{target.host} redirects more than {FETCH_REDIRECTS_MAX} times.", rule="redirects")

    async def _hop(
        self,
        method: str,
        target: CheckedUrl,
        headers: dict[str, str],
        content: bytes | None,
        content_types: frozenset[str] | None,
        bytes_max: int,
    ) -> HttpResponse | CheckedUrl:
        """Send one request on a connection of its own; return the answer, or where it redirects to."""
        addresses = await self._addresses(target)
        connection = httpcore.AsyncHTTPConnection(
            origin=httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port),
            ssl_context=self._ssl_context if target.scheme == "https" else None,
            http1=True,
            http2=False,
            retries=0,
            network_backend=_PinnedBackend(target.host, addresses, self._connect_timeout_s),
        )
        async with _translated(target.host), connection:
            response = await connection.handle_async_request(self._request(method, target, headers, content))
            try:
                return await self._read(response, target, content_types, bytes_max)
            finally:
                await response.aclose()

    async def _addresses(self, target: CheckedUrl) -> list[Address]:
        """Resolve once; every answer must pass, so that no choice among them can be steered."""
        if target.literal is not None:
            addresses: list[Address] = [target.literal]
        else:
            try:
                addresses = await self._resolver(target.host, target.port)
            except socket.gaierror as error:
                _raise_unresolved(target.host, error)
            except (OSError, UnicodeError, ValueError) as error:
                raise SourceTemporarilyUnavailable(f"The name {target.host} could not be resolved.") from error
        if not addresses:
            raise SourceUnavailable(f"The name {target.host} has no address.")
        for address in addresses:
            check_address(address, private=target.private)
        return addresses[:ADDRESSES_TRIED_MAX]

    def _request(
        self, method: str, target: CheckedUrl, headers: dict[str, str], content: bytes | None
    ) -> httpcore.Request:
        own = {"host": target.authority, "accept-encoding": "identity, gzip", "connection": "close"}
        merged = {**headers, **own}
        if content is not None:
            merged["content-length"] = str(len(content))
        try:
            encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in merged.items()]
        except UnicodeEncodeError as error:
            raise SourceUnavailable("A request header contains characters that HTTP cannot carry.") from error
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.target.encode()
        )
        timeouts = {"connect": self._connect_timeout_s, "read": self._read_timeout_s, "write": self._read_timeout_s}
        # SNI and certificate check take the name, while the socket goes to the address.
        extensions = {"timeout": timeouts, "sni_hostname": target.host}
        return httpcore.Request(method, url, headers=encoded, content=content, extensions=extensions)

    async def _read(
        self,
        response: httpcore.Response,
        target: CheckedUrl,
        content_types: frozenset[str] | None,
        bytes_max: int,
    ) -> HttpResponse | CheckedUrl:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS and "location" in headers:
            return self._redirect(target, headers["location"])
        _check_status(response.status, headers, target.host)
        content_type, charset = _content_type(headers.get("content-type", ""))
        if content_types is not None and content_type not in content_types:
            raise SourceUnavailable(
                f"{target.host} sent {content_type or 'no content type'}, which cannot be read as a source.",
                content_type=content_type,
            )
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > bytes_max:
            _raise_too_large(target.host, bytes_max)
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await _read_body(response, headers.get("content-encoding", ""), target.host, bytes_max)
        except TimeoutError as error:
            raise SourceTemporarilyUnavailable(f"{target.host} sends its answer too slowly.") from error
        return HttpResponse(str(target), response.status, content_type, charset, headers, body)

    def _redirect(self, source: CheckedUrl, location: str) -> CheckedUrl:
        # Header bytes were read as Latin-1; servers that send raw UTF-8 mean UTF-8.
        with contextlib.suppress(UnicodeDecodeError):
            location = location.encode("latin-1").decode("utf-8")
        # Before joining: `urljoin` silently drops the tabs and line breaks that the rule refuses.
        check_characters(location)
        try:
            joined = urljoin(str(source), location)
        except ValueError as error:
            raise BlockedAddress("The redirect cannot be read.", rule="host") from error
        target = check_url(joined, self._private_hosts)
        if source.scheme == "https" and target.scheme == "http":
            raise BlockedAddress("The page redirects from https to http.", rule="downgrade")
        if target.private and not source.private:
            raise BlockedAddress("A public page redirects to a private host.", rule="redirect_to_private")
        return target


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the validated addresses and to nothing else, whatever name it is asked for."""

    def __init__(self, host: str, addresses: list[Address], timeout_s: float) -> None:
        self._host = host
        self._addresses = addresses
        self._timeout_s = timeout_s
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if host != self._host:
            raise InvariantViolated("A connection was asked for to a host that was not checked.", host=host)
        failure: Exception | None = None
        for address in self._addresses:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, min(timeout or self._timeout_s, self._timeout_s), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise InvariantViolated("Outbound HTTP does not use Unix sockets.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def _translated(host: str) -> AsyncIterator[None]:
    """Turn the vendor's failures into ours: the only place that does."""
    try:
        yield
    except httpcore.LocalProtocolError as error:
        raise SourceUnavailable("The request cannot be sent as it is.") from error
    except httpcore.TimeoutException as error:
        raise SourceTemporarilyUnavailable(f"{host} did not answer in time.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        if _is_certificate_failure(error):
            raise SourceUnavailable(f"The certificate of {host} is not valid.") from error
        raise SourceTemporarilyUnavailable(f"The connection to {host} failed or broke off.") from error


def _is_certificate_failure(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _raise_unresolved(host: str, error: socket.gaierror) -> NoReturn:
    if error.errno == socket.EAI_AGAIN:
        raise SourceTemporarilyUnavailable(f"The name {host} cannot be resolved at the moment.") from error
    raise SourceUnavailable(f"There is no host named {host}.") from error


def _raise_too_large(host: str, bytes_max: int) -> NoReturn:
    raise SourceUnavailable(f"The answer of {host} is larger than {bytes_max} bytes.", limit=bytes_max)


def _check_status(status: int, headers: Mapping[str, str], host: str) -> None:
    if 200 <= status < 300:
        return
    if status in _BUSY:
        raise SourceTemporarilyUnavailable(f"{host} answered {status}.", retry_after_s=_wait_s(headers), status=status)
    raise SourceUnavailable(f"{host} answered {status}.", status=status)


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """Return how long a server that is busy asks to be left alone, where it says so."""
    if "retry-after" in headers:
        return _retry_after_s(headers["retry-after"])
    # `X-RateLimit-Remaining: 0, 1000` and `X-RateLimit-Reset: 1, 1419704`: one figure per window, in seconds. The
    # windows that are used up count; a figure that is a moment (seconds since 1970) is none that can be waited for.
    resets = [part.strip() for part in headers.get("x-ratelimit-reset", "").split(",")]
    left = [part.strip() for part in headers.get("x-ratelimit-remaining", "").split(",")]
    used_up = [
        float(reset)
        for number, reset in enumerate(resets)
        if reset.isdigit() and len(reset) < 8 and (len(left) != len(resets) or left[number] == "0")
    ]
    return min(max(used_up), _RETRY_AFTER_MAX_S) if used_up else None


def _retry_after_s(value: str) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date."""
    value = value.strip()
    if value.isdigit() and len(value) < 10:
        return min(float(value), _RETRY_AFTER_MAX_S)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _RETRY_AFTER_MAX_S)


def _content_type(value: str) -> tuple[str, str | None]:
    """Return (media type, charset), both in lower case; an absent header has the empty type."""
    message = Message()
    message["content-type"] = value
    charset = message.get_param("charset")
    media_type = value.partition(";")[0].strip().lower()
    return media_type, charset.lower() if isinstance(charset, str) else None


async def _read_body(response: httpcore.Response, encoding: str, host: str, bytes_max: int) -> bytes:
    """Read and decompress, never holding more than the limit."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise SourceUnavailable(f"{host} sent a compression that was not asked for.", content_encoding=encoding)
    decoder = _Gunzip() if "gzip" in encoding else None
    body, received = bytearray(), 0
    async for chunk in response.aiter_stream():
        received += len(chunk)
        try:
            body += decoder.decode(chunk, bytes_max + 1 - len(body)) if decoder else chunk
        except zlib.error as error:
            raise SourceUnavailable(f"{host} sent a body that cannot be decompressed.") from error
        if len(body) > bytes_max or received > bytes_max:
            _raise_too_large(host, bytes_max)
    if decoder is not None and received and not decoder.complete:
        raise SourceTemporarilyUnavailable(f"The answer of {host} broke off.")
    return bytes(body)


class _Gunzip:
    """A gzip decoder that never yields more than it is allowed to: a bomb costs the limit, not its size."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.complete = False

    def decode(self, data: bytes, bytes_max: int) -> bytes:
        """Return at most `bytes_max` decompressed bytes; the caller stops when it gets that many."""
        out = bytearray()
        while data and len(out) < bytes_max:
            if self._inflate.eof:
                if not data.startswith(b"\x1f\x8b"):
                    break  # Padding after the last member.
                self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
            out += self._inflate.decompress(data, bytes_max - len(out))
            data = self._inflate.unused_data if self._inflate.eof else b""
            self.complete = self._inflate.eof
        return bytes(out)
