"""The gate of a run: pause, resume, credits, finish, cancel.

The body passes through the gate between two parts of its work. The gatekeeper, a coroutine of its own, is the only
writer of `paused` and `resuming`.
"""

from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import AgentControl
    from schema.states import RunStatus, StatusDetail

    from workflows.attempt.records import Records
    from workflows.attempt.seats import Seats
    from workflows.attempt.state import Attempt


class Gate:
    """Opens and closes the way of the body and of the children."""

    def __init__(self, attempt: Attempt, records: Records, seats: Seats) -> None:
        self._attempt = attempt
        self._records = records
        self._seats = seats

    async def pass_through(self) -> None:
        """Let the body pass, or keep it while the run is paused.

        Raises:
            Stopped: the attempt is to stop.
        """
        attempt = self._attempt
        attempt.require_uncancelled()
        if attempt.pausing or attempt.status is not RunStatus.RUNNING:
            attempt.resting = True
            # Not before the gatekeeper is back at running: nothing else leads from paused to the end of the run.
            await workflow.wait_condition(
                lambda: attempt.cancelled() or (not attempt.pausing and attempt.status is RunStatus.RUNNING)
            )
            attempt.resting = False
            attempt.require_uncancelled()

    async def keep(self) -> None:
        """Move the run between running and paused, and budget between its children, until the attempt ends."""
        attempt = self._attempt
        while True:
            await attempt.wait_for(lambda: attempt.pausing or attempt.grantable() or attempt.starved())
            if attempt.over():
                return
            if attempt.grantable():
                await self._grant()
            elif attempt.pausing:
                await self._pause()
            else:
                await self._wait_for_credits()

    async def _grant(self) -> None:
        """Give agents that wait for budget what others left over, lowest number first.

        Each gets an equal share, since the others may come to wait as well, and its next step at least.
        """
        attempt = self._attempt
        share_pcr = attempt.pool_pcr // max(1, len(attempt.seats))
        for number, seat in sorted(attempt.seats.items()):
            if 0 < seat.needs_pcr <= attempt.pool_pcr:
                amount_pcr = max(seat.needs_pcr, min(share_pcr, attempt.pool_pcr))
                attempt.pool_pcr -= amount_pcr
                seat.budget_pcr += amount_pcr
                seat.needs_pcr, seat.parked = 0, False
                await self._seats.order(number, AgentControl(kind="grant", amount_pcr=amount_pcr))

    async def _pause(self) -> None:
        attempt = self._attempt
        attempt.pause_number += 1
        await self._seats.order_all(AgentControl(kind="pause", pause_number=attempt.pause_number))
        if not attempt.all_parked() and not attempt.over():
            attempt.detail = StatusDetail.PAUSING
            await self._records.project("Pausing: running steps are finishing")
            await attempt.wait_for(attempt.all_parked)
        if not attempt.over():
            await self._stay_paused(None, f"Run paused; {len(attempt.seats)} agents wait")

    async def _wait_for_credits(self) -> None:
        self._attempt.pausing = True
        await self._stay_paused(
            StatusDetail.WAITING_FOR_CREDITS,
            "The run has used what was held for it; resume it with more credits, finish it with what it has, or cancel",
        )

    async def _stay_paused(self, detail: StatusDetail | None, message: str) -> None:
        """Be paused until a resume, a finish, a cancel, or the organisation's limit."""
        attempt = self._attempt
        attempt.status, attempt.detail = RunStatus.PAUSED, detail
        await self._records.project(message)
        limit = timedelta(seconds=attempt.input.paused_max_s)
        if not await attempt.wait_for(lambda: not attempt.pausing, limit):
            await self.cancel("paused longer than the organisation allows")
        if attempt.over():
            return
        attempt.status, attempt.detail = RunStatus.RESUMING, None
        await self._records.project("Run resumes")
        kind: Literal["finish", "resume"] = "finish" if attempt.finishing else "resume"
        for number, seat in sorted(attempt.seats.items()):
            if kind == "finish" or not seat.needs_pcr:
                seat.parked, seat.needs_pcr = False, 0
            await self._seats.order(number, AgentControl(kind=kind))
        if attempt.over():
            return
        attempt.status = RunStatus.RUNNING
        await self._records.project("Run resumed")

    async def finish(self) -> None:
        """Let the children stop at their next step; the report is written with what there is."""
        attempt = self._attempt
        attempt.finishing, attempt.pausing = True, False
        if attempt.status is RunStatus.RUNNING:
            for number in sorted(attempt.seats):
                await self._seats.order(number, AgentControl(kind="finish"))

    async def cancel(self, reason: str) -> None:
        """Make the cancel state, then carry it to what is running; a second one finds it made."""
        attempt = self._attempt
        if attempt.over():
            return
        await self.stop(reason)
        attempt.detail = StatusDetail.CANCELLING
        try:
            await self._records.project("Cancelling")
        except FailureError as error:
            # Only the announcement is lost. The settlement says the same, and must not be kept from it.
            workflow.logger.warning("cancelling could not be shown: %s", error)

    async def stop(self, reason: str) -> None:
        """Stop the attempt and what runs for it, without a word of it in PostgreSQL."""
        self._attempt.cancel_reason = reason
        self._records.stop_call()
        await self._seats.cancel_all()
