"""Presentations: what is written on each slide, title first and the rest as it is laid out, then its notes. Pure."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import pptx
from pptx.exc import PythonPptxError

from activities.documents.builder import TextBuilder
from activities.documents.office import DAMAGED, READERS_FAIL_WITH, metadata_of
from schema.errors import PayloadTooLarge, UnsupportedFormat
from schema.policies import DOCUMENT_CHARACTERS_MAX

SLIDES_MAX = 2_000
GROUPS_NESTED_MAX = 20
ROW_EMU = 360_000
"""Shapes whose upper edges are less than a centimetre apart stand beside each other."""
TITLE_LEVEL = 2


def read_slides(data: bytes, builder: TextBuilder) -> None:
    """Append a presentation's text, a page for each slide. `office.check_office` has looked at it before.

    Raises:
        UnsupportedFormat: it is damaged.
        PayloadTooLarge: it has more slides than are read.
    """
    try:
        presentation = pptx.Presentation(BytesIO(data))
        slides = presentation.slides
        if len(slides) > SLIDES_MAX:
            raise PayloadTooLarge(
                f"The presentation has {len(slides)} slides; at most {SLIDES_MAX} are read. Split it."
            )
        for slide in slides:
            builder.page()
            _add_slide(builder, slide)
            if builder.length > DOCUMENT_CHARACTERS_MAX:
                break
        builder.metadata = metadata_of(presentation.core_properties)
    except (*READERS_FAIL_WITH, PythonPptxError) as error:
        raise UnsupportedFormat(DAMAGED) from error


def _add_slide(builder: TextBuilder, slide: Any) -> None:
    title = slide.shapes.title
    if title is not None:
        builder.heading(TITLE_LEVEL, " ".join(title.text_frame.text.split()))
    for shape in _in_order(slide.shapes, GROUPS_NESTED_MAX):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if shape.has_text_frame:
            _add_lines(builder, (paragraph.text for paragraph in shape.text_frame.paragraphs))
        elif getattr(shape, "has_table", False):
            rows = shape.table.rows
            _add_lines(builder, (" | ".join(" ".join(cell.text.split()) for cell in row.cells) for row in rows))
        elif getattr(shape, "has_chart", False):
            _add_lines(builder, _chart_rows(shape.chart))
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if frame is not None and frame.text.strip():
        builder.prose(f"Notes: {_plain(frame.text)}")


def _add_lines(builder: TextBuilder, lines: Iterable[str]) -> None:
    emit = builder.prose
    for line in lines:
        if line.strip(" |"):
            emit(_plain(line))
            emit = builder.line


def _plain(text: str) -> str:
    # python-pptx gives a line break as a vertical tab.
    return text.replace("\v", "\n")


def _in_order(shapes: Iterable[Any], nested: int) -> Iterator[Any]:
    """Yield shapes as they are read: from above, and beside each other from the left."""
    placed = sorted(shapes, key=lambda shape: ((shape.top or 0) // ROW_EMU, shape.left or 0))
    for shape in placed:
        if hasattr(shape, "shapes"):
            if nested:
                yield from _in_order(shape.shapes, nested - 1)
        else:
            yield shape


def _chart_rows(chart: Any) -> Iterator[str]:
    """Yield what a chart shows as rows: its categories, then each series with its values."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield chart.chart_title.text_frame.text
    for plot in chart.plots:
        yield " | ".join(("", *(str(category) for category in plot.categories)))
        for series in plot.series:
            yield " | ".join((series.name or "", *("" if value is None else f"{value:g}" for value in series.values)))
