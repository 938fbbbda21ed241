"""Timelines and processes out of native shapes, grouped, so that they move and are described as one."""

from collections.abc import Sequence

from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.shapes.autoshape import Shape
from pptx.shapes.group import GroupShape
from pptx.slide import Slide
from pptx.util import Pt

from activities.deliverables.deck import geometry
from activities.deliverables.deck.geometry import Box
from activities.deliverables.deck.metrics import SPACING
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.visuals import (
    CARD_MARGIN,
    COLUMN_GAP,
    DIAGRAM_PT,
    EVENT_HEIGHT,
    card_height,
    column_width,
)
from activities.deliverables.deck.writing import Citations, first_paragraph, write_statement, write_text
from schema.contracts.deliverables import Statement

HEAD = 46.0
"""Height of the row of dates or arrows above the cards."""
DIAGRAM_PTS = (20.0, 18.0, 16.0, DIAGRAM_PT)


def draw_timeline(
    slide: Slide, statements: Sequence[Statement], dates: Sequence[str], citations: Citations, factor: float
) -> None:
    """Draw dated statements along a line, in the order of time."""
    group = _group(slide, "Timeline", f"Timeline of {len(dates)} events: " + "; ".join(dates))
    count, top = len(statements), geometry.BODY.y + 14
    line = _shape(group, MSO_SHAPE.RECTANGLE, Box(geometry.MARGIN, top + HEAD - 1.5, geometry.WIDTH, 3), "Line")
    _fill(line, MSO_THEME_COLOR.ACCENT_1)
    for number, said in enumerate(dates):
        left = _left(number, count)
        label = _shape(group, MSO_SHAPE.RECTANGLE, Box(left, top, column_width(count), HEAD - 14), f"Date {number + 1}")
        label.fill.background()
        _text(label, MSO_ANCHOR.MIDDLE, 0)
        run = write_text(first_paragraph(label.text_frame), said, size=18, bold=True)
        run.font.color.theme_color = MSO_THEME_COLOR.TEXT_2
        label.text_frame.paragraphs[0].alignment = PP_ALIGN.LEFT
        dot = _shape(group, MSO_SHAPE.OVAL, Box(left, top + HEAD - 7, 14, 14), f"Point {number + 1}")
        _fill(dot, MSO_THEME_COLOR.ACCENT_2)
    _cards(slide, group, statements, top + HEAD + 18, citations, factor)


def draw_process(slide: Slide, statements: Sequence[Statement], citations: Citations, factor: float) -> None:
    """Draw ordered steps as arrows with what is done in each below."""
    group = _group(slide, "Process", f"Process of {len(statements)} steps, in order")
    count, top = len(statements), geometry.BODY.y + 14
    for number in range(count):
        kind = MSO_SHAPE.PENTAGON if number == 0 else MSO_SHAPE.CHEVRON
        reach = column_width(count) + 10 * (number < count - 1)
        arrow = _shape(group, kind, Box(_left(number, count), top, reach, HEAD), f"Step {number + 1}")
        _fill(arrow, MSO_THEME_COLOR.TEXT_2)
        _text(arrow, MSO_ANCHOR.MIDDLE, 0)
        run = write_text(first_paragraph(arrow.text_frame), str(number + 1), size=20, bold=True)
        run.font.color.theme_color = MSO_THEME_COLOR.BACKGROUND_1
        arrow.text_frame.paragraphs[0].alignment = PP_ALIGN.CENTER
    _cards(slide, group, statements, top + HEAD + 14, citations, factor)


def _cards(
    slide: Slide, group: GroupShape, statements: Sequence[Statement], top: float, citations: Citations, factor: float
) -> None:
    count, texts = len(statements), [each.text + marks_text(each) for each in statements]
    heights = {size: max(card_height(text, count, size, factor) for text in texts) for size in DIAGRAM_PTS}
    size = next((size for size in DIAGRAM_PTS if heights[size] <= EVENT_HEIGHT), DIAGRAM_PTS[-1])
    high = min(EVENT_HEIGHT, heights[size] + 8)
    for number, each in enumerate(statements):
        box = Box(_left(number, count), top, column_width(count), high)
        card = _shape(group, MSO_SHAPE.RECTANGLE, box, f"Card {number + 1}")
        _fill(card, MSO_THEME_COLOR.BACKGROUND_2)
        _text(card, MSO_ANCHOR.TOP, CARD_MARGIN)
        paragraph = first_paragraph(card.text_frame)
        paragraph.line_spacing = SPACING
        paragraph.alignment = PP_ALIGN.LEFT
        write_statement(slide, paragraph, each, citations, size=size)
        for run in paragraph.runs:
            run.font.color.theme_color = MSO_THEME_COLOR.TEXT_1


def _left(number: int, count: int) -> float:
    return geometry.MARGIN + number * (column_width(count) + COLUMN_GAP)


def _group(slide: Slide, name: str, description: str) -> GroupShape:
    group = slide.shapes.add_group_shape()
    group.name = name
    group._element.nvGrpSpPr.cNvPr.set("descr", description[:500])
    return group


def _shape(group: GroupShape, kind: MSO_SHAPE, box: Box, name: str) -> Shape:
    shape = group.shapes.add_shape(kind, Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height))
    shape.name = name
    shape.line.fill.background()
    # The template's style of shapes has shadows and gradients.
    shape._element.remove(shape._element.find(qn("p:style")))
    return shape


def _fill(shape: Shape, colour: MSO_THEME_COLOR) -> None:
    shape.fill.solid()
    shape.fill.fore_color.theme_color = colour


def _text(shape: Shape, anchor: MSO_ANCHOR, margin: float) -> None:
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, anchor
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = Pt(margin)
