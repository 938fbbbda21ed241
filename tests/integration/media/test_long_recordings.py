"""Long recordings, by the default model; `make media-test` (minutes, not part of CI)."""

import time
from pathlib import Path

import pytest

from activities.files.media_reader import MediaReader
from activities.images import models as ocr_models
from activities.media.models import MediaModels
from activities.media.probing import portions, probe
from activities.media.reading import assemble, read_portion
from schema.contracts.media import MediaReading
from tests.integration.media.conftest import needs_ffmpeg
from tests.support.dialogues import LONG, cast
from tests.support.hearing import score
from tests.support.shows import LONGER, SLIDES, Slide, film, repeated, talk, watch
from tests.support.speech import Recording, record, voices

pytestmark = [needs_ffmpeg, pytest.mark.extended, pytest.mark.timeout(3_600)]


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


@pytest.mark.skipif(ocr_models.choose(ocr_models.AUTO) is None, reason="NO ENGINE OF OCR IS HERE: untested")
@pytest.mark.parametrize(("slides", "times"), [(SLIDES, 2), (LONGER, 3)], ids=["five minutes", "two portions"])
async def test_a_slide_show_with_a_spoken_track(
    slides: tuple[Slide, ...], times: int, base: MediaModels, tmp_path: Path
) -> None:
    """As a file of a run: every slide at its time, what is written on it, what is said, and where each is cited."""
    show = film(tmp_path, talk(times), slides)
    found = await watch(show, MediaReader())
    print(found)
    assert found.frames == len(slides)
    assert found.frames_off_s < 1
    assert found.letters_wrong < 0.03
    assert found.lines_off_s < 1
    assert found.heard.words_wrong < 0.12
    assert found.heard.speakers == 2
    assert found.heard.speaker_wrong < 0.03
    assert found.heard.cited_off_s < 1


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
