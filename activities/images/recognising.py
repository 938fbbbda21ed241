"""Opens images and scans in the sandbox, from outside; the way by which the product reads them.

What runs inside is `child.py`; it is not trusted: what it answers is validated against the contracts, whose lists are
bounded, and pictures it hands back are passed on only as PNG. Nothing here touches a database, HTTP or Temporal.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from activities.images import models
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.contracts.images import ImageFacts, ReadPage, ScannedPages
from schema.errors import PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat
from schema.policies import (
    DOCUMENT_CHARACTERS_MAX,
    IMAGE_ANSWER_BYTES,
    IMAGE_INSPECT_WALL,
    IMAGE_MEMORY_BYTES,
    IMAGE_MEMORY_TORCH_BYTES,
    IMAGE_PAGE_CPU_S,
    IMAGE_PREVIEW_BYTES_MAX,
    IMAGE_WALL,
    PARSE_MEMORY_BYTES,
)

TARGET = "activities.images.child"
PACKAGES = ("activities.images", "activities.documents", "schema")
REFUSED = 3
PNG = b"\x89PNG\r\n\x1a\n"
_MEMORY_BYTES = {models.RAPIDOCR: IMAGE_MEMORY_BYTES, models.EASYOCR: IMAGE_MEMORY_TORCH_BYTES}
_TORCH_FOLDER = {"file_bytes": 1024 * 1024, "folder_bytes": 8 * 1024 * 1024, "folder_entries": 100}
"""torch is not imported without a folder for temporary files."""
_ERRORS: dict[str, type[SwissbrainError]] = {
    kind.code: kind for kind in (UnsupportedFormat, PayloadTooLarge, SourceUnavailable)
}
ValueT = TypeVar("ValueT")
_PAGES = TypeAdapter(tuple[ReadPage, ...])
_PARAGRAPHS = TypeAdapter(list[list[str]])


async def image_facts(path: Path) -> ImageFacts:
    """Say what a picture is.

    Raises:
        UnsupportedFormat: it cannot be read; the detail says why and what to do.
        PayloadTooLarge: it has more pixels or pages than are read.
        SourceUnavailable: looking at it took more time or memory than a file may take.
        SandboxUnavailable: no sandbox here is strong enough to open it.
    """
    value, _ = await _run("image.facts", path, 1)
    return _valid(TypeAdapter(ImageFacts), value)


async def read_image(path: Path, engine: str, first: int, last: int) -> tuple[tuple[ReadPage, ...], dict[str, bytes]]:
    """Read pages of a picture, from 1; return them, and each as a PNG by `page-NUMBER.png`. Raises as `image_facts`."""
    asked: dict[str, Any] = {"models": models.model_files(engine), "first": first, "last": last}
    value, made = await _run("image.pages", path, last - first + 1, engine=engine, **asked)
    pages = _in_order(_valid(_PAGES, value), range(first, last + 1))
    previews = {f"page-{page.number}.png": made.get(f"page-{page.number}.png", b"") for page in pages}
    if any(not data.startswith(PNG) or len(data) > IMAGE_PREVIEW_BYTES_MAX for data in previews.values()):
        raise _no_result()
    return pages, previews


async def read_pictures(pictures: Sequence[bytes], engine: str) -> tuple[ReadPage, ...]:
    """Read pictures that are in memory, such as the key frames of a video; one child reads them all.

    Raises as `image_facts`.
    """
    asked: dict[str, Any] = {"models": models.model_files(engine), "sizes": [len(picture) for picture in pictures]}
    value, _ = await _run("pictures", None, len(pictures), engine=engine, data=b"".join(pictures), **asked)
    return _in_order(_valid(_PAGES, value), range(1, len(pictures) + 1))


async def scanned_pages(path: Path) -> ScannedPages:
    """Tell which pages of a PDF have to be recognised. Raises as `image_facts`."""
    value, _ = await _run("pdf.scanned", path, 1)
    return _valid(TypeAdapter(ScannedPages), value)


async def read_scans(path: Path, engine: str, numbers: Sequence[int]) -> tuple[ReadPage, ...]:
    """Recognise pages of a PDF. Raises as `image_facts`."""
    asked: dict[str, Any] = {"models": models.model_files(engine), "numbers": list(numbers)}
    value, _ = await _run("pdf.pages", path, len(numbers), engine=engine, **asked)
    return _in_order(_valid(_PAGES, value), numbers)


async def pdf_text(path: Path, scanned: Sequence[int]) -> dict[str, Any]:
    """Return the text of the pages of a PDF that are no scans, as `scans.read_text`. Raises as `image_facts`."""
    value, _ = await _run("pdf.text", path, 1, scanned=list(scanned))
    if not isinstance(value, dict):
        raise _no_result()
    paragraphs = _valid(_PARAGRAPHS, value.get("paragraphs"))
    if sum(len(each) for page in paragraphs for each in page) > DOCUMENT_CHARACTERS_MAX:
        raise PayloadTooLarge(f"The file holds more than {DOCUMENT_CHARACTERS_MAX} characters of text. Split it.")
    known = {key: str(value[key])[:500] if value.get(key) else None for key in ("title", "author", "published_at")}
    return {"paragraphs": paragraphs, **known}


async def _run(
    task: str, path: Path | None, pages: int, *, engine: str | None = None, data: bytes = b"", **more: Any
) -> tuple[Any, dict[str, bytes]]:
    walls = await sandbox()
    walls.require(walls.minimum)
    place = await asyncio.to_thread(os.path.realpath, path) if path is not None else None
    header = {"task": task, "path": place, **more} | ({"engine": engine} if engine else {})
    limits = Limits(
        wall_s=(IMAGE_WALL if engine else IMAGE_INSPECT_WALL).total_seconds(),
        cpu_s=IMAGE_PAGE_CPU_S * pages,
        memory_bytes=_MEMORY_BYTES[engine] if engine else PARSE_MEMORY_BYTES,
        output_bytes=64 * 1024,
        answer_bytes=IMAGE_ANSWER_BYTES,
    )
    if engine == models.EASYOCR:
        limits = replace(limits, **_TORCH_FOLDER)
    readable = (place,) if place is not None else ()
    job = Job(TARGET, PACKAGES, limits, json.dumps(header).encode() + b"\n" + data, readable)
    outcome = await launch(job, walls.level)
    if outcome.ended == "time":
        raise SourceUnavailable(f"The file could not be read within {limits.wall_s:g} s. Send it in smaller parts.")
    if outcome.ended != "exited":
        raise SourceUnavailable("The file gives a larger result than can be kept. Send it in smaller parts.")
    if outcome.status not in (0, REFUSED):
        raise SourceUnavailable(
            "The file is damaged, or too complex to be read within its limits of time and memory.",
            status=outcome.status,
        )
    with contextlib.suppress(ValueError, KeyError, TypeError):
        line, _, blobs = outcome.answer.partition(b"\n")
        told = json.loads(line)
        if outcome.status == 0:
            return told["value"], _cut(blobs, told["made"])
        raise _ERRORS[told["value"]["code"]](str(told["value"]["detail"])[:500])
    raise _no_result()


def _cut(blobs: bytes, named: Sequence[tuple[str, int]]) -> dict[str, bytes]:
    found, position = {}, 0
    for name, size in named:
        found[str(name)] = blobs[position : position + int(size)]
        position += int(size)
    return found


def _valid(adapter: TypeAdapter[ValueT], value: Any) -> ValueT:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _no_result() from error


def _in_order(pages: tuple[ReadPage, ...], numbers: Sequence[int]) -> tuple[ReadPage, ...]:
    """Refuse pages that were not asked for, and regions that name lines or tables which are not there."""
    if [page.number for page in pages] != list(numbers):
        raise _no_result()
    for page in pages:
        named = [number for region in page.regions for number in region.lines]
        tables = [region.table for region in page.regions if region.table is not None]
        if any(number >= len(page.lines) for number in named) or any(table >= len(page.tables) for table in tables):
            raise _no_result()
        if any(len(row) != table.columns for table in page.tables for row in table.rows):
            raise _no_result()
    return pages


def _no_result() -> SourceUnavailable:
    return SourceUnavailable("The file could not be read: it gave a result that is none.")
