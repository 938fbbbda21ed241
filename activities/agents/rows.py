"""Think, for the row of a table: observe what the last act brought, fill cells, choose the next search or finish.

The same recorded shape as `thinking.py` (step, usage, claims, events in one transaction), with the cells besides.
"""

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.agents.memory import unpack_passages
from activities.agents.thinking import brief_of
from activities.fallbacks import note_fallbacks
from activities.research.fields_reading import begins_in_table, table_head
from activities.research.filling import next_search
from activities.research.reasoner import Reasoner
from activities.usage import reasoner_usage
from infra.database import Database, driver_of
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import ThinkInput, ThinkResult
from schema.contracts.common import ObjectRef, Tokens
from schema.contracts.research import Brief, Claim, Fallback, Finish, Passage, StepRecord, ToolCall
from schema.contracts.tables import Cell, CellSource, Column, FillRequest, TableHead
from schema.events import EventType
from schema.ids import CLAIM, derived_id
from schema.prices import step_needs_pcr
from schema.states import AgentStatus, StepStatus
from schema.store import agents, clock, documents, events, forms, runs, steps
from schema.store.agents import AgentProgress, NewStep
from schema.store.events import NewEvent
from schema.store.steps import FinishedStep
from schema.tables.runs import Step

TEXTS_CACHED_MAX = 32
"""Snapshots that a worker keeps, for the headings of tables."""
ITEMS_CACHED_MAX = 50
"""Runs whose items a worker keeps: they never change, and every row asks for them."""


@dataclass(frozen=True)
class _Row:
    """What a row's agent works on."""

    brief: Brief
    item: str
    others: tuple[str, ...]
    columns: tuple[Column, ...]
    known: tuple[Cell, ...]


@dataclass(frozen=True)
class _Look:
    """What one look at the passages came to."""

    action: ToolCall | Finish
    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    tokens: Tokens
    fallbacks: tuple[Fallback, ...] = ()


