"""Tables through the real workflows: a row per agent, live, with evidence; what fails does not sink the run."""

import asyncio
import csv
import io
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client

from activities.research.citations import Sidecar, check_citations
from infra.settings import Settings
from schema.contracts.common import ObjectRef
from schema.contracts.run import CancelRunInput, FinishRunInput, PauseRunInput, ResumeRunInput, RunWorkflow
from schema.contracts.tables import Column, ColumnType, TableSpec
from schema.errors import ProviderRefused
from schema.ids import agent_workflow_id, lane_workflow_id
from schema.outputs import fields_of_schema
from schema.states import AgentStatus, RunStatus
from schema.store import artifacts, forms, research, snapshots
from tests.integration.conftest import Org
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner
from tests.support.tables import COMPANY, Score, generate

pytestmark = pytest.mark.timeout(240)

COLUMNS = (
    Column(name="founded", type=ColumnType.INTEGER),
    Column(name="headquarters"),
)


@asynccontextmanager
async def stage(settings: Settings, client: Client, **fields: Any) -> AsyncIterator[Platform]:
    async with platform(settings, client, f"t{uuid.uuid4().hex[:8]}-", **fields) as running:
        yield running


async def table_run(stage: Platform, org: Org, items: tuple[str, ...], **fields: Any) -> str:
    """Create a run that fills a table."""
    columns = fields.pop("columns", COLUMNS)
    tokens = fields.pop("max_tokens", 100_000)
    run_id = await stage.create(org.id, org.owner_id, "Fill it.", rows=len(items), max_tokens=tokens, **fields)
    async with stage.db.transaction(org.id) as session:
        await forms.create_table(session, org.id, run_id, TableSpec(items=items, columns=columns))
    return run_id


async def rows_of(stage: Platform, org: Org, run_id: str) -> list[forms.RowState]:
    async with stage.db.transaction(org.id) as session:
        return await forms.list_rows(session, org.id, run_id)


async def file_of(stage: Platform, org: Org, run_id: str, name: str) -> str:
    """Return an artifact's text."""
    async with stage.db.transaction(org.id) as session:
        [row] = [each for each in await artifacts.list_artifacts(session, org.id, run_id) if each.name == name]
    ref = ObjectRef(key=row.object_key, sha256=row.content_sha256, size_bytes=row.size_bytes)
    return (await stage.parts.objects.get(ref)).decode()


async def events_in(client: Client, workflow_id: str) -> int:
    """Count the events of a workflow's last execution."""
    return len((await client.get_workflow_handle(workflow_id).fetch_history()).events)


