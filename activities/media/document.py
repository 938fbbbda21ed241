"""A recording as a document that is searched and cited like any other, with invisible times. Pure.

Its transcript, and between the turns what is to be read in the pictures.
"""

from collections.abc import Sequence

from activities.documents.builder import ExtractedDocument, Metadata, TextBuilder
from activities.media.assembling import speaker_name
from schema.contracts.media import Keyframe, MediaReading

TURN_LEVEL = 2


def transcript_document(reading: MediaReading, title: str) -> ExtractedDocument:
    """Return the transcript: a heading for every turn (`0:03:20 Speaker 1`), and each sentence a block with its time.

    What is written in a picture stands before the turn that follows it (`0:03:15 On screen`).

    Args:
        reading: what was read.
        title: of the document, where the recording has none of its own.
    """
    builder = TextBuilder(Metadata(title=reading.info.title or title, language=reading.transcript.language))
    shown = written(reading.keyframes)
    for segment in reading.transcript.segments:
        while shown and shown[0].at_s <= segment.start_s:
            _add_frame(builder, shown.pop(0))
        builder.at(segment.start_s)
        builder.heading(TURN_LEVEL, f"{_clock(segment.start_s)} {speaker_name(segment.speaker)}")
        for sentence in segment.sentences:
            builder.at(sentence.start_s)
            builder.prose(sentence.text)
    for frame in shown:
        _add_frame(builder, frame)
    return ExtractedDocument(
        title=builder.metadata.title,
        text=builder.text(),
        mime=reading.info.mime,
        headings=tuple(builder.headings),
        language=reading.transcript.language,
    )


def written(keyframes: Sequence[Keyframe]) -> list[Keyframe]:
    """Return the pictures in which something new is written, in their order."""
    found: list[Keyframe] = []
    for frame in keyframes:
        if frame.text and (not found or frame.text != found[-1].text):
            found.append(frame)
    return found


def _add_frame(builder: TextBuilder, frame: Keyframe) -> None:
    builder.at(frame.at_s)
    builder.heading(TURN_LEVEL, f"{_clock(frame.at_s)} On screen")
    for block in frame.text.split("\n\n"):
        builder.at(frame.at_s)
        builder.prose(block)


def transcript_text(reading: MediaReading) -> str:
    """Return the text of `transcript_document`."""
    return transcript_document(reading, "").text


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
