"""Think, for the row of a table: observe what the last act brought, fill cells, choose the next search or finish.

What is recorded is what every think records (`deciding.py`), with the cells besides.
"""

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.agents.deciding import Thought, calls_of, decided, own, record, step_of, stop_of, unaffordable
from activities.agents.memory import unpack_passages
from activities.agents.thinking import brief_of
from activities.calls import CallJournal, kept_where_it_fails
from activities.research.fields_reading import begins_in_table, table_head
from activities.research.filling import next_search
from activities.research.reasoner import Reasoner
from infra.database import Database, driver_of
from infra.live import Live
from infra.objects import ObjectStore
from schema.contracts.agent import ThinkInput, ThinkResult
from schema.contracts.common import ObjectRef, Tokens
from schema.contracts.research import Brief, Claim, Fallback, Finish, Passage, StepRecord
from schema.contracts.tables import Cell, CellSource, Column, FillRequest, TableHead
from schema.events import EventType
from schema.states import StepStatus
from schema.store import agents, clock, events, forms, runs, snapshots, steps
from schema.store.agents import NewStep
from schema.store.events import NewEvent
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


@dataclass(frozen=True, kw_only=True)
class _Look(Thought):
    """What one look at the passages came to."""

    cells: tuple[Cell, ...]


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
        if (refused := unaffordable(input, self._reasoner.name)) is not None:
            return refused
        calls = calls_of(self._db, self._objects, input, self._reasoner.name)
        async with kept_where_it_fails(calls):
            look = await self._look(input, row, acts)
        step = step_of(input, started_at, {"item": row.item})
        result = await self._record(input, row, look, step, calls)
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

    async def _look(self, input: ThinkInput, row: _Row, acts: list[Step]) -> _Look:
        """Fill what the passages of all acts give; then choose what to search for next, if anything."""
        found = [await unpack_passages(self._objects, act.output) for act in acts]
        passages = _distinct([passage for each in found for passage in each])
        cells, claims, tokens, fallbacks = row.known, tuple[Claim, ...](), Tokens(), tuple[Fallback, ...]()
        stop = stop_of(input)
        if found and (found[-1] or stop):
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
            claims = own(filled.value.claims, input.agent_number)
            cells = _named(cells, filled.value.claims, claims)
        if stop is not None:
            return _Look(stop, claims, tokens, fallbacks, cells=_closed(cells, row.columns))
        steps = tuple(_step(act, found[place]) for place, act in enumerate(acts))
        action = next_search(row.item, row.columns, cells, steps, tools=input.tools, steps_left=input.steps_left)
        if isinstance(action, Finish):
            cells = _closed(cells, row.columns)
        return _Look(action, claims, tokens, fallbacks, cells=cells)

    async def _heads(self, org_id: str, passages: tuple[Passage, ...]) -> tuple[TableHead, ...]:
        """Return the headings of tables that passages begin in the middle of."""
        cut = [passage for passage in passages if begins_in_table(passage)]
        if not cut:
            return ()
        async with self._db.transaction(org_id) as session:
            refs = await snapshots.snapshot_refs(
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

    async def _record(
        self, input: ThinkInput, row: _Row, look: _Look, step: NewStep, calls: CallJournal
    ) -> ThinkResult:
        org_id, run_id, number = input.org_id, input.run_id, input.agent_number
        async with self._db.transaction(org_id) as session:
            connection = await driver_of(session)
            opening = await steps.open_attempt(connection, org_id, run_id, input.attempt)
            if isinstance(look.action, Finish):
                await events.append(session, org_id, run_id, _completed(number, row, look.cells))
            result = await record(connection, opening, input, step, look, calls)
            if result is None:
                await session.rollback()
            elif look.cells:
                await forms.put_cells(session, org_id, run_id, number, look.cells)
        if result is None:
            async with self._db.direct(org_id) as connection:
                return await decided(connection, input)
        return result


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


def _completed(number: int, row: _Row, cells: tuple[Cell, ...]) -> NewEvent:
    filled, disputed = sum(cell.filled for cell in cells), sum(bool(cell.conflict) for cell in cells)
    facts = {"row": number, "item": row.item, "filled": filled, "columns": len(row.columns), "conflicts": disputed}
    text = f"Row {number} ({row.item}): {filled} of {len(row.columns)} cells"
    return NewEvent(EventType.ROW_COMPLETED, text, "info", number, facts)
