"""Runs and what hangs on them: agents, tasks, steps, events, artifacts, dead letters, exports."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from schema.states import AgentStatus, RunStatus, StepStatus
from schema.tables.base import Table, Timestamp, bigint_field, created_at_field, json_field, timestamp_field


def _in(column: str, values: Any) -> str:
    return f"{column} in ({', '.join(repr(str(value.value)) for value in values)})"


class Run(Table, table=True):
    """A run, as its workflow last projected it; `(attempt, seq)` never goes backwards."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint(_in("status", RunStatus), name="status"),
        CheckConstraint("attempt >= 1 and seq >= 0 and event_seq >= 0", name="counters"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        ForeignKeyConstraint(["user_id"], ["users.id"]),
        ForeignKeyConstraint(["org_id", "workspace_id"], ["workspaces.org_id", "workspaces.id"]),
        Index("ix_runs_org_id_created_at", "org_id", text("created_at desc"), text("id desc")),
        Index(
            "ix_runs_live",
            "status",
            "updated_at",
            postgresql_where=text("status in ('created','pending','running','paused','resuming','retrying')"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    user_id: str = Field(sa_type=Text)
    workspace_id: str | None = Field(default=None, sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)
    task: str = Field(sa_type=Text)
    context: dict[str, Any] = json_field(nullable=False)
    status: str = Field(default=RunStatus.CREATED.value, sa_type=Text)
    status_detail: str | None = Field(default=None, sa_type=Text)
    max_agents: int
    agent_count: int = Field(default=0)
    max_tokens: int = bigint_field()
    tokens_used: int = bigint_field()
    attempt: int = Field(default=1)
    """Attempt, from 1: one hold, one settlement and one terminal state each."""
    tries: int = Field(default=0)
    """Automatic retries made within the attempt."""
    max_tries: int = Field(default=3)
    seq: int = bigint_field()
    """Sequence number of the last projection within the attempt."""
    event_seq: int = bigint_field()
    """Number of the run's last event; gap-free."""
    quoted_ucr: int = bigint_field()
    """The hold that a start places, micro-credits."""
    last_error: dict[str, Any] | None = json_field()
    """`{code, detail}` of the failure that ended the last attempt or try."""
    quality: dict[str, Any] | None = json_field()
    tool_policy: dict[str, Any] | None = json_field()
    """What its agents may do, fixed at its creation; None: a run from before there were policies."""
    plan: list[dict[str, Any]] | None = json_field()
    """The recorded plan: made once, the same for every retry."""
    created_at: Timestamp = created_at_field()
    updated_at: Timestamp = created_at_field()
    started_at: Timestamp | None = timestamp_field()
    paused_at: Timestamp | None = timestamp_field()
    resumed_at: Timestamp | None = timestamp_field()
    completed_at: Timestamp | None = timestamp_field()
    """When it reached its terminal state, whichever that is."""


class RunTransition(Table, table=True):
    """The legal transitions, copied from `schema/states.py` by the migration; the trigger reads them."""

    __tablename__ = "run_transitions"

    from_status: str = Field(primary_key=True, sa_type=Text)
    to_status: str = Field(primary_key=True, sa_type=Text)


class RunStatusChange(Table, table=True):
    """Every status change of every run, written by the trigger in the same transaction."""

    __tablename__ = "run_status_changes"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        Index("ix_run_status_changes_run_id", "run_id", "id"),
    )

    id: int | None = Field(default=None, sa_type=BigInteger, primary_key=True)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    attempt: int
    from_status: str | None = Field(default=None, sa_type=Text)
    to_status: str = Field(sa_type=Text)
    at: Timestamp = created_at_field()


class RunEvent(Table, table=True):
    """One line of a run's log; `seq` is gap-free per run and is the stream's `id:`."""

    __tablename__ = "run_events"
    __table_args__ = (
        CheckConstraint("level in ('debug','info','warning','error')", name="level"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
    )

    run_id: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    org_id: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    """`noun.past`, one of `schema/events.py`."""
    level: str = Field(default="info", sa_type=Text)
    message: str = Field(sa_type=Text)
    agent_number: int | None = Field(default=None)
    data: dict[str, Any] | None = json_field()
    created_at: Timestamp = created_at_field()


class Agent(Table, table=True):
    """One agent of a run, as its workflow last projected it."""

    __tablename__ = "agents"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        UniqueConstraint("org_id", "run_id", "number"),
        CheckConstraint(_in("status", AgentStatus), name="status"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    number: int
    status: str = Field(default=AgentStatus.PENDING.value, sa_type=Text)
    attempt: int = Field(default=1)
    """Attempt of the run in which the agent last worked."""
    subtask: str = Field(sa_type=Text)
    steps: int = Field(default=0)
    tokens_used: int = bigint_field()
    claims: int = Field(default=0)
    outcome: str | None = Field(default=None, sa_type=Text)
    """Why it stopped: its own reason, or the budget that ended it."""
    last_error: dict[str, Any] | None = json_field()
    created_at: Timestamp = created_at_field()
    started_at: Timestamp | None = timestamp_field()
    completed_at: Timestamp | None = timestamp_field()


class Task(Table, table=True):
    """One subtask of a run's plan."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        UniqueConstraint("org_id", "run_id", "sequence_number"),
        CheckConstraint("status in ('pending','running','completed','failed','cancelled','skipped')", name="status"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    sequence_number: int
    name: str = Field(sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)
    status: str = Field(default="pending", sa_type=Text)
    created_at: Timestamp = created_at_field()
    started_at: Timestamp | None = timestamp_field()
    completed_at: Timestamp | None = timestamp_field()


STEP_OBJECT = "coalesce(output #>> '{object,key}', output #>> '{value,key}')"
"""Key of the object that holds what a step brought, where it was large."""


class Step(Table, table=True):
    """One think or act of an agent (agent 0: the run itself), written when it ends."""

    __tablename__ = "steps"
    __table_args__ = (
        UniqueConstraint("org_id", "operation_key"),
        CheckConstraint(_in("status", StepStatus), name="status"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["org_id", "task_id"], ["tasks.org_id", "tasks.id"], ondelete="CASCADE"),
        Index("ix_steps_run_id_agent_number", "run_id", "agent_number", "sequence_number"),
        Index("ix_steps_object_key", "org_id", text(STEP_OBJECT), postgresql_where=text(f"{STEP_OBJECT} is not null")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    task_id: str | None = Field(default=None, sa_type=Text)
    operation_key: str = Field(sa_type=Text)
    attempt: int
    agent_number: int
    sequence_number: int
    kind: str = Field(sa_type=Text)
    """`think` or `act`; of the run itself `plan` or `report`."""
    name: str = Field(sa_type=Text)
    tool_name: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    input: dict[str, Any] = json_field(nullable=False)
    output: dict[str, Any] | None = json_field()
    """Inline, or `{object: ObjectRef}` when it is larger than the inline limit."""
    error: dict[str, Any] | None = json_field()
    started_at: Timestamp | None = timestamp_field()
    completed_at: Timestamp = created_at_field()
    duration_ms: int = bigint_field()


class Artifact(Table, table=True):
    """A file that a run made; the object is content-addressed, the row is unique per run, name and content."""

    __tablename__ = "artifacts"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        UniqueConstraint("org_id", "run_id", "name"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        Index("ix_artifacts_org_id_object_key", "org_id", "object_key"),
        Index("ix_artifacts_expires_at", "expires_at", postgresql_where=text("deleted_at is null")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)
    mime_type: str = Field(sa_type=Text)
    object_key: str = Field(sa_type=Text)
    content_sha256: str = Field(sa_type=Text)
    size_bytes: int = bigint_field()
    created_at: Timestamp = created_at_field()
    expires_at: Timestamp | None = timestamp_field()
    deleted_at: Timestamp | None = timestamp_field()


class DeadLetter(Table, table=True):
    """Work that was given up after its retries; `swissbrain dead-letters replay` starts it again."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        ForeignKeyConstraint(["org_id"], ["organisations.id"]),
        Index("ix_dead_letters_org_id_created_at", "org_id", "created_at"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str | None = Field(default=None, sa_type=Text)
    kind: str = Field(sa_type=Text)
    """`run`, `agent` or `document`."""
    subject_id: str = Field(sa_type=Text)
    error: dict[str, Any] = json_field(nullable=False)
    created_at: Timestamp = created_at_field()
    replayed_at: Timestamp | None = timestamp_field()


class Export(Table, table=True):
    """An export of a run into another format; its file is an artifact of the run."""

    __tablename__ = "exports"
    __table_args__ = (
        UniqueConstraint("org_id", "id"),
        CheckConstraint("status in ('processing','completed','failed','cancelled')", name="status"),
        CheckConstraint("(status = 'completed') = (artifact_id is not null)", name="file"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["org_id", "artifact_id"], ["artifacts.org_id", "artifacts.id"]),
        Index("ix_exports_org_id_run_id", "org_id", "run_id"),
        Index("ix_exports_processing", "created_at", postgresql_where=text("status = 'processing'")),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    run_id: str = Field(sa_type=Text)
    format: str = Field(sa_type=Text)
    options: dict[str, Any] = json_field(nullable=False)
    """`schema/contracts/deliverables.py: ExportOptions`."""
    status: str = Field(default="processing", sa_type=Text)
    artifact_id: str | None = Field(default=None, sa_type=Text)
    error: dict[str, Any] | None = json_field()
    created_by: str | None = Field(default=None, sa_type=Text)
    """The user; None: the run itself, which was asked for it when it was created."""
    created_at: Timestamp = created_at_field()
    completed_at: Timestamp | None = timestamp_field()
