"""Statements as rows, each headed by its figure: a native table, so that figure and words stay side by side."""

from collections.abc import Sequence

from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.text import MSO_ANCHOR
from pptx.oxml import parse_xml
from pptx.shapes.placeholder import TablePlaceholder
from pptx.slide import Slide
from pptx.table import _Cell
from pptx.util import Pt

from activities.deliverables.deck import geometry
from activities.deliverables.deck.metrics import SPACING, line_height, text_height, width
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.tables import use_no_style
from activities.deliverables.deck.wording import dated, key_figure
from activities.deliverables.deck.writing import Citations, direct, first_paragraph, write_statement, write_text
from schema.contracts.deliverables import Statement
from schema.contracts.slides import SlidePlan, Visual, VisualKind

FIGURE_WIDTH = 218.0
FIGURE_PTS = (30.0, 26.0, 22.0, 20.0)
UNIT_PT = 14.0
TEXT_PTS = (20.0, 18.0, 16.0)
ROW_MOST = 96.0
MARGIN_X, MARGIN_Y = 6.0, 7.0
_TEXT_WIDTH = geometry.BODY.width - FIGURE_WIDTH


def key_figures_of(statements: Sequence[Statement], factor: float = 1.0) -> Visual | None:
    """Return rows where every one of two to five statements has a figure of its own and all of them fit."""
    labels = [key_figure(each.text) for each in statements]
    found = [each for each in labels if each]
    if not 2 <= len(statements) <= 5 or len(found) < len(labels) or len(set(found)) < len(found):
        return None
    large = _figure_size(found, factor)
    if large is None or _text_size(statements, found, large, factor) is None:
        return None
    return Visual(kind=VisualKind.KEY_FIGURES, labels=tuple(found))


def _split(label: str) -> tuple[str, str]:
    """Return a figure and what it counts; a date is not cut."""
    number, _, unit = label.partition(" ")
    return (label, "") if dated(label) or not unit[:1].isalpha() else (number, unit)


def _figure_size(labels: Sequence[str], factor: float) -> float | None:
    room, parts = FIGURE_WIDTH - 2 * MARGIN_X - 4, [_split(each) for each in labels]
    if any(width(unit, UNIT_PT, factor=factor) > room for _, unit in parts):
        return None
    high = 0.97 * geometry.BODY.height / len(labels)
    return next(
        (
            size
            for size in FIGURE_PTS
            if all(width(number, size, bold=True, factor=factor) <= room for number, _ in parts)
            and max(_label_height(each, size) for each in labels) <= high
        ),
        None,
    )


def _label_height(label: str, size: float) -> float:
    number, unit = _split(label)
    return line_height(number, size) + (line_height(unit, UNIT_PT) if unit else 0) + 2 * MARGIN_Y + 1


def _row_heights(
    statements: Sequence[Statement], labels: Sequence[str], size: float, large: float, factor: float
) -> list[float]:
    room = _TEXT_WIDTH - 2 * MARGIN_X - 2
    return [
        max(
            _label_height(label, large),
            text_height(each.text + marks_text(each), size, room, factor=factor) + 2 * MARGIN_Y + 1,
        )
        for each, label in zip(statements, labels, strict=True)
    ]


def _text_size(statements: Sequence[Statement], labels: Sequence[str], large: float, factor: float) -> float | None:
    room = 0.97 * geometry.BODY.height
    return next((size for size in TEXT_PTS if sum(_row_heights(statements, labels, size, large, factor)) <= room), None)


def draw_key_figures(
    slide: Slide,
    placeholder: TablePlaceholder,
    planned: SlidePlan,
    labels: Sequence[str],
    citations: Citations,
    factor: float,
) -> None:
    """Fill a table's placeholder with a row per statement."""
    statements = planned.statements
    large = _figure_size(labels, factor) or FIGURE_PTS[-1]
    size = _text_size(statements, labels, large, factor) or TEXT_PTS[-1]
    heights = _row_heights(statements, labels, size, large, factor)
    even = min(ROW_MOST, geometry.BODY.height * 0.97 / len(heights))
    if max(heights) <= even:
        heights = [even] * len(heights)
    frame = placeholder.insert_table(rows=len(statements), cols=2)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", "Key figures: " + "; ".join(labels)[:400])
    table = frame.table
    use_no_style(table)
    table.first_row = table.horz_banding = False
    table.columns[0].width, table.columns[1].width = Pt(FIGURE_WIDTH), Pt(_TEXT_WIDTH)
    for row, (statement, label, high) in enumerate(zip(statements, labels, heights, strict=True)):
        table.rows[row].height = Pt(high)
        _write_label(_prepared(table.cell(row, 0)), label, large)
        paragraph = first_paragraph(_prepared(table.cell(row, 1)).text_frame)
        paragraph.line_spacing = SPACING
        write_statement(slide, paragraph, statement, citations, size=size)
        for cell in (table.cell(row, 0), table.cell(row, 1)):
            _underline(cell)
    frame.left, frame.top = Pt(geometry.BODY.x), Pt(geometry.BODY.y)
    frame.width, frame.height = Pt(geometry.BODY.width), Pt(sum(heights))


def _write_label(cell: _Cell, label: str, large: float) -> None:
    number, unit = _split(label)
    paragraph = first_paragraph(cell.text_frame)
    run = write_text(paragraph, number, size=large, bold=True)
    run.font.color.theme_color = MSO_THEME_COLOR.TEXT_2
    paragraph.line_spacing = SPACING
    direct(paragraph, label)
    if unit:
        paragraph = cell.text_frame.add_paragraph()
        write_text(paragraph, unit, size=UNIT_PT)
        paragraph.line_spacing = SPACING
        direct(paragraph, label)


def _prepared(cell: _Cell) -> _Cell:
    cell.margin_left = cell.margin_right = Pt(MARGIN_X)
    cell.margin_top = cell.margin_bottom = Pt(MARGIN_Y)
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    cell.text_frame.word_wrap = True
    return cell


def _underline(cell: _Cell) -> None:
    """Draw a thin line below a cell; borders stand before fills in a cell's properties."""
    line = parse_xml(
        '<a:lnB xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" w="9525"><a:solidFill>'
        '<a:srgbClr val="D0D7DE"/></a:solidFill></a:lnB>'
    )
    cell._tc.get_or_add_tcPr().insert(0, line)
