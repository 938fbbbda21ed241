"""Wide research with a slow model: ten agents at once against the slowest of them alone.

`python -m tests.load.latency`: a scripted model that takes 2 to 5 s for every answer (always the same for a prompt),
one run of ten agents, then the slowest agent's question as a run of its own. Prints both times and their ratio.
"""

import asyncio
import contextlib
import tempfile
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


def agents_phase(agents: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """Return seconds from the first agent's start to the last one's end, and the agent that took longest."""

    def at(agent: dict[str, Any], name: str) -> float:
        return datetime.fromisoformat(agent[name]).timestamp()

    whole_s = max(at(agent, "completed_at") for agent in agents) - min(at(agent, "started_at") for agent in agents)
    return whole_s, max(agents, key=lambda agent: at(agent, "completed_at") - at(agent, "started_at"))


def research(stack: Stack, task: str, agents_max: int) -> tuple[float, dict[str, Any]]:
    """Run a task to its end; returns `agents_phase` of it."""
    run_id = stack.create(task, max_agents=agents_max, max_tokens=2_000_000)
    stack.start(run_id)
    assert stack.finished(run_id, RUN_WITHIN_S)["status"] == "completed"
    return agents_phase(stack.get(f"/api/v1/runs/{run_id}/agents")["agents"])


async def measure() -> float:
    """Return the ratio."""
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
            together_s, slowest = await asyncio.to_thread(research, stack, " ".join(QUESTIONS), AGENTS)
            alone_s, _ = await asyncio.to_thread(research, stack, slowest["subtask"], 1)
    print(f"ten agents, first start to last end      {together_s:8.1f} s   (every answer takes 2 to 5 s)")
    print(f"the slowest of them alone                {alone_s:8.1f} s   ({slowest['subtask']})")
    print(f"ratio                                    {together_s / alone_s:8.2f}     (aim at most {RATIO_AIM})")
    return together_s / alone_s


if __name__ == "__main__":
    asyncio.run(measure())
