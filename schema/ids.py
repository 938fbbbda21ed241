"""Identifiers: prefixed UUIDs, and the functions that derive one identifier from another.

Nothing here reads a clock except `new_id`, which is never called from workflow code: everything a workflow names
(agents, tasks, steps, operation keys) is a function of the run's identifier and of the recorded plan, so that a
replay, a retry or a reset finds the same names.
"""

import uuid
from datetime import datetime

import uuid_utils

_DERIVED = uuid.UUID("5b1c8b1e-6f0a-5c4e-9d55-7a6f2a3f9c10")
"""Namespace of identifiers that are derived by UUIDv5; frozen, since rows are found again by it."""

ORGANISATION = "org"
USER = "user"
API_KEY = "key"
RUN = "run"
AGENT = "agent"
TASK = "task"
STEP = "step"
ARTIFACT = "art"
DOCUMENT = "doc"
FILE = "file"
FILE_QUESTION = "ask"
HOLD = "hold"
LEDGER_ENTRY = "txn"
USAGE = "use"
SOURCE = "src"
CLAIM = "clm"
REQUEST = "req"
DEAD_LETTER = "dead"
AUDIT = "aud"
SESSION = "sess"
INVITATION = "inv"
APPROVAL = "appr"
ERASURE = "erase"
EXPORT = "export"
DATA_EXPORT = "dataexport"
CONNECTOR = "conn"


def new_id(prefix: str) -> str:
    """Make a fresh identifier `prefix_` + 32 hexadecimal digits of a UUIDv7 (sortable by creation time)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def derived_id(prefix: str, *parts: str | int) -> str:
    """Derive an identifier from `parts` (UUIDv5): the same parts give the same identifier, for ever."""
    return f"{prefix}_{uuid.uuid5(_DERIVED, '/'.join(str(part) for part in parts)).hex}"


def dated_id(prefix: str, at: datetime, *parts: str | int) -> str:
    """Derive an identifier that sorts by a time, as those of `new_id` do: the same time and parts give the same one.

    A UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, then bits of the UUIDv5 of the parts in place of random ones.
    """
    milliseconds = int(at.timestamp() * 1000)
    derived = uuid.uuid5(_DERIVED, "/".join(str(part) for part in parts)).int
    value = (milliseconds & (1 << 48) - 1) << 80 | derived & (1 << 80) - 1
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{prefix}_{uuid.UUID(int=value).hex}"


def agent_workflow_id(run_id: str, agent_number: int) -> str:
    """Return the workflow id of agent `agent_number` (from 1) of a run: `RUN/agent/N`."""
    return f"{run_id}/agent/{agent_number}"


def lane_workflow_id(run_id: str, lane: int) -> str:
    """Return the workflow id of lane `lane` (from 1) of a run that fills a table: `RUN/lane/N`."""
    return f"{run_id}/lane/{lane}"


def agent_id(run_id: str, agent_number: int) -> str:
    """Return the public identifier of agent `agent_number` (from 1) of a run."""
    return derived_id(AGENT, run_id, "agent", agent_number)


def task_id(run_id: str, agent_number: int) -> str:
    """Return the identifier of the subtask that agent `agent_number` (from 1) of a run works on."""
    return derived_id(TASK, run_id, "task", agent_number)


def step_id(operation_key: str) -> str:
    """Return the identifier of the step row that belongs to an operation key."""
    return derived_id(STEP, operation_key)


def approval_id(operation_key: str) -> str:
    """Return the identifier of the approval that the act of an operation key may wait for."""
    return derived_id(APPROVAL, operation_key)


def operation_key(run_id: str, attempt: int, agent_number: int, step: int, kind: str) -> str:
    """Return the key under which one effect is metered: `run:attempt:agent:step:kind`.

    Agent 0 is the run itself (planning, report). Never a Temporal activity id, an activity attempt, a clock or a
    random value: those change on retry, reset or continue-as-new, and the effect would be charged twice or not at all.
    The values are frozen by `tests/replay/test_frozen_keys.py`.
    """
    return f"{run_id}:{attempt}:{agent_number}:{step}:{kind}"


def hold_key(run_id: str, attempt: int) -> str:
    """Return the idempotency key of the ledger entry that places the hold of one attempt of a run."""
    return f"{run_id}:{attempt}:hold"


def settle_key(run_id: str, attempt: int, kind: str) -> str:
    """Return the idempotency key of a ledger entry that settles an attempt; `kind` is charge, release or expire."""
    return f"{run_id}:{attempt}:{kind}"
