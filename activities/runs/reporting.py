"""The report, in four stages: merge, resolve, write, render. Each leaves its result, so that none is paid for twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.agents.acting import canary_event
from activities.agents.thinking import brief_of
from activities.calls import CallJournal
from activities.deliverables.collecting import collect
from activities.deliverables.deck.outlining import outline_request
from activities.deliverables.illustrating import ImageModel, illustration
from activities.fallbacks import note_fallbacks
from activities.research.citations import RenderedReport, render_again
from activities.research.copies import copy_groups
from activities.research.corroboration import corroborated_trust, marked, with_trust
from activities.research.journal import journalled
from activities.research.reasoner import Reasoner
from activities.runs.delivering import Delivered, delivered
from activities.runs.forms import table_report
from activities.tools.canary import carries
from activities.usage import illustration_usage
from infra.database import Database, driver_of
from infra.live import Live
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.deliverables import ExportOptions, ReportInputs
from schema.contracts.policy import ToolPolicy
from schema.contracts.research import Claim, Conflict, Finding, Reasoned, Report, Subtask
from schema.contracts.run import (
    IllustrateDeckInput,
    MergeClaimsInput,
    OutlineDeckInput,
    RenderReportInput,
    RenderReportResult,
    ReportStageResult,
    ResolveConflictsInput,
    WordedReport,
    WriteReportInput,
)
from schema.contracts.slides import Outline
from schema.errors import CanaryLeaked, InsufficientCredits, PartMissing
from schema.events import EventType
from schema.money import PCR_PER_UCR
from schema.policies import SLIDES_DEFAULT
from schema.prices import ILLUSTRATION_PCR
from schema.store import (
    agents,
    artifacts,
    audit,
    billing,
    clock,
    events,
    forms,
    research,
    runs,
    snapshots,
    steps,
)
from schema.store.agents import NewStep
from schema.store.artifacts import NewArtifact
from schema.store.audit import workflow_actor
from schema.store.events import NewEvent
from schema.store.exports import CITATIONS_NAME, REPORT_NAME
from schema.store.forms import RowState
from schema.tables.forms import RunForm
from schema.tables.runs import Run

_FINDINGS: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])
_CONFLICTS: TypeAdapter[tuple[Conflict, ...]] = TypeAdapter(tuple[Conflict, ...])
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)
_OUTLINE: TypeAdapter[Outline] = TypeAdapter(Outline)

T = TypeVar("T")
StageInput = MergeClaimsInput | ResolveConflictsInput | WriteReportInput | OutlineDeckInput


@dataclass(frozen=True)
class _Evidence:
    """What the agents left, read anew for every stage; the same each time."""

    run: Run
    claims: tuple[Claim, ...]
    """Without those that fill cells of a structured output; of copies each says whose copy it is."""
    copies: Mapping[str, str]
    """Snapshot of a copy -> snapshot of its original."""
    sources_read: int

    def trusted(self, findings: Sequence[Finding]) -> dict[str, tuple[float, str]]:
        """Return the trust that agreement of independent sources raised, by snapshot, and why."""
        return dict(corroborated_trust(findings, _by_id(self.claims)))

    def by_id(self, findings: Sequence[Finding]) -> dict[str, Claim]:
        """Return the claims with the trust that their sources have among these findings."""
        trusted = self.trusted(findings)
        return {claim.id: with_trust(claim, trusted) for claim in self.claims}


@dataclass(frozen=True)
class _Checked:
    """A report that passed the gate, with what is recorded of its sources."""

    rendered: RenderedReport
    inputs: ReportInputs
    """What it was made of."""
    copies: Mapping[str, str]
    trusted: Mapping[str, tuple[float, str]] = field(default_factory=dict)


class ReportActivities:
    """The run's report.

    Every stage's idempotency key is its `operation_key`; once recorded, a repeat returns the recorded result. Within
    a stage each model call is kept as well (`CallJournal`), so that a stage of many calls survives its worker.

    All of them raise:
        ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: the model failed.
        StorageUnavailable: the object store or PostgreSQL failed.
        HoldClosed: the attempt was settled meanwhile.
    """

    def __init__(
        self,
        db: Database,
        objects: ObjectStore,
        live: Live,
        reasoner: Reasoner,
        canaries: Iterable[str] = (),
        illustrator: ImageModel | None = None,
    ) -> None:
        self._db = db
        self._objects = objects
        self._live = live
        self._reasoner = reasoner
        self._canaries = tuple(canaries)
        self._illustrator = illustrator

    @activity.defn(name="report.merge")
    async def merge(self, input: MergeClaimsInput) -> ReportStageResult:
        """Put claims that say the same into findings."""

        async def work(found: _Evidence) -> Reasoned[tuple[Finding, ...]]:
            return await self._reasoner.merge(brief_of(found.run), found.claims)

        return await self._stage(input, "merge", _FINDINGS, work)

    @activity.defn(name="report.resolve")
    async def resolve(self, input: ResolveConflictsInput) -> ReportStageResult:
        """Find what the findings disagree about, and choose."""
        findings = await self._read(input.findings, _FINDINGS)

        async def work(found: _Evidence) -> Reasoned[tuple[Conflict, ...]]:
            return await self._reasoner.resolve_conflicts(brief_of(found.run), findings, found.by_id(findings))

        return await self._stage(input, "resolve", _CONFLICTS, work)

    @activity.defn(name="report.write")
    async def write(self, input: WriteReportInput) -> ReportStageResult:
        """Word the report; it is not checked yet."""
        findings = await self._read(input.findings, _FINDINGS)
        conflicts = await self._read(input.conflicts, _CONFLICTS)

        async def work(found: _Evidence) -> Reasoned[Report]:
            return await self._reasoner.write_report(
                brief_of(found.run), _asked(found.run), findings, conflicts, found.by_id(findings), input.missing
            )

        return await self._stage(input, "write", _REPORT, work)

    @activity.defn(name="report.outline")
    async def outline(self, input: OutlineDeckInput) -> ReportStageResult:
        """Have the slides of the run's deck grouped and named; what they say is the report's."""
        collected = await collect(self._db, self._objects, input.org_id, input.run_id, ExportOptions(), ended=False)
        request = outline_request(collected.record, SLIDES_DEFAULT)

        async def work(found: _Evidence) -> Reasoned[Outline]:
            return await self._reasoner.plan_slides(request)

        return await self._stage(input, "outline", _OUTLINE, work)

    @activity.defn(name="report.illustrate")
    async def illustrate(self, input: IllustrateDeckInput) -> ReportStageResult:
        """Have the cover of the run's deck drawn, once; a picture that could not be paid is not asked for.

        Raises:
            PartMissing: no model of images is configured here (any more).
        """
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, org_id, input.operation_key)) is not None:
                return ReportStageResult.model_validate(recorded.output)
            run = await runs.get_run(session, org_id, run_id)
            hold = await billing.hold_of(session, org_id, run_id, input.attempt)
        if self._illustrator is None:
            raise PartMissing("No model of images is configured. Set SWISSBRAIN_IMAGE_MODEL.")
        if hold is None or hold.amount_ucr * PCR_PER_UCR - hold.metered_pcr < ILLUSTRATION_PCR:
            raise InsufficientCredits("What is left of the hold does not pay a picture; the deck goes without.")
        data, mime_type = await illustration(brief_of(run), self._illustrator)
        ref = await self._put(org_id, "artifacts", data, mime_type)
        step = NewStep(
            run_id=run_id,
            attempt=input.attempt,
            agent_number=0,
            sequence_number=input.step,
            kind="illustrate",
            name="illustrate",
            operation_key=input.operation_key,
            started_at=started_at,
            input={"model": self._illustrator.name},
        )
        name = f"illustration.{mime_type.removeprefix('image/').replace('jpeg', 'jpg')}"
        async with self._db.transaction(org_id) as session:
            await steps.open_attempt(await driver_of(session), org_id, run_id, input.attempt)
            items = [illustration_usage(input.operation_key)]
            spent_pcr = await billing.meter(
                session, org_id, run_id=run_id, attempt=input.attempt, agent_number=0, items=items
            )
            result = ReportStageResult(value=ref, spent_pcr=spent_pcr)
            if await agents.record_step(session, org_id, _with_output(step, result.model_dump(mode="json"))):
                new = NewArtifact(name, mime_type, ref, "The picture on the deck's cover, drawn by a model")
                await artifacts.put_artifact(session, org_id, run_id, new)
                return result
            return ReportStageResult.model_validate(await _output_of(session, org_id, input.operation_key))

    @activity.defn(name="report.render")
    async def render(self, input: RenderReportInput) -> RenderReportResult:
        """Pass the report through the citation gate, and store what passed."""
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return RenderReportResult.model_validate(recorded.output)
            form = await forms.find_form(session, input.org_id, input.run_id)
            rows = await forms.list_rows(session, input.org_id, input.run_id) if form is not None else []
        found = await self._evidence(input.org_id, input.run_id)
        if input.worded is None:
            assert form is not None, "only a table has no words"
            checked = await self._check_table(found, form, rows)
        else:
            checked = await self._check(found, input.worded)
        more = delivered(form, rows)
        await self._require_no_canary(input, found.run, checked, more)
        stored = await self._store(input.org_id, checked.rendered, more)
        step = NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=0,
            sequence_number=input.step,
            kind="render",
            name="render",
            operation_key=input.operation_key,
            started_at=started_at,
            input={"claims": len(found.claims)},
        )
        result = await self._record_report(input, checked, stored, step, more)
        await self._live.publish(input.run_id)
        return result

    async def _require_no_canary(self, input: RenderReportInput, run: Run, checked: _Checked, more: Delivered) -> None:
        """Stop a report that carries a planted text; the log and the audit keep that it happened.

        Raises:
            CanaryLeaked: it does, and nothing was stored.
        """
        shown = [checked.rendered.markdown, checked.rendered.sidecar.model_dump_json()]
        shown += [text for *_, text in more.files]
        if not any(carries(text, self._planted(run)) for text in shown):
            return
        async with self._db.transaction(input.org_id) as session:
            await steps.open_attempt(await driver_of(session), input.org_id, input.run_id, input.attempt)
            await events.append(session, input.org_id, input.run_id, canary_event("report", None))
            await audit.record(
                session,
                input.org_id,
                actor=workflow_actor(input.run_id),
                action="canary.detected",
                resource_type="run",
                resource_id=input.run_id,
                run_id=input.run_id,
                details={"where": "report", "attempt": input.attempt},
                result="denied",
            )
        raise CanaryLeaked("The report carries a text that was planted to be noticed; it was not delivered.")

    def _planted(self, run: Run) -> tuple[str, ...]:
        return (*self._canaries, *ToolPolicy.model_validate(run.tool_policy or {}).canaries)

    async def _evidence(self, org_id: str, run_id: str) -> _Evidence:
        async with self._db.transaction(org_id) as session:
            run = await runs.get_run(session, org_id, run_id)
            claims = await research.claims_of(session, org_id, run_id)
            sources = await research.read_sources(session, org_id, run_id)
            prints = await snapshots.fingerprints(session, org_id, [source.snapshot_sha256 for source in sources])
        copies = await asyncio.to_thread(copy_groups, sources, prints)
        # Cells are evidence of the output; the report is written from what its own agents found.
        rows = {subtask.number for subtask in _planned(run) if subtask.is_row}
        planted = self._planted(run)
        told = tuple(
            claim
            for claim in claims
            if claim.agent_number not in rows and not (planted and carries((claim.text, claim.quote), planted))
        )
        return _Evidence(run, marked(told, copies), copies, len(sources))

    async def _check(self, found: _Evidence, worded: WordedReport) -> _Checked:
        findings = await self._read(worded.findings, _FINDINGS)
        conflicts = await self._read(worded.conflicts, _CONFLICTS)
        report = await self._read(worded.report, _REPORT)
        claims = found.by_id(findings)
        rendered, inputs = await self._render(found, report, claims, len(conflicts))
        return _Checked(rendered, inputs, found.copies, found.trusted(findings))

    async def _check_table(self, found: _Evidence, form: RunForm, rows: list[RowState]) -> _Checked:
        """Make the report of a table: by code, since every cell has its evidence already."""
        report = table_report(brief_of(found.run), forms.columns_of(form), rows)
        conflicts = sum(bool(cell.conflict) for row in rows for cell in row.cells)
        rendered, inputs = await self._render(found, report, _by_id(found.claims), conflicts)
        return _Checked(rendered, inputs, found.copies)

    async def _render(
        self, found: _Evidence, report: Report, claims: dict[str, Claim], conflicts: int
    ) -> tuple[RenderedReport, ReportInputs]:
        hashes = sorted({claim.source.snapshot_sha256 for claim in claims.values()})
        async with self._db.transaction(found.run.org_id) as session:
            refs = await snapshots.snapshot_refs(session, found.run.org_id, hashes)
        texts = {ref.sha256: (await self._objects.get(ref)).decode() for ref in refs}
        inputs = ReportInputs(
            report=report,
            claims=tuple(claims.values()),
            brief=brief_of(found.run),
            conflicts=conflicts,
            sources_read=found.sources_read,
            dates_old=True,
        )
        # Seconds of work in a large run: on the event loop it would hold up every heartbeat of this process.
        return await asyncio.to_thread(render_again, inputs, texts.__getitem__), inputs

    async def _stage(
        self,
        input: StageInput,
        kind: str,
        form: TypeAdapter[T],
        work: Callable[[_Evidence], Awaitable[Reasoned[T]]],
    ) -> ReportStageResult:
        """Do the work of one stage once, and keep what it came to."""
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return ReportStageResult.model_validate(recorded.output)
        found = await self._evidence(input.org_id, input.run_id)
        calls = CallJournal(
            self._db,
            self._objects,
            input,
            operation_key=input.operation_key,
            step=input.step,
            reasoner=self._reasoner.name,
        )
        with journalled(calls):
            reasoned = await work(found)
        ref = await self._put(input.org_id, "steps", form.dump_json(reasoned.value), "application/json")
        step = NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=0,
            sequence_number=input.step,
            kind=kind,
            name=kind,
            operation_key=input.operation_key,
            started_at=started_at,
            input={"claims": len(found.claims)},
        )
        return await self._record_stage(input, ref, reasoned, calls, step)

    async def _record_stage(
        self, input: StageInput, ref: ObjectRef, reasoned: Reasoned[T], calls: CallJournal, step: NewStep
    ) -> ReportStageResult:
        rest, usage = calls.unmetered(reasoned.tokens)
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            connection = await driver_of(session)
            await steps.open_attempt(connection, org_id, run_id, input.attempt)
            spent_pcr = calls.spent_pcr
            if usage is not None:
                spent_pcr += await billing.meter(
                    session, org_id, run_id=run_id, attempt=input.attempt, agent_number=0, items=[usage]
                )
            result = ReportStageResult(value=ref, spent_pcr=spent_pcr)
            if await agents.record_step(session, org_id, _with_output(step, result.model_dump(mode="json"))):
                await agents.add_tokens(session, org_id, run_id, rest.total)
                await note_fallbacks(connection, org_id, run_id, reasoned.fallbacks, input.operation_key)
                return result
            # Another try of this activity was first: what it kept is what the stage came to.
            return ReportStageResult.model_validate(await _output_of(session, org_id, input.operation_key))

    async def _record_report(
        self, input: RenderReportInput, checked: _Checked, stored: list[NewArtifact], step: NewStep, more: Delivered
    ) -> RenderReportResult:
        quality = checked.rendered.quality
        org_id, run_id = input.org_id, input.run_id
        kept = await self._put(org_id, "steps", checked.inputs.model_dump_json().encode(), "application/json")
        async with self._db.transaction(org_id) as session:
            await steps.open_attempt(await driver_of(session), org_id, run_id, input.attempt)
            run = await runs.lock_run(session, org_id, run_id)
            ids = [await artifacts.put_artifact(session, org_id, run_id, new) for new in stored]
            await research.judge_sources(session, org_id, run_id, copies=checked.copies, trusted=checked.trusted)
            await research.number_sources(session, org_id, run_id, _numbers(checked.rendered))
            result = RenderReportResult(artifact_id=ids[0], value=kept)
            if await agents.record_step(session, org_id, _with_output(step, result.model_dump(mode="json"))):
                run.quality = quality.model_dump(mode="json")
                await session.flush()
                if more.output is not None:
                    await forms.put_output(session, org_id, run_id, more.output)
                text = f"Report written: {quality.sources_cited} sources cited, {quality.claims} statements"
                data = {"artifact_id": ids[0], "quality": run.quality}
                await events.append(session, org_id, run_id, NewEvent(EventType.REPORT_WRITTEN, text, data=data))
        return result

    async def _store(self, org_id: str, rendered: RenderedReport, more: Delivered) -> list[NewArtifact]:
        citations = rendered.sidecar.model_dump_json(indent=1)
        files = (
            (REPORT_NAME, "text/markdown", "The report", rendered.markdown),
            (CITATIONS_NAME, "application/json", "Every cited sentence with its spans", citations),
            *more.files,
        )
        stored = []
        for name, mime_type, description, text in files:
            ref = await self._put(org_id, "artifacts", text.encode(), mime_type)
            stored.append(NewArtifact(name, mime_type, ref, description))
        return stored

    async def _put(self, org_id: str, folder: str, data: bytes, mime_type: str) -> ObjectRef:
        return await self._objects.put(f"{org_id}/{folder}/{sha256_of(data)}", data, mime_type)

    async def _read(self, ref: ObjectRef, form: TypeAdapter[T]) -> T:
        return form.validate_json(await self._objects.get(ref))


def _planned(run: Run) -> tuple[Subtask, ...]:
    return tuple(Subtask.model_validate(item) for item in run.plan or [])


def _asked(run: Run) -> tuple[Subtask, ...]:
    return tuple(subtask for subtask in _planned(run) if not subtask.is_row)


def _by_id(claims: tuple[Claim, ...]) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims}


def _with_output(step: NewStep, output: dict[str, Any]) -> NewStep:
    return NewStep(**{**vars(step), "output": output})


async def _output_of(session: AsyncSession, org_id: str, operation_key: str) -> dict[str, Any] | None:
    step = await agents.find_step(session, org_id, operation_key)
    return step.output if step is not None else None


def _numbers(rendered: RenderedReport) -> dict[str, int]:
    return {source.snapshot_sha256: source.n for source in rendered.citations}
