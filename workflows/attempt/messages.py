"""What a run is told and asked: updates for the API, signals of the same names for operators, the children's signal.

A handler notes what it was told in the attempt's state and answers when that has been carried out, or after a bounded
time. What waits for it says so with `Attempt.wait_for`. A validator refuses before anything is recorded.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from schema.contracts.run import (
        AgentParked,
        CancelRunInput,
        CancelRunResult,
        FinishRunInput,
        FinishRunResult,
        PauseRunInput,
        PauseRunResult,
        ResumeRunInput,
        ResumeRunResult,
        RunView,
    )
    from schema.policies import UPDATE_ANSWER_WITHIN
    from schema.states import RunCommand, RunStatus, StatusDetail, allows

    from workflows.attempt.gate import Gate
    from workflows.attempt.state import Attempt


class RunMessages:
    """The handlers of the Run workflow, which inherits them."""

    _attempt: Attempt
    _gate: Gate

    @workflow.update(name="pause")
    async def pause(self, input: PauseRunInput) -> PauseRunResult:
        """Pause between steps; answers when every agent is parked, or after a bounded time with `running`."""
        attempt = self._attempt
        attempt.pausing = True
        await attempt.wait_for(lambda: attempt.shown is RunStatus.PAUSED, UPDATE_ANSWER_WITHIN)
        return PauseRunResult(status=attempt.shown, agents_paused=attempt.parked)

    @pause.validator
    def _check_pause(self, input: PauseRunInput) -> None:
        self._require(RunCommand.PAUSE)

    @workflow.signal(name="pause")
    def pause_by_signal(self) -> None:
        """Pause, for operators: `temporal workflow signal -w RUN --name pause`."""
        if self._accepts(RunCommand.PAUSE):
            self._attempt.pausing = True

    @workflow.update(name="resume")
    async def resume(self, input: ResumeRunInput) -> ResumeRunResult:
        """Resume a paused run, with what was added to its hold."""
        attempt = self._attempt
        attempt.take_hold(input.hold_ucr)
        if attempt.status is RunStatus.PAUSED:
            attempt.pausing = False
        await attempt.wait_for(lambda: attempt.shown is RunStatus.RUNNING, UPDATE_ANSWER_WITHIN)
        return ResumeRunResult(status=attempt.shown)

    @resume.validator
    def _check_resume(self, input: ResumeRunInput) -> None:
        # What was added is held already: it is refused only by a run that ends, and then released.
        if not input.added_ucr or self._attempt.over():
            self._require(RunCommand.RESUME)

    @workflow.signal(name="resume")
    def resume_by_signal(self) -> None:
        """Resume, for operators."""
        if self._accepts(RunCommand.RESUME):
            self._attempt.pausing = False

    @workflow.update(name="finish")
    async def finish(self, input: FinishRunInput) -> FinishRunResult:
        """Stop the agents at their next step and write the report with what there is."""
        attempt = self._attempt
        await self._gate.finish()
        await attempt.wait_for(lambda: attempt.shown is not RunStatus.PAUSED, UPDATE_ANSWER_WITHIN)
        return FinishRunResult(status=attempt.shown)

    @finish.validator
    def _check_finish(self, input: FinishRunInput) -> None:
        self._require(RunCommand.FINISH)

    @workflow.signal(name="finish")
    async def finish_by_signal(self) -> None:
        """Finish, for operators."""
        if self._accepts(RunCommand.FINISH):
            await self._gate.finish()

    @workflow.update(name="cancel")
    async def cancel(self, input: CancelRunInput) -> CancelRunResult:
        """Stop everything, then settle; answers when settled, or after a bounded time with the status so far."""
        attempt = self._attempt
        await self._gate.cancel(input.reason)
        await attempt.wait_settled(UPDATE_ANSWER_WITHIN)
        if (moved := attempt.settlement) is None:
            return CancelRunResult(status=attempt.shown, charged_ucr=0, released_ucr=0)
        return CancelRunResult(status=moved.status, charged_ucr=moved.charged_ucr, released_ucr=moved.released_ucr)

    @cancel.validator
    def _check_cancel(self, input: CancelRunInput) -> None:
        self._require(RunCommand.CANCEL)

    @workflow.signal(name="cancel")
    async def cancel_by_signal(self) -> None:
        """Cancel, for operators."""
        if self._accepts(RunCommand.CANCEL):
            await self._gate.cancel("cancelled by an operator")

    @workflow.signal(name="agent_parked")
    def agent_parked(self, input: AgentParked) -> None:
        """An agent waits at its gate, or for budget."""
        if not input.needs_pcr and input.pause_number != self._attempt.pause_number:
            return
        if (seat := self._attempt.seats.get(input.agent_number)) is not None:
            seat.parked, seat.needs_pcr = input.parked, input.needs_pcr

    @workflow.query(name="state")
    def state(self) -> RunView:
        """Return what the workflow knows of itself; for debugging."""
        return self._attempt.view()

    def _require(self, command: RunCommand) -> None:
        """Refuse a command that the attempt cannot follow now.

        Raises:
            ApplicationError: `illegal_transition`.
        """
        attempt = self._attempt
        busy = attempt.over() or (command is RunCommand.PAUSE and (attempt.pausing or attempt.finishing))
        if not allows(command, attempt.status) or (busy and command is not RunCommand.CANCEL) or attempt.closing:
            status = StatusDetail.CANCELLING if attempt.cancelled() else (attempt.detail or attempt.status)
            raise ApplicationError(
                f"a run that is {status} cannot be given the command '{command}'",
                {"status": attempt.status.value, "command": command.value},
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
