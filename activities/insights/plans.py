"""What a question asks, as the translation of its words leaves it for the query."""

from dataclasses import dataclass, field

from activities.insights.choosing import additive
from activities.insights.conditions import Condition
from activities.insights.table import Table
from activities.insights.wording import names
from schema.errors import ValidationFailed

PERIODS = ("day", "week", "month", "quarter", "year", "weekday")
AGGREGATES = ("sum", "mean", "median", "std", "max", "min")


@dataclass
class Plan:
    """What a question asks."""

    aggregate: str = ""
    """An aggregate, or `count`, `distinct`, `share`, `missing`, `correlation`, `list`."""
    measure: str | None = None
    other: str | None = None
    """Second column of a correlation."""
    groups: list[str] = field(default_factory=list)
    period: str | None = None
    axis: str | None = None
    conditions: list[Condition] = field(default_factory=list)
    part: list[Condition] = field(default_factory=list)
    """Of a share: the rows that are counted against all."""
    limit: int | None = None
    descending: bool = True
    ordered: bool = False
    """By the measure; else by the group."""
    shown: list[str] = field(default_factory=list)
    said: str = ""
    """The superlative, in the question's words."""


def refusal(table: Table, reason: str) -> ValidationFailed:
    """Return the refusal of a question, with what could be asked of."""
    return ValidationFailed(f"{reason} The columns are {names(table.frame.columns, 30)}.")


def usual(table: Table, measure: str) -> str:
    """Return what is computed of a measure where the question does not say: the sum, or the mean."""
    return "sum" if additive(table, measure) else "mean"
