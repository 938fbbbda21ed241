"""Files of runs, as they are asked for and shown."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.serialisation import Credits, Instant
from api.views.base import Ask, FilledText, Listing, View
from schema.contracts.files import FileKind
from schema.money import ucr_to_credits
from schema.policies import DATA_QUESTION_LENGTH_MAX, FILES_RELATED_MAX, MEDIA_BYTES_MAX, NAME_LENGTH_MAX
from schema.tables.files import File, FileQuestion

FileStatus = Literal["uploading", "processing", "ready", "failed"]
QuestionStatus = Literal["waiting", "answered", "refused"]


class FileView(View):
    """One file."""

    id: str
    name: str
    kind: FileKind | None
    """By its content; null: it was not looked at yet."""
    mime_type: str
    size_bytes: int
    sha256: str | None
    status: FileStatus
    error: dict[str, Any] | None
    """Why it is not read: `{code, detail}`. Nothing was charged."""
    attempt: int
    portions: int
    """Pieces that it is read in; a worker that dies loses the one that it was at."""
    portions_done: int
    progress: float
    """Of its portions, 0..1."""
    unit: str | None
    """What reading it is counted in, as `audio.minute`."""
    amount: int | None
    """Begun units."""
    credits_charged: Credits
    kept: bool
    """Read before, from the same content: nothing was charged."""
    document_id: str | None
    """The text by which runs that it is attached to find it."""
    created_at: Instant
    ready_at: Instant | None
    expires_at: Instant | None
    """It is deleted then."""
    links: dict[str, str] = Field(alias="_links")


class UploadedFiles(View):
    """The files of an upload, in its order."""

    files: list[FileView]


class FileList(Listing):
    """A page of files, newest first."""

    files: list[FileView]


class OpenUpload(Ask):
    """A file that will be uploaded in parts."""

    name: FilledText = Field(max_length=NAME_LENGTH_MAX)
    size_bytes: int = Field(ge=1, le=MEDIA_BYTES_MAX)
    mime_type: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}$",
        description="Decides among kinds of text where the name does not.",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of the whole file; another content is then refused."
    )


class UploadPart(View):
    """One part of an upload."""

    number: int
    start: int
    """Offset of its first byte in the file."""
    size_bytes: int
    received: bool
    url: str | None
    """Send its bytes there by PUT, without any header of your own; null: it has come. Ends after an hour."""


class UploadView(View):
    """An upload in parts: what has come, and where the rest goes."""

    file: FileView
    part_size_bytes: int
    parts: list[UploadPart]


class FileOutput(View):
    """A file that was made of a file: a chart, subtitles, a picture of a video."""

    name: str
    mime_type: str
    size_bytes: int
    sha256: str
    url: str
    """Downloads it; ends after some minutes."""


class FileOutputs(View):
    """Everything that was made of a file."""

    outputs: list[FileOutput]


class FileResult(View):
    """What a file came to."""

    file_id: str
    kind: FileKind
    result: dict[str, Any]
    """By its kind; docs/files.md shows each."""


class AskQuestion(Ask):
    """A question about the data of a file, in plain words."""

    question: FilledText = Field(max_length=DATA_QUESTION_LENGTH_MAX)


class AskRelations(Ask):
    """Files whose relations to this one are looked for."""

    files: list[Annotated[str, Field(pattern=r"^file_[0-9a-f]{32}$")]] = Field(
        min_length=1, max_length=FILES_RELATED_MAX - 1
    )


class QuestionView(View):
    """A question, and its answer: of a question in words the query with its rows, of one for relations these."""

    id: str
    file_id: str
    question: str
    """Empty: how the file and `others` belong together."""
    others: list[str] | None
    status: QuestionStatus
    answer: dict[str, Any] | None
    error: dict[str, Any] | None
    """Why there is no answer, and what can be asked: `{code, detail}`."""
    created_at: Instant
    answered_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


class QuestionList(Listing):
    """A page of questions, newest first."""

    questions: list[QuestionView]


def file_view(file: File) -> FileView:
    """Show a file."""
    names = ("id", "name", "kind", "mime_type", "size_bytes", "status", "error", "attempt", "unit", "amount", "kept")
    more = ("portions", "portions_done", "document_id", "created_at", "ready_at", "expires_at")
    links = {"self": f"/api/v1/files/{file.id}"}
    if file.status == "uploading":
        links["upload"] = f"{links['self']}/upload"
    if file.status == "ready":
        links |= {"result": f"{links['self']}/result", "outputs": f"{links['self']}/outputs"}
    done = 1.0 if file.status == "ready" else file.portions_done / file.portions if file.portions else 0.0
    return FileView(
        **{name: getattr(file, name) for name in (*names, *more)},
        sha256=file.content_sha256,
        progress=round(done, 3),
        credits_charged=ucr_to_credits(file.charged_ucr),
        links=links,
    )


def question_view(question: FileQuestion) -> QuestionView:
    """Show a question."""
    names = ("id", "file_id", "question", "others", "status", "answer", "error", "created_at", "answered_at")
    return QuestionView(
        **{name: getattr(question, name) for name in names},
        links={"self": f"/api/v1/files/{question.file_id}/questions/{question.id}"},
    )
