"""Collects a finished run's record: what was delivered, its sources with their quotations, its data, its bill."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from activities.deliverables.reading import read_report
from activities.research.citations import Sidecar
from infra.database import Database
from infra.objects import ObjectStore
from schema.contracts.common import ObjectRef
from schema.contracts.deliverables import (
    Bill,
    DataSentence,
    ExportOptions,
    Figure,
    Quotation,
    RecordedEvent,
    RecordedFile,
    RecordedLine,
    RecordedRun,
    RecordedSource,
    ReportInputs,
    RunRecord,
    Theme,
)
from schema.contracts.insights import Analysis
from schema.contracts.research import Quality
from schema.contracts.slides import Outline
from schema.policies import EXPORT_FIGURES_MAX, EXPORT_LOG_LINES_MAX
from schema.store import agents, billing, events, exports, files, forms, organisations, runs
from schema.tables.billing import LedgerEntry
from schema.tables.files import File
from schema.tables.runs import Artifact, Run, RunEvent

_PAGE = 1_000


@dataclass(frozen=True)
class Collected:
    """A run, as an export needs it."""

    record: RunRecord
    theme: Theme
    report: bytes
    """`research_report.md`, as delivered."""
    citations: bytes
    """`citations.json`, as delivered."""
    inputs: ReportInputs | None
    """What the report was made of; None for a run from before this was kept."""
    outline: Outline | None
    """How a model planned the deck; None: it was not asked, or the rules do it."""
    cover: bytes | None
    """The picture on the deck's cover; None: none was drawn."""
    ledger: tuple[LedgerEntry, ...]
    """The run's entries, oldest first."""


@dataclass(frozen=True)
class _Rows:
    run: Run
    report: Artifact
    citations: Artifact
    made: Sequence[Artifact]
    ledger: Sequence[LedgerEntry]
    log: Sequence[RunEvent]
    data: Sequence[File]
    output: dict[str, object] | None
    theme: Theme
    agents: int
    inputs: ObjectRef | None
    outline: ObjectRef | None
    cover: ObjectRef | None


async def collect(
    db: Database, objects: ObjectStore, org_id: str, run_id: str, options: ExportOptions, *, ended: bool = True
) -> Collected:
    """Read a run with a report.

    Args:
        ended: it must have completed; otherwise what there is is read, and it counts as completed when last changed.

    Raises:
        NotFound: the organisation has no such run.
        Conflict: it has not ended, or ended without a report.
        Gone: its report has expired.
        StorageUnavailable: PostgreSQL or the object store failed.
    """
    async with db.transaction(org_id) as session:
        rows = await _rows(session, org_id, run_id, options, ended=ended)
    report = await objects.get(_ref(rows.report))
    citations = await objects.get(_ref(rows.citations))
    figures, insights = await _of_data(objects, rows.data)
    inputs = ReportInputs.model_validate_json(await objects.get(rows.inputs)) if rows.inputs is not None else None
    run = rows.run
    record = RunRecord(
        run=RecordedRun(
            id=run.id,
            name=run.name,
            task=run.task,
            status=run.status,
            attempt=run.attempt,
            created_at=run.created_at,
            completed_at=run.completed_at or run.updated_at,
            agents=rows.agents,
            tokens=run.tokens_used,
        ),
        document=read_report(report.decode()),
        sources=_sources(Sidecar.model_validate_json(citations)),
        quality=Quality.model_validate(run.quality or {}),
        output=rows.output,
        figures=figures,
        insights=insights,
        bill=_bill(rows.ledger),
        artifacts=tuple(_file(item) for item in rows.made if options.include_artifacts),
        log=tuple(_event(item) for item in rows.log),
    )
    outline = Outline.model_validate_json(await objects.get(rows.outline)) if rows.outline is not None else None
    cover = await objects.get(rows.cover) if rows.cover is not None else None
    return Collected(record, rows.theme, report, citations, inputs, outline, cover, tuple(rows.ledger))


