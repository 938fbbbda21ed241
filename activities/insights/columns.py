"""A raw table becomes a table of typed columns: what each column holds, in which unit, and which cells are not that."""

import re
from dataclasses import dataclass, field
from datetime import time

import polars as pl

from activities.insights import cells
from activities.insights.cells import FALSE, NULLS, TEXT_NULLS, TRUE, Locale, Numbers
from activities.insights.dates import Dates, looks_like_date, read_dates, read_times
from activities.insights.names import says
from activities.insights.raw import RawTable
from activities.insights.units import unit_of_header
from schema.contracts.insights import AnalysisOptions, ColumnType, DataFormat, DateOrder, Unit

_SAMPLE = 2_000
_LOOKED = 200
_TYPED_SHARE_MIN = 0.8
"""A column is of a type where so many of its values are; the others are told, and left out of what is computed."""
_SPELLINGS_MAX = 200_000
_YEAR_RANGE = (1_000, 2_200)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_SPACES = " \t\u00a0\u202f\u2009\u3000"


@dataclass
class Column:
    """One typed column."""

    name: str
    values: pl.Series
    type: ColumnType
    unit: Unit | None = None
    nulls: dict[str, int] = field(default_factory=dict)
    """Spellings of null beside the empty cell, with their numbers."""
    unreadable: pl.Series | None = None
    """True for cells that hold something, but nothing of the type."""
    unreadable_examples: list[str] = field(default_factory=list)
    other_units: dict[str, int] = field(default_factory=dict)
    other_unit_rows: pl.Series | None = None
    decimal_comma: bool = False
    thousands: str | None = None
    dates: Dates | None = None
    scaled: bool = False
    """Fractions that the workbook shows as percentages were multiplied by 100."""

    @property
    def numeric(self) -> bool:
        """Tell whether it holds numbers."""
        return self.type in (ColumnType.INTEGER, ColumnType.NUMBER)

    @property
    def temporal(self) -> bool:
        """Tell whether it holds dates."""
        return self.type in (ColumnType.DATE, ColumnType.DATETIME)


def typed_columns(table: RawTable, options: AnalysisOptions, units: dict[str, Unit]) -> list[Column]:
    """Understand every column of a table; the raw column is let go as its typed one is made.

    Args:
        units: those that the format itself tells, by column.
    """
    frame = table.frame
    names = frame.columns
    locale = _locale(frame, table)
    columns: list[Column] = []
    for name in names:
        raw = frame[name]
        frame = frame.drop(name)
        table.frame = frame
        columns.append(_column(raw, locale, options, units.get(name)))
    return columns


def _locale(frame: pl.DataFrame, table: RawTable) -> Locale:
    """Look at a sample of every column of texts for how the file writes its numbers."""
    comma = dot = 0
    if table.format in (DataFormat.CSV, DataFormat.TSV):
        for column in frame.iter_columns():
            if column.dtype == pl.String:
                sample = _sample(column)
                if sample.str.contains(r"\d[.,]\d").mean() or 0:
                    found = cells.evidence(sample)
                    comma, dot = comma + found[0], dot + found[1]
    return Locale(comma, dot, semicolons=table.delimiter == ";")


