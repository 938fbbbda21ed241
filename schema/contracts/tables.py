"""Tables and structured output: columns, cells with their evidence, and the lane that works through a table's rows.

A cell holds a value only with the span that shows it; otherwise it is empty and says why.
"""

from enum import StrEnum
from typing import Any

from pydantic import Field
from temporalio import workflow

from schema.contracts.common import Contract, RunRef
from schema.contracts.research import Brief, Claim, Passage


class ColumnType(StrEnum):
    """What kind of value a column holds."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    URL = "url"
    ENUM = "enum"


class Column(Contract):
    """One property that is asked of every item."""

    name: str
    description: str = ""
    type: ColumnType = ColumnType.TEXT
    unit: str | None = None
    """The unit that a number is wanted in; what a source gives in another unit of the dimension is converted."""
    allowed: tuple[str, ...] = ()
    """The values of an enum."""
    many: bool = False
    """Several values may hold at once (a JSON array); the value is then a list."""


class CellSource(Contract):
    """One span that shows a cell's value."""

    claim_id: str
    snapshot_sha256: str
    uri: str
    title: str
    start: int
    end: int
    quote: str
    """`snapshot_text[start:end]`."""


class CellValue(Contract):
    """One value that sources give, with the words that give it."""

    value: Any
    """text, number, boolean, ISO date; as the column's type wants it."""
    raw: str
    """The words of the source that state the value; they occur in every `evidence.quote`."""
    unit: str | None = None
    evidence: tuple[CellSource, ...]


class Cell(Contract):
    """One cell: a value with evidence, or an honest gap with the reason."""

    column: str
    value: Any = None
    raw: str | None = None
    unit: str | None = None
    evidence: tuple[CellSource, ...] = ()
    confidence: float = 0.0
    """0..1: how plainly the source states it; 0 for an empty cell."""
    reason: str | None = None
    """Empty: why. Disputed: why this value was chosen."""
    conflict: tuple[CellValue, ...] = ()
    """What other sources say instead."""

    @property
    def filled(self) -> bool:
        """Tell whether there is a value."""
        return self.value is not None


class TableHead(Contract):
    """The heading line of a table in a snapshot; it holds for the lines in `start:end`, which passages may cut out."""

    snapshot_sha256: str
    start: int
    end: int
    text: str


class FillRequest(Contract):
    """What a reasoner needs to fill the cells of one item."""

    brief: Brief
    item: str
    """What the cells are about; empty where the task names nothing."""
    others: tuple[str, ...] = ()
    """Other items that the passages may speak of: what is said of them is not said of this one."""
    columns: tuple[Column, ...]
    passages: tuple[Passage, ...]
    fresh: tuple[Passage, ...] = ()
    """Those of `passages` that were not there at the last fill."""
    heads: tuple[TableHead, ...] = ()
    known: tuple[Cell, ...] = ()
    agent_number: int = 0


class Filled(Contract):
    """Cells in the order of the columns, and the claims that they name."""

    cells: tuple[Cell, ...]
    claims: tuple[Claim, ...] = ()


class TablePlan(Contract):
    """How a table's rows are worked on: lanes, each of which takes its rows one after the other."""

    rows: int
    """All rows of the table."""
    waiting: tuple[int, ...]
    """Numbers of the rows that are not done, in order."""
    lanes: int


class LaneFailure(Contract):
    """The failure of one row's agent."""

    row: int
    code: str
    detail: str
    retryable: bool


class ExecuteLaneInput(RunRef):
    """Work through rows, one agent at a time. The fields below `continued` carry the state over a continue-as-new."""

    lane: int
    """From 1; the run knows it by this number."""
    rows: tuple[int, ...]
    """Numbers of the rows still to be begun, in order; also the numbers of their agents."""
    tools: tuple[str, ...]
    budget_pcr: int
    """What the rows may spend together and has not been spent yet."""
    tokens_max: int
    """Per row."""
    steps_max: int
    """Per row."""
    continued: bool = False
    spent_pcr: int = 0
    done: int = 0
    failed: int = 0
    failure: LaneFailure | None = None
    paused: bool = False
    pause_number: int = 0
    finishing: bool = False


class ExecuteLaneResult(Contract):
    """What became of the lane's rows; which row failed and why stands in PostgreSQL."""

    done: int
    failed: int
    spent_pcr: int
    failure: LaneFailure | None = None
    """The first one; one that is worth another try comes before one that is not."""


@workflow.defn(name="Lane")
class LaneWorkflow:
    """Stub of the Lane workflow; workflow id = `RUN/lane/N`."""

    @workflow.run
    async def run(self, input: ExecuteLaneInput) -> ExecuteLaneResult:
        """Work through the rows."""
        raise NotImplementedError


class TableSpec(Contract):
    """A table that a run fills."""

    items: tuple[str, ...]
    columns: tuple[Column, ...] = Field(min_length=1)


class OutputField(Contract):
    """One leaf of a caller's JSON Schema, as a column that is asked for."""

    path: str
    """JSON Pointer (RFC 6901) of the leaf; `-` stands for the elements of an array."""
    column: Column
    required: bool = False
