"""What a run fills in: its columns, the rows of a table, and a structured output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from schema.contracts.tables import Cell, Column, OutputField, TableSpec
from schema.errors import NotFound
from schema.states import AgentStatus
from schema.tables.billing import Usage
from schema.tables.forms import RunForm, TableRow
from schema.tables.runs import Agent

TABLE = "table"
OUTPUT = "output"


async def create_table(session: AsyncSession, org_id: str, run_id: str, spec: TableSpec) -> None:
    """Record the table that a run has to fill, in the transaction that creates the run."""
    columns = [column.model_dump(mode="json") for column in spec.columns]
    session.add(RunForm(run_id=run_id, org_id=org_id, kind=TABLE, columns=columns, row_count=len(spec.items)))
    await session.flush()
    rows = [
        {"run_id": run_id, "number": number, "org_id": org_id, "item": item, "filled": 0}
        for number, item in enumerate(spec.items, 1)
    ]
    await session.execute(insert(TableRow), rows)


async def create_output(
    session: AsyncSession, org_id: str, run_id: str, schema: dict[str, Any], fields: Sequence[OutputField]
) -> None:
    """Record the JSON Schema that a run's output has to fit, in the transaction that creates the run."""
    session.add(
        RunForm(
            run_id=run_id,
            org_id=org_id,
            kind=OUTPUT,
            columns=[field.model_dump(mode="json") for field in fields],
            output_schema=schema,
        )
    )
    await session.flush()


async def find_form(session: AsyncSession, org_id: str, run_id: str) -> RunForm | None:
    """Return what the run has to fill in, if anything."""
    query = select(RunForm).where(RunForm.org_id == org_id, RunForm.run_id == run_id)
    return (await session.execute(query)).scalar_one_or_none()


def columns_of(form: RunForm) -> tuple[Column, ...]:
    """Return the columns of a form, whichever kind it is."""
    if form.kind == TABLE:
        return tuple(Column.model_validate(column) for column in form.columns)
    return tuple(field.column for field in fields_of(form))


def fields_of(form: RunForm) -> tuple[OutputField, ...]:
    """Return the fields of a structured output."""
    return tuple(OutputField.model_validate(field) for field in form.columns)


async def items_of(session: AsyncSession, org_id: str, run_id: str) -> tuple[str, ...]:
    """Return the items of a run's rows, in order."""
    query = select(TableRow.item).where(TableRow.org_id == org_id, TableRow.run_id == run_id)
    return tuple((await session.execute(query.order_by(col(TableRow.number)))).scalars())


async def add_row(session: AsyncSession, org_id: str, run_id: str, number: int, item: str) -> None:
    """Add the one row of a structured output, in the transaction that records the plan."""
    session.add(TableRow(run_id=run_id, number=number, org_id=org_id, item=item))
    await session.execute(
        update(RunForm)
        .where(col(RunForm.org_id) == org_id, col(RunForm.run_id) == run_id)
        .values(row_count=1)
        .execution_options(synchronize_session=False)
    )
    await session.flush()


async def get_row(session: AsyncSession, org_id: str, run_id: str, number: int) -> TableRow:
    """Return one row.

    Raises:
        NotFound: the run has no such row.
    """
    query = select(TableRow).where(TableRow.org_id == org_id, TableRow.run_id == run_id, TableRow.number == number)
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None:
        raise NotFound(f"run {run_id} has no row {number}")
    return row


async def put_cells(session: AsyncSession, org_id: str, run_id: str, number: int, cells: Sequence[Cell]) -> None:
    """Write the cells of a row, as far as its agent is. The caller has made sure that its attempt is still open."""
    await session.execute(
        update(TableRow)
        .where(col(TableRow.org_id) == org_id, col(TableRow.run_id) == run_id, col(TableRow.number) == number)
        .values(
            cells=[cell.model_dump(mode="json") for cell in cells],
            filled=sum(cell.filled for cell in cells),
            updated_at=func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True)
class RowState:
    """One row with what its agent came to."""

    row: TableRow
    status: AgentStatus
    outcome: str | None
    error: dict[str, Any] | None
    steps: int
    used_pcr: int
    """Metered for the row's agent, over all attempts."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Return the cells as far as they were filled."""
        return tuple(Cell.model_validate(cell) for cell in self.row.cells or ())


async def list_rows(
    session: AsyncSession, org_id: str, run_id: str, *, after: int = 0, limit: int | None = None
) -> list[RowState]:
    """Return the rows with a number above `after`, in order, each with its agent's state and what it used."""
    used = (
        select(col(Usage.agent_number), func.sum(Usage.amount_pcr).label("used_pcr"))
        .where(Usage.org_id == org_id, Usage.run_id == run_id)
        .group_by(col(Usage.agent_number))
        .subquery()
    )
    query = (
        select(TableRow, Agent, used.c.used_pcr)
        .outerjoin(
            Agent,
            (col(Agent.org_id) == col(TableRow.org_id))
            & (col(Agent.run_id) == col(TableRow.run_id))
            & (col(Agent.number) == col(TableRow.number)),
        )
        .outerjoin(used, used.c.agent_number == col(TableRow.number))
        .where(TableRow.org_id == org_id, TableRow.run_id == run_id, TableRow.number > after)
        .order_by(col(TableRow.number))
        .limit(limit)
    )
    return [
        RowState(
            row=row,
            status=AgentStatus(agent.status) if agent else AgentStatus.PENDING,
            outcome=agent.outcome if agent else None,
            error=agent.last_error if agent else None,
            steps=agent.steps if agent else 0,
            used_pcr=int(used_pcr or 0),
        )
        for row, agent, used_pcr in await session.execute(query)
    ]


@dataclass(frozen=True)
class Progress:
    """How far a table is."""

    rows: int
    completed: int
    failed: int
    cells_filled: int


async def progress_of(session: AsyncSession, org_id: str, run_id: str) -> Progress:
    """Count the rows of a run by what became of them."""
    done = col(Agent.status) == AgentStatus.COMPLETED.value
    lost = col(Agent.status).in_([AgentStatus.FAILED.value, AgentStatus.CANCELLED.value])
    query = (
        select(
            func.count(),
            func.count().filter(done),
            func.count().filter(lost),
            func.coalesce(func.sum(TableRow.filled), 0),
        )
        .select_from(TableRow)
        .outerjoin(
            Agent,
            (col(Agent.org_id) == col(TableRow.org_id))
            & (col(Agent.run_id) == col(TableRow.run_id))
            & (col(Agent.number) == col(TableRow.number)),
        )
        .where(TableRow.org_id == org_id, TableRow.run_id == run_id)
    )
    rows, completed, failed, filled = (await session.execute(query)).one()
    return Progress(int(rows), int(completed), int(failed), int(filled))


async def put_output(session: AsyncSession, org_id: str, run_id: str, output: dict[str, Any]) -> None:
    """Write the structured output, in the transaction that records the report."""
    await session.execute(
        update(RunForm)
        .where(col(RunForm.org_id) == org_id, col(RunForm.run_id) == run_id, col(RunForm.kind) == OUTPUT)
        .values(output=output)
        .execution_options(synchronize_session=False)
    )
