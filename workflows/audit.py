"""The audit log's upkeep: schedules start these workflows, never two of one kind at once."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from schema.contracts import audit as contract
    from schema.contracts.audit import CheckpointAuditResult, MaintainAuditResult
    from schema.policies import AUDIT_CHECKPOINT_TIMEOUT, AUDIT_MAINTAIN_TIMEOUT, TaskQueue

    from workflows._support import queue


@workflow.defn(name="CheckpointAudit")
class CheckpointAuditWorkflow:
    """One round of signed checkpoints."""

    @workflow.run
    async def run(self) -> CheckpointAuditResult:
        """Sign where every chain stands; what fails is made up for by the next round."""
        return await workflow.execute_activity(
            contract.checkpoint,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=AUDIT_CHECKPOINT_TIMEOUT,
            heartbeat_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(maximum_attempts=3),
            summary="sign checkpoints",
        )


@workflow.defn(name="MaintainAudit")
class MaintainAuditWorkflow:
    """One day's upkeep."""

    @workflow.run
    async def run(self) -> MaintainAuditResult:
        """Make months ahead, verify everything, archive and drop what is over seven years old."""
        return await workflow.execute_activity(
            contract.maintain,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=AUDIT_MAINTAIN_TIMEOUT,
            heartbeat_timeout=timedelta(minutes=10),
            retry_policy=RetryPolicy(maximum_attempts=3),
            summary="verify and keep the months",
        )
