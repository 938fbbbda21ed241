"""How well a transcript tells what a recording holds: words, times, speakers."""

from dataclasses import dataclass
from itertools import permutations

import jiwer

from schema.contracts.media import Transcript, Word
from tests.support.speech import Recording

_PLAIN = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[-–—]": " "}),
        jiwer.RemovePunctuation(),
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
    ]
)


@dataclass(frozen=True)
class Score:
    """Of one transcript."""

    words_wrong: float
    """Word error rate: substituted, missing and added words per word spoken."""
    start_off_s: float
    """The largest distance between the time of a sentence's first word that was heard and the truth."""
    cited_off_s: float
    """The largest distance between the time that is cited for a sentence and the truth."""
    speakers: int
    speaker_wrong: float
    """Part of the words that were heard that have the wrong speaker, under the best naming."""
    diarization_error: float
    """Of the spoken time, what is given to nobody or to somebody else (in steps of 10 ms, without a collar)."""


def score(recording: Recording, transcript: Transcript) -> Score:
    """Compare a transcript to the truth."""
    spoken = [(word, number) for number, each in enumerate(recording.sentences) for word in _PLAIN(each.text).split()]
    heard = [
        (plain, word, segment.speaker, sentence.start_s)
        for segment in transcript.segments
        for sentence in segment.sentences
        for word in segment.words
        if sentence.start_s <= word.start_s <= sentence.end_s
        for plain in _PLAIN(word.text).split()
    ]
    aligned = jiwer.process_words(" ".join(word for word, _ in spoken), " ".join(plain for plain, *_ in heard))
    firsts: dict[int, tuple[Word, float]] = {}
    pairs: list[tuple[str, str | None]] = []
    for chunk in aligned.alignments[0]:
        if chunk.type != "equal":
            continue
        for offset in range(chunk.ref_end_idx - chunk.ref_start_idx):
            number = spoken[chunk.ref_start_idx + offset][1]
            _, word, speaker, cited_s = heard[chunk.hyp_start_idx + offset]
            firsts.setdefault(number, (word, cited_s))
            pairs.append((recording.sentences[number].speaker, speaker))
    naming = _naming(pairs)
    off = [abs(word.start_s - recording.sentences[number].start_s) for number, (word, _) in firsts.items()]
    cited = [abs(cited_s - recording.sentences[number].start_s) for number, (_, cited_s) in firsts.items()]
    return Score(
        aligned.wer,
        max(off),
        max(cited),
        len(transcript.speakers),
        sum(naming.get(speaker) != truth for truth, speaker in pairs) / len(pairs),
        _diarization_error(recording, transcript, naming),
    )


def _naming(pairs: list[tuple[str, str | None]]) -> dict[str | None, str]:
    """Return the names under which most words are right."""
    truths, found = sorted({truth for truth, _ in pairs}), sorted({str(each) for _, each in pairs if each})
    padded = truths + [""] * max(len(found) - len(truths), 0)
    best = max(
        (dict(zip(found, names, strict=False)) for names in permutations(padded, len(found))),
        key=lambda names: sum(names.get(str(speaker)) == truth for truth, speaker in pairs),
    )
    return dict(best)


def _diarization_error(recording: Recording, transcript: Transcript, naming: dict[str | None, str]) -> float:
    steps = int(recording.duration_s * 100) + 1
    truth: list[str | None] = [None] * steps
    given: list[str | None] = [None] * steps
    for sentence in recording.sentences:
        truth[int(sentence.start_s * 100) : int(sentence.end_s * 100)] = [sentence.speaker] * (
            int(sentence.end_s * 100) - int(sentence.start_s * 100)
        )
    for segment in transcript.segments:
        for each in segment.sentences:
            first, last = int(each.start_s * 100), min(int(each.end_s * 100), steps)
            given[first:last] = [naming.get(segment.speaker, "")] * (last - first)
    # Missed, confused and false alarms, over the time that is spoken.
    wrong = sum(one != other for one, other in zip(truth, given, strict=True))
    return wrong / sum(each is not None for each in truth)
