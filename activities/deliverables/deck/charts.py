"""Native charts: the numbers are in the file, in a workbook that a presentation program opens to edit them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from itertools import pairwise
from typing import Any

from lxml import etree
from pptx.chart.chart import Chart
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.chart.xlsx import CategoryWorkbookWriter, XyWorkbookWriter
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_MARKER_STYLE, XL_TICK_LABEL_POSITION
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.oxml.ns import qn
from pptx.util import Pt
from xlsxwriter import Workbook

from activities.deliverables.deck.figures import Axes, Points, axes_of, number_text, points_of, when_of
from activities.deliverables.deck.sections import clean
from activities.deliverables.deck.wording import elided
from activities.deliverables.look import MUTED
from schema.contracts.deliverables import Figure

AXIS_PT = 12
NAME_CHARACTERS_MAX = 32
LABELS_MAX = 12
"""Bars to which their values are written."""
_LITERAL = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


@contextmanager
def _literal(file: Any) -> Iterator[tuple[Workbook, Any]]:
    workbook = Workbook(file, _LITERAL)
    yield workbook, workbook.add_worksheet()
    workbook.close()


class _LiteralCategories(CategoryWorkbookWriter):  # type: ignore[misc]
    """Names of categories are foreign text: in the workbook they stay text, never formulas or links."""

    def _open_worksheet(self, xlsx_file: Any) -> AbstractContextManager[tuple[Workbook, Any]]:
        return _literal(xlsx_file)


class _LiteralDots(XyWorkbookWriter):  # type: ignore[misc]
    def _open_worksheet(self, xlsx_file: Any) -> AbstractContextManager[tuple[Workbook, Any]]:
        return _literal(xlsx_file)


class Categories(CategoryChartData):  # type: ignore[misc]
    """Numbers by name."""

    @property
    def _workbook_writer(self) -> CategoryWorkbookWriter:
        return _LiteralCategories(self)


class Dots(XyChartData):  # type: ignore[misc]
    """Pairs of numbers."""

    @property
    def _workbook_writer(self) -> XyWorkbookWriter:
        return _LiteralDots(self)


Data = tuple[XL_CHART_TYPE, Categories | Dots, Axes]


def chart_data(figure: Figure) -> Data | None:
    """Return a figure's numbers as a native chart has them; None for a kind that has no native chart."""
    points, axes = points_of(figure), axes_of(figure)
    if len(points) < 2:
        return None
    if figure.kind == "scatter":
        return XL_CHART_TYPE.XY_SCATTER, _dots(points, clean(figure.title)), axes
    if figure.kind == "line":
        return _line(points, axes)
    if figure.kind == "bar":
        return bars([clean(str(each["x"])) for each in points], [each["y"] for each in points], Axes(axes.y, axes.x))
    if figure.kind == "histogram":
        data = Categories(number_format="#,##0")
        data.categories = [f"{number_text(each['from'])}–{number_text(each['to'])}" for each in points]
        data.add_series(axes.y or "Rows", [each["y"] for each in points])
        return XL_CHART_TYPE.COLUMN_CLUSTERED, data, Axes(axes.x, axes.y)
    return None


def bars(names: Sequence[str], values: Sequence[float], axes: Axes) -> Data:
    """Return lying bars; `axes.x` names the categories, `axes.y` the numbers."""
    data = Categories(number_format=_format(values))
    data.categories = [elided(name, NAME_CHARACTERS_MAX) or "–" for name in names]
    data.add_series(axes.y or "Value", list(values))
    return XL_CHART_TYPE.BAR_CLUSTERED, data, axes


def _dots(points: Points, name: str) -> Dots:
    data = Dots()
    series = data.add_series(name[:60] or "Value")
    for each in points:
        series.add_data_point(each["x"], each["y"])
    return data


def _line(points: Points, axes: Axes) -> Data:
    values = [each["y"] for each in points]
    days: list[date | None] = [when_of(each["x"]) for each in points]
    data = Categories(number_format=_format(values))
    if all(day is not None and day.year >= 1900 for day in days) and len(set(days)) == len(days):
        data.categories = days
    else:
        data.categories = [clean(str(each["x"]))[:40] for each in points]
    data.add_series(axes.y or "Value", values)
    return (XL_CHART_TYPE.LINE_MARKERS if len(points) <= 40 else XL_CHART_TYPE.LINE), data, axes


def _format(values: Sequence[float]) -> str:
    largest = max((abs(value) for value in values), default=0)
    if largest >= 1e9:
        return '#,##0.0,,,"B"'
    if largest >= 1e6:
        return '#,##0.0,,"M"'
    if all(value == int(value) for value in values):
        return "#,##0"
    return "#,##0.0" if largest >= 10 else "0.00" if largest >= 0.1 else "General"


