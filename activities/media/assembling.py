"""From the words of portions to one transcript: borders, sentences, turns and speakers. Pure."""

import re
from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher

from activities.media.hearing_child import UNSPACED
from activities.media.voices import speakers_of
from activities.research.sentences import sentence_spans
from schema.contracts.media import PortionReading, Segment, Sentence, Speaker, Transcript, Word

PAUSE_S = 2.0
"""A silence that ends a sentence although no full stop was heard, and a turn where nobody was told apart."""
STOP_S = 0.25
STOPS = (".", "?", "!", "…")
SENTENCE_WORDS_MAX = 60
TURN_S_MAX = 60.0
"""A turn of one speaker is cut at the end of a sentence after this long, so that its heading says when."""
_WORD = re.compile(r"\w+")


def transcript(readings: Sequence[PortionReading]) -> Transcript:
    """Return the transcript of portions that are in order."""
    words = join_words(readings)
    if not words:
        model = next((reading.model for reading in readings if reading.model), None)
        return Transcript(model=model)
    language, probability = _language(readings)
    spoken_by = speakers_of([voice for reading in readings for voice in reading.voices], words)
    sentences = _sentences(words, spoken_by, spaced=language not in UNSPACED)
    segments = _segments(sentences, spaced=language not in UNSPACED)
    return Transcript(
        language=language,
        language_probability=probability,
        segments=segments,
        speakers=_speakers(segments),
        model=next((reading.model for reading in readings if reading.model), None),
    )


def join_words(readings: Sequence[PortionReading]) -> tuple[Word, ...]:
    """Return all words once: what two portions share is taken from the one in whose middle it lies.

    The border is put where both have heard the same words; where they have not, into the longest silence.
    """
    found: list[Word] = []
    for reading in readings:
        words = list(reading.words)
        if not found or not words:
            found += words
            continue
        start = reading.portion.start_s
        shared_first = next((number for number, word in enumerate(found) if word.end_s > start), len(found))
        before = found[shared_first:]
        end = max(found[-1].end_s, start)
        after = [word for word in words if word.start_s < end]
        kept, dropped = _border(before, after, (start + end) / 2)
        found = found[:shared_first] + before[:kept] + words[dropped:]
    return tuple(found)


def _border(before: Sequence[Word], after: Sequence[Word], middle_s: float) -> tuple[int, int]:
    """Return how many words of `before` are kept and how many of `after` dropped, of a stretch that both heard."""
    matcher = SequenceMatcher(None, [_plain(word) for word in before], [_plain(word) for word in after], autojunk=False)
    same = [
        (first + offset, second + offset)
        for first, second, size in matcher.get_matching_blocks()
        for offset in range(size)
        if abs(before[first + offset].start_s - after[second + offset].start_s) < 1.0
    ]
    if same:
        # After the shared word that lies nearest to the middle.
        kept, dropped = min(same, key=lambda pair: abs(before[pair[0]].end_s - middle_s))
        return kept + 1, dropped + 1
    edges = sorted((word.start_s, word.end_s) for word in (*before, *after))
    cut, longest, reached = middle_s, 0.0, min((start for start, _ in edges), default=middle_s)
    for start, end in edges:
        if start - reached > longest:
            cut, longest = (start + reached) / 2, start - reached
        reached = max(reached, end)
    kept = sum((word.start_s + word.end_s) / 2 < cut for word in before)
    return kept, sum((word.start_s + word.end_s) / 2 < cut for word in after)


def _plain(word: Word) -> str:
    return "".join(_WORD.findall(word.text.casefold())) or word.text


def _language(readings: Sequence[PortionReading]) -> tuple[str | None, float]:
    """Return the language of most words, and how sure its portions were."""
    weights: dict[str, float] = defaultdict(float)
    sure: dict[str, float] = defaultdict(float)
    for reading in readings:
        if reading.language:
            weights[reading.language] += len(reading.words)
            sure[reading.language] += len(reading.words) * reading.language_probability
    if not weights:
        return None, 0.0
    language = max(sorted(weights), key=lambda each: weights[each])
    return language, round(sure[language] / max(weights[language], 1), 3)


