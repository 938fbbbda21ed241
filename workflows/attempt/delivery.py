"""What a run hands over: its report, made in stages."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from schema.contracts import run as contract
    from schema.contracts.run import (
        MergeClaimsInput,
        OutlineDeckInput,
        PlanRunResult,
        RenderReportInput,
        ResolveConflictsInput,
        WordedReport,
        WriteReportInput,
    )
    from schema.policies import MODEL_TIMEOUT, OUTLINE_STEP, REPORT_STAGES, REPORT_TIMEOUT

    from workflows._support import failure_of, is_cancelled
    from workflows.attempt.gate import Gate
    from workflows.attempt.records import Records
    from workflows.attempt.state import Attempt

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Delivery:
    """Makes the report; each stage keeps its result under its own key, and none is paid for twice."""

    def __init__(self, attempt: Attempt, records: Records, gate: Gate) -> None:
        self._attempt = attempt
        self._records = records
        self._gate = gate
        self._begun = False
        self._edition = 0

    async def run(self, plan: PlanRunResult, *, anew: bool) -> None:
        """Make the report, or go on with the one that was begun.

        Args:
            plan: what was planned.
            anew: agents ran since the last call and may have found more; a report that was begun before is begun
                anew, under keys of its own.
        """
        self._edition += anew and self._begun
        self._begun = True
        if plan.table is not None:
            # Every cell has its evidence already: there is nothing to merge or to word.
            await self._stage("render", contract.render_report, RenderReportInput, REPORT_TIMEOUT)
            return
        findings = await self._stage("merge", contract.merge_claims, MergeClaimsInput, MODEL_TIMEOUT)
        conflicts = await self._stage(
            "resolve", contract.resolve_conflicts, ResolveConflictsInput, MODEL_TIMEOUT, findings=findings.value
        )
        report = await self._stage(
            "write",
            contract.write_report,
            WriteReportInput,
            REPORT_TIMEOUT,
            findings=findings.value,
            conflicts=conflicts.value,
            missing=self._missing(plan),
        )
        await self._stage(
            "render",
            contract.render_report,
            RenderReportInput,
            REPORT_TIMEOUT,
            worded=WordedReport(findings=findings.value, conflicts=conflicts.value, report=report.value),
        )
        if plan.outlined:
            await self._outline()

    async def _outline(self) -> None:
        """Have the deck's slides planned; where the model fails, the rules plan them when the deck is built."""
        await self._gate.pass_through()
        number = OUTLINE_STEP + self._edition
        input = OutlineDeckInput(**self._attempt.ref(), operation_key=self._attempt.key("outline", number), step=number)
        try:
            await self._records.call(contract.outline_deck, input, MODEL_TIMEOUT, "outline")
        except ActivityError as error:
            if is_cancelled(error) or self._attempt.cancelled():
                raise
            workflow.logger.warning("the deck is planned by rule: %s", failure_of(error).detail)

    async def _stage(
        self,
        kind: str,
        activity: Callable[[_In], Awaitable[_Out]],
        make: Callable[..., _In],
        timeout: timedelta,
        **fields: Any,
    ) -> _Out:
        await self._gate.pass_through()
        number = 1 + len(REPORT_STAGES) * self._edition + REPORT_STAGES.index(kind)
        key = self._attempt.key(kind, number)
        input = make(**self._attempt.ref(), operation_key=key, step=number, **fields)
        return await self._records.call(activity, input, timeout, kind)

    def _missing(self, plan: PlanRunResult) -> tuple[str, ...]:
        failures, done = self._attempt.failures, self._attempt.done
        return tuple(
            f"{agent.subtask.title}: the agent failed ({failure.code})"
            if (failure := failures.get(agent.subtask.number))
            else f"{agent.subtask.title}: the run was finished before its agent began"
            for agent in plan.agents
            if agent.subtask.number not in done
        )
