"""The lanes of a run that fills a table: a child workflow for each part of its rows; see `workflows/lane.py`."""

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from schema.contracts.tables import ExecuteLaneInput, TablePlan
    from schema.policies import AGENTS_BUDGET_SHARE_PERCENT, AGENTS_PARALLEL_MAX, TABLE_ROW_STEPS_MAX

    from workflows import children
    from workflows._support import Failure, failure_of
    from workflows.attempt.seats import Seats
    from workflows.attempt.state import Attempt


class Lanes:
    """Runs the lanes of a table."""

    def __init__(self, attempt: Attempt, seats: Seats) -> None:
        self._attempt = attempt
        self._seats = seats

    async def run(self, table: TablePlan, tools: tuple[str, ...]) -> bool:
        """Fill the table that was planned; rows that failed are the report's to tell. Tell whether any lane ran."""
        attempt = self._attempt
        lanes = min(table.lanes, AGENTS_PARALLEL_MAX, len(table.waiting))
        if not lanes:
            return False
        self._seats.of_lanes = True
        attempt.failures.clear()
        # A row per lane in turn: the rows are done about in their order.
        parts = [table.waiting[first::lanes] for first in range(lanes)]
        tokens = max(1, attempt.input.tokens_max * AGENTS_BUDGET_SHARE_PERCENT // 100 // table.rows)
        pool_pcr, waiting = attempt.pool_pcr, len(table.waiting)
        shares = [pool_pcr * len(rows) // waiting for rows in parts]
        attempt.pool_pcr -= sum(shares)
        counts = await self._seats.run_all(
            self._run_one(lane, rows, tools, share_pcr, tokens)
            for lane, (rows, share_pcr) in enumerate(zip(parts, shares, strict=True), 1)
        )
        done = table.rows - waiting + sum(counts)
        self._seats.require_some_success(any_done=done > 0)
        return True

    async def _run_one(
        self, lane: int, rows: tuple[int, ...], tools: tuple[str, ...], share_pcr: int, tokens: int
    ) -> int:
        """Run one lane; returns how many rows it did."""
        attempt = self._attempt
        seat = await self._seats.take(lane, share_pcr)
        if seat is None:
            return 0
        try:
            input = ExecuteLaneInput(
                **attempt.ref(),
                lane=lane,
                rows=rows,
                tools=tools,
                budget_pcr=share_pcr,
                tokens_max=tokens,
                steps_max=TABLE_ROW_STEPS_MAX,
            )
            handle = await children.start_lane(input, attempt.cancelled)
            await self._seats.catch_up(lane)
            result = await handle
            self._seats.give_back(seat, result.spent_pcr)
            if (facts := result.failure) is not None:
                attempt.failures[lane] = Failure(facts.code, facts.detail, facts.retryable)
            return result.done
        except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
            if not attempt.cancelled():
                attempt.failures[lane] = failure_of(error)
            return 0
        finally:
            self._seats.leave(lane)
