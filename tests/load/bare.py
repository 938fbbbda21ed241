"""A bare Temporal workflow of the same shape as a run: the yardstick of `bench.py`.

A parent starts `agents` children, each of which runs `steps` times two empty activities, one on its own queue and one
on another, with the same options as the product's. No database, no object store, no encryption.
"""

import argparse
import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn(name="bare.think")
async def think(step: int) -> int:
    """Do nothing."""
    return step


@activity.defn(name="bare.act")
async def act(step: int) -> int:
    """Do nothing."""
    return step


@workflow.defn(name="BareAgent")
class BareAgent:
    """Steps of two empty activities."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Run the steps."""
        prefix = workflow.info().task_queue.removesuffix("agents")
        for step in range(steps):
            await workflow.execute_activity(think, step, start_to_close_timeout=timedelta(seconds=30))
            await workflow.execute_activity(
                act, step, task_queue=f"{prefix}tools", start_to_close_timeout=timedelta(seconds=30)
            )
        return steps


@workflow.defn(name="BareRun")
class BareRun:
    """A parent of children."""

    @workflow.run
    async def run(self, shape: list[int]) -> int:
        """Start one child per entry of `shape` (its number of steps) and wait for all."""
        prefix = workflow.info().task_queue.removesuffix("runs")
        done = await asyncio.gather(
            *(
                workflow.execute_child_workflow(
                    BareAgent.run, steps, id=f"{workflow.info().workflow_id}/{number}", task_queue=f"{prefix}agents"
                )
                for number, steps in enumerate(shape)
            )
        )
        return sum(done)


async def serve(address: str, prefix: str) -> None:
    """Run the bare workers until killed; the same number of queues and slots as the product's."""
    client = await Client.connect(address)
    workflows = [BareRun, BareAgent]
    workers = [
        Worker(client, task_queue=f"{prefix}runs", workflows=workflows),
        Worker(client, task_queue=f"{prefix}agents", workflows=workflows, activities=[think]),
        Worker(client, task_queue=f"{prefix}tools", activities=[act]),
    ]
    await asyncio.gather(*(worker.run() for worker in workers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--prefix", required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.address, options.prefix))
