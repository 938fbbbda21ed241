"""Turns a page upright and straight, and reads its lines. Pure: pixels in, lines out.

Lines are found once, where the page is not turned by a quarter; what a line says is read from the page as it came
(turned and straightened, never scaled down before).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from activities.images.engines import OcrEngine, Pixels, Quads, Written
from activities.images.ruling import Rectangle

TALL = 1.3
"""A line this much higher than wide stands on its end."""
PROBED_LINES = 6
"""Lines of which the beginning is read both ways up, to tell which it is."""
PROBED_HEIGHTS = 9
"""Of a line, so much is read, in its heights."""
SURE = 0.93
"""Mean confidence of lines that are upright; the same upside down come to 0.6 to 0.8."""
UPSIDE_DOWN_MARGIN = 0.05
STRAIGHT_DEGREES = 0.15
SKEW_DEGREES_MAX = 20.0


@dataclass(frozen=True)
class Straight:
    """A page as it should lie, and where its lines are."""

    image: Pixels
    quads: Quads
    turned: int
    """Degrees by which it was turned clockwise: 0, 90, 180 or 270."""
    straightened: float
    """Degrees by which it was turned further, clockwise."""


def straightened(image: Pixels, engine: OcrEngine) -> Straight:
    """Find the lines of a page, and turn it as they want it."""
    import numpy as np

    quads = _ordered(engine.find(image))
    turned = 0
    if len(quads) and _stands_on_end(quads):
        image, turned = np.ascontiguousarray(np.rot90(image, -1)), 90
        quads = _ordered(engine.find(image))
    if len(quads) and _is_upside_down(image, quads, engine):
        height, width = image.shape[:2]
        image, turned = np.ascontiguousarray(image[::-1, ::-1]), turned + 180
        quads = (np.array([width, height], np.float32) - quads)[:, [2, 3, 0, 1]]
    angle = _skew(quads) if len(quads) else 0.0
    if abs(angle) < STRAIGHT_DEGREES:
        return Straight(image, quads, turned, 0.0)
    image, quads = _rotated(image, quads, angle)
    return Straight(image, quads, turned, -angle)


def read_lines(image: Pixels, places: Sequence[Any], engine: OcrEngine) -> list[Written]:
    """Read lines, each given by its four corners or as an upright rectangle."""
    return engine.read([cut_out(image, place) for place in places])


def _ordered(quads: Quads) -> Quads:
    """Let every line's corners begin where its upper side does: engines differ for lines that stand on end."""
    import numpy as np

    turns = []
    for quad in quads:
        sides = np.roll(quad, -1, axis=0) - quad
        turns.append(np.roll(quad, -int(np.argmax(sides[:, 0] / (np.hypot(sides[:, 0], sides[:, 1]) + 1e-6))), axis=0))
    return np.array(turns, np.float32).reshape(-1, 4, 2)


def cut_out(image: Pixels, place: Any) -> Pixels:
    """Return the line within four corners, upright, or the rectangle."""
    import cv2
    import numpy as np

    if isinstance(place, Rectangle):
        left, top = max(0, math.floor(place.left)), max(0, math.floor(place.top))
        return image[top : max(top + 1, math.ceil(place.bottom)), left : max(left + 1, math.ceil(place.right))]
    quad = place
    width, height = (max(1, round(side)) for side in _sides(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    return cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)


def _sides(quad: Any) -> tuple[float, float]:
    """Return the lengths along and across a line."""
    along = max(math.dist(quad[0], quad[1]), math.dist(quad[3], quad[2]))
    return along, max(math.dist(quad[0], quad[3]), math.dist(quad[1], quad[2]))


def _stands_on_end(quads: Quads) -> bool:
    """Tell by the lines' length, whichever way they run: a column of single characters is no page on its end."""
    tall = wide = 0.0
    for quad in quads:
        along, across = _sides(quad)
        if across > along * TALL:
            tall += across
        elif along > across * TALL:
            wide += along
    return tall > wide


def _is_upside_down(image: Pixels, quads: Quads, engine: OcrEngine) -> bool:
    """Tell by how sure the engine is of some of the longest lines; of what it reads well it need not ask twice."""
    longest = sorted(quads, key=lambda quad: -_sides(quad)[0])[: 3 * PROBED_LINES : 3]
    lines = [cut_out(image, quad) for quad in longest]
    lines = [line[:, : PROBED_HEIGHTS * line.shape[0]] for line in lines]
    upright = _mean_confidence(engine.read(lines))
    if upright >= SURE:
        return False
    return _mean_confidence(engine.read([line[::-1, ::-1] for line in lines])) > upright + UPSIDE_DOWN_MARGIN


def _mean_confidence(lines: Sequence[Written]) -> float:
    return sum(line.confidence for line in lines) / len(lines)


def _skew(quads: Quads) -> float:
    """Return by how many degrees lines fall to the right: the median, weighed by their lengths."""
    angles = []
    for quad in quads:
        along, across = _sides(quad)
        if along > 3 * across:
            (left, top), (right, bottom) = quad[0] + quad[3], quad[1] + quad[2]
            angles.append((math.degrees(math.atan2(bottom - top, right - left)), along))
    if not angles:
        return 0.0
    angles.sort()
    half, passed = sum(weight for _, weight in angles) / 2, 0.0
    for angle, weight in angles:
        passed += weight
        if passed >= half:
            return angle if abs(angle) <= SKEW_DEGREES_MAX else 0.0
    return 0.0


def _rotated(image: Pixels, quads: Quads, degrees: float) -> tuple[Pixels, Quads]:
    """Turn a page and its lines counter-clockwise by some degrees; it grows so that nothing is cut off."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    grown = (math.ceil(width * cos + height * sin), math.ceil(width * sin + height * cos))
    matrix[:, 2] += (grown[0] - width) / 2, (grown[1] - height) / 2
    border = tuple(
        int(value) for value in np.median(image[:: max(1, height // 50), :: max(1, width // 50)], axis=(0, 1))
    )
    turned = cv2.warpAffine(image, matrix, grown, flags=cv2.INTER_CUBIC, borderValue=border)
    return turned, (quads @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