class RowActivities:
    """The reasoning of a row's agent."""

    def __init__(self, db: Database, objects: ObjectStore, live: Live, reasoner: Reasoner) -> None:
        self._db = db
        self._objects = objects
        self._live = live
        self._reasoner = reasoner
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._items: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    @activity.defn(name="agent.think_row")
    async def think(self, input: ThinkInput) -> ThinkResult:
        """Observe and decide.

        Idempotency key: `operation_key`; once recorded, a repeat returns the recorded decision without thinking again.

        Raises:
            ProviderUnavailable, ProviderRateLimited, ProviderAnswerInvalid, ProviderRefused: the model failed.
            HoldClosed: the attempt was settled meanwhile.
        """
        async with self._db.transaction(input.org_id) as session:
            started_at = await clock.now(session)
            if (recorded := await agents.find_step(session, input.org_id, input.operation_key)) is not None:
                return ThinkResult.model_validate(recorded.output)
            row = await self._row(session, input)
            acts = await agents.list_acts(
                session, input.org_id, input.run_id, attempt=input.attempt, agent_number=input.agent_number
            )
        must_stop = input.finishing or input.stop_reason is not None
        needs_pcr = step_needs_pcr(self._reasoner.name)
        if input.budget_pcr < needs_pcr and not must_stop:
            return ThinkResult(outcome="out_of_budget", needs_pcr=needs_pcr)
        look = await self._look(input, row, acts, must_stop)
        step = NewStep(
            run_id=input.run_id,
            attempt=input.attempt,
            agent_number=input.agent_number,
            sequence_number=input.step,
            kind="think",
            name="think",
            operation_key=input.operation_key,
            started_at=started_at,
            input={"steps_left": input.steps_left, "item": row.item},
        )
        result = await self._record(input, row, look, step)
        await self._live.publish(input.run_id)
        return result

    async def _row(self, session: AsyncSession, input: ThinkInput) -> _Row:
        org_id, run_id = input.org_id, input.run_id
        run = await runs.get_run(session, org_id, run_id)
        form = await forms.find_form(session, org_id, run_id)
        assert form is not None, "a row without a form is never planned"
        row = await forms.get_row(session, org_id, run_id, input.agent_number)
        if (org_id, run_id) not in self._items:
            self._items[org_id, run_id] = await forms.items_of(session, org_id, run_id)
            if len(self._items) > ITEMS_CACHED_MAX:
                self._items.popitem(last=False)
        return _Row(
            brief=brief_of(run),
            item=row.item,
            others=tuple(item for item in self._items[org_id, run_id] if item != row.item),
            columns=forms.columns_of(form),
            known=tuple(Cell.model_validate(cell) for cell in row.cells or ()),
        )

    async def _look(self, input: ThinkInput, row: _Row, acts: list[Step], must_stop: bool) -> _Look:
        """Fill what the passages of all acts give; then choose what to search for next, if anything."""
        found = [await unpack_passages(self._objects, act.output) for act in acts]
        passages = _distinct([passage for each in found for passage in each])
        cells, claims, tokens, fallbacks = row.known, tuple[Claim, ...](), Tokens(), tuple[Fallback, ...]()
        if found and (found[-1] or must_stop):
            request = FillRequest(
                brief=row.brief,
                item=row.item,
                others=_mentioned(row.others, passages),
                columns=row.columns,
                passages=passages,
                fresh=found[-1],
                known=row.known,
                agent_number=input.agent_number,
            )
            request = request.model_copy(update={"heads": await self._heads(input.org_id, passages)})
            filled = await self._reasoner.fill_fields(request)
            cells, tokens, fallbacks = filled.value.cells, filled.tokens, filled.fallbacks
            claims = _own(filled.value.claims, input.agent_number)
            cells = _named(cells, filled.value.claims, claims)
        if must_stop:
            reason = input.stop_reason or "told to finish with what there is"
            return _Look(Finish(reason=reason), _closed(cells, row.columns), claims, tokens, fallbacks)
        steps = tuple(_step(act, found[place]) for place, act in enumerate(acts))
        action = next_search(row.item, row.columns, cells, steps, tools=input.tools, steps_left=input.steps_left)
        if isinstance(action, Finish):
            cells = _closed(cells, row.columns)
        return _Look(action, cells, claims, tokens, fallbacks)

    async def _heads(self, org_id: str, passages: tuple[Passage, ...]) -> tuple[TableHead, ...]:
        """Return the headings of tables that passages begin in the middle of."""
        cut = [passage for passage in passages if begins_in_table(passage)]
        if not cut:
            return ()
        async with self._db.transaction(org_id) as session:
            refs = await documents.snapshot_refs(
                session, org_id, sorted({passage.source.snapshot_sha256 for passage in cut})
            )
        texts = {ref.sha256: await self._text(ref) for ref in refs}
        found = []
        for passage in cut:
            sha256 = passage.source.snapshot_sha256
            if sha256 in texts and (head := table_head(texts[sha256], passage.start)) is not None:
                found.append(head.model_copy(update={"snapshot_sha256": sha256}))
        return tuple(found)

    async def _text(self, ref: ObjectRef) -> str:
        """Return a snapshot; the last ones are kept, since rows of one table read the same documents."""
        if ref.sha256 not in self._texts:
            self._texts[ref.sha256] = (await self._objects.get(ref)).decode()
            if len(self._texts) > TEXTS_CACHED_MAX:
                self._texts.popitem(last=False)
        return self._texts[ref.sha256]

    async def _record(self, input: ThinkInput, row: _Row, look: _Look, step: NewStep) -> ThinkResult:
        usage = reasoner_usage(input.operation_key, self._reasoner.name, look.tokens)
        finished = isinstance(look.action, Finish)
        org_id, run_id, number = input.org_id, input.run_id, input.agent_number
        progress = AgentProgress(
            number=number,
            attempt=input.attempt,
            status=AgentStatus.COMPLETED if finished else AgentStatus.RUNNING,
            steps=input.step + 1,
            tokens=look.tokens.total,
            outcome=look.action.reason if finished else None,
        )
        async with self._db.transaction(org_id) as session:
            connection = await driver_of(session)
            opening = await steps.open_attempt(connection, org_id, run_id, input.attempt)
            result = ThinkResult(
                outcome="finished" if finished else "act",
                call=None if isinstance(look.action, Finish) else look.action,
                spent_pcr=opening.amount_pcr(usage),
                tokens=look.tokens.total,
            )
            recorded = NewStep(**{**vars(step), "output": result.model_dump(mode="json")})
            *before, last = _events(input, row, look)
            await events.append(session, org_id, run_id, *before)
            done = FinishedStep(recorded, last, usage, progress, look.claims)
            if not await steps.record(connection, org_id, opening, done):
                # Another try was under way at the same time and came first: what it decided is what stands.
                await session.rollback()
                return await self._decided(input)
            await note_fallbacks(connection, org_id, run_id, look.fallbacks, input.operation_key, number)
            if look.cells:
                await forms.put_cells(session, org_id, run_id, number, look.cells)
        return result

    async def _decided(self, input: ThinkInput) -> ThinkResult:
        async with self._db.transaction(input.org_id) as session:
            first = await agents.find_step(session, input.org_id, input.operation_key)
        assert first is not None
        return ThinkResult.model_validate(first.output)


