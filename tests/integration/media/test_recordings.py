"""Recordings whose truth is known are heard, seen, cut into portions and cited; all with real programs and models."""

import asyncio
import hashlib
import io
import tempfile
import wave
from pathlib import Path

import numpy as np
import psutil
import pytest

from activities.documents.builder import time_at
from activities.media.document import transcript_document
from activities.media.models import MediaModels
from activities.media.probing import portions, probe
from activities.media.reading import ReadPortion, assemble, read_portion
from activities.media.speaking import speak
from schema.contracts.media import KeyframeWhy, MediaReading
from schema.errors import PayloadTooLarge, ValidationFailed
from tests.integration.media.conftest import needs_ffmpeg, slides
from tests.support.hearing import score
from tests.support.hostile_media import tone, video
from tests.support.speech import RATE, Recording, ffmpeg, wav

pytestmark = needs_ffmpeg
CHANGES = (0.0, 8.0, 17.0, 26.0)


async def read(path: Path, models: MediaModels) -> tuple[MediaReading, dict[str, bytes], list[float]]:
    """Read a whole recording."""
    info = await probe(path, "")
    told: list[float] = []
    parts: list[ReadPortion] = []
    for portion in portions(info):
        parts.append(await read_portion(path, info, portion, models, progress=told.append))
    images = {name: image for part in parts for name, image in part.images.items()}
    return assemble(info, [part.reading for part in parts]), images, told


