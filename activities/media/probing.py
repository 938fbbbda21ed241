"""What a recording is: measured in the sandbox before anything else happens to it, and refused where it is hostile."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from activities.media.containers import AUDIO_CODECS, HEAD_BYTES, VIDEO_CODECS, Container, container_of
from activities.media.programs import arguments, opening, refuse_damaged, require_programs, run
from schema.contracts.media import AudioStream, MediaInfo, Portion, VideoStream
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import (
    MEDIA_BIT_RATE_MIN,
    MEDIA_BYTES_MAX,
    MEDIA_BYTES_PER_S,
    MEDIA_CHANNELS_MAX,
    MEDIA_DECODE_MEMORY_BYTES,
    MEDIA_DURATION_MAX,
    MEDIA_FRAME_PIXELS_MAX,
    MEDIA_OVERLAP,
    MEDIA_PORTION,
    MEDIA_PROBE_WALL,
    MEDIA_SAMPLE_RATES_HZ,
    MEDIA_STREAMS_MAX,
)

_DECLARED_APART = 1.0
"""Seconds that a header may be wrong by before it is worth telling, and a fiftieth of the whole."""
_TITLE_CHARACTERS = 200
_LOSSY = frozenset({"aac", "ac3", "eac3", "mp2", "mp3", "opus", "vorbis"})


async def probe(path: Path, mime: str) -> MediaInfo:
    """Measure a recording.

    Args:
        path: the file, absolute, readable by this process.
        mime: what the caller claims it is; it decides nothing and is compared to what was found.

    Raises:
        UnsupportedFormat: it is no recording that is read, or damaged; the detail says why and what to do.
        PayloadTooLarge: it lasts longer, or holds larger frames or more streams, than is read.
        SourceUnavailable: reading it took too much time, or ended the decoder.
        PartMissing: ffmpeg is not installed.
        SandboxUnavailable: no sandbox here is strong enough to open it.
    """
    require_programs()
    path, size_bytes, head = await asyncio.to_thread(_opened, path)
    if size_bytes > MEDIA_BYTES_MAX:
        raise PayloadTooLarge(f"A recording may have {MEDIA_BYTES_MAX // 1024**3} GB.", limit=MEDIA_BYTES_MAX)
    container = container_of(head)
    told = await _told(path, container)
    streams = [stream for stream in told.get("streams", []) if isinstance(stream, dict)]
    if len(streams) > MEDIA_STREAMS_MAX:
        raise PayloadTooLarge(f"A recording may have {MEDIA_STREAMS_MAX} streams; this one has {len(streams)}.")
    audio, video = _audio(streams), _video(streams)
    if audio is None and video is None:
        raise UnsupportedFormat("The file holds neither sound nor a picture that can be read.")
    format_ = told.get("format") or {}
    declared_s = _number(format_.get("duration"))
    duration_s = await _measure(path, container, size_bytes, audio is not None, video is not None)
    if declared_s and 0 < declared_s - duration_s <= _apart(duration_s):
        duration_s = declared_s  # A last packet does not always tell how long it lasts.
    tags = {str(name).lower(): str(value) for name, value in (format_.get("tags") or {}).items()}
    return MediaInfo(
        mime=container.video_mime if video and container.video_mime else container.mime,
        container=container.name,
        demuxer=container.demuxer,
        size_bytes=size_bytes,
        duration_s=duration_s,
        declared_s=declared_s,
        bit_rate=int(size_bytes * 8 / duration_s),
        streams=len(streams),
        audio=audio,
        video=video,
        title=_one_line(tags.get("title", "")),
        notes=tuple(_notes(mime, container, audio, video, duration_s, declared_s)),
    )


def portions(info: MediaInfo) -> tuple[Portion, ...]:
    """Return the pieces that a recording is read in; the same for the same recording, always.

    Each but the last lasts `MEDIA_PORTION` and shares `MEDIA_OVERLAP` with the next one. They begin at whole multiples
    of the interval of keyframes. A short rest belongs to the last piece.
    """
    length, overlap = MEDIA_PORTION.total_seconds(), MEDIA_OVERLAP.total_seconds()
    found: list[Portion] = []
    start = 0.0
    while info.duration_s - start > length + overlap:
        found.append(Portion(index=len(found), start_s=start, end_s=start + length))
        start += length - overlap
    return (*found, Portion(index=len(found), start_s=start, end_s=info.duration_s))


def _opened(path: Path) -> tuple[Path, int, bytes]:
    path = path.resolve(strict=True)
    if not path.is_file():
        raise UnsupportedFormat("This is no file.")
    with path.open("rb") as file:
        return path, path.stat().st_size, file.read(HEAD_BYTES)


async def _told(path: Path, container: Container) -> dict[str, Any]:
    """Return what the headers say, by ffprobe."""
    # It opens a decoder for every stream, and fails where one is not on the list: subtitles, a second sound.
    wanted_options = {name: value for name, value in opening(container.demuxer).items() if name != "codec_whitelist"}
    options = [text for name, value in wanted_options.items() for text in (f"-{name}", str(value))]
    options += ["-max_alloc", str(MEDIA_DECODE_MEMORY_BYTES // 4)]
    wanted = "stream=codec_type,codec_name,width,height,sample_rate,channels,bits_per_sample,bits_per_raw_sample"
    wanted += (
        ",sample_fmt,avg_frame_rate,r_frame_rate:stream_disposition=attached_pic:format=duration:format_tags=title"
    )
    outcome = await run(
        "ffprobe",
        (
            *("-hide_banner", "-loglevel", "error", *options, "-analyzeduration", "10M", "-probesize", "16M"),
            *("-show_entries", wanted, "-of", "json", f"file:{path}"),
        ),
        path,
        wall_s=MEDIA_PROBE_WALL.total_seconds(),
        output_bytes=4 * 1024 * 1024,
    )
    refuse_damaged(outcome, f"The file begins like {container.name} and cannot be opened as such")
    try:
        found = json.loads(outcome.stdout)
    except ValueError as error:
        raise UnsupportedFormat(f"The file begins like {container.name} and tells nothing of itself.") from error
    return found if isinstance(found, dict) else {}


async def _measure(path: Path, container: Container, size_bytes: int, audio: bool, video: bool) -> float:
    """Return how long it lasts: the end of its last packet, by reading all of them and decoding none."""
    import ffmpeg

    limit = MEDIA_DURATION_MAX.total_seconds()
    given = ffmpeg.input(f"file:{path}", **opening(container.demuxer))
    wanted = [given[stream] for stream, is_there in (("a:0", audio), ("V:0", video)) if is_there]
    counted = ffmpeg.output(*wanted, "pipe:3", format="null", c="copy", t=f"{limit + 60:.0f}")
    outcome = await run(
        "ffmpeg",
        arguments(counted, "-progress", "pipe:1"),
        path,
        wall_s=MEDIA_PROBE_WALL.total_seconds() + size_bytes / MEDIA_BYTES_PER_S,
        output_bytes=4 * 1024 * 1024,
    )
    ends = re.findall(rb"^out_time_us=(-?\d+)$", outcome.stdout, re.MULTILINE)
    seconds = max((int(each) for each in ends), default=0) / 1e6
    if seconds <= 0:
        refuse_damaged(outcome, "The recording cannot be read")
        raise UnsupportedFormat("The recording is empty: it holds no sound and no picture.")
    if seconds > limit:
        raise PayloadTooLarge(f"A recording may last {limit / 3600:.0f} hours; cut it into pieces.", limit=limit)
    if size_bytes * 8 / seconds < MEDIA_BIT_RATE_MIN:
        raise UnsupportedFormat(f"The file says that it lasts {seconds:.0f} s, and holds next to nothing.")
    return round(seconds, 3)


def _audio(streams: list[dict[str, Any]]) -> AudioStream | None:
    found = next((each for each in streams if each.get("codec_type") == "audio"), None)
    if found is None:
        return None
    codec, rate, channels = (
        str(found.get("codec_name")),
        _whole(found.get("sample_rate")),
        _whole(found.get("channels")),
    )
    if codec not in AUDIO_CODECS:
        raise UnsupportedFormat(f"Sound in the codec {codec!r} is not read; convert it to FLAC, MP3, AAC or Opus.")
    if not 1 <= channels <= MEDIA_CHANNELS_MAX:
        raise PayloadTooLarge(f"Sound may have {MEDIA_CHANNELS_MAX} channels; this has {channels}.")
    if not MEDIA_SAMPLE_RATES_HZ[0] <= rate <= MEDIA_SAMPLE_RATES_HZ[1]:
        raise UnsupportedFormat(f"Sound with {rate} samples per second is not read.")
    bits = _whole(found.get("bits_per_raw_sample")) or _whole(found.get("bits_per_sample"))
    return AudioStream(
        codec=codec, sample_rate_hz=rate, channels=channels, bit_depth=bits if bits and codec not in _LOSSY else None
    )


def _video(streams: list[dict[str, Any]]) -> VideoStream | None:
    pictures = [each for each in streams if each.get("codec_type") == "video"]
    found = next((each for each in pictures if not (each.get("disposition") or {}).get("attached_pic")), None)
    if found is None:
        return None
    codec, width, height = str(found.get("codec_name")), _whole(found.get("width")), _whole(found.get("height"))
    if codec not in VIDEO_CODECS:
        raise UnsupportedFormat(f"A picture in the codec {codec!r} is not read; convert it to H.264, VP9 or AV1.")
    if width < 1 or height < 1:
        raise UnsupportedFormat("The video does not tell how large its frames are.")
    if width * height > MEDIA_FRAME_PIXELS_MAX:
        raise PayloadTooLarge(
            f"Frames may have {MEDIA_FRAME_PIXELS_MAX} pixels (4096 x 2304); these have {width} x {height}. "
            "Scale the video down."
        )
    fps = _ratio(found.get("avg_frame_rate")) or _ratio(found.get("r_frame_rate"))
    return VideoStream(codec=codec, width=width, height=height, fps=fps)


def _notes(
    mime: str,
    container: Container,
    audio: AudioStream | None,
    video: VideoStream | None,
    duration_s: float,
    declared_s: float | None,
) -> list[str]:
    notes = []
    if mime and not mime.startswith(("audio/", "video/", "application/o")):
        notes.append(f"The file was sent as {_one_line(mime)!r} and is {container.name}.")
    if audio is None:
        notes.append("The video has no sound: there is nothing to transcribe.")
    if declared_s and abs(declared_s - duration_s) > _apart(duration_s):
        notes.append(
            f"The file says that it lasts {declared_s:.0f} s and holds {duration_s:.0f} s; the latter was read."
        )
    return notes


def _apart(duration_s: float) -> float:
    return max(_DECLARED_APART, duration_s / 50)


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    # A header may say anything, infinity too.
    return round(found, 3) if 0 <= found < 1e9 else None


def _ratio(value: Any) -> float | None:
    try:
        above, below = (int(part) for part in str(value).split("/"))
        return round(above / below, 3) if 0 < above / below < 1_000 else None
    except (ValueError, ZeroDivisionError):
        return None


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_TITLE_CHARACTERS]
