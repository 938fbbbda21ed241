"""What is found in a file of data: profile, findings, charts, insights, relations, answers to questions.

JSON-safe by construction: every number is finite, dates are ISO 8601 texts, every list is bounded by a limit of
`schema/policies.py`. Rows are numbered as a spreadsheet shows them: from 1, the header's row counted; records of JSON
and Parquet from 1. docs/data.md says how each thing is found.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from schema.contracts.common import Contract
from schema.policies import (
    DATA_ANSWER_ROWS_MAX,
    DATA_CHARTS_MAX,
    DATA_COLUMNS_MAX,
    DATA_CORRELATIONS_MAX,
    DATA_EXAMPLES_MAX,
    DATA_FINDINGS_MAX,
    DATA_INSIGHTS_MAX,
    DATA_RELATIONS_MAX,
    DATA_ROWS_SHOWN_MAX,
    DATA_TABLES_MAX,
    DATA_TEXT_LENGTH_MAX,
)

Finite = Annotated[float, Field(allow_inf_nan=False)]
Scalar = str | bool | int | Finite | None
Text = Annotated[str, Field(max_length=DATA_TEXT_LENGTH_MAX)]


class DataFormat(StrEnum):
    """What a file of data is, by its content."""

    CSV = "csv"
    TSV = "tsv"
    XLSX = "xlsx"
    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class DateOrder(StrEnum):
    """Which part of a numeric date comes first."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"
    YEAR_FIRST = "ymd"


class AnalysisOptions(Contract):
    """What the caller knows about the file, or wants done to it."""

    clean: bool = False
    """Drop empty rows and repeated rows before the analysis (specification 6.1); the reading says how many."""
    charts: bool = True
    as_of: str | None = None
    """ISO date after which a date lies in the future; None: such dates are not looked for."""
    date_order: DateOrder | None = None
    """Where the file's own dates do not decide."""


class ColumnType(StrEnum):
    """What the values of a column are."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    EMPTY = "empty"


class Role(StrEnum):
    """What a column is for; statistics of a role that does not measure anything are not drawn."""

    MEASURE = "measure"
    CATEGORY = "category"
    IDENTIFIER = "identifier"
    CODE = "code"
    YEAR = "year"
    TIME = "time"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    FREE_TEXT = "free_text"
    CONSTANT = "constant"
    EMPTY = "empty"


class Unit(Contract):
    """The unit of a column's numbers."""

    symbol: Text
    """As it is shown behind a number: `EUR`, `%`, `km`."""
    kind: str
    """`currency`, `percent` or `physical`."""
    origin: str
    """`header` or `cells`."""


class TopValue(Contract):
    """A frequent value."""

    value: Scalar
    count: int
    share: Finite
    """Of all values that are not missing, 0..1."""


class Statistics(Contract):
    """Figures of a numeric column. Quartiles interpolate linearly (type 7); `std` is the sample's (n - 1)."""

    count: int
    sum: Finite | None = None
    mean: Finite | None = None
    std: Finite | None = None
    min: Finite | None = None
    q1: Finite | None = None
    median: Finite | None = None
    q3: Finite | None = None
    max: Finite | None = None


