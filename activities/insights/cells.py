"""What a cell's text says, vectorised: spellings of null, numbers of every locale with their units, booleans. Pure."""

import re
from dataclasses import dataclass, field

import polars as pl

from activities.insights.units import dimension_of, unit_of
from schema.contracts.insights import Unit

NULLS = frozenset(
    [
        "n/a",
        "na",
        "#n/a",
        "#na",
        "n.a.",
        "n.a",
        "nan",
        "null",
        "(null)",
        "<null>",
        "<na>",
        "none",
        "nil",
        "-",
        "--",
        "---",
        "–",
        "—",
        "?",
        ".",
        "..",
        "…",
        "missing",
        "k.a.",
        "k.",
        "a.",
        "s/o",
        "nd",
        "n.d.",
        "#value!",
        "#div/0!",
        "#ref!",
        "#name?",
        "#num!",
        "#null!",
        "inf",
        "-inf",
        "infinity",
        "-infinity",
        "+inf",
        "undefined",
        "keine",
        "nicht",
        "verfügbar",
    ]
) | {"n / a", "k. a.", "not available", "no data", "not applicable", "keine angabe"}
"""In lower case: no value, in a column of numbers, dates or booleans."""
TEXT_NULLS = frozenset(
    ("n/a", "#n/a", "n.a.", "nan", "null", "(null)", "<null>", "<na>", "-", "--", "---", "–", "—", "k.a.", "k. a.")
) | {"#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!"}
"""The same in a column of texts, where `none`, `NA` or `missing` may be a value."""
TRUE = frozenset(
    ["true", "yes", "y", "t", "wahr", "ja", "j", "oui", "vrai", "si", "sí", "sì", "verdadero", "vero", "on", "✓", "☑"]
)
FALSE = frozenset(["false", "no", "n", "f", "falsch", "nein", "non", "faux", "falso", "off", "✗", "☐"])

_GAP = "[ \u00a0\u202f\u2009]"
_UNITS_MAX = 2_000
_NUMBER = re.compile(
    rf"^(\()?([+\-−–])?([^\d+\-−–().,'\s]{{1,4}}\.?)?{_GAP}?([+\-−–])?"
    rf"(\d[\d.,'’_ \u00a0\u202f\u2009]*|[.,]\d+)([eE][+\-]?\d{{1,3}})?{_GAP}?"
    r"([^\d\s+\-−–()][^+\-−–()]{0,11})?(-)?(\))?$"
)
"""open, sign, unit before, sign, digits, exponent, unit behind, trailing minus, close."""
_PATTERN = _NUMBER.pattern
_GROUP = "['’_ \u00a0\u202f\u2009]"
_BY_GAPS = rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+"
_BY_COMMAS, _BY_DOTS = r"\d{1,3}(?:,\d{3})+", r"\d{1,3}(?:\.\d{3})+"
_INDIAN = r"\d{1,2}(?:,\d{2})+,\d{3}"
_DOT = rf"^(?:\d+\.?\d*|(?:{_BY_COMMAS}|{_INDIAN}|{_BY_GAPS})(?:\.\d*)?|\.\d+)$"
_COMMA = rf"^(?:\d+,?\d*|(?:{_BY_DOTS}|{_BY_GAPS})(?:,\d*)?|,\d+)$"
_SAYS_COMMA = (
    rf"^(?:{_BY_DOTS},\d+|\d{{1,3}}(?:\.\d{{3}}){{2,}}|(?:\d+|{_BY_GAPS}),(?:\d{{1,2}}|\d{{4,}})|0,\d+|\d{{4,}},\d+"
    rf"|{_BY_GAPS},\d+)$"
)
_SAYS_DOT = (
    rf"^(?:{_BY_COMMAS}\.\d+|\d{{1,3}}(?:,\d{{3}}){{2,}}|(?:\d+|{_BY_GAPS})\.(?:\d{{1,2}}|\d{{4,}})|0\.\d+|\d{{4,}}\.\d+"
    rf"|{_BY_GAPS}\.\d+)$"
)
_LEADING_ZERO = r"^[+\-]?0\d"
MOJIBAKE = "[ÃÂÐÑ][\u0080-\u00bf€ŠŒŽšœžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›™]|â€|ï»¿|\ufffd"
"""Letters as they come of UTF-8 read as Windows-1252 or Latin-1, and the replacement character."""


