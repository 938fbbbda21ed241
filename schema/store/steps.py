"""An agent's think or act, from the side of the database: one statement before the work, two after it.

A step is the one thing here that happens often: what it costs decides how many agents a machine carries. So these few
statements reach over the tables of several aggregates, each at its own place in one `with`, where everything else in
the store goes through the function of its aggregate. Decision 0007 says what that saves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from schema.contracts.policy import ToolPolicy
from schema.contracts.research import Brief, Claim, SourceKind, StepRecord
from schema.errors import HoldClosed, NotFound
from schema.ids import USAGE, derived_id, step_id, task_id
from schema.money import PCR_PER_UCR
from schema.prices import PRICE_VERSION
from schema.states import TERMINAL, RunStatus
from schema.store.agents import TASK_STATUS, AgentProgress, NewStep
from schema.store.billing import UsageItem
from schema.store.direct import Connection, Statement, received
from schema.store.events import NewEvent
from schema.store.passages import CORPUS, Reach

_ACTS = TypeAdapter(tuple[StepRecord, ...])
_CLAIMS = TypeAdapter(tuple[Claim, ...])


@dataclass(frozen=True)
class RecordedStep:
    """What an earlier try of the activity recorded."""

    output: dict[str, Any] | None
    error: dict[str, Any] | None


@dataclass(frozen=True)
class Start:
    """What an act needs to know before it works."""

    now: datetime
    """The database's clock."""
    run_created_at: datetime
    recorded: RecordedStep | None
    """Of the same operation key; then there is nothing left to do."""
    policy: ToolPolicy
    """What the run's agents may do."""
    reach: Reach = CORPUS
    """Which documents its searches may find."""


@dataclass(frozen=True)
class Memory:
    """What a think needs to know before it works: the agent's memory, as far as the attempt has come."""

    now: datetime
    recorded: RecordedStep | None
    brief: Brief
    acts: tuple[StepRecord, ...]
    """Finished acts of this attempt, in order, without their passages."""
    last_output: dict[str, Any] | None
    """The output of the last of them, as its step's row keeps it."""
    claims: tuple[Claim, ...]
    """The agent's claims, of every attempt, in a fixed order (step, relevance, id)."""


_START = Statement(
    """
    select clock_timestamp() as now, run.created_at, run.tool_policy, run.context,
        step.id as step_id, step.output, step.error
    from runs run
    left join steps step on step.org_id = run.org_id and step.operation_key = :operation_key
    where run.org_id = :org_id and run.id = :run_id
    """
)
_MEMORY = Statement(
    """
    select clock_timestamp() as now, step.id as step_id, step.output, step.error,
        run.task, run.name, run.context, run.max_agents, run.max_tokens,
        (
            select jsonb_agg(jsonb_build_object(
                'step', act.sequence_number, 'tool', coalesce(act.tool_name, ''), 'arguments', act.input,
                'ok', act.status = 'completed', 'error', act.error ->> 'detail',
                'results', coalesce(act.output -> 'results', '[]'),
                'snapshots', coalesce(act.output -> 'snapshots', '[]'))
                order by act.sequence_number)
            from steps act
            where act.org_id = run.org_id and act.run_id = run.id and act.attempt = :attempt
                and act.agent_number = :agent_number and act.kind = 'act'
        )::text as acts,
        (
            select act.output
            from steps act
            where act.org_id = run.org_id and act.run_id = run.id and act.attempt = :attempt
                and act.agent_number = :agent_number and act.kind = 'act'
            order by act.sequence_number desc
            limit 1
        ) as last_output,
        (
            select jsonb_agg(jsonb_build_object(
                'id', claim.id, 'agent_number', claim.agent_number, 'text', claim.text, 'quote', claim.quote,
                'start', claim.start_offset, 'end', claim.end_offset, 'relevance', claim.relevance,
                'drawn_by', claim.drawn_by,
                'source', jsonb_build_object(
                    'snapshot_sha256', source.snapshot_sha256, 'kind', source.kind, 'title', source.title,
                    'uri', source.uri, 'document_id', source.document_id, 'published_at', source.published_at,
                    'score', jsonb_build_object(
                        'relevance', source.relevance, 'trust', source.trust, 'recency', source.recency,
                        'reasons', source.reasons)))
                order by claim.step, claim.relevance desc, claim.id)
            from claims claim
            join sources source on source.org_id = claim.org_id and source.run_id = claim.run_id
                and source.snapshot_sha256 = claim.snapshot_sha256
            where claim.org_id = run.org_id and claim.run_id = run.id and claim.agent_number = :agent_number
        )::text as claims
    from runs run
    left join steps step on step.org_id = run.org_id and step.operation_key = :operation_key
    where run.org_id = :org_id and run.id = :run_id
    """
)


