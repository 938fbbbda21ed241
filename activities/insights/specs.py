"""Vega-Lite 5 specifications of the five kinds of charts, with their data inside. Pure."""

import math
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_WIDTH, _HEIGHT = 560, 320
_COLOUR, _ACCENT, _INK, _MUTED = "#2f6f9f", "#c8553d", "#24292f", "#57606a"
_FONT = "Noto Sans, DejaVu Sans, Arial, sans-serif"
_LABEL_CHARACTERS = 28
_FORMATS = {"year": "%Y", "month": "%b %Y", "week": "%d %b %Y", "day": "%d %b %Y"}
Points = list[dict[str, Any]]


def _chart(title: str, layers: dict[str, Any], data: Points | None = None, note: str | None = None) -> dict[str, Any]:
    heading: dict[str, Any] = {"text": _wrapped(title)}
    if note:
        heading["subtitle"] = note
    return {
        "$schema": SCHEMA,
        "title": heading,
        "width": _WIDTH,
        "height": _HEIGHT,
        "background": "white",
        "padding": 12,
        **({"data": {"values": data}} if data is not None else {}),
        **layers,
        "config": {
            "font": _FONT,
            "view": {"stroke": None},
            "title": {
                "anchor": "start",
                "fontSize": 16,
                "color": _INK,
                "subtitleColor": _MUTED,
                "subtitleFontSize": 12,
                "offset": 12,
            },
            "axis": {
                "labelFontSize": 12,
                "titleFontSize": 13,
                "labelColor": _INK,
                "titleColor": _INK,
                "titleFontWeight": "normal",
                "gridColor": "#e6e8eb",
                "domainColor": "#b6bcc3",
                "tickColor": "#b6bcc3",
                "labelLimit": 220,
                "titlePadding": 10,
                "titleLimit": 520,
            },
        },
    }


def _wrapped(text: str, width: int = 64) -> list[str]:
    """Break a title into at most three lines."""
    lines: list[str] = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:3]