def dress(chart: Chart, kind: XL_CHART_TYPE, axes: Axes, values: Sequence[float], font: str) -> None:
    """Give a chart the deck's look: one series in the theme's first colour, quiet axes with names, no legend."""
    chart.has_title, chart.has_legend = False, False
    chart.font.size, chart.font.name = Pt(AXIS_PT), font
    chart.font.color.theme_color = MSO_THEME_COLOR.TEXT_1
    lying = kind == XL_CHART_TYPE.BAR_CLUSTERED
    number_format = _format(values)
    for axis, name, is_numbers in ((chart.category_axis, axes.x, False), (chart.value_axis, axes.y, True)):
        axis.format.line.color.rgb = RGBColor.from_string("B6BCC3")
        axis.has_major_gridlines = is_numbers
        if is_numbers:
            axis.major_gridlines.format.line.color.rgb = RGBColor.from_string("E6E8EB")
            axis.major_gridlines.format.line.width = Pt(0.75)
        axis.tick_labels.font.size = Pt(AXIS_PT)
        axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
        if is_numbers:
            tick_format = "#,##0" if number_format == "#,##0.0" else number_format
            axis.tick_labels.number_format, axis.tick_labels.number_format_is_linked = tick_format, False
        if name:
            axis.has_title = True
            run = axis.axis_title.text_frame.paragraphs[0].add_run()
            run.text, run.font.size, run.font.bold = name, Pt(AXIS_PT), False
            run.font.color.rgb = RGBColor.from_string(MUTED[1:].upper())
    low, high = min(values, default=0.0), max(values, default=0.0)
    if lying or kind == XL_CHART_TYPE.COLUMN_CLUSTERED or 0 <= low <= 0.35 * high:
        chart.value_axis.minimum_scale = 0 if low >= 0 else None
    plot = chart.plots[0]
    if lying or kind == XL_CHART_TYPE.COLUMN_CLUSTERED:
        plot.gap_width = 45 if lying else 4
        plot.vary_by_categories = False
        if lying:
            chart.category_axis.reverse_order = True
            chart.category_axis.format.line.fill.background()
        if len(values) <= LABELS_MAX and lying:
            plot.has_data_labels = True
            labels = plot.data_labels
            labels.number_format, labels.number_format_is_linked = number_format, False
            labels.font.size, labels.show_value = Pt(AXIS_PT), True
            chart.value_axis.visible = False
            chart.value_axis.has_major_gridlines = False
    _colour(chart, kind)
    _dates(chart)


def _colour(chart: Chart, kind: XL_CHART_TYPE) -> None:
    for series in chart.plots[0].series:
        if kind in (XL_CHART_TYPE.LINE, XL_CHART_TYPE.LINE_MARKERS):
            series.smooth = False
            series.format.line.width = Pt(2.25)
            series.format.line.color.theme_color = MSO_THEME_COLOR.ACCENT_1
        elif kind == XL_CHART_TYPE.XY_SCATTER:
            series.format.line.fill.background()
        else:
            series.format.fill.solid()
            series.format.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
            series.invert_if_negative = False
        if kind in (XL_CHART_TYPE.LINE_MARKERS, XL_CHART_TYPE.XY_SCATTER):
            series.marker.style, series.marker.size = XL_MARKER_STYLE.CIRCLE, 6
            series.marker.format.fill.solid()
            series.marker.format.fill.fore_color.theme_color = MSO_THEME_COLOR.ACCENT_1
            series.marker.format.line.fill.background()


def _dates(chart: Chart) -> None:
    """Let an axis of dates show months or years, as many as there is room for."""
    axis = chart._chartSpace.find(f".//{qn('c:dateAx')}")
    if axis is None:
        return
    serials = sorted(float(each.text) for each in chart._chartSpace.findall(f".//{qn('c:cat')}//{qn('c:v')}"))
    days = serials[-1] - serials[0]
    form = "yyyy" if days > 5 * 366 else "mmm yyyy" if days > 62 else "d mmm yyyy"
    chart.category_axis.tick_labels.number_format = form
    chart.category_axis.tick_labels.number_format_is_linked = False
    step = max(1, round(days / 30.4 / 6)) if days > 62 else max(1, round(days / 6))
    unit = "months" if days > 62 else "days"
    if days > 5 * 366:
        unit, step = "years", max(1, round(days / 365.25 / 8))
    for tag in ("c:majorUnit", "c:majorTimeUnit", "c:baseTimeUnit"):
        for old in axis.findall(qn(tag)):
            axis.remove(old)
    gaps = min((b - a for a, b in pairwise(serials)), default=1)
    base = "years" if gaps >= 365 else "months" if gaps >= 28 else "days"
    for tag, value in (("c:baseTimeUnit", base), ("c:majorUnit", str(step)), ("c:majorTimeUnit", unit)):
        element = etree.SubElement(axis, qn(tag))
        element.set("val", value)


def describe(figure: Figure, said: Sequence[str]) -> str:
    """Return the text that stands for a chart where it cannot be seen."""
    kind = {"line": "Line chart", "bar": "Bar chart", "histogram": "Histogram", "scatter": "Scatter chart"}
    return f"{kind.get(figure.kind, 'Box plot')}: {clean(figure.title)}. {'. '.join(said)}"[:900]
