"""The report: merged, resolved and written from what the agents left, and stored as artifacts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from temporalio import activity

from activities.agents.thinking import brief_of
from activities.research.citations import RenderedReport, render_report
from activities.research.copies import copy_groups
from activities.research.corroboration import corroborated_trust, marked, with_trust
from activities.research.reasoner import Reasoner
from activities.runs.forms import OUTPUT_JSON, TABLE_CSV, TABLE_JSON, output_of, table_csv, table_json, table_report
from activities.usage import reasoner_usage
from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef, Tokens
from schema.contracts.research import Brief, Claim, Subtask
from schema.contracts.run import WriteReportInput, WriteReportResult
from schema.events import EventType
from schema.store import agents, artifacts, billing, clock, documents, events, forms, research, runs
from schema.store.agents import NewStep
from schema.store.artifacts import NewArtifact
from schema.store.events import NewEvent
from schema.store.forms import RowState
from schema.tables.forms import RunForm

REPORT_NAME = "research_report.md"
CITATIONS_NAME = "citations.json"


@dataclass(frozen=True)
class _Written:
    """A report and what it cost."""

    rendered: RenderedReport
    tokens: Tokens
    trusted: Mapping[str, tuple[float, str]]
    """Snapshot -> the trust that agreement raised, and why."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """Snapshot of a copy -> snapshot of its original."""


class ReportActivities:
    """The run's report."""

    def __init__(self, db: Database, objects: ObjectStore, live: Live, reasoner: Reasoner) -> None:
        self._db = db
        self._objects = objects
        self._live = live
        self._reasoner = reasoner

    @activity.defn(name="run.report")
    async def write(self, input: WriteReportInput) -> WriteReportResult:
        """Write and store the report.

        Idempotency key: `operation_key`; once recorded, a repeat returns the recorded result without writing again.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: the model failed.
            StorageUnavailable: the object store or PostgreSQL failed.
            HoldClosed: the attempt was settled meanwhile.
        """
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return WriteReportResult.model_validate(recorded.output)
            run = await runs.get_run(session, input.org_id, input.run_id)
            claims = await research.claims_of(session, input.org_id, input.run_id)
            sources = await research.read_sources(session, input.org_id, input.run_id)
            prints = await documents.fingerprints(session, input.org_id, [source.snapshot_sha256 for source in sources])
            refs = await documents.snapshot_refs(
                session, input.org_id, sorted({claim.source.snapshot_sha256 for claim in claims})
            )
        subtasks = tuple(Subtask.model_validate(item) for item in run.plan or [])
        snapshots = {ref.sha256: (await self._objects.get(ref)).decode() for ref in refs}
        copies = await asyncio.to_thread(copy_groups, sources, prints)
        claims = marked(claims, copies)
        written = await self._write(brief_of(run), subtasks, claims, snapshots, input.missing, len(sources))
        written = replace(written, copies=copies)
        stored = await self._store(input.org_id, written.rendered)
        step = NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=0,
            sequence_number=1,
            kind="report",
            name="report",
            operation_key=input.operation_key,
            started_at=started_at,
            input={"claims": len(claims), "missing": list(input.missing)},
        )
        result = await self._record(input, written, stored, step, delivered.output)
        await self._live.publish(input.run_id)
        return result

    async def _write(
        self,
        brief: Brief,
        subtasks: tuple[Subtask, ...],
        claims: tuple[Claim, ...],
        snapshots: dict[str, str],
        missing: tuple[str, ...],
        sources_read: int,
    ) -> _Written:
        by_id = {claim.id: claim for claim in claims}
        merged = await self._reasoner.merge(brief, claims)
        trusted = corroborated_trust(merged.value, by_id)
        by_id = {claim_id: with_trust(claim, trusted) for claim_id, claim in by_id.items()}
        resolved = await self._reasoner.resolve_conflicts(brief, merged.value, by_id)
        report = await self._reasoner.write_report(brief, subtasks, merged.value, resolved.value, by_id, missing)
        # Seconds of work in a large run: on the event loop it would hold up every heartbeat of this process.
        rendered = await asyncio.to_thread(
            render_report,
            report.value,
            by_id,
            snapshots.__getitem__,
            brief=brief,
            conflicts=len(resolved.value),
            sources_read=sources_read,
        )
        return _Written(rendered, merged.tokens + resolved.tokens + report.tokens, trusted)

    async def _write_table(
        self,
        brief: Brief,
        form: RunForm,
        rows: list[RowState],
        claims: tuple[Claim, ...],
        snapshots: dict[str, str],
        sources_read: int,
    ) -> _Written:
        """Write the report of a table: by code, since every cell has its evidence already."""
        rendered = await asyncio.to_thread(
            render_report,
            table_report(brief, forms.columns_of(form), rows),
            {claim.id: claim for claim in claims},
            snapshots.__getitem__,
            brief=brief,
            conflicts=sum(bool(cell.conflict) for row in rows for cell in row.cells),
            sources_read=sources_read,
        )
        return _Written(rendered, Tokens())

    async def _store(
        self, org_id: str, rendered: RenderedReport, delivered: Sequence[tuple[str, str, str, str]] = ()
    ) -> list[NewArtifact]:
        citations = rendered.sidecar.model_dump_json(indent=1)
        files = (
            (REPORT_NAME, "text/markdown", "The report", rendered.markdown),
            (CITATIONS_NAME, "application/json", "Every cited sentence with its spans", citations),
            *delivered,
        )
        stored = []
        for name, mime_type, description, text in files:
            ref = await self._put(org_id, text, mime_type)
            stored.append(NewArtifact(name, mime_type, ref, description))
        return stored

    async def _put(self, org_id: str, text: str, mime_type: str) -> ObjectRef:
        data = text.encode()
        return await self._objects.put(f"{org_id}/artifacts/{sha256_of(data)}", data, mime_type)

    async def _record(
        self,
        input: WriteReportInput,
        written: _Written,
        stored: list[NewArtifact],
        step: NewStep,
        output: dict[str, Any] | None = None,
    ) -> WriteReportResult:
        tokens, quality = written.tokens, written.rendered.quality
        usage = reasoner_usage(input.operation_key, self._reasoner.name, tokens)
        org_id, run_id = input.org_id, input.run_id
        async with self._db.transaction(org_id) as session:
            run = await runs.lock_run(session, org_id, run_id)
            spent_pcr = await billing.meter(
                session, org_id, run_id=run_id, attempt=input.attempt, agent_number=0, items=[usage]
            )
            ids = [await artifacts.put_artifact(session, org_id, run_id, new) for new in stored]
            await research.judge_sources(session, org_id, run_id, copies=written.copies, trusted=written.trusted)
            await research.number_sources(session, org_id, run_id, _numbers(written.rendered))
            result = WriteReportResult(artifact_id=ids[0], spent_pcr=spent_pcr)
            recorded = NewStep(**{**vars(step), "output": result.model_dump(mode="json")})
            if await agents.record_step(session, org_id, recorded):
                run.quality = quality.model_dump(mode="json")
                await session.flush()
                if output is not None:
                    await forms.put_output(session, org_id, run_id, output)
                await agents.add_tokens(session, org_id, run_id, tokens.total)
                text = f"Report written: {quality.sources_cited} sources cited, {quality.claims} statements"
                data = {"artifact_id": ids[0], "quality": run.quality}
                await events.append(session, org_id, run_id, NewEvent(EventType.REPORT_WRITTEN, text, data=data))
        return result


@dataclass(frozen=True)
class _Delivered:
    """What a run delivers beside its report."""

    files: tuple[tuple[str, str, str, str], ...] = ()
    """(name, MIME type, description, text)."""
    output: dict[str, Any] | None = None


def _delivered(form: RunForm | None, rows: list[RowState]) -> _Delivered:
    if form is None:
        return _Delivered()
    columns = forms.columns_of(form)
    if form.kind == forms.TABLE:
        return _Delivered(
            (
                (TABLE_CSV, "text/csv", "The table, values only", table_csv(columns, rows)),
                (
                    TABLE_JSON,
                    "application/json",
                    "The table with the evidence of every cell",
                    table_json(columns, rows),
                ),
            )
        )
    cells = rows[0].cells if rows else ()
    reason = str((rows[0].error or {}).get("detail") or "its agent did not finish") if rows else "it was not planned"
    output = output_of(form.output_schema or {}, forms.fields_of(form), cells, reason)
    text = json.dumps(output, ensure_ascii=False, indent=1)
    return _Delivered(((OUTPUT_JSON, "application/json", "The structured output, with evidence", text),), output)


def _numbers(rendered: RenderedReport) -> dict[str, int]:
    return {source.snapshot_sha256: source.n for source in rendered.citations}
