"""An analysis as an extracted document: every finding and insight a sentence of its own, so that a run can cite it."""

from activities.documents.builder import ExtractedDocument, TextBuilder
from activities.insights.wording import counted, name, number, percent, with_unit
from schema.contracts.insights import Analysis, ColumnProfile, ColumnType, Role, TableAnalysis


def document_text(analysis: Analysis) -> str:
    """Return the text of an analysis; headings as plain lines, as in every extracted text."""
    return _built(analysis).text()


def document_of(analysis: Analysis) -> ExtractedDocument:
    """Return the same with its headings, as what is searched and cited."""
    builder = _built(analysis)
    title = f"Data in {analysis.filename}"
    return ExtractedDocument(title, builder.text(), "text/plain", tuple(builder.headings), language="en")


def _built(analysis: Analysis) -> TextBuilder:
    builder = TextBuilder()
    builder.heading(1, f"Data in {analysis.filename}")
    for table in analysis.tables:
        _table(builder, analysis, table)
    if analysis.relations:
        builder.heading(2, "Relations between the tables")
        for relation in analysis.relations:
            builder.prose(relation.sentence)
    if analysis.skipped_sheets:
        builder.prose(f"Sheets that were not read: {', '.join(name(sheet) for sheet in analysis.skipped_sheets)}.")
    return builder


def _table(builder: TextBuilder, analysis: Analysis, table: TableAnalysis) -> None:
    title = f"The sheet {name(table.sheet)}" if table.sheet else "The table"
    builder.heading(2, title)
    builder.prose(f"{title} has {counted(table.rows, 'row')} and {counted(len(table.columns), 'column')}.")
    for sentence in _reading(table):
        builder.prose(sentence)
    if table.insights:
        builder.heading(3, "Insights")
        for insight in table.insights:
            builder.prose(insight.sentence)
    if table.findings:
        builder.heading(3, "Findings")
        for finding in table.findings:
            builder.prose(finding.sentence)
    builder.heading(3, "Columns")
    for column in table.columns:
        builder.prose(_column(column))


def _reading(table: TableAnalysis) -> list[str]:
    reading = table.reading
    told = []
    if reading.encoding and reading.encoding != "utf-8":
        told.append(f"Its encoding is {reading.encoding} ({reading.encoding_evidence}).")
    if not reading.header:
        told.append("It has no header; its columns are numbered.")
    if reading.skipped_rows:
        told.append(f"{counted(reading.skipped_rows, 'row')} above the header did not belong to the table.")
    dropped = (("empty", reading.dropped_empty_rows), ("repeated", reading.dropped_duplicate_rows))
    told += [f"{counted(count, f'{kind} row')} left out as asked." for kind, count in dropped if count]
    return [*told, *reading.notes]


_KINDS = {
    ColumnType.INTEGER: "whole numbers",
    ColumnType.NUMBER: "numbers",
    ColumnType.TEXT: "texts",
    ColumnType.BOOLEAN: "yes or no",
    ColumnType.DATE: "dates",
    ColumnType.DATETIME: "dates with times",
    ColumnType.TIME: "times of the day",
    ColumnType.EMPTY: "nothing",
}


def _column(column: ColumnProfile) -> str:
    if column.type == ColumnType.EMPTY:
        return f"The column {name(column.name)} holds nothing."
    parts = [f"The column {name(column.name)} holds {_KINDS[column.type]}"]
    if column.unit:
        parts[0] += f" in {column.unit.symbol}"
    if column.role in (Role.IDENTIFIER, Role.CODE, Role.YEAR):
        parts[0] += {Role.IDENTIFIER: ", used as identifiers", Role.CODE: ", used as codes", Role.YEAR: ", years"}[
            column.role
        ]
    if column.earliest and column.latest:
        parts.append(f"from {column.earliest.replace('T', ' ')} to {column.latest.replace('T', ' ')}")
    statistics = column.statistics
    if statistics is not None and statistics.min is not None and statistics.max is not None:
        low, high = (with_unit(number(value), column.unit) for value in (statistics.min, statistics.max))
        parts.append(f"from {low} to {high}")
        if statistics.mean is not None and statistics.median is not None:
            parts.append(
                f"with a mean of {with_unit(number(statistics.mean), column.unit)} and a median of "
                f"{with_unit(number(statistics.median), column.unit)}"
            )
    elif column.top_values and column.role == Role.CATEGORY:
        top = column.top_values[0]
        parts.append(
            f"with {counted(column.distinct, 'distinct value')}, most often {name(top.value)} ({percent(top.share)})"
        )
    elif column.type == ColumnType.TEXT:
        parts.append(f"with {counted(column.distinct, 'distinct value')}")
    missing = f"{counted(column.missing, 'value is', 'values are')} missing" if column.missing else "none is missing"
    return f"{parts[0]}{' ' if len(parts) > 1 else ''}{', '.join(parts[1:])}; {missing}."
