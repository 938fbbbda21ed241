"""Plants faults in clean tables, and writes them as files of several formats, encodings and locales, with the truth."""

import io
import json
import random as randomness
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl
import xlsxwriter

from schema.contracts.insights import Finding, FindingKind
from tests.support.data_domains import DOMAINS, GERMAN, Clean, Field

TABLES = 30
AS_OF = date(2026, 1, 1)


@dataclass(frozen=True)
class Truth:
    """One thing that is to be found, or may be."""

    kind: FindingKind
    columns: frozenset[str] = frozenset()
    rows: frozenset[int] = frozenset()
    """Indices of rows; empty: which rows is not asked."""


@dataclass(frozen=True)
class Locale:
    """How a file is written."""

    name: str
    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    dates: str = "%Y-%m-%d"
    german: bool = False
    encoding: str = "utf-8"
    units: str = "header"
    """Where units stand: `header`, `cells` or `none`."""


LOCALES = (
    Locale("iso"),
    Locale("us", dates="%m/%d/%Y", thousands=","),
    Locale("uk", dates="%d/%m/%Y", units="cells"),
    Locale("german", ";", ",", ".", "%d.%m.%Y", german=True, encoding="cp1252"),
    Locale("german utf-8", ";", ",", ".", "%d.%m.%Y", german=True, units="cells"),
    Locale("swiss", ";", ".", "'", "%d.%m.%Y", german=True, encoding="utf-8-sig"),
    Locale("french", "\t", ",", "\u202f", "%d/%m/%Y", encoding="utf-16"),
    Locale("worded", dates="%d %b %Y", encoding="latin-1"),
)
FORMATS = ("csv", "csv", "csv", "csv", "xlsx", "json", "ndjson", "parquet")


@dataclass
class Planted:
    """A file, and what is true of it."""

    number: int
    filename: str
    data: bytes
    locale: Locale
    fields: list[Field]
    expected: list[Truth]
    allowed: list[Truth]
    """What may be found, too: it follows from what was planted."""
    first_row: int = 2
    """Number of the first row in the file."""
    rows: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """Column's name in the file -> its plain name."""
    empty: frozenset[int] = frozenset()


@dataclass
class Ground:
    """A table that is being planted on. Cells are values, or `Raw` texts."""

    clean: Clean
    random: Random
    columns: dict[str, list[Any]]
    kinds: dict[str, Field]
    expected: list[Truth] = field(default_factory=list)
    allowed: list[Truth] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    empty_rows: list[int] = field(default_factory=list)

    @property
    def height(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    def free(self, *kinds: str) -> str | None:
        """Choose a column of some kinds in which nothing is planted yet."""
        names = [name for name, each in self.kinds.items() if each.kind in kinds and name not in self.touched]
        if not names:
            return None
        name = self.random.choice(names)
        self.touched.add(name)
        return name

    def some_rows(self, low: int, high: int) -> list[int]:
        """Choose a few rows."""
        return sorted(self.random.sample(range(3, self.height), self.random.randint(low, high)))

    def expect(self, kind: FindingKind, *columns: str, rows: list[int] | None = None) -> None:
        """Note what is to be found."""
        self.expected.append(Truth(kind, frozenset(columns), frozenset(rows or ())))

    def allow(self, kind: FindingKind, *columns: str) -> None:
        """Note what may be found."""
        self.allowed.append(Truth(kind, frozenset(columns)))


class Raw(str):
    """A cell as it is to be written, whatever the locale."""


@dataclass(frozen=True)
class InUnit:
    """A number that is written with its unit in the cell."""

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value} {self.unit}"


