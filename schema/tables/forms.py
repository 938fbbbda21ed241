"""What a run has to fill in: a table of items and columns, or a caller's JSON Schema."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Text, UniqueConstraint
from sqlmodel import Field

from schema.tables.base import Table, Timestamp, created_at_field, json_field


class RunForm(Table, table=True):
    """The columns that a run fills; of a table for every item, of a structured output for its one row."""

    __tablename__ = "run_forms"
    __table_args__ = (
        UniqueConstraint("org_id", "run_id"),
        CheckConstraint("kind in ('table','output')", name="kind"),
        CheckConstraint("kind <> 'output' or jsonb_typeof(output_schema) = 'object'", name="schema_of_output"),
        ForeignKeyConstraint(["org_id", "run_id"], ["runs.org_id", "runs.id"], ondelete="CASCADE"),
    )

    run_id: str = Field(primary_key=True, sa_type=Text)
    org_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    columns: list[dict[str, Any]] = json_field(nullable=False)
    """Of a table `Column`s, of an output `OutputField`s."""
    row_count: int = Field(default=0)
    output_schema: dict[str, Any] | None = json_field()
    """The caller's JSON Schema, as it was given."""
    output: dict[str, Any] | None = json_field()
    """`{value, fields, missing}` once the report is written."""
    created_at: Timestamp = created_at_field()


class TableRow(Table, table=True):
    """One row: an item, and the cells that its agent filled. How far it is, is the status of the agent of that number.

    The row of a structured output has the number of the agent that works on it.
    """

    __tablename__ = "table_rows"
    __table_args__ = (
        CheckConstraint("number >= 1 and filled >= 0", name="counters"),
        ForeignKeyConstraint(["org_id", "run_id"], ["run_forms.org_id", "run_forms.run_id"], ondelete="CASCADE"),
    )

    run_id: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    org_id: str = Field(sa_type=Text)
    item: str = Field(sa_type=Text)
    cells: list[dict[str, Any]] | None = json_field()
    """`Cell`s in the order of the columns, as far as the agent is; null before its first look."""
    filled: int = Field(default=0)
    updated_at: Timestamp = created_at_field()