async def test_a_table_is_filled_with_evidence(settings: Settings, temporal_client: Client, org: Org) -> None:
    corpus = generate(COMPANY, 12, seed=5)
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, corpus.files)
        run_id = await table_run(running, org, tuple(corpus.truth), columns=corpus.columns, max_agents=4)
        result = await (await running.start(org.id, run_id)).result()
        assert result.status is RunStatus.COMPLETED
        rows = await rows_of(running, org, run_id)
        score = Score()
        for row in rows:
            assert row.status is AgentStatus.COMPLETED
            assert row.used_pcr > 0
            score.add(row.row.item, row.cells, corpus.truth[row.row.item])
        print("\n".join(score.errors))
        assert score.precision >= 0.97
        assert score.recall >= 0.9
        # Every cell opens to its words; the charge is the sum of the rows' (and of the report, which costs nothing).
        async with running.db.transaction(org.id) as session:
            claims = {claim.id: claim for claim in await research.claims_of(session, org.id, run_id)}
            refs = await snapshots.snapshot_refs(
                session, org.id, sorted({c.source.snapshot_sha256 for c in claims.values()})
            )
        texts = {ref.sha256: (await running.parts.objects.get(ref)).decode() for ref in refs}
        for cell in (cell for row in rows for cell in row.cells):
            assert bool(cell.evidence) == cell.filled
            for each in cell.evidence:
                assert claims[each.claim_id].quote == each.quote == texts[each.snapshot_sha256][each.start : each.end]
                assert cell.raw is not None
                assert cell.raw in each.quote
        assert -(-sum(row.used_pcr for row in rows) // 10**6) == result.charged_ucr
        report = await file_of(running, org, run_id, "research_report.md")
        sidecar = Sidecar.model_validate_json(await file_of(running, org, run_id, "citations.json"))
        assert check_citations(report, sidecar, texts.__getitem__) == []
        assert sum(cell.filled for row in rows for cell in row.cells) == sum(each.is_cell for each in sidecar.sentences)
        listed = list(csv.DictReader(io.StringIO(await file_of(running, org, run_id, "table.csv"))))
        assert [line["item"] for line in listed] == list(corpus.truth)
        kept = json.loads(await file_of(running, org, run_id, "table.json"))
        assert [row["status"] for row in kept["rows"]] == ["completed"] * 12
        assert await running.violations() == dict.fromkeys(await running.violations(), 0)


async def test_a_row_that_fails_does_not_sink_the_run(settings: Settings, temporal_client: Client, org: Org) -> None:
    def before(method: str, agent: int, step: int) -> None:
        if method == "fill_fields" and agent == 2:
            raise ProviderRefused("the model refused row 2")

    async with stage(settings, temporal_client, reasoner=ScriptedReasoner(before=before)) as running:
        await running.upload(
            org.id,
            {"a.txt": "Alpha AG was founded in 1901. Beta AG was founded in 1902. Gamma AG was founded in 1903."},
        )
        run_id = await table_run(running, org, ("Alpha AG", "Beta AG", "Gamma AG"))
        assert (await (await running.start(org.id, run_id)).result()).status is RunStatus.COMPLETED
        rows = await rows_of(running, org, run_id)
        assert [row.status.value for row in rows] == ["completed", "failed", "completed"]
        assert rows[1].error == {"code": "provider_refused", "detail": "the model refused row 2"}
        assert [row.cells[0].value for row in (rows[0], rows[2])] == [1901, 1903]
        report = await file_of(running, org, run_id, "research_report.md")
        assert "Row 2 (Beta AG) failed: the model refused row 2." in report
        assert "the model refused row 2" in await file_of(running, org, run_id, "table.csv")


async def test_a_failed_run_is_retried_without_its_finished_rows(
    settings: Settings, temporal_client: Client, org: Org
) -> None:
    failing = True

    def before(method: str, agent: int, step: int) -> None:
        if failing and method == "fill_fields":
            raise ProviderRefused("refused")

    script = ScriptedReasoner(before=before)
    async with stage(settings, temporal_client, reasoner=script) as running:
        await running.upload(org.id, {"a.txt": "Alpha AG was founded in 1901. Beta AG was founded in 1902."})
        run_id = await table_run(running, org, ("Alpha AG", "Beta AG"))
        await running.start(org.id, run_id)
        assert (await running.until(org.id, run_id)).status == RunStatus.FAILED
        failing = False
        script.calls.clear()
        result = await (await running.retry(org.id, run_id)).result()
        assert result.status is RunStatus.COMPLETED
        assert [row.cells[0].value for row in await rows_of(running, org, run_id)] == [1901, 1902]


async def test_pause_and_resume_reach_the_rows(settings: Settings, temporal_client: Client, org: Org) -> None:
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, {"a.txt": "Alpha AG was founded in 1901."})
        items = tuple(f"Item {number}" for number in range(60))
        run_id = await table_run(running, org, items, max_agents=4)
        handle = await running.start(org.id, run_id)
        await running.until(org.id, run_id, RunStatus.RUNNING)
        while not (await progress(running, org, run_id)).completed:
            await asyncio.sleep(0.05)
        paused = await handle.execute_update(RunWorkflow.pause, PauseRunInput())
        assert paused.status is RunStatus.PAUSED
        before = await progress(running, org, run_id)
        assert 0 < before.completed < 60
        assert await progress(running, org, run_id) == before
        await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
        assert (await handle.result()).status is RunStatus.COMPLETED
        assert (await progress(running, org, run_id)).completed == 60


async def progress(stage: Platform, org: Org, run_id: str) -> forms.Progress:
    async with stage.db.transaction(org.id) as session:
        return await forms.progress_of(session, org.id, run_id)


