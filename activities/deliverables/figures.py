"""Figures as their numbers, and a structured output as a table of its fields."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from activities.deliverables.blocks import Drawn, Said, Table, words
from activities.deliverables.text import clean, shortened
from schema.contracts.deliverables import Figure

FIGURE_ROWS_MAX = 30
"""Of the numbers that stand for a figure that has no picture."""
OUTPUT_ROWS_MAX = 500


def plain_table(heading: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> Table:
    """Return a table of plain text."""
    return Table(tuple(map(words, heading)), tuple(tuple(Said(words(cell)) for cell in row) for row in rows), note=note)


def drawn_figure(number: int, figure: Figure) -> Drawn:
    """Return a figure with what is needed to describe it and to show it without a picture."""
    points = _points(figure.spec)
    columns = list(dict.fromkeys(key for point in points for key in point if key != "order"))
    rows = [[_value(point.get(column)) for column in columns] for point in points[:FIGURE_ROWS_MAX]]
    left = len(points) - len(rows)
    labels = _labels(figure.spec)
    heading = [labels.get(column, column) for column in columns]
    return Drawn(
        number=number,
        name=figure.name,
        title=words(figure.title),
        origin=words(figure.origin),
        query=clean(figure.query),
        description=clean(_described(figure, points, labels)),
        numbers=plain_table(heading, rows, f"{left:,} more rows are in the JSON export." if left else ""),
    )


def _points(spec: dict[str, Any]) -> list[dict[str, Any]]:
    values = (spec.get("data") or {}).get("values")
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _labels(spec: dict[str, Any]) -> dict[str, str]:
    """Return the axes' titles by the field that they show."""
    encodings = [spec.get("encoding") or {}, *((layer.get("encoding") or {}) for layer in spec.get("layer") or [])]
    channels = [each for encoding in encodings for each in encoding.values() if isinstance(each, dict)]
    return {str(each["field"]): str(each["title"]) for each in channels if each.get("field") and each.get("title")}


def _described(figure: Figure, points: list[dict[str, Any]], labels: dict[str, str]) -> str:
    axes = " by ".join(dict.fromkeys(labels[key] for key in ("y", "x") if key in labels))
    numbers = [point["y"] for point in points if isinstance(point.get("y"), (int, float))]
    said = f"{figure.kind.capitalize()} chart: {figure.title}."
    if axes:
        said += f" {axes}, {len(points)} points."
    if numbers:
        said += f" From {_value(min(numbers))} to {_value(max(numbers))}."
    return shortened(said, 400)


def _value(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def output_table(output: dict[str, Any]) -> Table:
    """Return the structured output, one value a row, by its path."""
    rows = list(_flat("", output))
    left = len(rows) - OUTPUT_ROWS_MAX
    note = f"{left:,} more values are in the JSON export." if left > 0 else ""
    return plain_table(("Field", "Value"), rows[:OUTPUT_ROWS_MAX], note)


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), each)
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _flat(f"{path}[{index}]", each)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
