"""What a figure's numbers say in a line, and the numbers themselves out of its specification."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from activities.deliverables.deck.sections import clean
from schema.contracts.deliverables import Figure, Grid, Statement

Points = list[dict[str, Any]]
POINTS_MAX = 2_000


@dataclass(frozen=True)
class Axes:
    """What a chart's axes are called."""

    x: str
    y: str


def points_of(figure: Figure) -> Points:
    """Return a figure's data: `x`, `y` (lines, bars, dots), `from`, `to`, `y` (histograms), or boxes' figures."""
    data = figure.spec.get("data")
    values = data.get("values") if isinstance(data, dict) else None
    points = [point for point in values if isinstance(point, dict)] if isinstance(values, list) else []
    needed = {"histogram": ("from", "to", "y"), "box": ("x", "low", "q1", "median", "q3", "high")}
    fields = needed.get(figure.kind, ("x", "y"))
    numbers = fields if figure.kind in ("histogram", "scatter") else fields[1:]
    whole = [
        point for point in points
        if all(field in point for field in fields) and all(_is_number(point[field]) for field in numbers)
    ]  # fmt: skip
    return whole[:POINTS_MAX]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def axes_of(figure: Figure) -> Axes:
    """Return the names of the axes, as the specification has them; a lying bar's names stand on its y."""
    encoding = figure.spec.get("encoding")
    names = dict[str, str]()
    if isinstance(encoding, dict):
        for axis in ("x", "y"):
            channel = encoding.get(axis)
            if isinstance(channel, dict):
                names[axis] = clean(str(channel.get("title") or ""))[:60]
    return Axes(names.get("x", ""), names.get("y", ""))


def number_text(value: float) -> str:
    """Return a number as a reader wants it: 1,234; 12.3; 0.0421; 1.2 million."""
    size = abs(value)
    for limit, word in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if size >= limit:
            return f"{value / limit:,.2f}".rstrip("0").rstrip(".") + word
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:,.1f}" if size >= 10 else f"{value:.3g}"


def when_of(value: object) -> date | None:
    """Return a point's date; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).date()
    except ValueError:
        return None


def _name(value: object) -> str:
    moment = when_of(value)
    if moment is not None:
        return f"{moment:%b %Y}" if moment.day == 1 else f"{moment.day} {moment:%b %Y}"
    return clean(str(value))[:40]


def takeaways(figure: Figure) -> tuple[Statement, ...]:
    """Say what a figure's numbers show, each computed from the points that are drawn."""
    points = points_of(figure)
    if len(points) < 2:
        return ()
    said = {"line": _of_line, "bar": _of_bars, "histogram": _of_bins, "scatter": _of_dots, "box": _of_boxes}
    return tuple(Statement(text=text) for text in said.get(figure.kind, lambda _: [])(points))


def heading(figure: Figure) -> str:
    """Return a figure's title with what it comes to, where that is one thing."""
    points, title = points_of(figure), clean(figure.title)
    if len(points) < 2 or figure.kind not in ("line", "bar", "histogram"):
        return title
    if figure.kind == "line":
        first, last = points[0], points[-1]
        if first["y"] <= 0 or last["y"] < 0:
            return title
        change = (last["y"] / first["y"] - 1) * 100
        way = "unchanged" if abs(change) < 0.5 else f"{'up' if change > 0 else 'down'} {abs(change):,.0f} %"
        return f"{title}: {way} from {_name(first['x'])} to {_name(last['x'])}"
    top = max(points, key=lambda each: each["y"])
    if sum(each["y"] == top["y"] for each in points) > 1:
        return title
    if figure.kind == "bar":
        return f"{title}: {_name(top['x'])} leads with {number_text(top['y'])}"
    return f"{title}: most often {number_text(top['from'])} to {number_text(top['to'])}"


def _of_line(points: Points) -> list[str]:
    first, last = points[0], points[-1]
    top, low = max(points, key=lambda each: each["y"]), min(points, key=lambda each: each["y"])
    change = f" ({(last['y'] / first['y'] - 1) * 100:+.0f} %)" if first["y"] > 0 and last["y"] >= 0 else ""
    begin, end = (f"{number_text(each['y'])} ({_name(each['x'])})" for each in (first, last))
    return [
        f"From {begin} to {end}{change}",
        f"Highest: {number_text(top['y'])} ({_name(top['x'])})",
        f"Lowest: {number_text(low['y'])} ({_name(low['x'])})",
    ]


