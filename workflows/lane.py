"""The Lane workflow: works through rows of a table, one child agent after the other.

A run that fills a table has a few lanes instead of many agents: what the run knows, and its history, do not grow with
the table. To its run a lane is what an agent is (it parks, asks for budget, takes the same orders); to its agents it is
what the run is. Between two rows no agent lives, and there the lane continues as new.

Cancel is state, as in the run: the body is never cancelled, it stops at its next gate, and the live agent is cancelled
by workflow id.
"""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from schema.contracts.agent import AgentControl, AgentWorkflow, ExecuteAgentInput, ExecuteAgentResult
    from schema.contracts.research import Subtask
    from schema.contracts.run import AgentParked, RunWorkflow
    from schema.contracts.tables import ExecuteLaneInput, ExecuteLaneResult, LaneFailure
    from schema.ids import agent_workflow_id
    from schema.policies import AGENT_START_AGAIN_AFTER, AGENT_START_TRIES, LANE_ROWS_PER_EXECUTION, TaskQueue

    from workflows._support import failure_of, queue, spent_of, wait_until

_AGENT_ATTRIBUTE = SearchAttributeKey.for_int("AgentNo")
_ORGANISATION_ATTRIBUTE = SearchAttributeKey.for_keyword("OrgId")


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
        self._paused = input.paused
        self._pause_number = input.pause_number
        self._finishing = input.finishing
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
        if _is_cancelled():
            raise asyncio.CancelledError
        if self._rows and not self._finishing:
            workflow.continue_as_new(self._carried())
        return ExecuteLaneResult(done=self._done, failed=self._failed, spent_pcr=self._spent_pcr, failure=self._failure)

    async def _body(self) -> None:
        while self._rows and self._taken < LANE_ROWS_PER_EXECUTION:
            await self._gate()
            if _is_cancelled() or self._finishing:
                return
            await self._run_row(self._rows.pop(0))
            self._taken += 1

    async def _carry_cancel(self, body: "asyncio.Task[None]") -> None:
        """Carry a cancel to the live agent, by id: the handle of a child reaches only its first execution."""
        await workflow.wait_condition(lambda: body.done() or (_is_cancelled() and (self._started or not self._agent)))
        if body.done() or self._agent is None:
            return
        handle = workflow.get_external_workflow_handle(agent_workflow_id(self._input.run_id, self._agent))
        try:
            await handle.cancel()
        except ApplicationError:
            workflow.logger.debug("agent %s ended before it could be cancelled", self._agent)

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
            if not _is_cancelled():
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
        """Start an agent; one of a terminated attempt, which still closes under the same id, is waited for."""
        for _ in range(AGENT_START_TRIES - 1):
            try:
                return await self._try_start_agent(number, budget_pcr)
            except WorkflowAlreadyStartedError:
                if await wait_until(_is_cancelled, AGENT_START_AGAIN_AFTER):
                    raise
        return await self._try_start_agent(number, budget_pcr)

    async def _try_start_agent(
        self, number: int, budget_pcr: int
    ) -> "workflow.ChildWorkflowHandle[AgentWorkflow, ExecuteAgentResult]":
        attributes: list[SearchAttributePair[Any]] = [
            SearchAttributePair(_AGENT_ATTRIBUTE, number),
            SearchAttributePair(_ORGANISATION_ATTRIBUTE, self._input.org_id),
        ]
        return await workflow.start_child_workflow(
            AgentWorkflow.run,
            ExecuteAgentInput(
                org_id=self._input.org_id,
                run_id=self._input.run_id,
                attempt=self._input.attempt,
                # The item and the columns stay in PostgreSQL: they would travel with every step.
                subtask=Subtask(number=number, title=f"Row {number}", question="", is_row=True),
                tools=self._input.tools,
                budget_pcr=budget_pcr,
                tokens_max=self._input.tokens_max,
                steps_max=self._input.steps_max,
            ),
            id=agent_workflow_id(self._input.run_id, number),
            task_queue=queue(TaskQueue.AGENTS),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"row {number}",
            search_attributes=TypedSearchAttributes(attributes),
        )

    # Orders of the run, passed on; answers of the agent, passed up.

    async def _catch_up(self, number: int) -> None:
        """Give an agent that was being started the orders that it missed."""
        if self._paused:
            await self._order(number, AgentControl(kind="pause", pause_number=self._pause_number))
        elif self._finishing:
            await self._order(number, AgentControl(kind="finish"))

    async def _order(self, number: int, control: AgentControl) -> None:
        handle = workflow.get_external_workflow_handle_for(
            AgentWorkflow.run, agent_workflow_id(self._input.run_id, number)
        )
        try:
            await handle.signal(AgentWorkflow.control, control)
        except ApplicationError:
            workflow.logger.debug("agent %s ended before it could be told %s", number, control.kind)

    @workflow.signal(name="control")
    async def control(self, input: AgentControl) -> None:
        """Take an order of the run, and pass it on."""
        if input.kind == "grant":
            self._pool_pcr += input.amount_pcr
            await self._grant()
            return
        if input.kind == "pause":
            self._paused, self._pause_number = True, max(self._pause_number, input.pause_number)
        elif input.kind == "resume":
            self._paused = False
        else:
            self._finishing, self._paused = True, False
        if self._agent is not None and self._started:
            await self._order(self._agent, input)

    @workflow.signal(name="agent_parked")
    async def agent_parked(self, input: AgentParked) -> None:
        """The agent waits at its gate, or for budget: it is granted what the lane has, else the run is asked."""
        if input.agent_number != self._agent:
            return
        if not input.needs_pcr:
            await self._tell_run(self._parked(pause_number=input.pause_number))
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
            missing_pcr = needs_pcr - self._pool_pcr
            await self._tell_run(self._parked(needs_pcr=missing_pcr))

    def _parked(self, *, pause_number: int = 0, needs_pcr: int = 0) -> AgentParked:
        return AgentParked(agent_number=self._input.lane, parked=True, pause_number=pause_number, needs_pcr=needs_pcr)

    async def _tell_run(self, message: AgentParked) -> None:
        handle = workflow.get_external_workflow_handle_for(RunWorkflow.run, self._input.run_id)
        await handle.signal("agent_parked", message)

    # The gate, between two rows.

    async def _gate(self) -> None:
        while self._paused and not _is_cancelled():
            await self._park(self._pause_number)

    async def _park(self, pause_number: int) -> None:
        await self._tell_run(self._parked(pause_number=pause_number))
        await workflow.wait_condition(lambda: _is_cancelled() or not self._paused or self._pause_number != pause_number)

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
                "paused": self._paused,
                "pause_number": self._pause_number,
                "finishing": self._finishing,
            }
        )


def _is_cancelled() -> bool:
    return workflow.cancellation_reason() is not None
