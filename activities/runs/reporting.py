"""The report, in four stages: merge, resolve, write, render. Each leaves its result, so that none is paid for twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.agents.thinking import brief_of
from activities.research.citations import RenderedReport, render_report
from activities.research.journal import journalled
from activities.research.reasoner import Reasoner
from activities.runs.calls import CallJournal
from activities.usage import reasoner_usage
from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef, Tokens
from schema.contracts.research import Claim, Conflict, Finding, Reasoned, Report, Subtask
from schema.contracts.run import (
    MergeClaimsInput,
    RenderReportInput,
    RenderReportResult,
    ReportStageResult,
    ResolveConflictsInput,
    WriteReportInput,
)
from schema.events import EventType
from schema.store import agents, artifacts, billing, clock, documents, events, research, runs
from schema.store.agents import NewStep
from schema.store.artifacts import NewArtifact
from schema.store.events import NewEvent
from schema.tables.runs import Run

REPORT_NAME = "research_report.md"
CITATIONS_NAME = "citations.json"

_FINDINGS: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])
_CONFLICTS: TypeAdapter[tuple[Conflict, ...]] = TypeAdapter(tuple[Conflict, ...])
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)

T = TypeVar("T")
StageInput = MergeClaimsInput | ResolveConflictsInput | WriteReportInput


class ReportActivities:
    """The run's report.

    Every stage's idempotency key is its `operation_key`; once recorded, a repeat returns the recorded result. Within
    a stage each model call is kept as well (`CallJournal`), so that a stage of many calls survives its worker.

    All of them raise:
        ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: the model failed.
        StorageUnavailable: the object store or PostgreSQL failed.
        HoldClosed: the attempt was settled meanwhile.
    """

    def __init__(self, db: Database, objects: ObjectStore, live: Live, reasoner: Reasoner) -> None:
        self._db = db
        self._objects = objects
        self._live = live
        self._reasoner = reasoner

    @activity.defn(name="report.merge")
    async def merge(self, input: MergeClaimsInput) -> ReportStageResult:
        """Put claims that say the same into findings."""

        async def work(run: Run, claims: tuple[Claim, ...]) -> Reasoned[tuple[Finding, ...]]:
            return await self._reasoner.merge(brief_of(run), claims)

        return await self._stage(input, "merge", _FINDINGS, work)

    @activity.defn(name="report.resolve")
    async def resolve(self, input: ResolveConflictsInput) -> ReportStageResult:
        """Find what the findings disagree about, and choose."""
        findings = await self._read(input.findings, _FINDINGS)

        async def work(run: Run, claims: tuple[Claim, ...]) -> Reasoned[tuple[Conflict, ...]]:
            return await self._reasoner.resolve_conflicts(brief_of(run), findings, _by_id(claims))

        return await self._stage(input, "resolve", _CONFLICTS, work)

    @activity.defn(name="report.write")
    async def write(self, input: WriteReportInput) -> ReportStageResult:
        """Word the report; it is not checked yet."""
        findings = await self._read(input.findings, _FINDINGS)
        conflicts = await self._read(input.conflicts, _CONFLICTS)

        async def work(run: Run, claims: tuple[Claim, ...]) -> Reasoned[Report]:
            subtasks = tuple(Subtask.model_validate(item) for item in run.plan or [])
            return await self._reasoner.write_report(
                brief_of(run), subtasks, findings, conflicts, _by_id(claims), input.missing
            )

        return await self._stage(input, "write", _REPORT, work)

    @activity.defn(name="report.render")
    async def render(self, input: RenderReportInput) -> RenderReportResult:
        """Pass the report through the citation gate, and store what passed."""
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return RenderReportResult.model_validate(recorded.output)
            run = await runs.get_run(session, input.org_id, input.run_id)
            claims = await research.claims_of(session, input.org_id, input.run_id)
            read = await research.count_sources(session, input.org_id, input.run_id)
            refs = await documents.snapshot_refs(
                session, input.org_id, sorted({claim.source.snapshot_sha256 for claim in claims})
            )
        snapshots = {ref.sha256: (await self._objects.get(ref)).decode() for ref in refs}
        conflicts = await self._read(input.conflicts, _CONFLICTS)
        # Seconds of work in a large run: on the event loop it would hold up every heartbeat of this process.
        rendered = await asyncio.to_thread(
            render_report,
            await self._read(input.report, _REPORT),
            _by_id(claims),
            snapshots.__getitem__,
            brief=brief_of(run),
            conflicts=len(conflicts),
            sources_read=read,
        )
        stored = await self._store(input.org_id, rendered)
        step = NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=0,
            sequence_number=input.step,
            kind="render",
            name="render",
            operation_key=input.operation_key,
            started_at=started_at,
            input={"claims": len(claims)},
        )
        result = await self._record_report(input, rendered, stored, step)
        await self._live.publish(input.run_id)
        return result

    async def _stage(
        self,
        input: StageInput,
        kind: str,
        form: TypeAdapter[T],
        work: Callable[[Run, tuple[Claim, ...]], Awaitable[Reasoned[T]]],
    ) -> ReportStageResult:
        """Do the work of one stage once, and keep what it came to."""
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return ReportStageResult.model_validate(recorded.output)
            run = await runs.get_run(session, input.org_id, input.run_id)
            claims = await research.claims_of(session, input.org_id, input.run_id)
        calls = CallJournal(
            self._db,
            self._objects,
            input,
            operation_key=input.operation_key,
            step=input.step,
            reasoner=self._reasoner.name,
        )
        with journalled(calls):
            reasoned = await work(run, claims)
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
            input={"claims": len(claims)},
        )
        return await self._record_stage(input, ref, reasoned.tokens, calls, step)

    async def _record_stage(
        self, input: StageInput, ref: ObjectRef, tokens: Tokens, calls: CallJournal, step: NewStep
    ) -> ReportStageResult:
        rest = Tokens(input=tokens.input - calls.tokens.input, output=tokens.output - calls.tokens.output)
        usage = reasoner_usage(input.operation_key, self._reasoner.name, rest)
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            await runs.lock_attempt(session, org_id, run_id, input.attempt)
            spent_pcr = calls.spent_pcr
            if rest.total or not calls.tokens.total:
                spent_pcr += await billing.meter(
                    session, org_id, run_id=run_id, attempt=input.attempt, agent_number=0, items=[usage]
                )
            result = ReportStageResult(value=ref, spent_pcr=spent_pcr)
            if await agents.record_step(session, org_id, _with_output(step, result.model_dump(mode="json"))):
                await agents.add_tokens(session, org_id, run_id, rest.total)
                return result
            # Another try of this activity was first: what it kept is what the stage came to.
            return ReportStageResult.model_validate(await _output_of(session, org_id, input.operation_key))

    async def _record_report(
        self, input: RenderReportInput, rendered: RenderedReport, stored: list[NewArtifact], step: NewStep
    ) -> RenderReportResult:
        quality = rendered.quality
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            run = await runs.lock_attempt(session, org_id, run_id, input.attempt)
            ids = [await artifacts.put_artifact(session, org_id, run_id, new) for new in stored]
            await research.number_sources(session, org_id, run_id, _numbers(rendered))
            result = RenderReportResult(artifact_id=ids[0])
            if await agents.record_step(session, org_id, _with_output(step, result.model_dump(mode="json"))):
                run.quality = quality.model_dump(mode="json")
                await session.flush()
                text = f"Report written: {quality.sources_cited} sources cited, {quality.claims} statements"
                data = {"artifact_id": ids[0], "quality": run.quality}
                await events.append(session, org_id, run_id, NewEvent(EventType.REPORT_WRITTEN, text, data=data))
        return result

    async def _store(self, org_id: str, rendered: RenderedReport) -> list[NewArtifact]:
        citations = rendered.sidecar.model_dump_json(indent=1)
        files = (
            (REPORT_NAME, "text/markdown", "The report", rendered.markdown),
            (CITATIONS_NAME, "application/json", "Every cited sentence with its spans", citations),
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


def _by_id(claims: tuple[Claim, ...]) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims}


def _with_output(step: NewStep, output: dict[str, Any]) -> NewStep:
    return NewStep(**{**vars(step), "output": output})


async def _output_of(session: AsyncSession, org_id: str, operation_key: str) -> dict[str, Any] | None:
    step = await agents.find_step(session, org_id, operation_key)
    return step.output if step is not None else None


def _numbers(rendered: RenderedReport) -> dict[str, int]:
    return {source.snapshot_sha256: source.n for source in rendered.citations}
