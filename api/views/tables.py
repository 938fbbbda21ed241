"""Tables: how the rows are shown; what is asked for is in `asked.py`."""

from typing import Any

from api.serialisation import Credits
from api.views.base import Listing, View
from api.views.runs import pcr_to_credits
from schema.contracts.tables import Cell, Column, ColumnType
from schema.states import AgentStatus, RunStatus
from schema.store.forms import Progress, RowState
from schema.tables.forms import RunForm
from schema.tables.runs import Run


class EvidenceView(View):
    """One span that shows a value."""

    claim_id: str
    uri: str
    title: str
    snapshot_sha256: str
    start: int
    end: int
    quote: str
    """Verbatim; `snapshot[start:end]`."""


class ValueView(View):
    """A value that other sources give."""

    value: Any
    raw: str
    unit: str | None
    evidence: list[EvidenceView]


class CellView(View):
    """One cell."""

    column: str
    value: Any
    """In the column's type; null: nothing was found, and `reason` says why."""
    raw: str | None
    """The words of the source that state it."""
    unit: str | None
    confidence: float
    reason: str | None
    evidence: list[EvidenceView]
    conflicts: list[ValueView]
    """What other sources say instead."""


class RowView(View):
    """One row."""

    row: int
    item: str
    status: AgentStatus
    cells: list[CellView]
    """As far as the row's agent is; empty before its first look."""
    outcome: str | None
    error: dict[str, Any] | None
    """Why the row failed."""
    credits_used: Credits


class ColumnView(View):
    """One column, as it was asked for."""

    name: str
    description: str
    type: ColumnType
    unit: str | None
    allowed: list[str]


class TableProgress(View):
    """How far the table is."""

    rows: int
    completed: int
    failed: int
    cells_filled: int


class TableView(Listing):
    """A page of a table, by row; also while the run works on it."""

    run_id: str
    status: RunStatus
    columns: list[ColumnView]
    progress: TableProgress
    rows: list[RowView]


def table_view(
    run: Run, form: RunForm, columns: tuple[Column, ...], rows: list[RowState], progress: Progress, cursor: str | None
) -> TableView:
    """Show a page of a table."""
    return TableView(
        run_id=run.id,
        status=RunStatus(run.status),
        columns=[
            ColumnView(
                name=column.name,
                description=column.description,
                type=column.type,
                unit=column.unit,
                allowed=list(column.allowed),
            )
            for column in columns
        ],
        progress=TableProgress(**vars(progress)),
        rows=[row_view(row) for row in rows],
        next_cursor=cursor,
    )


def row_view(row: RowState) -> RowView:
    """Show one row."""
    return RowView(
        row=row.row.number,
        item=row.row.item,
        status=row.status,
        cells=[cell_view(cell) for cell in row.cells],
        outcome=row.outcome,
        error=row.error,
        credits_used=pcr_to_credits(row.used_pcr),
    )


def cell_view(cell: Cell) -> CellView:
    """Show one cell."""
    return CellView(
        column=cell.column,
        value=cell.value,
        raw=cell.raw,
        unit=cell.unit,
        confidence=cell.confidence,
        reason=cell.reason,
        evidence=[EvidenceView(**each.model_dump()) for each in cell.evidence],
        conflicts=[
            ValueView(
                value=each.value,
                raw=each.raw,
                unit=each.unit,
                evidence=[EvidenceView(**source.model_dump()) for source in each.evidence],
            )
            for each in cell.conflict
        ],
    )
