"""Puts the times of words where the silences are. Pure.

Whisper's word times come from its attention and are off by up to a second around pauses, just where sentences begin.
Where nobody speaks is known better, by voice activity detection; and a silence lies between two words, mostly after a
full stop or a comma.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

REACH_S = 1.2
"""How far the border of two words may lie from a silence to be taken for it."""
BELIEVED_MIN = 0.1
"""Probability of a word that takes no time, below which it was not said: the recogniser makes up beginnings."""
_BONUS = ((".?!…。？！", 0.6), (",;:、，", 0.3))
"""Seconds by which a border after such a sign may lie further away than another one."""


@dataclass(frozen=True)
class TimedWord:
    """A word as the recogniser gave it."""

    text: str
    start_s: float
    end_s: float
    probability: float


def anchored(words: Sequence[TimedWord], silences: Sequence[tuple[float, float]]) -> list[TimedWord]:
    """Return the words with their borders in the silences (beginning and end, in order); their order stays."""
    found = list(words)
    after = 0
    for silent_from, silent_to in silences:
        border = _border(found, after, (silent_from + silent_to) / 2)
        if border is None:
            continue
        for number in range(after, border):
            found[number] = _ended(found[number], silent_from)
        for number in range(border, len(found)):
            if found[number].start_s >= silent_to:
                break
            found[number] = _begun(found[number], silent_to)
        # The word at a border begins where speech does, also where it was heard too late.
        if found[border].start_s - silent_to < REACH_S:
            found[border] = replace(found[border], start_s=silent_to, end_s=max(found[border].end_s, silent_to))
        after = border
    return found


def believed(words: Sequence[TimedWord]) -> list[TimedWord]:
    """Return the anchored words without those for which there is neither time nor reason."""
    return [word for word in words if word.end_s > word.start_s or word.probability >= BELIEVED_MIN]


def _border(words: Sequence[TimedWord], after: int, middle_s: float) -> int | None:
    """Return the number of the word before which a silence lies; None: none is near."""
    best, least = None, REACH_S
    for number in range(after + 1, len(words)):
        before, word = words[number - 1], words[number]
        if before.end_s - middle_s > 2 * REACH_S:
            break
        # Nothing, where the silence lies within the gap that was heard.
        away = max(before.end_s - middle_s, middle_s - word.start_s, 0.0)
        bonus = next((bonus for signs, bonus in _BONUS if before.text.rstrip("\"'”’»)").endswith(tuple(signs))), 0.0)
        if away < REACH_S and away - bonus < least:
            best, least = number, away - bonus
    return best


def _ended(word: TimedWord, latest_s: float) -> TimedWord:
    return replace(word, start_s=min(word.start_s, latest_s), end_s=min(word.end_s, latest_s))


def _begun(word: TimedWord, earliest_s: float) -> TimedWord:
    return replace(word, start_s=max(word.start_s, earliest_s), end_s=max(word.end_s, earliest_s))
