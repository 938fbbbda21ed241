"""Pictures out of a video: where something new is to be seen (`changes.py`), each of them once.

A portion is decoded twice: small and twice a second, to see when it changes; then for the pictures that are kept.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from activities.media.changes import (
    COLUMNS,
    DIFFERENT_SQUARE,
    ROWS,
    Chosen,
    Looks,
    Sample,
    choose,
    coarse_look,
    distance,
    telling,
)
from activities.media.programs import arguments, refuse_damaged, run, source
from schema.contracts.media import Keyframe, KeyframeWhy, MediaInfo, Portion
from schema.policies import (
    KEYFRAME_BYTES_MAX,
    KEYFRAME_EDGE_MAX,
    KEYFRAMES_MAX,
    KEYFRAMES_OF_PORTION_MAX,
    MEDIA_PORTION,
)

SCENE_SCORE_MIN = 0.04
"""ffmpeg's measure of how much of a frame is new, 0..1. Measured: new slides 0.09 to 0.31, a test picture that changes
all the time below 0.04."""
SCENE_APART_S = 2.0
SAMPLES_PER_S = 2
SAMPLES_MAX = int(MEDIA_PORTION.total_seconds() * (SAMPLES_PER_S + 1 / SCENE_APART_S)) + 100
_AT_S = 0.0006
"""ffmpeg tells times to the microsecond; frames are further apart than this."""
_PART = re.compile(rb"--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: (\d+)\r\n\r\n")
_FRAME = re.compile(rb"^frame:\d+ .*pts_time:(\d+(?:\.\d+)?)\nlavfi\.scene_score=(\d+(?:\.\d+)?)$", re.MULTILINE)


async def pictures(
    path: Path, info: MediaInfo, portion: Portion, *, wall_s: float
) -> tuple[tuple[Keyframe, ...], dict[str, bytes]]:
    """Return a portion's keyframes in order, and their JPEGs by SHA-256.

    Raises:
        UnsupportedFormat: the picture cannot be decoded.
        SourceUnavailable: it took more time or memory than it may.
    """
    if info.video is None:
        return (), {}
    samples, looks = await _samples(path, info, portion, wall_s=wall_s)
    chosen = choose(samples, looks, KEYFRAMES_OF_PORTION_MAX)
    images = await _drawn(path, info, portion, [samples[each.number].at_s for each in chosen], wall_s=wall_s)
    found: list[Keyframe] = []
    kept: dict[str, bytes] = {}
    for each in chosen:
        at_s = samples[each.number].at_s
        image = next((image for drawn_s, image in images if abs(drawn_s - at_s) < _AT_S), b"")
        if (frame := _keyframe(image, each, portion.start_s + at_s, looks)) is not None:
            found.append(frame)
            kept[frame.sha256] = image
    return tuple(found), kept


def join(portions: Sequence[tuple[Portion, Sequence[Keyframe]]]) -> tuple[Keyframe, ...]:
    """Put the keyframes of portions together: what the overlap shows twice once, and not more than `KEYFRAMES_MAX`."""
    found: list[Keyframe] = []
    seen_to_s = 0.0
    for portion, frames in portions:
        for frame in frames:
            # In the overlap only what the portion before does not show, say because its decoder gave up.
            if not found or (frame.at_s > found[-1].at_s and (frame.at_s >= seen_to_s or _differ(found[-1], frame))):
                found.append(frame)
        seen_to_s = portion.end_s
    return tuple(found[place] for place in telling([_look(frame) for frame in found], KEYFRAMES_MAX))


async def _samples(path: Path, info: MediaInfo, portion: Portion, *, wall_s: float) -> tuple[list[Sample], Looks]:
    """Look at a portion, small and in grey: `SAMPLES_PER_S`, and where a scene begins."""
    # Variable 0 of the expression: when a scene last began.
    chosen = f"if(isnan(prev_t),1+0*st(0,t-{SCENE_APART_S}),"
    chosen += f"if(gt(scene,{SCENE_SCORE_MIN})*gte(t-ld(0),{SCENE_APART_S}),1+0*st(0,t),"
    chosen += f"gt(floor(t*{SAMPLES_PER_S}),floor(prev_selected_t*{SAMPLES_PER_S}))))"
    small = _selected(path, info, portion, chosen)
    small = small.filter("scale", COLUMNS, ROWS, flags="area").filter("format", "gray")
    outcome = await run(
        "ffmpeg",
        arguments(small.output("pipe:3", format="rawvideo", **_as_many(SAMPLES_MAX))),
        path,
        wall_s=wall_s,
        answer_bytes=SAMPLES_MAX * COLUMNS * ROWS,
        output_bytes=4 * 1024 * 1024,
    )
    told = [Sample(float(at), float(score) > SCENE_SCORE_MIN) for at, score in _FRAME.findall(outcome.stderr)]
    count = min(len(told), len(outcome.answer) // (COLUMNS * ROWS))
    if not count:
        refuse_damaged(outcome, "The picture cannot be decoded")
    looks = np.frombuffer(outcome.answer, np.uint8, count * COLUMNS * ROWS).reshape(count, ROWS, COLUMNS)
    return told[:count], looks


async def _drawn(
    path: Path, info: MediaInfo, portion: Portion, times: Sequence[float], *, wall_s: float
) -> list[tuple[float, bytes]]:
    """Return the frames at these times as JPEGs, each with its time."""
    if not times:
        return []
    # The score is asked for so that ffmpeg tells the frame.
    chosen = "gte(scene,0)*(" + "+".join(f"lt(abs(t-{at:.6f}),{_AT_S})" for at in times) + ")"
    edge = {side: f"min({KEYFRAME_EDGE_MAX},i{side})" for side in ("w", "h")}
    large = _selected(path, info, portion, chosen)
    large = large.filter("scale", **edge, force_original_aspect_ratio="decrease", force_divisible_by=2)
    large = large.filter("format", "yuvj420p")
    outcome = await run(
        "ffmpeg",
        arguments(large.output("pipe:3", format="mpjpeg", vcodec="mjpeg", **{"q:v": 4}, **_as_many(len(times)))),
        path,
        wall_s=wall_s,
        answer_bytes=len(times) * KEYFRAME_BYTES_MAX,
        output_bytes=4 * 1024 * 1024,
    )
    images = _images(outcome.answer)
    if not images:
        refuse_damaged(outcome, "The picture cannot be decoded")
    return list(zip((float(at) for at, _ in _FRAME.findall(outcome.stderr)), images, strict=False))


def _selected(path: Path, info: MediaInfo, portion: Portion, chosen: str) -> Any:
    """Choose frames of a portion by an expression; their times are told on the errors."""
    stream = source(info, path, portion.start_s, portion.duration_s)["V:0"]
    return stream.filter("select", chosen).filter("metadata", "print", file="pipe:2", direct=1)


def _as_many(frames: int) -> dict[str, Any]:
    return {"vsync": "passthrough", "frames:v": frames}


def _keyframe(image: bytes, chosen: Chosen, at_s: float, looks: Looks) -> Keyframe | None:
    """Describe a picture; None: its decoder gave none, or a larger one than is kept."""
    size = _size(image) if image.startswith(b"\xff\xd8\xff") else None
    if size is None or len(image) > KEYFRAME_BYTES_MAX:
        return None
    return Keyframe(
        at_s=round(at_s, 3),
        why=KeyframeWhy.SCENE if chosen.is_scene else KeyframeWhy.INTERVAL,
        width=size[0],
        height=size[1],
        sha256=hashlib.sha256(image).hexdigest(),
        size_bytes=len(image),
        look=base64.b64encode(coarse_look(looks[chosen.number])).decode(),
    )


def _images(answer: bytes) -> list[bytes]:
    """Take a multipart stream of JPEGs apart by the lengths that it tells."""
    found, at = [], 0
    while (part := _PART.match(answer, at)) is not None:
        end = part.end() + int(part[1])
        found.append(answer[part.end() : end])
        at = end + 2 if answer[end : end + 2] == b"\r\n" else end
    return found


def _size(image: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG by its frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(image) and image[at] == 0xFF:
        marker, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            return int.from_bytes(image[at + 7 : at + 9], "big"), int.from_bytes(image[at + 5 : at + 7], "big")
        at += 2 + length
    return None


def _differ(one: Keyframe, other: Keyframe) -> bool:
    return distance(_look(one), _look(other)) > DIFFERENT_SQUARE


def _look(frame: Keyframe) -> bytes:
    return base64.b64decode(frame.look)