@dataclass(frozen=True)
class Locale:
    """How the numbers of a file are written, as far as the whole file tells."""

    comma: int = 0
    """Cells that can only have a decimal comma."""
    dot: int = 0
    semicolons: bool = False
    """Fields are separated by `;`, as where the comma is taken."""

    @property
    def decimal_comma(self) -> bool:
        """Tell what an undecided number is read as."""
        return self.comma > self.dot or (self.comma == self.dot and self.semicolons)


@dataclass
class Numbers:
    """A column read as numbers."""

    values: pl.Series
    """Float64 or Int64; null where a cell is none."""
    decimal_comma: bool = False
    thousands: str | None = None
    unit: Unit | None = None
    other_units: dict[str, int] = field(default_factory=dict)
    """Symbols beside the commonest, with how many cells have them."""
    other_unit_rows: pl.Series | None = None
    """True where a cell is in one of them."""


def parts(texts: pl.Series) -> pl.DataFrame:
    """Split texts into the parts of a number; all null where a text has not the form of one."""
    groups = texts.str.extract_groups(_PATTERN).struct.unnest()
    groups.columns = ["open", "sign", "before", "inner", "digits", "exponent", "behind", "minus", "close"]
    return groups.with_columns(pl.col("digits").str.strip_chars(" \u00a0\u202f\u2009"))


def evidence(texts: pl.Series) -> tuple[int, int]:
    """Count the cells that can only have a decimal comma, and those that can only have a decimal point."""
    digits = parts(texts)["digits"]
    return int(digits.str.contains(_SAYS_COMMA).sum() or 0), int(digits.str.contains(_SAYS_DOT).sum() or 0)


def plain_numbers(texts: pl.Series) -> pl.Series | None:
    """Return a column of plain numbers (`-12`, `3.5`, `1e5`) with nothing else in it; None: it is none."""
    whole = texts.cast(pl.Int64, strict=False)
    if whole.null_count() == texts.null_count():
        return whole
    real = texts.cast(pl.Float64, strict=False)
    return real if real.null_count() == texts.null_count() and real.is_finite().all() else None


def has_leading_zeros(texts: pl.Series) -> bool:
    """Tell whether a text is digits that begin with a zero: a code, not a number."""
    return bool(texts.str.contains(_LEADING_ZERO).any())


def read_numbers(texts: pl.Series, locale: Locale) -> Numbers:
    """Read a column as numbers, in the locale that its own cells show, or else the file's."""
    found = parts(texts)
    comma = int(found["digits"].str.contains(_SAYS_COMMA).sum() or 0)
    dot = int(found["digits"].str.contains(_SAYS_DOT).sum() or 0)
    decimal_comma = comma > dot or (comma == dot and locale.decimal_comma)
    digits = pl.col("digits")
    own = _COMMA if decimal_comma else _DOT
    as_own = _plain(digits, "," if decimal_comma else ".")
    # A cell of the other form is read where it can be nothing else.
    decided = _SAYS_DOT if decimal_comma else _SAYS_COMMA
    as_other = _plain(digits, "." if decimal_comma else ",")
    negative = (
        pl.col("sign").is_in(["-", "−", "–"])
        | pl.col("inner").is_in(["-", "−", "–"])
        | pl.col("minus").is_not_null()
        | (pl.col("open").is_not_null() & pl.col("close").is_not_null())
    )
    number = (
        pl.when(digits.str.contains(own)).then(as_own).when(digits.str.contains(decided)).then(as_other)
        + pl.col("exponent").fill_null("")
    ).cast(pl.Float64, strict=False)
    frame = found.select(
        number=pl.when(negative.fill_null(False)).then(-number).otherwise(number),
        before=pl.col("before").str.strip_chars(),
        behind=pl.col("behind").str.strip_chars(),
        digits=digits,
    )
    return _with_units(frame, decimal_comma)


