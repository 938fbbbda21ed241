"""A step of an agent is written once, with all that hangs on it, whoever else works on the run at the same time."""

import asyncio
from dataclasses import replace

import pytest

from infra.database import Database
from schema.contracts.research import Subtask
from schema.errors import HoldClosed
from schema.events import EventType
from schema.ids import operation_key
from schema.money import PCR_PER_UCR
from schema.states import AgentStatus, RunStatus
from schema.store import agents, billing, events, research, runs, snapshots, steps
from schema.store.agents import AgentProgress, NewStep
from schema.store.events import NewEvent
from schema.store.steps import FinishedStep
from tests.integration.conftest import Org
from tests.integration.test_tenancy_of_stores import CLAIM, NOW, SNAPSHOT, SOURCE
from tests.support.ledger import assert_sound, pcr, run_in, step, use

AGENTS = 5


async def running_run(db: Database, org: Org) -> str:
    async with db.transaction(org.id) as session:
        run_id = await run_in(session, org, RunStatus.RUNNING)
        run = await runs.lock_run(session, org.id, run_id)
        subtasks = tuple(Subtask(number=n, title="t", question="q?") for n in range(1, AGENTS + 1))
        await agents.record_plan(session, org.id, run, subtasks)
        await snapshots.put_snapshot(session, org.id, SNAPSHOT)
    async with db.direct(org.id) as connection:
        await research.put_sources(connection, org.id, run_id, [SOURCE])
    return run_id


def thought(run_id: str, *, agent: int = 1, step: int = 0, output: str = "first", amount_pcr: int = 7) -> FinishedStep:
    key = operation_key(run_id, 1, agent, step, "think")
    return FinishedStep(
        step=NewStep(run_id, 1, agent, step, "think", "think", key, NOW, output={"said": output}),
        event=NewEvent(EventType.AGENT_THOUGHT, output, "debug", agent, {"step": step}),
        usage=replace(use(run_id, amount_pcr=amount_pcr), operation_key=key),
        progress=AgentProgress(agent, 1, AgentStatus.RUNNING, step + 1, tokens=10),
        claims=[CLAIM.model_copy(update={"id": f"clm_{agent}_{step}_{n}", "agent_number": agent}) for n in range(2)],
    )


async def write(db: Database, org: Org, finished: FinishedStep) -> bool:
    async with db.direct(org.id) as connection:
        opening = await steps.open_attempt(connection, org.id, finished.step.run_id, finished.step.attempt)
        return await steps.record(connection, org.id, opening, finished)


async def test_tries_at_the_same_time_write_one_step(db: Database, owner_db: Database, org: Org) -> None:
    """A try that was taken for dead and its successor: one of them counts, in every table."""
    run_id = await running_run(db, org)
    tries = [thought(run_id, output=f"try {number}") for number in range(4)]
    assert sorted(await asyncio.gather(*(write(db, org, each) for each in tries))) == [False, False, False, True]
    async with db.direct(org.id) as connection:
        key = tries[0].step.operation_key
        memory = await steps.remember(connection, org.id, run_id, attempt=1, agent_number=1, operation_key=key)
    async with db.transaction(org.id) as session:
        log = await events.list_events(session, org.id, run_id)
        [agent, *_] = await runs.list_agents(session, org.id, run_id)
        run = await runs.get_run(session, org.id, run_id)
        hold = await billing.hold_of(session, org.id, run_id, 1)
    assert memory.recorded is not None
    assert memory.recorded.output == {"said": log[-1].message}
    assert log[-1].data == {"step": 0, "claims": 2}
    assert [claim.id for claim in memory.claims] == ["clm_1_0_0", "clm_1_0_1"]
    assert memory.claims[0].source == SOURCE
    assert (agent.claims, agent.tokens_used, run.tokens_used) == (2, 10, 10)
    assert hold is not None
    assert hold.metered_pcr == 7
    await assert_sound(owner_db)


async def test_agents_of_a_run_at_the_same_time(db: Database, owner_db: Database, org: Org) -> None:
    """Every step waits for the run's lock, and then sees what the one before it wrote."""
    run_id = await running_run(db, org)
    work = [thought(run_id, agent=1 + n % AGENTS, step=n // AGENTS) for n in range(4 * AGENTS)]
    assert all(await asyncio.gather(*(write(db, org, each) for each in work)))
    async with db.transaction(org.id) as session:
        run = await runs.get_run(session, org.id, run_id)
        found = await runs.list_agents(session, org.id, run_id)
        hold = await billing.hold_of(session, org.id, run_id, 1)
    assert hold is not None
    assert (run.tokens_used, hold.metered_pcr) == (10 * len(work), 7 * len(work))
    assert [agent.claims for agent in found] == [8] * AGENTS
    await assert_sound(owner_db)


async def test_nothing_is_metered_beyond_the_hold(db: Database, owner_db: Database, org: Org) -> None:
    run_id = await running_run(db, org)
    async with db.transaction(org.id) as session:
        hold = await billing.hold_of(session, org.id, run_id, 1)
    assert hold is not None
    whole_pcr = hold.amount_ucr * PCR_PER_UCR
    finished = thought(run_id, amount_pcr=whole_pcr + pcr(1))
    async with db.direct(org.id) as connection:
        opening = await steps.open_attempt(connection, org.id, run_id, 1)
        assert finished.usage is not None
        assert opening.amount_pcr(finished.usage) == whole_pcr
        assert await steps.record(connection, org.id, opening, finished)
    async with db.direct(org.id) as connection:
        assert (await steps.open_attempt(connection, org.id, run_id, 1)).left_pcr == 0
    await assert_sound(owner_db)


async def test_late_work_is_neither_recorded_nor_charged(db: Database, owner_db: Database, org: Org) -> None:
    run_id = await running_run(db, org)
    async with db.transaction(org.id) as session:
        await step(session, org.id, run_id, RunStatus.CANCELLED)
    with pytest.raises(HoldClosed):
        await write(db, org, thought(run_id))
    with pytest.raises(HoldClosed):
        await write(db, org, replace(thought(run_id), step=replace(thought(run_id).step, attempt=2)))
    await assert_sound(owner_db)


async def test_a_failed_act_costs_nothing_and_is_remembered(db: Database, owner_db: Database, org: Org) -> None:
    run_id = await running_run(db, org)
    assert await write(db, org, thought(run_id))
    key = operation_key(run_id, 1, 1, 0, "act")
    failed = NewStep(run_id, 1, 1, 0, "act", "web.fetch", key, NOW, tool_name="web.fetch", input={"url": "u"})
    failed = replace(failed, error={"code": "not_found", "detail": "gone"})
    assert await write(db, org, FinishedStep(failed, NewEvent(EventType.TOOL_FAILED, "x", "warning", 1)))
    async with db.direct(org.id) as connection:
        start = await steps.start(connection, org.id, run_id, operation_key=key)
        key = operation_key(run_id, 1, 1, 1, "think")
        memory = await steps.remember(connection, org.id, run_id, attempt=1, agent_number=1, operation_key=key)
    assert start.recorded is not None
    assert start.recorded.error == {"code": "not_found", "detail": "gone"}
    assert (memory.recorded, memory.last_output) == (None, None)
    [act] = memory.acts
    assert (act.step, act.tool, act.arguments, act.error) == (0, "web.fetch", {"url": "u"}, "gone")
    async with db.transaction(org.id) as session:
        assert len((await billing.list_usage(session, org.id, limit=9))[0]) == 1
    await assert_sound(owner_db)
