"""Up to three statements side by side, each with where it is from: text in placeholders that the layout fills."""

from collections.abc import Mapping, Sequence
from typing import Any

from pptx.slide import Slide

from activities.deliverables.deck import geometry
from activities.deliverables.deck.metrics import text_height
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.referencing import source_line
from activities.deliverables.deck.writing import Citations, align_left, direct, write_statement, write_text
from schema.contracts.deliverables import RecordedSource, Statement
from schema.contracts.slides import SlidePlan, Visual, VisualKind

CARD_PTS = (26.0, 24.0, 22.0, 20.0, 18.0, 16.0)
_SOURCE_HEIGHT = 62.0
"""Two lines of the source's title and the space above them; three of a script with high lines would not fit."""


def cards_of(statements: Sequence[Statement], factor: float = 1.0) -> Visual | None:
    """Return cards where up to three cited statements fit one each."""
    if len(statements) not in geometry.CARDS or not all(each.marks for each in statements):
        return None
    return Visual(kind=VisualKind.CARDS) if card_size(statements, factor) is not None else None


def card_size(statements: Sequence[Statement], factor: float = 1.0) -> float | None:
    """Return the size of text at which every statement fits its card; None: at none."""
    box = geometry.CARDS[len(statements)][0]
    room, high = box.width - 2 * geometry.CARD_INSET - 2, box.height - 2 * geometry.CARD_INSET - _SOURCE_HEIGHT
    for size in CARD_PTS:
        if all(text_height(each.text + marks_text(each), size, room, factor=factor) <= high for each in statements):
            return size
    return None


def draw_cards(
    slide: Slide,
    places: Sequence[Any],
    planned: SlidePlan,
    sources: Mapping[int, RecordedSource],
    citations: Citations,
    factor: float,
) -> None:
    """Fill one placeholder per statement."""
    size = card_size(planned.statements, factor) or CARD_PTS[-1]
    room = geometry.CARDS[len(planned.statements)][0].width - 2 * geometry.CARD_INSET
    for place, statement in zip(places, planned.statements, strict=True):
        frame = place.text_frame
        frame.clear()
        write_statement(slide, frame.paragraphs[0], statement, citations, size=size, emphasis=True)
        paragraph = frame.add_paragraph()
        paragraph.level = 1
        line = source_line([sources[mark] for mark in statement.marks if mark in sources], room, factor)
        write_text(paragraph, line)
        direct(paragraph, line)
        for each in frame.paragraphs:
            align_left(each)
