"""Which charts suit a table, and their data: aggregated, bounded, each with the query that it came from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from activities.insights import specs
from activities.insights.choosing import additive, groups_of, measures_of
from activities.insights.dependencies import is_strong, strength
from activities.insights.periods import by_period, period_of, period_query
from activities.insights.profile import Measured
from activities.insights.sql import identifier
from activities.insights.table import Table
from activities.insights.wording import clean
from schema.contracts.insights import Chart, ChartKind, Unit
from schema.policies import DATA_CHART_POINTS_MAX, DATA_CHARTS_MAX

BARS_MAX = 10
"""Bars of one chart; what is beyond becomes `other`."""
BINS = 20
LINES_MAX = 2
HISTOGRAMS_MAX = 2
BOXES_MAX = 12
SCATTERS_MAX = 2
_LABEL = 60


@dataclass
class Drawn:
    """A chart to be."""

    kind: ChartKind
    title: str
    columns: tuple[str, ...]
    reason: str
    query: str
    spec: dict[str, Any] = field(default_factory=dict)


def charts_of(table: Table, measured: Measured, prefix: str, most: int = DATA_CHARTS_MAX) -> list[Chart]:
    """Return the charts of a table, at most `most`; one of each kind before a second one of any."""
    if table.height < 2:
        return []
    queues = [
        list(_lines(table)),
        list(_bars(table)),
        list(_scatters(table, measured)),
        list(_histograms(table, measured)),
        list(_boxes(table, measured)),
    ]
    ordered = [queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)]
    return [
        Chart(
            name=f"{prefix}-{number}-{drawn.kind.value}",
            kind=drawn.kind,
            title=drawn.title[:300],
            columns=drawn.columns,
            reason=drawn.reason,
            query=drawn.query,
            spec=drawn.spec,
        )
        for number, drawn in enumerate(ordered[:most], 1)
    ]


def titled(name: str, unit: Unit | None) -> str:
    """Return the title of an axis: the column's name with its unit, once."""
    short = name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"
    if unit is None or unit.origin == "header":
        return short
    return f"{short} ({unit.symbol})"


def _lines(table: Table) -> Iterator[Drawn]:
    period = period_of(table)
    if period is None:
        return
    for measure in measures_of(table)[:LINES_MAX]:
        summed = additive(table, measure)
        frame = by_period(table, period, measure, summed=summed)
        if frame.height > DATA_CHART_POINTS_MAX:
            frame = frame.tail(DATA_CHART_POINTS_MAX)
        if frame.height < 3:
            continue
        what = "Sum" if summed else "Mean"
        points = [{"x": _moment(at), "y": clean(float(value))} for at, value in frame.iter_rows()]
        yield Drawn(
            ChartKind.LINE,
            f"{what} of {_cut(measure)} per {period.label}",
            (period.axis, measure),
            f"{period.axis} is a time axis; one value per {period.label}",
            period_query(table, period, measure, summed=summed),
            specs.line(
                f"{what} of {_cut(measure)} per {period.label}",
                points,
                titled(period.axis, None),
                titled(measure, table.unit(measure)),
                label=period.label,
                temporal=not isinstance(frame["period"][0], int),
            ),
        )


def _moment(at: object) -> str | int:
    if isinstance(at, datetime):
        return at.isoformat()
    if isinstance(at, date):
        return f"{at.isoformat()}T00:00:00"
    return int(at)  # type: ignore[call-overload, no-any-return]


def _cut(name: str) -> str:
    return name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"


def _bars(table: Table) -> Iterator[Drawn]:
    measures = [measure for measure in measures_of(table) if additive(table, measure)]
    for group in groups_of(table)[:3]:
        measure = measures[0] if measures and (table.frame[measures[0]].min() or 0) >= 0 else None  # type: ignore[operator]
        value = pl.col(measure).sum() if measure else pl.len()
        frame = (
            table.frame.lazy()
            .filter(pl.col(group).is_not_null())
            .group_by(pl.col(group).cast(pl.String).alias("x"))
            .agg(y=value)
            .sort(["y", "x"], descending=[True, False])
            .collect()
        )
        column = identifier(group)
        aggregate = f"SUM({identifier(measure)})" if measure else "COUNT(*)"
        what = f"Sum of {_cut(measure)} by {_cut(group)}" if measure else f"Rows by {_cut(group)}"
        yield Drawn(
            ChartKind.BAR,
            what,
            (group, measure) if measure else (group,),
            f"{group} has {table.distinct[group]} values"
            + (f"; the {BARS_MAX} largest and the others" if frame.height > BARS_MAX else ""),
            f"SELECT {column} AS x, {aggregate} AS y FROM {identifier(table.name)} WHERE {column} IS NOT NULL GROUP "
            f"BY {column} ORDER BY y DESC",
            specs.bar(
                what,
                _with_other(frame),
                titled(group, None),
                titled(measure, table.unit(measure)) if measure else "Rows",
            ),
        )


