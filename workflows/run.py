"""The Run workflow: one attempt of a run. It owns the state machine, the plan, the fan-out and the settlement.

Two coroutines share the state: the *body* (begin, plan, agents, report) and the *gatekeeper* (pause, resume, waiting
for credits). Cancel is state, not an exception: the body is never cancelled, it stops at its next gate, and the live
agents are cancelled by workflow id, which reaches the current execution of their chain (`temporal.md`, sections 0
and 2.5).

    begin -> plan -> agents -> report -> settle
             ^gate   ^gate      ^gate    ^gate

The lifecycle is here; its parts, and the messages, are in `workflows/attempt`.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from schema.contracts import run as contract
    from schema.contracts.run import ExecuteRunInput, ExecuteRunResult, PlanRunInput, PlanRunResult, SettleRunResult
    from schema.policies import MODEL_TIMEOUT, RUN_RETRY_BASE, RUN_RETRY_CAP
    from schema.states import RunStatus, StatusDetail

    from workflows._support import Failure, failure_of, wait_until
    from workflows.attempt.agents import Agents
    from workflows.attempt.delivery import Delivery
    from workflows.attempt.gate import Gate
    from workflows.attempt.lanes import Lanes
    from workflows.attempt.messages import RunMessages
    from workflows.attempt.records import Records
    from workflows.attempt.seats import Seats
    from workflows.attempt.state import Attempt, Stopped


@workflow.defn(name="Run")
class RunWorkflow(RunMessages):
    """One attempt of a run; workflow id = run id. Ends failed when the attempt fails, so that it can be retried."""

    @workflow.init
    def __init__(self, input: ExecuteRunInput) -> None:
        self._attempt = Attempt(input)
        self._records = Records(self._attempt)
        seats = Seats(self._attempt)
        self._gate = Gate(self._attempt, self._records, seats)
        self._agents = Agents(self._attempt, seats)
        self._lanes = Lanes(self._attempt, seats)
        self._delivery = Delivery(self._attempt, self._records, self._gate)
        self._cancelled_natively = False
        self._broken: BaseException | None = None

    @workflow.run
    async def run(self, input: ExecuteRunInput) -> ExecuteRunResult:
        """Execute the attempt and settle it, whatever happens to it."""
        body = asyncio.create_task(self._body())
        gatekeeper = asyncio.create_task(self._gate.keep())
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
                await self._gate.cancel("cancelled by an operator")
            if gatekeeper.done() and self._broken is None and (error := gatekeeper.exception()) is not None:
                await self._break(error)
        failure = self._failure_of_body(body)
        self._attempt.closing = True
        settle = asyncio.create_task(self._records.settle(failure))
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

    async def _body(self) -> None:
        await self._begin()
        while True:
            try:
                await self._research()
            except FailureError as error:
                failure = failure_of(error)
                attempt = self._attempt
                if attempt.cancelled() or not failure.retryable or attempt.tries + 1 >= attempt.input.tries_max:
                    raise
                await self._back_off(failure)
            else:
                return

    async def _begin(self) -> None:
        """Assert the hold and show the run as running."""
        attempt, hold_ucr = self._attempt, self._attempt.input.hold_ucr
        if attempt.input.retried:
            attempt.status = RunStatus.PENDING
            await self._records.project("Run is waiting for a worker", hold_ucr=hold_ucr)
        attempt.require_uncancelled()
        attempt.status = RunStatus.RUNNING
        await self._records.project("Run started", hold_ucr=None if attempt.input.retried else hold_ucr)

    async def _research(self) -> None:
        """Plan, run the agents that are not done, write the report. Each part is recorded and not done twice."""
        await self._gate.pass_through()
        plan = await self._plan()
        if plan.table is not None:
            ran = await self._lanes.run(plan.table, plan.tools)
        else:
            ran = await self._agents.run(plan)
        await self._delivery.run(plan, anew=ran)
        await self._gate.pass_through()
        # No await from the gate to here: a pause or cancel is either seen above or refused from now on.
        self._attempt.closing = True

    async def _plan(self) -> PlanRunResult:
        input = PlanRunInput(**self._attempt.ref(), operation_key=self._attempt.key("plan"))
        return await self._records.call(contract.plan_run, input, MODEL_TIMEOUT, "plan")

    async def _back_off(self, failure: Failure) -> None:
        """Retry within the attempt, on the same hold, after an exponential delay with full jitter."""
        attempt = self._attempt
        # Paused and resuming are the gatekeeper's: nothing but running leads to retrying.
        await attempt.wait_uncancelled(lambda: attempt.status is RunStatus.RUNNING)
        attempt.tries += 1
        attempt.status, attempt.detail = RunStatus.RETRYING, StatusDetail.BACKING_OFF
        await self._records.project(f"Retrying after {failure.code} (retry {attempt.tries})")
        ceiling = min(RUN_RETRY_CAP, RUN_RETRY_BASE * 2**attempt.tries)
        delay = timedelta(seconds=workflow.random().uniform(0, ceiling.total_seconds()))
        await wait_until(attempt.cancelled, delay)
        for status, text in ((RunStatus.PENDING, "Run is waiting for a worker"), (RunStatus.RUNNING, "Run goes on")):
            attempt.require_uncancelled()
            attempt.status, attempt.detail = status, None
            await self._records.project(text)

    # Ends.

    def _failure_of_body(self, body: "asyncio.Task[None]") -> Failure | None:
        """Return why the body failed; None when it completed or was stopped by a cancel."""
        error = body.exception()
        if self._broken is not None:
            return failure_of(self._broken)
        if error is None or isinstance(error, Stopped) or self._attempt.cancelled():
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
        if not self._attempt.cancelled():
            await self._gate.stop("the run could not be paused or resumed")

    def _end(self, result: SettleRunResult, failure: Failure | None) -> ExecuteRunResult:
        if result.status is RunStatus.FAILED:
            code, detail = (failure.code, failure.detail) if failure else ("internal_error", "closed elsewhere")
            raise ApplicationError(detail, type=code, non_retryable=True)
        if self._cancelled_natively and result.status is RunStatus.CANCELLED:
            raise asyncio.CancelledError
        return ExecuteRunResult(status=result.status, charged_ucr=result.charged_ucr, released_ucr=result.released_ucr)
