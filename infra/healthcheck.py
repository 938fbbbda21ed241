"""`python -m infra.healthcheck api | worker --role R`: a container's health check; ends with 0 where the process works.

The API answers `/healthz`. A worker has no port: Temporal tells whether a worker of this host asks its queue for work.
"""

import argparse
import asyncio
import http.client
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from infra.settings import Settings
from infra.temporal import connect
from schema.errors import OrchestratorUnavailable

POLLER_AGE_MAX_S = 180.0
"""A poll lasts a minute, and the server remembers a poller for five."""
WORKFLOW_ROLES = {"all": "runs", "runs": "runs", "agents": "agents"}
"""The queue of workflow tasks that a role must serve; the other roles serve activities on the queue of their name."""


async def polls(client: Client, settings: Settings, role: str, wanted: Callable[[PollerInfo], bool]) -> bool:
    """Tell whether a worker of that role, and one that is `wanted`, asks for work."""
    workflows = role in WORKFLOW_ROLES
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if workflows else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=settings.task_queue(WORKFLOW_ROLES.get(role, role))),
            task_queue_type=kind,
        )
    )
    return any(wanted(poller) for poller in answer.pollers)


def last_seen(poller: PollerInfo) -> datetime:
    """Return when the poller last asked."""
    return poller.last_access_time.ToDatetime(UTC)


async def _worker_works(settings: Settings, role: str) -> bool:
    host = socket.gethostname()

    def ours(poller: PollerInfo) -> bool:
        return host in poller.identity and (datetime.now(UTC) - last_seen(poller)).total_seconds() < POLLER_AGE_MAX_S

    try:
        return await polls(await connect(settings), settings, role, ours)
    except (OrchestratorUnavailable, RPCError):
        # Restarting this worker would not bring Temporal back.
        return True


def _api_works(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    """Check, and end with 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m infra.healthcheck")
    parser.add_argument("process", choices=("api", "worker"))
    parser.add_argument("--role", default="all")
    arguments = parser.parse_args()
    settings = Settings()
    if arguments.process == "api":
        works = _api_works(settings.api_port)
    else:
        works = asyncio.run(_worker_works(settings, arguments.role))
    sys.exit(0 if works else 1)


if __name__ == "__main__":
    main()
