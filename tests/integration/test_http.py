"""The outbound client against hostile servers on loopback, opened by configuration, with a resolver that lies."""

import asyncio
import datetime
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.addresses import Address
from infra.http import SafeHttpClient
from schema.errors import BlockedAddress, SourceTemporarilyUnavailable, SourceUnavailable

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Resolver:
    """Answers in order, the last answer for ever, and counts."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.calls.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(address) for address in answer]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve on loopback; yield the port and the list of request heads that arrive."""
    heads: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            await handler(head, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


def answering(
    body: bytes = b"<p>ok</p>", status: str = "200 OK", content_type: str = "text/html; charset=UTF-8", extra: str = ""
) -> Handler:
    """Answer every request alike."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        lines = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        writer.write(lines.encode("latin-1") + body)
        await writer.drain()

    return handler


def redirecting(location: str, status: str = "302 Found") -> Handler:
    """Redirect every request."""
    return answering(b"", status, extra=f"Location: {location}\r\n")


LOOPBACK = Resolver(["127.0.0.1"])


def client_for(*ports: int, host: str = "site.test", resolver: Resolver = LOOPBACK, **limits: float) -> SafeHttpClient:
    """Make a client to which the named test host is open."""
    hosts = [f"{name}:{port}" for port in ports for name in (host, "other.test", "127.0.0.1")]
    return SafeHttpClient(hosts, resolver=resolver, **limits)


async def test_answer_and_request_head() -> None:
    """The happy path: the name stays in Host, nothing but gzip is offered."""
    async with serving(answering()) as (port, heads):
        answer = await client_for(port).get(f"http://site.test:{port}/a?b=c")
    assert (answer.status, answer.body, answer.content_type, answer.charset) == (
        200,
        b"<p>ok</p>",
        "text/html",
        "utf-8",
    )
    assert answer.url == f"http://site.test:{port}/a?b=c"
    head = heads[0].lower()
    assert head.startswith(b"get /a?b=c http/1.1\r\n")
    assert f"\r\nhost: site.test:{port}\r\n".encode() in head
    assert b"\r\naccept-encoding: identity, gzip\r\n" in head


async def test_rebinding_cannot_move_the_connection() -> None:
    """R1: the name is resolved once, and the socket goes to that answer."""
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    async with serving(answering()) as (port, _):
        await client_for(port, resolver=resolver).get(f"http://site.test:{port}/")
    assert resolver.calls == ["site.test"]


async def test_public_name_is_dialled_by_its_validated_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """R1 with public addresses: what is dialled is the address that was checked."""
    dialled: list[str] = []

    async def connect_tcp(self: object, host: str, *_: object, **__: object) -> object:
        dialled.append(host)
        raise httpcore.ConnectError("unreachable")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    resolver = Resolver(["8.8.8.8", "2606:4700:4700::1111"], ["127.0.0.1"])
    with pytest.raises(SourceTemporarilyUnavailable):
        await SafeHttpClient(resolver=resolver).get("http://example.com/")
    assert dialled == ["8.8.8.8", "2606:4700:4700::1111"]
    assert resolver.calls == ["example.com"]


@pytest.mark.parametrize(
    "answers",
    [
        ["8.8.8.8", "10.0.0.1"],  # R2: mixed
        ["127.0.0.1"],  # R8: an alias of an internal name ends here
        ["::1"],  # R9: AAAA only
        ["fd00:ec2::254"],
        ["169.254.169.254"],
        ["168.63.129.16"],
        ["::ffff:8.8.8.8"],
        ["fe80::1%1"],
        ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "10.0.0.1"],  # beyond those that would be tried
    ],
)
async def test_every_answer_must_pass(answers: list[str]) -> None:
    """R2, R8, R9: one private answer refuses the name."""
    with pytest.raises(BlockedAddress) as refusal:
        await SafeHttpClient(resolver=Resolver(answers)).get("https://example.com/")
    assert refusal.value.facts == {"rule": "address"}


@pytest.mark.parametrize(
    ("location", "rule"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address"),  # R3
        ("file:///etc/passwd", "scheme"),  # R4
        ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme"),
        ("//127.0.0.1:1/", "port"),
        ("//127.0.0.1/", "address"),
        ("http://u:p@site.test/", "userinfo"),
        ("http://localhost/", "name"),
        ("http://127.0.0.1\t.example.com/", "characters"),
        ("http://example.com\\@127.0.0.1/", "characters"),
        ("/a b", "characters"),
    ],
)
async def test_redirects_are_checked(location: str, rule: str) -> None:
    """R3, R4: a hop is checked like the first URL."""
    async with serving(redirecting(location)) as (port, _):
        with pytest.raises(BlockedAddress) as refusal:
            await client_for(port).get(f"http://site.test:{port}/")
    assert refusal.value.facts == {"rule": rule}


async def test_redirect_loop_ends() -> None:
    """R5: five redirects are followed, the sixth is not."""
    async with serving(redirecting("/again")) as (port, heads):
        with pytest.raises(SourceUnavailable):
            await client_for(port).get(f"http://site.test:{port}/")
    assert len(heads) == 6


async def test_five_redirects_are_followed() -> None:
    """R5, the other side."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        hop = int(head.split()[1].strip(b"/") or b"0")
        await (redirecting(f"/{hop + 1}") if hop < 5 else answering(b"there"))(head, writer)

    async with serving(handler) as (port, _):
        answer = await client_for(port).get(f"http://site.test:{port}/")
    assert (answer.body, answer.url) == (b"there", f"http://site.test:{port}/5")


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a self-signed certificate for site.test; return the server's and a trusting client's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("site.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "site.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_tls_checks_the_name_and_refuses_a_downgrade(tmp_path: Path) -> None:
    """R6, and SNI: the certificate is checked against the name although the socket goes to an address."""
    server, trusting = certificate(tmp_path)
    async with serving(redirecting("http://example.com/"), tls=server) as (port, heads):
        hosts = [f"site.test:{port}", f"other.test:{port}"]
        client = SafeHttpClient(hosts, resolver=LOOPBACK, ssl_context=trusting)
        with pytest.raises(BlockedAddress) as refusal:
            await client.get(f"https://site.test:{port}/")
        assert refusal.value.facts == {"rule": "downgrade"}
        assert len(heads) == 1
        with pytest.raises(SourceUnavailable, match="certificate"):
            await client.get(f"https://other.test:{port}/")
        with pytest.raises(SourceUnavailable, match="certificate"):
            await SafeHttpClient(hosts, resolver=LOOPBACK).get(f"https://site.test:{port}/")


async def test_credentials_stay_with_their_origin() -> None:
    """R7: what a redirect to another host carries is only what says nothing about the caller."""
    secrets = {"Authorization": "Bearer s3cret", "Cookie": "a=s3cret", "X-Api-Key": "s3cret", "Accept-Language": "de"}

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        path = head.split()[1]
        hops = {b"/": "/same", b"/same": f"http://other.test:{ports[0]}/other"}
        await (redirecting(hops[path]) if path in hops else answering())(head, writer)

    ports: list[int] = []
    async with serving(handler) as (port, heads):
        ports.append(port)
        await client_for(port).get(f"http://site.test:{port}/", headers=secrets)
    assert [b"s3cret" in head for head in heads] == [True, True, False]
    assert b"accept-language: de" in heads[2]


async def test_public_page_cannot_redirect_into_an_open_private_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is open by configuration is open to whoever names it, not to whom a stranger sends there."""
    async with serving(redirecting("http://127.0.0.1:9999/")) as (port, _):
        real = httpcore.AnyIOBackend.connect_tcp

        async def connect_tcp(self: httpcore.AnyIOBackend, host: str, wanted: int, *rest: object) -> object:
            return await real(self, "127.0.0.1", port)

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
        client = SafeHttpClient(["127.0.0.1:9999"], resolver=Resolver(["8.8.8.8"]))
        with pytest.raises(BlockedAddress) as refusal:
            await client.get("http://example.com/")
    assert refusal.value.facts == {"rule": "redirect_to_private"}


async def test_post_is_not_repeated_by_a_redirect() -> None:
    """A redirect of a POST is final."""
    async with serving(redirecting("/elsewhere", "307 Temporary Redirect")) as (port, heads):
        with pytest.raises(SourceUnavailable):
            await client_for(port).request("POST", f"http://site.test:{port}/", content=b"x=1")
    assert len(heads) == 1


async def _endless(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def _dripping(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _silent(head: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


async def _endless_head(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-Filler: " + b"x" * 8000 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize("length", [10 * 1024 * 1024, 10 * 1024 * 1024 + 1])
async def test_body_limit_is_exact(length: int) -> None:
    """R10: ten megabytes are taken, one byte more is not."""
    async with serving(answering(b"x" * length, content_type="text/plain")) as (port, _):
        client = client_for(port)
        if length <= 10 * 1024 * 1024:
            assert len((await client.get(f"http://site.test:{port}/")).body) == length
        else:
            with pytest.raises(SourceUnavailable):
                await client.get(f"http://site.test:{port}/")


async def test_gzip_is_read_and_a_bomb_is_not() -> None:
    """R10: the limit counts what comes out of the decompression."""
    good = gzip.compress(b"one ") + gzip.compress(b"two")
    async with serving(answering(good, extra="Content-Encoding: gzip\r\n")) as (port, _):
        assert (await client_for(port).get(f"http://site.test:{port}/")).body == b"one two"
    bomb = gzip.compress(b"\0" * 200_000_000)
    async with serving(answering(bomb, extra="Content-Encoding: gzip\r\n")) as (port, _):
        with pytest.raises(SourceUnavailable, match="larger"):
            await client_for(port).get(f"http://site.test:{port}/")


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (b"x", "br", SourceUnavailable),
        (b"x", "gzip, gzip", SourceUnavailable),
        (b"not gzip at all", "gzip", SourceUnavailable),
        pytest.param(gzip.compress(b"x" * 1000)[:-9], "gzip", SourceTemporarilyUnavailable, id="cut"),
    ],
)
async def test_strange_compression(body: bytes, encoding: str, error: type[Exception]) -> None:
    """R10: only gzip, once, and complete."""
    async with serving(answering(body, extra=f"Content-Encoding: {encoding}\r\n")) as (port, _):
        with pytest.raises(error):
            await client_for(port).get(f"http://site.test:{port}/")


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (_endless, SourceUnavailable),
        (_dripping, SourceTemporarilyUnavailable),
        (_silent, SourceTemporarilyUnavailable),
        (_endless_head, SourceTemporarilyUnavailable),
    ],
)
async def test_hostile_bodies_end(handler: Handler, error: type[Exception]) -> None:
    """R10: endless, dripping and silent answers end within their limits."""
    async with serving(handler) as (port, _):
        client = client_for(port, read_timeout_s=0.5, body_timeout_s=1.0)
        with pytest.raises(error):
            await asyncio.wait_for(client.get(f"http://site.test:{port}/"), 5)


async def test_total_deadline_covers_all_hops() -> None:
    """The deadline is for the request, not for a hop."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        await redirecting("/again")(head, writer)

    async with serving(handler) as (port, _):
        with pytest.raises(SourceTemporarilyUnavailable):
            await client_for(port, timeout_s=0.4).get(f"http://site.test:{port}/")


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """R11."""
    async with serving(answering(b"proxy")) as (proxy, proxied), serving(answering(b"site")) as (port, _):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        answer = await client_for(port).get(f"http://site.test:{port}/")
    assert answer.body == b"site"
    assert proxied == []


async def test_sockets_are_never_reused() -> None:
    """R12: each request has a connection of its own, so a name's new address is a new connection."""
    peers: list[object] = []

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername"))
        await answering()(head, writer)

    resolver = Resolver(["127.0.0.1"], ["10.0.0.1"])
    async with serving(handler) as (port, _):
        client = SafeHttpClient([f"site.test:{port}"], resolver=resolver, connect_timeout_s=0.2)
        await client.get(f"http://site.test:{port}/")
        with pytest.raises(SourceTemporarilyUnavailable):
            await client.get(f"http://site.test:{port}/")
        resolver.answers = [["127.0.0.1"]]
        await client.get(f"http://site.test:{port}/")
    assert len(set(peers)) == 2


@pytest.mark.parametrize("path", ["/a\r\nX-Injected: 1", "/a\nX: 1", "/a\rX: 1", "/\x00"])
async def test_line_breaks_cannot_be_injected(path: str) -> None:
    """R13: in the URL."""
    async with serving(answering()) as (port, heads):
        with pytest.raises(BlockedAddress):
            await client_for(port).get(f"http://site.test:{port}{path}")
    assert heads == []


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "\u2028"])
async def test_line_breaks_cannot_be_injected_by_headers(value: str) -> None:
    """R13: in a header of the caller."""
    async with serving(answering()) as (port, heads):
        with pytest.raises(SourceUnavailable):
            await client_for(port).get(f"http://site.test:{port}/", headers={"X-A": value})
    assert heads == []


