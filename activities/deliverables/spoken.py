"""A report read aloud (`wav`): its title, its executive summary and its key findings, in the voice of `[media]`.

What a listener needs of a citation is that there is one: each sentence is followed by the number of its first source.
"""

from collections.abc import Iterator

from activities.documents.language import language_of
from activities.media.speaking import speak
from activities.research.composing import EXECUTIVE_SUMMARY, KEY_FINDINGS
from schema.contracts.deliverables import Bullets, Paragraph, RunRecord, Statement
from schema.errors import UnsupportedFormat
from schema.policies import SPEECH_CHARACTERS_MAX

READ = (EXECUTIVE_SUMMARY, KEY_FINDINGS)
SPOKEN = "en"


async def to_wav(record: RunRecord) -> bytes:
    """Return the head of a report as speech: WAV, 24 kHz, mono; the same record gives the same sound.

    Raises:
        UnsupportedFormat: it is not in English, the one language of the voice.
        PartMissing: the package that speaks is not installed.
        SourceUnavailable: it took more time or memory than it may.
        SandboxUnavailable: no sandbox here is strong enough.
    """
    script = script_of(record)
    language = language_of(script)
    if language != SPOKEN and (language is not None or not script.isascii()):
        raise UnsupportedFormat(
            f"The report is in {language or 'several languages'}; it is read aloud in English only."
        )
    return await speak(script)


def script_of(record: RunRecord) -> str:
    """Return what is read, a sentence a line, as far as it fits what is spoken at once."""
    lines, length = [record.document.title], len(record.document.title)
    said = set[str]()
    for statement in _statements(record):
        line = _line(statement)
        if statement.text in said:
            continue
        length += len(line) + 1
        if length > SPEECH_CHARACTERS_MAX:
            break
        said.add(statement.text)
        lines.append(line)
    return "\n".join(lines)


def _statements(record: RunRecord) -> Iterator[Statement]:
    for part in record.document.parts:
        for block in part.blocks if part.title in READ else ():
            if isinstance(block, Paragraph):
                yield from block.sentences
            elif isinstance(block, Bullets):
                yield from block.items


def _line(statement: Statement) -> str:
    return f"{statement.text} Source {statement.marks[0]}." if statement.marks else statement.text
