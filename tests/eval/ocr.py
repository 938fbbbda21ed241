"""Scans rendered from known text: how much of it is read, in the right order, and which tables come out whole.

Pages of five kinds (text, two columns, both, a table with and without rules), set with several fonts and sizes, then
turned, skewed, made noisy, greyed, shaded and packed as JPEG. Seeds 7 to 46 and 301 were used in development. It reads
in this process: the sandbox changes nothing that is read. A fifth of the pages goes through easyocr too, where it is
installed.
"""

import random
import time
from typing import Any

from schema.contracts.images import ReadPage
from tests.eval.metrics import Measure, Table

KINDS = ("text", "columns", "mixed", "ruled", "table")
ACCURACY_MIN = 0.97
PAGES = 30
_TURNS = (0, 0, 90, 180, 270)


def spoiling(rng: random.Random) -> dict[str, Any]:
    """Return how a page is spoilt."""
    return {
        "turned": rng.choice(_TURNS),
        "skew": round(rng.uniform(-5, 5), 1) if rng.random() < 0.7 else 0.0,
        "noise": rng.choice((0, 8, 16, 28)),
        "paper": rng.choice((255, 235, 205, 180)),
        "shade": rng.choice((0.0, 0.0, 0.25, 0.4)),
        "jpeg": rng.choice((0, 60, 25, 15)),
        "blur": rng.choice((0.0, 0.0, 0.6, 1.0)),
        "dpi": rng.choice((130, 150, 200)),
        "points": rng.choice((9.0, 10.0, 11.0, 13.0)),
    }


def text_of(page: ReadPage) -> str:
    """Return a page's text in reading order, cells apart by spaces."""
    parts = []
    for region in page.regions:
        if region.table is not None:
            parts += [" ".join(cell for cell in row if cell) for row in page.tables[region.table].rows]
        else:
            parts += [page.lines[number].text for number in region.lines]
    return "\n".join(parts)


def run(bench: Any, *, seed: int, split: str) -> list[Table]:
    """Measure every engine that is installed."""
    from activities.images import models

    tables = []
    for engine in (models.RAPIDOCR, models.EASYOCR):
        if models.is_installed(engine):
            tables.append(measure(engine, seed, PAGES if engine == models.RAPIDOCR else PAGES // 5))
        else:
            tables.append(Table(f"OCR: {engine}", [], [f"skipped: {engine} is not installed"]))
    return tables


def measure(engine_name: str, seed: int, pages: int) -> Table:
    """Read pages of one seed."""
    import numpy as np

    from activities.images import models
    from activities.images.engines import load_engine
    from activities.images.page import read_page
    from tests.support.scans import character_accuracy, page

    engine = load_engine(engine_name, models.model_files(engine_name))
    rng, accuracies, whole, made, turned, notes = random.Random(seed), [], 0, 0, 0, []
    began = time.process_time()
    for number in range(pages):
        kind, how = KINDS[number % len(KINDS)], spoiling(rng)
        scan = page(1_000 * seed + number, kind, **how)
        read, _ = read_page(np.asarray(scan.image), engine, number + 1)
        accuracies.append(character_accuracy(scan.text, text_of(read)))
        turned += read.turned_degrees == scan.turned
        made += len(scan.tables)
        whole += [[list(row) for row in table.rows] for table in read.tables] == scan.tables and bool(scan.tables)
        if accuracies[-1] < ACCURACY_MIN:
            notes.append(f"{kind} {how}: {accuracies[-1]:.3f}")
    seconds = (time.process_time() - began) / pages
    floor = ACCURACY_MIN if engine_name == models.RAPIDOCR else None
    return Table(
        f"OCR: {engine.name}, {pages} scans, seed {seed}",
        [
            Measure("character accuracy, mean", sum(accuracies) / pages, floor, of=f"{pages} pages"),
            Measure("character accuracy, worst page", min(accuracies), of=f"{pages} pages"),
            Measure("turned upright", turned / pages, of=f"{turned} of {pages}"),
            Measure("tables whole, cell by cell", whole / max(1, made), of=f"{whole} of {made}"),
            Measure("processor seconds per page", seconds, of=f"{pages} pages"),
        ],
        notes,
    )
