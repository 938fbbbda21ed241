"""What the tests of audio and video share: the models that are here, and recordings whose truth is known."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from activities.media.models import VOICES, MediaModels, require
from infra.local_model.catalogue import find_model
from infra.local_model.weights import weights_path
from schema.errors import PartMissing
from tests.support.dialogues import LONG, SHORT, cast
from tests.support.speech import Recording, ffmpeg, record

HAS_FFMPEG = shutil.which("ffmpeg") is not None and find_spec("ffmpeg") is not None
needs_ffmpeg = pytest.mark.skipif(not HAS_FFMPEG, reason="FFMPEG IS NOT INSTALLED: audio and video are untested")


def models_or_skip(speech: str) -> MediaModels:
    """Return the weights, or skip loudly."""
    try:
        models = require(None, speech)
    except PartMissing as error:
        pytest.skip(f"SPEECH IS UNTESTED: {error.detail}")
    if models.voices is None:
        pytest.skip(f"VOICES ARE UNTESTED: swissbrain model get {VOICES}")
    assert models.voices.is_relative_to(weights_path(find_model(VOICES)))
    return models


@pytest.fixture(scope="session")
def tiny() -> MediaModels:
    """The smallest model, for what CI runs."""
    return models_or_skip("whisper-tiny.en")


@pytest.fixture(scope="session")
def base() -> MediaModels:
    """The default model."""
    return models_or_skip("whisper-base")


@pytest.fixture(scope="session")
def short(tiny: MediaModels) -> Recording:
    """Forty seconds of two voices."""
    if find_spec("hibari") is None:
        pytest.skip("NOTHING CAN SPEAK: the extra `media` is not installed")
    return record(cast(SHORT, "hibari", "hibari-low"))


@pytest.fixture(scope="session")
def long(base: MediaModels) -> Recording:
    """Two and a half minutes of them."""
    return record(cast(LONG, "hibari", "hibari-low"))


def slides(path: Path, sound: Path, changes: tuple[float, ...], duration_s: float) -> Path:
    """Make a video of a slide show: a new slide at each change, each unlike the others."""
    inputs: list[str] = []
    ends = (*changes[1:], duration_s)
    for number, (start, end) in enumerate(zip(changes, ends, strict=True)):
        lines = ",".join(
            f"drawbox=x={80 + 40 * (number * 7 % 5)}:y={60 + 70 * line}"
            f":w={200 + 90 * ((number * 3 + line * 5) % 7)}:h=30:c=black:t=fill"
            for line in range(2 + number % 4)
        )
        inputs += ["-f", "lavfi", "-i", f"color=c=white:s=960x540:r=10:d={end - start},{lines}"]
    joined = "".join(f"[{number}]" for number in range(len(changes))) + f"concat=n={len(changes)}[v]"
    ffmpeg(
        [
            *(*inputs, "-i", str(sound), "-filter_complex", joined, "-map", "[v]", "-map", f"{len(changes)}:a"),
            *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-shortest", str(path)),
        ]
    )
    return path