def _magnitude(values: list[float]) -> str:
    """Return the format of an axis' numbers: 12,000 up to a million, then 1.2M."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest >= 1_000_000:
        # SI's G is a billion to everybody but physicists.
        return (
            "abs(datum.value) >= 1e12 ? format(datum.value / 1e12, '~g') + 'T' : "
            "abs(datum.value) >= 1e9 ? format(datum.value / 1e9, '~g') + 'B' : "
            "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~g') + 'M' : format(datum.value, ',~r')"
        )
    if largest >= 10_000:
        return "format(datum.value, ',~f')"
    return "format(datum.value, ',~r')" if largest >= 0.01 or not largest else "format(datum.value, '~g')"


def _numeric(field: str, title: str, values: list[float], *, zero: bool = False, **more: Any) -> dict[str, Any]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    # An axis that begins near zero may as well begin at it.
    zero = zero or (0 <= low <= 0.35 * high)
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": zero, "nice": True},
        "axis": {"labelExpr": _magnitude(values), "tickCount": 6, **more},
    }


def line(title: str, points: Points, x: str, y: str, *, label: str, temporal: bool) -> dict[str, Any]:
    """Draw values in order of time."""
    form = _FORMATS.get(label, "%d %b %Y")
    axis: dict[str, Any] = {
        "field": "x",
        "type": "temporal",
        "title": x,
        "axis": {"format": form, "labelOverlap": "greedy", "labelSeparation": 12, "labelFlush": False, "tickCount": 7},
    }
    if not temporal:
        axis = {
            "field": "x",
            "type": "quantitative",
            "title": x,
            "scale": {"zero": False},
            "axis": {"format": "d", "tickMinStep": 1},
        }
    mark = {
        "type": "line",
        "color": _COLOUR,
        "strokeWidth": 2,
        "point": {"size": 30, "color": _COLOUR} if len(points) <= 40 else False,
    }
    values = [point["y"] for point in points]
    return _chart(title, {"mark": mark, "encoding": {"x": axis, "y": _numeric("y", y, values)}}, points)


def bar(title: str, points: Points, x: str, y: str) -> dict[str, Any]:
    """Draw one bar per value, lying, longest first; `other` last."""
    values = [point["y"] for point in points]
    category = {
        "field": "x",
        "type": "nominal",
        "title": x,
        "sort": {"field": "order"},
        "axis": {
            "labelExpr": f"length(datum.label) > {_LABEL_CHARACTERS} ? slice(datum.label, 0, "
            f"{_LABEL_CHARACTERS - 1}) + '…' : datum.label",
            "labelOverlap": False,
            "ticks": False,
            "domain": False,
        },
    }
    encoding = {
        "y": category,
        "x": _numeric("y", y, values, zero=True),
        "color": {"condition": {"test": "datum.order >= 10", "value": "#9aa5b1"}, "value": _COLOUR},
    }
    spec = _chart(title, {"mark": {"type": "bar"}, "encoding": encoding}, points)
    return {**spec, "height": max(90, 30 * len(points))}


def histogram(title: str, bins: Points, x: str, note: str | None = None) -> dict[str, Any]:
    """Draw counts of bins that are already made."""
    edges = [each["from"] for each in bins] + [bins[-1]["to"]]
    horizontal = _numeric("from", x, edges)
    horizontal["bin"] = "binned"
    horizontal["scale"] = {"zero": False, "nice": False, "domain": [edges[0], edges[-1]]}
    horizontal["axis"]["labelOverlap"] = "greedy"
    encoding = {
        "x": horizontal,
        "x2": {"field": "to"},
        "y": _numeric("y", "Rows", [each["y"] for each in bins], zero=True),
    }
    return _chart(
        title,
        {"mark": {"type": "bar", "color": _COLOUR, "stroke": "white", "strokeWidth": 1}, "encoding": encoding},
        bins,
        note,
    )


def scatter(title: str, points: Points, x: str, y: str, note: str | None = None) -> dict[str, Any]:
    """Draw one point per row."""
    mark = {"type": "circle", "color": _COLOUR, "opacity": 0.45 if len(points) > 200 else 0.7, "size": 28}
    encoding = {
        "x": _numeric("x", x, [point["x"] for point in points], labelOverlap="greedy"),
        "y": _numeric("y", y, [point["y"] for point in points]),
    }
    return _chart(title, {"mark": mark, "encoding": encoding}, points, note)


def box(title: str, boxes: Points, x: str, y: str) -> dict[str, Any]:
    """Draw boxes whose figures are already computed, with the values beyond the whiskers as points."""
    outliers = [{"x": each["x"], "y": value} for each in boxes for value in each["outliers"]]
    figures = [{key: value for key, value in each.items() if key != "outliers"} for each in boxes]
    values = [each[key] for each in figures for key in ("low", "high")] + [each["y"] for each in outliers]
    order = [each["x"] for each in figures]
    category = {
        "field": "x",
        "type": "nominal",
        "title": x,
        "sort": order,
        "axis": {
            "labelExpr": f"length(datum.label) > {_LABEL_CHARACTERS} ? slice(datum.label, 0, "
            f"{_LABEL_CHARACTERS - 1}) + '…' : datum.label",
            "labelOverlap": False,
            "ticks": False,
            "domain": False,
        },
    }

    def across(field: str, **more: Any) -> dict[str, Any]:
        return {**_numeric(field, y, values), **more}

    layers = [
        {
            "mark": {"type": "rule", "color": _MUTED},
            "encoding": {"y": category, "x": across("low"), "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "bar", "color": "#8fb3cf", "size": 16},
            "encoding": {"y": category, "x": across("q1"), "x2": {"field": "q3"}},
        },
        {
            "mark": {"type": "tick", "color": _INK, "size": 16, "thickness": 2},
            "encoding": {"y": category, "x": across("median")},
        },
        {
            "data": {"values": outliers},
            "mark": {"type": "point", "color": _ACCENT, "size": 18, "opacity": 0.8},
            "encoding": {"y": category, "x": across("y")},
        },
    ]
    spec = _chart(title, {"layer": layers if outliers else layers[:-1]}, figures)
    return {**spec, "height": max(110, 32 * len(boxes))}


def even_edges(low: float, high: float, bins: int, *, whole: bool) -> list[float]:
    """Return edges of bins of a round width (1, 2, 2.5 or 5 times a power of ten) that cover a range."""
    if not high > low or not math.isfinite(high - low):
        return []
    raw = (high - low) / bins
    power = 10 ** math.floor(math.log10(raw))
    width = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw * 0.999)
    if whole:
        width = max(1.0, math.ceil(width))
    first = math.floor(low / width)
    count = math.floor(high / width) - first + 1
    return [(first + number) * width for number in range(min(count, 4 * bins) + 1)]
