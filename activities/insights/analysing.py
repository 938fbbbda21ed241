"""Analyses files of data in the sandbox; the way by which the product reads them.

What runs inside is `child.py`; the child is not trusted: its answer is validated against the contracts, whose lists are
bounded, and the text is made of that here. Nothing here touches a database, HTTP or Temporal.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from activities.insights.text import document_text
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.contracts.common import Contract
from schema.contracts.insights import Analysis, AnalysisOptions
from schema.errors import PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat
from schema.policies import DATA_ANSWER_BYTES, DATA_BYTES_MAX, DATA_CPU_S, DATA_MEMORY_BYTES, DATA_WALL

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
    kind.code: kind for kind in (UnsupportedFormat, PayloadTooLarge, SourceUnavailable)
}
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
    return Analysed(analysis, (), document_text(analysis))


def _check_size(path: Path) -> None:
    if path.stat().st_size > DATA_BYTES_MAX:
        raise PayloadTooLarge(
            f"The file is larger than {DATA_BYTES_MAX:,} bytes. Split it, or save it as Parquet.", limit=DATA_BYTES_MAX
        )


async def _run(
    task: str, files: Sequence[tuple[Path, str]], options: AnalysisOptions, result: type[_Result], **more: str
) -> _Result:
    walls = await sandbox()
    walls.require(walls.minimum)
    paths = [(str(path.resolve()), name[:500]) for path, name in files]
    header = {"task": task, "files": paths, "options": options.model_dump(mode="json"), **more}
    data = json.dumps(header).encode() + b"\n"
    job = Job(TARGET, PACKAGES, LIMITS, data, tuple(path for path, _ in paths))
    outcome = await launch(job, walls.level)
    if outcome.ended == "time":
        raise SourceUnavailable(
            f"The file could not be analysed within {LIMITS.wall_s:g} s. Split it, or send fewer columns."
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
            raise _ERRORS[failure["code"]](str(failure["detail"])[:500])
    raise SourceUnavailable(
        "The file is damaged, or too complex to be analysed within its limits of time and memory.",
        status=outcome.status,
    )
