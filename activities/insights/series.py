"""Findings about time: gaps in a rhythm, spikes against what is usual then, shifts of level."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from activities.insights.names import says
from activities.insights.profile import Array
from activities.insights.table import Table
from activities.insights.wording import clean, counted, name, number, with_unit
from schema.contracts.insights import ColumnType, Figure, Finding, FindingKind, Role
from schema.policies import DATA_EXAMPLES_MAX

POINTS_MIN = 24
SPIKE_Z_MIN = 6.0
SHIFT_SIGMAS_MIN = 3.0
RHYTHM_SHARE_MIN = 0.8
"""A series has a rhythm where so many of its steps are equal."""
_SEASONS = {
    "hour": (24, 168),
    "day": (7,),
    "business day": (5,),
    "week": (52,),
    "month": (12,),
    "quarter": (4,),
    "other": (),
}
_MAD_TO_SIGMA = 1.4826
_MEASURES_MAX = 20
_SPIKE_SHARE_MAX = 0.05
_STEP_SHARE = 0.6
"""A step must explain so much of what a straight line leaves."""


@dataclass(frozen=True)
class Rhythm:
    """The step of a series."""

    name: str
    step: timedelta | None
    months: int = 0


@dataclass
class Series:
    """One measure over time: one value per moment."""

    moments: list[object]
    values: Array
    indices: list[list[int]]
    """Rows of each moment."""
    summed: bool


def time_columns(table: Table) -> list[str]:
    """Return the columns of dates that may be a time axis: most of them filled, and not a date of birth or the like."""
    dates = [column for column in table.with_role(Role.TIME) if table.frame[column].null_count() * 10 <= table.height]
    years = [column for column in table.with_role(Role.YEAR) if table.frame[column].null_count() * 10 <= table.height]
    dates = [
        column
        for column in dates
        if not {"birth", "birthdate", "birthday", "dob", "born"} & set(column.lower().split())
    ]
    return dates or years


def rhythm_of(moments: pl.Series) -> Rhythm | None:
    """Return the step between sorted, distinct moments; None: there is no rhythm."""
    if len(moments) < 3:
        return None
    if moments.dtype.is_integer():
        steps = moments.diff().drop_nulls()
        return Rhythm("year", None, 12) if (steps == 1).mean() >= RHYTHM_SHARE_MIN else None  # type: ignore[operator]
    exact = moments.cast(pl.Datetime("us"))
    if bool((exact.dt.day() == exact.dt.day()[0]).all()) and bool((exact.dt.time() == exact.dt.time()[0]).all()):
        months = (exact.dt.year().cast(pl.Int64) * 12 + exact.dt.month()).diff().drop_nulls()
        for length, label in ((1, "month"), (3, "quarter"), (12, "year")):
            if (months == length).mean() >= RHYTHM_SHARE_MIN:  # type: ignore[operator]
                return Rhythm(label, None, length)
    steps = exact.diff().drop_nulls()
    counts = steps.value_counts(sort=True)
    step, share = counts.row(0)[0], counts.row(0)[1] / len(steps)
    weekdays = exact.dt.weekday()
    if step == timedelta(days=1) and weekdays.max() == 5 and len(moments) >= 10:
        usual = ((steps == timedelta(days=1)) | ((steps == timedelta(days=3)) & (weekdays.slice(1) == 1))).mean()
        return Rhythm("business day", step) if usual >= RHYTHM_SHARE_MIN else None  # type: ignore[operator]
    if share < RHYTHM_SHARE_MIN:
        return None
    label = {timedelta(hours=1): "hour", timedelta(days=1): "day", timedelta(days=7): "week"}.get(step, "other")
    return Rhythm(label, step)


def over_time(table: Table) -> Iterator[Finding]:
    """Yield what is unusual along the table's time axis; nothing where it has none."""
    axes = time_columns(table)
    if not axes:
        return
    axis = axes[0]
    moments = table.frame[axis].drop_nulls().unique().sort()
    if len(moments) < 8:
        return
    rhythm = rhythm_of(moments)
    if rhythm is not None:
        yield from _gaps(table, axis, moments, rhythm)
    if rhythm is None or len(moments) < POINTS_MIN:
        return
    for measure in table.measures()[:_MEASURES_MAX]:
        if table.distinct[measure] < 5:
            continue
        series = series_of(table, axis, measure)
        if len(series.values) >= POINTS_MIN:
            yield from _unusual(table, axis, measure, series, rhythm)


