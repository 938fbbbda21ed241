"""Parses untrusted files in the sandbox; the one way by which the product reads a file's or a page's content.

What runs inside is `child.py`; how it is walled in, `infra/sandbox/`. Below the level that the operator demands,
nothing is parsed.
"""

import contextlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from activities.documents.builder import ExtractedDocument
from activities.documents.passages import PassageSpan
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.errors import PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat
from schema.policies import PARSE_ANSWER_BYTES, PARSE_CPU_S, PARSE_MEMORY_BYTES, PARSE_WALL

TARGET = "activities.documents.child"
REFUSED = 3
"""Exit status of the child with `code` and `detail` as its answer."""
LIMITS = Limits(
    wall_s=PARSE_WALL.total_seconds(),
    cpu_s=PARSE_CPU_S,
    memory_bytes=PARSE_MEMORY_BYTES,
    output_bytes=64 * 1024,
    answer_bytes=PARSE_ANSWER_BYTES,
)
_ERRORS: dict[str, type[SwissbrainError]] = {
    kind.code: kind for kind in (UnsupportedFormat, PayloadTooLarge, SourceUnavailable)
}


@dataclass(frozen=True)
class ParsedDocument:
    """A document and the passages it was split into."""

    document: ExtractedDocument
    passages: tuple[PassageSpan, ...]
    level: str = ""
    """Of the sandbox that it was parsed in."""


async def parse(data: bytes, filename: str, claimed_mime: str, *, timeout_s: float = LIMITS.wall_s) -> ParsedDocument:
    """Extract the text of a file and split it into passages.

    Raises:
        UnsupportedFormat: it cannot be read; the detail says why and what to do.
        PayloadTooLarge: it is larger, or holds more text, than is read.
        SourceUnavailable: reading it took more time or memory than a file may take.
        SandboxUnavailable: no sandbox here is strong enough to open it.
    """
    header = {"filename": filename, "mime": claimed_mime}
    answer, level = await _asked(header, data, timeout_s)
    return _parsed(answer, level)


async def check_structure(data: bytes) -> None:
    """Look at what a file is built like, and read nothing of it: the cheap half of `parse`, which repeats it.

    Raises:
        UnsupportedFormat, PayloadTooLarge, SourceUnavailable, SandboxUnavailable: as `parse`.
    """
    await _asked({"check": True}, data, LIMITS.wall_s)


async def _asked(header: dict[str, Any], data: bytes, timeout_s: float) -> tuple[bytes, str]:
    """Run the child; return its answer and the level of the sandbox."""
    walls = await sandbox()
    walls.require(walls.minimum)
    limits = replace(LIMITS, wall_s=timeout_s)
    job = Job(TARGET, ("activities.documents", "schema"), limits, json.dumps(header).encode() + b"\n" + data)
    outcome = await launch(job, walls.level)
    if outcome.ended == "time":
        raise SourceUnavailable(f"The file could not be read within {timeout_s:g} s.")
    if outcome.ended != "exited":
        raise SourceUnavailable("The file holds more text than can be read.")
    if outcome.status == 0:
        return outcome.answer, walls.level.label
    if outcome.status == REFUSED:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            failure = json.loads(outcome.answer)
            raise _ERRORS[failure["code"]](str(failure["detail"])[:500])
    raise SourceUnavailable("The file is damaged, or too complex to be read within its limits.", status=outcome.status)


def _parsed(output: bytes, level: str) -> ParsedDocument:
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
    return ParsedDocument(document, tuple(passages), level)
