"""Upkeep of the audit log: checkpoints, months ahead and archived ones, verification. Every act is idempotent."""

import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from temporalio import activity

from infra.database import Database
from infra.evidence import Evidence
from schema.contracts.audit import CheckpointAuditResult, MaintainAuditResult
from schema.policies import AUDIT_MONTHS_AHEAD
from schema.store import audit, chain

log = structlog.get_logger(__name__)


class AuditActivities:
    """What the schedules of the audit log do."""

    def __init__(self, db: Database, evidence: Evidence) -> None:
        self._db = db
        self._evidence = evidence

    @activity.defn(name="audit.checkpoint")
    async def checkpoint(self) -> CheckpointAuditResult:
        """Sign where every organisation's chains stand; one that fails does not stop the others."""
        if not self._evidence.can_anchor:
            log.warning("audit.unanchored", reason="SWISSBRAIN_AUDIT_SIGNING_KEYS is not set")
            return CheckpointAuditResult()
        await self._evidence.prepare()
        made = failed = 0
        for org_id in await self._evidence.organisations():
            activity.heartbeat()
            try:
                made += await self._evidence.checkpoint(org_id) is not None
            except Exception:
                failed += 1
                log.error("audit.checkpoint_failed", org_id=org_id, exc_info=True)
        return CheckpointAuditResult(made=made, failed=failed)

    @activity.defn(name="audit.maintain")
    async def maintain(self) -> MaintainAuditResult:
        """Make months ahead; verify; archive and drop what is over seven years old and holds."""
        async with self._db.transaction(None) as session:
            made = await chain.ensure_partitions(session, months=AUDIT_MONTHS_AHEAD)
            ended = await chain.ended_months(session)
        organisations = await self._evidence.organisations()
        findings = await self.verify_all(organisations)
        archived = dropped = 0
        if ended and (findings or not self._evidence.can_anchor):
            log.error("audit.months_kept", months=len(ended), findings=findings, anchored=self._evidence.can_anchor)
            ended = []
        for month in ended:
            for org_id in organisations:
                activity.heartbeat()
                archived += await self._archive(org_id, month)
            async with self._db.transaction(None) as session:
                await chain.drop_month(session, month)
            dropped += 1
            log.info("audit.month_dropped", month=month.isoformat())
        return MaintainAuditResult(
            partitions_made=made,
            months_archived=archived,
            months_dropped=dropped,
            organisations_verified=len(organisations),
            findings=findings,
        )

    async def verify_all(self, organisations: Sequence[str]) -> int:
        """Verify organisations, keep and log what is found; returns how many things are wrong."""
        wrong = 0
        for org_id in organisations:
            activity.heartbeat()
            verified = await self._evidence.verify(org_id)
            async with self._db.transaction(org_id) as session:
                await audit.put_verification(session, org_id, counts=verified.counts(), findings=verified.findings)
            for finding in verified.findings:
                log.error("audit.broken", **finding.as_json())
            wrong += len(verified.findings)
        return wrong

    async def _archive(self, org_id: str, month: datetime) -> bool:
        """Put a month of an organisation into the object store, and sign that its log may begin after it."""
        async with self._db.transaction(org_id) as session:
            known = await chain.get_archive(session, org_id, month)
            if known is not None:
                return False
            packed, span = io.BytesIO(), chain.Span()
            with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
                async for lines in chain.read_month(session, org_id, month):
                    span.add(lines)
                    file.writelines(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        if span.entries == 0:
            return False
        key = f"archives/{org_id}/{month.astimezone(UTC):%Y-%m}.jsonl.gz"
        stored = await self._evidence.archive(key, packed.getvalue())
        await self._evidence.checkpoint(org_id, cut=(span.last, span.hash))
        async with self._db.transaction(org_id) as session:
            await chain.put_archive(session, org_id, month, span, stored)
        return True