def series_of(table: Table, axis: str, measure: str) -> Series:
    """Return one value per moment: the value, or of several rows their sum or mean, whichever the measure's name
    wants."""
    summed = says(measure, "additive")
    value = pl.col("value").sum() if summed else pl.col("value").mean()
    frame = (
        pl.DataFrame({"at": table.frame[axis], "value": table.frame[measure].cast(pl.Float64)})
        .with_row_index("row")
        .drop_nulls()
        .group_by("at")
        .agg(value=value, row=pl.col("row").head(DATA_EXAMPLES_MAX))
        .sort("at")
    )
    return Series(frame["at"].to_list(), frame["value"].to_numpy(), frame["row"].to_list(), summed)


def _gaps(table: Table, axis: str, moments: pl.Series, rhythm: Rhythm) -> Iterator[Finding]:
    gaps: list[tuple[object, object, int]] = []
    values = moments.to_list()
    for before, after in pairwise(values):
        missing = _steps_between(before, after, rhythm) - 1
        if missing > 0:
            gaps.append((before, after, missing))
    if not gaps:
        return
    missing = sum(count for _, _, count in gaps)
    longest = max(gaps, key=lambda gap: gap[2])
    period = rhythm.name if rhythm.name != "other" else f"step of {rhythm.step}"
    yield Finding(
        kind=FindingKind.TIME_GAP,
        columns=(axis,),
        count=missing,
        method="steps longer than the rhythm of at least 80% of the steps",
        threshold="one missing step",
        figures=(
            Figure(name="rhythm", value=period),
            Figure(name="missing", value=missing),
            Figure(name="gaps", value=len(gaps)),
            Figure(name="longest gap after", value=shown(longest[0])),
            Figure(name="longest gap before", value=shown(longest[1])),
        ),
        sentence=f"{name(axis)} has one value per {period}, but {counted(missing, 'is', 'are')} missing in "
        f"{counted(len(gaps), 'gap')}; the longest lies between {shown(longest[0])} and {shown(longest[1])}.",
        severity="notice",
    )


def _steps_between(before: object, after: object, rhythm: Rhythm) -> int:
    if isinstance(before, int) and isinstance(after, int):
        return after - before
    if rhythm.months:
        months = (after.year - before.year) * 12 + after.month - before.month  # type: ignore[attr-defined]
        return int(months // rhythm.months)
    if rhythm.name == "business day":
        start, end = (np.datetime64(str(moment)[:10]) for moment in (before, after))
        return int(np.busday_count(start, end))
    steps: int = round((after - before) / rhythm.step)  # type: ignore[operator]
    return steps


def shown(moment: object) -> str:
    """Return a moment as it stands in a sentence."""
    text = moment.isoformat() if hasattr(moment, "isoformat") else str(moment)
    return text.replace("T", " ").removesuffix(" 00:00:00")


def _unusual(table: Table, axis: str, measure: str, series: Series, rhythm: Rhythm) -> Iterator[Finding]:
    values = series.values
    season = _season(series, rhythm)
    shift = _shift(values - season)
    level = np.zeros(len(values))
    if shift is not None:
        at, size = shift
        level[at:] = size
        yield _shift_finding(table, axis, measure, series, at, size)
    rest = values - season - level
    residual = rest - _rolling_median(rest, 7)
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(residual - np.median(residual))))
    floor = 1e-3 * float(np.median(np.abs(values))) if len(values) else 0.0
    sigma = max(sigma, floor)
    if sigma <= 0:
        return
    scores = residual / sigma
    spikes = [int(index) for index in np.flatnonzero(np.abs(scores) > SPIKE_Z_MIN)]
    if not spikes or len(spikes) > max(2, _SPIKE_SHARE_MAX * len(values)):
        return
    strongest = max(spikes, key=lambda index: abs(scores[index]))
    indices = [row for spike in spikes for row in series.indices[spike]]
    unit = table.unit(measure)
    usual = float(values[strongest] - residual[strongest])
    what = (
        f"the {'sum' if series.summed else 'mean'} of {name(measure)}"
        if any(len(rows) > 1 for rows in series.indices)
        else name(measure)
    )
    yield Finding(
        kind=FindingKind.TIME_SPIKE,
        columns=(axis, measure),
        rows=table.numbers_of(sorted(indices)),
        count=len(spikes),
        method="residual against a rolling median of 7 steps"
        + (", after the seasonal medians" if season.any() else "")
        + ", robust z-score",
        threshold=f"|z| > {SPIKE_Z_MIN:g}",
        figures=(
            Figure(name="spikes", value=len(spikes)),
            Figure(name="strongest at", value=shown(series.moments[strongest])),
            Figure(name="value", value=clean(float(values[strongest])), unit=unit.symbol if unit else None),
            Figure(name="usual", value=clean(usual), unit=unit.symbol if unit else None),
            Figure(name="z", value=clean(round(float(scores[strongest]), 2))),
        ),
        sentence=f"Over time {what} has {counted(len(spikes), 'spike')}; the strongest, at "
        f"{shown(series.moments[strongest])}, "
        f"is {with_unit(number(float(values[strongest])), unit)}, where about {with_unit(number(usual), unit)} was "
        f"to be "
        "expected.",
        severity="warning",
    )


