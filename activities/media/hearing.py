"""What is said in a stretch of sound, and how its voices sound: recognised in the sandbox (`hearing_child.py`)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activities.media.models import MediaModels
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.contracts.media import Voice, Word
from schema.errors import SourceUnavailable
from schema.policies import MEDIA_ANSWER_BYTES, MEDIA_HEAR_MEMORY_BYTES

TARGET = "activities.media.hearing_child"
RATE_HZ = 16_000
"""Of the sound that speech recognition takes: mono, 16-bit, little-endian."""
BYTES_PER_S = RATE_HZ * 2


@dataclass(frozen=True)
class Heard:
    """What was heard; times from the beginning of the stretch."""

    language: str | None
    language_probability: float
    words: tuple[Word, ...]
    voices: tuple[Voice, ...]


async def hear(
    sound: bytes, models: MediaModels, language: str | None, *, wall_s: float, progress: Callable[[float], None]
) -> Heard:
    """Recognise speech.

    Args:
        sound: PCM at `RATE_HZ`.
        models: the weights.
        language: ISO 639-1, where it is known; otherwise it is detected.
        wall_s: how long it may take.
        progress: told the part that is done, 0..1.

    Raises:
        SourceUnavailable: it took more time or memory than it may.
        SandboxUnavailable: no sandbox here is strong enough.
        CancelledError: the child is dead.
    """
    walls = await sandbox()
    walls.require(walls.minimum)
    header = {
        "speech": str(models.speech),
        "voices": str(models.voices) if models.voices else None,
        "language": language,
        "threads": models.threads,
    }
    limits = Limits(
        wall_s=wall_s,
        cpu_s=int(wall_s * max(models.threads, 1)) + 1,
        memory_bytes=MEDIA_HEAR_MEMORY_BYTES,
        output_bytes=1024 * 1024,
        answer_bytes=MEDIA_ANSWER_BYTES,
    )
    files = (str(models.speech), *([str(models.voices)] if models.voices else []))
    job = Job(TARGET, ("activities.media", "schema"), limits, json.dumps(header).encode() + b"\n" + sound, files)
    outcome = await launch(job, walls.level, hear=lambda said: _tell(said, progress))
    if outcome.ended == "time":
        raise SourceUnavailable(f"What is said could not be recognised within {wall_s:.0f} s.")
    if outcome.ended != "exited" or outcome.status:
        raise SourceUnavailable(
            "What is said could not be recognised: speech recognition ended without an answer.", status=outcome.status
        )
    return _heard(outcome.answer, len(sound) / BYTES_PER_S)


def _tell(said: bytes, progress: Callable[[float], None]) -> None:
    for line in said.split():
        try:
            done = float(line)
        except ValueError:
            continue
        if 0 <= done <= 1:
            progress(done)


def _heard(answer: bytes, duration_s: float) -> Heard:
    """Build the result; the child has read what is not trusted, so times outside of the stretch are brought into it."""
    found: dict[str, Any] = json.loads(answer)

    def within(seconds: Any) -> float:
        return round(min(max(float(seconds), 0.0), duration_s), 3)

    words, at = [], 0.0
    for text, start_s, end_s, probability in found["words"]:
        start = max(within(start_s), at)
        words.append(
            Word(text=text, start_s=start, end_s=max(within(end_s), start), probability=round(float(probability), 3))
        )
        at = start
    voices = [Voice(start_s=within(start), end_s=within(end), vector=vector) for start, end, vector in found["voices"]]
    return Heard(found["language"], round(float(found["language_probability"]), 3), tuple(words), tuple(voices))
