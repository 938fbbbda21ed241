"""Files that users give to runs: reading one, in portions, and questions about its data."""

from enum import StrEnum
from typing import Any

from pydantic import Field
from temporalio import activity, workflow

from schema.contracts.common import Contract, ObjectRef


class FileKind(StrEnum):
    """What a file is, by its content."""

    DATA = "data"
    DOCUMENT = "document"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


class FileRef(Contract):
    """Which attempt to read which file a message is about."""

    org_id: str
    file_id: str
    attempt: int
    """From 1; a file that failed and is read again opens the next one."""


class Refusal(Contract):
    """Why a file is not read: a result, and no failure, since another try would come to the same."""

    code: str
    detail: str


class Portion(Contract):
    """A piece of a file that is read by itself: what a killed worker has to do again at most."""

    number: int
    """From 1."""
    start: float = 0.0
    end: float = 0.0
    """Seconds of a recording, or pages; 0 and 0: the whole file."""


class Inspection(Contract):
    """What a file is, before anything is held or charged."""

    kind: FileKind
    mime: str
    """By its content."""
    sha256: str
    size_bytes: int
    unit: str
    """Of `schema/prices.py`, as `audio.minute`."""
    amount: int
    """Begun units."""
    portions: tuple[Portion, ...]
    reader: str
    """Name and version of what reads it: part of the key under which readings are kept."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """What the reader wants to know again for each portion."""
    kept: bool = False
    """Every portion was read before, from the same content: nothing is charged."""


class InspectFileResult(Contract):
    """Either of the two."""

    inspection: Inspection | None = None
    refusal: Refusal | None = None


class BeginFileInput(FileRef):
    """Hold what the reading will cost."""

    inspection: Inspection


class BeginFileResult(Contract):
    """What came of it."""

    refusal: Refusal | None = None
    gone: bool = False
    """The file was deleted, or another execution has ended this attempt."""


class ReadPortionInput(FileRef):
    """Read one portion."""

    name: str
    inspection: Inspection
    portion: Portion


class ReadPortionResult(Contract):
    """Where the reading is kept; the same on every repetition."""

    reading: ObjectRef | None = None
    refusal: Refusal | None = None


class FinishFileInput(FileRef):
    """Put the readings together, charge, and make the file ready."""

    name: str
    inspection: Inspection
    readings: tuple[ObjectRef, ...]


class FinishFileResult(Contract):
    """What the file came to."""

    status: str
    document_id: str | None = None
    unembedded: int = 0
    """Passages that wait for their vectors."""
    refusal: Refusal | None = None


class FailFileInput(FileRef):
    """Close the attempt; what was held is released."""

    code: str
    detail: str
    given_up: bool = False
    """It was tried to the end: it leaves a dead letter."""


class IngestFileInput(FileRef):
    """Read one uploaded file."""

    name: str


class IngestFileResult(Contract):
    """What became of it."""

    status: str
    """`ready`, `failed` or `gone`."""
    document_id: str | None = None
    refusal: Refusal | None = None


class AskFileInput(Contract):
    """A question about the data of a file, in plain words."""

    org_id: str
    file_id: str
    question_id: str


class RefuseQuestionInput(AskFileInput):
    """Why a question found no answer."""

    code: str
    detail: str


class AskFileResult(Contract):
    """Whether it was answered; the answer stands in its row."""

    status: str
    """`answered` or `refused`."""


@workflow.defn(name="IngestFile")
class IngestFileWorkflow:
    """Stub of the workflow that reads one file; workflow id = file id."""

    @workflow.run
    async def run(self, input: IngestFileInput) -> IngestFileResult:
        """Return what became of the file."""
        raise NotImplementedError


@workflow.defn(name="AskFile")
class AskFileWorkflow:
    """Stub of the workflow that answers one question; workflow id = question id."""

    @workflow.run
    async def run(self, input: AskFileInput) -> AskFileResult:
        """Return whether it was answered."""
        raise NotImplementedError


@activity.defn(name="files.inspect")
async def inspect_file(input: FileRef) -> InspectFileResult:
    """Say what a file is, and what reading it costs; nothing is charged."""
    raise NotImplementedError


@activity.defn(name="files.begin")
async def begin_file(input: BeginFileInput) -> BeginFileResult:
    """Hold the price, once per attempt; a refusal of the money is a result."""
    raise NotImplementedError


@activity.defn(name="files.read")
async def read_portion(input: ReadPortionInput) -> ReadPortionResult:
    """Read one portion; one that was read before is not read again."""
    raise NotImplementedError


@activity.defn(name="files.finish")
async def finish_file(input: FinishFileInput) -> FinishFileResult:
    """Make the file ready and charge for it, in one transaction; a repeat changes nothing."""
    raise NotImplementedError


@activity.defn(name="files.fail")
async def fail_file(input: FailFileInput) -> None:
    """Close the attempt and release what it held; a repeat changes nothing."""
    raise NotImplementedError


@activity.defn(name="files.ask")
async def ask_file(input: AskFileInput) -> AskFileResult:
    """Answer a question about a file's data; idempotent by the question's id."""
    raise NotImplementedError


@activity.defn(name="files.refuse_question")
async def refuse_question(input: RefuseQuestionInput) -> None:
    """Record that a question found no answer in its tries; a repeat changes nothing."""
    raise NotImplementedError
