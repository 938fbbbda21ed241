"""What speaks, inside the sandbox: the target of a job of `speaking.py`. Input: JSON; answer: 16-bit samples."""

import json
import os
import re
import sys

PAUSE_S = 0.3
"""Between two paragraphs."""


def main(answer: int) -> int:
    """Speak what comes on the input."""
    import numpy as np
    from hibari import SAMPLE_RATE, Hibari

    order = json.loads(sys.stdin.buffer.read())
    speaker = Hibari(voice=order["voice"])
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE), dtype=np.float32)
    with os.fdopen(answer, "wb") as out:
        for paragraph in re.split(r"\s*\n\s*", order["text"].strip()):
            # It needs letters or digits: a line of dashes says nothing.
            if any(character.isalnum() for character in paragraph):
                spoken = np.concatenate([speaker(paragraph, seed=1), pause])
                out.write((np.clip(spoken, -1, 1) * 32_767).astype("<i2").tobytes())
    return 0
