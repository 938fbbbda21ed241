"""The lifecycle of a run, as data: the one transition table (design, section 3).

The database trigger is generated from `RUN_TRANSITIONS`, `docs/lifecycle.md` is checked against it, and the
model-based test walks it. Nothing else decides which transition is legal.
"""

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run, in the words of the contract."""

    CREATED = "created"
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    RESUMING = "resuming"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StatusDetail(StrEnum):
    """What a run is about to do, or waits for, within its status."""

    PAUSING = "pausing"
    CANCELLING = "cancelling"
    WAITING_FOR_CREDITS = "waiting_for_credits"
    BACKING_OFF = "backing_off"
    FINISHING = "finishing"


class AgentStatus(StrEnum):
    """The status of one agent of a run."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """The status of one step; a step is written when it ends, so there is no running step in the database."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunCommand(StrEnum):
    """What a caller may ask of a run."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    FINISH = "finish"


_S = RunStatus

RUN_TRANSITIONS: frozenset[tuple[RunStatus, RunStatus]] = frozenset(
    {
        (_S.CREATED, _S.PENDING),
        (_S.CREATED, _S.CANCELLED),
        (_S.PENDING, _S.RUNNING),
        (_S.PENDING, _S.CANCELLED),
        (_S.PENDING, _S.FAILED),
        (_S.RUNNING, _S.PAUSED),
        (_S.RUNNING, _S.CANCELLED),
        (_S.RUNNING, _S.COMPLETED),
        (_S.RUNNING, _S.RETRYING),
        (_S.RUNNING, _S.FAILED),
        (_S.PAUSED, _S.RESUMING),
        (_S.PAUSED, _S.CANCELLED),
        (_S.PAUSED, _S.FAILED),
        (_S.RESUMING, _S.RUNNING),
        (_S.RESUMING, _S.CANCELLED),
        (_S.RESUMING, _S.FAILED),
        (_S.RETRYING, _S.PENDING),
        (_S.RETRYING, _S.CANCELLED),
        (_S.RETRYING, _S.FAILED),
        (_S.FAILED, _S.RETRYING),
    }
)
"""Every legal (from, to). `failed` is terminal for its attempt; a retry opens the next one."""

COMMANDS: dict[RunCommand, frozenset[RunStatus]] = {
    RunCommand.START: frozenset({_S.CREATED}),
    RunCommand.PAUSE: frozenset({_S.RUNNING}),
    RunCommand.RESUME: frozenset({_S.PAUSED}),
    RunCommand.CANCEL: frozenset({_S.CREATED, _S.PENDING, _S.RUNNING, _S.PAUSED, _S.RESUMING, _S.RETRYING}),
    RunCommand.RETRY: frozenset({_S.FAILED}),
    RunCommand.FINISH: frozenset({_S.RUNNING, _S.PAUSED}),
}
"""In which statuses each command is legal; anywhere else it is `IllegalTransition` (409)."""

TERMINAL: frozenset[RunStatus] = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED})
LIVE: frozenset[RunStatus] = frozenset({_S.PENDING, _S.RUNNING, _S.PAUSED, _S.RESUMING, _S.RETRYING})
"""Statuses in which a workflow is, or is about to be, open."""


def may_transition(current: RunStatus, target: RunStatus) -> bool:
    """Tell whether the table allows `current` -> `target`."""
    return (current, target) in RUN_TRANSITIONS


def allows(command: RunCommand, current: RunStatus) -> bool:
    """Tell whether `command` is legal in status `current`."""
    return current in COMMANDS[command]
