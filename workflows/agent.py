"""The Agent workflow: one subtask, think -> act -> observe, with budgets of steps, tokens and credits.

A step is two activities: `think` (observe what the last act brought, then decide) and `act` (one tool call). Between
them nothing is held, so a pause keeps no worker busy. Everything that must survive is in the input of the next
execution or in PostgreSQL: the agent continues as new without anybody noticing.
"""

import asyncio
import hashlib
import json
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from schema.contracts import agent as contract
    from schema.contracts.agent import (
        ActInput,
        ActResult,
        AgentControl,
        ApprovalDecided,
        CloseAgentInput,
        ExecuteAgentInput,
        ExecuteAgentResult,
        ThinkInput,
        ThinkResult,
    )
    from schema.contracts.research import ToolCall
    from schema.ids import operation_key
    from schema.policies import (
        AGENT_REPEATS_MAX,
        AGENT_STEPS_PER_EXECUTION,
        MODEL_TIMEOUT,
        TOOL_TIMEOUT_MAX,
        TaskQueue,
    )
    from schema.states import AgentStatus

    from workflows._support import DATABASE, failure_of, model_options, queue, tool_options
    from workflows.orders import Orders, cancel_requested

_STEP_MARGIN = timedelta(seconds=5)
"""What an act may take beyond its tool's own timeout: storing the output and writing the row."""


