"""data.ask: a question in plain words about the data of the run's files, answered by a query that is shown."""

import asyncio
from typing import ClassVar

from pydantic import Field

from activities.documents.builder import TextBuilder
from activities.documents.indexing import store_snapshot
from activities.documents.passages import split_passages
from activities.files.copies import LocalCopies
from activities.insights.analysing import ask
from activities.tools.context import ToolContext
from activities.tools.scoring import document_trust, score
from activities.tools.tool import Answer, Arguments, specify
from schema.contracts.files import FileKind
from schema.contracts.insights import AnalysisOptions, TableAnswer
from schema.contracts.research import Passage, SourceKind, SourceRef
from schema.contracts.tools import Effect, SnapshotRef, ToolOutput
from schema.errors import CallerError, SourceUnavailable, ToolInputInvalid
from schema.policies import DATA_QUESTION_LENGTH_MAX
from schema.store import files
from schema.tables.files import File

FILES_MAX = 5
ROWS_TOLD_MAX = 20
ASKED_AT_ONCE = 2
"""Tables of one worker that are open at the same time; the others wait for their turn within their time."""


class DataAskArguments(Arguments):
    """What to ask."""

    question: str = Field(
        min_length=1,
        max_length=DATA_QUESTION_LENGTH_MAX,
        description="A question that a query over the tables answers: how many, the mean of, the largest, by group.",
    )


class AskedFile(Answer):
    """What one file answered."""

    file_id: str
    name: str
    query: str | None
    """SQL, as it was run; null: the question could not be translated."""
    rows: int
    refusal: str | None


class DataAskAnswer(Answer):
    """What came of it; the answers are in the passages."""

    files: tuple[AskedFile, ...]


class DataAsk:
    """Asks every file of data that the run has."""

    arguments = DataAskArguments
    answer = DataAskAnswer
    spec = specify(
        "data.ask",
        "Ask the tables in the run's own files a question in plain words; a query answers it, and is shown.",
        DataAskArguments,
        DataAskAnswer,
        version="1",
        timeout_s=100,
        effect=Effect.READ,
        idempotent=True,
    )
    _turns: ClassVar[asyncio.Semaphore] = asyncio.Semaphore(ASKED_AT_ONCE)

    def __init__(self, copies: LocalCopies | None = None) -> None:
        self._copies = copies

    async def call(self, arguments: DataAskArguments, context: ToolContext) -> ToolOutput:
        """Ask once; the same files and question give the same answer. A question that fits no file brings no passage.

        Raises:
            ToolInputInvalid: the run has no file of data.
            StorageUnavailable: the object store or PostgreSQL failed.
            SandboxUnavailable: no sandbox here is strong enough to open a file.
        """
        async with context.db.transaction(context.org_id) as session:
            found = await files.require_files(session, context.org_id, context.reach.files)
        tables = [file for file in found if file.kind == FileKind.DATA and file.status == "ready"][:FILES_MAX]
        if not tables or self._copies is None:
            raise ToolInputInvalid("The run has no file of data. Search its documents instead.")
        told: list[AskedFile] = []
        passages: list[Passage] = []
        snapshots: list[SnapshotRef] = []
        for file in tables:
            try:
                async with self._turns, self._copies.copy(file.object_key) as (path, _):
                    answered = await ask(path, file.name, arguments.question, AnalysisOptions())
            except (CallerError, SourceUnavailable) as error:
                told.append(AskedFile(file_id=file.id, name=file.name, query=None, rows=0, refusal=error.detail[:500]))
                continue
            told.append(
                AskedFile(file_id=file.id, name=file.name, query=answered.query, rows=len(answered.rows), refusal=None)
            )
            snapshot, drawn = await _as_passages(file, answered, arguments.question, context)
            snapshots.append(snapshot)
            passages += drawn
        return ToolOutput(
            data=DataAskAnswer(files=tuple(told)).model_dump(mode="json"),
            passages=tuple(passages),
            snapshots=tuple(snapshots),
        )


async def _as_passages(
    file: File, answered: TableAnswer, question: str, context: ToolContext
) -> tuple[SnapshotRef, list[Passage]]:
    """Keep an answer as a text that can be cited: its sentences, and below them the query."""
    title = f"Data in {file.name}"
    builder = TextBuilder()
    builder.heading(1, f"{title}: {answered.question}")
    for sentence in sentences_of(answered):
        builder.prose(sentence)
    builder.code(answered.query)
    text = builder.text()
    snapshot = await store_snapshot(context.objects, context.org_id, text)
    spans = split_passages(text, builder.headings, title=title)
    uri = f"document:{file.document_id}" if file.document_id else f"file:{file.id}"
    drawn = []
    for span in spans:
        quoted = text[span.start : span.end]
        source = SourceRef(
            snapshot_sha256=snapshot.sha256,
            kind=SourceKind.CORPUS,
            title=title,
            uri=uri,
            document_id=file.document_id,
            score=score(
                SourceKind.CORPUS,
                relevance=1.0,
                relevance_reason="computed for this question",
                trust=document_trust(None),
                published_at=None,
                now=context.now,
                question=question,
            ),
        )
        drawn.append(Passage(source=source, start=span.start, end=span.end, text=quoted, heading=span.heading))
    return SnapshotRef(object=snapshot, title=title, uri=uri, kind=SourceKind.CORPUS), drawn


def sentences_of(answered: TableAnswer) -> list[str]:
    """Return an answer as sentences: its own where it has one, else one per row."""
    if answered.sentence:
        return [answered.sentence]
    names = [column.name for column in answered.columns]
    told = []
    for row in answered.rows[:ROWS_TOLD_MAX]:
        said = ", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True) if value is not None)
        told.append(f"{said}.")
    return told