async def test_page_is_not_rendered() -> None:
    """R14: what a page refers to is not fetched."""
    page = b'<meta http-equiv="refresh" content="0;url=/refresh"><img src="/image"><script src="/script"></script>'
    async with serving(answering(page)) as (port, heads):
        await client_for(port).get(f"http://site.test:{port}/")
    assert len(heads) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("404 Not Found", SourceUnavailable),
        ("403 Forbidden", SourceUnavailable),
        ("304 Not Modified", SourceUnavailable),
        ("302 Found", SourceUnavailable),
        ("501 Not Implemented", SourceUnavailable),
        ("429 Too Many Requests", SourceTemporarilyUnavailable),
        ("408 Request Timeout", SourceTemporarilyUnavailable),
        ("500 Internal Server Error", SourceTemporarilyUnavailable),
        ("503 Service Unavailable", SourceTemporarilyUnavailable),
    ],
)
async def test_status(status: str, error: type[Exception]) -> None:
    """What another try may change is told from what it cannot."""
    async with serving(answering(b"", status, extra="Retry-After: 7\r\n")) as (port, _):
        with pytest.raises(error) as failure:
            await client_for(port).get(f"http://site.test:{port}/")
    if error is SourceTemporarilyUnavailable:
        assert failure.value.retry_after_s == 7.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", "", "text/html2", "application/zip"])
