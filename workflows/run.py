"""The Run workflow: one attempt of a run. It owns the state machine, the plan, the fan-out and the settlement.

Two coroutines share the state: the *body* (begin, plan, agents, report) and the *gatekeeper* (pause, resume, waiting
for credits). Cancel is state, not an exception: the body is never cancelled, it stops at its next gate, and the live
agents are cancelled by workflow id, which reaches the current execution of their chain (`temporal.md`, sections 0
and 2.5).

    begin -> plan -> agents -> report -> settle
             ^gate   ^gate      ^gate    ^gate
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, ChildWorkflowError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ActivityCancellationType, ActivityHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from schema.contracts import run as contract
    from schema.contracts.agent import AgentControl, AgentWorkflow, ExecuteAgentInput
    from schema.contracts.run import (
        AgentParked,
        BeginRunInput,
        CancelRunInput,
        CancelRunResult,
        ExecuteRunInput,
        ExecuteRunResult,
        FinishRunInput,
        FinishRunResult,
        MergeClaimsInput,
        PauseRunInput,
        PauseRunResult,
        PlannedAgent,
        PlanRunInput,
        PlanRunResult,
        RenderReportInput,
        ResolveConflictsInput,
        ResumeRunInput,
        ResumeRunResult,
        RunView,
        SettleRunInput,
        SettleRunResult,
        TransitionRunInput,
        WordedReport,
        WriteReportInput,
    )
    from schema.contracts.tables import ExecuteLaneInput, LaneWorkflow
    from schema.ids import agent_workflow_id, lane_workflow_id, operation_key
    from schema.money import PCR_PER_UCR
    from schema.policies import (
        AGENT_START_AGAIN_AFTER,
        AGENT_START_TRIES,
        AGENT_STEPS_MAX,
        AGENTS_BUDGET_SHARE_PERCENT,
        AGENTS_PARALLEL_MAX,
        MODEL_TIMEOUT,
        REPORT_STAGES,
        REPORT_TIMEOUT,
        RUN_RETRY_BASE,
        RUN_RETRY_CAP,
        TABLE_ROW_STEPS_MAX,
        UPDATE_ANSWER_WITHIN,
        TaskQueue,
    )
    from schema.states import RunCommand, RunStatus, StatusDetail, allows

    from workflows._support import DATABASE, Failure, failure_of, model_options, queue, spent_of, wait_until

_STATUS_ATTRIBUTE = SearchAttributeKey.for_keyword("RunStatus")
_FAILURE_ATTRIBUTE = SearchAttributeKey.for_keyword("FailureClass")
_AGENT_ATTRIBUTE = SearchAttributeKey.for_int("AgentNo")
_ORGANISATION_ATTRIBUTE = SearchAttributeKey.for_keyword("OrgId")


_In = TypeVar("_In")
_Out = TypeVar("_Out")


class _Stopped(Exception):
    """The body met a cancel at a gate."""


@dataclass
class _Seat:
    """What the run knows of one live agent."""

    budget_pcr: int
    parked: bool = False
    needs_pcr: int = 0


@workflow.defn(name="Run")
class RunWorkflow:
    """One attempt of a run; workflow id = run id. Ends failed when the attempt fails, so that it can be retried."""

    @workflow.init
    def __init__(self, input: ExecuteRunInput) -> None:
        self._input = input
        self._status = RunStatus.RETRYING if input.retried else RunStatus.PENDING
        self._shown = self._status
        self._detail: StatusDetail | None = None
        self._seq = 0
        self._tries = 0
        self._reporting = False
        self._edition = 0
        self._projecting = asyncio.Lock()
        self._pausing = False
        self._cancel_reason: str | None = None
        self._cancelled_natively = False
        self._finishing = False
        self._closing = False
        self._settlement: SettleRunResult | None = None
        self._resting = False
        self._in_flight: ActivityHandle[Any] | None = None
        self._seats: dict[int, _Seat] = {}
        self._done: set[int] = set()
        self._failures: dict[int, Failure] = {}
        self._pause_number = 0
        self._sunk_pcr: dict[int, int] = {}
        self._in_lanes = False
        """The run fills a table: its seats are lanes, which start the agents."""
        self._hold_ucr = input.hold_ucr
        self._pool_pcr = input.hold_ucr * PCR_PER_UCR * AGENTS_BUDGET_SHARE_PERCENT // 100
        self._broken: BaseException | None = None

    # The attempt, from begin to settlement.

    @workflow.run
    async def run(self, input: ExecuteRunInput) -> ExecuteRunResult:
        """Execute the attempt and settle it, whatever happens to it."""
        body = asyncio.create_task(self._body())
        gatekeeper = asyncio.create_task(self._keep_gate())
        while not body.done():
            try:
                # Waiting does not cancel what is waited for.
                kept = [gatekeeper] if not gatekeeper.done() else []
                await workflow.wait([body, *kept], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise  # No cancel: the worker forgets this execution, which goes on elsewhere.
                # The Web UI's or the CLI's cancel. It is delivered once, as an exception; from here it is state.
                self._cancelled_natively = True
                await self._cancel("cancelled by an operator")
            if gatekeeper.done() and self._broken is None and (error := gatekeeper.exception()) is not None:
                await self._break(error)
        failure = self._failure_of_body(body)
        self._closing = True
        settle = asyncio.create_task(self._settle(failure))
        while not settle.done():
            # A second cancel must not end the run before its money is settled.
            try:
                await asyncio.shield(settle)
            except asyncio.CancelledError:
                continue
        result = settle.result()
        await workflow.wait([gatekeeper])  # Whatever became of it: the run is settled.
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._end(result, failure)

    def _failure_of_body(self, body: "asyncio.Task[None]") -> Failure | None:
        """Return why the body failed; None when it completed or was stopped by a cancel."""
        error = body.exception()
        if self._broken is not None:
            return failure_of(self._broken)
        if error is None or isinstance(error, _Stopped) or self._cancel_reason is not None:
            return None
        if isinstance(error, FailureError):
            return failure_of(error)
        raise error

    async def _break(self, error: BaseException) -> None:
        """Stop everything, because nobody is left who could open the gate: a run that hangs helps nobody.

        Raises:
            error: a fault of this code; the worker tries the task again, with mended code at last.
        """
        if not isinstance(error, FailureError):
            raise error
        self._broken = error
        if self._cancel_reason is None:
            self._cancel_reason = "the run could not be paused or resumed"
            await self._stop_work()

    def _end(self, result: SettleRunResult, failure: Failure | None) -> ExecuteRunResult:
        if result.status is RunStatus.FAILED:
            code, detail = (failure.code, failure.detail) if failure else ("internal_error", "closed elsewhere")
            raise ApplicationError(detail, type=code, non_retryable=True)
        if self._cancelled_natively and result.status is RunStatus.CANCELLED:
            raise asyncio.CancelledError
        return ExecuteRunResult(status=result.status, charged_ucr=result.charged_ucr, released_ucr=result.released_ucr)

    async def _body(self) -> None:
        await self._begin()
        while True:
            try:
                await self._research()
            except FailureError as error:
                failure = failure_of(error)
                if self._cancel_reason is not None or not failure.retryable or self._tries + 1 >= self._input.tries_max:
                    raise
                await self._back_off(failure)
            else:
                return

    async def _begin(self) -> None:
        """Assert the hold and show the run as running."""
        if self._input.retried:
            self._status = RunStatus.PENDING
            await self._project("Run is waiting for a worker", hold_ucr=self._input.hold_ucr)
        if self._cancel_reason is not None:
            raise _Stopped
        self._status = RunStatus.RUNNING
        await self._project("Run started", hold_ucr=None if self._input.retried else self._input.hold_ucr)

    async def _back_off(self, failure: Failure) -> None:
        """Retry within the attempt, on the same hold, after an exponential delay with full jitter."""
        # Paused and resuming are the gatekeeper's: nothing but running leads to retrying.
        await workflow.wait_condition(lambda: self._cancel_reason is not None or self._status is RunStatus.RUNNING)
        if self._cancel_reason is not None:
            raise _Stopped
        self._tries += 1
        self._status, self._detail = RunStatus.RETRYING, StatusDetail.BACKING_OFF
        await self._project(f"Retrying after {failure.code} (retry {self._tries})")
        ceiling = min(RUN_RETRY_CAP, RUN_RETRY_BASE * 2**self._tries)
        delay = timedelta(seconds=workflow.random().uniform(0, ceiling.total_seconds()))
        await wait_until(lambda: self._cancel_reason is not None, delay)
        for status, text in ((RunStatus.PENDING, "Run is waiting for a worker"), (RunStatus.RUNNING, "Run goes on")):
            if self._cancel_reason is not None:
                raise _Stopped
            self._status, self._detail = status, None
            await self._project(text)

    async def _research(self) -> None:
        """Plan, run the agents that are not done, write the report. Each part is recorded and not done twice."""
        await self._gate()
        plan = await self._call(
            contract.plan_run,
            PlanRunInput(
                **self._ref(),
                operation_key=self._key("plan"),
            ),
            MODEL_TIMEOUT,
            "plan",
        )
        ran = await self._run_agents(plan)
        # Agents that ran again after a report was begun may have found more: it is begun anew, under keys of its own.
        self._edition += ran and self._reporting
        self._reporting = True
        await self._report(plan)
        await self._gate()
        # No await from the gate to here: a pause or cancel is either seen above or refused from now on.
        self._closing = True

    async def _report(self, plan: PlanRunResult) -> None:
        """Make the report in stages; each keeps its result under its own key, and none is paid for twice."""
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

    async def _stage(
        self,
        kind: str,
        activity: Callable[[_In], Awaitable[_Out]],
        make: Callable[..., _In],
        timeout: timedelta,
        **fields: Any,
    ) -> _Out:
        await self._gate()
        number = 1 + len(REPORT_STAGES) * self._edition + REPORT_STAGES.index(kind)
        key = operation_key(self._input.run_id, self._input.attempt, 0, number, kind)
        input = make(**self._ref(), operation_key=key, step=number, **fields)
        return await self._call(activity, input, timeout, kind)

    def _missing(self, plan: PlanRunResult) -> tuple[str, ...]:
        return tuple(
            f"{agent.subtask.title}: the agent failed ({failure.code})"
            if (failure := self._failures.get(agent.subtask.number))
            else f"{agent.subtask.title}: the run was finished before its agent began"
            for agent in plan.agents
            if agent.subtask.number not in self._done
        )

    # Agents.

    async def _run_agents(self, plan: PlanRunResult) -> bool:
        """Run every agent of the plan that is not done; one that fails does not sink the run. Tell whether any ran."""
        if plan.table is not None:
            return await self._run_lanes(plan)
        self._done |= {agent.subtask.number for agent in plan.agents if agent.done}
        waiting = [agent for agent in plan.agents if agent.subtask.number not in self._done]
        if not waiting:
            return False
        self._failures.clear()
        slots = asyncio.Semaphore(AGENTS_PARALLEL_MAX)
        share_pcr = self._pool_pcr // len(waiting)
        tokens = self._input.tokens_max * AGENTS_BUDGET_SHARE_PERCENT // 100 // len(plan.agents)
        self._pool_pcr -= share_pcr * len(waiting)
        self._resting = True
        ended = await asyncio.gather(
            *(self._run_agent(agent, plan, slots, share_pcr, tokens) for agent in waiting), return_exceptions=True
        )
        self._resting = False
        for error in ended:
            if isinstance(error, BaseException):
                raise error
        self._require_some_success(any_done=bool(self._done))
        return True

    def _require_some_success(self, *, any_done: bool) -> None:
        """Fail the try when every agent failed."""
        # Neither done nor failed: a finish came before any agent began, and the report says so.
        if self._cancel_reason is None and self._failures and not any_done:
            worst = sorted(self._failures.items())
            failure = next((item for _, item in worst if item.retryable), worst[0][1])
            raise ApplicationError(
                f"every agent failed; the first: {failure.detail}",
                type=failure.code,
                non_retryable=not failure.retryable,
            )

    async def _run_agent(
        self, agent: PlannedAgent, plan: PlanRunResult, slots: asyncio.Semaphore, share_pcr: int, tokens: int
    ) -> None:
        number = agent.subtask.number
        async with slots:
            await workflow.wait_condition(lambda: self._cancel_reason is not None or not self._pausing)
            if self._cancel_reason is not None or self._finishing:
                self._pool_pcr += share_pcr
                return
            # What its earlier try spent is metered; the steps are found recorded, and count again in its budget.
            budget_pcr = share_pcr + self._sunk_pcr.pop(number, 0)
            seat = self._seats[number] = _Seat(budget_pcr=budget_pcr)
            try:
                handle = await self._start_agent(agent, plan, budget_pcr, tokens)
                await self._catch_up(number)
                result = await handle
                self._pool_pcr += max(0, seat.budget_pcr - result.spent_pcr)
                self._done.add(number)
            except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
                if self._cancel_reason is None:
                    self._failures[number] = failure_of(error)
                spent_pcr = spent_of(error)
                if spent_pcr is not None:
                    self._pool_pcr += max(0, seat.budget_pcr - spent_pcr)
                    self._sunk_pcr[number] = min(spent_pcr, seat.budget_pcr)
            finally:
                del self._seats[number]

    async def _run_lanes(self, plan: PlanRunResult) -> bool:
        """Fill the table that was planned; see `lane.py`. Rows that failed are the report's to tell."""
        table = plan.table
        assert table is not None
        lanes = min(table.lanes, AGENTS_PARALLEL_MAX, len(table.waiting))
        if not lanes:
            return False
        self._in_lanes = True
        self._failures.clear()
        # A row per lane in turn: the rows are done about in their order.
        parts = [table.waiting[first::lanes] for first in range(lanes)]
        tokens = max(1, self._input.tokens_max * AGENTS_BUDGET_SHARE_PERCENT // 100 // table.rows)
        pool_pcr, waiting = self._pool_pcr, len(table.waiting)
        shares = [pool_pcr * len(rows) // waiting for rows in parts]
        self._pool_pcr -= sum(shares)
        self._resting = True
        ended = await asyncio.gather(
            *(
                self._run_lane(lane, rows, plan.tools, share_pcr, tokens)
                for lane, (rows, share_pcr) in enumerate(zip(parts, shares, strict=True), 1)
            ),
            return_exceptions=True,
        )
        self._resting = False
        for error in ended:
            if isinstance(error, BaseException):
                raise error
        done = table.rows - waiting + sum(count for count in ended if isinstance(count, int))
        self._require_some_success(any_done=done > 0)
        return True

    async def _run_lane(
        self, lane: int, rows: tuple[int, ...], tools: tuple[str, ...], share_pcr: int, tokens: int
    ) -> int:
        """Run one lane; returns how many rows it did."""
        await workflow.wait_condition(lambda: self._cancel_reason is not None or not self._pausing)
        if self._cancel_reason is not None or self._finishing:
            self._pool_pcr += share_pcr
            return 0
        seat = self._seats[lane] = _Seat(budget_pcr=share_pcr)
        try:
            handle = await self._start_again(lambda: self._try_start_lane(lane, rows, tools, share_pcr, tokens))
            await self._catch_up(lane)
            result = await handle
            self._pool_pcr += max(0, seat.budget_pcr - result.spent_pcr)
            if result.failure is not None:
                facts = result.failure
                self._failures[lane] = Failure(facts.code, facts.detail, facts.retryable)
            return int(result.done)
        except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
            if self._cancel_reason is None:
                self._failures[lane] = failure_of(error)
            return 0
        finally:
            del self._seats[lane]

    async def _try_start_lane(
        self, lane: int, rows: tuple[int, ...], tools: tuple[str, ...], budget_pcr: int, tokens: int
    ) -> "workflow.ChildWorkflowHandle[LaneWorkflow, Any]":
        return await workflow.start_child_workflow(
            LaneWorkflow.run,
            ExecuteLaneInput(
                **self._ref(),
                lane=lane,
                rows=rows,
                tools=tools,
                budget_pcr=budget_pcr,
                tokens_max=tokens,
                steps_max=TABLE_ROW_STEPS_MAX,
            ),
            id=lane_workflow_id(self._input.run_id, lane),
            task_queue=queue(TaskQueue.AGENTS),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"{len(rows)} rows",
            search_attributes=TypedSearchAttributes([SearchAttributePair(_ORGANISATION_ATTRIBUTE, self._input.org_id)]),
        )

    async def _start_again(self, start: Callable[[], Awaitable[_Out]]) -> _Out:
        """Start a child; one of a terminated attempt, which still closes under the same id, is waited for."""
        for _ in range(AGENT_START_TRIES - 1):
            try:
                return await start()
            except WorkflowAlreadyStartedError:
                if await wait_until(lambda: self._cancel_reason is not None, AGENT_START_AGAIN_AFTER):
                    raise
        return await start()

    def _child_id(self, number: int) -> str:
        """Return the workflow id of what sits on a seat."""
        make = lane_workflow_id if self._in_lanes else agent_workflow_id
        return make(self._input.run_id, number)

    async def _start_agent(
        self, agent: PlannedAgent, plan: PlanRunResult, budget_pcr: int, tokens: int
    ) -> "workflow.ChildWorkflowHandle[AgentWorkflow, Any]":
        return await self._start_again(lambda: self._try_start_agent(agent, plan, budget_pcr, tokens))

    async def _try_start_agent(
        self, agent: PlannedAgent, plan: PlanRunResult, budget_pcr: int, tokens: int
    ) -> "workflow.ChildWorkflowHandle[AgentWorkflow, Any]":
        number = agent.subtask.number
        return await workflow.start_child_workflow(
            AgentWorkflow.run,
            ExecuteAgentInput(
                **self._ref(),
                subtask=agent.subtask,
                tools=plan.tools,
                budget_pcr=budget_pcr,
                tokens_max=tokens,
                steps_max=AGENT_STEPS_MAX,
            ),
            id=agent_workflow_id(self._input.run_id, number),
            task_queue=queue(TaskQueue.AGENTS),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=agent.subtask.title[:200],
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(_AGENT_ATTRIBUTE, number),
                    SearchAttributePair(_ORGANISATION_ATTRIBUTE, self._input.org_id),
                ]
            ),
        )

    async def _catch_up(self, number: int) -> None:
        """Give an agent that was being started the orders that it missed."""
        if self._cancel_reason is not None:
            await self._cancel_agent(number)
        elif self._pausing:
            await self._order(number, AgentControl(kind="pause", pause_number=self._pause_number))
        elif self._finishing:
            await self._order(number, AgentControl(kind="finish"))

    async def _order(self, number: int, control: AgentControl) -> None:
        """Signal an agent by workflow id, which reaches its current execution; one that just ended is left alone."""
        handle = workflow.get_external_workflow_handle_for(AgentWorkflow.run, self._child_id(number))
        try:
            await handle.signal(AgentWorkflow.control, control)
        except ApplicationError:
            workflow.logger.debug("agent %s ended before it could be told %s", number, control.kind)

    async def _cancel_agent(self, number: int) -> None:
        handle = workflow.get_external_workflow_handle(self._child_id(number))
        try:
            await handle.cancel()
        except ApplicationError:
            workflow.logger.debug("agent %s ended before it could be cancelled", number)

    # The gate: pause, resume, credits.

    async def _gate(self) -> None:
        """Let the body pass, or keep it while the run is paused; a cancel stops it here."""
        if self._cancel_reason is not None:
            raise _Stopped
        if self._pausing or self._status is not RunStatus.RUNNING:
            self._resting = True
            # Not before the gatekeeper is back at running: nothing else leads from paused to the end of the run.
            await workflow.wait_condition(
                lambda: self._cancel_reason is not None or (not self._pausing and self._status is RunStatus.RUNNING)
            )
            self._resting = False
            if self._cancel_reason is not None:
                raise _Stopped

    async def _keep_gate(self) -> None:
        """Move the run between running and paused; the only writer of paused and resuming."""
        while True:
            await workflow.wait_condition(lambda: self._over() or self._pausing or self._grantable() or self._starved())
            if self._over():
                return
            if self._grantable():
                await self._grant()
            elif self._pausing:
                await self._pause()
            else:
                await self._wait_for_credits()

    def _over(self) -> bool:
        return self._closing or self._cancel_reason is not None

    def _all_parked(self) -> bool:
        return self._resting and all(seat.parked for seat in self._seats.values())

    def _grantable(self) -> bool:
        return any(0 < seat.needs_pcr <= self._pool_pcr for seat in self._seats.values())

    def _starved(self) -> bool:
        """Tell whether every live agent waits, and no budget is left for any of them."""
        return (
            bool(self._seats)
            and not self._finishing
            and self._all_parked()
            and any(seat.needs_pcr > self._pool_pcr for seat in self._seats.values())
        )

    async def _grant(self) -> None:
        """Give agents that wait for budget what others left over, lowest number first.

        Each gets an equal share, since the others may come to wait as well, and its next step at least.
        """
        share_pcr = self._pool_pcr // max(1, len(self._seats))
        for number, seat in sorted(self._seats.items()):
            if 0 < seat.needs_pcr <= self._pool_pcr:
                amount_pcr = max(seat.needs_pcr, min(share_pcr, self._pool_pcr))
                self._pool_pcr -= amount_pcr
                seat.budget_pcr += amount_pcr
                seat.needs_pcr, seat.parked = 0, False
                await self._order(number, AgentControl(kind="grant", amount_pcr=amount_pcr))

    async def _pause(self) -> None:
        self._pause_number += 1
        order = AgentControl(kind="pause", pause_number=self._pause_number)
        await asyncio.gather(*(self._order(number, order) for number in sorted(self._seats)))
        if not self._all_parked() and not self._over():
            self._detail = StatusDetail.PAUSING
            await self._project("Pausing: running steps are finishing")
            await workflow.wait_condition(lambda: self._over() or self._all_parked())
        if not self._over():
            await self._stay_paused(None, f"Run paused; {len(self._seats)} agents wait")

    async def _wait_for_credits(self) -> None:
        self._pausing = True
        await self._stay_paused(
            StatusDetail.WAITING_FOR_CREDITS,
            "The run has used what was held for it; resume it with more credits, finish it with what it has, or cancel",
        )

    async def _stay_paused(self, detail: StatusDetail | None, message: str) -> None:
        """Be paused until a resume, a finish, a cancel, or the organisation's limit."""
        self._status, self._detail = RunStatus.PAUSED, detail
        await self._project(message)
        limit = timedelta(seconds=self._input.paused_max_s)
        if not await wait_until(lambda: self._over() or not self._pausing, limit):
            await self._cancel("paused longer than the organisation allows")
        if self._over():
            return
        self._status, self._detail = RunStatus.RESUMING, None
        await self._project("Run resumes")
        kind: Literal["finish", "resume"] = "finish" if self._finishing else "resume"
        for number, seat in sorted(self._seats.items()):
            if kind == "finish" or not seat.needs_pcr:
                seat.parked, seat.needs_pcr = False, 0
            await self._order(number, AgentControl(kind=kind))
        if self._over():
            return
        self._status = RunStatus.RUNNING
        await self._project("Run resumed")

    @workflow.signal(name="agent_parked")
    def agent_parked(self, input: AgentParked) -> None:
        """An agent waits at its gate, or for budget."""
        if not input.needs_pcr and input.pause_number != self._pause_number:
            return
        if (seat := self._seats.get(input.agent_number)) is not None:
            seat.parked, seat.needs_pcr = input.parked, input.needs_pcr

    # Messages: updates for the API, signals of the same names for operators.

    def _require(self, command: RunCommand) -> None:
        busy = self._over() or (command is RunCommand.PAUSE and (self._pausing or self._finishing))
        if not allows(command, self._status) or (busy and command is not RunCommand.CANCEL) or self._closing:
            status = StatusDetail.CANCELLING if self._cancel_reason is not None else (self._detail or self._status)
            raise ApplicationError(
                f"a run that is {status} cannot be given the command '{command}'",
                {"status": self._status.value, "command": command.value},
                type="illegal_transition",
                non_retryable=True,
            )

    def _accepts(self, command: RunCommand) -> bool:
        try:
            self._require(command)
        except ApplicationError as error:
            workflow.logger.info("signal ignored: %s", error.message)
            return False
        return True

    @workflow.update(name="pause")
    async def pause(self, input: PauseRunInput) -> PauseRunResult:
        """Pause between steps; answers when every agent is parked, or after a bounded time with `running`."""
        self._pausing = True
        await wait_until(lambda: self._shown is RunStatus.PAUSED or self._over(), UPDATE_ANSWER_WITHIN)
        return PauseRunResult(status=self._shown, agents_paused=sum(seat.parked for seat in self._seats.values()))

    @pause.validator
    def _check_pause(self, input: PauseRunInput) -> None:
        self._require(RunCommand.PAUSE)

    @workflow.signal(name="pause")
    def pause_by_signal(self) -> None:
        """Pause, for operators: `temporal workflow signal -w RUN --name pause`."""
        if self._accepts(RunCommand.PAUSE):
            self._pausing = True

    @workflow.update(name="resume")
    async def resume(self, input: ResumeRunInput) -> ResumeRunResult:
        """Resume a paused run, with what was added to its hold."""
        self._take_hold(input.hold_ucr)
        if self._status is RunStatus.PAUSED:
            self._pausing = False
        await wait_until(lambda: self._shown is RunStatus.RUNNING or self._over(), UPDATE_ANSWER_WITHIN)
        return ResumeRunResult(status=self._shown)

    @resume.validator
    def _check_resume(self, input: ResumeRunInput) -> None:
        # What was added is held already: it is refused only by a run that ends, and then released.
        if not input.added_ucr or self._over():
            self._require(RunCommand.RESUME)

    def _take_hold(self, hold_ucr: int) -> None:
        """Let the agents have what was added to the hold since the run was last told of it."""
        if hold_ucr > self._hold_ucr:
            self._pool_pcr += (hold_ucr - self._hold_ucr) * PCR_PER_UCR
            self._hold_ucr = hold_ucr

    @workflow.signal(name="resume")
    def resume_by_signal(self) -> None:
        """Resume, for operators."""
        if self._accepts(RunCommand.RESUME):
            self._pausing = False

    @workflow.update(name="finish")
    async def finish(self, input: FinishRunInput) -> FinishRunResult:
        """Stop the agents at their next step and write the report with what there is."""
        await self._finish()
        await wait_until(lambda: self._shown is not RunStatus.PAUSED or self._over(), UPDATE_ANSWER_WITHIN)
        return FinishRunResult(status=self._shown)

    @finish.validator
    def _check_finish(self, input: FinishRunInput) -> None:
        self._require(RunCommand.FINISH)

    @workflow.signal(name="finish")
    async def finish_by_signal(self) -> None:
        """Finish, for operators."""
        if self._accepts(RunCommand.FINISH):
            await self._finish()

    async def _finish(self) -> None:
        self._finishing, self._pausing = True, False
        if self._status is RunStatus.RUNNING:
            for number in sorted(self._seats):
                await self._order(number, AgentControl(kind="finish"))

    @workflow.update(name="cancel")
    async def cancel(self, input: CancelRunInput) -> CancelRunResult:
        """Stop everything, then settle; answers when settled, or after a bounded time with the status so far."""
        await self._cancel(input.reason)
        await wait_until(lambda: self._settlement is not None, UPDATE_ANSWER_WITHIN)
        if (moved := self._settlement) is None:
            return CancelRunResult(status=self._shown, charged_ucr=0, released_ucr=0)
        return CancelRunResult(status=moved.status, charged_ucr=moved.charged_ucr, released_ucr=moved.released_ucr)

    @cancel.validator
    def _check_cancel(self, input: CancelRunInput) -> None:
        self._require(RunCommand.CANCEL)

    @workflow.signal(name="cancel")
    async def cancel_by_signal(self) -> None:
        """Cancel, for operators."""
        if self._accepts(RunCommand.CANCEL):
            await self._cancel("cancelled by an operator")

    async def _cancel(self, reason: str) -> None:
        """Make the cancel state, then carry it to what is running; a second one finds it made."""
        if self._cancel_reason is not None or self._closing:
            return
        self._cancel_reason = reason
        await self._stop_work()
        self._detail = StatusDetail.CANCELLING
        try:
            await self._project("Cancelling")
        except FailureError as error:
            # Only the announcement is lost. The settlement says the same, and must not be kept from it.
            workflow.logger.warning("cancelling could not be shown: %s", error)

    async def _stop_work(self) -> None:
        if self._in_flight is not None:
            self._in_flight.cancel()
        await asyncio.gather(*(self._cancel_agent(number) for number in sorted(self._seats)))

    @workflow.query(name="state")
    def state(self) -> RunView:
        """Return what the workflow knows of itself; for debugging."""
        return RunView(
            status=self._status,
            status_detail=self._detail,
            agents_live=len(self._seats),
            agents_parked=sum(seat.parked for seat in self._seats.values()),
            pool_pcr=self._pool_pcr,
            seq=self._seq,
        )

    # Activities.

    def _ref(self) -> dict[str, Any]:
        return {"org_id": self._input.org_id, "run_id": self._input.run_id, "attempt": self._input.attempt}

    def _key(self, kind: str) -> str:
        return operation_key(self._input.run_id, self._input.attempt, 0, 0, kind)

    async def _project(self, message: str, *, hold_ucr: int | None = None) -> None:
        """Write the status to PostgreSQL; one projection at a time, so that they leave in the order of their `seq`."""
        async with self._projecting:
            if self._settlement is not None:
                return
            self._seq += 1
            fields = TransitionRunInput(
                **self._ref(),
                seq=self._seq,
                status=self._status,
                status_detail=self._detail,
                message=message,
                tries=self._tries,
                agents_paused=len(self._seats),
            )
            status = self._status
            workflow.upsert_search_attributes([_STATUS_ATTRIBUTE.value_set(status.value)])
            if hold_ucr is not None:
                begin = BeginRunInput(**fields.model_dump(), hold_ucr=hold_ucr)
                await self._record(contract.begin_run, begin, f"{status.value}")
            else:
                self._take_hold((await self._record(contract.transition_run, fields, f"{status.value}")).hold_ucr)
            self._shown = status

    async def _record(self, activity: Callable[[_In], Awaitable[_Out]], input: _In, summary: str) -> _Out:
        return await workflow.execute_activity(
            activity,
            input,
            task_queue=queue(TaskQueue.BILLING),
            start_to_close_timeout=DATABASE.start_to_close,
            retry_policy=DATABASE.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )

    async def _call(
        self, activity: Callable[[_In], Awaitable[_Out]], input: _In, timeout: timedelta, summary: str
    ) -> _Out:
        """Run one of the run's own long activities; a cancel reaches it, and is met at the next gate."""
        options = model_options(timeout)
        handle: ActivityHandle[_Out] = workflow.start_activity(
            activity,
            input,
            task_queue=queue(TaskQueue.AGENTS),
            start_to_close_timeout=options.start_to_close,
            heartbeat_timeout=options.heartbeat,
            retry_policy=options.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
        self._in_flight = handle
        try:
            return await handle
        except asyncio.CancelledError:
            if self._cancel_reason is None:
                raise
            raise _Stopped from None  # Cancelled before it was scheduled; the body itself is never cancelled.
        finally:
            self._in_flight = None

    async def _settle(self, failure: Failure | None) -> SettleRunResult:
        """End the attempt: money and status in one transaction, tried until it is done."""
        if failure is not None:
            status, message = RunStatus.FAILED, f"Run failed: {failure.detail}"
        elif self._cancel_reason is not None:
            status, message = RunStatus.CANCELLED, f"Run cancelled: {self._cancel_reason}"
        else:
            status, message = RunStatus.COMPLETED, "Run completed"
        async with self._projecting:
            self._seq += 1
            result = await self._record(
                contract.settle_run,
                SettleRunInput(
                    **self._ref(),
                    seq=self._seq,
                    status=status,
                    error_code=failure.code if failure else None,
                    error_detail=failure.detail if failure else None,
                    message=message,
                ),
                f"settle: {status.value}",
            )
            attributes: list[Any] = [_STATUS_ATTRIBUTE.value_set(result.status.value)]
            if failure is not None:
                attributes.append(_FAILURE_ATTRIBUTE.value_set(failure.code))
            workflow.upsert_search_attributes(attributes)
            self._status, self._detail, self._shown = result.status, None, result.status
            self._settlement = result
            return result
