"""A recording as a document that is searched and cited like any other: its transcript, with invisible times. Pure."""

from activities.documents.builder import ExtractedDocument, Metadata, TextBuilder
from activities.media.assembling import speaker_name
from schema.contracts.media import MediaReading

TURN_LEVEL = 2


def transcript_document(reading: MediaReading, title: str) -> ExtractedDocument:
    """Return the transcript: a heading for every turn (`0:03:20 Speaker 1`), and each sentence a block with its time.

    Args:
        reading: what was read.
        title: of the document, where the recording has none of its own.
    """
    builder = TextBuilder(Metadata(title=reading.info.title or title, language=reading.transcript.language))
    for segment in reading.transcript.segments:
        builder.at(segment.start_s)
        builder.heading(TURN_LEVEL, f"{_clock(segment.start_s)} {speaker_name(segment.speaker)}")
        for sentence in segment.sentences:
            builder.at(sentence.start_s)
            builder.prose(sentence.text)
    return ExtractedDocument(
        title=builder.metadata.title,
        text=builder.text(),
        mime=reading.info.mime,
        headings=tuple(builder.headings),
        language=reading.transcript.language,
    )


def transcript_text(reading: MediaReading) -> str:
    """Return the text of `transcript_document`."""
    return transcript_document(reading, "").text


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
