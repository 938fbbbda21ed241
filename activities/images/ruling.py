"""What is drawn on a page beside its text: the rules of tables, and figures. Pure: pixels in, places out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from activities.images.engines import Pixels

FIGURE_SHARE = 0.015
"""Of the page, that a figure covers at least."""
FIGURE_DENSITY = 0.2
"""Of a figure's box, that is drawn on at least."""
FIGURES_MAX = 20
_DRAWN_SIDE_PX = 700
_SATURATED = 60
_STANDS_OUT = 30


@dataclass(frozen=True)
class Grid:
    """The rules of one table: where its rows and columns begin, and where the last ones end."""

    rows: tuple[float, ...]
    columns: tuple[float, ...]


@dataclass(frozen=True)
class Rectangle:
    """A place on the page."""

    left: float
    top: float
    right: float
    bottom: float


def find_grids(image: Pixels, height: float) -> list[Grid]:
    """Find the tables that have rules on all sides of their cells.

    Args:
        height: of the usual line.
    """
    import cv2
    import numpy as np

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dark = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 12)
    length = max(24, round(2.2 * height))
    across = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((1, length * 2), np.uint8))
    down = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((length * 3 // 4, 1), np.uint8))
    joined = cv2.dilate(cv2.bitwise_or(across, down), np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    grids = []
    for label in sorted(range(1, count), key=lambda label: -int(stats[label][4]))[:FIGURES_MAX]:
        left, top, width, tall = (int(value) for value in stats[label][:4])
        if width < 4 * height or tall < 1.5 * height:
            continue
        part = np.s_[top : top + tall, left : left + width]
        own = labels[part] == label
        rows = _positions(((across[part] > 0) & own).sum(axis=1) > 0.4 * width, height, top)
        columns = _positions(((down[part] > 0) & own).sum(axis=0) > 0.4 * tall, height, left)
        if len(rows) >= 3 and len(columns) >= 3:
            grids.append(Grid(tuple(rows), tuple(columns)))
    return grids


def _positions(drawn: Sequence[bool], height: float, offset: int) -> list[float]:
    """Return where rules run: neighbouring pixels are one rule, and so are rules too close to hold a line."""
    found: list[list[int]] = []
    for position, there in enumerate(drawn):
        if there:
            if found and position - found[-1][-1] < max(4, 0.5 * height):
                found[-1].append(position)
            else:
                found.append([position])
    return [offset + (each[0] + each[-1]) / 2 for each in found]


def find_figures(image: Pixels, taken: Sequence[Rectangle]) -> list[Rectangle]:
    """Find what is drawn or photographed.

    Args:
        taken: lines of text and tables, which are no figures.
    """
    import cv2
    import numpy as np

    scale = min(1.0, _DRAWN_SIDE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    saturation = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[:, :, 1].astype(np.int16)
    drawn = (_paper(grey) - grey > _STANDS_OUT) | (saturation > np.median(saturation) + _SATURATED)
    mask = drawn.astype(np.uint8)
    for each in taken:
        left, top, right, bottom = (round(value * scale) for value in (each.left, each.top, each.right, each.bottom))
        mask[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = 0
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    area = mask.shape[0] * mask.shape[1]
    found: list[Rectangle] = []
    for label in sorted(range(1, count), key=lambda label: -int(stats[label][4])):
        left, top, width, tall, drawn_on = (int(value) for value in stats[label])
        if width * tall >= FIGURE_SHARE * area and drawn_on >= FIGURE_DENSITY * width * tall and min(width, tall) > 8:
            place = Rectangle(left / scale, top / scale, (left + width) / scale, (top + tall) / scale)
            if not any(_within(place, other) for other in found):
                found.append(place)
    return found[:FIGURES_MAX]


def _paper(grey: Pixels) -> Any:
    """Return how bright the paper is everywhere: a plane through what is brightest, since a lamp stands on one side."""
    import numpy as np

    rows, columns = np.mgrid[0 : grey.shape[0] : 4, 0 : grey.shape[1] : 4]
    points = np.stack([rows.ravel(), columns.ravel(), np.ones(rows.size)], axis=1).astype(np.float32)
    values = grey[::4, ::4].astype(np.float32).ravel()
    kept = values >= np.quantile(values, 0.4)
    for _ in range(3):
        plane = np.linalg.lstsq(points[kept], values[kept], rcond=None)[0]
        kept = values > points @ plane - _STANDS_OUT / 2
    height, width = np.ogrid[0 : grey.shape[0], 0 : grey.shape[1]]
    return plane[0] * height + plane[1] * width + plane[2]


def _within(inner: Rectangle, outer: Rectangle) -> bool:
    horizontal = outer.left <= (inner.left + inner.right) / 2 <= outer.right
    return horizontal and outer.top <= (inner.top + inner.bottom) / 2 <= outer.bottom


def split_at_rules(quads: Sequence[Rectangle], grids: Sequence[Grid], height: float) -> list[Rectangle]:
    """Cut places that reach over the rule between two cells."""
    pieces = list(quads)
    for grid in grids:
        cut: list[Rectangle] = []
        for each in pieces:
            inside = grid.rows[0] < (each.top + each.bottom) / 2 < grid.rows[-1]
            rules = [rule for rule in grid.columns[1:-1] if each.left + height < rule < each.right - height]
            if not inside or not rules:
                cut.append(each)
                continue
            edges = [each.left, *rules, each.right]
            cut += [Rectangle(left, each.top, right, each.bottom) for left, right in pairwise(edges)]
        pieces = cut
    return pieces