async def start(connection: Connection, org_id: str, run_id: str, *, operation_key: str) -> Start:
    """Return what an act needs to know before it works.

    Raises:
        NotFound: the organisation has no such run.
    """
    parameters = {"org_id": org_id, "run_id": run_id, "operation_key": operation_key}
    row = await _START.row(connection, parameters)
    if row is None:
        raise NotFound(f"there is no run {run_id}")
    policy = ToolPolicy.model_validate(received(row["tool_policy"]) or {})
    context = received(row["context"]) or {}
    sources, files = context.get("sources"), tuple(context.get("files") or ())
    reach = Reach(corpus=not sources or SourceKind.CORPUS.value in sources, files=files)
    return Start(row["now"], row["created_at"], _recorded(row), policy, reach)


async def remember(
    connection: Connection, org_id: str, run_id: str, *, attempt: int, agent_number: int, operation_key: str
) -> Memory:
    """Return what a think needs to know before it works.

    Raises:
        NotFound: the organisation has no such run.
    """
    parameters = {
        "org_id": org_id,
        "run_id": run_id,
        "attempt": attempt,
        "agent_number": agent_number,
        "operation_key": operation_key,
    }
    row = await _MEMORY.row(connection, parameters)
    if row is None:
        raise NotFound(f"there is no run {run_id}")
    return Memory(
        now=row["now"],
        recorded=_recorded(row),
        brief=Brief(
            task=row["task"],
            name=row["name"],
            context=received(row["context"]),
            agents_max=row["max_agents"],
            tokens_max=row["max_tokens"],
        ),
        acts=_ACTS.validate_json(row["acts"]) if row["acts"] else (),
        last_output=received(row["last_output"]),
        claims=_CLAIMS.validate_json(row["claims"]) if row["claims"] else (),
    )


def _recorded(row: Mapping[str, Any]) -> RecordedStep | None:
    return RecordedStep(received(row["output"]), received(row["error"])) if row["step_id"] else None


@dataclass(frozen=True)
class FinishedStep:
    """A think or act, with all that its one transaction writes."""

    step: NewStep
    event: NewEvent
    """Of a think, its data is given the number of new claims as `claims`."""
    usage: UsageItem | None = None
    """None: it cost nothing (a tool that failed)."""
    progress: AgentProgress | None = None
    """Only a think moves the agent's row."""
    claims: Sequence[Claim] = ()


@dataclass(frozen=True)
class Opening:
    """An attempt that takes more work, its run and hold locked to the end of the transaction."""

    left_pcr: int
    """What the hold has left."""

    def amount_pcr(self, usage: UsageItem) -> int:
        """Return what an item costs: its price, or what the hold has left."""
        return min(usage.amount_pcr, self.left_pcr)


# Two statements: the second sees what others committed while the first waited for its locks.
_LOCK = Statement(
    """
    select run.attempt, run.status, hold.state, hold.amount_ucr, hold.metered_pcr
    from runs run
    join credit_holds hold on hold.org_id = run.org_id and hold.run_id = run.id and hold.attempt = :attempt
    where run.org_id = :org_id and run.id = :run_id
    for update of run, hold
    """
)
_KNOWN = Statement("select id from runs where org_id = :org_id and id = :run_id")
_RECORD = """
    with step as (
        insert into steps (id, org_id, run_id, task_id, operation_key, attempt, agent_number, sequence_number, kind,
            name, tool_name, status, input, output, error, started_at, duration_ms)
        values (:step_id, :org_id, :run_id, :task_id, :operation_key, :attempt, :agent_number, :sequence_number, :kind,
            :name, :tool_name, :status, :input, :output, :error, :started_at,
            greatest(extract(epoch from clock_timestamp() - cast(:started_at as timestamptz)) * 1000, 0))
        on conflict (org_id, operation_key) do nothing
        returning id
    ), used as (
        insert into usage (id, org_id, run_id, attempt, agent_number, operation_key, kind, item, input_tokens,
            output_tokens, calls, amount_pcr, price_version)
        select :usage_id, :org_id, :run_id, :attempt, :agent_number, :operation_key, :usage_kind, :usage_item,
            :input_tokens, :output_tokens, :calls, :amount_pcr, :price_version
        from step where cast(:usage_id as text) is not null
        returning amount_pcr
    ), metered as (
        update credit_holds set metered_pcr = metered_pcr + used.amount_pcr
        from used
        where org_id = :org_id and run_id = :run_id and attempt = :attempt
    ), run as (
        update runs set event_seq = event_seq + 1, tokens_used = tokens_used + :tokens
        from step
        where org_id = :org_id and runs.id = :run_id
        returning event_seq
    ), {more} logged as (
        insert into run_events (org_id, run_id, seq, type, level, message, agent_number, data)
        select :org_id, :run_id, run.event_seq, :event_type, :event_level, :event_message, :agent_number, {data}
        from run
    )
    select count(*) as written from step
    """
