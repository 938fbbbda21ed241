"""The reconciler's workflow: one sweep; a Temporal Schedule starts it every minute, never two at once."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from schema.contracts import reconcile as contract
    from schema.contracts.reconcile import ReconcileResult
    from schema.policies import TaskQueue

    from workflows._support import queue


@workflow.defn(name="Reconcile")
class ReconcileWorkflow:
    """One sweep of the reconciler."""

    @workflow.run
    async def run(self) -> ReconcileResult:
        """Compare PostgreSQL with Temporal and repair; a sweep that fails is made again by the next minute's."""
        return await workflow.execute_activity(
            contract.sweep,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=timedelta(minutes=2),
            heartbeat_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(maximum_attempts=3),
            summary="sweep",
        )