def _sentences(
    words: Sequence[Word], spoken_by: Sequence[str | None], *, spaced: bool
) -> list[tuple[str | None, tuple[Word, ...]]]:
    """Cut words into sentences of one speaker each."""
    runs: list[list[int]] = []
    for number, word in enumerate(words):
        previous = words[number - 1] if number else None
        if previous is None or word.start_s - previous.end_s > PAUSE_S:
            runs.append([])
        runs[-1].append(number)
    found: list[tuple[str | None, tuple[Word, ...]]] = []
    for run in runs:
        for sentence in _cut(run, words, spaced=spaced):
            parts = _by_speaker(sentence, spoken_by)
            found += [(spoken_by[part[0]], tuple(words[number] for number in part)) for part in parts]
    return found


def _cut(run: Sequence[int], words: Sequence[Word], *, spaced: bool) -> list[list[int]]:
    """Cut a run of words at the ends of its sentences."""
    text, ends = "", []
    for number in run:
        text += (" " if spaced and text else "") + words[number].text
        ends.append(len(text))
    closings = {end for _, end in sentence_spans(text)}
    found: list[list[int]] = [[]]
    for number, end, following in zip(run, ends, [*run[1:], None], strict=True):
        found[-1].append(number)
        # A full stop and a pause end a sentence, whatever letter the next one begins with.
        paused = following is not None and words[following].start_s - words[number].end_s >= STOP_S
        stopped = paused and words[number].text.endswith(STOPS)
        if end in closings or stopped or len(found[-1]) >= SENTENCE_WORDS_MAX:
            found.append([])
    return [sentence for sentence in found if sentence]


def _by_speaker(sentence: Sequence[int], spoken_by: Sequence[str | None]) -> list[list[int]]:
    """Cut a sentence where somebody else goes on."""
    found: list[list[int]] = []
    for number in sentence:
        if not found or spoken_by[number] != spoken_by[found[-1][-1]]:
            found.append([])
        found[-1].append(number)
    return found


def _segments(sentences: Sequence[tuple[str | None, tuple[Word, ...]]], *, spaced: bool) -> tuple[Segment, ...]:
    """Gather sentences into turns."""
    turns: list[list[tuple[str | None, tuple[Word, ...]]]] = []
    for speaker, words in sentences:
        last = turns[-1] if turns else None
        goes_on = (
            last is not None
            and last[-1][0] == speaker
            and words[0].start_s - last[0][1][0].start_s <= TURN_S_MAX
            and (speaker is not None or words[0].start_s - last[-1][1][-1].end_s <= PAUSE_S)
        )
        if last is None or not goes_on:
            turns.append([])
        turns[-1].append((speaker, words))
    return tuple(_segment(turn, spaced=spaced) for turn in turns)


def _segment(turn: Sequence[tuple[str | None, tuple[Word, ...]]], *, spaced: bool) -> Segment:
    separator = " " if spaced else ""
    sentences = tuple(
        Sentence(text=separator.join(word.text for word in words), start_s=words[0].start_s, end_s=words[-1].end_s)
        for _, words in turn
    )
    return Segment(
        text=separator.join(sentence.text for sentence in sentences),
        start_s=sentences[0].start_s,
        end_s=sentences[-1].end_s,
        speaker=turn[0][0],
        sentences=sentences,
        words=tuple(word for _, words in turn for word in words),
    )


def _speakers(segments: Sequence[Segment]) -> tuple[Speaker, ...]:
    known = list(dict.fromkeys(segment.speaker for segment in segments if segment.speaker))
    found = []
    for speaker in known:
        theirs = [segment for segment in segments if segment.speaker == speaker]
        found.append(
            Speaker(
                id=speaker,
                name=speaker_name(speaker),
                speaks_s=round(sum(word.end_s - word.start_s for each in theirs for word in each.words), 3),
                turns=len(theirs),
            )
        )
    return tuple(found)


def speaker_name(speaker: str | None) -> str:
    """Return how a speaker is called in texts; nobody knows the name."""
    return f"Speaker {speaker.removeprefix('S')}" if speaker else ""
