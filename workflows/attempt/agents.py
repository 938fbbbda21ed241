"""The agents of a run that answers subtasks: a child workflow each, some at once."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import ExecuteAgentInput
    from schema.contracts.run import PlannedAgent, PlanRunResult
    from schema.policies import AGENT_STEPS_MAX, AGENTS_BUDGET_SHARE_PERCENT, AGENTS_PARALLEL_MAX

    from workflows import children
    from workflows._support import failure_of, spent_of
    from workflows.attempt.seats import Seats
    from workflows.attempt.state import Attempt


class Agents:
    """Runs the agents of a plan."""

    def __init__(self, attempt: Attempt, seats: Seats) -> None:
        self._attempt = attempt
        self._seats = seats
        self._sunk_pcr: dict[int, int] = {}
        """What a failed try of an agent spent, by its number."""

    async def run(self, plan: PlanRunResult) -> bool:
        """Run every agent of the plan that is not done; one that fails does not sink the run. Tell whether any ran."""
        attempt = self._attempt
        attempt.done |= {agent.subtask.number for agent in plan.agents if agent.done}
        waiting = [agent for agent in plan.agents if agent.subtask.number not in attempt.done]
        if not waiting:
            return False
        attempt.failures.clear()
        slots = asyncio.Semaphore(AGENTS_PARALLEL_MAX)
        share_pcr = attempt.pool_pcr // len(waiting)
        tokens = attempt.input.tokens_max * AGENTS_BUDGET_SHARE_PERCENT // 100 // len(plan.agents)
        attempt.pool_pcr -= share_pcr * len(waiting)
        await self._seats.run_all(self._run_one(agent, plan.tools, slots, share_pcr, tokens) for agent in waiting)
        self._seats.require_some_success(any_done=bool(attempt.done))
        return True

    async def _run_one(
        self, agent: PlannedAgent, tools: tuple[str, ...], slots: asyncio.Semaphore, share_pcr: int, tokens: int
    ) -> None:
        attempt, number = self._attempt, agent.subtask.number
        async with slots:
            # What its earlier try spent is metered; the steps are found recorded, and count again in its budget.
            seat = await self._seats.take(number, share_pcr, self._sunk_pcr.get(number, 0))
            if seat is None:
                return
            self._sunk_pcr.pop(number, None)
            try:
                input = ExecuteAgentInput(
                    **attempt.ref(),
                    subtask=agent.subtask,
                    tools=tools,
                    budget_pcr=seat.budget_pcr,
                    tokens_max=tokens,
                    steps_max=AGENT_STEPS_MAX,
                )
                handle = await children.start_agent(input, agent.subtask.title[:200], attempt.cancelled)
                await self._seats.catch_up(number)
                result = await handle
                self._seats.give_back(seat, result.spent_pcr)
                attempt.done.add(number)
            except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
                if not attempt.cancelled():
                    attempt.failures[number] = failure_of(error)
                spent_pcr = spent_of(error)
                if spent_pcr is not None:
                    self._seats.give_back(seat, spent_pcr)
                    self._sunk_pcr[number] = min(spent_pcr, seat.budget_pcr)
            finally:
                self._seats.leave(number)