@workflow.defn(name="Agent")
class AgentWorkflow:
    """One agent of a run; workflow id = `RUN/agent/N`."""

    @workflow.init
    def __init__(self, input: ExecuteAgentInput) -> None:
        self._input = input
        self._number = input.subtask.number
        self._orders = Orders(self._number, input)
        self._budget_pcr = input.budget_pcr
        self._step = input.step
        self._first_step = input.step
        self._spent_pcr = input.spent_pcr
        self._tokens = input.tokens
        self._recent = list(input.recent_calls)
        self._stop_reason = input.stop_reason
        self._decided: set[str] = set()
        """Approvals that were decided, as far as the agent was told."""

    @workflow.run
    async def run(self, input: ExecuteAgentInput) -> ExecuteAgentResult:
        """Work until the subtask is answered, a budget ends, or the run says stop."""
        try:
            while (result := await self._take_step()) is None:
                if self._should_continue_as_new():
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    self._check_cancel()
                    workflow.continue_as_new(self._carried())
            return result
        except (asyncio.CancelledError, FailureError) as error:
            if is_cancelled_exception(error) or cancel_requested():
                await self._close(AgentStatus.CANCELLED)
                raise asyncio.CancelledError from error
            failure = failure_of(error)
            await self._close(AgentStatus.FAILED, failure.code, failure.detail)
            # What it spent goes along: the run gives the rest of its budget to others, or to its next try.
            raise ApplicationError(
                failure.detail, self._spent_pcr, type=failure.code, non_retryable=not failure.retryable
            ) from error

    async def _take_step(self) -> ExecuteAgentResult | None:
        """Think, then act; a result when the agent is done."""
        await self._gate()
        thought = await self._think()
        if thought.outcome == "out_of_budget":
            await self._wait_for_budget(thought.needs_pcr)
            return None
        self._spent_pcr += thought.spent_pcr
        self._tokens += thought.tokens
        if thought.outcome == "finished" or thought.call is None:
            return ExecuteAgentResult(status=AgentStatus.COMPLETED, spent_pcr=self._spent_pcr, steps=self._step)
        if not self._loops(thought.call):
            await self._gate()
            await self._act(thought.call)
        self._step += 1
        self._stop_reason = self._stop_reason or self._used_up()
        return None

    def _used_up(self) -> str | None:
        """Name the budget that is used up, if one is."""
        if self._step >= self._input.steps_max:
            return f"step budget used up ({self._input.steps_max} steps)"
        if self._tokens >= self._input.tokens_max:
            return f"token budget used up ({self._input.tokens_max} tokens)"
        return None

    def _loops(self, call: ToolCall) -> bool:
        """Tell whether the agent asks for the same call again and again; then it is told to stop."""
        facts = json.dumps([call.tool, call.arguments], sort_keys=True, default=str)
        digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
        repeats = self._recent.count(digest)
        self._recent = [*self._recent, digest][-20:]
        if repeats >= AGENT_REPEATS_MAX:
            self._stop_reason = f"loop detected: {call.tool} asked for again with the same arguments"
            return True
        return False

    async def _think(self) -> ThinkResult:
        options = model_options(MODEL_TIMEOUT)
        return await workflow.execute_activity(
            contract.think_row if self._input.subtask.is_row else contract.think,
            ThinkInput(
                org_id=self._input.org_id,
                run_id=self._input.run_id,
                attempt=self._input.attempt,
                agent_number=self._number,
                step=self._step,
                operation_key=self._key("think"),
                subtask=self._input.subtask,
                tools=self._input.tools,
                steps_left=max(0, self._input.steps_max - self._step),
                budget_pcr=self._budget_pcr - self._spent_pcr,
                finishing=self._orders.finishing,
                stop_reason=self._stop_reason,
            ),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"step {self._step}: think",
        )

    async def _act(self, call: ToolCall) -> None:
        acted = await self._call(call)
        while acted.waits_for is not None:
            # The same act again: PostgreSQL says what was decided, and the call is made once at most.
            await self._wait_for_approval(acted.waits_for, timedelta(seconds=acted.waits_s))
            acted = await self._call(call, withdrawn=self._orders.finishing)
        self._spent_pcr += acted.spent_pcr

    async def _wait_for_approval(self, approval_id: str, within: timedelta) -> None:
        """Wait for a decision, holding no activity; a pause parks the agent meanwhile, a finish ends the wait."""
        expires = workflow.now() + within
        while approval_id not in self._decided and not self._orders.finishing:
            left = expires - workflow.now()
            if left <= timedelta() or not await self._orders.wait_for(
                lambda: approval_id in self._decided or self._orders.paused or self._orders.finishing, left
            ):
                break
            await self._gate()
        # Should it come to another wait, only another message ends it.
        self._decided.discard(approval_id)
        await self._gate()

    async def _call(self, call: ToolCall, *, withdrawn: bool = False) -> ActResult:
        options = tool_options(TOOL_TIMEOUT_MAX + _STEP_MARGIN)
        return await workflow.execute_activity(
            contract.act,
            ActInput(
                org_id=self._input.org_id,
                run_id=self._input.run_id,
                attempt=self._input.attempt,
                agent_number=self._number,
                step=self._step,
                operation_key=self._key("act"),
                subtask=self._input.subtask,
                call=call,
                tools=self._input.tools,
                withdrawn=withdrawn,
            ),
            task_queue=queue(TaskQueue.TOOLS),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=f"step {self._step}: {call.tool}",
        )

    def _key(self, kind: str) -> str:
        return operation_key(self._input.run_id, self._input.attempt, self._number, self._step, kind)

    # The gate: between steps, holding no activity.

    async def _gate(self) -> None:
        self._check_cancel()
        await self._orders.pass_gate()
        self._check_cancel()

    def _check_cancel(self) -> None:
        """Stop here when a cancel was requested, even if what it was meant for completed normally."""
        if cancel_requested():
            raise asyncio.CancelledError

    async def _wait_for_budget(self, needs_pcr: int) -> None:
        """Wait until the run grants more, or says to finish with what there is."""
        before_pcr = self._budget_pcr
        await self._orders.tell_parked(needs_pcr=needs_pcr)
        await self._orders.wait_for(lambda: self._budget_pcr > before_pcr or self._orders.finishing)
        self._check_cancel()

    # Messages.

    @workflow.signal(name="control")
    def control(self, input: AgentControl) -> None:
        """Take an order of the run."""
        if input.kind == "grant":
            self._budget_pcr += input.amount_pcr
        else:
            self._orders.take(input)

    @workflow.signal(name="approval_decided")
    def approval_decided(self, input: ApprovalDecided) -> None:
        """Hear that a call may go on, or may not."""
        self._decided.add(input.approval_id)

    # Ends.

    def _should_continue_as_new(self) -> bool:
        taken = self._step - self._first_step
        return taken >= AGENT_STEPS_PER_EXECUTION or workflow.info().is_continue_as_new_suggested()

    def _carried(self) -> ExecuteAgentInput:
        return self._input.model_copy(
            update={
                "continued": True,
                **self._orders.carried(),
                "budget_pcr": self._budget_pcr,
                "step": self._step,
                "spent_pcr": self._spent_pcr,
                "tokens": self._tokens,
                "recent_calls": tuple(self._recent),
                "stop_reason": self._stop_reason,
            }
        )

    async def _close(self, status: AgentStatus, code: str | None = None, detail: str | None = None) -> None:
        """Record a failure or cancellation; a second cancel does not cut this short."""
        close = asyncio.ensure_future(
            workflow.execute_activity(
                contract.close_agent,
                CloseAgentInput(
                    org_id=self._input.org_id,
                    run_id=self._input.run_id,
                    attempt=self._input.attempt,
                    agent_number=self._number,
                    status=status,
                    steps=self._step,
                    error_code=code,
                    error_detail=detail,
                ),
                task_queue=queue(TaskQueue.BILLING),
                start_to_close_timeout=DATABASE.start_to_close,
                retry_policy=DATABASE.retry,
                summary=status.value,
            )
        )
        while not close.done():
            try:
                await asyncio.shield(close)
            except asyncio.CancelledError:
                continue