async def test_content_type_must_be_readable(content_type: str) -> None:
    """Only what can be read as a source is taken."""
    async with serving(answering(content_type=content_type)) as (port, _):
        with pytest.raises(SourceUnavailable, match="cannot be read"):
            await client_for(port).get(f"http://site.test:{port}/")


async def test_unreachable_and_broken_servers_may_be_tried_again() -> None:
    """A refused connection, a cut answer and nonsense are failures of now."""
    async with serving(answering()) as (port, _):
        pass
    with pytest.raises(SourceTemporarilyUnavailable):
        await client_for(port).get(f"http://site.test:{port}/")
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nx"
    for answer in (b"", b"SSH-2.0-OpenSSH_9.2\r\n", cut):

        async def handler(head: bytes, writer: asyncio.StreamWriter, answer: bytes = answer) -> None:
            writer.write(answer)
            await writer.drain()

        async with serving(handler) as (port, _):
            with pytest.raises(SourceTemporarilyUnavailable):
                await client_for(port).get(f"http://site.test:{port}/")


async def test_cancel_is_passed_on() -> None:
    """A cancelled request closes its socket and stays cancelled."""
    async with serving(_silent) as (port, heads):
        task = asyncio.ensure_future(client_for(port).get(f"http://site.test:{port}/"))
        while not heads:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def raw(answer: bytes) -> Handler:
    """Answer with exactly these bytes."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return handler


@pytest.mark.parametrize(
    ("lengths", "body", "outcome"),
    [
        (b"Content-Length: 2\r\n", b"okSMUGGLED", b"ok"),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n", b"ok", b"ok"),
        (b"Content-Length: 2\r\nContent-Length: 9\r\n", b"okSMUGGLE", None),
        (b"Content-Length: -1\r\n", b"ok", None),
        (b"Content-Length: 2, 9\r\n", b"okSMUGGLE", None),
        (b"Content-Length: 99999999999999999999\r\n", b"ok", None),
        (b"Content-Length: \xc2\xb2\r\n", b"ok", None),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffffff\r\nx", None),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\nabc\r\n0\r\n\r\n", None),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n", None),
    ],
)
async def test_lies_about_the_length(lengths: bytes, body: bytes, outcome: bytes | None) -> None:
    """R10: what a head claims neither brings more than was claimed nor takes more than is allowed."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + lengths + b"\r\n"
    async with serving(raw(head + body)) as (port, _):
        client = client_for(port, read_timeout_s=0.5, body_timeout_s=1.0)
        if outcome is None:
            with pytest.raises((SourceUnavailable, SourceTemporarilyUnavailable)):
                await client.get(f"http://site.test:{port}/")
        else:
            assert (await client.get(f"http://site.test:{port}/")).body == outcome


