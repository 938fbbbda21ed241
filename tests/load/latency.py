"""Wide research with a slow model: ten agents at once against the slowest of them alone.

`python -m tests.load.latency`: a scripted model that takes 2 to 5 s for every answer (as long for the n-th question of
a kind to an agent alone as among others), one run of ten agents, then the slowest agent's question as a run of its own.
Prints both times and their ratio: of the agents' work, and of the whole runs, planning and report included.
"""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.model_server import ModelServer
from tests.support.stack import Stack
from tests.support.texts import python_topics

LATENCY_S = (2.0, 5.0)
AGENTS = 10
RATIO_AIM = 1.3
RUN_WITHIN_S = 600.0
QUESTIONS = (
    "How are classes defined?",
    "How are comparisons chained?",
    "What does the assignment statement do?",
    "How does the import statement find modules?",
    "What is a generator expression?",
    "How do exceptions propagate?",
    "What does the with statement do?",
    "How are format specifications written?",
    "What does the lambda expression make?",
    "How does a for loop end early?",
)


@dataclass(frozen=True)
class Took:
    """How long a run took, in seconds."""

    agents_s: float
    """From the first agent's start to the last one's end."""
    whole_s: float
    """From the run's start to its end."""
    slowest: str
    """What the agent was asked that took longest."""


def between_s(facts: dict[str, Any]) -> float:
    """Return the seconds from a run's or an agent's start to its end."""
    return (_at(facts, "completed_at") - _at(facts, "started_at")).total_seconds()


def _at(facts: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(facts[name])


def research(stack: Stack, task: str, agents_max: int) -> Took:
    """Run a task to its end."""
    run_id = stack.create(task, max_agents=agents_max, max_tokens=2_000_000)
    stack.start(run_id)
    run = stack.finished(run_id, RUN_WITHIN_S)
    assert run["status"] == "completed"
    agents = stack.get(f"/api/v1/runs/{run_id}/agents")["agents"]
    assert len(agents) == agents_max
    last, first = max(_at(each, "completed_at") for each in agents), min(_at(each, "started_at") for each in agents)
    return Took((last - first).total_seconds(), between_s(run), max(agents, key=between_s)["subtask"])


async def measure() -> None:
    """Measure and print."""
    with contextlib.ExitStack() as cleanup:
        folder = cleanup.enter_context(
            tempfile.TemporaryDirectory(prefix="swissbrain-latency-", ignore_cleanup_errors=True)
        )
        async with ModelServer(latency_s=LATENCY_S) as model:
            settings = {
                "SWISSBRAIN_MODEL": "openai/scripted",
                "SWISSBRAIN_MODEL_BASE_URL": model.base_url,
                "SWISSBRAIN_MODEL_API_KEY": "none",
            }
            stack = await asyncio.to_thread(Stack(Path(folder) / "data", env=settings).up)
            cleanup.callback(stack.down)
            topics = python_topics()
            await asyncio.to_thread(stack.upload, {name: topics[name] for name in sorted(topics)[:60]})
            ten = await asyncio.to_thread(research, stack, " ".join(QUESTIONS), AGENTS)
            calls = len(model.calls)
            model.script.calls.clear()
            one = await asyncio.to_thread(research, stack, ten.slowest, 1)
    print(f"every answer takes 2 to 5 s; ten agents had {calls} of them, at most {model.script.busiest} at once")
    print(f"alone: {ten.slowest}")
    print("                                     ten agents   one alone       ratio")
    for name, together_s, alone_s in (
        ("agents, first start to last end", ten.agents_s, one.agents_s),
        ("the whole run", ten.whole_s, one.whole_s),
    ):
        print(f"{name:36s} {together_s:8.1f} s  {alone_s:8.1f} s  {together_s / alone_s:10.2f}  (aim {RATIO_AIM})")


if __name__ == "__main__":
    asyncio.run(measure())
