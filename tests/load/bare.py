"""A bare Temporal workflow of the same shape as a run: the yardstick of `bench.py`.

A parent starts `agents` children, each of which runs `steps` times two empty activities, one on its own queue and one
on another, with the same options as the product's. No database, no object store, no encryption.

With `--database-url`, each activity also reads in one PostgreSQL transaction and writes in another, as the product's
do: what durability alone costs. It writes WAL records of no table, which need no schema and no cleaning up.
"""

import argparse
import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    # The sandbox loads what a workflow's module imports once more; a second copy of asyncpg's C code is a crash.
    import asyncpg

WRITTEN_BYTES = 2_000
"""About what a step's rows take, without their indexes."""


class Bare:
    """Activities that do nothing, or nothing but two transactions."""

    def __init__(self, pool: asyncpg.Pool | None) -> None:
        self._pool = pool

    @activity.defn(name="bare.think")
    async def think(self, step: int) -> int:
        """Do nothing."""
        await self._touch()
        return step

    @activity.defn(name="bare.act")
    async def act(self, step: int) -> int:
        """Do nothing."""
        await self._touch()
        return step

    async def _touch(self) -> None:
        if self._pool is None:
            return
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetchval("SELECT clock_timestamp()")
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetchval("SELECT pg_logical_emit_message(true, 'bench', $1)", "x" * WRITTEN_BYTES)


@workflow.defn(name="BareAgent")
class BareAgent:
    """Steps of two empty activities."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Run the steps."""
        prefix = workflow.info().task_queue.removesuffix("agents")
        for step in range(steps):
            await workflow.execute_activity_method(Bare.think, step, start_to_close_timeout=timedelta(seconds=30))
            await workflow.execute_activity_method(
                Bare.act, step, task_queue=f"{prefix}tools", start_to_close_timeout=timedelta(seconds=30)
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


async def serve(address: str, prefix: str, database_url: str | None) -> None:
    """Run the bare workers until killed; the same number of queues and slots as the product's."""
    client = await Client.connect(address)
    pool = await asyncpg.create_pool(database_url, min_size=0, max_size=10) if database_url else None
    bare = Bare(pool)
    workflows = [BareRun, BareAgent]
    workers = [
        Worker(client, task_queue=f"{prefix}runs", workflows=workflows),
        Worker(client, task_queue=f"{prefix}agents", workflows=workflows, activities=[bare.think]),
        Worker(client, task_queue=f"{prefix}tools", activities=[bare.act]),
    ]
    await asyncio.gather(*(worker.run() for worker in workers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--database-url")
    options = parser.parse_args()
    asyncio.run(serve(options.address, options.prefix, options.database_url))
