"""Admission by backlog: how long the oldest task of the queues that a run stands in has waited.

Asked of Temporal, whose queues know it. What cannot be asked is no reason to refuse: whether Temporal answers at all is
another question, asked elsewhere (`Orchestrator.require_ready`).
"""

import asyncio
import time
from datetime import timedelta

import structlog
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueName
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from infra.settings import Settings
from schema.errors import RateLimited
from schema.policies import ADMISSION_RETRY_AFTER, BACKLOG_AGE_MAX, BACKLOG_ASKED_EVERY, TaskQueue

log = structlog.get_logger(__name__)

_WORKFLOW, _ACTIVITY = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
_QUEUES = (
    (TaskQueue.RUNS, _WORKFLOW),
    (TaskQueue.AGENTS, _WORKFLOW),
    (TaskQueue.AGENTS, _ACTIVITY),
    (TaskQueue.TOOLS, _ACTIVITY),
    (TaskQueue.BILLING, _ACTIVITY),
)
"""What a run waits in; `tools-cpu` is for documents, which are accepted whatever its length."""
_RPC_TIMEOUT = timedelta(seconds=2)


class Admission:
    """Decides whether more work is accepted now."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._asking = asyncio.Lock()
        self._age = timedelta(0)
        self._known_until = 0.0

    async def require_capacity(self) -> None:
        """Refuse a start while work that was accepted waits too long.

        Raises:
            RateLimited: with `backlog_age_s`; nothing was held.
        """
        age = await self.backlog_age()
        if age > BACKLOG_AGE_MAX:
            raise RateLimited(
                f"Accepted work has waited for {age.total_seconds():.0f} s; nothing was held. Try again later.",
                retry_after_s=ADMISSION_RETRY_AFTER.total_seconds(),
                backlog_age_s=round(age.total_seconds(), 1),
                limit_s=BACKLOG_AGE_MAX.total_seconds(),
            )

    async def backlog_age(self) -> timedelta:
        """Return the age of the oldest waiting task, known to a second or two; callers at once ask once."""
        async with self._asking:
            if time.monotonic() >= self._known_until:
                ages = await asyncio.gather(*(self._age_of(queue, kind) for queue, kind in _QUEUES))
                self._age = max(ages)
                self._known_until = time.monotonic() + BACKLOG_ASKED_EVERY.total_seconds()
        return self._age

    async def _age_of(self, queue: TaskQueue, kind: "TaskQueueType.ValueType") -> timedelta:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueueName(name=self._settings.task_queue(queue)),
            task_queue_type=kind,
            report_stats=True,
        )
        try:
            answer = await self._client.workflow_service.describe_task_queue(request, timeout=_RPC_TIMEOUT)
        except (RPCError, RuntimeError) as error:  # A lazy client that cannot connect raises RuntimeError.
            log.warning("admission.unknown", queue=queue.value, error=type(error).__name__)
            return timedelta(0)
        age: Duration = answer.stats.approximate_backlog_age
        return age.ToTimedelta() if answer.stats.approximate_backlog_count else timedelta(0)