async def test_a_video_of_two_voices_and_four_slides(
    short: Recording, tiny: MediaModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words, times, speakers, pictures and citations, out of one file; nothing is left of it."""
    path = slides(tmp_path / "talk.mp4", short.write(tmp_path / "talk.wav"), CHANGES, short.duration_s)
    # Other tests have files in the machine's own folder meanwhile; a longer path would be none for a socket.
    with tempfile.TemporaryDirectory(prefix="voices-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        reading, images, told = await read(path, tiny)
        assert not list(Path(folder).iterdir())
        monkeypatch.undo()

    found = score(short, reading.transcript)
    assert found.words_wrong < 0.12, found
    assert found.speakers == 2, found
    assert found.speaker_wrong < 0.03, found
    assert found.cited_off_s < 1, found
    assert found.diarization_error < 0.15, found
    assert reading.transcript.language == "en"
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 3

    shown = [(frame.at_s, frame.why) for frame in reading.keyframes]
    assert len(shown) == len(CHANGES), shown
    for (at_s, why), change in zip(shown, CHANGES, strict=True):
        assert change <= at_s < change + 1, shown
        assert why == (KeyframeWhy.SCENE if change else KeyframeWhy.INTERVAL)
    for frame in reading.keyframes:
        assert hashlib.sha256(images[frame.sha256]).hexdigest() == frame.sha256
        assert (frame.width, frame.height) == (960, 540)

    document = transcript_document(reading, "talk.mp4")
    for number, words in ((4, "before the winter"), (7, "end of the month")):
        sentence = short.sentences[number]
        assert words in sentence.text
        cited = time_at(document.text, document.text.index(words))
        assert cited is not None
        assert abs(cited - sentence.start_s) < 1


async def test_what_is_no_speech_has_an_empty_transcript(tiny: MediaModels, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    at = np.arange(10 * RATE) / RATE
    chords = sum(np.sin(2 * np.pi * pitch * at) for pitch in (220, 277, 330)) * 0.1
    sounds = {"silence": np.zeros(10 * RATE), "noise": rng.standard_normal(10 * RATE) * 0.05, "chords": chords}
    for name, samples in sounds.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(wav(np.asarray(samples, dtype=np.float32)))
        reading, _, _ = await read(path, tiny)
        assert reading.transcript.segments == (), name
        assert reading.transcript.language is None
        assert "Nobody is heard to speak: the transcript is empty." in reading.notes


@pytest.mark.parametrize(
    ("name", "mime", "depth"),
    [
        ("a.wav", "audio/wav", 16),
        ("a.mp3", "audio/mpeg", None),
        ("a.flac", "audio/flac", 16),
        ("a.ogg", "audio/ogg", None),
        ("a.opus", "audio/ogg", None),
        ("a.m4a", "audio/mp4", None),
        ("a.aac", "audio/aac", None),
        ("a.aiff", "audio/aiff", 16),
        ("a.mkv", "audio/x-matroska", None),
    ],
)
async def test_sound_is_measured(name: str, mime: str, depth: int | None, tmp_path: Path) -> None:
    info = await probe(tone(tmp_path / name, "-metadata", "title=A <b>tone</b>\n"), "audio/whatever")
    assert info.mime == mime
    assert info.video is None
    assert info.audio is not None
    assert (info.audio.channels, info.audio.bit_depth) == (1, depth)
    assert info.audio.sample_rate_hz == (48_000 if name == "a.opus" else 44_100)
    assert abs(info.duration_s - 3) < 0.1
    assert info.title in ("", "A <b>tone</b>")


@pytest.mark.parametrize("name", ["v.mp4", "v.mov", "v.avi", "v.mkv", "v.webm"])
async def test_video_is_measured(name: str, tmp_path: Path) -> None:
    info = await probe(video(tmp_path / name, seconds=1), "text/plain")
    assert info.mime.startswith("video/")
    assert info.audio is not None
    assert info.video is not None
    assert (info.video.width, info.video.height, info.video.fps) == (320, 180, 10)
    assert info.notes[0].startswith("The file was sent as 'text/plain' and is ")


async def test_a_cover_is_no_video_and_a_video_may_lie_on_its_side(tiny: MediaModels, tmp_path: Path) -> None:
    cover = tmp_path / "cover.jpg"
    ffmpeg(["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", str(cover)])
    song = tmp_path / "song.mp3"
    ffmpeg(["-i", str(tone(tmp_path / "t.wav")), "-i", str(cover), "-map", "0", "-map", "1", "-c:v", "copy", str(song)])
    assert (await probe(song, "audio/mpeg")).video is None
    upright, turned = video(tmp_path / "v.mp4", "-an", seconds=1), tmp_path / "turned.mp4"
    ffmpeg(["-i", str(upright), "-c", "copy", "-metadata:s:v", "rotate=90", str(turned)])
    reading, _, _ = await read(turned, tiny)
    assert [(frame.width, frame.height) for frame in reading.keyframes] == [(180, 320)]
    assert "The video has no sound: there is nothing to transcribe." in reading.notes


async def test_a_cancel_leaves_no_process(short: Recording, tiny: MediaModels, tmp_path: Path) -> None:
    path = short.write(tmp_path / "talk.wav")
    info = await probe(path, "")
    began = asyncio.Event()
    others = {each.pid for each in psutil.Process().children(recursive=True)}  # Servers of other tests.
    task = asyncio.ensure_future(
        read_portion(path, info, portions(info)[0], tiny, progress=lambda done: began.set() if done > 0.1 else None)
    )
    await asyncio.wait_for(began.wait(), 120)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = [each for each in psutil.Process().children(recursive=True) if each.pid not in others]
    working = [each for each in left if each.status() != psutil.STATUS_ZOMBIE]
    assert not [each for each in working if "sandbox" in " ".join(each.cmdline())]


async def test_two_at_once_do_not_meet(tmp_path: Path, tiny: MediaModels) -> None:
    """Files of one name in two folders, read at the same time: each gets its own pictures."""
    paths = []
    for number, colour in enumerate(("red", "blue")):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(folder / "video.mp4")
        ffmpeg(["-f", "lavfi", "-i", f"color={colour}:s=64x64:d=2:r=5", "-pix_fmt", "yuv420p", str(paths[-1])])
    found = await asyncio.gather(*(read(path, tiny) for path in paths))
    alone = [await read(path, tiny) for path in paths]
    assert [reading for reading, _, _ in found] == [reading for reading, _, _ in alone]
    assert set(found[0][1]).isdisjoint(found[1][1])


async def test_a_text_is_spoken() -> None:
    pytest.importorskip("hibari", reason="NOTHING CAN SPEAK: the extra `media` is not installed")
    spoken = await speak("The ferry stops at the end of the month.\n\n---\nThank you!")
    with wave.open(io.BytesIO(spoken)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert 2.5 < file.getnframes() / 24_000 < 8
    for text, voice in (("...", "heart"), ("", "heart"), ("Hello", "nobody")):
        with pytest.raises(ValidationFailed):
            await speak(text, voice)
    with pytest.raises(PayloadTooLarge):
        await speak("a" * 20_001)
