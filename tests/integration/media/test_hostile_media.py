"""Recordings that mean harm are refused in time, with a reason, and reach nothing."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.media import models, programs
from activities.media.models import available, require
from activities.media.pictures import pictures
from activities.media.probing import portions, probe
from schema.contracts.media import AudioStream, MediaInfo, VideoStream
from schema.errors import PartMissing, PayloadTooLarge, SourceUnavailable, SwissbrainError, UnsupportedFormat
from tests.integration.media.conftest import needs_ffmpeg
from tests.support import hostile_media as hostile

BOUND_S = 20.0
"""Generous: CI shares two cores."""


@needs_ffmpeg
async def test_playlists_in_disguise_are_refused(tmp_path: Path) -> None:
    for name, path in hostile.playlists(tmp_path).items():
        with pytest.raises(UnsupportedFormat) as refused:
            await probe(path, "video/x-msvideo")
        assert hostile.SECRET not in refused.value.detail, name
        assert str(tmp_path) not in refused.value.detail, name


@needs_ffmpeg
@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (hostile.too_long, PayloadTooLarge, "may last 6 hours"),
        (hostile.next_to_nothing, UnsupportedFormat, "holds next to nothing"),
        (hostile.many_streams, PayloadTooLarge, "16 streams; this one has 601"),
        (hostile.huge_frames, PayloadTooLarge, "8000 x 4000"),
    ],
)
async def test_lies_and_floods_are_refused(
    make: Callable[[Path], Path], error: type[SwissbrainError], reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(error, match=reason):
        await probe(path, "video/mp4")
    assert time.monotonic() - started < BOUND_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@needs_ffmpeg
async def test_a_lie_about_the_length_is_told_and_not_believed(tmp_path: Path) -> None:
    info = await probe(hostile.lies_about_length(tmp_path), "audio/wav")
    assert info.duration_s == pytest.approx(1, abs=0.1)
    frames = await probe(hostile.lies_about_frames(tmp_path), "video/x-msvideo")
    assert frames.video is not None
    assert (frames.video.width, frames.video.height) == (320, 180), "as the frames themselves say"
    jump = await probe(hostile.endless(tmp_path), "audio/x-matroska")
    assert jump.duration_s < 5
    assert "says that it lasts 4000" in jump.notes[0]
    whole = hostile.tone(tmp_path / "whole.mp3", seconds=8).read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    cut = await probe(tmp_path / "cut.mp3", "audio/mpeg")
    assert cut.duration_s == pytest.approx(4, abs=0.5)


@needs_ffmpeg
async def test_a_reference_to_another_file_is_not_followed(tmp_path: Path) -> None:
    path = hostile.external_reference(tmp_path)
    try:
        info = await probe(path, "video/quicktime")
    except SwissbrainError:
        return
    assert info.duration_s < 2


@needs_ffmpeg
@pytest.mark.parametrize("name", ["video.mp4", "video.mkv", "video.avi", "tone.flac"])
async def test_what_breaks_off_or_is_empty_is_refused(name: str, tmp_path: Path) -> None:
    make = hostile.tone if name.startswith("tone") else hostile.video
    whole = make(tmp_path / name).read_bytes()
    path = tmp_path / f"cut-{name}"
    path.write_bytes(whole[:200])
    with pytest.raises((UnsupportedFormat, SourceUnavailable)) as refused:
        await probe(path, "")
    assert str(tmp_path) not in refused.value.detail
    for empty in (b"", whole[:12]):
        path.write_bytes(empty)
        with pytest.raises(UnsupportedFormat):
            await probe(path, "")


@needs_ffmpeg
async def test_other_streams_are_left_alone(tmp_path: Path) -> None:
    """Subtitles and a second sound beside what is read are no reason for a refusal."""
    text = tmp_path / "one.srt"
    text.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    both = ["-i", str(hostile.video(tmp_path / "v.mkv")), "-i", str(text)]
    hostile.ffmpeg([*both, "-map", "0", "-map", "0:a", "-map", "1", "-c:s", "srt", str(tmp_path / "all.mkv")])
    info = await probe(tmp_path / "all.mkv", "video/x-matroska")
    assert info.streams == 4
    frames, _ = await pictures(tmp_path / "all.mkv", info, portions(info)[0], wall_s=60)
    assert frames


@needs_ffmpeg
async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe would be waited for."""
    import os

    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", tmp_path):
        with pytest.raises(UnsupportedFormat, match="no file"):
            await probe(path, "audio/wav")


