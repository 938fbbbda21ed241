"""kill -9 of the worker while a table is filled.

Pass threshold: the run ends completed with the same table, cell for cell, the same report and the same charge as an
undisturbed run, and every invariant counts 0.
"""

import time
from typing import Any

import pytest

from tests.support.stack import Stack
from tests.support.tables import COMPANY, generate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

ROWS = 24
KILL_AFTER_ROWS = (3, 9, 15)


def table_of(stack: Stack, run_id: str) -> list[tuple[Any, ...]]:
    """Return the whole table, with evidence and what each row used."""
    found: list[tuple[Any, ...]] = []
    cursor: dict[str, str] = {}
    while True:
        page = stack.get(f"/api/v1/runs/{run_id}/table", params={"limit": 200, **cursor})
        for row in page["rows"]:
            cells = [
                (c["column"], c["value"], c["raw"], [(e["uri"], e["start"], e["end"]) for e in c["evidence"]])
                for c in row["cells"]
            ]
            found.append((row["row"], row["item"], row["status"], row["credits_used"], cells))
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.extended
def test_same_table_and_same_charge(stack: Stack) -> None:
    """Three kills at three moments: same cells, same charge."""
    corpus = generate(COMPANY, ROWS, seed=9)
    stack.upload(corpus.files)
    columns = [
        {
            key: value
            for key, value in column.model_dump(mode="json").items()
            if key in ("name", "type", "unit") and value
        }
        for column in corpus.columns
    ]
    ask = {"table": {"items": list(corpus.truth), "columns": columns}, "max_agents": 4}
    undisturbed = stack.create("Fill the table.", **ask)
    stack.start(undisturbed)
    expected = stack.finished(undisturbed, within_s=180)
    assert expected["status"] == "completed", expected

    run_id = stack.create("Fill the table.", **ask)
    stack.start(run_id)
    for rows in KILL_AFTER_ROWS:
        deadline = time.monotonic() + 120
        while (done := stack.run(run_id)["table"]["completed"]) < rows:
            assert time.monotonic() < deadline, f"{done} rows after two minutes"
            time.sleep(0.05)
        print(f"killing the worker at {done} rows")
        stack.returned("worker", stack.kill("worker"))
    run = stack.finished(run_id, within_s=240)
    assert run["status"] == "completed", run
    assert run["table"]["completed"] == ROWS
    assert table_of(stack, run_id) == table_of(stack, undisturbed)
    assert stack.report(run_id) == stack.report(undisturbed)
    assert run["credits_charged"] == expected["credits_charged"]
    stack.check()
