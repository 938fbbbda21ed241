"""web.fetch against sources that lie, are too large, forbid, mislead, or lead elsewhere."""

import asyncio
import dataclasses
import time

import pytest

from activities.documents.builder import page_at
from activities.tools.executor import ToolExecutor
from activities.tools.registry import builtin_tools
from infra.database import Database
from infra.http import SafeHttpClient
from infra.objects import ObjectStore
from schema.contracts.research import SourceKind
from schema.contracts.tools import ToolOutput
from schema.errors import BlockedAddress, SourceTemporarilyUnavailable, SourceUnavailable
from schema.policies import FETCH_BYTES_MAX
from tests.integration.conftest import Org
from tests.integration.test_corpus_search import TOOLS, Agent
from tests.integration.test_http import Handler, answering, redirecting, serving
from tests.unit.documents.files import pdf
from tests.unit.documents.test_reading import PAPER

BOUND_S = 60.0


def site(page: Handler, robots: Handler | None = None) -> Handler:
    """Serve a page, and robots.txt beside it."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        missing = answering(b"", "404 Not Found")
        await ((robots or missing) if head.startswith(b"GET /robots.txt ") else page)(head, writer)

    return handler


async def fetch(
    db: Database, objects: ObjectStore, org: Org, handler: Handler, question: str = "", **arguments: str
) -> ToolOutput:
    """Fetch what a server answers."""
    async with serving(handler) as (port, _):
        client = SafeHttpClient([f"127.0.0.1:{port}"], user_agent="Swissbrain/1 (ops@example.org)")
        context = dataclasses.replace(Agent(db, objects, org.id, question).context, http=client)
        given = {"url": f"http://127.0.0.1:{port}/private/page", **arguments}
        return await ToolExecutor(builtin_tools()).execute("web.fetch", given, context, TOOLS)


def robots_txt(text: str, status: str = "200 OK") -> Handler:
    """Answer with rules."""
    return answering(text.encode(), status, "text/plain")


@pytest.mark.parametrize(
    "rules",
    [
        "User-agent: *\nDisallow: /private/\n",
        "User-agent: other\nAllow: /\n\nUser-agent: swissbrain\nDisallow: /private/page$\n",
        "User-agent: *\nDisallow: /\nAllow: /public\n",
    ],
)
async def test_robots_forbid(db: Database, objects: ObjectStore, org: Org, rules: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"robots\.txt forbids"):
        await fetch(db, objects, org, site(answering(b"<p>Secret</p>"), robots_txt(rules)))


@pytest.mark.parametrize(
    "robots",
    [
        robots_txt("User-agent: *\nDisallow: /other/\n"),
        robots_txt("User-agent: *\nDisallow: /\n\nUser-agent: Swissbrain\nAllow: /\n"),
        robots_txt("Forbidden", "403 Forbidden"),
        answering(b"<html><body>Disallow: /</body></html>"),
        answering(b"\xff\xfe\x00\x01" * 50, content_type="application/octet-stream"),
        answering(b"User-agent: *\nDisallow: /private/\n" + b"#" * 600_000, content_type="text/plain"),
    ],
    ids=["other path", "named", "403", "a page", "binary", "too long"],
)
async def test_robots_allow(db: Database, objects: ObjectStore, org: Org, robots: Handler) -> None:
    output = await fetch(db, objects, org, site(answering(b"<p>Gallium melts in the hand.</p>"), robots))
    assert "Gallium" in output.passages[0].text


async def test_robots_of_a_failing_host_close_everything(db: Database, objects: ObjectStore, org: Org) -> None:
    with pytest.raises(SourceTemporarilyUnavailable):
        await fetch(db, objects, org, site(answering(b"<p>x</p>"), robots_txt("", "503 Service Unavailable")))


def lying(body: bytes, length: int) -> Handler:
    """Declare a length that is not the body's."""

    async def handler(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % length + body)
        await writer.drain()

    return handler