async def _rows(session: AsyncSession, org_id: str, run_id: str, options: ExportOptions, *, ended: bool) -> _Rows:
    run = await runs.get_run(session, org_id, run_id)
    report = await (exports.require_report if ended else exports.report_of)(session, run)
    form = await forms.find_form(session, org_id, run_id)
    return _Rows(
        run=run,
        report=report,
        citations=await exports.citations_of(session, org_id, run_id),
        made=await exports.own_artifacts(session, org_id, run_id),
        ledger=await billing.ledger_of_run(session, org_id, run_id),
        log=await _log(session, run) if options.include_logs else (),
        data=await files.data_files(session, org_id, [str(each) for each in run.context.get("files", ())]),
        output=form.output if form is not None else None,
        theme=await organisations.theme(session, org_id),
        agents=len(await runs.list_agents(session, org_id, run_id)),
        inputs=await agents.latest_value(session, org_id, run_id, "render"),
        outline=await agents.latest_value(session, org_id, run_id, "outline"),
        cover=await agents.latest_value(session, org_id, run_id, "illustrate"),
    )


async def _log(session: AsyncSession, run: Run) -> list[RunEvent]:
    found: list[RunEvent] = []
    after = max(0, run.event_seq - EXPORT_LOG_LINES_MAX)
    while page := await events.list_events(session, run.org_id, run.id, after_seq=after, limit=_PAGE):
        found += page
        after = page[-1].seq
    return found


async def _of_data(objects: ObjectStore, data: Sequence[File]) -> tuple[tuple[Figure, ...], tuple[DataSentence, ...]]:
    """Return charts and sentences of the run's own files of data."""
    figures: list[Figure] = []
    sentences: list[DataSentence] = []
    for number, file in enumerate(data, start=1):
        analysis = Analysis.model_validate_json(await objects.get(ObjectRef.model_validate(file.result)))
        for table in analysis.tables:
            figures += [
                Figure(
                    name=f"{number}-{chart.name}",
                    kind=chart.kind.value,
                    title=chart.title,
                    columns=chart.columns,
                    query=chart.query,
                    origin=file.name,
                    spec=chart.spec,
                )
                for chart in table.charts
            ]
            sentences += [
                DataSentence(sentence=insight.sentence, query=insight.query, origin=file.name)
                for insight in table.insights
            ]
    return tuple(figures[:EXPORT_FIGURES_MAX]), tuple(sentences)


def _sources(sidecar: Sidecar) -> tuple[RecordedSource, ...]:
    quoted: dict[int, dict[tuple[int, int], Quotation]] = defaultdict(dict)
    for sentence in sidecar.sentences:
        for span in sentence.spans:
            quoted[span.n].setdefault(
                (span.start, span.end),
                Quotation(
                    quote=span.quote,
                    start=span.start,
                    end=span.end,
                    claim_id=span.claim_id,
                    drawn_by=span.drawn_by,
                ),
            )
    return tuple(
        RecordedSource(
            n=source.n,
            title=source.title,
            uri=source.uri,
            kind=source.kind,
            published_at=source.published_at,
            snapshot_sha256=source.snapshot_sha256,
            score=source.score,
            pages=source.pages,
            seconds=source.seconds,
            quotations=tuple(quotation for _, quotation in sorted(quoted[source.n].items())),
        )
        for source in sidecar.sources
    )


def _bill(ledger: Sequence[LedgerEntry]) -> Bill:
    def total(*kinds: str) -> int:
        return sum(abs(_amount(entry)) for entry in ledger if entry.type in kinds)

    return Bill(
        held_ucr=total("hold"),
        charged_ucr=total("charge"),
        released_ucr=total("release", "expire"),
        refunded_ucr=total("refund"),
        lines=tuple(
            RecordedLine(
                sequence_number=entry.version,
                type=entry.type,
                amount_ucr=_amount(entry),
                description=entry.description,
                created_at=entry.created_at,
                attempt=entry.attempt,
            )
            for entry in ledger
        ),
    )


def _amount(entry: LedgerEntry) -> int:
    """Return what an entry moved: of a charge or refund what left or entered the account, else what was held."""
    return entry.posted_delta_ucr or entry.held_delta_ucr


def _ref(artifact: Artifact) -> ObjectRef:
    return ObjectRef(key=artifact.object_key, sha256=artifact.content_sha256, size_bytes=artifact.size_bytes)


def _file(artifact: Artifact) -> RecordedFile:
    return RecordedFile(
        name=artifact.name,
        mime_type=artifact.mime_type,
        description=artifact.description or "",
        object=_ref(artifact),
    )


def _event(event: RunEvent) -> RecordedEvent:
    return RecordedEvent(sequence_number=event.seq, at=event.created_at, type=event.type, message=event.message)