def _season(series: Series, rhythm: Rhythm) -> Array:
    """Return the seasonal part: the median of each phase, where the season is strong enough to be one."""
    values = series.values
    best = np.zeros(len(values))
    first = series.moments[0]
    # Phases follow the calendar, so that a gap does not move them.
    steps = np.array([_steps_between(first, moment, rhythm) for moment in series.moments])
    for period in _SEASONS.get(rhythm.name, ()):
        if len(values) < 3 * period:
            continue
        rest = values - _rolling_median(values, period if period % 2 else period + 1)
        phases = steps % period
        medians = np.array(
            [np.median(rest[phases == phase]) if (phases == phase).any() else 0.0 for phase in range(period)]
        )
        seasonal: Array = medians[phases]
        before, after = _trimmed(rest), _trimmed(rest - seasonal)
        if before > 0 and after < 0.75 * before:
            best = seasonal - float(np.median(medians))
    return best


def _trimmed(values: Array) -> float:
    """Return the mean deviation without the farthest 2%: a season of two days in seven counts, one spike does not."""
    deviations = np.abs(values - np.median(values))
    return float(deviations[deviations <= np.quantile(deviations, 0.98)].mean())


def _spread(values: Array) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _rolling_median(values: Array, window: int) -> Array:
    """Return the median of a centred window; at the ends the window is cut."""
    half = window // 2
    padded = np.concatenate((np.full(half, np.nan), values, np.full(half, np.nan)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    medians: Array = np.nanmedian(windows, axis=1)
    return medians


def _shift(values: Array) -> tuple[int, float] | None:
    """Return where the level changes for good, and by how much; None: it does not.

    The split that leaves the least squares; kept where the change exceeds the noise (by first differences), and a step
    explains the series clearly better than a straight line.
    """
    count = len(values)
    edge = max(6, count // 10)
    if count < 2 * edge + 2:
        return None
    # Spikes must not make a step: values are cut at the outer fences first.
    low, high = np.quantile(values, [0.25, 0.75])
    cut = np.clip(values, low - 3 * (high - low), high + 3 * (high - low))
    sums, squares = np.cumsum(cut), np.cumsum(cut**2)
    splits = np.arange(edge, count - edge)
    left = squares[splits - 1] - sums[splits - 1] ** 2 / splits
    right = (squares[-1] - squares[splits - 1]) - (sums[-1] - sums[splits - 1]) ** 2 / (count - splits)
    best = int(np.argmin(left + right))
    at = int(splits[best])
    step_error = float(left[best] + right[best])
    size = float(np.median(cut[at:]) - np.median(cut[:at]))
    noise = _MAD_TO_SIGMA * _spread(np.diff(cut)) / math.sqrt(2)
    line = np.polyfit(np.arange(count), cut, 1)
    line_error = float(((cut - np.polyval(line, np.arange(count))) ** 2).sum())
    local = float(np.median(cut[at : at + edge]) - np.median(cut[at - edge : at]))
    if noise <= 0:
        noise = 1e-9 * max(1.0, float(np.abs(cut).max()))
    if abs(size) < SHIFT_SIGMAS_MIN * noise or abs(local) < 0.6 * abs(size) or step_error > _STEP_SHARE * line_error:
        return None
    return at, size


def _shift_finding(table: Table, axis: str, measure: str, series: Series, at: int, size: float) -> Finding:
    unit = table.unit(measure)
    before, after = float(np.median(series.values[:at])), float(np.median(series.values[at:]))
    moment = shown(series.moments[at])
    return Finding(
        kind=FindingKind.LEVEL_SHIFT,
        columns=(axis, measure),
        rows=table.numbers_of(sorted(series.indices[at])),
        count=1,
        method="split with the least squares, seasonal medians removed, against a straight line",
        threshold=f"change of at least {SHIFT_SIGMAS_MIN:g} standard deviations of the noise",
        figures=(
            Figure(name="from", value=moment),
            Figure(name="median before", value=clean(before), unit=unit.symbol if unit else None),
            Figure(name="median after", value=clean(after), unit=unit.symbol if unit else None),
            Figure(name="change", value=clean(size), unit=unit.symbol if unit else None),
        ),
        sentence=f"From {moment} on {name(measure)} is on another level: the median is "
        f"{with_unit(number(after), unit)} after it and {with_unit(number(before), unit)} before.",
        severity="warning",
    )


def is_date_like(table: Table, column: str) -> bool:
    """Tell whether a column's values are dates rather than years."""
    return table.columns[column].type in (ColumnType.DATE, ColumnType.DATETIME)
