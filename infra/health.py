"""Readiness: does every dependency answer, and which does not."""

import asyncio
import os
import re
import socket
from collections.abc import Awaitable
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore
from infra.temporal import temporal_ready

CHECK_TIMEOUT_S = 2.0
_LEVEL = re.compile(r" sandbox=([a-z]+)$")
DISPENSABLE = frozenset({"redis"})
"""Parts whose absence slows and degrades, and refuses nothing: no reason to take a process out of service."""


async def readiness(*, database: Database, objects: ObjectStore, live: Live, temporal: Client) -> dict[str, str]:
    """Ask all dependencies at once, each for two seconds at most.

    Returns:
        `{"temporal": "ok", "postgres": "ok", "s3": "ok", "redis": "ok"}`; a part that fails has the failure's kind
        (`error: StorageUnavailable`) in place of `ok`, and no detail, which could name hosts.
    """
    checks: dict[str, Awaitable[None]] = {
        "temporal": temporal_ready(temporal, timeout=timedelta(seconds=CHECK_TIMEOUT_S)),
        "postgres": database.ping(),
        "s3": objects.ping(),
        "redis": live.ping(),
    }
    answers = await asyncio.gather(*(_check(check) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


def worker_identity(sandbox_level: str) -> str:
    """Return how a worker introduces itself to Temporal: process, host, and the level of sandbox that it proved."""
    return f"{os.getpid()}@{socket.gethostname()} sandbox={sandbox_level}"


async def sandbox_levels(temporal: Client, task_queue: str) -> list[str] | None:
    """Return the levels of sandbox of the workers that parse files, by name; None: Temporal did not say.

    Temporal remembers a worker that is gone for five minutes.
    """
    request = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    try:
        answer = await temporal.workflow_service.describe_task_queue(
            request, timeout=timedelta(seconds=CHECK_TIMEOUT_S)
        )
    except (RPCError, RuntimeError):
        return None
    found = (_LEVEL.search(poller.identity) for poller in answer.pollers)
    return sorted({match[1] for match in found if match})


def silent(answers: dict[str, str]) -> list[str]:
    """Return the parts that did not answer."""
    return [name for name, answer in answers.items() if answer != "ok"]


def is_ready(answers: dict[str, str]) -> bool:
    """Tell whether every part answered that requests cannot do without."""
    return not set(silent(answers)) - DISPENSABLE


async def _check(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check
    except Exception as error:  # Whatever it is, the part is not ready; the kind goes into the answer.
        return f"error: {type(error).__name__}"
    return "ok"
