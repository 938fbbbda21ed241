"""Likeness: how near two texts are in which property of a thing they speak of, told from their vectors.

The model was trained to bring texts of one subject together; two properties of one thing are of one subject, so its own
cosine tells them badly apart. In 32 directions of its space they are told apart better: those in which properties of
one kind of thing lie apart and the wordings of one property near (Fisher's linear discriminant), fitted on 606
properties that no test speaks of (`python -m tests.eval.likeness`, decision 0032).
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

DIRECTIONS = 32
FILE = Path(__file__).with_name("likeness.npy")
"""The directions, a row per dimension of the model (384 x 32, 32-bit floats)."""


def in_directions(vector: Any) -> Any:
    """Return a vector of unit length in the directions that tell properties apart."""
    import numpy as np

    found = vector @ _directions()
    return found / max(float(np.linalg.norm(found)), 1e-9)


@lru_cache(maxsize=1)
def _directions() -> Any:
    import numpy as np

    return np.load(FILE, allow_pickle=False)
