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
from activities.deliverables.deck.metrics import text_height, width
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.tables import use_no_style
from activities.deliverables.deck.wording import key_figure
from activities.deliverables.deck.writing import Citations, direct, first_paragraph, write_statement, write_text
from schema.contracts.deliverables import Statement
from schema.contracts.slides import SlidePlan, Visual, VisualKind

FIGURE_WIDTH = 218.0
FIGURE_PTS = (28.0, 24.0, 20.0)
TEXT_PTS = (20.0, 18.0, 16.0)
ROW_LEAST, ROW_MOST = 54.0, 92.0
MARGIN_X, MARGIN_Y = 6.0, 7.0
_TEXT_WIDTH = geometry.BODY.width - FIGURE_WIDTH


def key_figures_of(statements: Sequence[Statement], factor: float = 1.0) -> Visual | None:
    """Return rows where every one of two to five statements has a figure of its own and all of them fit."""
    labels = [key_figure(each.text) for each in statements]
    found = [each for each in labels if each]
    if not 2 <= len(statements) <= 5 or len(found) < len(labels) or len(set(found)) < len(found):
        return None
    if _figure_size(found, factor) is None or _text_size(statements, factor) is None:
        return None
    return Visual(kind=VisualKind.KEY_FIGURES, labels=tuple(found))


def _figure_size(labels: Sequence[str], factor: float) -> float | None:
    room = FIGURE_WIDTH - 2 * MARGIN_X - 4
    widest = {size: max(width(each, size, bold=True, factor=factor) for each in labels) for size in FIGURE_PTS}
    return next((size for size in FIGURE_PTS if widest[size] <= room), None)


def _row_heights(statements: Sequence[Statement], size: float, factor: float) -> list[float]:
    room = _TEXT_WIDTH - 2 * MARGIN_X - 2
    return [
        max(ROW_LEAST, text_height(each.text + marks_text(each), size, room, factor=factor) + 2 * MARGIN_Y + 1)
        for each in statements
    ]


def _text_size(statements: Sequence[Statement], factor: float) -> float | None:
    return next(
        (size for size in TEXT_PTS if sum(_row_heights(statements, size, factor)) <= 0.97 * geometry.BODY.height), None
    )


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
    size = _text_size(statements, factor) or TEXT_PTS[-1]
    large = _figure_size(labels, factor) or FIGURE_PTS[-1]
    heights = _row_heights(statements, size, factor)
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
        paragraph = first_paragraph(_prepared(table.cell(row, 0)).text_frame)
        run = write_text(paragraph, label, size=large, bold=True)
        run.font.color.theme_color = MSO_THEME_COLOR.TEXT_2
        direct(paragraph, label)
        paragraph = first_paragraph(_prepared(table.cell(row, 1)).text_frame)
        write_statement(slide, paragraph, statement, citations, size=size)
        for cell in (table.cell(row, 0), table.cell(row, 1)):
            _underline(cell)
    frame.left, frame.top = Pt(geometry.BODY.x), Pt(geometry.BODY.y)
    frame.width, frame.height = Pt(geometry.BODY.width), Pt(sum(heights))


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
