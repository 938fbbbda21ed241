"""Names of the events in a run's log: `noun.past`. Registered names never change."""

from enum import StrEnum


class EventType(StrEnum):
    """Every type of event; `docs/events.md` lists them with their data."""

    RUN_CREATED = "run.created"
    RUN_PENDING = "run.pending"
    RUN_STARTED = "run.started"
    RUN_PLANNED = "run.planned"
    RUN_PAUSING = "run.pausing"
    RUN_PAUSED = "run.paused"
    RUN_RESUMED = "run.resumed"
    RUN_RETRYING = "run.retrying"
    RUN_CANCELLING = "run.cancelling"
    RUN_CANCELLED = "run.cancelled"
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"
    RUN_STATUS_CHANGED = "run.status_changed"
    AGENT_SPAWNED = "agent.spawned"
    AGENT_THOUGHT = "agent.thought"
    AGENT_COMPLETED = "agent.completed"
    AGENT_FAILED = "agent.failed"
    AGENT_CANCELLED = "agent.cancelled"
    REASONER_FELL_BACK = "reasoner.fell_back"
    TOOL_COMPLETED = "tool.completed"
    TOOL_FAILED = "tool.failed"
    SOURCE_DEGRADED = "source.degraded"
    ROW_COMPLETED = "row.completed"
    REPORT_WRITTEN = "report.written"
    CREDITS_HELD = "credits.held"
    CREDITS_SETTLED = "credits.settled"
