"""Measures how long a deck of thirty slides takes, in the sandbox as in the product, and what the lint says of it.

`python -m tests.load.deck`. The report has 200 sources, tables of 40 rows, eight charts and seven scripts.
"""

import asyncio
import io
import statistics
import sys
import time

from pptx import Presentation

from activities.deliverables.building import build, draw
from activities.deliverables.deck.lint import lint
from activities.deliverables.look import Look
from infra.sandbox.probe import sandbox
from schema.contracts.deliverables import ExportFormat, Theme
from tests.support.records import SCRIPTS, Shape, made_record

RUNS = 3
SLIDES = 30
DECK_S_MAX = 10.0
SHAPE = Shape(
    subtasks=16, findings=2, paragraphs=3, sources=200, grids=8, grid_rows=40, figures=8, scripts=tuple(SCRIPTS)
)


async def main() -> int:
    """Print the times, and return 1 where a deck takes too long or the lint finds something."""
    record = made_record(7, SHAPE)
    print(f"sandbox: {(await sandbox()).level.label}")
    look = Look(theme=Theme(footer="Norrvik Energi AB"), pictures=await draw(ExportFormat.PPTX, record.figures))
    times, files = list[float](), set[bytes]()
    for _ in range(RUNS):
        started = time.perf_counter()
        files.add(await build(ExportFormat.PPTX, record, look, max_slides=SLIDES))
        times.append(time.perf_counter() - started)
    (written,) = files
    found, count = lint(written), len(Presentation(io.BytesIO(written)).slides)
    print(
        f"pptx: {statistics.median(times):.1f} s (slowest of {RUNS}: {max(times):.1f} s), {count} slides, "
        f"{len(written):,} bytes, the same each time; the lint finds {len(found)}"
    )
    within = max(times) <= DECK_S_MAX and not found
    print(f"Deck within {DECK_S_MAX:g} s and without a finding: {'yes' if within else 'NO'}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
