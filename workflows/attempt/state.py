"""What one attempt of a run knows of itself. It starts no command of Temporal; every wait of the run is said with it.

Cancel is state, not an exception: whoever waits in an attempt says with `wait_for` what it waits for, and looks
afterwards whether a cancel or the end came first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from schema.contracts.run import ExecuteRunInput, RunView, SettleRunResult
    from schema.ids import operation_key
    from schema.money import PCR_PER_UCR
    from schema.policies import AGENTS_BUDGET_SHARE_PERCENT
    from schema.states import RunStatus, StatusDetail

    from workflows._support import Failure, wait_until


class Stopped(Exception):
    """The body met a cancel at a gate."""


@dataclass
class Seat:
    """What the run knows of one live child: an agent, or the lane of a table."""

    budget_pcr: int
    parked: bool = False
    needs_pcr: int = 0


class Attempt:
    """The state that the body, the gatekeeper and the messages share."""

    def __init__(self, input: ExecuteRunInput) -> None:
        self.input = input
        self.status = RunStatus.RETRYING if input.retried else RunStatus.PENDING
        self.shown = self.status
        """The status that PostgreSQL has."""
        self.detail: StatusDetail | None = None
        self.seq = 0
        """Number of the last projection."""
        self.tries = 0
        self.pausing = False
        self.pause_number = 0
        self.finishing = False
        self.closing = False
        """Past the last gate: only the settlement is to come."""
        self.cancel_reason: str | None = None
        self.settlement: SettleRunResult | None = None
        self.resting = False
        """The body does nothing but wait: for its children, or at the gate."""
        self.seats: dict[int, Seat] = {}
        self.done: set[int] = set()
        """Numbers of the agents that are done."""
        self.failures: dict[int, Failure] = {}
        self.hold_ucr = input.hold_ucr
        self.pool_pcr = input.hold_ucr * PCR_PER_UCR * AGENTS_BUDGET_SHARE_PERCENT // 100
        """What no child has, of what the children may spend."""

    def cancelled(self) -> bool:
        """Tell whether the attempt is to stop, for whatever reason."""
        return self.cancel_reason is not None

    def over(self) -> bool:
        """Tell whether the attempt ends: nothing more is started for it."""
        return self.closing or self.cancelled()

    def all_parked(self) -> bool:
        """Tell whether nothing of the run is at work."""
        return self.resting and all(seat.parked for seat in self.seats.values())

    def grantable(self) -> bool:
        """Tell whether a child waits for budget that is there."""
        return any(0 < seat.needs_pcr <= self.pool_pcr for seat in self.seats.values())

    def starved(self) -> bool:
        """Tell whether every live child waits, and no budget is left for any of them."""
        return (
            bool(self.seats)
            and not self.finishing
            and self.all_parked()
            and any(seat.needs_pcr > self.pool_pcr for seat in self.seats.values())
        )

    async def wait_for(self, told: Callable[[], bool], within: timedelta | None = None) -> bool:
        """Wait for a message (what a handler notes, `told` tells), or for the attempt's end.

        It holds no activity and no worker, and may last for weeks. False when `within` passed first; the caller asks
        `over` whether the end came instead of the message.
        """
        return await wait_until(lambda: self.over() or told(), within)

    async def wait_settled(self, within: timedelta) -> bool:
        """Wait for the settlement; False when `within` passed first."""
        return await wait_until(lambda: self.settlement is not None, within)

    async def wait_uncancelled(self, told: Callable[[], bool]) -> None:
        """Wait for something, or for a cancel.

        Raises:
            Stopped: a cancel came.
        """
        await workflow.wait_condition(lambda: self.cancelled() or told())
        self.require_uncancelled()

    def require_uncancelled(self) -> None:
        """Stop the body here when the attempt is to stop.

        Raises:
            Stopped: it is.
        """
        if self.cancelled():
            raise Stopped

    def take_hold(self, hold_ucr: int) -> None:
        """Let the children have what was added to the hold since the run was last told of it."""
        if hold_ucr > self.hold_ucr:
            self.pool_pcr += (hold_ucr - self.hold_ucr) * PCR_PER_UCR
            self.hold_ucr = hold_ucr

    def ref(self) -> dict[str, Any]:
        """Return the fields that name the attempt in every input."""
        return {"org_id": self.input.org_id, "run_id": self.input.run_id, "attempt": self.input.attempt}

    def key(self, kind: str, step: int = 0) -> str:
        """Return the operation key of something that the run itself pays for."""
        return operation_key(self.input.run_id, self.input.attempt, 0, step, kind)

    @property
    def parked(self) -> int:
        """How many children are parked."""
        return sum(seat.parked for seat in self.seats.values())

    def view(self) -> RunView:
        """Return what the attempt knows of itself; for debugging."""
        return RunView(
            status=self.status,
            status_detail=self.detail,
            agents_live=len(self.seats),
            agents_parked=self.parked,
            pool_pcr=self.pool_pcr,
            seq=self.seq,
        )
