"""`python -m tests.load.bombs`: how long each hostile file takes to be refused, how much this process grows, and how
long each level of sandbox takes to be proved and to start. Part of `make bench`."""

import asyncio
import sys
import time

import psutil

from activities.documents.sandbox import parse
from infra.sandbox.levels import Level
from infra.sandbox.probe import attack
from schema.errors import SwissbrainError
from tests.support.bombs import MB, bombs

REFUSED_WITHIN_S = 2.0
GROWTH_MAX_MB = 200.0


async def measure() -> bool:
    """Print the tables; tell whether every figure is within its limit."""
    within = True
    print("level        attacks  refused  seconds")
    for level in (Level.BUBBLEWRAP, Level.LANDLOCK):
        probed = await attack(level)
        refused = len(probed.results) - len(probed.escaped)
        print(f"{level.label:12} {len(probed.results):7} {refused:8} {probed.seconds:8.2f}  {probed.reason or ''}")
    await parse(b"Text.", "a.txt", "text/plain")
    before = psutil.Process().memory_info().rss
    print("\nbomb               KB  seconds  grown MB  refusal")
    for what, (name, data, _) in bombs().items():
        started, said = time.monotonic(), "read"
        try:
            await parse(data, name, "application/octet-stream")
        except SwissbrainError as error:
            said = error.detail
        seconds = time.monotonic() - started
        grown = (psutil.Process().memory_info().rss - before) / MB
        within = within and seconds < REFUSED_WITHIN_S and grown < GROWTH_MAX_MB
        print(f"{what:16} {len(data) / 1024:6.0f} {seconds:8.2f} {grown:9.0f}  {said[:70]}")
    return within


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(measure()) else 1)
