"""The whole analysis of a file: read, type, measure, find, draw, tell. Runs in the sandbox's child."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path

from activities.insights.charts import charts_of
from activities.insights.dependencies import together
from activities.insights.drift import drift
from activities.insights.outliers import impossible, order_of_dates, outliers
from activities.insights.profile import Measured, measure, profile_of
from activities.insights.quality import quality
from activities.insights.reading import RawFile, read_file
from activities.insights.relations import relations_of
from activities.insights.series import over_time
from activities.insights.sql import Database
from activities.insights.table import Table, build
from activities.insights.telling import insights_of
from schema.contracts.insights import Analysis, AnalysisOptions, Finding, Reading, TableAnalysis
from schema.policies import DATA_CHARTS_FILE_MAX, DATA_CHARTS_MAX, DATA_EXAMPLES_MAX, DATA_FINDINGS_MAX, DATA_TABLES_MAX

_SEVERITIES = ("warning", "notice", "info")
_FINDINGS_PER_KIND_MAX = 40
TABLE = "data"
"""What queries call the only table of a file."""


def read_tables(path: Path, filename: str, options: AnalysisOptions) -> tuple[RawFile, list[Table]]:
    """Read a file, and type its tables one after another."""
    file = read_file(path, filename)
    tables: list[Table] = []
    names: set[str] = set()
    for number, raw in enumerate(file.tables):
        name = TABLE if len(file.tables) == 1 else _table_name(raw.sheet or f"table {number + 1}", names)
        names.add(name)
        table = build(raw, name, options, file.units[number])
        table.noun = raw.sheet or re.sub(r"\.[A-Za-z]{2,8}\Z", "", filename.replace("\\", "/").rsplit("/", 1)[-1])
        tables.append(table)
    return file, tables


def _table_name(sheet: str, taken: set[str]) -> str:
    """Return a name for queries: the sheet's words, joined."""
    base = re.sub(r"\W+", "_", sheet).strip("_")[:60] or "sheet"
    name, number = base, 2
    while name.lower() in {each.lower() for each in taken}:
        name, number = f"{base}_{number}", number + 1
    return name


def examine(path: Path, filename: str, options: AnalysisOptions) -> Analysis:
    """Analyse a file.

    Raises:
        UnsupportedFormat, PayloadTooLarge: as `reading.read_file`.
    """
    file, tables = read_tables(path, filename, options)
    database = Database({table.name: table.frame for table in tables})
    analysed: list[TableAnalysis] = []
    charts_left = DATA_CHARTS_FILE_MAX if options.charts else 0
    for number, table in enumerate(tables, 1):
        found = _table(table, options, database, f"table-{number}", min(charts_left, DATA_CHARTS_MAX))
        charts_left -= len(found.charts)
        analysed.append(found)
    return Analysis(
        filename=filename[:200],
        format=file.format,
        size_bytes=file.size_bytes,
        cleaned=options.clean,
        tables=tuple(analysed),
        relations=relations_of(tables).relations if len(tables) > 1 else (),
        skipped_sheets=tuple(name[:200] for name in file.skipped[:DATA_EXAMPLES_MAX]),
    )


def _table(table: Table, options: AnalysisOptions, database: Database, prefix: str, charts: int) -> TableAnalysis:
    measured = measure(table)
    findings = findings_of(table, measured, options)
    return TableAnalysis(
        name=table.name,
        sheet=table.raw.sheet,
        rows=table.height,
        columns=tuple(profile_of(table, name, number, measured) for number, name in enumerate(table.frame.columns, 1)),
        reading=_reading(table),
        correlations=tuple(measured.correlations),
        findings=tuple(findings),
        charts=tuple(charts_of(table, measured, prefix, charts)) if charts else (),
        insights=tuple(insights_of(table, measured, database)),
    )


def findings_of(table: Table, measured: Measured, options: AnalysisOptions) -> list[Finding]:
    """Return all findings, gravest first; of one kind not more than a reader will read."""
    as_of = date.fromisoformat(options.as_of[:10]) if options.as_of else None
    every: Iterator[Finding] = chain(
        quality(table),
        outliers(table, measured),
        impossible(table, as_of),
        order_of_dates(table),
        over_time(table),
        drift(table),
        together(table, measured),
    )
    kept: list[Finding] = []
    counts: dict[str, int] = {}
    for finding in every:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
        if counts[finding.kind] <= _FINDINGS_PER_KIND_MAX:
            kept.append(finding)
    kept.sort(key=lambda each: _SEVERITIES.index(each.severity))
    return kept[:DATA_FINDINGS_MAX]


def _reading(table: Table) -> Reading:
    raw = table.raw
    notes = list(raw.notes)
    scaled = [column.name for column in table.columns.values() if column.scaled]
    if scaled:
        notes.append(f"Fractions that the workbook shows as percentages are given in %: {', '.join(scaled[:10])}.")
    return Reading(
        format=raw.format,
        encoding=raw.encoding,
        encoding_evidence=raw.encoding_evidence,
        delimiter=raw.delimiter,
        header=raw.header,
        header_row=raw.header_row,
        skipped_rows=raw.skipped_rows,
        flattened=tuple(raw.flattened),
        dropped_empty_rows=table.dropped_empty,
        dropped_duplicate_rows=table.dropped_duplicate,
        notes=tuple(note[:1_000] for note in notes),
    )


def read_several(files: Sequence[tuple[Path, str]], options: AnalysisOptions) -> list[Table]:
    """Read several files; their tables are named by the files."""
    tables: list[Table] = []
    for path, filename in files:
        _, found = read_tables(path, filename, options)
        for table in found:
            stem = re.sub(r"\.[A-Za-z]{2,8}\Z", "", filename.replace("\\", "/").rsplit("/", 1)[-1])
            own = f"{stem}_{table.name}" if len(found) > 1 else stem
            table.name = _table_name(own, {each.name for each in tables})
            tables.append(table)
    return tables[:DATA_TABLES_MAX]
