"""web.fetch against a real server on loopback, opened by configuration."""

import dataclasses

import pytest

from activities.tools.executor import ToolExecutor
from activities.tools.registry import builtin_tools
from infra.database import Database
from infra.http import SafeHttpClient
from infra.objects import ObjectStore
from schema.contracts.research import SourceKind
from schema.contracts.tools import ToolOutput
from schema.errors import BlockedAddress, SourceUnavailable
from tests.integration.conftest import Org
from tests.integration.test_corpus_search import TOOLS, Agent
from tests.integration.test_http import Handler, answering, serving
from tests.unit.documents.files import HTML_PAGE, pdf


async def fetch(db: Database, objects: ObjectStore, org: Org, handler: Handler, question: str = "") -> ToolOutput:
    """Fetch what a server answers."""
    async with serving(handler) as (port, _):
        context = dataclasses.replace(
            Agent(db, objects, org.id, question).context, http=SafeHttpClient([f"127.0.0.1:{port}"])
        )
        url = f"http://127.0.0.1:{port}/gallium"
        return await ToolExecutor(builtin_tools()).execute("web.fetch", {"url": url}, context, TOOLS)


async def test_page_becomes_a_snapshot_with_passages(db: Database, objects: ObjectStore, org: Org) -> None:
    """The main text is kept; the passages are its spans, best first for the agent's question."""
    output = await fetch(db, objects, org, answering(HTML_PAGE.encode()), "At what temperature does gallium melt?")
    assert output.data["title"] == "Gallium"
    assert output.data["published_at"] == "2024-03-05T00:00:00Z"
    [snapshot] = output.snapshots
    assert snapshot.object.key == f"{org.id}/snapshots/{snapshot.object.sha256}"
    text = (await objects.get(snapshot.object)).decode()
    assert output.passages
    for passage in output.passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.source.snapshot_sha256 == snapshot.object.sha256
        assert passage.source.kind is SourceKind.WEB
    assert "melt" in output.passages[0].text
    again = await fetch(db, objects, org, answering(HTML_PAGE.encode()), "At what temperature does gallium melt?")
    assert again.snapshots[0].object == snapshot.object


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (pdf(["Gallium melts at 29.76 degrees."]), "application/pdf", "29.76"),
        (b"Gallium melts at 29.76 degrees.", "text/plain", "29.76"),
        (b"# Gallium\n\nIt **melts** easily.", "text/markdown", "melts"),
        ("Grüße aus Köln".encode("latin-1"), "text/plain; charset=iso-8859-1", "Grüße"),
    ],
)
async def test_other_formats(
    db: Database, objects: ObjectStore, org: Org, body: bytes, content_type: str, words: str
) -> None:
    """PDF, text and Markdown are read too, in the encoding that the server declares."""
    output = await fetch(db, objects, org, answering(body, content_type=content_type))
    assert words in output.passages[0].text


async def test_refusals(db: Database, objects: ObjectStore, org: Org) -> None:
    """What is no page, or not to be reached."""
    with pytest.raises(SourceUnavailable):
        await fetch(db, objects, org, answering(b"\x89PNG\r\n\x1a\n" + bytes(100), content_type="text/html"))
    with pytest.raises(SourceUnavailable):
        await fetch(db, objects, org, answering(b"", "404 Not Found"))
    agent = Agent(db, objects, org.id)
    for url in ("http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"):
        with pytest.raises(BlockedAddress):
            await agent.call("web.fetch", url=url)
