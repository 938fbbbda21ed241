"""The seam between a page and what reads text off it. Runs inside the sandbox; so does what stands behind it.

An engine finds where lines are, and reads lines that were cut out. What lies between, turning the page upright and
straight, is the same for all of them (`upright.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Pixels = Any
"""An array of bytes: rows x columns x 3, in the order red, green, blue."""
Quads = Any
"""An array of floats, lines x 4 x 2: corners of each line as (x, y), from where it begins, clockwise."""


@dataclass(frozen=True)
class Written:
    """What a line says."""

    text: str
    confidence: float
    """0..1, as the engine has it."""


class OcrEngine(Protocol):
    """Finds and reads lines of text."""

    name: str
    """With its version."""

    def find(self, image: Pixels) -> Quads:
        """Return the corners of every line; of none, an array of none."""
        ...

    def read(self, lines: Sequence[Pixels]) -> list[Written]:
        """Read lines that were cut out, each upright; in their order."""
        ...


def load_engine(name: str, files: dict[str, str]) -> OcrEngine:
    """Load an engine.

    Args:
        name: `rapidocr` or `easyocr`.
        files: where its models lie, by the names of `models.py`.
    """
    if name == "rapidocr":
        from activities.images.rapid import RapidEngine

        return RapidEngine(files)
    from activities.images.easy import EasyEngine

    return EasyEngine(files)
