"""The Lane workflow: works through rows of a table, one child agent after the other.

A run that fills a table has a few lanes instead of many agents: what the run knows, and its history, do not grow with
the table. To its run a lane is what an agent is (it parks, asks for budget, takes the same orders); to its agents it is
what the run is. Between two rows no agent lives, and there the lane continues as new.

Cancel is state, as in the run: the body is never cancelled, it stops at its next gate, and the live agent is cancelled
by workflow id.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import AgentControl, AgentWorkflow, ExecuteAgentInput, ExecuteAgentResult
    from schema.contracts.research import Subtask
    from schema.contracts.run import AgentParked
    from schema.contracts.tables import ExecuteLaneInput, ExecuteLaneResult, LaneFailure
    from schema.ids import agent_workflow_id
    from schema.policies import LANE_ROWS_PER_EXECUTION

    from workflows import children
    from workflows._support import failure_of, spent_of
    from workflows.orders import Orders, cancel_requested


@workflow.defn(name="Lane")
class LaneWorkflow:
    """Some rows of a run's table, one after the other; workflow id = `RUN/lane/N`."""

    @workflow.init
    def __init__(self, input: ExecuteLaneInput) -> None:
        self._input = input
        self._rows = list(input.rows)
        self._taken = 0
        self._pool_pcr = input.budget_pcr
        self._spent_pcr = input.spent_pcr
        self._done = input.done
        self._failed = input.failed
        self._failure = input.failure
        self._orders = Orders(input.lane, input)
        self._agent: int | None = None
        """Number of the live agent, from before its start."""
        self._started = False
        self._needs_pcr = 0
        """What the live agent waits for."""
        self._given_pcr = 0
        """What the live agent may spend."""

    @workflow.run
    async def run(self, input: ExecuteLaneInput) -> ExecuteLaneResult:
        """Work through the rows; an agent that fails does not sink the lane."""
        body = asyncio.create_task(self._body())
        watch = asyncio.create_task(self._carry_cancel(body))
        while not body.done():
            try:
                await asyncio.shield(body)
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise  # No cancel: the worker forgets this execution, which goes on elsewhere.
        await watch
        await workflow.wait_condition(workflow.all_handlers_finished)
        body.result()
        if cancel_requested():
            raise asyncio.CancelledError
        if self._rows and not self._orders.finishing:
            workflow.continue_as_new(self._carried())
        return ExecuteLaneResult(done=self._done, failed=self._failed, spent_pcr=self._spent_pcr, failure=self._failure)

    async def _body(self) -> None:
        while self._rows and self._taken < LANE_ROWS_PER_EXECUTION:
            await self._orders.pass_gate()
            if cancel_requested() or self._orders.finishing:
                return
            await self._run_row(self._rows.pop(0))
            self._taken += 1

    async def _carry_cancel(self, body: "asyncio.Task[None]") -> None:
        """Carry a cancel to the live agent, by id: the handle of a child reaches only its first execution."""
        await workflow.wait_condition(
            lambda: body.done() or (cancel_requested() and (self._started or not self._agent))
        )
        if body.done() or self._agent is None:
            return
        await children.cancel(agent_workflow_id(self._input.run_id, self._agent))

    # One row.

    async def _run_row(self, number: int) -> None:
        """Let the agent of one row work; what it leaves of its share goes to the rows after it."""
        share_pcr = self._pool_pcr // (len(self._rows) + 1)
        self._pool_pcr -= share_pcr
        self._agent, self._started, self._needs_pcr, self._given_pcr = number, False, 0, share_pcr
        try:
            handle = await self._start_agent(number, share_pcr)
            self._started = True
            await self._catch_up(number)
            result: ExecuteAgentResult = await handle
            self._account(result.spent_pcr)
            self._done += 1
        except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
            spent_pcr = spent_of(error)
            # What it cannot say is counted as spent: a lane may not give away what is metered already.
            self._account(self._given_pcr if spent_pcr is None else spent_pcr)
            if not cancel_requested():
                self._note_failure(number, error)
        finally:
            self._agent, self._needs_pcr = None, 0

    def _account(self, spent_pcr: int) -> None:
        self._spent_pcr += spent_pcr
        self._pool_pcr += max(0, self._given_pcr - spent_pcr)

    def _note_failure(self, number: int, error: BaseException) -> None:
        self._failed += 1
        failure = failure_of(error)
        if self._failure is None or (failure.retryable and not self._failure.retryable):
            self._failure = LaneFailure(
                row=number, code=failure.code, detail=failure.detail, retryable=failure.retryable
            )

    async def _start_agent(
        self, number: int, budget_pcr: int
    ) -> "workflow.ChildWorkflowHandle[AgentWorkflow, ExecuteAgentResult]":
        input = ExecuteAgentInput(
            org_id=self._input.org_id,
            run_id=self._input.run_id,
            attempt=self._input.attempt,
            # The item and the columns stay in PostgreSQL: they would travel with every step.
            subtask=Subtask(number=number, title=f"Row {number}", question="", is_row=True),
            tools=self._input.tools,
            budget_pcr=budget_pcr,
            tokens_max=self._input.tokens_max,
            steps_max=self._input.steps_max,
        )
        return await children.start_agent(input, f"row {number}", cancel_requested)

    # Orders of the run, passed on; answers of the agent, passed up.

    async def _catch_up(self, number: int) -> None:
        """Give an agent that was being started the orders that it missed."""
        if self._orders.paused:
            await self._order(number, AgentControl(kind="pause", pause_number=self._orders.pause_number))
        elif self._orders.finishing:
            await self._order(number, AgentControl(kind="finish"))

    async def _order(self, number: int, control: AgentControl) -> None:
        await children.order(agent_workflow_id(self._input.run_id, number), control)

    @workflow.signal(name="control")
    async def control(self, input: AgentControl) -> None:
        """Take an order of the run, and pass it on."""
        if input.kind == "grant":
            self._pool_pcr += input.amount_pcr
            await self._grant()
            return
        self._orders.take(input)
        if self._agent is not None and self._started:
            await self._order(self._agent, input)

    @workflow.signal(name="agent_parked")
    async def agent_parked(self, input: AgentParked) -> None:
        """The agent waits at its gate, or for budget: it is granted what the lane has, else the run is asked."""
        if input.agent_number != self._agent:
            return
        if not input.needs_pcr:
            await self._orders.tell_parked(pause_number=input.pause_number)
            return
        self._needs_pcr = input.needs_pcr
        await self._grant()

    async def _grant(self) -> None:
        """Give the waiting agent what it needs; what the lane has not, it asks of the run."""
        needs_pcr, number = self._needs_pcr, self._agent
        if not needs_pcr or number is None:
            return
        if self._pool_pcr >= needs_pcr:
            self._pool_pcr -= needs_pcr
            self._given_pcr += needs_pcr
            self._needs_pcr = 0
            await self._order(number, AgentControl(kind="grant", amount_pcr=needs_pcr))
        else:
            await self._orders.tell_parked(needs_pcr=needs_pcr - self._pool_pcr)

    def _carried(self) -> ExecuteLaneInput:
        return self._input.model_copy(
            update={
                "continued": True,
                "rows": tuple(self._rows),
                "budget_pcr": self._pool_pcr,
                "spent_pcr": self._spent_pcr,
                "done": self._done,
                "failed": self._failed,
                "failure": self._failure,
                **self._orders.carried(),
            }
        )
