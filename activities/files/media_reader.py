"""Recordings as files of a run: who said what and when, subtitles, key frames, and the transcript as a text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from activities.documents.builder import TextBuilder
from activities.files.image_reader import version_of
from activities.files.reader import Assembled, Blob, Extent, Reading, Source
from activities.images import models as ocr_models
from activities.images.recognising import read_pictures
from activities.images.text import add_page
from activities.media import models, probing, reading
from activities.media.document import transcript_document
from activities.media.subtitles import subtitles_srt, subtitles_vtt
from schema.contracts.files import Portion
from schema.contracts.media import Keyframe, KeyframeWhy, MediaInfo, PortionReading
from schema.errors import PayloadTooLarge, SourceUnavailable, UnsupportedFormat
from schema.policies import KEYFRAME_TEXT_CHARACTERS_MAX, KEYFRAMES_READ_AT_ONCE, KEYFRAMES_READ_OF_PORTION_MAX

log = structlog.get_logger(__name__)

MINUTE_S = 60.0
SURE = 0.8
"""Probability from which the language of the first portion is taken for that of the whole recording."""


@dataclass(frozen=True)
class MediaConfig:
    """Which models hear."""

    speech: str = models.DEFAULT_SPEECH
    """A name of `swissbrain model list`, a folder with a CTranslate2 model, or, with `hub`, a name on the hub."""
    folder: Path | None = None
    """Where models are looked for first."""
    hub: bool = False
    threads: int = 2
    language: str | None = None
    """ISO 639-1, where all recordings are in one language; otherwise the first portion tells it for those after it."""
    ocr: str = ocr_models.AUTO
    """What reads the writing in pictures of a video; without an engine nothing does, and the result says so."""


HEARING = MediaConfig()


class MediaReader:
    """Reads audio and video, each step in the sandbox."""

    def __init__(self, config: MediaConfig = HEARING) -> None:
        self._config = config
        spoken = f"-{config.language}" if config.language else ""
        self.version = version_of(f"media-3-{config.speech.replace('/', '_')}{spoken}", config.ocr)

    async def inspect(self, source: Source) -> Extent:
        """Measure the recording, and look whether what reading it takes is installed: before anything is held."""
        info = await probing.probe(source.path, source.mime)
        self._models(info)
        if info.video is not None:
            ocr_models.choose(self._config.ocr)
        unit = "video.minute" if info.video is not None else "audio.minute"
        portions = tuple(
            Portion(number=portion.index + 1, start=portion.start_s, end=portion.end_s)
            for portion in probing.portions(info)
        )
        return Extent(unit, max(1, -int(-info.duration_s // MINUTE_S)), portions, info.model_dump(mode="json"))

    async def read(
        self,
        source: Source,
        facts: Mapping[str, Any],
        portion: Portion,
        progress: Callable[[float], None],
        first: Mapping[str, Any] | None = None,
    ) -> Reading:
        """Read one portion; raises as `Reader.read`, and PartMissing where this worker lacks what inspection found."""
        info = MediaInfo.model_validate(facts)
        piece = probing.portions(info)[portion.number - 1]
        language = self._config.language or (_language_of(first) if first is not None else None)
        made = await reading.read_portion(
            source.path, info, piece, self._models(info), language=language, progress=progress
        )
        engine = ocr_models.choose(self._config.ocr)
        told = made.reading
        if engine is not None and told.keyframes:
            told = told.model_copy(update={"keyframes": await _with_writing(made, engine)})
        frames = {
            f"frame-{_clock(frame.at_s)}.jpg": Blob("image/jpeg", made.images[frame.sha256])
            for frame in told.keyframes
            if frame.sha256 in made.images
        }
        return Reading(told.model_dump(mode="json"), frames)

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Return the transcript of the whole, with subtitles where somebody speaks."""
        info = MediaInfo.model_validate(facts)
        whole = reading.assemble(info, [PortionReading.model_validate(value) for value in readings])
        if whole.keyframes and ocr_models.choose(self._config.ocr) is None:
            unread = f"What is written in the pictures was not read: {ocr_models.missing(self._config.ocr).detail}"
            whole = whole.model_copy(update={"notes": (*whole.notes, unread)})
        stem = Path(name).stem or "recording"
        subtitles: dict[str, Blob] = {}
        if whole.transcript.segments:
            subtitles[f"{stem}.srt"] = Blob("application/x-subrip", subtitles_srt(whole.transcript).encode())
            subtitles[f"{stem}.vtt"] = Blob("text/vtt", subtitles_vtt(whole.transcript).encode())
        return Assembled(whole.model_dump(mode="json"), transcript_document(whole, name), blobs=subtitles)

    def _models(self, info: MediaInfo) -> models.MediaModels:
        return models.require(
            info, self._config.speech, self._config.folder, hub=self._config.hub, threads=self._config.threads
        )


def _language_of(first: Mapping[str, Any]) -> str | None:
    """Return the language of the first portion, unless nobody speaks in it or it is doubtful."""
    told = PortionReading.model_validate(first)
    return told.language if told.language_probability >= SURE else None


async def _with_writing(made: reading.ReadPortion, engine: str) -> tuple[Keyframe, ...]:
    """Read what is written in the pictures of a portion, a handful at a time; one that cannot be read says nothing."""
    frames = [frame for frame in made.reading.keyframes if frame.sha256 in made.images]
    chosen = sorted(frames, key=lambda frame: (frame.why is not KeyframeWhy.SCENE, frame.at_s))
    chosen = chosen[:KEYFRAMES_READ_OF_PORTION_MAX]
    texts: dict[str, str] = {}
    for first in range(0, len(chosen), KEYFRAMES_READ_AT_ONCE):
        some = chosen[first : first + KEYFRAMES_READ_AT_ONCE]
        try:
            pages = await read_pictures([made.images[frame.sha256] for frame in some], engine)
        except (UnsupportedFormat, PayloadTooLarge, SourceUnavailable) as error:
            log.info("pictures not read", code=error.code)
            continue
        for frame, page in zip(some, pages, strict=True):
            builder = TextBuilder()
            add_page(builder, page)
            texts[frame.sha256] = builder.text()[:KEYFRAME_TEXT_CHARACTERS_MAX]
    return tuple(frame.model_copy(update={"text": texts.get(frame.sha256, "")}) for frame in made.reading.keyframes)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}-{whole % 3600 // 60:02}-{whole % 60:02}.{int(seconds * 10) % 10}"
