"""The tools' share of what a step costs: the calls of runs that have ended, made again with nothing around them.

No workflow, no money, no record: arguments from the steps' rows, the tool itself, PostgreSQL below it. What is left of
a step's processor time is the product's own: the agent's reasoning, the run, the bill, and Temporal.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any, cast

import psutil

from activities.embedding.embedder import EmbeddingConfig, build_embedder
from activities.tools.context import ToolContext
from activities.tools.corpus_search import CorpusSearch
from activities.tools.document_read import DocumentRead
from infra.database import Database
from schema.store.direct import Statement

TOOLS = {tool.spec.name: tool for tool in (CorpusSearch(), DocumentRead())}
_CALLS = Statement(
    """
    select tool_name, input from steps
    where org_id = :org_id and run_id = any (:run_ids) and kind = 'act'
    order by run_id, agent_number, sequence_number
    """
)


async def tools_again(endpoint: dict[str, Any], run_ids: list[str]) -> float:
    """Make the calls of these runs twice more; returns processor seconds of the second time, with PostgreSQL's."""
    org_id, nothing = endpoint["org_id"], cast(Any, None)
    db = Database(endpoint["database_url"])
    context = ToolContext(
        org_id=org_id,
        run_id=run_ids[0],
        agent_number=1,
        step=0,
        query="",
        now=datetime.now(UTC),
        db=db,
        objects=nothing,
        http=nothing,
        heartbeat=lambda: None,
        embedder=build_embedder(EmbeddingConfig()),
    )
    try:
        async with db.direct(org_id) as connection:
            rows = await _CALLS.rows(connection, {"org_id": org_id, "run_ids": tuple(run_ids)})
        calls = [(TOOLS[row["tool_name"]], json.loads(row["input"])) for row in rows]
        spent_s = 0.0
        for _ in range(2):  # The worker was warm, too.
            began, before = time.process_time(), _postgres_s(endpoint)
            for tool, arguments in calls:
                await tool.call(tool.arguments.model_validate(arguments), context)
            spent_s = time.process_time() - began + _postgres_s(endpoint) - before
        return spent_s
    finally:
        await db.close()


def _postgres_s(endpoint: dict[str, Any]) -> float:
    """Read the processor time of PostgreSQL's processes that live; those of the pool here do until it is closed."""
    postmaster = psutil.Process(int(endpoint["pids"]["postgres"]))
    times = [process.cpu_times() for process in (postmaster, *postmaster.children(recursive=True))]
    return sum(each.user + each.system for each in times)
