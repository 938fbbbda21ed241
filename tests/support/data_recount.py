"""Recounts what sentences about a table say, in plain Python, from the file itself: no code of the product, no Polars.

(Parquet alone cannot be opened without it.) A sentence's numbers are read out of its words, not out of the insight's
list.
"""

import csv
import io
import json
import math
import re
import zipfile
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import polars as pl

from tests.support.data_planting import Planted

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-?\d+(?:\.\d+)?")
_MONTH = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")
NULLS = {"", "n/a", "NULL", "-"}


def read(planted: Planted) -> dict[str, list[Any]]:
    """Read a file's columns, as values of Python; what is not of a column's kind is None."""
    rows = {"csv": _csv, "tsv": _csv, "json": _json, "ndjson": _ndjson, "xlsx": _xlsx, "parquet": _parquet}[
        planted.filename.rsplit(".", 1)[1]
    ](planted)
    columns: dict[str, list[Any]] = {}
    for number, each in enumerate(planted.fields):
        cells = [row[number] if number < len(row) else None for row in rows]
        columns[each.name] = [_value(cell, each.kind, each.unit, planted) for cell in cells]
    return columns


def _csv(planted: Planted) -> list[list[Any]]:
    text = planted.data.decode(planted.locale.encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=planted.locale.delimiter))[1:]


def _json(planted: Planted) -> list[list[Any]]:
    return [list(record.values()) for record in json.loads(planted.data)]


def _ndjson(planted: Planted) -> list[list[Any]]:
    return [list(json.loads(line).values()) for line in planted.data.decode().splitlines()]


def _parquet(planted: Planted) -> list[list[Any]]:
    return [list(row) for row in pl.read_parquet(io.BytesIO(planted.data)).rows()]


