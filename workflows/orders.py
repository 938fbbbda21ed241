"""What an agent or a lane does on the orders of the workflow above it: park, go on, finish, stop.

The SDK delivers a cancel once, as an exception into whatever is awaited, and an external signal that was sent already
swallows it: so every wait here asks for the state, and never relies on the exception.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import AgentControl
    from schema.contracts.run import AgentParked

    from workflows._support import wait_until


class _Carried(Protocol):
    """The orders in the input of an execution that continues another."""

    @property
    def run_id(self) -> str: ...
    @property
    def paused(self) -> bool: ...
    @property
    def pause_number(self) -> int: ...
    @property
    def finishing(self) -> bool: ...


class Orders:
    """The orders as they stand, and the gate between two steps, which holds no activity."""

    def __init__(self, number: int, carried: _Carried) -> None:
        self._number = number
        self._run_id = carried.run_id
        self.paused = carried.paused
        self.pause_number = carried.pause_number
        self.finishing = carried.finishing

    def take(self, control: AgentControl) -> None:
        """Note an order; a grant is its receiver's own."""
        if control.kind == "pause":
            self.paused, self.pause_number = True, max(self.pause_number, control.pause_number)
        elif control.kind == "resume":
            self.paused = False
        elif control.kind == "finish":
            self.finishing, self.paused = True, False

    async def pass_gate(self) -> None:
        """Wait while a pause holds; a cancel lets pass, and is the caller's to look for.

        A resume and the next pause may arrive together: then the gate never opened, and the run waits to hear again.
        """
        while self.paused and not cancel_requested():
            answered = self.pause_number
            await self.tell_parked(pause_number=answered)
            await self.wait_for(lambda: not self.paused or self.pause_number != answered)  # noqa: B023

    async def wait_for(self, told: Callable[[], bool], within: timedelta | None = None) -> bool:
        """Wait for a message (what a handler notes, `told` tells), or for a cancel; False when `within` passed first.

        It holds no activity and no worker, and may last for weeks.
        """
        return await wait_until(lambda: cancel_requested() or told(), within)

    async def tell_parked(self, *, pause_number: int = 0, needs_pcr: int = 0) -> None:
        """Tell whoever started this workflow that it waits: at its gate, or for budget.

        An agent's is the run, or the lane that works through the rows of its table; a lane's is the run.
        """
        parent = workflow.info().parent
        handle = workflow.get_external_workflow_handle(parent.workflow_id if parent else self._run_id)
        message = AgentParked(agent_number=self._number, parked=True, pause_number=pause_number, needs_pcr=needs_pcr)
        await handle.signal("agent_parked", message)

    def carried(self) -> dict[str, int | bool]:
        """Return the fields of the next execution's input."""
        return {"paused": self.paused, "pause_number": self.pause_number, "finishing": self.finishing}


def cancel_requested() -> bool:
    """Tell whether a cancel of this workflow was requested, whatever became of its exception."""
    return workflow.cancellation_reason() is not None
