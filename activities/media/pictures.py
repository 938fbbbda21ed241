"""Pictures out of a video: one every few seconds, and one where the scene changes; what looks the same only once."""

import base64
import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from activities.media.programs import arguments, refuse_damaged, run, source
from schema.contracts.media import Keyframe, KeyframeWhy, MediaInfo, Portion
from schema.policies import (
    KEYFRAME_BYTES_MAX,
    KEYFRAME_EDGE_MAX,
    KEYFRAME_EVERY,
    KEYFRAMES_MAX,
    KEYFRAMES_OF_PORTION_MAX,
)

SCENE_SCORE_MIN = 0.04
"""ffmpeg's measure of how much of a frame is new, 0..1. Measured: new slides 0.09 to 0.31, a test picture that changes
all the time below 0.04."""
SCENE_APART_S = 2.0
GRID = 24
"""A picture's look: so many squares of grey, each way."""
DIFFERENT_SQUARE = 12
"""Of 255: a square that differs by more shows something new; compression alone stays below."""
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
    outcome = await run(
        "ffmpeg",
        arguments(_graph(path, info, portion)),
        path,
        wall_s=wall_s,
        answer_bytes=KEYFRAMES_OF_PORTION_MAX * KEYFRAME_BYTES_MAX,
        output_bytes=4 * 1024 * 1024,
    )
    images = _images(outcome.answer)
    if not images:
        refuse_damaged(outcome, "The picture cannot be decoded")
    squares = GRID * GRID
    looks = [outcome.stdout[at : at + squares] for at in range(0, len(outcome.stdout), squares)]
    found: list[Keyframe] = []
    kept: dict[str, bytes] = {}
    for image, (at_s, is_scene), look in zip(images, _told(outcome.stderr), looks, strict=False):
        size = _size(image) if image.startswith(b"\xff\xd8\xff") else None
        if size is None or len(image) > KEYFRAME_BYTES_MAX:
            continue
        digest = hashlib.sha256(image).hexdigest()
        frame = Keyframe(
            at_s=round(portion.start_s + at_s, 3),
            why=KeyframeWhy.SCENE if is_scene else KeyframeWhy.INTERVAL,
            width=size[0],
            height=size[1],
            sha256=digest,
            size_bytes=len(image),
            look=base64.b64encode(look).decode(),
        )
        if not found or _differ(found[-1], frame):
            found.append(frame)
            kept[digest] = image
    return tuple(found), kept


def join(portions: Sequence[Sequence[Keyframe]]) -> tuple[Keyframe, ...]:
    """Put the keyframes of portions together: what the overlap shows twice once, and not more than `KEYFRAMES_MAX`."""
    found: list[Keyframe] = []
    for frames in portions:
        for frame in frames:
            if not found or (frame.at_s > found[-1].at_s and _differ(found[-1], frame)):
                found.append(frame)
    while len(found) > KEYFRAMES_MAX:
        # The look of a frame that differs least from the one before it is missed least.
        news = [(_distance(*pair), number) for number, pair in enumerate(pairwise(found), 1)]
        dropped = {number for _, number in sorted(news)[: len(found) - KEYFRAMES_MAX]}
        found = [frame for number, frame in enumerate(found) if number not in dropped]
    return tuple(found)


def _graph(path: Path, info: MediaInfo, portion: Portion) -> Any:
    """Build the filters: chosen frames go to the answer, their looks to the output, their times to the errors."""
    import ffmpeg

    every = KEYFRAME_EVERY.total_seconds()
    # Variable 0 of the expression: when a scene last began.
    chosen = f"if(isnan(prev_t),1+0*st(0,t-{SCENE_APART_S}),if(gt(floor(t/{every}),floor(prev_t/{every})),1,"
    chosen += f"if(gt(scene,{SCENE_SCORE_MIN})*gte(t-ld(0),{SCENE_APART_S}),1+0*st(0,t),0)))"
    shown, seen = (
        source(info, path, portion.start_s, portion.duration_s)["V:0"]
        .filter("select", chosen)
        .filter("metadata", "print", file="pipe:2", direct=1)
        .filter_multi_output("split")[number]
        for number in (0, 1)
    )
    edge = {side: f"min({KEYFRAME_EDGE_MAX},i{side})" for side in ("w", "h")}
    shown = shown.filter("scale", **edge, force_original_aspect_ratio="decrease", force_divisible_by=2)
    seen = seen.filter("scale", GRID, GRID, flags="area").filter("format", "gray")
    more = {"vsync": "passthrough", "frames:v": KEYFRAMES_OF_PORTION_MAX}
    return ffmpeg.merge_outputs(
        shown.filter("format", "yuvj420p").output("pipe:3", format="mpjpeg", vcodec="mjpeg", **{"q:v": 4}, **more),
        seen.output("pipe:1", format="rawvideo", **more),
    )


def _images(answer: bytes) -> list[bytes]:
    """Take a multipart stream of JPEGs apart by the lengths that it tells."""
    found, at = [], 0
    while (part := _PART.match(answer, at)) is not None:
        end = part.end() + int(part[1])
        found.append(answer[part.end() : end])
        at = end + 2 if answer[end : end + 2] == b"\r\n" else end
    return found


def _told(errors: bytes) -> list[tuple[float, bool]]:
    """Return of each chosen frame when it is to be seen, in seconds, and whether a scene begins with it."""
    return [(float(at), float(score) > SCENE_SCORE_MIN) for at, score in _FRAME.findall(errors)]


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
    return _distance(one, other) > DIFFERENT_SQUARE


def _distance(one: Keyframe, other: Keyframe) -> int:
    """Return by how much the square differs that differs most, 0..255."""
    pair = zip(base64.b64decode(one.look), base64.b64decode(other.look), strict=False)
    return max((abs(first - second) for first, second in pair), default=255)
