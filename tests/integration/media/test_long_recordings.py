"""Long recordings, by the default model; `make media-test` (minutes, not part of CI)."""

import time
from pathlib import Path

import numpy as np
import pytest

from activities.media.models import MediaModels
from activities.media.probing import portions, probe
from activities.media.reading import assemble, read_portion
from schema.contracts.media import MediaReading
from tests.integration.media.conftest import needs_ffmpeg, slides
from tests.support.dialogues import LONG, cast
from tests.support.hearing import score
from tests.support.speech import Recording, SpokenSentence, record, voices

pytestmark = [needs_ffmpeg, pytest.mark.extended, pytest.mark.timeout(3_600)]


def repeated(recording: Recording, times: int) -> Recording:
    """Return a recording several times over."""
    sentences = [
        SpokenSentence(
            each.speaker,
            each.text,
            each.start_s + number * recording.duration_s,
            each.end_s + number * recording.duration_s,
        )
        for number in range(times)
        for each in recording.sentences
    ]
    return Recording(np.tile(recording.samples, times), tuple(sentences))


async def read(path: Path, models: MediaModels) -> tuple[MediaReading, float]:
    """Read a recording; returns how long it took too."""
    info = await probe(path, "")
    started = time.monotonic()
    readings = [(await read_portion(path, info, portion, models)).reading for portion in portions(info)]
    return assemble(info, readings), time.monotonic() - started


async def test_two_voices(base: MediaModels, tmp_path: Path) -> None:
    """With every pair of voices that can be had here."""
    known = voices()
    pairs = [("hibari", other) for other in known[1:3]] + (
        [("espeak-low", "espeak-high")] if "espeak-low" in known else []
    )
    for first, second in pairs:
        recording = record(cast(LONG, first, second))
        reading, seconds = await read(recording.write(tmp_path / f"{second}.wav"), base)
        found = score(recording, reading.transcript)
        print(f"{first} and {second}: {found}; {recording.duration_s / seconds:.1f} x real time")
        assert found.words_wrong < 0.12
        assert found.speakers == 2
        assert found.speaker_wrong < 0.03
        assert found.cited_off_s < 1


async def test_a_five_minute_video_with_a_slide_show(long: Recording, base: MediaModels, tmp_path: Path) -> None:
    whole = repeated(long, 2)
    changes = tuple(float(at) for at in np.cumsum([0, 13, 21, 8, 34, 17, 26, 12, 41, 9, 23, 31, 18, 14, 27]))
    path = slides(tmp_path / "show.mp4", whole.write(tmp_path / "show.wav"), changes, whole.duration_s)
    reading, seconds = await read(path, base)
    assert len(portions(reading.info)) == 1 + (whole.duration_s > 310)
    found = score(whole, reading.transcript)
    print(f"{found}; {whole.duration_s / seconds:.1f} x real time; {len(reading.keyframes)} keyframes")
    assert found.words_wrong < 0.12
    assert found.speakers == 2
    assert found.cited_off_s < 1
    shown = [frame.at_s for frame in reading.keyframes]
    assert len(shown) == len(changes), shown
    assert all(change <= at < change + 1 for at, change in zip(shown, changes, strict=True)), shown


async def test_what_was_read_in_portions_is_whole(long: Recording, base: MediaModels, tmp_path: Path) -> None:
    """Thirteen minutes in three portions: as many errors as in one piece, and the same two speakers."""
    whole = repeated(long, 5)
    reading, seconds = await read(whole.write(tmp_path / "whole.wav"), base)
    assert len(portions(reading.info)) == 3
    alone, _ = await read(long.write(tmp_path / "one.wav"), base)
    found, once = score(whole, reading.transcript), score(long, alone.transcript)
    print(f"whole {found}, once {once}; {whole.duration_s / seconds:.1f} x real time")
    assert found.words_wrong < once.words_wrong + 0.02
    assert found.speakers == 2
    assert found.speaker_wrong < 0.03
    assert found.cited_off_s < 1