async def _forever(head: bytes, writer: asyncio.StreamWriter, part: bytes) -> None:
    while not writer.is_closing():
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("first", "part"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-Trailer: " + b"x" * 4000 + b"\r\n",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 9000),
        (b"HTTP/1.1 200 ", b"x" * 9000),
    ],
    ids=["100", "103", "trailers", "chunk extension", "reason phrase"],
)
async def test_heads_without_an_end(first: bytes, part: bytes) -> None:
    """R10: informational answers, trailers and extensions that never end."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await _forever(head, writer, part)

    async with serving(handler) as (port, _):
        client = client_for(port, timeout_s=1.0, read_timeout_s=0.5, body_timeout_s=0.8)
        with pytest.raises((SourceUnavailable, SourceTemporarilyUnavailable)):
            await asyncio.wait_for(client.get(f"http://site.test:{port}/"), 5)


@pytest.mark.parametrize(
    "answer", [b"<p>no head at all</p>", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"]
)
async def test_other_protocols_are_not_spoken(answer: bytes) -> None:
    """HTTP/0.9 and upgrades."""
    async with serving(raw(answer)) as (port, _):
        with pytest.raises((SourceUnavailable, SourceTemporarilyUnavailable)):
            await client_for(port, timeout_s=1.0).get(f"http://site.test:{port}/")


async def test_a_redirect_that_changes_only_the_port_is_another_origin() -> None:
    """R7: scheme, host and port make an origin."""
    async with (
        serving(answering()) as (second, seen),
        serving(redirecting(f"http://site.test:{second}/x")) as (first, _),
    ):
        await client_for(first, second).get(f"http://site.test:{first}/", headers={"Authorization": "Bearer s3cret"})
    assert len(seen) == 1
    assert b"s3cret" not in seen[0]
