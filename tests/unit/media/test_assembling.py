"""From words of portions to a transcript: nothing is lost or doubled at a border, speakers are the same throughout."""

import base64
import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.media.anchoring import TimedWord, anchored, believed
from activities.media.assembling import join_words, transcript
from activities.media.probing import portions
from activities.media.reading import assemble
from schema.contracts.media import AudioStream, MediaInfo, Portion, PortionReading, Voice, Word

TEXT = "the quick brown fox jumps over a lazy dog while seven wizards box and nobody minds very much about it"
SPOKEN = TEXT.split()


def info_of(duration_s: float) -> MediaInfo:
    """Return a recording of sound."""
    audio = AudioStream(codec="pcm_s16le", sample_rate_hz=16_000, channels=1)
    return MediaInfo(mime="audio/wav", container="wav", demuxer="wav", size_bytes=1, duration_s=duration_s, audio=audio)


def spoken(seconds: float, every_s: float = 0.5) -> list[Word]:
    """Return distinct-looking words, one each `every_s`."""
    return [
        Word(text=f"{SPOKEN[number % len(SPOKEN)]}", start_s=number * every_s, end_s=number * every_s + 0.3)
        for number in range(int(seconds / every_s))
    ]


def heard(words: Sequence[Word], portion: Portion, jitter_s: float = 0.0, seed: int = 0) -> PortionReading:
    """Return what a recogniser makes of a portion: half a word at its borders is heard as another one."""
    rng = random.Random(seed)
    found = []
    for word in words:
        if word.end_s <= portion.start_s or word.start_s >= portion.end_s:
            continue
        is_cut = word.start_s < portion.start_s or word.end_s > portion.end_s
        shift = rng.uniform(-jitter_s, jitter_s)
        found.append(
            Word(
                text="uh" if is_cut else word.text,
                start_s=max(word.start_s + shift, portion.start_s),
                end_s=min(word.end_s + shift, portion.end_s),
            )
        )
    return PortionReading(portion=portion, language="en", language_probability=0.9, words=tuple(found), model="m")


@given(st.floats(min_value=0.05, max_value=30_000))
def test_portions_cover_a_recording(duration_s: float) -> None:
    found = portions(info_of(duration_s))
    assert found == portions(info_of(duration_s))
    assert found[0].start_s == 0
    assert found[-1].end_s == duration_s
    assert [portion.index for portion in found] == list(range(len(found)))
    for before, after in pairwise(found):
        assert before.duration_s == 300
        assert before.end_s - after.start_s == 10
    assert found[-1].duration_s <= 310


@settings(max_examples=15, deadline=None)
@given(
    st.floats(min_value=0, max_value=0.3),
    st.integers(min_value=0, max_value=10**6),
    st.floats(min_value=0.31, max_value=0.9),
)
def test_no_word_is_lost_or_doubled_at_a_border(jitter_s: float, seed: int, every_s: float) -> None:
    words = spoken(619, every_s)
    readings = [heard(words, portion, jitter_s, seed) for portion in portions(info_of(620))]
    assert len(readings) == 3
    found = join_words(readings)
    assert [word.text for word in found] == [word.text for word in words]


def test_a_border_where_nothing_was_heard_alike_lies_in_the_longest_silence() -> None:
    one = PortionReading(
        portion=Portion(index=0, start_s=0, end_s=300),
        words=(Word(text="a", start_s=292, end_s=293), Word(text="b", start_s=298, end_s=299)),
    )
    other = PortionReading(
        portion=Portion(index=1, start_s=290, end_s=500),
        words=(Word(text="x", start_s=292.2, end_s=293.1), Word(text="y", start_s=298.1, end_s=299.2)),
    )
    assert [word.text for word in join_words([one, other])] == ["a", "y"]


def test_a_portion_without_words_changes_nothing() -> None:
    words = spoken(280)
    parts = portions(info_of(900))
    readings = [heard(words, portion) for portion in parts]
    assert [word.text for word in join_words(readings)] == [word.text for word in words]
    assert assemble(info_of(900), list(reversed(readings))) == assemble(info_of(900), readings)


def vector(direction: int, noise: float, rng: np.random.Generator) -> str:
    """Return a vector near one of several directions that have nothing in common."""
    raw = np.zeros(192)
    raw[direction] = 1
    raw += rng.standard_normal(192) * noise / np.sqrt(192)
    return base64.b64encode((raw / np.linalg.norm(raw)).astype("<f2").tobytes()).decode()


def dialogue(turns: Sequence[tuple[int, float]], portion: Portion, noise: float = 0.6) -> PortionReading:
    """Return turns of (speaker, seconds) as words of 0.4 s and windows of voice of 1.5 s."""
    rng = np.random.default_rng(portion.index)
    words, voices, at = [], [], portion.start_s
    for speaker, seconds in turns:
        count = int(seconds / 0.5)
        for number in range(count):
            text = f"w{speaker}" + ("." if number == count - 1 else "")
            words.append(Word(text=text, start_s=at + number * 0.5, end_s=at + number * 0.5 + 0.4))
        for start in np.arange(at, max(at + seconds - 1.5, at + 0.01), 0.75):
            voices.append(
                Voice(
                    start_s=float(start),
                    end_s=float(min(start + 1.5, at + seconds)),
                    vector=vector(speaker, noise, rng),
                )
            )
        at += seconds + 0.6
    return PortionReading(portion=portion, language="en", words=tuple(words), voices=tuple(voices))


