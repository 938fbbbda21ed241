"""`python -m tests.load.wide ROWS`: how fast a table of ROWS rows is filled, and what it leaves behind.

Prints rows per second, events and bytes of the histories of the run, a lane and an agent, credits, and how right the
cells are. A measurement, not a test.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from temporalio.client import Client

from schema.contracts.tables import Cell, CellSource
from tests.support.stack import Stack
from tests.support.tables import COMPANY, Score, generate

POLL_S = 2.0


def main() -> None:
    """Measure."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    corpus = generate(COMPANY, rows, seed=3, forms="ptttmtttlttt" if rows > 200 else "plmt")
    stack = Stack(Path(tempfile.mkdtemp()) / "data").up()
    try:
        began = time.monotonic()
        files = sorted(corpus.files.items())
        for start in range(0, len(files), 50):
            stack.upload(dict(files[start : start + 50]))
        print(f"{len(files)} documents read in {time.monotonic() - began:.0f} s", flush=True)
        measure(stack, corpus, rows)
    finally:
        stack.down()


def measure(stack: Stack, corpus: object, rows: int) -> None:
    """Fill the table, and print."""
    truth, columns = corpus.truth, corpus.columns  # type: ignore[attr-defined]
    asked = [{"name": c.name, "type": c.type.value, **({"unit": c.unit} if c.unit else {})} for c in columns]
    run_id = stack.create("Fill the table.", table={"items": list(truth), "columns": asked}, max_agents=20)
    began = time.monotonic()
    stack.start(run_id)
    while (run := stack.run(run_id))["status"] not in ("completed", "failed", "cancelled"):
        time.sleep(POLL_S)
    took = time.monotonic() - began
    print(f"{run['status']}: {rows} rows in {took:.0f} s, {rows / took:.2f} rows/s; {run['table']}")
    print(f"quoted {run['credits_quoted']}, charged {run['credits_charged']} credits, {run['tokens_used']} tokens")
    score, cursor = Score(), None
    while True:
        page = stack.get(
            f"/api/v1/runs/{run_id}/table", params={"limit": 200, **({"cursor": cursor} if cursor else {})}
        )
        for row in page["rows"]:
            cells = tuple(
                Cell(column=c["column"], value=c["value"], evidence=tuple(CellSource(**e) for e in c["evidence"]))
                for c in row["cells"]
            )
            score.add(row["item"], cells, truth[row["item"]])
        if (cursor := page["next_cursor"]) is None:
            break
    print(
        f"cells: precision {score.precision:.3f}, recall {score.recall:.3f}, F1 {score.f1:.3f}; "
        f"rows all right {score.rows_right}/{score.rows}"
    )
    print("\n".join(score.errors[:10]))
    asyncio.run(histories(stack, run_id, rows))


async def histories(stack: Stack, run_id: str, rows: int) -> None:
    """Print how long the histories are."""
    endpoint = stack.endpoint
    client = await Client.connect(endpoint["temporal_address"], namespace=endpoint["temporal_namespace"])
    for name in (run_id, f"{run_id}/lane/1", f"{run_id}/agent/{rows}"):
        handle = client.get_workflow_handle(name)
        described = await handle.describe()
        size = described.raw_description.workflow_execution_info.history_size_bytes
        print(f"{name.removeprefix(run_id) or 'run'}: {described.history_length} events, {size} bytes")


if __name__ == "__main__":
    main()
