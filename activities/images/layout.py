"""What stands where on a page, and in which order it is read: rules over the boxes of lines. Pure.

Reading order is an XY cut (Nagy and Seth, 1984) that prefers gutters: a stretch of the page through which a white
gutter runs is read column by column; what crosses the gutter ends the stretch.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schema.contracts.images import RegionKind

GUTTER_HEIGHTS = 0.9
"""Width of a gutter between columns, in heights of a line."""
GUTTER_LINES = 2
"""Lines that stand on each side of it at least."""
SHRUNK = 0.2
"""Share of a box's height that is white: boxes of neighbouring lines may overlap by it."""
PARAGRAPH_GAP = 0.75
"""White between two lines that ends a paragraph, in heights of a line; ordinary leading leaves 0.1 to 0.5."""
TITLE_HEIGHTS = 1.25
"""A line this much higher than the page's usual one is a title."""

_ITEM = re.compile(r"^\s*(?:[-•◦▪·*–—●○■□])\s*\S|^\s*(?:\d{1,2}[.)]|\(?(?:\d{1,2}|[a-z])\))\s+\S")
_CAPTION = re.compile(r"^\s*(?:fig(?:ure)?|tab(?:le|elle|leau)?|abb(?:ildung)?|図|表|图)\.?\s*\d", re.IGNORECASE)


@dataclass(frozen=True)
class Placed:
    """A line, or part of one, where it stands."""

    text: str
    confidence: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """Return its height."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Return the height at which it stands."""
        return (self.top + self.bottom) / 2


@dataclass
class Block:
    """A part of the page."""

    kind: RegionKind
    left: float
    top: float
    right: float
    bottom: float
    lines: list[Placed] = field(default_factory=list)
    cells: list[list[str]] | None = None
    """Of a table."""
    ruled: bool = False


def usual_height(lines: Sequence[Placed]) -> float:
    """Return the height of a page's usual line: the median by characters."""
    heights = sorted((line.height, len(line.text)) for line in lines)
    half, passed = sum(length for _, length in heights) / 2, 0
    for height, length in heights:
        passed += length
        if passed >= half:
            return height
    return 1.0


def in_order(blocks: Sequence[Block], height: float) -> list[Block]:
    """Return blocks in reading order.

    Args:
        height: of the usual line.
    """
    ordered: list[Block] = []
    pending = [list(blocks)]
    while pending:
        group = pending.pop()
        if len(group) < 2:
            ordered += group
            continue
        parts = _columns(group, height) or _stretches(group, height)
        if parts is None:
            ordered += sorted(group, key=lambda block: (block.top, block.left))
        else:
            pending += reversed(parts)
    return ordered


def with_marks(ordered: Sequence[Block], marks: Iterable[Block]) -> list[Block]:
    """Put what took no part in the cut among the blocks: before what stands below it, else after what stands above."""
    found = list(ordered)
    for mark in sorted(marks, key=lambda mark: (mark.top, mark.left)):
        under = [
            (number, block.top >= mark.top)
            for number, block in enumerate(found)
            if block.left < mark.right and mark.left < block.right
        ]
        below = next((number for number, is_below in under if is_below), None)
        found.insert(below if below is not None else under[-1][0] + 1 if under else len(found), mark)
    return found


def is_mark(figure: Block, others: Iterable[Block], width: float, height: float) -> bool:
    """Tell whether a figure lies over what is written, or at the edge of the page: shade, stains and borders do.

    A gutter runs through such a one.
    """
    if figure.left <= 1 or figure.top <= 1 or figure.right >= width - 1 or figure.bottom >= height - 1:
        return True
    return any(
        other.left < figure.right
        and figure.left < other.right
        and other.top < figure.bottom
        and figure.top < other.bottom
        for other in others
    )


def _columns(group: Sequence[Block], height: float) -> list[list[Block]] | None:
    """Cut at the widest gutter that runs from top to bottom."""
    best, at, reach = 0.0, 0.0, float("-inf")
    for block in sorted(group, key=lambda block: block.left):
        if reach > float("-inf") and block.left - reach > best:
            best, at = block.left - reach, (block.left + reach) / 2
        reach = max(reach, block.right)
    if best < GUTTER_HEIGHTS * height:
        return None
    sides = [block for block in group if block.left < at], [block for block in group if block.left >= at]
    return [list(side) for side in sides]


