"""Helpers of these tests."""

from pathlib import Path

from activities.insights.examine import examine, read_tables
from activities.insights.table import Table
from schema.contracts.insights import Analysis, AnalysisOptions, ColumnProfile, Finding, FindingKind


def analysed(folder: Path, data: bytes | str, name: str = "a.csv", **options: object) -> Analysis:
    """Write a file and analyse it, in this process."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return examine(path, name, AnalysisOptions.model_validate({"charts": False, **options}))


def tables(folder: Path, data: bytes | str, name: str = "a.csv") -> list[Table]:
    """Write a file and read its tables, in this process."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_tables(path, name, AnalysisOptions())[1]


def column(analysis: Analysis, name: str) -> ColumnProfile:
    """Return a column of the first table."""
    return next(each for each in analysis.tables[0].columns if each.name == name)


def found(analysis: Analysis, kind: FindingKind) -> list[Finding]:
    """Return the findings of a kind in the first table."""
    return [each for each in analysis.tables[0].findings if each.kind == kind]
