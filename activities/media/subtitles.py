"""Subtitles of a transcript: SubRip (srt) and WebVTT (https://www.w3.org/TR/webvtt1/). Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from activities.media.assembling import speaker_name
from schema.contracts.media import Segment, Transcript, Word
from schema.policies import SUBTITLE_LINE_CHARACTERS

LINES = 2
SECONDS_MAX = 7.0
"""How long one stays at most; subtitling guides (BBC, Netflix) say six to seven."""
SECONDS_MIN = 1.0
PAUSE_S = 1.0
"""A silence within which nothing is shown of what is said after it."""


@dataclass(frozen=True)
class Cue:
    """What is shown at once."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None


def cues(transcript: Transcript) -> tuple[Cue, ...]:
    """Cut a transcript into what can be read at once: two lines, seven seconds, one speaker, whole words."""
    found: list[Cue] = []
    for segment in transcript.segments:
        for words in _groups(segment):
            lines = _wrapped(segment, words)
            found.append(Cue(words[0].start_s, words[-1].end_s, lines, segment.speaker))
    # Each stays long enough to be read, where nobody else goes on.
    following = [cue.start_s for cue in found[1:]] + [float("inf")] * bool(found)
    return tuple(
        Cue(cue.start_s, max(cue.end_s, min(cue.start_s + SECONDS_MIN, after)), cue.lines, cue.speaker)
        for cue, after in zip(found, following, strict=True)
    )


def subtitles_srt(transcript: Transcript) -> str:
    """Return SubRip; a speaker's name stands before the first words of a turn, where there are several speakers."""
    blocks, last = [], None
    for number, cue in enumerate(cues(transcript), 1):
        text = "\n".join(cue.lines)
        if len(transcript.speakers) > 1 and cue.speaker != last:
            text = f"{speaker_name(cue.speaker)}:\n{text}"
        last = cue.speaker
        blocks.append(f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{text}\n")
    return "\n".join(blocks)


def subtitles_vtt(transcript: Transcript) -> str:
    """Return WebVTT, with voice tags where speakers are told apart."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript):
        text = "\n".join(escape(line, quote=False) for line in cue.lines)
        if cue.speaker:
            text = f"<v {speaker_name(cue.speaker)}>{text}</v>"
        blocks.append(f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{text}\n")
    return "\n".join(blocks)


def _groups(segment: Segment) -> Iterator[list[Word]]:
    """Cut a turn: at the ends of sentences where there is room for no other, else where the lines are full."""
    closings = {sentence.end_s for sentence in segment.sentences}
    group: list[Word] = []
    for word in segment.words:
        if group and (
            word.end_s - group[0].start_s > SECONDS_MAX
            or word.start_s - group[-1].end_s > PAUSE_S
            or len(_wrapped(segment, [*group, word])) > LINES
            or (group[-1].end_s in closings and len(_wrapped(segment, group)) == LINES)
        ):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _wrapped(segment: Segment, words: Sequence[Word]) -> tuple[str, ...]:
    separator = " " if " " in segment.text else ""
    # An arrow within a text would end it.
    text = separator.join(word.text for word in words).replace("-->", "->")
    return tuple(textwrap.wrap(text, SUBTITLE_LINE_CHARACTERS, break_on_hyphens=False)) or ("",)


def _clock(seconds: float, mark: str) -> str:
    millis = round(seconds * 1000)
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02}{mark}{millis % 1000:03}"
