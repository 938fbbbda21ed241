"""Analyses files of data in the sandbox; the way by which the product reads them.

What runs inside is `child.py`; the child is not trusted: its answer is validated against the contracts, whose lists are
bounded, and the text is made of that here. Nothing here touches a database, HTTP or Temporal.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from activities.insights.text import document_text
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.contracts.common import Contract
from schema.contracts.insights import Analysis, AnalysisOptions, Chart, Relations, TableAnswer
from schema.errors import PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat, ValidationFailed
from schema.policies import (
    DATA_ANSWER_BYTES,
    DATA_ASK_WALL,
    DATA_BYTES_MAX,
    DATA_CHART_BYTES_MAX,
    DATA_CHARTS_FILE_MAX,
    DATA_CPU_S,
    DATA_MEMORY_BYTES,
    DATA_QUESTION_LENGTH_MAX,
    DATA_RENDER_CPU_S,
    DATA_RENDER_MEMORY_BYTES,
    DATA_RENDER_WALL,
    DATA_TABLES_MAX,
    DATA_WALL,
)

TARGET = "activities.insights.child"
PACKAGES = ("activities.insights", "activities.documents", "schema")
REFUSED = 3
LIMITS = Limits(
    wall_s=DATA_WALL.total_seconds(),
    cpu_s=DATA_CPU_S,
    memory_bytes=DATA_MEMORY_BYTES,
    output_bytes=64 * 1024,
    answer_bytes=DATA_ANSWER_BYTES,
)
_ERRORS: dict[str, type[SwissbrainError]] = {
    kind.code: kind for kind in (UnsupportedFormat, PayloadTooLarge, SourceUnavailable, ValidationFailed)
}
RENDERER = "activities.insights.rendering"
RENDER_LIMITS = Limits(
    wall_s=DATA_RENDER_WALL.total_seconds(),
    cpu_s=DATA_RENDER_CPU_S,
    memory_bytes=DATA_RENDER_MEMORY_BYTES,
    output_bytes=64 * 1024,
    answer_bytes=DATA_CHARTS_FILE_MAX * DATA_CHART_BYTES_MAX,
)
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
"""For letters beyond those of the fonts that the renderer brings."""
_PNG = b"\x89PNG\r\n\x1a\n"
_ACTIVE = re.compile(rb"<script|<foreignObject|\son\w+\s*=|(?:href|src)\s*=\s*[\"'](?!#|data:image/png)", re.IGNORECASE)
_Result = TypeVar("_Result", bound=Contract)


@dataclass(frozen=True)
class RenderedChart:
    """A chart as pictures."""

    name: str
    """Of the chart in the analysis."""
    png: bytes
    svg: bytes


@dataclass(frozen=True)
class Analysed:
    """What came of a file."""

    analysis: Analysis
    charts: tuple[RenderedChart, ...]
    text: str
    """In the form of an extracted document (`activities/documents/builder.py`)."""


async def analyse(path: Path, filename: str, options: AnalysisOptions) -> Analysed:
    """Analyse the file at a path.

    Args:
        filename: as the user named it; says what the file claims to be.

    Raises:
        UnsupportedFormat: it is no table that can be read; the detail says why and what to do.
        PayloadTooLarge: it is larger than is read.
        SourceUnavailable: it took more time or memory than a file may take.
        SandboxUnavailable: no sandbox here is strong enough to open it.
    """
    _check_size(path)
    analysis = await _run("analyse", [(path, filename)], options, Analysis)
    charts = await render([chart for table in analysis.tables for chart in table.charts])
    return Analysed(analysis, charts, document_text(analysis))


async def ask(
    path: Path, filename: str, question: str, options: AnalysisOptions | None = None, query: str | None = None
) -> TableAnswer:
    """Answer a question about the file at a path; the answer shows the query that gave it.

    Args:
        query: SQL that a model proposes for the question, in place of the grammar's; it goes through the same check.

    Raises:
        ValidationFailed: the question cannot be translated, or the query is not one SELECT over the file's tables; the
            detail says why, and names the columns.
        As `analyse`.
    """
    if not question.strip() or len(question) > DATA_QUESTION_LENGTH_MAX:
        raise ValidationFailed(f"A question must have 1 to {DATA_QUESTION_LENGTH_MAX:,} characters.")
    _check_size(path)
    limits = replace(LIMITS, wall_s=DATA_ASK_WALL.total_seconds())
    more = {"question": question, "query": query or ""}
    return await _run("ask", [(path, filename)], options or AnalysisOptions(), TableAnswer, limits, **more)


async def relate(paths: Sequence[tuple[Path, str]], options: AnalysisOptions | None = None) -> Relations:
    """Find keys, and which columns of several files refer to each other.

    Args:
        paths: (path, the name that the user gave).

    Raises:
        ValidationFailed: there are fewer than two files, or more than are read together.
        As `analyse`.
    """
    if not 2 <= len(paths) <= DATA_TABLES_MAX:
        raise ValidationFailed(f"Relations are found between 2 to {DATA_TABLES_MAX} files.")
    for path, _ in paths:
        _check_size(path)
    if sum(path.stat().st_size for path, _ in paths) > 2 * DATA_BYTES_MAX:
        raise PayloadTooLarge(
            f"The files together are larger than {2 * DATA_BYTES_MAX:,} bytes. Relate fewer of them.",
            limit=2 * DATA_BYTES_MAX,
        )
    return await _run("relate", paths, options or AnalysisOptions(charts=False), Relations)


def _check_size(path: Path) -> None:
    if path.stat().st_size > DATA_BYTES_MAX:
        raise PayloadTooLarge(
            f"The file is larger than {DATA_BYTES_MAX:,} bytes. Split it, or save it as Parquet.", limit=DATA_BYTES_MAX
        )


async def render(charts: Sequence[Chart]) -> tuple[RenderedChart, ...]:
    """Draw charts, without network, in a sandbox of their own.

    Raises:
        SourceUnavailable: they took too much time, or gave what is no picture.
    """
    if not charts:
        return ()
    walls = await sandbox()
    walls.require(walls.minimum)
    fonts = _fonts()
    data = json.dumps({"specs": [chart.spec for chart in charts], "fonts": fonts}).encode()
    outcome = await launch(Job(RENDERER, PACKAGES, RENDER_LIMITS, data, fonts), walls.level)
    if outcome.ended != "exited" or outcome.status != 0:
        raise SourceUnavailable("The charts could not be drawn.", status=outcome.status)
    try:
        return tuple(_pictures(charts, outcome.answer))
    except (ValueError, TypeError) as error:
        raise SourceUnavailable("The charts could not be drawn.") from error


def _fonts() -> tuple[str, ...]:
    return tuple(folder for folder in FONT_FOLDERS if Path(folder).is_dir())


def _pictures(charts: Sequence[Chart], answer: bytes) -> Iterator[RenderedChart]:
    """Take the answer apart; the child is not trusted, so what is no plain picture is refused."""
    head, _, body = answer.partition(b"\n")
    position = 0
    for chart, (png_bytes, svg_bytes) in zip(charts, json.loads(head), strict=True):
        png = body[position : position + png_bytes]
        svg = body[position + png_bytes : position + png_bytes + svg_bytes]
        position += png_bytes + svg_bytes
        if not png.startswith(_PNG) or not svg.startswith(b"<svg") or _ACTIVE.search(svg):
            raise ValueError("no plain picture")
        yield RenderedChart(chart.name, png, svg)


async def _run(
    task: str,
    files: Sequence[tuple[Path, str]],
    options: AnalysisOptions,
    result: type[_Result],
    limits: Limits = LIMITS,
    **more: str,
) -> _Result:
    walls = await sandbox()
    walls.require(walls.minimum)
    paths = [(str(path.resolve()), name[:500]) for path, name in files]
    header = {"task": task, "files": paths, "options": options.model_dump(mode="json"), **more}
    data = json.dumps(header).encode() + b"\n"
    job = Job(TARGET, PACKAGES, limits, data, tuple(path for path, _ in paths))
    outcome = await launch(job, walls.level)
    if outcome.ended == "time":
        raise SourceUnavailable(
            f"The file could not be analysed within {limits.wall_s:g} s. Split it, or send fewer columns."
        )
    if outcome.ended != "exited":
        raise SourceUnavailable("The file gives a larger analysis than can be kept. Send fewer columns.")
    if outcome.status == 0:
        try:
            return result.model_validate_json(outcome.answer)
        except ValidationError as error:
            raise SourceUnavailable("The file could not be analysed: it gave a result that is none.") from error
    if outcome.status == REFUSED:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            failure = json.loads(outcome.answer)
            raise _ERRORS[failure["code"]](str(failure["detail"])[:1_500])
    raise SourceUnavailable(
        "The file is damaged, or too complex to be analysed within its limits of time and memory.",
        status=outcome.status,
    )