class ColumnProfile(Contract):
    """One column."""

    name: Text
    """Unique in its table; the file's own name unless `renamed` says otherwise."""
    position: int
    """From 1."""
    renamed: str | None = None
    """Why the name is not the file's: `empty` or `duplicate`."""
    type: ColumnType
    role: Role
    unit: Unit | None = None
    missing: int
    """Empty cells and spellings of null."""
    missing_share: Finite
    null_spellings: tuple[Text, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    """Other than the empty cell: `n/a`, `-`, `NULL`."""
    distinct: int
    unique: bool
    """No value occurs twice and none is missing: a key by itself."""
    decimal_comma: bool = False
    thousands: str | None = None
    """The separator of thousands, where one was seen."""
    date_format: str | None = None
    """`strftime` form of the commonest spelling."""
    date_order: DateOrder | None = None
    date_order_evidence: Text | None = None
    """What decided, or that nothing did."""
    earliest: str | None = None
    """ISO 8601; dates only."""
    latest: str | None = None
    statistics: Statistics | None = None
    """Of numbers, identifiers and codes left out."""
    length_max: int | None = None
    """Characters of the longest text."""
    top_values: tuple[TopValue, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    unreadable: int = 0
    """Cells that are not of the column's type; they count as missing in what is computed."""


class Correlation(Contract):
    """How two numeric columns move together, over the rows in which both have a value."""

    first: Text
    second: Text
    pearson: Finite | None
    spearman: Finite | None
    count: int


class Figure(Contract):
    """One number of a finding."""

    name: Text
    value: Scalar
    unit: str | None = None


class FindingKind(StrEnum):
    """What can be found. docs/data.md gives method and threshold of each."""

    EMPTY_ROWS = "empty_rows"
    DUPLICATE_ROWS = "duplicate_rows"
    DUPLICATE_KEYS = "duplicate_keys"
    EMPTY_COLUMN = "empty_column"
    CONSTANT_COLUMN = "constant_column"
    MISSING_VALUES = "missing_values"
    HEADER = "header"
    RAGGED_ROWS = "ragged_rows"
    ENCODING = "encoding"
    DATE_ORDER = "date_order"
    MIXED_TYPES = "mixed_types"
    MIXED_UNITS = "mixed_units"
    SPELLINGS = "spellings"
    OUTLIERS = "outliers"
    IMPOSSIBLE_VALUES = "impossible_values"
    ORDER_OF_DATES = "order_of_dates"
    TIME_GAP = "time_gap"
    TIME_SPIKE = "time_spike"
    LEVEL_SHIFT = "level_shift"
    DRIFT = "drift"
    CORRELATION = "correlation"
    CANDIDATE_KEY = "candidate_key"
    DEPENDENCY = "dependency"


class Finding(Contract):
    """One thing that is worth knowing about the data, with how it was found."""

    kind: FindingKind
    columns: tuple[Text, ...] = Field(default=(), max_length=DATA_COLUMNS_MAX)
    rows: tuple[int, ...] = Field(default=(), max_length=DATA_ROWS_SHOWN_MAX)
    """The first of them; `count` says how many there are."""
    count: int = 0
    method: Text
    threshold: Text = ""
    figures: tuple[Figure, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    sentence: Text
    severity: str = "info"
    """`info`, `notice` or `warning`."""


class ChartKind(StrEnum):
    """Kinds of charts."""

    LINE = "line"
    BAR = "bar"
    HISTOGRAM = "histogram"
    SCATTER = "scatter"
    BOX = "box"


class Chart(Contract):
    """A chart, as a Vega-Lite 5 specification with its (aggregated) data inside."""

    name: str
    """Of the rendered files, without their ending; unique in the analysis."""
    kind: ChartKind
    title: Text
    columns: tuple[Text, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    reason: Text
    """Why this chart was chosen for these columns."""
    query: Text
    """SQL of the data that it shows."""
    spec: dict[str, Any]


class NumberRule(StrEnum):
    """How a number of a result becomes the number in a sentence (half away from zero)."""

    INTEGER = "integer"
    """No decimals."""
    SIGNIFICANT = "significant"
    """Four significant digits; whole numbers from 1,000 on."""
    PERCENT = "percent"
    """A share times 100, one decimal."""
    COEFFICIENT = "coefficient"
    """Two decimals."""


class InsightNumber(Contract):
    """A number in a sentence, and the cell of the query's result that it came from."""

    text: str
    """As it stands in the sentence."""
    value: Finite
    """Unrounded."""
    rule: NumberRule
    row: int
    """Of the result, from 0."""
    column: Text
    """Of the result."""


class InsightKind(StrEnum):
    """What an insight tells."""

    SIZE = "size"
    TOTAL = "total"
    LARGEST_GROUP = "largest_group"
    SMALLEST_GROUP = "smallest_group"
    HIGHEST_MEAN = "highest_mean"
    COMMONEST = "commonest"
    CONCENTRATION = "concentration"
    TREND = "trend"
    PEAK = "peak"
    CORRELATION = "correlation"
    SPREAD = "spread"
    OUTLIERS = "outliers"
    MISSING = "missing"
    DUPLICATES = "duplicates"


class Insight(Contract):
    """A sentence whose every number was recomputed from its query before it left the package."""

    kind: InsightKind
    sentence: Text
    query: Text
    """SQL (Polars' dialect) on the typed table."""
    columns: tuple[Text, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    numbers: tuple[InsightNumber, ...] = Field(max_length=DATA_EXAMPLES_MAX)
    names: tuple[Text, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    """Values of the file that the sentence quotes; each is in the result."""
    score: Finite = 0.0
    """How much it tells, for their order; no probability."""


class Reading(Contract):
    """How a file was read."""

    format: DataFormat
    encoding: str | None = None
    encoding_evidence: Text | None = None
    delimiter: str | None = None
    header: bool = True
    header_row: int | None = None
    """As a spreadsheet numbers it."""
    skipped_rows: int = 0
    """Above the header: titles and notes."""
    flattened: tuple[Text, ...] = Field(default=(), max_length=DATA_COLUMNS_MAX)
    """Columns made out of nested objects of JSON or Parquet."""
    dropped_empty_rows: int = 0
    """By `AnalysisOptions.clean`."""
    dropped_duplicate_rows: int = 0
    notes: tuple[Text, ...] = Field(default=(), max_length=DATA_FINDINGS_MAX)


class TableAnalysis(Contract):
    """One table: a file, or a sheet of a workbook."""

    name: Text
    """As queries name it."""
    sheet: Text | None = None
    rows: int
    columns: tuple[ColumnProfile, ...] = Field(max_length=DATA_COLUMNS_MAX)
    reading: Reading
    correlations: tuple[Correlation, ...] = Field(default=(), max_length=DATA_CORRELATIONS_MAX)
    """The strongest, by the greater of both coefficients."""
    findings: tuple[Finding, ...] = Field(default=(), max_length=DATA_FINDINGS_MAX)
    charts: tuple[Chart, ...] = Field(default=(), max_length=DATA_CHARTS_MAX)
    insights: tuple[Insight, ...] = Field(default=(), max_length=DATA_INSIGHTS_MAX)


class RelationKind(StrEnum):
    """How columns of two tables belong together."""

    FOREIGN_KEY = "foreign_key"
    """Values of the first are found in the second, which is a key."""
    SHARED_VALUES = "shared_values"
    """Both hold the same values; neither is a key."""


class Relation(Contract):
    """A column of one table whose values stand in a column of another."""

    kind: RelationKind
    table: Text
    column: Text
    other_table: Text
    other_column: Text
    matched_share: Finite
    """Of the distinct values of `column`, 0..1."""
    orphans: int
    """Distinct values of `column` without a partner."""
    orphan_rows: int
    """Rows of `table` that hold them."""
    examples: tuple[Text, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    """Of orphans."""
    sentence: Text


class Relations(Contract):
    """Keys and relations between tables."""

    tables: tuple[Text, ...] = Field(max_length=DATA_TABLES_MAX)
    keys: tuple[tuple[Text, Text], ...] = Field(default=(), max_length=DATA_RELATIONS_MAX)
    """(table, column) of columns that are keys by themselves."""
    relations: tuple[Relation, ...] = Field(default=(), max_length=DATA_RELATIONS_MAX)


class Analysis(Contract):
    """Everything that was found in a file."""

    version: int = 1
    filename: Text
    format: DataFormat
    size_bytes: int
    cleaned: bool = False
    tables: tuple[TableAnalysis, ...] = Field(max_length=DATA_TABLES_MAX)
    relations: tuple[Relation, ...] = Field(default=(), max_length=DATA_RELATIONS_MAX)
    """Between the sheets of a workbook."""
    skipped_sheets: tuple[Text, ...] = Field(default=(), max_length=DATA_EXAMPLES_MAX)
    """Empty, or beyond the number that is read."""


class AnswerColumn(Contract):
    """A column of an answer."""

    name: Text
    unit: Unit | None = None


class TableAnswer(Contract):
    """What a question in plain words was understood as, and what came out."""

    question: Text
    understood: Text
    """The question as it was translated, in words."""
    table: Text
    query: Text
    """SQL that was run, read-only."""
    columns: tuple[AnswerColumn, ...] = Field(max_length=DATA_COLUMNS_MAX)
    rows: tuple[tuple[Scalar, ...], ...] = Field(max_length=DATA_ANSWER_ROWS_MAX)
    truncated: bool = False
    """There are more rows than are shown."""
    sentence: Text = ""
    """The answer in words, where it has few rows; empty: they do not fit one sentence."""
    origin: str = "grammar"
    """`grammar`, or `model`: who wrote the query."""