async def test_cancel_stops_the_rows_and_charges_what_was_done(
    settings: Settings, temporal_client: Client, org: Org
) -> None:
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, {"a.txt": "Alpha AG was founded in 1901."})
        run_id = await table_run(running, org, tuple(f"Item {number}" for number in range(80)), max_agents=3)
        handle = await running.start(org.id, run_id)
        while not (await progress(running, org, run_id)).completed:
            await asyncio.sleep(0.05)
        await handle.execute_update(RunWorkflow.cancel, CancelRunInput())
        result = await handle.result()
        assert result.status is RunStatus.CANCELLED
        rows = await rows_of(running, org, run_id)
        assert -(-sum(row.used_pcr for row in rows) // 10**6) == result.charged_ucr > 0
        assert {row.status.value for row in rows} == {"completed", "cancelled"}
        for lane in (1, 2, 3):
            described = await temporal_client.get_workflow_handle(lane_workflow_id(run_id, lane)).describe()
            assert described.status is not None
            assert described.status.name == "CANCELED"


async def test_finish_keeps_what_is_there_and_says_what_is_not(
    settings: Settings, temporal_client: Client, org: Org
) -> None:
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, {"a.txt": "Alpha AG was founded in 1901."})
        run_id = await table_run(running, org, tuple(f"Item {number}" for number in range(80)), max_agents=3)
        handle = await running.start(org.id, run_id)
        while not (await progress(running, org, run_id)).completed:
            await asyncio.sleep(0.05)
        await handle.execute_update(RunWorkflow.finish, FinishRunInput())
        assert (await handle.result()).status is RunStatus.COMPLETED
        done = (await progress(running, org, run_id)).completed
        assert 0 < done < 80
        assert "was not worked on: the run was finished before" in await file_of(
            running, org, run_id, "research_report.md"
        )


@pytest.mark.extended
async def test_histories_do_not_grow_with_the_rows(settings: Settings, temporal_client: Client, org: Org) -> None:
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, {"a.txt": "Alpha AG was founded in 1901."})
        sizes = {}
        for count in (4, 50):
            run_id = await table_run(running, org, tuple(f"Item {number}" for number in range(count)), max_agents=1)
            assert (await (await running.start(org.id, run_id)).result()).status is RunStatus.COMPLETED
            sizes[count] = await events_in(temporal_client, run_id)
        lane = await events_in(temporal_client, lane_workflow_id(run_id, 1))
        agent = await events_in(temporal_client, agent_workflow_id(run_id, 50))
        print(f"events: run {sizes}, lane {lane} (10 rows of its second execution), agent {agent}")
        assert sizes[50] == sizes[4]
        assert lane < 250


async def test_out_of_credits_waits_and_goes_on(settings: Settings, temporal_client: Client, org: Org) -> None:
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, {"a.txt": "Alpha AG was founded in 1901."})
        run_id = await table_run(
            running, org, tuple(f"Item {number}" for number in range(30)), max_agents=2, context={"max_credits": "0.5"}
        )
        handle = await running.start(org.id, run_id)
        run = await running.until(org.id, run_id, RunStatus.PAUSED)
        assert run.status_detail == "waiting_for_credits"
        await handle.execute_update(RunWorkflow.finish, FinishRunInput())
        assert (await handle.result()).status is RunStatus.COMPLETED
        assert await running.violations() == dict.fromkeys(await running.violations(), 0)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "founded": {"type": "integer", "description": "year of foundation"},
        "headquarters": {"type": "string"},
        "employees": {"type": "integer"},
        "share price": {"type": "number"},
    },
    "required": ["founded", "share price"],
    "additionalProperties": False,
}


async def test_structured_output_has_evidence_or_is_missing(
    settings: Settings, temporal_client: Client, org: Org
) -> None:
    text = "Alpha Optics was founded in 1901. Alpha Optics is headquartered in Lyon. Alpha Optics employs 1,200 people."
    async with stage(settings, temporal_client) as running:
        await running.upload(org.id, {"a.txt": text})
        run_id = await running.create(org.id, org.owner_id, "What is known of Alpha Optics?")
        async with running.db.transaction(org.id) as session:
            await forms.create_output(session, org.id, run_id, SCHEMA, fields_of_schema(SCHEMA))
        result = await (await running.start(org.id, run_id)).result()
        assert result.status is RunStatus.COMPLETED
        output = json.loads(await file_of(running, org, run_id, "output.json"))
        assert output["value"] == {
            "founded": 1901,
            "headquarters": "Lyon",
            "employees": 1200,
            "share price": None,
        }
        assert [(each["path"], each["required"]) for each in output["missing"]] == [("/share price", True)]
        for field in output["fields"]:
            for each in field["evidence"]:
                start, end = each["span"]
                assert text[start:end] == each["quote"]
        async with running.db.transaction(org.id) as session:
            form = await forms.find_form(session, org.id, run_id)
        assert form is not None
        assert form.output == output
        assert "Alpha Optics" in await file_of(running, org, run_id, "research_report.md")