def _sample(column: pl.Series) -> pl.Series:
    """Return up to `_SAMPLE` values that are not null, spread over the column."""
    filled = column.drop_nulls()
    return filled.gather_every(max(1, len(filled) // _SAMPLE)).head(_SAMPLE)


def _column(raw: pl.Series, locale: Locale, options: AnalysisOptions, told: Unit | None) -> Column:
    header = unit_of_header(raw.name)
    if raw.dtype != pl.String:
        column = Column(raw.name, raw, _type_of(raw))
        column.unit = header if column.numeric else None
        return column
    sample = _sample(raw)
    if not len(sample):
        return Column(raw.name, raw, ColumnType.EMPTY)
    column = _understood(raw, sample.str.strip_chars(_SPACES), locale, options)
    if column.numeric:
        column.unit = column.unit or told or header
        if told is not None and told.kind == "percent" and not column.other_units:
            column.values = (column.values.cast(pl.Float64) * 100).round(10)
            column.type, column.scaled = ColumnType.NUMBER, True
    return column


def _type_of(values: pl.Series) -> ColumnType:
    dtype = values.dtype
    if values.null_count() == len(values):
        return ColumnType.EMPTY
    if dtype.is_integer():
        return ColumnType.INTEGER
    if dtype.is_float():
        return ColumnType.NUMBER
    kinds = {pl.Boolean: ColumnType.BOOLEAN, pl.Date: ColumnType.DATE, pl.Time: ColumnType.TIME}
    if isinstance(dtype, pl.Datetime):
        return ColumnType.DATETIME
    return next((kind for base, kind in kinds.items() if dtype == base), ColumnType.TEXT)


def _understood(raw: pl.Series, sample: pl.Series, locale: Locale, options: AnalysisOptions) -> Column:
    """Decide the type by a sample, then read all; where all of it disagrees with the sample, it is text."""
    lower = sample.str.to_lowercase()
    filled = sample.filter(~lower.is_in(NULLS) & (sample.str.len_bytes() > 0))
    if not len(filled):
        return _finish_text(raw)
    if _is_number_like(filled, locale) and not cells.has_leading_zeros(filled):
        compact = says(raw.name, "time") and bool(filled.str.contains(r"^(?:19|20)\d{6}$").all())
        column = _dates(raw, locale, options, compact=True) if compact else None
        column = column or _numbers(raw, locale)
        if column is not None:
            return column
    looked = filled.gather_every(max(1, len(filled) // _LOOKED)).to_list()
    if (
        sum(1 for text in looked if looks_like_date(text)) >= 0.6 * len(looked)
        and (column := _dates(raw, locale, options)) is not None
    ):
        return column
    if lower.is_in(TRUE | FALSE).mean() and (column := _booleans(raw)) is not None:
        return column
    clocks = int(filled.str.contains(_CLOCK.pattern).sum())
    if clocks >= _TYPED_SHARE_MIN * len(filled) and (column := _times(raw)) is not None:
        return column
    return _finish_text(raw)


def _is_number_like(filled: pl.Series, locale: Locale) -> bool:
    values = cells.read_numbers(filled, locale).values
    return len(values) - values.null_count() >= 0.6 * len(filled)


def _numbers(raw: pl.Series, locale: Locale) -> Column | None:
    if not (locale.decimal_comma and raw.str.contains(".", literal=True).any()):
        plain = cells.plain_numbers(raw)
        if plain is not None:
            return None if _is_coded(raw) else Column(raw.name, plain, _type_of(plain))
    texts = raw.str.strip_chars(_SPACES)
    if _is_coded(texts):
        return None
    spelled = texts.unique(maintain_order=True)
    if len(spelled) * 2 > len(texts):
        numbers = cells.read_numbers(texts, locale)
    else:
        numbers = _spread(cells.read_numbers(spelled, locale), spelled, texts)
    column = Column(raw.name, numbers.values.alias(raw.name), _type_of(numbers.values))
    column.unit, column.other_units, column.other_unit_rows = numbers.unit, numbers.other_units, numbers.other_unit_rows
    column.decimal_comma, column.thousands = numbers.decimal_comma, numbers.thousands
    return column if _settle(column, texts) else None


def _spread(numbers: Numbers, spelled: pl.Series, texts: pl.Series) -> Numbers:
    """Give what was read of each spelling to all cells that have it."""
    read = pl.DataFrame({"text": spelled, "value": numbers.values})
    if numbers.other_unit_rows is not None:
        read = read.with_columns(other=numbers.other_unit_rows)
    joined = pl.DataFrame({"text": texts}).join(read, on="text", how="left", maintain_order="left", nulls_equal=True)
    numbers.values = joined["value"]
    if numbers.other_unit_rows is not None:
        numbers.other_unit_rows = joined["other"].fill_null(False)
    return numbers


def _is_coded(texts: pl.Series) -> bool:
    """Tell whether numbers are codes, by a zero in front (`00123`); dates like 01.02.2024 are no numbers anyway."""
    zero = texts.filter(texts.str.starts_with("0").fill_null(False))
    return bool(len(zero) and zero.str.contains(r"^0\d+$").any())


def _dates(raw: pl.Series, locale: Locale, options: AnalysisOptions, *, compact: bool = False) -> Column | None:
    texts = raw.str.strip_chars(_SPACES)
    if texts.n_unique() > _SPELLINGS_MAX:
        iso = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
        if iso.null_count() > texts.null_count():
            iso = texts.str.replace("T", " ").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
        if iso.null_count() == texts.null_count():
            dates: Dates | None = Dates(iso, "%Y-%m-%d %H:%M:%S", DateOrder.YEAR_FIRST, "")
        else:
            dates = read_dates(texts, options.date_order, likely_day_first=locale.decimal_comma, compact=compact)
    else:
        dates = read_dates(texts, options.date_order, likely_day_first=locale.decimal_comma, compact=compact)
    if dates is None:
        return None
    if isinstance(dates.values.dtype, pl.Datetime) and (dates.values.dt.time() == time()).all():
        dates.values = dates.values.dt.date()
        dates.format = dates.format.partition(" %H")[0]
    column = Column(raw.name, dates.values.alias(raw.name), _type_of(dates.values), dates=dates)
    return column if _settle(column, texts) else None


def _booleans(raw: pl.Series) -> Column | None:
    spelled = raw.drop_nulls().unique()
    meaning = {
        text: plain in TRUE for text in spelled.to_list() if (plain := text.strip(_SPACES).lower()) in TRUE | FALSE
    }
    values = raw.replace_strict(meaning, default=None, return_dtype=pl.Boolean)
    column = Column(raw.name, values.alias(raw.name), ColumnType.BOOLEAN)
    good = bool(meaning) and _settle(column, raw.str.strip_chars(_SPACES))
    return column if good and column.unreadable is None else None


def _times(raw: pl.Series) -> Column | None:
    texts = raw.str.strip_chars(_SPACES)
    column = Column(raw.name, read_times(texts).alias(raw.name), ColumnType.TIME)
    return column if _settle(column, texts) else None


def _settle(column: Column, texts: pl.Series) -> bool:
    """Tell cells without a value apart into spellings of null and unreadable ones; False: too many are unreadable."""
    left = column.values.is_null() & texts.is_not_null() & (texts.str.len_bytes() > 0)
    if column.other_unit_rows is not None:
        left &= ~column.other_unit_rows
    count = int(left.sum())
    readable = len(texts) - column.values.null_count()
    if not readable:
        return False
    if not count:
        return True
    lower = texts.filter(left).str.to_lowercase()
    null = lower.is_in(NULLS)
    spelled = texts.filter(left).filter(null).value_counts(sort=True)
    column.nulls = {str(text): int(number) for text, number in spelled.iter_rows()}
    wrong = count - int(null.sum())
    if wrong:
        rows = left.arg_true().filter(~null)
        column.unreadable = pl.Series([False]).new_from_index(0, len(texts)).scatter(rows, True)
        column.unreadable_examples = texts.gather(rows.head(3)).to_list()
    return readable >= _TYPED_SHARE_MIN * (readable + wrong)


def _finish_text(raw: pl.Series) -> Column:
    """Keep a column as texts, as they stand, but for those that say that there is none."""
    column = Column(raw.name, raw, ColumnType.TEXT)
    spelled = raw.drop_nulls().unique()
    bare = spelled.str.strip_chars(_SPACES)
    absent = bare.str.to_lowercase().is_in(TEXT_NULLS)
    if (bare == "NA").any() and not _has_codes_of_two(raw):
        absent |= bare == "NA"
    if absent.any():
        counts = raw.filter(raw.is_in(spelled.filter(absent).implode()).fill_null(False)).value_counts(sort=True)
        column.nulls = {str(text).strip(_SPACES): int(number) for text, number in counts.iter_rows()}
    gone = spelled.filter(absent | (bare == ""))
    if len(gone):
        column.values = raw.set(raw.is_in(gone.implode()).fill_null(False), None)
    if column.values.null_count() == len(raw):
        column.type = ColumnType.EMPTY
    return column


def _has_codes_of_two(texts: pl.Series) -> bool:
    """Tell whether `NA` stands among codes of its kind (countries, continents): then it is one of them."""
    others = texts.filter((texts != "NA").fill_null(False)).head(1_000)
    return int(others.str.contains(r"^[A-Z]{2}$").sum()) * 2 > len(others)
