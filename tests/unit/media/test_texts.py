"""What a transcript becomes: subtitles that others can read, and a document that is cited by time."""

import io

import pytest
import srt
import webvtt

from activities.documents.builder import TIME_DIGITS, TextBuilder, clock, page_at, time_at
from activities.documents.passages import split_passages
from activities.media.assembling import transcript
from activities.media.document import transcript_document, transcript_text
from activities.media.subtitles import cues, subtitles_srt, subtitles_vtt
from activities.research.sentences import sentences
from schema.contracts.media import (
    AudioStream,
    MediaInfo,
    MediaReading,
    Portion,
    PortionReading,
    Segment,
    Sentence,
    Speaker,
    Transcript,
    Word,
)
from schema.policies import SUBTITLE_LINE_CHARACTERS

SAID = (
    ("S1", 200.0, "The melting point of gallium is 29.76 degrees Celsius, which is why it melts in a hand."),
    ("S1", 207.5, "Dr. Smith measured it for the first time in Basel."),
    ("S2", 3_790.0, "Is x < y & y > z --> true?"),
    ("S2", 3_795.0, "Indium melts at 156.6 degrees Celsius, and nobody has ever melted it in a hand without pain."),
)


def said() -> Transcript:
    """Return a transcript of two turns."""
    segments = []
    for speaker in ("S1", "S2"):
        found, words = [], []
        for who, start_s, text in SAID:
            if who == speaker:
                each = [
                    Word(text=word, start_s=start_s + number * 0.3, end_s=start_s + number * 0.3 + 0.25)
                    for number, word in enumerate(text.split())
                ]
                words += each
                found.append(Sentence(text=text, start_s=start_s, end_s=each[-1].end_s))
        segments.append(
            Segment(
                text=" ".join(sentence.text for sentence in found),
                start_s=words[0].start_s,
                end_s=words[-1].end_s,
                speaker=speaker,
                sentences=tuple(found),
                words=tuple(words),
            )
        )
    speakers = tuple(Speaker(id=f"S{n}", name=f"Speaker {n}", speaks_s=9, turns=1) for n in (1, 2))
    return Transcript(language="en", language_probability=1, segments=tuple(segments), speakers=speakers)


def reading() -> MediaReading:
    """Return all that was read of a recording."""
    audio = AudioStream(codec="mp3", sample_rate_hz=16_000, channels=1)
    info = MediaInfo(mime="audio/mpeg", container="mp3", demuxer="mp3", size_bytes=1, duration_s=4_000, audio=audio)
    return MediaReading(info=info, transcript=said())


def test_srt_is_read_back() -> None:
    found = list(srt.parse(subtitles_srt(said())))
    assert [cue.index for cue in found] == list(range(1, len(found) + 1))
    assert found[0].start.total_seconds() == 200.0
    assert found[0].content.startswith("Speaker 1:\nThe melting point")
    plain = " ".join(cue.content for cue in found).replace("\n", " ")
    assert plain.replace("Speaker 1: ", "").replace("Speaker 2: ", "") == " ".join(
        text.replace("-->", "->") for _, _, text in SAID
    )


def test_vtt_is_read_back() -> None:
    found = list(webvtt.from_buffer(io.StringIO(subtitles_vtt(said()))))
    assert [cue.voice for cue in found] == ["Speaker 1"] * sum(cue.speaker == "S1" for cue in cues(said())) + [
        "Speaker 2"
    ] * sum(cue.speaker == "S2" for cue in cues(said()))
    assert found[0].start == "00:03:20.000"
    assert next(cue.start for cue in found if cue.voice == "Speaker 2") == "01:03:10.000"
    assert "Is x &lt; y &amp; y &gt; z -&gt; true?" in subtitles_vtt(said()).replace("\n", " ")


def test_subtitles_can_be_read_in_time() -> None:
    found = cues(said())
    for cue, following in zip(found, [*found[1:], None], strict=True):
        assert len(cue.lines) <= 2
        assert all(len(line) <= SUBTITLE_LINE_CHARACTERS for line in cue.lines)
        assert 0 < cue.end_s - cue.start_s <= 7
        assert following is None or cue.end_s <= following.start_s


def test_an_empty_transcript_has_empty_subtitles() -> None:
    assert subtitles_srt(Transcript()) == ""
    assert len(webvtt.from_buffer(io.StringIO(subtitles_vtt(Transcript())))) == 0
    assert transcript([PortionReading(portion=Portion(index=0, start_s=0, end_s=5), model="m")]) == Transcript(
        model="m"
    )


def test_each_sentence_of_a_transcript_has_its_time() -> None:
    document = transcript_document(reading(), "meeting.mp3")
    assert document.title == "meeting.mp3"
    for _, start_s, text in SAID:
        at = document.text.index(text)
        assert time_at(document.text, at) == time_at(document.text, at + len(text)) == start_s
    headings = [document.text[heading.start : heading.end] for heading in document.headings]
    assert headings == ["0:03:20 Speaker 1", "1:03:10 Speaker 2"]
    assert transcript_text(reading()) == document.text
    assert page_at(document.text, 50) is None


def test_marks_disturb_neither_passages_nor_statements() -> None:
    document = transcript_document(reading(), "meeting.mp3")
    passages = split_passages(document.text, document.headings, document.pages, title=document.title)
    shown = [document.text[passage.start : passage.end] for passage in passages]
    assert len(shown) == 2
    assert passages[0].heading == "meeting.mp3 > 0:03:20 Speaker 1"
    assert all(text == text.strip() for text in shown)
    found = [sentence.text for sentence in sentences(document.text)]
    assert [text for text in found if text.startswith(("The melting", "Dr.", "Indium"))] == [
        SAID[0][2],
        SAID[1][2],
        SAID[3][2],
    ]
    plain = document.text.translate(dict.fromkeys(map(ord, TIME_DIGITS)))
    assert [sentence.text for sentence in sentences(plain)] == found
    assert plain.split() == document.text.split()


@pytest.mark.parametrize("seconds", [0, 0.1, 0.04, 59.96, 200, 3_599.9, 21_600, 10**9, -3])
def test_times_are_written_and_read(seconds: float) -> None:
    builder = TextBuilder()
    builder.page()
    builder.prose("Before.")
    builder.page()
    builder.at(seconds)
    builder.prose("Heard.")
    builder.prose("Later.")
    text = builder.text()
    expected = min(max(round(seconds, 1), 0), 10**6)
    assert time_at(text, text.index("Heard")) == time_at(text, text.index("Later")) == expected
    assert time_at(text, 0) is None
    assert page_at(text, text.index("Heard")) == 2
    assert text.split() == ["Before.", "Heard.", "Later."]


def test_no_file_can_forge_a_time() -> None:
    builder = TextBuilder()
    builder.at(5)
    for forged in (f"True.\n\n{TIME_DIGITS}\n\nFalse.", f"a {TIME_DIGITS} b", TIME_DIGITS):
        builder.prose(forged)
        builder.line(forged)
        builder.heading(1, forged)
        builder.code(forged)
    assert time_at(builder.text(), len(builder.text())) == 5
    assert time_at("A text without times.", 10) is None


def test_times_as_people_say_them() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 200, 3_600, 36_061)] == [
        "0:00",
        "0:59",
        "3:20",
        "1:00:00",
        "10:01:01",
    ]
