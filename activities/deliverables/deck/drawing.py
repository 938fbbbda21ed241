"""Fills the place of a chart: natively where the format has such a chart, else with its picture or its medians."""

import io
from collections.abc import Mapping, Sequence

from PIL import Image
from pptx.shapes.placeholder import ChartPlaceholder, PicturePlaceholder
from pptx.util import Pt

from activities.deliverables.deck import geometry
from activities.deliverables.deck.charts import Data, bars, chart_data, describe, dress
from activities.deliverables.deck.figures import Axes, axes_of, numbers_in, points_of
from activities.deliverables.deck.sections import clean
from activities.deliverables.look import Look
from schema.contracts.deliverables import Figure
from schema.contracts.slides import Visual


def has_picture(figure: Figure, look: Look) -> bool:
    """Tell whether a figure is shown as a picture: a kind that is not native, and a picture is there."""
    return figure.kind == "box" and figure.name in look.pictures


def draw_chart(
    placeholder: ChartPlaceholder, visual: Visual, figures: Mapping[str, Figure], look: Look, said: Sequence[str]
) -> None:
    """Fill a chart's placeholder with a native chart.

    A box plot has none that all programs open; without its picture it is shown by its medians.
    """
    if visual.grid is not None and visual.column is not None:
        grid = visual.grid
        values = numbers_in(grid, visual.column) or []
        names = [row[0].text for row in grid.rows]
        data = bars(names, values, Axes(grid.heading[0], grid.heading[visual.column]))
        description = f"Bar chart: {grid.heading[visual.column]}. {'. '.join(said)}"
    else:
        figure = figures[visual.figure or ""]
        data = chart_data(figure) or _medians(figure)
        description = describe(figure, said)
    kind, numbers, axes = data
    frame = placeholder.insert_chart(kind, numbers)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", description[:900])
    values = [value for series in frame.chart.plots[0].series for value in series.values if value is not None]
    dress(frame.chart, kind, axes, values, look.body_font)


def draw_picture(placeholder: PicturePlaceholder, figure: Figure, look: Look, said: Sequence[str]) -> None:
    """Fill a picture's placeholder with a figure's picture, whole, in its own proportions."""
    png = look.pictures[figure.name].png
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        wide, high = picture.size
    shape = placeholder.insert_picture(io.BytesIO(png))
    box = geometry.CHART
    scale = min(box.width / wide, box.height / high)
    shape.crop_left = shape.crop_right = shape.crop_top = shape.crop_bottom = 0
    shape.left, shape.top = Pt(box.x), Pt(box.y)
    shape.width, shape.height = Pt(wide * scale), Pt(high * scale)
    shape._element.nvPicPr.cNvPr.set("descr", describe(figure, said))


def _medians(figure: Figure) -> Data:
    points, axes = points_of(figure), axes_of(figure)
    name = f"Median of {axes.x}" if axes.x else "Median"
    return bars([clean(str(each["x"])) for each in points], [each["median"] for each in points], Axes(axes.y, name))