def _plain(digits: pl.Expr, decimal: str) -> pl.Expr:
    bare = digits.str.replace_all(rf"[{',' if decimal == '.' else '.'}'’_ \u00a0\u202f\u2009]", "")
    return bare if decimal == "." else bare.str.replace(",", ".", literal=True)


def _with_units(frame: pl.DataFrame, decimal_comma: bool) -> Numbers:
    """Look the texts beside the numbers up; a number with an unknown one is no number."""
    known: dict[str, Unit] = {}
    number, symbols = pl.col("number"), []
    for side in ("behind", "before"):
        found_here: dict[str, str] = {}
        for text in frame[side].drop_nulls().unique().head(_UNITS_MAX).to_list():
            unit = unit_of(text, "cells")
            # Only money stands before its number: `K 001` is a code.
            if unit is not None and (side == "behind" or unit.kind == "currency"):
                known[text], found_here[text] = unit, unit.symbol
        symbol = pl.col(side).replace_strict(found_here, default=None, return_dtype=pl.String)
        number = pl.when(pl.col(side).is_not_null() & symbol.is_null()).then(None).otherwise(number)
        symbols.append(symbol)
    found = frame.select(number=number, symbol=pl.coalesce(symbols), digits=pl.col("digits"))
    values = found["number"]
    numbers = Numbers(values, decimal_comma)
    numbers.thousands = _thousands(found.filter(values.is_not_null())["digits"], "," if decimal_comma else ".")
    counts = found.filter(pl.col("number").is_not_null())["symbol"].drop_nulls().value_counts(sort=True)
    if counts.height:
        symbol = counts["symbol"][0]
        numbers.unit = next(unit for unit in known.values() if unit.symbol == symbol)
        dimensions = {dimension_of(unit) for unit in known.values() if unit.symbol in set(counts["symbol"])}
        if len(dimensions) > 1 and "percent" not in dimensions:
            # `7A`, `7B`: names of classes, no amperes and bytes.
            numbers.values = pl.Series([None] * len(values), dtype=pl.Float64)
            return numbers
        numbers.other_units = dict(counts.slice(1).iter_rows())
        if numbers.other_units:
            numbers.other_unit_rows = (found["symbol"] != symbol).fill_null(False)
            numbers.values = values.set(numbers.other_unit_rows, None)
    # `12.00` was written with decimals on purpose: only what has none is whole.
    decimals = found["digits"].str.contains("," if decimal_comma else r"\.", literal=False).any()
    if not decimals and numbers.values.abs().max() is not None and _is_whole(numbers.values):
        numbers.values = numbers.values.cast(pl.Int64, strict=False)
    return numbers


def _is_whole(values: pl.Series) -> bool:
    return bool(((values.floor() == values) & (values.abs() < 2**53)).all())


def _thousands(digits: pl.Series, decimal: str) -> str | None:
    """Return the separator of thousands that is used most."""
    digits = digits.str.replace(rf"[{decimal}]\d*$", "")
    grouped = digits.filter(digits.str.contains(r"^\d{1,3}([.,'’_ \u00a0\u202f\u2009])\d{3}(?:\D|$)").fill_null(False))
    marks = grouped.str.extract(r"^\d{1,3}(\D)")
    several = grouped.str.contains(r"^\d{1,3}(\D\d{3})+(?:[.,]\d+)?$")
    counts = marks.filter(several.fill_null(False)).drop_nulls().value_counts(sort=True)
    return counts[counts.columns[0]][0] if counts.height else None
