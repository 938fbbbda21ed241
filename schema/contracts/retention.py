"""Retention, erasure and export of data."""

from temporalio import activity, workflow

from schema.contracts.common import Contract


class RetentionResult(Contract):
    """What one pass did."""

    artifacts_archived: int = 0
    """Runs whose files moved to the archive."""
    runs_archived: int = 0
    archives_deleted: int = 0
    exports_deleted: int = 0
    documents_deleted: int = 0
    files_deleted: int = 0
    objects_deleted: int = 0
    requests_restarted: int = 0
    """Erasures and exports whose workflow was started again."""
    deferred: int = 0
    """What could not be done now, and is left to the next sweep."""
    more: bool = False
    """A batch was full: there is more to do."""


@workflow.defn(name="Retention")
class RetentionWorkflow:
    """Stub of the workflow that the schedule starts."""

    @workflow.run
    async def run(self) -> RetentionResult:
        """Sweep until nothing is due."""
        raise NotImplementedError


@activity.defn(name="retention.sweep")
async def sweep() -> RetentionResult:
    """Archive and delete a batch of what is due; every part is idempotent."""
    raise NotImplementedError


class OrphansResult(Contract):
    """What a walk through the bucket found."""

    looked_at: int = 0
    asked: int = 0
    """Objects that no row points to, and whose deletion was asked for."""


@workflow.defn(name="Orphans")
class OrphansWorkflow:
    """Stub of the workflow that a daily schedule starts."""

    @workflow.run
    async def run(self) -> OrphansResult:
        """Walk through the bucket once."""
        raise NotImplementedError


@activity.defn(name="retention.orphans")
async def find_orphans() -> OrphansResult:
    """Ask for the deletion of objects that no row points to; goes on from its heartbeat where it was stopped."""
    raise NotImplementedError


class EraseInput(Contract):
    """One erasure, as its row says."""

    org_id: str
    erasure_id: str
    user_id: str


class StopRunsResult(Contract):
    """How many of the person's runs still live."""

    live: int


class EraseBatchResult(Contract):
    """Whether there is more to erase."""

    more: bool


class FailErasureInput(Contract):
    """Why an erasure did not come to its end."""

    org_id: str
    erasure_id: str
    code: str
    detail: str


@workflow.defn(name="Erase")
class EraseWorkflow:
    """Stub of the workflow that erases a person's data; workflow id = erasure id."""

    @workflow.run
    async def run(self, input: EraseInput) -> None:
        """End the person's runs, erase them and their documents, then what names the person."""
        raise NotImplementedError


@activity.defn(name="erasure.stop_runs")
async def stop_runs(input: EraseInput) -> StopRunsResult:
    """Cancel the person's live runs; returns how many have not ended yet."""
    raise NotImplementedError


@activity.defn(name="erasure.erase")
async def erase_batch(input: EraseInput) -> EraseBatchResult:
    """Erase a batch of runs and documents, their histories in Temporal and their objects; a repeat finds nothing."""
    raise NotImplementedError


@activity.defn(name="erasure.finish")
async def finish_erasure(input: EraseInput) -> None:
    """Erase what names the person, and close the record; a repeat changes nothing."""
    raise NotImplementedError


@activity.defn(name="erasure.fail")
async def fail_erasure(input: FailErasureInput) -> None:
    """Close the record of an erasure that did not come to its end."""
    raise NotImplementedError


class ExportDataInput(Contract):
    """One export, as its row says."""

    org_id: str
    export_id: str
    user_id: str | None = None


@workflow.defn(name="ExportData")
class ExportDataWorkflow:
    """Stub of the workflow that makes an export; workflow id = export id."""

    @workflow.run
    async def run(self, input: ExportDataInput) -> None:
        """Make the export."""
        raise NotImplementedError


@activity.defn(name="exports.build")
async def build_export(input: ExportDataInput) -> None:
    """Write the ZIP, store it, and record it; a repeat changes nothing."""
    raise NotImplementedError
