"""A video of slides as a file of a run: what is written on them is read, and cited by the time at which it is shown."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from activities.documents.builder import time_at
from activities.files.media_reader import MediaConfig, MediaReader
from activities.files.reader import Source
from activities.images import models as ocr_models
from schema.contracts.files import Portion
from tests.integration.media.conftest import needs_ffmpeg
from tests.support.speech import ffmpeg

pytestmark = [
    needs_ffmpeg,
    pytest.mark.skipif(ocr_models.choose(ocr_models.AUTO) is None, reason="NO ENGINE OF OCR IS HERE: untested"),
]
SLIDES = (("Harbour bridge", "Repair costs 90 thousand francs"), ("Lighting", "Twelve lamps were replaced in May"))
SECONDS = 6


def video(folder: Path) -> Path:
    """Make a silent video of the slides."""
    font = ImageFont.load_default(size=48)
    inputs = []
    for number, lines in enumerate(SLIDES):
        slide = Image.new("RGB", (960, 540), "white")
        for place, line in enumerate(lines):
            ImageDraw.Draw(slide).text((60, 90 + 140 * place), line, fill="black", font=font)
        slide.save(folder / f"{number}.png")
        inputs += ["-loop", "1", "-t", str(SECONDS), "-i", str(folder / f"{number}.png")]
    joined = "".join(f"[{number}]" for number in range(len(SLIDES))) + f"concat=n={len(SLIDES)},fps=5[v]"
    path = folder / "slides.mp4"
    ffmpeg([*inputs, "-filter_complex", joined, "-map", "[v]", "-pix_fmt", "yuv420p", "-c:v", "libx264", str(path)])
    return path


@pytest.mark.timeout(180)
async def test_slides_are_read_at_their_time(tmp_path: Path) -> None:
    path = video(tmp_path)
    reader = MediaReader(MediaConfig(speech="whisper-tiny.en"))
    source = Source(path, "slides.mp4", "video/mp4", path.stat().st_size)
    extent = await reader.inspect(source)
    assert (extent.unit, extent.amount) == ("video.minute", 1)
    read = await reader.read(source, extent.facts, Portion(number=1), lambda _: None)
    assert [blob.mime for blob in read.blobs.values()] == ["image/jpeg"] * len(read.blobs)
    whole = await reader.assemble("slides.mp4", extent.facts, [read.value])
    assert whole.document is not None
    text = whole.document.text
    for number, lines in enumerate(SLIDES):
        for line in lines:
            assert line in text, text
        at = time_at(text, text.index(lines[1]))
        assert at is not None
        assert number * SECONDS - 1 <= at <= (number + 1) * SECONDS, at
