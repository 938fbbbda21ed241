"""Who speaks: voices gathered into speakers, over the whole recording at once, and given to its words. Pure."""

import base64
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from schema.contracts.media import Voice, Word

APART = 0.6
"""Cosine distance between two speakers. Measured with CAM++ on windows of 1.5 s: windows of one voice lie 0.2 to 0.5
apart and join below 0.45; two voices join above 0.75."""
ALIKE = 0.25
"""Cosine distance below which windows are one voice without a doubt."""
AT_ONCE = 2_000
"""Windows that are compared each with each (half an hour of speech); of more, those alike are joined first."""
SPEAKS_S_MIN = 2.0
"""Who is heard less than this in all is one of the others with a cough or a laugh."""
PAUSE_S = 0.35
"""A silence at which somebody else may go on."""
_ENDS = (".", "?", "!", "…", "。", "？", "！")


def speakers_of(voices: Sequence[Voice], words: Sequence[Word]) -> list[str | None]:
    """Return the speaker of each word, `S1`, `S2` ... in the order in which they first speak; None: not told apart.

    Words between two pauses, or two ends of sentences, belong to one speaker.
    """
    if not voices or not words:
        return [None] * len(words)
    ordered = sorted(voices, key=lambda voice: (voice.start_s, voice.end_s))
    labels = _gathered(ordered)
    starts = [voice.start_s for voice in ordered]
    longest_s = max(voice.end_s - voice.start_s for voice in ordered)
    found: list[int] = []
    for unit in _units(words):
        first = bisect_left(starts, unit[0].start_s - longest_s)
        shares: dict[int, float] = {}
        for number in range(first, bisect_left(starts, unit[-1].end_s)):
            voice = ordered[number]
            # The middle of a window counts: its ends may be somebody else's already.
            quarter = (voice.end_s - voice.start_s) / 4
            common = min(voice.end_s - quarter, unit[-1].end_s) - max(voice.start_s + quarter, unit[0].start_s)
            if common > 0:
                shares[labels[number]] = shares.get(labels[number], 0.0) + common
        label = max(sorted(shares), key=lambda each: shares[each]) if shares else _nearest(ordered, labels, unit)
        found += [label] * len(unit)
    names = {label: f"S{number}" for number, label in enumerate(dict.fromkeys(found), 1)}
    return [names[label] for label in found]


def _units(words: Sequence[Word]) -> list[list[Word]]:
    found: list[list[Word]] = []
    for number, word in enumerate(words):
        previous = words[number - 1] if number else None
        if previous is None or previous.text.endswith(_ENDS) or word.start_s - previous.end_s >= PAUSE_S:
            found.append([])
        found[-1].append(word)
    return found


def _nearest(voices: Sequence[Voice], labels: Sequence[int], unit: Sequence[Word]) -> int:
    """Return the label of the voice that lies nearest in time: a word too short for a window of its own."""
    middle_s = (unit[0].start_s + unit[-1].end_s) / 2
    number = min(range(len(voices)), key=lambda each: abs((voices[each].start_s + voices[each].end_s) / 2 - middle_s))
    return labels[number]


def _gathered(voices: Sequence[Voice]) -> list[int]:
    """Return a label for each voice: average-linkage clustering by cosine, of all, or of groups of those alike."""
    import numpy as np

    vectors = np.stack([np.frombuffer(base64.b64decode(voice.vector), "<f2").astype(np.float32) for voice in voices])
    groups = np.arange(len(voices))
    weights = np.ones(len(voices))
    while len(weights) > AT_ONCE:
        groups, vectors, weights, is_smaller = _joined(groups, vectors, weights)
        if not is_smaller:
            break
    labels = _clusters(vectors, APART)[groups]
    return _without_slivers(labels, voices)


def _joined(groups: Any, vectors: Any, weights: Any) -> tuple[Any, Any, Any, bool]:
    """Join what is alike within stretches of `AT_ONCE`; the weight of a group is how many windows it stands for."""
    import numpy as np

    labels = np.empty(len(vectors), dtype=int)
    used = 0
    for first in range(0, len(vectors), AT_ONCE):
        part = _clusters(vectors[first : first + AT_ONCE], ALIKE)
        labels[first : first + AT_ONCE] = part + used
        used += int(part.max()) + 1
    sums = np.zeros((used, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, labels, vectors * weights[:, None].astype(np.float32))
    counts = np.bincount(labels, weights)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return labels[groups], means, counts, used < len(vectors)


def _clusters(vectors: Any, distance: float) -> Any:
    """Return a label from 0 for each vector."""
    import numpy as np
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=int)
    return fcluster(linkage(vectors, method="average", metric="cosine"), distance, criterion="distance") - 1


def _without_slivers(labels: Any, voices: Sequence[Voice]) -> list[int]:
    """Give the windows of who is hardly heard to whoever is heard before them, where somebody is heard more."""
    import numpy as np

    # Windows overlap by half, so each stands for half of its length.
    seconds = np.bincount(labels, [(voice.end_s - voice.start_s) / 2 for voice in voices])
    kept = set(np.flatnonzero(seconds >= SPEAKS_S_MIN).tolist()) or {int(seconds.argmax())}
    found: list[int] = []
    for label in labels.tolist():
        found.append(label if label in kept else (found[-1] if found else -1))
    first = next(label for label in found if label != -1) if any(label != -1 for label in found) else 0
    return [first if label == -1 else label for label in found]
