"""The parsing process: same result as in-process, its limits hold, and it leaves nothing behind."""

import asyncio
import contextlib
import json
import os
import secrets
import zlib
from pathlib import Path

import psutil
import pytest

from activities.documents.extract import extract
from activities.documents.passages import split_passages
from activities.documents.sandbox import parse
from activities.tools.python_run import LIMITS as CODE_LIMITS
from infra.sandbox.launch import bubblewrap_path, launch
from infra.sandbox.levels import Job, Level
from infra.settings import Settings
from schema.errors import PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat
from tests.unit.documents.files import HTML_PAGE, pdf


def children() -> set[int]:
    """Return the parsing processes of this process that still run."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            if "infra.sandbox.inside" in " ".join(child.cmdline()):
                found.add(child.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    ("data", "name", "mime"),
    [
        (HTML_PAGE.encode(), "a.html", "text/html"),
        (pdf(["One page.", "Another page."]), "a.pdf", "application/pdf"),
        ("# Grüße\n\nText.\n\n    code\n".encode(), "a.md", "text/markdown"),
    ],
)
async def test_same_as_in_process(data: bytes, name: str, mime: str) -> None:
    """The child adds nothing and loses nothing."""
    parsed = await parse(data, name, mime)
    direct = extract(data, name, mime)
    assert parsed.document.text == direct.text
    assert (parsed.document.title, parsed.document.published_at) == (direct.title, direct.published_at)
    assert list(parsed.passages) == split_passages(direct.text, direct.headings, direct.pages, title=direct.title)
    assert children() == set()


async def test_refusals_come_through() -> None:
    """With their code and their words."""
    with pytest.raises(UnsupportedFormat, match="PNG"):
        await parse(b"\x89PNG\r\n\x1a\n" + bytes(100), "a.txt", "text/plain")
    with pytest.raises(PayloadTooLarge):
        await parse(b"x" * 26 * 1024 * 1024, "a.txt", "text/plain")


async def test_timeout_kills_the_process_group() -> None:
    """What takes too long is a refusal, and no process is left."""
    with pytest.raises(SourceUnavailable, match="within"):
        await parse(b"word " * 900_000, "a.txt", "text/plain", timeout_s=0.05)
    assert children() == set()


async def test_cancel_kills_the_process_group() -> None:
    """A cancelled activity leaves no process."""
    task = asyncio.ensure_future(parse(b"word " * 900_000, "a.txt", "text/plain"))
    while not children():
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == set()


SHOWS_ITS_ENVIRONMENT = """
import json, os
try:
    kernel = open("/proc/self/environ", "rb").read().decode()
except OSError:
    kernel = ""
print(json.dumps({"names": sorted(os.environ), "all": [*os.environ.values(), kernel]}))
"""
NAMES = {
    *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH", "LC_ALL", "HOME", "TMPDIR"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"),
    *("POLARS_OVERRIDE_TOTAL_MEMORY_MB", "_RJEM_MALLOC_CONF"),
}
"""What a child may be told, and nothing else; bubblewrap adds PWD."""


@pytest.mark.parametrize("level", [Level.LIMITS, Level.LANDLOCK, Level.BUBBLEWRAP], ids=lambda level: level.label)
async def test_child_sees_no_secrets(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child is told ten names; none of the worker's settings, keys or whatever else stands in its environment."""
    if level is Level.BUBBLEWRAP and bubblewrap_path() is None:
        pytest.skip("BUBBLEWRAP IS NOT INSTALLED: untested")
    secret = secrets.token_hex(16)
    settings = {f"SWISSBRAIN_{name.upper()}" for name in Settings.model_fields}
    for name in {*settings, "AWS_SECRET_ACCESS_KEY", "TEMPORAL_API_KEY", "HTTPS_PROXY", "PGPASSWORD", "ANYTHING"}:
        monkeypatch.setenv(name, f"{secret}-{name}")
    data = json.dumps({"code": SHOWS_ITS_ENVIRONMENT, "files": [], "keep": [], "made_max": 1}).encode() + b"\n"
    outcome = await launch(Job("infra.sandbox.python_job", (), CODE_LIMITS, data), level)
    assert outcome.status == 0, outcome.stderr
    shown = json.loads(outcome.stdout)
    assert set(shown["names"]) - {"PWD"} == NAMES
    assert not [value for value in shown["all"] if secret in value]


def flate_bomb() -> bytes:
    """Make a PDF whose page content inflates to a gigabyte."""
    squeezer = zlib.compressobj(9)
    packed = b"".join(squeezer.compress(b"BT (a) Tj ET " * 80_000) for _ in range(1000)) + squeezer.flush()
    plain = pdf(["x"])
    marker = plain.index(b"4 0 obj")
    end = plain.index(b"endobj", marker)
    stream = b"4 0 obj\n<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\n" % (len(packed), packed)
    return plain[:marker] + stream + plain[end:]


BOMBS = {
    "deep_html": b"<!doctype html><html><body>" + b"<div>" * 50_000 + b"text",
    "deep_lists": b"<!doctype html><html><body>" + b"<ul><li>" * 20_000 + b"text",
    "deep_quotes": b"> " * 200_000 + b"text",
    "deep_brackets": b"# a\n" + b"[" * 50_000,
    "emphasis": b"# a\n" + b"*a **b " * 20_000,
    "spaces": b"a" + b" " * 5_000_000 + b"b",
    "one_word": b"a" * 1_000_000,
    "underlines": b"a\n" + b"=" * 3_000_000,
    "dots": b"a. " * 300_000,
    "entities": b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'lol'>"
    + b"".join(b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
    + b"]><l>&m;</l>",
    "backticks": b"`" * 100_000 + b" " + b"``" * 50_000,
    "table": b"| a " * 20_000 + b"|\n" + b"|---" * 20_000 + b"|\n" + b"| b |\n" * 200,
}


@pytest.mark.parametrize("name", [*BOMBS, "flate_bomb"])
async def test_bombs_end(name: str) -> None:
    """Hostile files end in a document or a refusal, soon, and the worker does not grow."""
    data = flate_bomb() if name == "flate_bomb" else BOMBS[name]
    before = psutil.Process().memory_info().rss
    for filename in ("a.html",) if b"<!doctype" in data[:20] else ("a.md", "a.rst"):
        with contextlib.suppress(SwissbrainError):
            await parse(data, filename, "", timeout_s=30)
    assert psutil.Process().memory_info().rss - before < 200 * 1024 * 1024
    assert children() == set()


def test_child_is_found_wherever_it_is_installed(tmp_path: Path) -> None:
    """The child needs no working directory."""
    cwd = Path.cwd()
    os.chdir(tmp_path)
    try:
        parsed = asyncio.run(parse(b"Text.", "a.txt", "text/plain"))
    finally:
        os.chdir(cwd)
    assert parsed.document.text == "Text."
