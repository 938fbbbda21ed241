"""Titles of slides by rule: the statement that leads, in full where it fits; else what the slide is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from activities.deliverables.deck import geometry as grid
from activities.deliverables.deck.metrics import text_height
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.wording import is_sentence, shortened
from schema.contracts.deliverables import Statement


@dataclass(frozen=True)
class Heading:
    """A title, and what is left to stand below it."""

    title: str
    headline: Statement | None
    below: tuple[Statement, ...]


def fits_title(text: str, marks: str = "", factor: float = 1.0) -> bool:
    """Tell whether a title takes two lines at most, or one of a script whose lines are high."""
    high = text_height(text + marks, grid.TITLE_PT, grid.TITLE.width * 0.97, bold=True, factor=factor)
    return high <= grid.TITLE.height


def heading_of(statements: Sequence[Statement], fallback: str, factor: float = 1.0) -> Heading:
    """Choose the title of statements that stand on one slide.

    A statement that fits a title in full becomes it, with its citation; one that fits without the clause that only
    adds to it names the slide and stays below in full.
    """
    if len(statements) > 1:
        for place, each in enumerate(statements):
            whole = each.text.rstrip(" .。")
            if (
                each.marks
                and is_sentence(each.text)
                and shortened(each.text) == whole
                and fits_title(whole, marks_text(each), factor)
            ):
                return Heading(whole, each, (*statements[:place], *statements[place + 1 :]))
    for each in statements:
        title = shortened(each.text) if is_sentence(each.text) else None
        if title is not None and title != each.text.rstrip(" .。") and fits_title(title, "", factor):
            return Heading(title, None, tuple(statements))
    return Heading(fallback, None, tuple(statements))
