"""Recorded histories replay on today's code: a run in flight survives a deploy."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.worker import Replayer

import worker

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
CONVERTER = DataConverter(
    payload_converter_class=PydanticPayloadConverter,
    failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
)
PATHS = {
    "run-completed",
    "run-paused-resumed",
    "run-cancelled",
    "run-cancelled-natively",
    "run-retried-then-failed",
    "run-second-attempt",
    "run-starved-finished",
    "agent-completed",
    "agent-paused-resumed",
    "agent-cancelled",
    "agent-failed",
    "agent-starved-finished",
    "run-table",
    "run-table-cancelled",
    "lane-continued",
    "lane-cancelled",
    "agent-row",
    "agent-row-failed",
    "ingest",
    "reconcile",
    "audit-checkpoints",
    "audit-upkeep",
    "run-approved",
    "agent-approved",
    "agent-refused",
    "agent-cancelled-waiting",
    "retention",
    "export-data",
    "erase",
}


def test_every_path_is_recorded() -> None:
    assert {path.stem for path in HISTORIES} >= PATHS


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=worker.WORKFLOWS, data_converter=CONVERTER, interceptors=[worker.WorkflowBoundary()])
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


async def test_a_changed_workflow_does_not_replay() -> None:
    """The gate can fail: a history of one workflow is refused by another's code."""
    text = next(path for path in HISTORIES if path.stem == "agent-completed").read_text()
    replayer = Replayer(workflows=worker.WORKFLOWS, data_converter=CONVERTER)
    broken = text.replace('"agent.act"', '"agent.renamed"')
    with pytest.raises(Exception, match=r"[Nn]ondeterminism|TMPRL1100"):
        await replayer.replay_workflow(WorkflowHistory.from_json("broken", broken))