def missing(ground: Ground) -> None:
    name = ground.free("measure", "category", "percent", "text")
    if name:
        rows = ground.some_rows(max(3, ground.height // 25), ground.height // 6)
        spelling = ground.random.choice(["", "", "n/a", "NULL", "-"])
        for row in rows:
            ground.columns[name][row] = Raw(spelling) if spelling else None
        ground.expect(FindingKind.MISSING_VALUES, name, rows=rows)


def outliers(ground: Ground) -> None:
    name = ground.free("measure", "money")
    if name:
        rows = ground.some_rows(1, 4)
        for row in rows:
            value = ground.columns[name][row]
            decimals = ground.kinds[name].decimals
            ground.columns[name][row] = round(float(value) * ground.random.uniform(9, 20) + 50, decimals)
        ground.expect(FindingKind.OUTLIERS, name, rows=rows)
        ground.allow(FindingKind.TIME_SPIKE, name)


def negative(ground: Ground) -> None:
    name = ground.free("age", "count", "money")
    if name and min(value for value in ground.columns[name] if value is not None) >= 0:
        rows = ground.some_rows(1, 3)
        for row in rows:
            ground.columns[name][row] = -abs(ground.columns[name][row]) - 1
        ground.expect(FindingKind.IMPOSSIBLE_VALUES, name, rows=rows)
        ground.allow(FindingKind.OUTLIERS, name)
        ground.allow(FindingKind.TIME_SPIKE, name)


def percentage(ground: Ground) -> None:
    name = ground.free("percent")
    if name:
        rows = ground.some_rows(1, 3)
        for row in rows:
            ground.columns[name][row] = round(ground.random.choice([-1, 1]) * ground.random.uniform(110, 180), 1)
        ground.expect(FindingKind.IMPOSSIBLE_VALUES, name, rows=rows)
        ground.allow(FindingKind.OUTLIERS, name)
        ground.allow(FindingKind.TIME_SPIKE, name)


def coordinate(ground: Ground) -> None:
    name = ground.free("lat")
    if name:
        rows = ground.some_rows(1, 3)
        for row in rows:
            ground.columns[name][row] = round(ground.random.uniform(91, 180), 4)
        ground.expect(FindingKind.IMPOSSIBLE_VALUES, name, rows=rows)


def future(ground: Ground) -> None:
    name = ground.free("date")
    if name and not ground.clean.series:
        rows = ground.some_rows(1, 2)
        for row in rows:
            ground.columns[name][row] = ground.random.choice([date(2090, 5, 17), date(1900, 1, 1)])
        ground.expect(FindingKind.IMPOSSIBLE_VALUES, name, rows=rows)
        ground.allow(FindingKind.ORDER_OF_DATES, name)


def dates_swapped(ground: Ground) -> None:
    pairs = [("Admitted", "Discharged"), ("Shipped", "Delivered")]
    for first, second in pairs:
        names = [name for name in ground.columns if name in (first, second, GERMAN[first], GERMAN[second])]
        if len(names) == 2 and not set(names) & ground.touched:
            rows = ground.some_rows(2, 5)
            for row in rows:
                start = ground.columns[names[0]][row]
                ground.columns[names[1]][row] = start - timedelta(days=ground.random.randint(3, 30))
            ground.touched |= set(names)
            ground.expect(FindingKind.ORDER_OF_DATES, *names, rows=rows)


def mixed_types(ground: Ground) -> None:
    name = ground.free("measure", "money", "count")
    if name:
        rows = ground.some_rows(2, 5)
        for row in rows:
            ground.columns[name][row] = Raw(ground.random.choice(["tbd", "see note", "unclear", "pending review"]))
        ground.expect(FindingKind.MIXED_TYPES, name, rows=rows)
        ground.allow(FindingKind.TIME_GAP)


def spellings(ground: Ground) -> None:
    name = ground.free("category")
    if name:
        counts: dict[str, int] = {}
        for value in ground.columns[name]:
            counts[value] = counts.get(value, 0) + 1
        value = max((each for each in counts if len(each) > 3), key=lambda each: counts[each], default=None)
        if value is None:
            return
        rows = [row for row in ground.some_rows(12, 30) if ground.columns[name][row] == value][:6]
        for row in rows:
            ground.columns[name][row] = ground.random.choice([value.upper(), value.lower() + " ", f" {value}"])
        if rows:
            ground.expect(FindingKind.SPELLINGS, name, rows=rows)
            for pair in ground.clean.decides:
                ground.allow(FindingKind.DEPENDENCY, *pair)


def duplicates(ground: Ground) -> None:
    if ground.clean.series:
        return
    sources = ground.some_rows(2, 6)
    start = ground.height
    for row in sources:
        for values in ground.columns.values():
            values.append(values[row])
    rows = list(range(start, ground.height))
    ground.expect(FindingKind.DUPLICATE_ROWS, rows=rows)
    for name in ground.clean.keys:
        ground.allowed.append(Truth(FindingKind.DUPLICATE_KEYS, frozenset((name,))))
    ground.expected = [each for each in ground.expected if each.kind != FindingKind.CANDIDATE_KEY]


def duplicate_key(ground: Ground) -> None:
    name = ground.free("id")
    if name:
        rows = ground.some_rows(2, 4)
        for row in rows:
            ground.columns[name][row] = ground.columns[name][row - 2]
        rows = [row for row in rows if ground.columns[name].index(ground.columns[name][row]) != row]
        ground.expect(FindingKind.DUPLICATE_KEYS, name, rows=rows)
        ground.expected = [each for each in ground.expected if each.kind != FindingKind.CANDIDATE_KEY]


def gap(ground: Ground) -> None:
    if ground.clean.series:
        at, length = ground.random.randint(20, ground.height - 30), ground.random.randint(3, 9)
        for values in ground.columns.values():
            del values[at : at + length]
        ground.expect(FindingKind.TIME_GAP, ground.clean.series[0])


def spike(ground: Ground) -> None:
    if ground.clean.series:
        axis, measures = ground.clean.series
        for name in measures:
            if name not in ground.touched:
                ground.touched.add(name)
                row = ground.random.randint(15, ground.height - 15)
                values = [float(value) for value in ground.columns[name]]
                mean = sum(values) / len(values)
                spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
                decimals = ground.kinds[name].decimals
                value = round(mean + ground.random.uniform(11, 18) * spread, decimals)
                ground.columns[name][row] = value if decimals else int(value)
                ground.expect(FindingKind.TIME_SPIKE, axis, name, rows=[row])
                ground.allow(FindingKind.OUTLIERS, name)
                return


def shift(ground: Ground) -> None:
    if ground.clean.series:
        axis, measures = ground.clean.series
        for name in reversed(measures):
            if name not in ground.touched:
                ground.touched.add(name)
                at = ground.random.randint(ground.height // 3, 2 * ground.height // 3)
                values = [float(value) for value in ground.columns[name]]
                mean = sum(values) / len(values)
                spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
                decimals = ground.kinds[name].decimals
                moved = [value + (7 * spread if row >= at else 0) for row, value in enumerate(values)]
                ground.columns[name] = [round(value, decimals) if decimals else round(value) for value in moved]
                ground.expect(FindingKind.LEVEL_SHIFT, axis, name)
                ground.allow(FindingKind.DRIFT, name)
                ground.allow(FindingKind.OUTLIERS, name)
                ground.allow(FindingKind.CORRELATION, name)
                return


def drifting(ground: Ground) -> None:
    if not ground.clean.series:
        name = ground.free("measure")
        if name and not any(name in pair for pair in ground.clean.related):
            values = ground.columns[name]
            known = [float(value) for value in values if value is not None]
            mean = sum(known) / len(known)
            spread = (sum((value - mean) ** 2 for value in known) / len(known)) ** 0.5
            decimals = ground.kinds[name].decimals
            later = _later_rows(ground)
            ground.columns[name] = [
                round(value + 2.2 * spread, decimals) if row in later else value for row, value in enumerate(values)
            ]
            ground.expect(FindingKind.DRIFT, name)


def _later_rows(ground: Ground) -> set[int]:
    """Return the rows of the later half: by the first date, where there is one."""
    dates = next((ground.columns[name] for name, each in ground.kinds.items() if each.kind == "date"), None)
    order = sorted(range(ground.height), key=lambda row: dates[row]) if dates else list(range(ground.height))
    return set(order[ground.height // 2 :])


def constant(ground: Ground) -> None:
    ground.columns["Source system"] = ["ERP"] * ground.height
    ground.kinds["Source system"] = Field("Source system", "constant", [])
    ground.expect(FindingKind.CONSTANT_COLUMN, "Source system")


def empty_column(ground: Ground) -> None:
    ground.columns["Remarks"] = [None] * ground.height
    ground.kinds["Remarks"] = Field("Remarks", "empty", [])
    ground.expect(FindingKind.EMPTY_COLUMN, "Remarks")


def mojibake(ground: Ground) -> None:
    name = ground.free("category")
    if name:
        rows = [
            row for row in range(3, ground.height) if any(letter > "\x7f" for letter in str(ground.columns[name][row]))
        ]
        rows = rows[: ground.random.randint(2, 5)]
        for row in rows:
            ground.columns[name][row] = (
                ground.columns[name][row].encode().decode("cp1252", "replace").replace("\ufffd", "?")
            )
        if rows:
            ground.expect(FindingKind.ENCODING, name, rows=rows)
            for pair in ground.clean.decides:
                ground.allow(FindingKind.DEPENDENCY, *pair)
        else:
            ground.touched.discard(name)


def mixed_units(ground: Ground) -> None:
    name = next((name for name, each in ground.kinds.items() if each.unit == "kg" and name not in ground.touched), None)
    if name:
        ground.touched.add(name)
        rows = ground.some_rows(3, 6)
        for row in rows:
            ground.columns[name][row] = InUnit(int(ground.columns[name][row] * 1000), "g")
        for row in range(ground.height):
            if row not in rows and ground.columns[name][row] is not None:
                ground.columns[name][row] = InUnit(ground.columns[name][row], "kg")
        ground.expect(FindingKind.MIXED_UNITS, name, rows=rows)


def blank_rows(ground: Ground) -> None:
    """Last: what is planted before keeps its rows, shifted."""
    places = sorted(ground.random.sample(range(4, ground.height), ground.random.randint(1, 3)))
    for place in places:
        for values in ground.columns.values():
            values.insert(place, None)
        ground.expected = [_shifted(each, place) for each in ground.expected]
    ground.empty_rows = places
    ground.expect(FindingKind.EMPTY_ROWS, rows=places)


def _shifted(truth: Truth, place: int) -> Truth:
    return Truth(truth.kind, truth.columns, frozenset(row + (row >= place) for row in truth.rows))


PLANTERS: tuple[Callable[[Ground], None], ...] = (
    missing,
    outliers,
    negative,
    percentage,
    coordinate,
    future,
    dates_swapped,
    mixed_types,
    spellings,
    duplicates,
    duplicate_key,
    gap,
    spike,
    shift,
    drifting,
    constant,
    empty_column,
    mojibake,
    mixed_units,
)
_LAST = (gap, duplicates)
_TEXT_ONLY = (mixed_types, mixed_units)


def plant(seed: int, number: int) -> Planted:
    """Return one file, planted with four to seven faults."""
    random = Random(f"{seed}/{number}")
    domain = DOMAINS[number % len(DOMAINS)]
    kind = FORMATS[(number * 3 + seed) % len(FORMATS)]
    locale = random.choice(LOCALES) if kind == "csv" else LOCALES[0]
    german = locale.german
    clean = domain(random, random.randint(160, 420), (lambda name: GERMAN[name]) if german else (lambda name: name))
    ground = Ground(
        clean,
        random,
        {each.name: list(each.values) for each in clean.fields},
        {each.name: each for each in clean.fields},
    )
    for pair in clean.related:
        ground.expect(FindingKind.CORRELATION, *pair)
    for pair in clean.maybe_related:
        ground.allow(FindingKind.CORRELATION, *pair)
    for one, other in clean.decides:
        ground.expect(FindingKind.DEPENDENCY, one, other)
    ground.expect(FindingKind.CANDIDATE_KEY, *clean.keys)
    for name in clean.trending:
        ground.allow(FindingKind.DRIFT, name)
        ground.allow(FindingKind.LEVEL_SHIFT, name)
        ground.allow(FindingKind.TIME_SPIKE, name)
    chosen = [
        planter
        for planter in random.sample(PLANTERS, random.randint(6, 10))
        if kind != "parquet" or planter not in _TEXT_ONLY
    ]
    for planter in sorted(chosen, key=lambda each: each in _LAST):
        if planter is gap and spike in chosen and any(each.kind == FindingKind.TIME_SPIKE for each in ground.expected):
            continue
        if planter in _LAST and planter is gap and any(each.rows for each in ground.expected):
            continue
        planter(ground)
    if kind in ("csv", "xlsx") and random.random() < 0.4:
        blank_rows(ground)
    _settle(ground)
    return _written(ground, number, kind, locale)


def _settle(ground: Ground) -> None:
    """Take back what another plant has overlaid: a key that is broken, a dependency that a fault hides."""
    broken = {
        name
        for each in ground.expected
        if each.kind in (FindingKind.MISSING_VALUES, FindingKind.SPELLINGS, FindingKind.ENCODING)
        for name in each.columns
    }
    numbers = {
        name
        for each in ground.expected
        if each.kind in (FindingKind.OUTLIERS, FindingKind.IMPOSSIBLE_VALUES)
        for name in each.columns
    }
    kept = []
    for each in ground.expected:
        weakened = each.kind == FindingKind.DEPENDENCY and each.columns & broken
        weakened = weakened or (each.kind == FindingKind.CORRELATION and each.columns & numbers)
        if each.kind == FindingKind.CANDIDATE_KEY and ground.empty_rows:
            weakened = True
        if weakened:
            ground.allowed.append(Truth(each.kind, each.columns))
        else:
            kept.append(each)
    ground.expected = kept
    ground.allowed.append(Truth(FindingKind.CANDIDATE_KEY))


def _written(ground: Ground, number: int, kind: str, locale: Locale) -> Planted:
    units = locale.units if kind == "csv" else "header"
    headers = {
        name: f"{name} ({ground.kinds[name].unit})" if units == "header" and ground.kinds[name].unit else name
        for name in ground.columns
    }
    writer = {"csv": _csv, "xlsx": _xlsx, "json": _json, "ndjson": _ndjson, "parquet": _parquet}[kind]
    data = writer(ground, headers, locale)
    suffix = {"csv": "tsv" if locale.delimiter == "\t" else "csv"}.get(kind, kind)

    def renamed(truth: Truth) -> Truth:
        return Truth(truth.kind, frozenset(headers[name] for name in truth.columns), truth.rows)

    fields = [
        Field(headers[name], ground.kinds[name].kind, values, ground.kinds[name].unit, ground.kinds[name].decimals)
        for name, values in ground.columns.items()
    ]
    return Planted(
        number,
        f"{ground.clean.domain}-{number}.{suffix}",
        data,
        locale,
        fields,
        [renamed(each) for each in ground.expected],
        [renamed(each) for each in ground.allowed],
        2 if kind in ("csv", "xlsx") else 1,
        ground.height,
        {header: name for name, header in headers.items()},
        frozenset(ground.empty_rows),
    )


def shown(value: Any, each: Field, locale: Locale) -> str:
    """Write a value as its locale does."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, InUnit):
        return str(value).replace(".", locale.decimal)
    if isinstance(value, date):
        return value.strftime(locale.dates)
    text = f"{value:,.{each.decimals}f}" if each.kind != "id" else str(value)
    if each.kind == "id":
        return text
    whole, _, fraction = text.partition(".")
    text = whole.replace(",", locale.thousands) + (locale.decimal + fraction if fraction else "")
    return f"{text} {each.unit}" if locale.units == "cells" and each.unit else text


def _csv(ground: Ground, headers: dict[str, str], locale: Locale) -> bytes:
    out = io.StringIO()
    import csv

    writer = csv.writer(
        out, delimiter=locale.delimiter, lineterminator=randomness.Random(ground.height).choice(["\n", "\r\n"])
    )
    writer.writerow(headers.values())
    empty = set(ground.empty_rows)
    for row in range(ground.height):
        writer.writerow(
            []
            if row in empty
            else [_marked(shown(values[row], ground.kinds[name], locale)) for name, values in ground.columns.items()]
        )
    return out.getvalue().encode(locale.encoding, "replace")


def _marked(text: str) -> str:
    return re.sub("[\r\n]", " ", text)


def _xlsx(ground: Ground, headers: dict[str, str], locale: Locale) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("Data")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, headers.values())
    for column, values in enumerate(ground.columns.values()):
        for row, value in enumerate(values, 1):
            if isinstance(value, date):
                sheet.write_datetime(
                    row, column, __import__("datetime").datetime.combine(value, __import__("datetime").time()), day
                )
            elif value is not None and value != "":
                sheet.write(row, column, str(value) if isinstance(value, str | InUnit) else value)
    book.close()
    return out.getvalue()


def _records(ground: Ground, headers: dict[str, str]) -> list[dict[str, Any]]:
    def plain(value: Any) -> Any:
        return (
            value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, str | InUnit) else value
        )

    return [
        {headers[name]: plain(values[row]) for name, values in ground.columns.items()} for row in range(ground.height)
    ]


def _json(ground: Ground, headers: dict[str, str], locale: Locale) -> bytes:
    return json.dumps(_records(ground, headers), ensure_ascii=False).encode()


def _ndjson(ground: Ground, headers: dict[str, str], locale: Locale) -> bytes:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in _records(ground, headers)).encode()


def _parquet(ground: Ground, headers: dict[str, str], locale: Locale) -> bytes:
    out = io.BytesIO()
    series = []
    for name, values in ground.columns.items():
        plain = [None if isinstance(value, Raw) and value in ("", "n/a", "NULL", "-") else value for value in values]
        real = any(isinstance(value, float) for value in plain)
        series.append(
            pl.Series(headers[name], [float(value) if real and value is not None else value for value in plain])
        )
    pl.DataFrame(series).write_parquet(out)
    return out.getvalue()


@dataclass
class Score:
    """Findings of one file against the truth."""

    hits: list[Truth]
    missed: list[Truth]
    wrong: list[Finding]


def score(planted: Planted, findings: list[Finding]) -> Score:
    """Compare what was found with what was planted: same kind, same columns, and at least half of the rows."""
    open_truths = list(planted.expected)
    hits: list[Truth] = []
    wrong: list[Finding] = []
    for finding in findings:
        match = next((truth for truth in open_truths if _fits(truth, finding, planted)), None)
        if match is not None:
            hits.append(match)
            open_truths.remove(match)
        elif not any(_may(truth, finding) for truth in (*planted.allowed, *hits)):
            wrong.append(finding)
    return Score(hits, open_truths, wrong)


def _fits(truth: Truth, finding: Finding, planted: Planted) -> bool:
    if truth.kind != finding.kind or truth.columns != frozenset(finding.columns):
        return False
    rows = {row - planted.first_row for row in finding.rows}
    return not truth.rows or len(rows & truth.rows) * 2 >= min(len(truth.rows), 50)


def _may(truth: Truth, finding: Finding) -> bool:
    return truth.kind == finding.kind and (not truth.columns or bool(truth.columns & frozenset(finding.columns)))