def _with_other(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the largest bars, and the sum of the others as one bar that stands last."""
    top = [
        {"x": str(name)[:120], "y": clean(float(value)), "order": place}
        for place, (name, value) in enumerate(frame.head(BARS_MAX).iter_rows())
    ]
    rest = frame.slice(BARS_MAX)
    if rest.height:
        top.append({"x": f"other ({rest.height})", "y": clean(float(rest["y"].sum())), "order": BARS_MAX})
    return top


def _histograms(table: Table, measured: Measured) -> Iterator[Drawn]:
    shown = [measure for measure in measures_of(table) if table.distinct[measure] >= 8][:HISTOGRAMS_MAX]
    for measure in shown:
        ordered = measured.numbers[measure].ordered
        if len(ordered) < 20:
            continue
        # Bins span the bulk, so that one outlier does not make all others one bar.
        low, high = (float(np.quantile(ordered, share)) for share in (0.005, 0.995))
        whole = bool(np.all(ordered == np.floor(ordered)))
        edges = specs.even_edges(low, high, BINS, whole=whole)
        if len(edges) < 3:
            continue
        counts, _ = np.histogram(ordered, bins=np.array(edges))
        outside = len(ordered) - int(counts.sum())
        bins = [
            {"from": clean(edges[number]), "to": clean(edges[number + 1]), "y": int(count)}
            for number, count in enumerate(counts)
        ]
        title = f"Distribution of {_cut(measure)}"
        note = f"{outside:,} values lie beyond this range" if outside else None
        column = identifier(measure)
        yield Drawn(
            ChartKind.HISTOGRAM,
            title,
            (measure,),
            f"{measure} measures something, with {table.distinct[measure]:,} distinct values",
            f"SELECT FLOOR(({column} - {edges[0]!r}) / {edges[1] - edges[0]!r}) AS bin, COUNT(*) AS y FROM "
            f"{identifier(table.name)} "
            f"WHERE {column} >= {edges[0]!r} AND {column} <= {edges[-1]!r} GROUP BY bin ORDER BY bin",
            specs.histogram(title, bins, titled(measure, table.unit(measure)), note),
        )


def _scatters(table: Table, measured: Measured) -> Iterator[Drawn]:
    for each in [each for each in measured.correlations if is_strong(each)][:SCATTERS_MAX]:
        frame = table.frame.lazy().select(each.first, each.second).drop_nulls().collect()
        step = max(1, math.ceil(frame.height / DATA_CHART_POINTS_MAX))
        points = [{"x": float(x), "y": float(y)} for x, y in frame.gather_every(step).iter_rows()]
        title = f"{_cut(each.second)} against {_cut(each.first)}"
        coefficient, kind = strength(each)
        one, other = identifier(each.first), identifier(each.second)
        note = f"one of every {step} rows" if step > 1 else None
        yield Drawn(
            ChartKind.SCATTER,
            title,
            (each.first, each.second),
            f"{kind}'s coefficient of both is {coefficient:.2f}",
            f"SELECT {one} AS x, {other} AS y FROM {identifier(table.name)} WHERE {one} IS NOT NULL AND {other} IS "
            f"NOT NULL",
            specs.scatter(
                title,
                points,
                titled(each.first, table.unit(each.first)),
                titled(each.second, table.unit(each.second)),
                note,
            ),
        )


def _boxes(table: Table, measured: Measured) -> Iterator[Drawn]:
    """Draw a measure by group: median, quartiles, whiskers to the last value within 1.5 interquartile ranges."""
    groups = [group for group in groups_of(table) if 2 <= table.distinct[group] <= BOXES_MAX][:1]
    for group in groups:
        for measure in [measure for measure in measures_of(table) if table.distinct[measure] >= 8][:1]:
            boxes = []
            for (value,), part in (
                table.frame.select(group, measure).drop_nulls().group_by([group], maintain_order=False)
            ):
                ordered = np.sort(part[measure].cast(pl.Float64).to_numpy())
                if len(ordered) >= 5:
                    boxes.append(_box(str(value)[:120], ordered))
            if len(boxes) < 2:
                continue
            boxes.sort(key=lambda box: (-box["median"], box["x"]))
            title = f"{_cut(measure)} by {_cut(group)}"
            column, number = identifier(group), identifier(measure)
            yield Drawn(
                ChartKind.BOX,
                title,
                (group, measure),
                f"spread and outliers of {measure} in the {len(boxes)} groups of {group}",
                f"SELECT {column} AS x, QUANTILE_CONT({number}, 0.25) AS q1, MEDIAN({number}) AS median, "
                f"QUANTILE_CONT({number}, 0.75) AS q3 "
                f"FROM {identifier(table.name)} WHERE {column} IS NOT NULL GROUP BY {column}",
                specs.box(title, boxes, titled(group, None), titled(measure, table.unit(measure))),
            )


def _box(name: str, ordered: Any) -> dict[str, Any]:
    q1, median, q3 = (float(np.quantile(ordered, share)) for share in (0.25, 0.5, 0.75))
    inside = ordered[(ordered >= q1 - 1.5 * (q3 - q1)) & (ordered <= q3 + 1.5 * (q3 - q1))]
    beyond = ordered[(ordered < q1 - 1.5 * (q3 - q1)) | (ordered > q3 + 1.5 * (q3 - q1))]
    shown = beyond if len(beyond) <= 20 else np.concatenate((beyond[:10], beyond[-10:]))
    return {
        "x": name,
        "low": clean(float(inside[0])),
        "q1": clean(q1),
        "median": clean(median),
        "q3": clean(q3),
        "high": clean(float(inside[-1])),
        "outliers": [clean(float(value)) for value in shown],
        "count": len(ordered),
    }