def named(names: Sequence[str], most: int = 3) -> str:
    """Return names that share a place, in words."""
    if len(names) > most:
        return f"{len(names)} rows"
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _of_bars(points: Points) -> list[str]:
    shown = [each for each in points if not (isinstance(each.get("order"), int) and each["order"] >= 10)] or points
    most, least = max(each["y"] for each in shown), min(each["y"] for each in shown)
    top = [_name(each["x"]) for each in shown if each["y"] == most]
    low = [_name(each["x"]) for each in shown if each["y"] == least]
    said = [f"Highest: {named(top)} with {number_text(most)}"]
    if least != most:
        said.append(f"Lowest: {named(low)} with {number_text(least)}")
    total = sum(each["y"] for each in points)
    if all(each["y"] >= 0 for each in points) and total > 0 and len(points) > 2 and len(top) == 1:
        said.append(f"{top[0]} is {most / total * 100:.0f} % of what is drawn")
    return said


def _of_bins(points: Points) -> list[str]:
    top, total = max(points, key=lambda each: each["y"]), sum(each["y"] for each in points)
    said = [f"{number_text(total)} rows, {number_text(points[0]['from'])} to {number_text(points[-1]['to'])}"]
    if total:
        share = top["y"] / total * 100
        said.append(f"Most often {number_text(top['from'])} to {number_text(top['to'])}: {share:.0f} % of the rows")
    return said


def _of_dots(points: Points) -> list[str]:
    count = len(points)
    mean_x, mean_y = (sum(each[axis] for each in points) / count for axis in ("x", "y"))
    across = sum((each["x"] - mean_x) * (each["y"] - mean_y) for each in points)
    spread = sum((each["x"] - mean_x) ** 2 for each in points) * sum((each["y"] - mean_y) ** 2 for each in points)
    said = [f"{count:,} points"]
    if spread > 0:
        said.append(f"Correlation of what is drawn (Pearson): {across / spread**0.5:+.2f}")
    return said


def _of_boxes(points: Points) -> list[str]:
    top, low = max(points, key=lambda each: each["median"]), min(points, key=lambda each: each["median"])
    return [f"{word} median: {_name(each['x'])} with {number_text(each['median'])}" for word, each in
            (("Highest", top), ("Lowest", low))]  # fmt: skip


_NUMBER = re.compile(r"([-+\u2212]?\d[\d,\u202f\u00a0 ]*(?:\.\d+)?)\s*(\D*)")
_EMPTY = ("", "-", "\u2013", "\u2014")
ROWS_DRAWN_MAX = 14
RANKED = 12
"""Of a longer column, the highest that are drawn."""


def number_in(text: str) -> tuple[float, str] | None:
    """Return the number that a cell is, and the unit behind it; None where it is something else, too."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    value = float(re.sub("[,\u202f\u00a0 ]", "", found.group(1)).replace("\u2212", "-"))
    return (value, found.group(2).strip()) if abs(value) < 1e300 else None


def numbers_in(grid: Grid, column: int) -> list[float] | None:
    """Return a column's numbers, one a row; None where a cell is none, units differ, or they are years or the same."""
    found = [number_in(row[column].text) for row in grid.rows]
    numbers = [each for each in found if each is not None]
    if len(numbers) < len(found) or len({unit for _, unit in numbers}) != 1:
        return None
    values = [value for value, _ in numbers]
    is_years = all(value == int(value) and 1500 <= value <= 2100 for value in values)
    return None if is_years or len(set(values)) < 2 else values


def columns_to_draw(grid: Grid, most: int) -> list[Grid]:
    """Return columns of numbers with their rows' names, for a chart each: without empty cells, the highest first."""
    names = [row[0].text for row in grid.rows]
    if len(set(names)) < len(names) or not all(names):
        return []
    drawn = list[Grid]()
    for column in range(1, len(grid.heading)):
        rows = [(row[0], row[column]) for row in grid.rows if row[column].text.strip() not in _EMPTY]
        cut = Grid(heading=(grid.heading[0], grid.heading[column]), rows=tuple(rows))
        values = numbers_in(cut, 1)
        if values is None or len(rows) < max(3, len(grid.rows) / 2):
            continue
        if len(rows) > ROWS_DRAWN_MAX:
            ranked = sorted(range(len(rows)), key=lambda place: -values[place])[:RANKED]
            cut = cut.model_copy(update={"rows": tuple(rows[place] for place in ranked)})
            if numbers_in(cut, 1) is None:
                continue
        drawn.append(cut)
    return drawn[:most]


def marks_of(rows: Sequence[Sequence[Statement]]) -> tuple[int, ...]:
    """Return every source that cells cite, by number."""
    return tuple(sorted({mark for row in rows for cell in row for mark in cell.marks}))
