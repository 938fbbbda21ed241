"""What recognises speech, inside the sandbox: the target of a job of `hearing.py`.

Input: one line of JSON, then PCM. Output: the part that is done, a line each. Answer: JSON.
"""

import itertools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any

from activities.media.anchoring import TimedWord, anchored, believed

RATE_HZ = 16_000
UNSPACED = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages whose words are written without spaces; Whisper's own list."""
PAUSE_S = 0.25
PAD_S = 0.1
"""By which each stretch of speech is longer than what was detected, at either end."""
SPEECH_PROBABILITY_MIN = 0.5
"""Of voice activity detection (Silero): what lies below is music, noise or silence, and is not given to Whisper."""
WORDS_PROBABILITY_MIN = 0.35
"""Mean over a segment's words: what Whisper makes up of something else than speech lies below. Measured."""
TEMPERATURES = (0.0, 0.4, 0.8)
"""What is doubtful is decoded again so, which music makes it be: three tries and not Whisper's six bound how long."""
COMPRESSION_MAX = 2.4
"""Of a segment's text, as in Whisper's own decoder: above, it repeats itself."""


def main(answer: int) -> int:
    """Recognise what comes on the input."""
    import numpy as np

    header = json.loads(sys.stdin.buffer.readline())
    samples = np.frombuffer(sys.stdin.buffer.read(), "<i2").astype(np.float32) / 32_768
    found: dict[str, Any] = {"language": None, "language_probability": 0.0, "words": [], "voices": []}
    speech = spoken(samples)
    if speech:
        recognise(samples, header, found, silences(speech), 0.85 if header["voices"] else 1.0)
        # Without a word there is nobody whose voice counts.
        if header["voices"] and found["words"]:
            from activities.media.voices_child import vectors

            found["voices"] = vectors(samples, speech, header["voices"])
    _say(1.0)
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps(found).encode())
    return 0


def spoken(samples: Any) -> list[tuple[int, int]]:
    """Return where somebody speaks, in samples: what lies between is a pause of `PAUSE_S` at least."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=SPEECH_PROBABILITY_MIN, min_silence_duration_ms=int(PAUSE_S * 1000), speech_pad_ms=int(PAD_S * 1000)
    )
    return [(each["start"], each["end"]) for each in get_speech_timestamps(samples, options)]


def silences(speech: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return the pauses between stretches of speech, in seconds, without what speech was padded by."""
    return [
        (before[1] / RATE_HZ - PAD_S / 2, after[0] / RATE_HZ + PAD_S / 2)
        for before, after in itertools.pairwise(speech)
    ]


def recognise(
    samples: Any, header: dict[str, Any], found: dict[str, Any], pauses: Sequence[tuple[float, float]], share: float
) -> None:
    """Add words and language to what was found."""
    import ctranslate2
    from faster_whisper import WhisperModel

    # Where the decoder falls back on sampling, the same sound still gives the same text.
    ctranslate2.set_random_seed(1)
    model = WhisperModel(header["speech"], device="cpu", compute_type="int8", cpu_threads=header["threads"])
    segments, info = model.transcribe(
        samples,
        language=header["language"] if model.model.is_multilingual else "en",
        beam_size=5,
        temperature=TEMPERATURES,
        word_timestamps=True,
        # What was misheard once must not be continued for minutes.
        condition_on_previous_text=False,
        vad_filter=True,
    )
    words: list[TimedWord] = []
    for segment in segments:
        _say(share * min(segment.end / max(info.duration, 1e-3), 1.0))
        if segment.words and segment.compression_ratio <= COMPRESSION_MAX:
            mean = sum(word.probability for word in segment.words) / len(segment.words)
            if mean >= WORDS_PROBABILITY_MIN:
                words += _joined(segment.words, spaced=info.language not in UNSPACED)
    if words:
        found["language"], found["language_probability"] = info.language, info.language_probability
        found["words"] = [astuple(word) for word in believed(anchored(words, pauses))]


def _joined(heard: Sequence[Any], *, spaced: bool) -> list[TimedWord]:
    """Return words; what was recognised in pieces (`90`, `,000`) is one."""
    words: list[TimedWord] = []
    for piece in heard:
        if words and spaced and not piece.word.startswith(" "):
            last = words[-1]
            words[-1] = replace(last, text=last.text + piece.word.strip(), end_s=piece.end)
        elif text := piece.word.strip():
            words.append(TimedWord(text, piece.start, piece.end, piece.probability))
    return words


def _say(done: float) -> None:
    sys.stdout.write(f"{done:.3f}\n")
    sys.stdout.flush()
