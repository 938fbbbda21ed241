"""Audio and video as data: what a recording is, what was said when and by whom, and what was to be seen.

All times are seconds from the beginning of the recording, never of a portion.
"""

from enum import StrEnum

from pydantic import Field

from schema.contracts.common import Contract


class AudioStream(Contract):
    """The sound that is read: the file's first stream of it."""

    codec: str
    sample_rate_hz: int
    channels: int
    bit_depth: int | None = None
    """Bits per sample; None where a lossy codec has none."""


class VideoStream(Contract):
    """The picture that is read: the file's first stream of it that is no cover image."""

    codec: str
    width: int
    height: int
    fps: float | None = None
    """Frames per second on average; None where the file does not say."""


class MediaInfo(Contract):
    """What a recording is, as it was measured."""

    mime: str
    """By its content."""
    container: str
    """Name of the format: `wav`, `mp3`, `mp4`, `matroska` ..."""
    demuxer: str
    """The one demuxer that may open the file."""
    size_bytes: int
    duration_s: float
    """Measured by reading every packet, whatever the header says."""
    declared_s: float | None = None
    """What the header says."""
    bit_rate: int | None = None
    streams: int = 1
    audio: AudioStream | None = None
    video: VideoStream | None = None
    title: str = ""
    """From the file's tags; untrusted."""
    notes: tuple[str, ...] = ()
    """What the user should know, as sentences: that the file breaks off, that it has no sound."""


class Portion(Contract):
    """A piece of a recording that is read in one go; pieces overlap, so that a word at a border is whole in one."""

    index: int
    """From 0."""
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Return its length."""
        return self.end_s - self.start_s


class Word(Contract):
    """One spoken word with its punctuation."""

    text: str
    start_s: float
    end_s: float
    probability: float = 1.0
    """How sure the recogniser was, 0..1."""


class Voice(Contract):
    """How a stretch of speech sounds."""

    start_s: float
    end_s: float
    vector: str
    """Embedding of the speaker, of unit length: base64 of little-endian 16-bit floats."""


class KeyframeWhy(StrEnum):
    """Why a picture was kept."""

    INTERVAL = "interval"
    SCENE = "scene"


class Keyframe(Contract):
    """One picture of a video; the JPEG itself travels beside, by its hash."""

    at_s: float
    why: KeyframeWhy
    width: int
    height: int
    sha256: str
    """Of the JPEG."""
    size_bytes: int
    look: str = ""
    """Perceptual hash (hexadecimal): pictures that look the same have nearly the same."""
    text: str = ""
    """What is written in it; empty where nothing is, or nobody could read it."""


class PortionReading(Contract):
    """What was read of one portion."""

    portion: Portion
    language: str | None = None
    """ISO 639-1; None where nobody speaks."""
    language_probability: float = 0.0
    words: tuple[Word, ...] = ()
    voices: tuple[Voice, ...] = ()
    keyframes: tuple[Keyframe, ...] = ()
    model: str | None = None
    """Of speech recognition."""


class Sentence(Contract):
    """What is cited: one sentence, with the time of its words."""

    text: str
    start_s: float
    end_s: float


class Segment(Contract):
    """One turn of one speaker."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None
    """A speaker's id; None where speakers were not told apart."""
    sentences: tuple[Sentence, ...] = ()
    words: tuple[Word, ...] = ()


class Speaker(Contract):
    """Somebody who is heard; the recording does not say who it is."""

    id: str
    """`S1`, `S2` ... in the order in which they first speak."""
    name: str
    """`Speaker 1` ..."""
    speaks_s: float
    turns: int


class Transcript(Contract):
    """What was said."""

    language: str | None = None
    language_probability: float = 0.0
    segments: tuple[Segment, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    """Empty where speakers were not told apart."""
    model: str | None = None


class MediaReading(Contract):
    """All that was read of a recording."""

    info: MediaInfo
    transcript: Transcript = Field(default_factory=Transcript)
    keyframes: tuple[Keyframe, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user should know, as sentences: that nobody speaks, that speakers could not be told apart."""
