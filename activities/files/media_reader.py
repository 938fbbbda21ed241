"""Recordings as files of a run: who said what and when, subtitles, key frames, and the transcript as a text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.files.reader import Assembled, Blob, Extent, Reading, Source
from activities.media import models, probing, reading
from activities.media.document import transcript_document
from activities.media.subtitles import subtitles_srt, subtitles_vtt
from schema.contracts.files import Portion
from schema.contracts.media import MediaInfo, PortionReading

MINUTE_S = 60.0


@dataclass(frozen=True)
class MediaConfig:
    """Which models hear."""

    speech: str = models.DEFAULT_SPEECH
    """A name of `swissbrain model list`, a folder with a CTranslate2 model, or, with `hub`, a name on the hub."""
    folder: Path | None = None
    """Where models are looked for first."""
    hub: bool = False
    threads: int = 2


HEARING = MediaConfig()


class MediaReader:
    """Reads audio and video, each step in the sandbox."""

    def __init__(self, config: MediaConfig = HEARING) -> None:
        self._config = config
        self.version = f"media-1-{config.speech.replace('/', '_')}"

    async def inspect(self, source: Source) -> Extent:
        """Measure the recording, and look whether what reading it takes is installed: before anything is held."""
        info = await probing.probe(source.path, source.mime)
        self._models(info)
        unit = "video.minute" if info.video is not None else "audio.minute"
        portions = tuple(
            Portion(number=portion.index + 1, start=portion.start_s, end=portion.end_s)
            for portion in probing.portions(info)
        )
        return Extent(unit, max(1, -int(-info.duration_s // MINUTE_S)), portions, info.model_dump(mode="json"))

    async def read(
        self, source: Source, facts: Mapping[str, Any], portion: Portion, progress: Callable[[float], None]
    ) -> Reading:
        """Read one portion; raises as `Reader.read`, and PartMissing where this worker lacks what inspection found."""
        info = MediaInfo.model_validate(facts)
        piece = probing.portions(info)[portion.number - 1]
        made = await reading.read_portion(source.path, info, piece, self._models(info), progress=progress)
        frames = {
            f"frame-{_clock(frame.at_s)}.jpg": Blob("image/jpeg", made.images[frame.sha256])
            for frame in made.reading.keyframes
            if frame.sha256 in made.images
        }
        return Reading(made.reading.model_dump(mode="json"), frames)

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Return the transcript of the whole, with subtitles where somebody speaks."""
        info = MediaInfo.model_validate(facts)
        whole = reading.assemble(info, [PortionReading.model_validate(value) for value in readings])
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


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}-{whole % 3600 // 60:02}-{whole % 60:02}.{int(seconds * 10) % 10}"
