"""ffmpeg and ffprobe in the sandbox: how they are found, and what holds for every call of them."""

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from activities.media.containers import AUDIO_CODECS, VIDEO_CODECS
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits, Outcome
from infra.sandbox.probe import sandbox
from schema.contracts.media import MediaInfo
from schema.errors import PartMissing, SourceUnavailable, UnsupportedFormat
from schema.policies import MEDIA_ANSWER_BYTES, MEDIA_DECODE_MEMORY_BYTES

INSTALL = "apt-get install ffmpeg"
INSTALL_EXTRA = "pip install 'swissbrain[media]'"
_PLACES = "/usr/bin:/usr/local/bin:/bin"


def program(name: str) -> str:
    """Return the path of `ffmpeg` or `ffprobe`.

    Raises:
        PartMissing: it is not installed.
    """
    path = shutil.which(name, path=_PLACES)
    if path is None:
        raise PartMissing(f"Recordings need {name}, which is not installed where the worker runs. Run: {INSTALL}")
    return str(Path(path).resolve())


def require_programs() -> None:
    """Refuse where recordings cannot be opened at all.

    Raises:
        PartMissing: ffmpeg, ffprobe or what writes their arguments is not installed.
    """
    if find_spec("ffmpeg") is None:
        raise PartMissing(f"Recordings need ffmpeg-python, which is not installed. Run: {INSTALL_EXTRA}")
    for name in ("ffprobe", "ffmpeg"):
        program(name)


def opening(demuxer: str) -> dict[str, Any]:
    """Return the options by which every input is opened: one demuxer, no other protocol than files, not any decoder."""
    return {
        "f": demuxer,
        "format_whitelist": demuxer,
        "protocol_whitelist": "file,pipe",
        "codec_whitelist": ",".join(sorted(AUDIO_CODECS | VIDEO_CODECS)),
        "max_streams": 1_000,
    }


def source(info: MediaInfo, path: Path, start_s: float, duration_s: float) -> Any:
    """Return a stretch of a recording as an input of ffmpeg-python."""
    import ffmpeg

    return ffmpeg.input(f"file:{path}", ss=f"{start_s:.3f}", t=f"{duration_s:.3f}", threads=2, **opening(info.demuxer))


def arguments(output: Any, *more: str) -> tuple[str, ...]:
    """Return the arguments of ffmpeg for an output of ffmpeg-python."""
    quiet = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error")
    memory = ("-max_alloc", str(MEDIA_DECODE_MEMORY_BYTES // 4))
    return (*quiet, *memory, *more, *output.get_args())


async def run(
    name: str,
    arguments: tuple[str, ...],
    path: Path,
    *,
    wall_s: float,
    answer_bytes: int = MEDIA_ANSWER_BYTES,
    output_bytes: int = 1024 * 1024,
    hear: Callable[[bytes], None] | None = None,
) -> Outcome:
    """Run a program on one file, in the sandbox; it sees no other file and no network.

    Raises:
        PartMissing: the program is not installed.
        SourceUnavailable: it took more time than it may, wrote more than it may, or died of the file.
        SandboxUnavailable: no sandbox here is strong enough.
    """
    walls = await sandbox()
    walls.require(walls.minimum)
    limits = Limits(
        wall_s=wall_s,
        cpu_s=int(wall_s * 2) + 1,
        memory_bytes=MEDIA_DECODE_MEMORY_BYTES,
        output_bytes=output_bytes,
        answer_bytes=answer_bytes,
        threads=64,
    )
    job = Job("", (), limits, files=(str(path),), program=(program(name), *arguments))
    outcome = await launch(job, walls.level, hear=hear)
    if outcome.ended == "time":
        raise SourceUnavailable(f"The recording could not be read within {wall_s:.0f} s.")
    if outcome.ended != "exited":
        raise SourceUnavailable("The recording holds more than can be read.")
    if outcome.status < 0:
        raise SourceUnavailable("The recording is damaged in a way that ends its decoder.", status=outcome.status)
    return outcome


def refuse_damaged(outcome: Outcome, what: str) -> None:
    """Refuse a file that a program could not read.

    Raises:
        UnsupportedFormat: its exit status says so; the detail carries the program's own last line.
    """
    if outcome.status:
        raise UnsupportedFormat(f"{what}: {said(outcome)}")


def said(outcome: Outcome) -> str:
    """Return the last line that a program complained in, without the paths in it."""
    lines = [line for line in outcome.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = [line for line in lines if "insecure memory" not in line]
    last = lines[-1] if lines else "no reason was given"
    return " ".join(word for word in last.split() if "/" not in word and "0x" not in word)[:200]
