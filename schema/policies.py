"""Every limit of the product, named: queues, timeouts, retries, sizes, budgets.

Pure data. A number that bounds a queue, a loop, a payload, a retry or a history stands here and nowhere else.
"""

from datetime import timedelta
from enum import StrEnum


class TaskQueue(StrEnum):
    """Temporal task queues (design, section 7); a deployment may prefix them (`temporal_task_queue_prefix`)."""

    RUNS = "runs"
    AGENTS = "agents"
    TOOLS = "tools"
    TOOLS_CPU = "tools-cpu"
    BILLING = "billing"


PRIORITY_RUN = 1
PRIORITY_INGEST = 2
PRIORITY_SCHEDULED = 3
"""Temporal's priority keys, lowest first: what a user waits for, will need, and what only the clock asks for."""

# Requests.
TASK_LENGTH_MAX = 20_000
NAME_LENGTH_MAX = 255
DESCRIPTION_LENGTH_MAX = 4_000
CONTEXT_BYTES_MAX = 64 * 1024
REQUEST_BYTES_MAX = 1024 * 1024
UPLOAD_BYTES_MAX = 25 * 1024 * 1024
UPLOAD_FILES_MAX = 100
PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 200
IDEMPOTENCY_KEY_LENGTH_MAX = 255
IDEMPOTENCY_PROMISED = timedelta(hours=24)
IDEMPOTENCY_KEPT = timedelta(hours=48)

# Admission: what is refused with 429 before anything is held.
BACKLOG_AGE_MAX = timedelta(minutes=5)
"""A start is refused while the oldest task that a worker should have taken has waited longer than this."""
BACKLOG_ASKED_EVERY = timedelta(seconds=2)
ADMISSION_RETRY_AFTER = timedelta(seconds=30)

# A run.
AGENTS_DEFAULT = 10
AGENTS_MAX = 100
AGENTS_PARALLEL_MAX = 20
TOKENS_DEFAULT = 100_000
TOKENS_MIN = 1_000
TOKENS_MAX = 10_000_000
RUN_TRIES_DEFAULT = 3
"""Automatic tries of one attempt: the first and its automatic retries."""
RUN_RETRY_BASE = timedelta(seconds=1)
RUN_RETRY_CAP = timedelta(seconds=30)
CREATED_UNSTARTED_MAX = timedelta(hours=24)
PAUSED_MAX = timedelta(days=30)
HOLD_LIFETIME = timedelta(days=45)
"""Longer than the longest pause; past it the reconciler ends the run and releases the hold."""
UPDATE_ANSWER_WITHIN = timedelta(seconds=8)
"""How long an API call waits for a pause or a cancel to be complete before it answers 202."""

# An agent.
AGENTS_BUDGET_SHARE_PERCENT = 80
"""Share of a run's hold and tokens that its agents divide; the rest plans and writes the report."""
AGENT_STEPS_MAX = 8
AGENT_STEPS_PER_EXECUTION = 50
"""Steps after which an agent continues as new (about 600 history events)."""
AGENT_START_TRIES = 15
AGENT_START_AGAIN_AFTER = timedelta(seconds=2)
"""How often, and after what time, a start is tried again while an earlier agent of the same id still closes."""
AGENT_REPEATS_MAX = 2
"""An agent that asks for the same tool with the same arguments more often than this is stopped (loop detection)."""

# The report.
REPORT_STAGES = ("merge", "resolve", "write", "render")
"""In order; each is an activity, a step row and an operation key."""

# Activities: (start to close, heartbeat). A heartbeat is how a cancel reaches a running activity.
HEARTBEAT = timedelta(seconds=3)
HEARTBEAT_EVERY = timedelta(milliseconds=700)
DATABASE_TIMEOUT = timedelta(seconds=5)
MODEL_TIMEOUT = timedelta(seconds=600)
TOOL_TIMEOUT_MAX = timedelta(seconds=120)
REPORT_TIMEOUT = timedelta(seconds=1800)
INGEST_TIMEOUT = timedelta(seconds=300)
INGEST_TRIES = 8
"""Tries to read one document; one that takes its worker with it, or never ends, is given up after them."""
RETRY_INITIAL = timedelta(milliseconds=200)
RETRY_CAP = timedelta(seconds=30)
RETRY_ATTEMPTS_MODEL = 6
RETRY_ATTEMPTS_TOOL = 3
"""Tries after which a failure that is not of our own making is given up; counted by the activities' boundary."""
RETRY_ATTEMPTS_LOST = 50
"""Tries of one activity in all, those included that a killed worker or an outage of our own took."""
STICKY_TIMEOUT = timedelta(seconds=1)
WORKFLOW_TASK_TIMEOUT = timedelta(seconds=5)

# Sizes that travel.
PAYLOAD_BYTES_MAX = 256 * 1024
"""An activity or workflow argument larger than this is refused before it is scheduled."""
STEP_OUTPUT_INLINE_BYTES_MAX = 32 * 1024
"""A step's output larger than this goes to the object store; the row keeps hash and size."""
FETCH_BYTES_MAX = 10 * 1024 * 1024
FETCH_REDIRECTS_MAX = 5
FETCH_TIMEOUT = timedelta(seconds=30)
FETCH_CONNECT_TIMEOUT = timedelta(seconds=5)
URL_LENGTH_MAX = 2_048
DOCUMENT_CHARACTERS_MAX = 5_000_000
PASSAGE_CHARACTERS = 900
PASSAGES_PER_SEARCH_MAX = 20

# Streams.
STREAM_PING = timedelta(seconds=15)
STREAM_POLL = timedelta(seconds=1)
STREAM_BATCH = 500
PRESIGNED_FOR = timedelta(minutes=15)
ARTIFACT_KEPT = timedelta(days=30)

# Reconciler.
RECONCILE_EVERY = timedelta(minutes=1)
RECONCILE_GRACE = timedelta(seconds=30)
RECONCILE_MISSING_GRACE = timedelta(minutes=15)
"""How long a running run may be unknown to Temporal before it is closed: a wrong namespace must not end every run."""
RECONCILE_BATCH = 500
