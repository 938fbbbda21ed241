"""The activities of the ExportRun workflow: build the file, record it, or say why there is none."""

from temporalio import activity

from activities.deliverables import building
from activities.deliverables.collecting import Collected, collect
from activities.deliverables.formats import FORMS, filename
from activities.deliverables.look import Look
from activities.deliverables.pack import PackedUsage, write_pack
from infra.database import Database
from infra.objects import ObjectStore, sha256_of
from schema.contracts.common import ObjectRef
from schema.contracts.deliverables import ExportFormat, ExportOptions, ReportInputs
from schema.contracts.exports import BuiltExport, ExportRunInput, FailExportInput, FinishExportInput
from schema.errors import Gone, PayloadTooLarge
from schema.policies import EXPORT_BYTES_MAX
from schema.store import billing, chain, exports, snapshots


class RunExportActivities:
    """What the ExportRun workflow calls."""

    def __init__(self, db: Database, objects: ObjectStore) -> None:
        self._db = db
        self._objects = objects

    @activity.defn(name="run_export.build")
    async def build(self, input: ExportRunInput) -> BuiltExport:
        """Collect the run's record, build the file and store it under its hash; a repeat stores the same bytes.

        Raises:
            NotFound, Conflict, Gone: the run, or its report, is not there (any more).
            PartMissing: a library of the system is not there.
            PayloadTooLarge, SourceUnavailable: the file would be too large, or took too long.
            StorageUnavailable: PostgreSQL or the object store failed.
        """
        async with self._db.transaction(input.org_id) as session:
            found = await exports.get_export(session, input.org_id, input.export_id)
        options = ExportOptions.model_validate(found.export.options)
        collected = await collect(self._db, self._objects, input.org_id, input.run_id, options)
        activity.heartbeat()
        if input.format is ExportFormat.ZIP:
            data = await self._pack(input, collected)
        else:
            look = Look(
                theme=collected.theme,
                logo=await self._objects.get(collected.theme.logo) if collected.theme.logo else None,
                pictures=await building.draw(input.format, collected.record.figures),
                cover=collected.cover,
            )
            data = await building.build(
                input.format, collected.record, look, max_slides=options.max_slides, outline=collected.outline
            )
        form = FORMS[input.format]
        key = f"{input.org_id}/artifacts/{sha256_of(data)}"
        ref = await self._objects.put(key, data, form.mime_type)
        return BuiltExport(name=filename(input.format, options), mime_type=form.mime_type, object=ref)

    @activity.defn(name="run_export.finish")
    async def finish(self, input: FinishExportInput) -> None:
        """Record the artifact and complete the export, in one transaction; idempotency key: the export's id."""
        built = input.built
        async with self._db.transaction(input.org_id) as session:
            await exports.complete_export(
                session, input.org_id, input.export_id, name=built.name, mime_type=built.mime_type, file=built.object
            )

    @activity.defn(name="run_export.fail")
    async def fail(self, input: FailExportInput) -> None:
        """Close an export that has no file; a repeat changes nothing."""
        async with self._db.transaction(input.org_id) as session:
            await exports.fail_export(
                session,
                input.org_id,
                input.export_id,
                code=input.code,
                detail=input.detail,
                cancelled=input.cancelled,
            )

    async def _pack(self, input: ExportRunInput, collected: Collected) -> bytes:
        inputs = collected.inputs
        if inputs is None:
            raise Gone("What this run's report was made of was not kept; it can be exported as json, not as a pack.")
        texts = await self._texts(input.org_id, inputs)
        async with self._db.transaction(input.org_id) as session:
            ledger = await chain.ledger_of_run(session, input.org_id, input.run_id)
            usage = await billing.usage_of_run(session, input.org_id, input.run_id)
        # The record was read before: what was posted since (a refund) is another pack's, bill and all.
        billed = {entry.version for entry in collected.ledger}
        files = collected.record.artifacts
        if (size := sum(file.object.size_bytes for file in files)) > EXPORT_BYTES_MAX:
            raise PayloadTooLarge(f"The run's artifacts have {size:,} bytes; download them one by one.", limit=size)
        return write_pack(
            collected.record,
            report=collected.report,
            citations=collected.citations,
            inputs=inputs,
            snapshots=texts,
            ledger=[each for each in ledger if each[0].seq in billed],
            usage=[PackedUsage.model_validate(each.model_dump()) for each in usage],
            artifacts=[(file.name, await self._objects.get(file.object)) for file in files],
        )

    async def _texts(self, org_id: str, inputs: ReportInputs) -> dict[str, bytes]:
        """Return the texts of every source that a sentence or a cell of the report names."""
        named = _claims_named(inputs)
        hashes = sorted({claim.source.snapshot_sha256 for claim in inputs.claims if claim.id in named})
        async with self._db.transaction(org_id) as session:
            refs: list[ObjectRef] = await snapshots.snapshot_refs(session, org_id, hashes)
        return {ref.sha256: await self._objects.get(ref) for ref in refs}


def _claims_named(inputs: ReportInputs) -> set[str]:
    report = inputs.report
    sentences = [each for section in report.sections for paragraph in section.paragraphs for each in paragraph]
    named = {claim for each in (*sentences, *report.disclosures) for claim in each.claim_ids}
    for section in report.sections:
        if section.table is not None:
            named |= {claim for _, cells in section.table.rows for cell in cells for claim in cell.claim_ids}
    return named