def _xlsx(planted: Planted) -> list[list[Any]]:
    with zipfile.ZipFile(io.BytesIO(planted.data)) as book:
        strings = [
            "".join(part.text or "" for part in item.iter(f"{_NS}t"))
            for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    found: dict[int, dict[int, Any]] = defaultdict(dict)
    for cell in sheet.iter(f"{_NS}c"):
        letters, row = re.fullmatch(r"([A-Z]+)(\d+)", cell.get("r") or "").groups()  # type: ignore[union-attr]
        column = 0
        for letter in letters:
            column = column * 26 + ord(letter) - 64
        value = cell.find(f"{_NS}v")
        if value is not None and value.text is not None:
            text = strings[int(value.text)] if cell.get("t") == "s" else value.text
            found[int(row)][column - 1] = text if cell.get("t") == "s" else float(text)
    width = len(planted.fields)
    return [[found[row].get(column) for column in range(width)] for row in range(2, planted.rows + 2)]


def _value(cell: Any, kind: str, unit: str | None, planted: Planted) -> Any:
    if cell is None or (isinstance(cell, str) and cell.strip() in NULLS):
        return None
    if kind in ("id", "category", "text", "constant", "empty"):
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return str(cell)
    if kind == "date":
        return _day(cell, planted)
    if isinstance(cell, int | float):
        return float(cell)
    locale = planted.locale
    text = cell.strip()
    if unit and text.endswith(" " + unit):
        text = text[: -len(unit) - 1]
    elif re.fullmatch(r"[\d.,'\u202f]+ \S+", text):
        return None
    text = text.replace(locale.thousands, "") if locale.thousands else text
    text = text.replace(locale.decimal, ".")
    try:
        return float(text)
    except ValueError:
        return None


def _day(cell: Any, planted: Planted) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, float):
        return date(1899, 12, 30) + timedelta(days=int(cell))
    for form in (planted.locale.dates, "%Y-%m-%d"):
        try:
            return datetime.strptime(cell, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def numbers_in(sentence: str) -> list[str]:
    """Return the numbers that a sentence shows, but for those in names and dates."""
    bare = re.sub("“[^”]*”", " ", sentence)
    bare = _MONTH.sub(" ", bare)
    bare = re.sub(r"\bin (?:19|20)\d\d\b", " ", bare)
    return _NUMBER.findall(bare)


def names_in(sentence: str, columns: list[str]) -> list[str]:
    """Return what a sentence quotes besides columns."""
    squeezed = {" ".join(column.split()) for column in columns}
    return [each for each in re.findall("“([^”]*)”", sentence) if each not in squeezed]


def agrees(shown: str, value: float, *, scale: float = 1.0) -> bool:
    """Tell whether a number in a sentence is a value, rounded to the digits that it shows and to no fewer than
    promised."""
    digits = shown.replace(",", "")
    decimals = len(digits.partition(".")[2])
    exact = value * scale
    near = abs(float(digits) - exact) <= 0.5 * 10**-decimals + 1e-9 * max(1.0, abs(exact))
    significant = len(digits.lstrip("-").replace(".", "").lstrip("0"))
    promised = abs(exact) >= 999.5 or significant >= 4 or float(digits) == round(exact, 6) or decimals >= 1
    return near and (promised or math.isclose(float(digits), exact, rel_tol=2e-3))


def fault(insight: Any, planted: Planted, columns: dict[str, list[Any]]) -> str | None:
    """Return what is wrong in a sentence; None: every number in it, and who is named, is right."""
    shown = numbers_in(insight.sentence)
    names = names_in(insight.sentence, list(columns))
    wanted = _EXPECTED[insight.kind.value](insight, columns, names)
    if isinstance(wanted, str):
        return wanted
    if len(shown) != len(wanted):
        return f"shows {shown}, and {len(wanted)} were to be told"
    for text, (value, scale) in zip(shown, wanted, strict=True):
        if not agrees(text, value, scale=scale):
            return f"shows {text} for {value * scale!r}"
    return None


def _known(values: list[Any]) -> list[float]:
    return [value for value in values if value is not None]


def _quantile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * part
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _sums(insight: Any, columns: dict[str, list[Any]]) -> dict[str, list[float]]:
    group, measure = insight.columns
    found: dict[str, list[float]] = defaultdict(list)
    for name, value in zip(columns[group], columns[measure], strict=True):
        if name is not None and value is not None:
            found[name].append(value)
    return found


def _total(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    values = _known(columns[insight.columns[0]])
    return [(math.fsum(values), 1), (len(values), 1), (math.fsum(values) / len(values), 1)]


def _spread(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    values = _known(columns[insight.columns[0]])
    return [(_quantile(values, part), 1) for part in (0.25, 0.75, 0.5)] + [(max(values), 1)]


def _commonest(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    counts = Counter(_known(columns[insight.columns[0]]))
    count = counts.most_common(1)[0][1]
    if count not in (number for value, number in counts.items() if " ".join(str(value).split()) == names[0]):
        return f"{names[0]} is not the commonest"
    return [(count, 1), (count / sum(counts.values()), 100)]


def _extreme(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    sums = {name: math.fsum(values) for name, values in _sums(insight, columns).items()}
    choose = max if insight.kind.value == "largest_group" else min
    name = choose(sums, key=lambda each: sums[each])
    if " ".join(name.split()) != names[0]:
        return f"{names[0]} is not {insight.kind.value}, {name} is"
    whole = math.fsum(_known(columns[insight.columns[1]]))
    return [(sums[name], 1), (sums[name] / whole, 100)]


def _mean(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    means = {
        name: (math.fsum(values) / len(values), len(values))
        for name, values in _sums(insight, columns).items()
        if len(values) >= 3
    }
    high, low = max(means, key=lambda each: means[each][0]), min(means, key=lambda each: means[each][0])
    if [" ".join(high.split()), " ".join(low.split())] != names:
        return f"{names} are not the extremes"
    return [(means[high][0], 1), (means[high][1], 1), (means[low][0], 1)]


def _concentration(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    sums = sorted((math.fsum(values) for values in _sums(insight, columns).values()), reverse=True)
    return [(5, 1), (len(sums), 1), (math.fsum(sums[:5]) / math.fsum(_known(columns[insight.columns[1]])), 100)]


def _periods(insight: Any, columns: dict[str, list[Any]]) -> dict[str, float]:
    axis, measure = insight.columns
    word = re.search(r"The (sum|mean) of .* per (year|month|week|day) ", insight.sentence)
    assert word is not None
    found: dict[str, list[float]] = defaultdict(list)
    for day, value in zip(columns[axis], columns[measure], strict=True):
        if day is not None and value is not None:
            start = day - timedelta(days=day.weekday()) if word[2] == "week" else day
            found[start.isoformat()[: {"year": 4, "month": 7}.get(word[2], 10)]].append(value)
    return {period: math.fsum(values) / (len(values) if word[1] == "mean" else 1) for period, values in found.items()}


def _told_periods(sentence: str) -> list[str]:
    return re.findall(r"\b\d{4}-\d{2}(?:-\d{2})?\b|(?<=in )(?:19|20)\d\d\b", re.sub("“[^”]*”", " ", sentence))


def _trend(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    periods = _periods(insight, columns)
    first, last = _told_periods(insight.sentence)
    if ("rose" in insight.sentence) != (periods[last] > periods[first]) or first >= last:
        return "the direction is wrong"
    return [(periods[first], 1), (periods[last], 1)]


def _peak(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    periods = _periods(insight, columns)
    (told,) = _told_periods(insight.sentence)
    if periods[told] < max(periods.values()) - 1e-9:
        # Incomplete periods at the ends are left out.
        better = [period for period in periods if periods[period] > periods[told] + 1e-9]
        if not set(better) <= {min(periods), max(periods)}:
            return f"{told} is not the peak"
    return [(periods[told], 1)]


def _correlation(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    pairs = [
        (x, y)
        for x, y in zip(*(columns[name] for name in insight.columns), strict=True)
        if x is not None and y is not None
    ]
    mean_x, mean_y = (math.fsum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1))
    top = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    bottom = math.sqrt(math.fsum((x - mean_x) ** 2 for x, _ in pairs) * math.fsum((y - mean_y) ** 2 for _, y in pairs))
    return [(top / bottom, 1), (len(pairs), 1)]


def _missing(insight: Any, columns: dict[str, list[Any]], names: list[str]) -> Any:
    values = columns[insight.columns[0]]
    count = sum(1 for value in values if value is None)
    return [(count, 1), (count / len(values), 100)]


_EXPECTED = {
    "total": _total, "spread": _spread, "commonest": _commonest, "largest_group": _extreme, "smallest_group": _extreme,
    "highest_mean": _mean, "concentration": _concentration, "trend": _trend, "peak": _peak, "correlation": _correlation,
    "missing": _missing,
}  # fmt: skip
