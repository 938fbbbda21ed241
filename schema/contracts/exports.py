"""The ExportRun workflow: one file made of a finished run."""

from temporalio import activity, workflow

from schema.contracts.common import Contract, ObjectRef
from schema.contracts.deliverables import ExportFormat


class ExportRunInput(Contract):
    """One export, as its row says."""

    org_id: str
    run_id: str
    export_id: str
    format: ExportFormat


class BuiltExport(Contract):
    """The file, stored."""

    name: str
    """Of the artifact; a function of format and options."""
    mime_type: str
    object: ObjectRef


class FinishExportInput(ExportRunInput):
    """What was built."""

    built: BuiltExport


class FailExportInput(ExportRunInput):
    """Why there is no file."""

    code: str
    detail: str
    cancelled: bool = False


class ExportRunResult(Contract):
    """What became of the export."""

    status: str
    """`completed`, `failed`, `cancelled`."""


@workflow.defn(name="ExportRun")
class ExportRunWorkflow:
    """Stub of the workflow that exports a run; workflow id = export id."""

    @workflow.run
    async def run(self, input: ExportRunInput) -> ExportRunResult:
        """Build the file and record it as an artifact."""
        raise NotImplementedError


@activity.defn(name="run_export.build")
async def build_export(input: ExportRunInput) -> BuiltExport:
    """Collect the run's record, build the file in the sandbox and store it; a repeat stores the same bytes."""
    raise NotImplementedError


@activity.defn(name="run_export.finish")
async def finish_export(input: FinishExportInput) -> None:
    """Record the artifact and complete the export, in one transaction; a repeat changes nothing."""
    raise NotImplementedError


@activity.defn(name="run_export.fail")
async def fail_export(input: FailExportInput) -> None:
    """Close an export that has no file; a repeat changes nothing."""
    raise NotImplementedError
