"""The audit log's upkeep: Temporal Schedules start both workflows."""

from temporalio import activity, workflow

from schema.contracts.common import Contract


class CheckpointAuditResult(Contract):
    """What one round of checkpoints did."""

    made: int = 0
    failed: int = 0
    """Organisations whose checkpoint could not be made or stored now; the next round tries again."""


class MaintainAuditResult(Contract):
    """What one day's upkeep did and found."""

    partitions_made: int = 0
    months_archived: int = 0
    """Months of organisations that were put into the object store."""
    months_dropped: int = 0
    organisations_verified: int = 0
    findings: int = 0
    """What is wrong, over all organisations; each is logged as an error, and kept for `GET /audit/verification`."""


@workflow.defn(name="CheckpointAudit")
class CheckpointAuditWorkflow:
    """Stub of the workflow that signs where the chains stand."""

    @workflow.run
    async def run(self) -> CheckpointAuditResult:
        """Make one round."""
        raise NotImplementedError


@workflow.defn(name="MaintainAudit")
class MaintainAuditWorkflow:
    """Stub of the daily workflow: partitions, archive, verification."""

    @workflow.run
    async def run(self) -> MaintainAuditResult:
        """Make one round."""
        raise NotImplementedError


@activity.defn(name="audit.checkpoint")
async def checkpoint() -> CheckpointAuditResult:
    """Sign and store where every organisation's chains stand; idempotent per place where they stand."""
    raise NotImplementedError


@activity.defn(name="audit.maintain")
async def maintain() -> MaintainAuditResult:
    """Make months ahead, archive and drop those that are over seven years old, verify everything; idempotent."""
    raise NotImplementedError
