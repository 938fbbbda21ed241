"""The live children of a run: each sits on a seat with a share of the budget, and takes orders by its number."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import AgentControl
    from schema.ids import agent_workflow_id, lane_workflow_id

    from workflows import children
    from workflows.attempt.state import Attempt, Seat

_Out = TypeVar("_Out")


class Seats:
    """Who sits where, and how to reach them."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.of_lanes = False
        """The run fills a table: its children are lanes, which start the agents."""

    async def run_all(self, children: Iterable[Awaitable[_Out]]) -> list[_Out]:
        """Wait for every child's coroutine; the first error is raised when all have ended."""
        self._attempt.resting = True
        ended = await asyncio.gather(*children, return_exceptions=True)
        self._attempt.resting = False
        results: list[_Out] = []
        for result in ended:
            if isinstance(result, BaseException):
                raise result
            results.append(result)
        return results

    async def take(self, number: int, share_pcr: int, sunk_pcr: int = 0) -> Seat | None:
        """Give a child that is about to start a seat, when no pause holds it; None when it is not to start at all."""
        attempt = self._attempt
        await workflow.wait_condition(lambda: attempt.cancelled() or not attempt.pausing)
        if attempt.cancelled() or attempt.finishing:
            attempt.pool_pcr += share_pcr
            return None
        seat = attempt.seats[number] = Seat(budget_pcr=share_pcr + sunk_pcr)
        return seat

    def leave(self, number: int) -> None:
        """Free the seat of a child that has ended."""
        del self._attempt.seats[number]

    def give_back(self, seat: Seat, spent_pcr: int) -> None:
        """Put what a child left of its budget back into the pool."""
        self._attempt.pool_pcr += max(0, seat.budget_pcr - spent_pcr)

    def require_some_success(self, *, any_done: bool) -> None:
        """Fail the try when every child failed.

        Raises:
            ApplicationError: with the code of the first failure, a retryable one before others.
        """
        # Neither done nor failed: a finish came before any agent began, and the report says so.
        failures = self._attempt.failures
        if not self._attempt.cancelled() and failures and not any_done:
            worst = sorted(failures.items())
            failure = next((item for _, item in worst if item.retryable), worst[0][1])
            raise ApplicationError(
                f"every agent failed; the first: {failure.detail}",
                type=failure.code,
                non_retryable=not failure.retryable,
            )

    # Orders.

    async def catch_up(self, number: int) -> None:
        """Give a child that was being started the orders that it missed."""
        attempt = self._attempt
        if attempt.cancelled():
            await children.cancel(self._id(number))
        elif attempt.pausing:
            await self.order(number, AgentControl(kind="pause", pause_number=attempt.pause_number))
        elif attempt.finishing:
            await self.order(number, AgentControl(kind="finish"))

    async def order(self, number: int, control: AgentControl) -> None:
        """Give one child an order."""
        await children.order(self._id(number), control)

    async def order_all(self, control: AgentControl) -> None:
        """Give every child an order, all at once."""
        await asyncio.gather(*(self.order(number, control) for number in sorted(self._attempt.seats)))

    async def cancel_all(self) -> None:
        """Cancel every child, all at once."""
        await asyncio.gather(*(children.cancel(self._id(number)) for number in sorted(self._attempt.seats)))

    def _id(self, number: int) -> str:
        make = lane_workflow_id if self.of_lanes else agent_workflow_id
        return make(self._attempt.input.run_id, number)