def test_speakers_are_the_same_in_all_portions() -> None:
    first = dialogue([(3, 6), (7, 4), (3, 5)], Portion(index=0, start_s=0, end_s=300))
    second = dialogue([(7, 6), (3, 4), (9, 5)], Portion(index=1, start_s=290, end_s=600))
    found = transcript([first, second])
    assert [segment.speaker for segment in found.segments] == ["S1", "S2", "S1", "S2", "S1", "S3"]
    said = {segment.speaker: {word.text.rstrip(".") for word in segment.words} for segment in found.segments}
    assert said == {"S1": {"w3"}, "S2": {"w7"}, "S3": {"w9"}}
    assert [(speaker.name, speaker.turns) for speaker in found.speakers] == [
        ("Speaker 1", 3),
        ("Speaker 2", 2),
        ("Speaker 3", 1),
    ]


def test_hours_of_speech_are_gathered_in_bounded_memory() -> None:
    """Six hours are 29,000 windows; each with each would take gigabytes."""
    readings = []
    for number in range(20):
        turns = [((number + turn) % 3, 24.0) for turn in range(12)]
        readings.append(dialogue(turns, Portion(index=number, start_s=number * 400.0, end_s=(number + 1) * 400.0)))
    assert sum(len(reading.voices) for reading in readings) > 6_000
    found = transcript(readings)
    assert len(found.speakers) == 3
    for segment in found.segments:
        assert len({word.text.rstrip(".") for word in segment.words}) == 1


def test_a_cough_is_no_speaker() -> None:
    reading = dialogue([(3, 20), (5, 1.0), (3, 20)], Portion(index=0, start_s=0, end_s=300))
    assert len(transcript([reading]).speakers) == 1


def test_without_voices_turns_end_at_pauses() -> None:
    words = [
        *spoken(10),
        *(word.model_copy(update={"start_s": word.start_s + 15, "end_s": word.end_s + 15}) for word in spoken(5)),
    ]
    found = transcript(
        [PortionReading(portion=Portion(index=0, start_s=0, end_s=60), language="en", words=tuple(words))]
    )
    assert [segment.speaker for segment in found.segments] == [None, None]
    assert found.speakers == ()


def test_languages_without_spaces() -> None:
    words = tuple(
        Word(text=text, start_s=number * 0.3, end_s=number * 0.3 + 0.2)
        for number, text in enumerate("今日は晴れです。")
    )
    found = transcript([PortionReading(portion=Portion(index=0, start_s=0, end_s=60), language="ja", words=words)])
    assert found.segments[0].text == "今日は晴れです。"


@pytest.mark.parametrize(
    ("heard", "silence", "starts"),
    [
        # The word after the full stop was heard too early, with the sentence before it.
        ([("over.", 1.0, 1.5), ("Next", 1.5, 1.9), ("one", 2.6, 2.9)], (1.4, 2.2), [1.0, 2.2, 2.6]),
        # The last word was heard too long.
        ([("over.", 1.0, 2.3), ("Next", 2.3, 2.6), ("one", 2.6, 2.9)], (1.4, 2.2), [1.0, 2.2, 2.6]),
        # A comma is a likelier place of a pause than none.
        ([("a", 1.0, 1.3), ("b,", 1.3, 1.6), ("c", 1.6, 1.9), ("d", 1.9, 2.2)], (1.2, 1.5), [1.0, 1.2, 1.5, 1.9]),
        # No silence near.
        ([("a", 1.0, 1.3), ("b", 1.3, 1.6)], (9.0, 9.5), [1.0, 1.3]),
    ],
)
def test_words_are_anchored_in_silences(
    heard: list[tuple[str, float, float]], silence: tuple[float, float], starts: list[float]
) -> None:
    words = [TimedWord(text, start, end, 1.0) for text, start, end in heard]
    assert [word.start_s for word in anchored(words, [silence])] == starts


def test_words_without_time_and_reason_were_not_said() -> None:
    """Seen: `However,` made up at the beginning of a stretch, and cited a second before the sentence it stood in."""
    words = [TimedWord("However,", 3.0, 3.0, 0.017), TimedWord("it", 4.2, 4.3, 0.05), TimedWord("a", 4.3, 4.3, 0.9)]
    assert [word.text for word in believed(words)] == ["it", "a"]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b.", "c,"]), st.floats(0, 2), st.floats(0, 1)), max_size=40),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0.25, 3)), max_size=15),
)
def test_anchoring_keeps_words_and_their_order(
    steps: list[tuple[str, float, float]], pauses: list[tuple[float, float]]
) -> None:
    at, words, silences = 0.0, [], []
    for text, gap, length in steps:
        words.append(TimedWord(text, at + gap, at + gap + length, 0.5))
        at += gap + length
    at = 0.0
    for gap, length in pauses:
        silences.append((at + gap, at + gap + length))
        at += gap + length
    found = anchored(words, silences)
    assert [word.text for word in found] == [word.text for word in words]
    assert all(word.start_s <= word.end_s for word in found)
    assert all(one.start_s <= other.start_s + 1e-9 for one, other in pairwise(found))
