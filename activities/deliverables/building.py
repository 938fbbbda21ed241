"""Builds the file of an export: documents and decks in a sandboxed child, text here.

A record is foreign text through and through: what lays it out may be slow, or die of it, and so does that where it can
be stopped, without network and with a limit of memory. The same record and look give the same bytes.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from activities.deliverables.formats import PICTURED
from activities.deliverables.look import Look, Picture
from activities.deliverables.markdown import to_markdown
from activities.deliverables.spoken import to_wav
from activities.insights.analysing import render
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.contracts.deliverables import ExportFormat, Figure, RunRecord
from schema.contracts.insights import Chart, ChartKind
from schema.contracts.slides import Outline
from schema.errors import PartMissing, PayloadTooLarge, SourceUnavailable, SwissbrainError
from schema.policies import (
    DATA_CHARTS_FILE_MAX,
    EXPORT_BYTES_MAX,
    EXPORT_CPU_S,
    EXPORT_FOLDER_BYTES,
    EXPORT_MEMORY_BYTES,
    EXPORT_WALL,
    SLIDES_DEFAULT,
)

TARGET = "activities.deliverables.child"
PACKAGES = ("activities.deliverables", "activities.research", "schema")
REFUSED = 3
LIMITS = Limits(
    wall_s=EXPORT_WALL.total_seconds(),
    cpu_s=EXPORT_CPU_S,
    memory_bytes=EXPORT_MEMORY_BYTES,
    output_bytes=256 * 1024,
    answer_bytes=EXPORT_BYTES_MAX,
    file_bytes=EXPORT_FOLDER_BYTES,
    folder_bytes=EXPORT_FOLDER_BYTES,
    folder_entries=1_000,
)
FILES = ("/usr/share/fonts", "/usr/local/share/fonts", "/etc/fonts", "/usr/share/fontconfig", "/var/cache/fontconfig")
"""What finds and holds the fonts of documents."""
_ERRORS: dict[str, type[SwissbrainError]] = {kind.code: kind for kind in (PartMissing, PayloadTooLarge)}


async def build(
    format: ExportFormat,
    record: RunRecord,
    look: Look,
    *,
    max_slides: int = SLIDES_DEFAULT,
    outline: Outline | None = None,
) -> bytes:
    """Return the file of a record in one of the formats that show it, or as JSON.

    Args:
        look: the theme, the logo and the pictures of the record's figures (`draw`).
        max_slides: of a deck.
        outline: how a model planned a deck; None: the rules do.

    Raises:
        PartMissing: a library of the system, or an extra, is not there; the detail says which command brings it.
        UnsupportedFormat: the report cannot be read aloud.
        PayloadTooLarge: the file would be larger than one may be.
        SourceUnavailable: it took more time or memory than it may.
        SandboxUnavailable: no sandbox here is strong enough.
    """
    if format is ExportFormat.JSON:
        return to_json(record)
    if format is ExportFormat.MD:
        return await asyncio.to_thread(to_markdown, record, look)
    if format is ExportFormat.WAV:
        return await to_wav(record)
    walls = await sandbox()
    walls.require(walls.minimum)
    outcome = await launch(
        Job(TARGET, PACKAGES, LIMITS, _input(format, record, look, max_slides, outline), _fonts()), walls.level
    )
    if outcome.ended == "exited" and outcome.status == 0 and outcome.answer:
        return outcome.answer
    if outcome.ended == "exited" and outcome.status == REFUSED:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            failure = json.loads(outcome.answer)
            raise _ERRORS[failure["code"]](str(failure["detail"])[:500])
    if outcome.ended == "output":
        raise PayloadTooLarge(f"The file would be larger than {EXPORT_BYTES_MAX:,} bytes.", limit=EXPORT_BYTES_MAX)
    why = f"within {LIMITS.wall_s:g} s" if outcome.ended == "time" else "within its limits"
    raise SourceUnavailable(
        f"The run could not be written as {format.value} {why}. Export it as json or zip.", status=outcome.status
    )


def to_json(record: RunRecord) -> bytes:
    """Return the record as JSON (docs/exports.md says what each field is)."""
    return (record.model_dump_json(indent=1) + "\n").encode()


async def draw(format: ExportFormat, figures: tuple[Figure, ...]) -> Mapping[str, Picture]:
    """Draw the figures of a record, where the format shows them.

    Raises:
        SourceUnavailable: they took too much time, or gave what is no picture.
    """
    pictures: dict[str, Picture] = {}
    if format not in PICTURED:
        return pictures
    for start in range(0, len(figures), DATA_CHARTS_FILE_MAX):
        charts = [_chart(figure) for figure in figures[start : start + DATA_CHARTS_FILE_MAX]]
        pictures |= {drawn.name: Picture(png=drawn.png, svg=drawn.svg) for drawn in await render(charts)}
    return pictures


def _chart(figure: Figure) -> Chart:
    return Chart(
        name=figure.name,
        kind=ChartKind(figure.kind),
        title=figure.title,
        columns=figure.columns,
        reason="",
        query=figure.query,
        spec=figure.spec,
    )


def _input(format: ExportFormat, record: RunRecord, look: Look, max_slides: int, outline: Outline | None) -> bytes:
    written = record.model_dump_json().encode()
    logo, cover = look.logo or b"", look.cover or b""
    header = {
        "format": format.value,
        "max_slides": max_slides,
        "outline": outline.model_dump(mode="json") if outline is not None else None,
        "theme": look.theme.model_dump(mode="json"),
        "record": len(written),
        "logo": len(logo),
        "cover": len(cover),
        "pictures": [[name, len(each.png), len(each.svg)] for name, each in look.pictures.items()],
    }
    pictures = b"".join(each.png + each.svg for each in look.pictures.values())
    return json.dumps(header).encode() + b"\n" + written + logo + cover + pictures


def _fonts() -> tuple[str, ...]:
    return tuple(each for each in FILES if Path(each).exists())