_CLAIMED = """
    claimed as (
        insert into claims (run_id, id, org_id, agent_number, step, snapshot_sha256, start_offset, end_offset, text,
            quote, relevance, drawn_by)
        select :run_id, claim.id, :org_id, :agent_number, :sequence_number, claim.snapshot_sha256, claim.start_offset,
            claim.end_offset, claim.text, claim.quote, claim.relevance, claim.drawn_by
        from step, jsonb_to_recordset(:claims) as claim (id text, snapshot_sha256 text, start_offset int,
            end_offset int, text text, quote text, relevance float8, drawn_by text)
        on conflict (run_id, id) do nothing
        returning id
    ), agent as (
        update agents set status = :agent_status, attempt = :attempt, steps = :steps,
            tokens_used = tokens_used + :tokens, claims = claims + (select count(*) from claimed),
            started_at = coalesce(started_at, cast(:started_at as timestamptz)),
            completed_at = case when :ended then clock_timestamp() end, outcome = :outcome, last_error = null
        from step
        where org_id = :org_id and run_id = :run_id and number = :agent_number and attempt <= :attempt
        returning agents.id
    ), task as (
        update tasks set status = :task_status, started_at = coalesce(started_at, cast(:started_at as timestamptz)),
            completed_at = case when :ended then clock_timestamp() end
        from agent
        where org_id = :org_id and run_id = :run_id and sequence_number = :agent_number
    ),
    """
_RECORD_ACT = Statement(_RECORD.format(more="", data="cast(:event_data as jsonb)"))
_RECORD_THINK = Statement(
    _RECORD.format(more=_CLAIMED, data=":event_data || jsonb_build_object('claims', (select count(*) from claimed))")
)


async def open_attempt(connection: Connection, org_id: str, run_id: str, attempt: int) -> Opening:
    """Lock a run and the hold of its attempt, in this order, if the attempt takes more work.

    Raises:
        NotFound: the organisation has no such run.
        HoldClosed: the attempt ended; what comes late changes nothing and is not charged.
    """
    asked = {"org_id": org_id, "run_id": run_id, "attempt": attempt}
    row = await _LOCK.row(connection, asked)
    if row is None and await _KNOWN.row(connection, asked) is None:
        raise NotFound(f"there is no run {run_id}")
    if row is None or row["attempt"] != attempt or RunStatus(row["status"]) in TERMINAL or row["state"] != "open":
        raise HoldClosed(f"attempt {attempt} of run {run_id} has ended; this late work is neither recorded nor charged")
    return Opening(left_pcr=row["amount_ucr"] * PCR_PER_UCR - row["metered_pcr"])


async def record(connection: Connection, org_id: str, opening: Opening, finished: FinishedStep) -> bool:
    """Record a step with its usage, claims, progress and log line, once per operation key.

    Never charged beyond the hold: should a provider count more than was budgeted, the item is cut to what is left.
    The caller has opened the attempt in the same transaction.

    Returns:
        False if an earlier try of the activity did it; then nothing was written.
    """
    step, event = finished.step, finished.event
    parameters: dict[str, Any] = {
        "org_id": org_id,
        "run_id": step.run_id,
        "attempt": step.attempt,
        "agent_number": step.agent_number,
        "sequence_number": step.sequence_number,
        "operation_key": step.operation_key,
        "step_id": step_id(step.operation_key),
        "task_id": task_id(step.run_id, step.agent_number),
        "kind": step.kind,
        "name": step.name,
        "tool_name": step.tool_name,
        "status": step.status.value,
        "input": step.input or {},
        "output": step.output,
        "error": step.error,
        "started_at": step.started_at,
        "event_type": event.type.value,
        "event_level": event.level,
        "event_message": event.message,
        "event_data": event.data or {},
        "tokens": finished.progress.tokens if finished.progress else 0,
        **_usage(finished.usage, opening),
    }
    statement = _RECORD_ACT
    if finished.progress is not None:
        statement = _RECORD_THINK
        parameters |= _progress(finished.progress) | {"claims": _rows(finished.claims)}
    return bool((await statement.row(connection, parameters))["written"])


def _usage(usage: UsageItem | None, opening: Opening) -> dict[str, Any]:
    return {
        "usage_id": derived_id(USAGE, usage.operation_key) if usage else None,
        "usage_kind": usage.kind if usage else None,
        "usage_item": usage.item if usage else None,
        "input_tokens": usage.input_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "calls": usage.calls if usage else 0,
        "amount_pcr": opening.amount_pcr(usage) if usage else 0,
        "price_version": PRICE_VERSION,
    }


def _progress(progress: AgentProgress) -> dict[str, Any]:
    return {
        "agent_status": progress.status.value,
        "task_status": TASK_STATUS[progress.status],
        "ended": progress.has_ended,
        "steps": progress.steps,
        "outcome": progress.outcome,
    }


def _rows(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    return [
        {
            "id": claim.id,
            "snapshot_sha256": claim.source.snapshot_sha256,
            "start_offset": claim.start,
            "end_offset": claim.end,
            "text": claim.text,
            "quote": claim.quote,
            "relevance": claim.relevance,
            "drawn_by": claim.drawn_by,
        }
        for claim in {claim.id: claim for claim in claims}.values()
    ]
