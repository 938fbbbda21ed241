"""The report in stages: a worker that dies in one costs none of the others, and every token is known."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlmodel import select
from temporalio.client import Client

from activities.research.reasoner import ModelConfig, build_reasoner
from infra.database import Database
from infra.settings import Settings
from schema.contracts.common import Tokens
from schema.contracts.run import ResumeRunInput, RunWorkflow
from schema.errors import ProviderUnavailable
from schema.policies import REPORT_STAGES
from schema.states import RunStatus
from schema.store import runs
from schema.tables.billing import Usage
from tests.integration.conftest import Org
from tests.integration.test_run_workflow import Script, begin
from tests.support.model_server import Fault, ModelServer
from tests.support.platform import Platform, platform
from tests.support.scripted import ScriptedReasoner
from tests.support.texts import PLANTED


@dataclass
class Paid(ScriptedReasoner):
    """Counts and prices the three calls of a report."""

    async def merge(self, brief, claims):
        """Merge for 1,000 tokens."""
        return (await super().merge(brief, claims)).model_copy(update={"tokens": Tokens(input=1_000)})

    async def resolve_conflicts(self, brief, findings, claims):
        """Resolve for 2,000 tokens."""
        await self._enter("resolve_conflicts")
        made = await super().resolve_conflicts(brief, findings, claims)
        return made.model_copy(update={"tokens": Tokens(input=2_000)})

    async def write_report(self, *given):
        """Write for 4,000 tokens."""
        return (await super().write_report(*given)).model_copy(update={"tokens": Tokens(input=4_000)})

    def count(self, method: str) -> int:
        """Count the calls of a method."""
        return sum(call[0] == method for call in self.calls)


@pytest.fixture(scope="module")
def script() -> Script:
    """Scripts by task."""
    return Script()


@pytest_asyncio.fixture(scope="module")
async def stage(settings: Settings, temporal_client: Client, script: Script) -> AsyncIterator[Platform]:
    """Workers under task queues of this module's own."""
    async with platform(settings, temporal_client, f"rs-{uuid.uuid4().hex[:8]}-", reasoner=script) as running:
        yield running


async def usage_of(db: Database, org: Org, run_id: str) -> list[Usage]:
    """Return what was metered of the run itself."""
    async with db.transaction(org.id) as session:
        query = select(Usage).where(Usage.org_id == org.id, Usage.run_id == run_id, Usage.agent_number == 0)
        return list((await session.execute(query)).scalars())


@pytest.mark.parametrize("method", ["resolve_conflicts", "write_report"])
async def test_a_worker_that_dies_in_one_stage_pays_for_no_other_again(
    stage: Platform, script: Script, org: Org, method: str
) -> None:
    """Merge, conflicts and writing were one activity: whatever ended it, all three were paid for again."""
    left = {"deaths": 2}

    def die(called: str, agent: int, step: int) -> None:
        if called == method and left["deaths"]:
            left["deaths"] -= 1
            raise RuntimeError("the worker is gone")

    reasoner = Paid(steps=1, before=die)
    run_id, handle = await begin(stage, script, org, reasoner)
    assert (await handle.result()).status is RunStatus.COMPLETED
    counted = {name: reasoner.count(name) for name in ("merge", "resolve_conflicts", "write_report")}
    assert counted == {"merge": 1, "resolve_conflicts": 1, "write_report": 1} | {method: 3}
    metered = {row.operation_key.rsplit(":", 1)[1]: row.input_tokens for row in await usage_of(stage.db, org, run_id)}
    assert metered == {"plan": 100, "merge": 1_000, "resolve": 2_000, "write": 4_000}
    async with stage.db.transaction(org.id) as session:
        steps, _ = await runs.list_steps(session, org.id, run_id, agent_number=0, limit=50)
    assert [step.kind for step in steps] == ["plan", *REPORT_STAGES]
    assert await stage.violations() == {}


