"""When the picture of a video changes so that somebody would look again. Pure.

Two kinds of pictures are told apart. What **stands** (a slide, a drawing) is kept as soon as it stands, however little
is new in it: a figure on a slide is enough. What moves is kept where a scene begins and at every tick, and only where
it looks different as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schema.policies import KEYFRAME_EVERY

COLUMNS, ROWS = 192, 120
"""A sample: so many squares of grey. On a picture of 1080 lines a square is about half as high as small print."""
GRID = 24
"""The look that is kept of a picture: so many squares, each way."""
DIFFERENT_SQUARE = 12
"""Of 255, of a kept look: a square that differs by more shows something new; compression alone stays below."""
NEW_SQUARE = 30
"""Of 255, of a sample: smaller squares are noisier."""
NEW_SQUARES_MIN = 3
"""A digit that becomes another one changes four to ten of them; noise a single one."""
MOVING_SHARE_MAX = 0.02
"""Of the squares of what stands, that may move all the same: a clock, a pointer."""
STANDS_SAMPLES = 2
"""What is the same in so many samples after it stands: a clock that shows seconds does not."""
STANDS_APART_S = 1.0
BLEND_S = 2.0
"""A picture that was kept while it still changed gives way to the one that stands so soon after."""

Looks = NDArray[np.uint8]
"""(samples, `ROWS`, `COLUMNS`)."""


@dataclass(frozen=True)
class Sample:
    """One picture that was looked at."""

    at_s: float
    """From the beginning of the portion."""
    is_scene: bool
    """A scene begins with it."""


@dataclass(frozen=True)
class Chosen:
    """A sample that is kept."""

    number: int
    is_scene: bool
    """A scene, or something that stands, begins with it; otherwise it is there by the clock."""
    stands: bool


def choose(samples: Sequence[Sample], looks: Looks, count_max: int) -> list[Chosen]:
    """Return what is kept of samples in the order of their times: at most `count_max`."""
    coarse = [coarse_look(look) for look in looks]
    found: list[Chosen] = []
    background = np.zeros((ROWS, COLUMNS), np.int16)
    # Squares of a kept picture that moved, such as a pointer's: what stands behind them is seen later.
    covered = np.zeros((ROWS, COLUMNS), np.bool_)
    for number, sample in enumerate(samples):
        moving = _moving(looks, number)
        stands = bool(moving.mean() <= MOVING_SHARE_MAX)
        shown = covered & ~moving
        background[shown], covered[shown] = looks[number][shown], False
        if not found:
            kept = Chosen(number, False, stands)
        else:
            last = found[-1]
            since_s = sample.at_s - samples[last.number].at_s
            other = (np.abs(looks[number] - background) > NEW_SQUARE) & ~moving & ~covered
            new = stands and int(other.sum()) >= NEW_SQUARES_MIN
            if new and not last.stands and since_s < BLEND_S:
                found.pop()
                kept = Chosen(number, last.is_scene or bool(found), True)
            elif new and since_s >= STANDS_APART_S:
                kept = Chosen(number, True, True)
            elif (sample.is_scene or (not stands and _ticks(samples, number))) and distance(
                coarse[number], coarse[last.number]
            ) > DIFFERENT_SQUARE:
                kept = Chosen(number, sample.is_scene, stands)
            else:
                continue
        background = looks[number].astype(np.int16)
        covered = moving if stands else np.zeros_like(moving)
        found.append(kept)
    return [found[place] for place in telling([coarse[each.number] for each in found], count_max)]


def coarse_look(look: NDArray[np.uint8]) -> bytes:
    """Return a sample in `GRID` squares each way."""
    squares = look.reshape(GRID, ROWS // GRID, GRID, COLUMNS // GRID)
    return bytes(squares.mean(axis=(1, 3)).round().astype(np.uint8).tobytes())


def distance(one: bytes, other: bytes) -> int:
    """Return by how much the square differs that differs most, 0..255."""
    return max((abs(first - second) for first, second in zip(one, other, strict=False)), default=255)


def telling(looks: Sequence[bytes], count_max: int) -> list[int]:
    """Return the places of the looks that tell most: one that differs least from the one before it is missed least."""
    places = list(range(len(looks)))
    if len(places) <= count_max:
        return places
    news = sorted((distance(before, after), place) for place, (before, after) in enumerate(pairwise(looks), 1))
    dropped = {place for _, place in news[: len(looks) - count_max]}
    return [place for place in places if place not in dropped]


def _moving(looks: Looks, number: int) -> NDArray[np.bool_]:
    """Tell of each square whether it changes within the `STANDS_SAMPLES` after a sample."""
    moving = np.zeros((ROWS, COLUMNS), np.bool_)
    for following in looks[number + 1 : number + 1 + STANDS_SAMPLES]:
        moving |= np.abs(following.astype(np.int16) - looks[number]) > NEW_SQUARE
    return moving


def _ticks(samples: Sequence[Sample], number: int) -> bool:
    every = KEYFRAME_EVERY.total_seconds()
    return samples[number].at_s // every > samples[number - 1].at_s // every
