"""Which statements fit a slide together, at which size; by measure, never by count alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from activities.deliverables.deck import geometry as grid
from activities.deliverables.deck.metrics import CHARACTERS_MAX, count_lines, line_height, text_height
from activities.deliverables.deck.wording import elided
from schema.contracts.deliverables import Statement

WORDS_MAX = 110
"""Of a slide's text, without tables and sources."""
STATEMENTS_MAX = 4
FILL = 0.94
"""How much of a box text may take by our measure."""


@dataclass(frozen=True)
class Packed:
    """What goes onto one slide."""

    statements: tuple[Statement, ...]
    size_pt: float


def marks_text(statement: Statement) -> str:
    """Return a statement's marks as they stand behind it."""
    return "".join(f" [{mark}]" if place == 0 else f"[{mark}]" for place, mark in enumerate(statement.marks))


def words_of(statements: Sequence[Statement]) -> int:
    """Count words; five characters of a script without spaces are one."""
    return sum(max(len(each.text.split()), len(each.text) // 12) for each in statements)


def list_height(statements: Sequence[Statement], box: grid.Box, size: float, factor: float) -> float:
    """Return the height of a list, in points."""
    room = box.width - grid.BULLET
    heights = [text_height(each.text + marks_text(each), size, room, factor=factor) for each in statements]
    return sum(heights) + grid.GAP * size * len(heights)


def size_for(
    statements: Sequence[Statement], box: grid.Box, sizes: Sequence[float] = grid.BODY_PTS, factor: float = 1.0
) -> float | None:
    """Return the size at which a list fits a box: a few statements larger than many; None where it does not fit."""
    largest = {1: 26.0, 2: 24.0, 3: 22.0}.get(len(statements), 20.0)
    if words_of(statements) > WORDS_MAX:
        return None
    for size in sizes:
        if size <= largest and list_height(statements, box, size, factor) <= FILL * box.height:
            return size
    return None


def pack(
    statements: Sequence[Statement],
    box: grid.Box,
    *,
    most: int = STATEMENTS_MAX,
    sizes: Sequence[float] = grid.BODY_PTS,
    factor: float = 1.0,
) -> list[Packed]:
    """Put statements onto slides in their order, as evenly as they fit; one that fits none stands alone, elided."""
    groups = list[list[Statement]]()
    for each in statements:
        last = groups[-1] if groups else None
        if last and len(last) < most and size_for([*last, each], box, sizes, factor) not in (None, *sizes[-1:]):
            last.append(each)
        else:
            groups.append([each])
    groups = _even(statements, groups, box, sizes, factor)
    return [Packed(tuple(group), size_for(group, box, sizes, factor) or sizes[-1]) for group in groups]


def _even(
    statements: Sequence[Statement],
    groups: list[list[Statement]],
    box: grid.Box,
    sizes: Sequence[float],
    factor: float,
) -> list[list[Statement]]:
    """Level the groups' numbers of statements where that fits in as many slides."""
    if len(groups) < 2:
        return groups
    least, more = divmod(len(statements), len(groups))
    level, start = list[list[Statement]](), 0
    for number in range(len(groups)):
        end = start + least + (number < more)
        level.append(list(statements[start:end]))
        start = end
    return level if all(size_for(group, box, sizes, factor) for group in level) else groups


def fitted_text(statement: Statement, box: grid.Box, size: float, factor: float = 1.0) -> str:
    """Return a statement's text as a box of its own shows it: whole, or its beginning with an ellipsis."""
    marks = marks_text(statement)

    def fits(text: str) -> bool:
        room = box.width - grid.BULLET
        height = text_height(text + marks, size, room, factor=factor) + grid.GAP * size
        return height <= FILL * box.height and words_of([Statement(text=text)]) <= WORDS_MAX

    return statement.text if fits(statement.text) else _longest(statement.text, fits)


def _longest(text: str, fits: Callable[[str], bool]) -> str:
    low, high = 1, min(len(text), CHARACTERS_MAX)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(elided(text, middle)):
            low = middle
        else:
            high = middle - 1
    return elided(text, low)


def fitted_line(
    text: str, size: float, box: grid.Box, *, bold: bool = False, factor: float = 1.0, tail: str = ""
) -> str:
    """Return a text as it fits a box without bullets, with an ellipsis where it had to be cut."""
    lines = max(1, int(box.height / line_height(text, size)))

    def fits(said: str) -> bool:
        return count_lines(said + tail, size, box.width, bold=bold, factor=factor) <= lines

    return text if fits(text) else _longest(text, fits)
