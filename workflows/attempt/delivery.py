"""What a run hands over: its report, made in stages."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from schema.contracts import run as contract
    from schema.contracts.run import (
        IllustrateDeckInput,
        MergeClaimsInput,
        OutlineDeckInput,
        PlanRunResult,
        RenderReportInput,
        ResolveConflictsInput,
        WordedReport,
        WriteReportInput,
    )
    from schema.policies import ILLUSTRATE_STEP, MODEL_TIMEOUT, OUTLINE_STEP, REPORT_STAGES, REPORT_TIMEOUT

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
            await self._extra("outline", contract.outline_deck, OutlineDeckInput, OUTLINE_STEP)
        if plan.illustrated:
            await self._extra("illustrate", contract.illustrate_deck, IllustrateDeckInput, ILLUSTRATE_STEP)

    async def _extra(
        self, kind: str, activity: Callable[[_In], Awaitable[_Out]], make: Callable[..., _In], first: int
    ) -> None:
        """Do what a deck is better with, and can do without: where its model fails, the run completes all the same."""
        await self._gate.pass_through()
        number = first + self._edition
        input = make(**self._attempt.ref(), operation_key=self._attempt.key(kind, number), step=number)
        try:
            await self._records.call(activity, input, MODEL_TIMEOUT, kind)
        except ActivityError as error:
            if is_cancelled(error) or self._attempt.cancelled():
                raise
            workflow.logger.warning("the deck goes without %s: %s", kind, failure_of(error).detail)

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
