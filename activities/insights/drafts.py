"""Sentences about a table as drafts: words, the numbers and names in them, and the query that each came from.

The numbers are computed here with Polars' expressions; `checking.py` computes them anew from the query.
"""

from dataclasses import dataclass, field

from activities.insights.wording import name as quoted
from activities.insights.wording import number, with_unit
from schema.contracts.insights import Insight, InsightKind, InsightNumber, NumberRule, Unit


@dataclass(frozen=True)
class Number:
    """A number of the query's result."""

    value: float
    column: str
    row: int = 0
    rule: NumberRule = NumberRule.SIGNIFICANT
    unit: Unit | None = None
    noun: str = ""
    """`row`: it becomes `1 row`, `2 rows`."""


@dataclass(frozen=True)
class Value:
    """A value of the file, as the query gives it."""

    text: str
    bare: bool = False
    """Without quotation marks: a date."""


@dataclass(frozen=True)
class Name:
    """The name of a column."""

    text: str


@dataclass
class Draft:
    """One sentence to be."""

    kind: InsightKind
    parts: list[str | Number | Value | Name]
    query: str
    columns: tuple[str, ...]
    score: float
    names: list[str] = field(default_factory=list)

    def insight(self) -> Insight:
        """Write the sentence."""
        words: list[str] = []
        numbers: list[InsightNumber] = []
        values: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                words.append(part)
            elif isinstance(part, Name):
                words.append(quoted(part.text))
            elif isinstance(part, Value):
                words.append(part.text if part.bare else quoted(part.text))
                values.append(part.text)
            else:
                text = number(part.value, part.rule)
                numbers.append(
                    InsightNumber(text=text, value=part.value, rule=part.rule, row=part.row, column=part.column)
                )
                shown = f"{text}%" if part.rule == NumberRule.PERCENT else with_unit(text, part.unit)
                words.append(shown + _noun(part, text))
        return Insight(
            kind=self.kind,
            sentence="".join(words),
            query=self.query,
            columns=self.columns,
            numbers=tuple(numbers),
            names=tuple(values),
            score=round(self.score, 4),
        )


def _noun(part: Number, text: str) -> str:
    if not part.noun:
        return ""
    return f" {part.noun if text == '1' else part.noun + 's'}"
