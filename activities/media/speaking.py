"""Speech out: a text as sound, by hibari-tts (a voice of its wheel), in a child that is not trusted with anything."""

import io
import json
import wave

from activities.media.models import require_speaking
from infra.sandbox.launch import launch
from infra.sandbox.levels import Job, Limits
from infra.sandbox.probe import sandbox
from schema.errors import PayloadTooLarge, SourceUnavailable, ValidationFailed
from schema.policies import SPEECH_CHARACTERS_MAX

VOICES = ("heart",)
"""Those of the wheel: one, female, American English."""
TARGET = "activities.media.speaking_child"
RATE_HZ = 24_000
_WALL_S = 300.0
_MEMORY_BYTES = 3 * 1024**3
_ANSWER_BYTES = SPEECH_CHARACTERS_MAX * RATE_HZ // 4
"""A character takes a fifteenth of a second; half of a second's bytes leaves room."""


async def speak(text: str, voice: str = VOICES[0]) -> bytes:
    """Return a text as speech: WAV, 24 kHz, mono, 16 bits. English only; the same text gives the same sound.

    Raises:
        ValidationFailed: there is nothing to say, or no such voice.
        PayloadTooLarge: the text is longer than `SPEECH_CHARACTERS_MAX`.
        PartMissing: the package is not installed.
        SourceUnavailable: it took more time or memory than it may.
        SandboxUnavailable: no sandbox here is strong enough.
    """
    if voice not in VOICES:
        raise ValidationFailed(f"There is no voice {voice!r}; there is: {', '.join(VOICES)}.", field="voice")
    if not any(character.isalnum() for character in text):
        raise ValidationFailed("There is nothing to say in this text.", field="text")
    if len(text) > SPEECH_CHARACTERS_MAX:
        raise PayloadTooLarge(f"A text to be spoken may have {SPEECH_CHARACTERS_MAX} characters.", field="text")
    require_speaking()
    walls = await sandbox()
    walls.require(walls.minimum)
    limits = Limits(
        wall_s=_WALL_S,
        cpu_s=int(_WALL_S * 2),
        memory_bytes=_MEMORY_BYTES,
        output_bytes=64 * 1024,
        answer_bytes=_ANSWER_BYTES,
    )
    data = json.dumps({"text": text, "voice": voice}).encode()
    outcome = await launch(Job(TARGET, ("activities.media", "schema"), limits, data), walls.level)
    if outcome.ended != "exited" or outcome.status or not outcome.answer:
        raise SourceUnavailable(f"The text could not be spoken ({outcome.ended}).", status=outcome.status)
    return wav(outcome.answer)


def wav(pcm: bytes) -> bytes:
    """Return 16-bit mono samples at `RATE_HZ` as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm)
    return out.getvalue()