@needs_ffmpeg
async def test_a_decoder_that_dies_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory ends, or it is killed: neither ends the worker."""
    path = hostile.video(tmp_path / "video.mp4", size="1920x1080")
    info = await probe(path, "")
    monkeypatch.setattr(programs, "MEDIA_DECODE_MEMORY_BYTES", 300 * 1024**2)
    with pytest.raises((UnsupportedFormat, SourceUnavailable)) as refused:
        await pictures(path, info, portions(info)[0], wall_s=30)
    assert str(tmp_path) not in refused.value.detail


@needs_ffmpeg
async def test_what_takes_too_long_is_a_refusal(tmp_path: Path) -> None:
    path = hostile.video(tmp_path / "video.mp4")
    info = await probe(path, "")
    with pytest.raises(SourceUnavailable, match="within 0 s"):
        await pictures(path, info, portions(info)[0], wall_s=0.05)


async def test_a_missing_part_is_refused_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read: the file is not even there."""
    sound = MediaInfo(
        mime="audio/wav",
        container="wav",
        demuxer="wav",
        size_bytes=1,
        duration_s=1,
        audio=AudioStream(codec="pcm_s16le", sample_rate_hz=16_000, channels=1),
    )
    silent = sound.model_copy(update={"audio": None, "video": VideoStream(codec="h264", width=2, height=2)})
    monkeypatch.setattr(models, "require_programs", lambda: None)
    monkeypatch.setattr(models, "_installed", lambda *_: True)
    with pytest.raises(PartMissing, match="swissbrain model get whisper-base"):
        require(sound, folder=tmp_path)
    with pytest.raises(PartMissing, match="swissbrain model get nothing"):
        require(sound, "nothing", tmp_path)
    assert require(silent, folder=tmp_path).voices is None
    monkeypatch.setattr(models, "_installed", lambda *_: False)
    with pytest.raises(PartMissing, match=r"Run: pip install 'swissbrain\[media\]'"):
        require(sound, folder=tmp_path)
    commands = {part.command for part in available(folder=tmp_path)}
    assert {"swissbrain model get whisper-base", "swissbrain model get voices-campplus"} <= commands
    monkeypatch.setattr(programs, "_PLACES", str(tmp_path))
    monkeypatch.undo()
    monkeypatch.setattr(programs, "_PLACES", str(tmp_path))
    with pytest.raises(PartMissing, match="apt-get install ffmpeg"):
        await probe(tmp_path / "nothing.wav", "audio/wav")
    assert "apt-get install ffmpeg" in {part.command for part in available()}


@needs_ffmpeg
@pytest.mark.extended
@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi", "v.webm", "a.mp3", "a.ogg", "a.flac", "a.wav", "a.m4a"])
async def test_fuzzed_files_never_do_harm(name: str, tmp_path: Path) -> None:
    """Each is read, or refused with a reason; in time."""
    make = hostile.tone if name.startswith("a") else hostile.video
    whole = make(tmp_path / name)
    read = refused = 0
    slowest = 0.0
    for seed in range(25):
        path = tmp_path / f"fuzzed-{name}"
        path.write_bytes(hostile.fuzzed(whole, seed))
        started = time.monotonic()
        try:
            info = await probe(path, "")
            await pictures(path, info, portions(info)[0], wall_s=30)
            read += 1
        except (UnsupportedFormat, PayloadTooLarge, SourceUnavailable):
            refused += 1
        slowest = max(slowest, time.monotonic() - started)
    print(f"{name}: {read} read, {refused} refused, slowest {slowest:.1f} s")
    assert slowest < 60