def _stretches(group: Sequence[Block], height: float) -> list[list[Block]] | None:
    """Cut from top to bottom into stretches; those with a gutter are kept together, as long as they can be."""
    bands = _bands(group)
    if len(bands) < 2:
        return None
    stretches: list[list[Block]] = []
    first = 0
    while first < len(bands):
        after, together = first + 1, list(bands[first])
        while after < len(bands) and _has_gutter([*together, *bands[after]], height):
            together += bands[after]
            after += 1
        stretches.append(together)
        first = after
    return stretches if len(stretches) > 1 else None


def _has_gutter(group: Sequence[Block], height: float) -> bool:
    parts = _columns(group, height)
    return parts is not None and all(sum(max(1, len(block.lines)) for block in part) >= GUTTER_LINES for part in parts)


def _bands(group: Sequence[Block]) -> list[list[Block]]:
    """Return what lies between white stripes that cross the whole width."""
    bands: list[list[Block]] = []
    reach = float("-inf")
    for block in sorted(group, key=lambda block: block.top):
        white = SHRUNK * (block.lines[0].height if block.lines else 0.0)
        if not bands or block.top + white >= reach:
            bands.append([])
        bands[-1].append(block)
        reach = max(reach, block.bottom - white)
    return bands


def paragraphs(blocks: Sequence[Block], height: float) -> list[Block]:
    """Join lines that follow each other into titles, paragraphs, lists and captions."""
    joined: list[Block] = []
    for block in blocks:
        if block.kind is not RegionKind.TEXT:
            joined.append(block)
            continue
        line = block.lines[0]
        kind = _kind_of(line, height)
        before = joined[-1] if joined else None
        if before is not None and _continues(before, line, kind, height):
            before.lines += block.lines
            before.left, before.right = min(before.left, block.left), max(before.right, block.right)
            before.top, before.bottom = min(before.top, block.top), max(before.bottom, block.bottom)
        else:
            joined.append(Block(kind, block.left, block.top, block.right, block.bottom, list(block.lines)))
    return joined


def _kind_of(line: Placed, height: float) -> RegionKind:
    if _CAPTION.match(line.text):
        return RegionKind.CAPTION
    if line.height > TITLE_HEIGHTS * height and len(line.text) < 200:
        return RegionKind.TITLE
    return RegionKind.LIST if _ITEM.match(line.text) else RegionKind.TEXT


def _continues(before: Block, line: Placed, kind: RegionKind, height: float) -> bool:
    """Tell whether a line belongs to what was read before it."""
    last = before.lines[-1] if before.lines else None
    if last is None or before.kind in (RegionKind.TABLE, RegionKind.FIGURE):
        return False
    if kind is RegionKind.CAPTION or line.top < last.top:
        return False
    gap = line.top - last.bottom
    if gap > PARAGRAPH_GAP * max(line.height, last.height):
        return False
    if line.left > before.right or line.right < before.left:
        return False
    if before.kind is RegionKind.LIST:
        return kind is RegionKind.LIST or (kind is RegionKind.TEXT and line.left > before.left + height * 0.3)
    if before.kind is RegionKind.CAPTION:
        return kind is RegionKind.TEXT and abs(line.left - before.left) < 2 * height and gap < 0.5 * line.height
    return kind is before.kind


def merged(lines: Sequence[Placed]) -> list[Placed]:
    """Join pieces of one line that stand close to each other: engines cut lines at wide spaces."""
    found: list[Placed] = []
    for line in sorted(lines, key=lambda line: (line.left, line.top)):
        for number, other in enumerate(found):
            height = min(line.height, other.height)
            gap = line.left - other.right
            same = abs(line.middle - other.middle) < 0.35 * height and max(line.height, other.height) < 1.5 * height
            if same and -0.6 * height < gap < 0.55 * height:
                total = len(line.text) + len(other.text)
                confidence = (line.confidence * len(line.text) + other.confidence * len(other.text)) / max(1, total)
                found[number] = Placed(
                    f"{other.text} {line.text}",
                    confidence,
                    other.left,
                    min(line.top, other.top),
                    max(line.right, other.right),
                    max(line.bottom, other.bottom),
                )
                break
        else:
            found.append(line)
    return found
