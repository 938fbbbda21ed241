"""The reconciler: a Temporal Schedule starts its workflow every minute."""

from temporalio import activity, workflow

from schema.contracts.common import Contract


class ReconcileResult(Contract):
    """What one sweep repaired."""

    started: int = 0
    """Pending or retrying rows without a workflow, started."""
    closed: int = 0
    """Open rows whose workflow is closed, settled and closed."""
    holds_released: int = 0
    expired_unstarted: int = 0
    documents_restarted: int = 0
    files_restarted: int = 0
    exports_restarted: int = 0
    keys_deleted: int = 0
    approvals_told: int = 0
    """Decisions whose agents had not heard of them."""


@workflow.defn(name="Reconcile")
class ReconcileWorkflow:
    """Stub of the reconciler's workflow."""

    @workflow.run
    async def run(self) -> ReconcileResult:
        """Make one sweep."""
        raise NotImplementedError


@activity.defn(name="reconcile.sweep")
async def sweep() -> ReconcileResult:
    """Compare PostgreSQL with Temporal and repair; every repair is idempotent."""
    raise NotImplementedError
