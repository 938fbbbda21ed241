"""A recorded talk whose truth is known: slides with writing that change at known times, and a spoken track."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from activities.documents.builder import time_at
from activities.files.media_reader import MediaReader
from activities.files.reader import Source
from schema.contracts.media import MediaReading
from tests.support.dialogues import LONG, cast
from tests.support.hearing import Score, score
from tests.support.speech import Recording, SpokenSentence, ffmpeg, record

SIZE = (960, 540)
_LIGHT, _DARK = ("#ffffff", "#1b2733"), ("#13293d", "#f4f1ea")


@dataclass(frozen=True)
class Slide:
    """One picture of the show."""

    title: str
    points: tuple[str, ...]
    seconds: float
    """How long it stands."""
    dark: bool = False

    @property
    def text(self) -> str:
        """Return all that is written on it."""
        return "\n".join((self.title, *self.points))

    def draw(self) -> Image.Image:
        """Draw it: all share one layout, as the slides of a template do."""
        ground, ink = _DARK if self.dark else _LIGHT
        image = Image.new("RGB", SIZE, ground)
        pen = ImageDraw.Draw(image)
        pen.text((60, 48), self.title, fill=ink, font=ImageFont.load_default(size=46))
        pen.line((60, 116, 900, 116), fill="#c8553d", width=4)
        for place, point in enumerate(self.points):
            pen.text((84, 156 + 78 * place), point, fill=ink, font=ImageFont.load_default(size=32))
        return image


_ORDER = ("The order of work", "Scaffold on the north side", "New bolts below the arch", "Paint, then lamps")
SLIDES: tuple[Slide, ...] = (
    Slide("Harbour bridge", ("Report of the spring", "Meeting of the council"), 13, dark=True),
    Slide("Cost of the repair", ("Bolts: 18 thousand francs", "Paint: 41 thousand francs", "Lamps: 27 thousand"), 21),
    Slide("Cost of the repair", ("Bolts: 16 thousand francs", "Paint: 44 thousand francs", "Lamps: 22 thousand"), 8),
    # A point more each time, as presenters show them.
    Slide(_ORDER[0], _ORDER[1:2], 34),
    Slide(_ORDER[0], _ORDER[1:3], 17),
    Slide(_ORDER[0], _ORDER[1:4], 26),
    Slide("Lighting", ("Four suppliers were compared", "The railing bears nine kilograms"), 12),
    Slide("Birds on the tower", ("A pair of falcons nests there", "Three chicks last summer"), 41),
    Slide("Questions so far?", (), 9, dark=True),
    Slide("Water level", ("The gauge at the mill: 4.0 metres", "Foundations were inspected"), 23),
    Slide("Sand and stones", ("Washed away: 120 tonnes", "A barge brings new stones"), 31),
    Slide("Traffic", ("No closure before the winter", "One inspection in November"), 18),
    Slide("Museum", ("A large screen beside the model", "Pictures of the falcons"), 14),
    Slide("Next steps", ("Newspaper: end of the month", "Festival: middle of June"), 27),
    Slide("Thank you", ("See you on Wednesday",), 40, dark=True),
)
LONGER: tuple[Slide, ...] = (
    *SLIDES[:-1],
    # Around the border of two portions, where both look.
    Slide("Any other business", ("The key of the boat house",), 9),
    Slide("Any other business", ("The key of the boat house", "Parking on market days"), 4.5),
    Slide("Votes", ("In favour: 14", "Against: 3"), 60),
    Slide("Votes", ("In favour: 15", "Against: 2"), 45),
    SLIDES[-1],
)
"""For a recording of more than seven minutes."""


@dataclass(frozen=True)
class Show:
    """A video and its truth."""

    path: Path
    spoken: Recording
    changes: tuple[float, ...]
    """When each slide begins, in seconds."""
    slides: tuple[Slide, ...] = SLIDES


def talk(times: int = 2) -> Recording:
    """Return two and a half minutes of two voices, several times over."""
    return repeated(record(cast(LONG, "hibari", "hibari-low")), times)


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


def film(folder: Path, spoken: Recording, slides: Sequence[Slide] = SLIDES) -> Show:
    """Make the video: the slides, ten pictures a second, under the spoken track; the last stands to its end."""
    changes = tuple(float(at) for at in np.cumsum([0, *(slide.seconds for slide in slides[:-1])]))
    assert changes[-1] + 2 < spoken.duration_s
    inputs: list[str] = []
    for number, (start, end) in enumerate(pairwise((*changes, spoken.duration_s))):
        slides[number].draw().save(folder / f"slide-{number:02}.png")
        still = ["-loop", "1", "-framerate", "10", "-t", f"{end - start:.3f}"]
        inputs += [*still, "-i", str(folder / f"slide-{number:02}.png")]
    joined = "".join(f"[{number}]" for number in range(len(slides))) + f"concat=n={len(slides)}[v]"
    path = folder / "show.mp4"
    sound = spoken.write(folder / "show.wav")
    ffmpeg(
        [
            *(*inputs, "-i", str(sound), "-filter_complex", joined, "-map", "[v]", "-map", f"{len(slides)}:a"),
            *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-shortest", str(path)),
        ]
    )
    return Show(path, spoken, changes, tuple(slides))


@dataclass(frozen=True)
class Seen:
    """What a reading of a show is worth."""

    frames: int
    """Key frames."""
    frames_off_s: float
    """The largest distance between a key frame and the change of slides that it belongs to; by their order."""
    letters_wrong: float
    """Character error rate of what is written on all slides."""
    lines_missing: int
    """Of the lines on the slides, those that the document does not hold word by word."""
    lines_off_s: float
    """The largest distance between the time that is cited for a line and when its slide appears."""
    heard: Score
    reading_s: float

    def __str__(self) -> str:
        heard = self.heard
        return (
            f"{self.frames} key frames, off by {self.frames_off_s:.2f} s; letters wrong {self.letters_wrong:.2%}, "
            f"lines missing {self.lines_missing}, cited off by {self.lines_off_s:.2f} s; "
            f"words wrong {heard.words_wrong:.1%}, {heard.speakers} speakers, wrong speaker {heard.speaker_wrong:.1%}, "
            f"sentences cited off by {heard.cited_off_s:.2f} s; read in {self.reading_s:.0f} s"
        )


async def watch(show: Show, reader: MediaReader) -> Seen:
    """Read a show as a file of a run, portion by portion, and compare what comes of it to the truth."""
    source = Source(show.path, show.path.name, "video/mp4", show.path.stat().st_size)
    extent = await reader.inspect(source)
    started = time.monotonic()
    values: list[Mapping[str, Any]] = []
    for portion in extent.portions:
        first = values[0] if values else None
        values.append((await reader.read(source, extent.facts, portion, lambda _: None, first)).value)
    whole = await reader.assemble(show.path.name, extent.facts, values)
    seconds = time.monotonic() - started
    assert whole.document is not None
    reading = MediaReading.model_validate(whole.result)
    pairs = list(zip_longest(show.changes, (frame.at_s for frame in reading.keyframes)))
    off = [abs(change - at) if change is not None and at is not None else float("inf") for change, at in pairs]
    written = " ".join(" ".join(frame.text.split()) for frame in reading.keyframes)
    truth = " ".join(" ".join(slide.text.split()) for slide in show.slides)
    missing, cited_off = 0, [0.0]
    for slide, change in zip(show.slides, show.changes, strict=True):
        for line in slide.text.split("\n"):
            times = [
                at
                for match in re.finditer(re.escape(line), whole.document.text)
                if (at := time_at(whole.document.text, match.start())) is not None
            ]
            missing += not times
            cited_off += [min(abs(at - change) for at in times)] if times else []
    return Seen(
        len(reading.keyframes),
        max(off),
        jiwer.cer(truth, written),
        missing,
        max(cited_off),
        score(show.spoken, reading.transcript),
        seconds,
    )