def _step(act: Step, passages: tuple[Passage, ...]) -> StepRecord:
    return StepRecord(
        step=act.sequence_number,
        tool=act.tool_name or "",
        arguments=act.input,
        ok=act.status == StepStatus.COMPLETED,
        error=(act.error or {}).get("detail"),
        passages=passages,
    )


def _distinct(passages: list[Passage]) -> tuple[Passage, ...]:
    """Return each span once, in order of first appearance."""
    return tuple({(each.source.snapshot_sha256, each.start, each.end): each for each in passages}.values())


def _mentioned(others: tuple[str, ...], passages: tuple[Passage, ...]) -> tuple[str, ...]:
    """Return the other items whose first word stands in the passages: only they can be mistaken for this one."""
    text = "\n".join(f"{passage.source.title}\n{passage.heading}\n{passage.text}" for passage in passages).casefold()
    return tuple(other for other in others if (parts := other.casefold().split()) and parts[0] in text)


def _own(claims: tuple[Claim, ...], number: int) -> tuple[Claim, ...]:
    """Give the claims this agent's identifiers: two rows may draw from the same span, and each keeps its own claim."""
    return tuple(
        claim.model_copy(update={"id": derived_id(CLAIM, number, claim.id), "agent_number": number}) for claim in claims
    )


def _named(cells: tuple[Cell, ...], before: tuple[Claim, ...], after: tuple[Claim, ...]) -> tuple[Cell, ...]:
    """Let the cells name the claims by their new identifiers."""
    ids = {old.id: new.id for old, new in zip(before, after, strict=True)}

    def renamed(evidence: tuple[CellSource, ...]) -> tuple[CellSource, ...]:
        return tuple(each.model_copy(update={"claim_id": ids.get(each.claim_id, each.claim_id)}) for each in evidence)

    return tuple(
        cell.model_copy(
            update={
                "evidence": renamed(cell.evidence),
                "conflict": tuple(
                    value.model_copy(update={"evidence": renamed(value.evidence)}) for value in cell.conflict
                ),
            }
        )
        for cell in cells
    )


def _closed(cells: tuple[Cell, ...], columns: tuple[Column, ...]) -> tuple[Cell, ...]:
    """Return a cell for every column, in order; where nothing was looked at yet, they say so."""
    return cells or tuple(Cell(column=column.name, reason="no source was found") for column in columns)


def _events(input: ThinkInput, row: _Row, look: _Look) -> list[NewEvent]:
    number, action = input.agent_number, look.action
    data = {"step": input.step, "claims": len(look.claims), "tokens": look.tokens.total}
    if isinstance(action, ToolCall):
        text = f"Agent {number} wants {action.tool}" + (f": {action.reason}" if action.reason else "")
        return [NewEvent(EventType.AGENT_THOUGHT, text, "debug", number, {**data, "tool": action.tool})]
    filled, disputed = sum(cell.filled for cell in look.cells), sum(bool(cell.conflict) for cell in look.cells)
    facts = {
        "row": number,
        "item": row.item,
        "filled": filled,
        "columns": len(row.columns),
        "conflicts": disputed,
    }
    return [
        NewEvent(
            EventType.ROW_COMPLETED,
            f"Row {number} ({row.item}): {filled} of {len(row.columns)} cells",
            "info",
            number,
            facts,
        ),
        NewEvent(EventType.AGENT_COMPLETED, f"Agent {number} completed: {action.reason}", "info", number, data),
    ]
