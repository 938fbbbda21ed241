"""Decks of made-up runs: every shape, script, length and look, by seed."""

import random

from activities.deliverables.look import Look
from schema.contracts.deliverables import RunRecord, Theme
from tests.support.records import SCRIPTS, Shape, made_record

LOOKS = (
    Look(),
    Look(theme=Theme(primary="#ffe08a", accent="#9be7ff", footer="Confidential, Muster AG")),
    Look(theme=Theme(primary="#777777", accent="#777777", heading_font="Georgia", body_font="Verdana")),
    Look(theme=Theme(primary="#0b6b3a", accent="#e0a100")),
)
LENGTHS = (5, 8, 12, 20, 20, 30, 60)


def deck_case(seed: int) -> tuple[RunRecord, Look, int]:
    """Return a record, a look and a number of slides, the same for the same seed."""
    chance = random.Random(seed)
    shape = Shape(
        subtasks=chance.randint(1, 10),
        findings=chance.randint(1, 4),
        paragraphs=chance.randint(1, 3),
        sources=chance.choice((1, 5, 12, 60, 200)),
        grids=chance.randint(0, 4),
        grid_rows=chance.choice((1, 3, 6, 25, 80)),
        figures=chance.randint(0, 6),
        scripts=tuple(chance.sample(sorted(SCRIPTS), chance.randint(0, len(SCRIPTS)))),
    )
    return made_record(seed, shape), LOOKS[seed % len(LOOKS)], LENGTHS[seed % len(LENGTHS)]