async def test_a_length_that_lies(db: Database, objects: ObjectStore, org: Org) -> None:
    """Too little came: it broke off. More than declared: the rest is not read. Too much declared: not even begun."""
    with pytest.raises(SourceTemporarilyUnavailable):
        await fetch(db, objects, org, site(lying(b"Gallium melts.", 10_000)))
    output = await fetch(db, objects, org, site(lying(b"Gallium melts." + b" And more." * 1_000, 14)))
    assert output.data["characters"] == 14
    with pytest.raises(SourceUnavailable, match="larger than"):
        await fetch(db, objects, org, site(lying(b"Gallium melts.", 200 * 1024 * 1024)))


async def test_a_page_of_200_megabytes(db: Database, objects: ObjectStore, org: Org) -> None:
    """Without a declared length: it is read to the limit and no further."""
    sent = 0

    async def endless(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"<p>" + b"word " * 13_000 + b"</p>"
        while sent < 200 * 1024 * 1024:
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await writer.drain()
            sent += len(chunk)
        writer.write(b"0\r\n\r\n")

    with pytest.raises(SourceUnavailable, match="larger than"):
        await fetch(db, objects, org, site(endless))
    assert sent < 3 * FETCH_BYTES_MAX


async def test_a_pdf_of_10_000_pages(db: Database, objects: ObjectStore, org: Org) -> None:
    data = pdf(["Gallium."] * 10_000)
    assert len(data) < FETCH_BYTES_MAX
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="10000 pages"):
        await fetch(db, objects, org, site(answering(data, content_type="application/pdf")))
    assert time.monotonic() - started < BOUND_S, "refused by its number of pages, not by a timeout"


async def test_a_pdf_tells_its_pages(db: Database, objects: ObjectStore, org: Org) -> None:
    """Of every offset of the snapshot, so that a citation can say p. 12."""
    pages = [f"On page {number} there is a text about metal number {number}." for number in range(1, 15)]
    handler = site(answering(pdf(pages), content_type="application/pdf"))
    output = await fetch(db, objects, org, handler, "metal number 12", kind="academic")
    best = output.passages[0]
    assert "p. " in best.heading
    assert best.source.kind is SourceKind.ACADEMIC
    text = (await objects.get(output.snapshots[0].object)).decode()
    assert [page_at(text, text.index(f"metal number {number}.")) for number in (1, 12, 14)] == [1, 12, 14]


async def test_a_redirect_to_a_private_address(db: Database, objects: ObjectStore, org: Org) -> None:
    for target in ("http://127.0.0.1:22/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"):
        with pytest.raises(BlockedAddress):
            await fetch(db, objects, org, site(redirecting(target)))


async def test_robots_of_the_host_it_leads_to(db: Database, objects: ObjectStore, org: Org) -> None:
    """A page on a host that forbids it is not used, whoever led there."""
    closed = site(answering(b"<p>Closed page</p>"), robots_txt("User-agent: *\nDisallow: /\n"))
    async with serving(closed) as (other, _), serving(site(redirecting(f"http://127.0.0.1:{other}/x"))) as (port, _):
        client = SafeHttpClient([f"127.0.0.1:{port}", f"127.0.0.1:{other}"])
        context = dataclasses.replace(Agent(db, objects, org.id).context, http=client)
        with pytest.raises(SourceUnavailable, match=r"robots\.txt forbids"):
            await ToolExecutor(builtin_tools()).execute(
                "web.fetch", {"url": f"http://127.0.0.1:{port}/a"}, context, TOOLS
            )


async def test_a_page_tells_author_date_and_language(db: Database, objects: ObjectStore, org: Org) -> None:
    output = await fetch(db, objects, org, site(answering(PAPER.encode())))
    assert output.data["author"] == "Example, Ada; Sample, Bo"
    assert output.data["published_at"] == "2023-05-17T00:00:00Z"
    assert output.data["language"] == "en"
