"""Reads a recording portion by portion, and puts the portions together. No database, no HTTP, no Temporal."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from activities.media.assembling import transcript
from activities.media.hearing import BYTES_PER_S, RATE_HZ, Heard, hear
from activities.media.models import MediaModels, voices_missing
from activities.media.pictures import join, pictures
from activities.media.programs import arguments, refuse_damaged, run, source
from schema.contracts.media import MediaInfo, MediaReading, Portion, PortionReading, Voice, Word
from schema.policies import MEDIA_READ_SLOWEST, MEDIA_READ_WALL

Timed = TypeVar("Timed", Word, Voice)

_SLACK_S = 1.0
"""What is read beyond the end of the last portion, whose length is known to a fraction of a second only."""


@dataclass(frozen=True)
class ReadPortion:
    """What was read of a portion, and its pictures."""

    reading: PortionReading
    images: dict[str, bytes] = field(default_factory=dict)
    """JPEGs of the keyframes, by their SHA-256."""


async def read_portion(
    path: Path,
    info: MediaInfo,
    portion: Portion,
    models: MediaModels,
    *,
    language: str | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> ReadPortion:
    """Read one portion of a recording: words with their times, voices, keyframes.

    The same portion of the same file gives the same reading.

    Args:
        path: the file, absolute.
        info: what `probe` told of it.
        portion: one of `portions(info)`.
        models: what `models.require` found.
        language: ISO 639-1, where it is known (of an earlier portion, say); otherwise it is detected.
        progress: told the part that is done, 0..1, never less than before.

    Raises:
        UnsupportedFormat: the portion cannot be decoded.
        SourceUnavailable: it took more time or memory than a portion may take, or its decoder died.
        SandboxUnavailable: no sandbox here is strong enough.
        CancelledError: nothing of it runs any more.
    """
    path = await asyncio.to_thread(path.resolve)
    wall_s = MEDIA_READ_WALL.total_seconds() + MEDIA_READ_SLOWEST * portion.duration_s
    told = _Progress(progress)
    heard = Heard(None, 0.0, (), ())
    seen_from = 0.0
    if info.audio is not None:
        sound = await _sound(path, info, portion, wall_s)
        seen_from = 0.8 if info.video else 1.0
        told.of(0.05)
        heard = await hear(
            sound, models, language, wall_s=wall_s, progress=lambda done: told.of(0.05 + (seen_from - 0.05) * done)
        )
    frames, images = await pictures(path, info, portion, wall_s=wall_s)
    told.of(1.0)
    reading = PortionReading(
        portion=portion,
        language=heard.language,
        language_probability=heard.language_probability,
        words=tuple(_later(word, portion.start_s) for word in heard.words),
        voices=tuple(_later(voice, portion.start_s) for voice in heard.voices),
        keyframes=frames,
        model=models.speech_name if info.audio else None,
    )
    return ReadPortion(reading, images)


def assemble(info: MediaInfo, readings: Sequence[PortionReading]) -> MediaReading:
    """Put the readings of all portions together. Pure: the same readings, in any order, give the same result."""
    ordered = sorted(readings, key=lambda reading: reading.portion.index)
    whole = transcript(ordered)
    notes = list(info.notes)
    if info.audio is not None and not whole.segments:
        notes.append("Nobody is heard to speak: the transcript is empty.")
    if whole.segments and not whole.speakers:
        notes.append(voices_missing())
    return MediaReading(
        info=info,
        transcript=whole,
        keyframes=join([(reading.portion, reading.keyframes) for reading in ordered]),
        notes=tuple(notes),
    )


async def _sound(path: Path, info: MediaInfo, portion: Portion, wall_s: float) -> bytes:
    """Decode a portion's sound to what speech recognition takes."""
    length_s = portion.duration_s + (_SLACK_S if portion.end_s >= info.duration_s else 0.0)
    decoded = source(info, path, portion.start_s, length_s).audio.output(
        "pipe:3", format="s16le", acodec="pcm_s16le", ac=1, ar=RATE_HZ
    )
    bytes_max = int((length_s + _SLACK_S) * BYTES_PER_S)
    outcome = await run("ffmpeg", arguments(decoded), path, wall_s=wall_s, answer_bytes=bytes_max)
    if not outcome.answer:
        refuse_damaged(outcome, "The sound cannot be decoded")
    return outcome.answer[: len(outcome.answer) // 2 * 2]


def _later(timed: Timed, seconds: float) -> Timed:
    times = {"start_s": round(timed.start_s + seconds, 3), "end_s": round(timed.end_s + seconds, 3)}
    return timed.model_copy(update=times)


class _Progress:
    """Tells what is done, and never goes back."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._done = 0.0

    def of(self, done: float) -> None:
        if done > self._done:
            self._done = min(done, 1.0)
            self._tell(self._done)
