"""Parses untrusted files in a process of their own: limited in memory, processor time, wall time and files.

`parse` is the one way by which the product reads a file's or a page's content. The process holds no credentials (its
environment is empty but for what Python needs), and it dies with its process group on timeout and on cancel. It is not
yet cut off from the network and the file system; that sandbox replaces what is behind `parse`.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.documents.builder import ExtractedDocument
from activities.documents.passages import PassageSpan
from schema.errors import PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat

PARSE_TIMEOUT_S = 60.0
OUTPUT_BYTES_MAX = 64 * 1024 * 1024
_ERRORS: dict[str, type[SwissbrainError]] = {
    kind.code: kind for kind in (UnsupportedFormat, PayloadTooLarge, SourceUnavailable)
}


@dataclass(frozen=True)
class ParsedDocument:
    """A document and the passages it was split into."""

    document: ExtractedDocument
    passages: tuple[PassageSpan, ...]


async def parse(data: bytes, filename: str, claimed_mime: str, *, timeout_s: float = PARSE_TIMEOUT_S) -> ParsedDocument:
    """Extract the text of a file and split it into passages.

    Raises:
        UnsupportedFormat: it cannot be read; the detail says why and what to do.
        PayloadTooLarge: it is larger, or holds more text, than is read.
        SourceUnavailable: reading it took more time or memory than a file may take.
    """
    header = json.dumps({"filename": filename, "mime": claimed_mime}).encode() + b"\n"
    output, status = await _run_child(header + data, timeout_s)
    if status == 0:
        return _parsed(output)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        failure = json.loads(output)
        raise _ERRORS[failure["code"]](str(failure["detail"])[:500])
    raise SourceUnavailable("The file is damaged, or too complex to be read within its limits.", status=status)


async def _run_child(data: bytes, timeout_s: float) -> tuple[bytes, int]:
    """Feed a child, and return its output and exit status; whatever happens, its process group is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "activities.documents.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
        limit=1024 * 1024,
    )
    try:
        async with asyncio.timeout(timeout_s):
            feeding = asyncio.ensure_future(_feed(process, data))
            try:
                output = await _read_limited(process)
                await feeding
            finally:
                feeding.cancel()
            return output, await process.wait()
    except TimeoutError as error:
        raise SourceUnavailable(f"The file could not be read within {timeout_s:g} s.") from error
    finally:
        await asyncio.shield(_reap(process))


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    # A child that refuses early closes its end; what it says is on its output.
    with contextlib.suppress(ConnectionError):
        process.stdin.write(data)
        await process.stdin.drain()
        process.stdin.write_eof()


async def _read_limited(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    output = bytearray()
    while chunk := await process.stdout.read(1024 * 1024):
        output += chunk
        if len(output) > OUTPUT_BYTES_MAX:
            raise SourceUnavailable("The file holds more text than can be read.")
    return bytes(output)


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the process group, and wait until its leader is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
    # One turn of the loop lets the transports of the pipes close.
    await asyncio.sleep(0)


def _environment() -> dict[str, str]:
    """Return what the interpreter needs to find the same modules, and nothing else."""
    paths = [path for path in sys.path if path]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}


def _parsed(output: bytes) -> ParsedDocument:
    """Build the result; the child is not trusted, so spans that do not lie in the text are refused."""
    found: dict[str, Any] = json.loads(output)
    text: str = found["text"]
    published_at = datetime.fromisoformat(found["published_at"]) if found["published_at"] else None
    document = ExtractedDocument(
        title=found["title"],
        text=text,
        mime=found["mime"],
        published_at=published_at,
        author=found["author"],
        language=found["language"],
        canonical=found["canonical"],
    )
    passages, position = [], 0
    for start, end, heading in found["passages"]:
        if not position <= start < end <= len(text):
            raise UnsupportedFormat("The file could not be split into passages.")
        passages.append(PassageSpan(start, end, heading))
        position = end
    return ParsedDocument(document, tuple(passages))
