"""Readiness: does every dependency answer, and which does not."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from temporalio.client import Client

from infra.database import Database
from infra.live import Live
from infra.objects import ObjectStore
from infra.temporal import temporal_ready

CHECK_TIMEOUT_S = 2.0
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