async def test_a_pause_between_two_stages_holds_the_next(stage: Platform, script: Script, org: Org) -> None:
    reached, let_go = asyncio.Event(), asyncio.Event()

    async def brake(called: str, agent: int, step: int) -> None:
        if called == "merge":
            reached.set()
            await let_go.wait()

    reasoner = Paid(steps=1, before=brake)
    run_id, handle = await begin(stage, script, org, reasoner)
    await asyncio.wait_for(reached.wait(), 30)
    await handle.signal("pause")
    let_go.set()
    await stage.until(org.id, run_id, RunStatus.PAUSED)
    assert (reasoner.count("merge"), reasoner.count("resolve_conflicts")) == (1, 0)
    await handle.execute_update(RunWorkflow.resume, ResumeRunInput())
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert await stage.violations() == {}


async def test_agents_that_run_again_after_a_report_was_begun_are_in_the_report(
    stage: Platform, script: Script, org: Org
) -> None:
    """A merge that was kept without an agent's claims must not stand for one with them."""
    left = {"writes": 6, "thinks": 6}

    def fail(called: str, agent: int, step: int) -> None:
        if called == "next_action" and agent == 2 and left["thinks"]:
            left["thinks"] -= 1
            raise ProviderUnavailable("away", retry_after_s=0.0)
        if called == "write_report" and left["writes"]:
            left["writes"] -= 1
            raise ProviderUnavailable("away", retry_after_s=0.0)

    reasoner = Paid(agents=2, steps=1, before=fail)
    run_id, handle = await begin(stage, script, org, reasoner)
    assert (await handle.result()).status is RunStatus.COMPLETED
    assert reasoner.count("merge") == 2
    keys = {row.operation_key.split(":", 3)[3] for row in await usage_of(stage.db, org, run_id)}
    assert {"1:merge", "2:resolve", "5:merge", "6:resolve", "7:write"} <= keys
    assert (await stage.run_row(org.id, run_id)).tries == 1
    assert await stage.violations() == {}


async def test_a_stage_of_many_calls_goes_on_where_its_worker_died(
    settings: Settings, temporal_client: Client, org: Org
) -> None:
    """Each analysis of a long report was asked for again after a fault in the last call of the stage."""
    async with ModelServer() as server:
        server.script.faults.append(Fault("server_error", times=2, schema="WrittenSummary"))
        reasoner = build_reasoner(
            ModelConfig(model="openai/scripted", base_url=server.base_url, api_key="sk-test", timeout_s=5)
        )
        prefix = f"rs-{uuid.uuid4().hex[:8]}-"
        async with platform(settings, temporal_client, prefix, reasoner=reasoner) as stage:
            await stage.upload(org.id, PLANTED)
            run_id = await stage.create(
                org.id, org.owner_id, "What power does the Zephyr-9 engine have? Who makes the Zephyr-9, and when?"
            )
            handle = await stage.start(org.id, run_id)
            assert (await handle.result()).status is RunStatus.COMPLETED
            run = await stage.run_row(org.id, run_id)
            usage = await usage_of(stage.db, org, run_id)
            assert await stage.violations() == {}
    asked = [call for call in server.script.calls if call.schema == "WrittenAnalysis"]
    assert len(asked) == len({call.user for call in asked}) >= 2, "an analysis was paid for twice"
    assert sum(call.schema == "WrittenSummary" for call in server.script.calls) == 3
    calls = [row for row in usage if ":write:" in row.operation_key]
    assert len(calls) == len(asked) + 1
    assert run.tokens_used == sum(row.input_tokens + row.output_tokens for row in usage) + await _of_agents(
        stage.db, org, run_id
    )


async def _of_agents(db: Database, org: Org, run_id: str) -> int:
    async with db.transaction(org.id) as session:
        return sum(agent.tokens_used for agent in await runs.list_agents(session, org.id, run_id))
