"""Native tables, with their citations in the cells."""

from lxml import etree
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.shapes.placeholder import TablePlaceholder
from pptx.slide import Slide
from pptx.table import Table, _Cell
from pptx.text.text import _Paragraph
from pptx.util import Pt

from activities.deliverables.deck import geometry
from activities.deliverables.deck.figures import numbers_in
from activities.deliverables.deck.gridding import measure_grid, size_of
from activities.deliverables.deck.metrics import SPACING, text_height
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.wording import elided
from activities.deliverables.deck.writing import Citations, direct, first_paragraph, write_statement, write_text
from schema.contracts.deliverables import Grid, Statement

NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
"""`No style, no grid`: the cells' own fills are the theme's."""


def draw_table(slide: Slide, placeholder: TablePlaceholder, grid: Grid, citations: Citations, factor: float) -> None:
    """Fill a table's placeholder."""
    size = size_of(grid, factor=factor) or geometry.TABLE_PTS[-1]
    grid = _within(grid, size, factor)
    measured = measure_grid(grid, size, factor)
    frame = placeholder.insert_table(rows=len(grid.rows) + 1, cols=len(grid.heading))
    frame._element.nvGraphicFramePr.cNvPr.set("descr", describe(grid))
    table: Table = frame.table
    use_no_style(table)
    for column, wide in enumerate(measured.columns):
        table.columns[column].width = Pt(wide)
    for place, high in enumerate(measured.rows):
        table.rows[place].height = Pt(high)
    frame.height = Pt(measured.height)
    frame.left, frame.top, frame.width = Pt(geometry.TABLE.x), Pt(geometry.TABLE.y), Pt(sum(measured.columns))
    right = {column for column in range(1, len(grid.heading)) if _is_numeric(grid, column)}
    for column, name in enumerate(grid.heading):
        cell = _prepared(table.cell(0, column), MSO_THEME_COLOR.TEXT_2)
        paragraph = first_paragraph(cell.text_frame)
        run = write_text(paragraph, name, size=size, bold=True)
        run.font.color.theme_color = MSO_THEME_COLOR.BACKGROUND_1
        paragraph.line_spacing = SPACING
        direct(paragraph, name)
        _align(paragraph, column in right)
    for number, row in enumerate(grid.rows, 1):
        for column, said in enumerate(row):
            fill = MSO_THEME_COLOR.BACKGROUND_2 if number % 2 == 0 else MSO_THEME_COLOR.BACKGROUND_1
            paragraph = first_paragraph(_prepared(table.cell(number, column), fill).text_frame)
            paragraph.line_spacing = SPACING
            write_statement(slide, paragraph, said, citations, size=size, bold=column == 0 or None)
            _align(paragraph, column in right)


def _within(grid: Grid, size: float, factor: float) -> Grid:
    """Shorten cells of a row that is higher than a slide; the notes have them in full."""
    measured = measure_grid(grid, size, factor)
    room = geometry.TABLE.height - measured.rows[0]
    if measured.height <= geometry.TABLE.height:
        return grid
    most = room / max(1, len(grid.rows))

    def cut(cell: Statement, wide: float) -> Statement:
        text = cell.text
        while len(text) > 20 and (
            text_height(text + marks_text(cell), size, wide - 2 * geometry.CELL_X - 1, factor=factor)
            > most - 2 * geometry.CELL_Y - 2
        ):
            text = elided(text, max(20, len(text) * 3 // 4))
        return cell.model_copy(update={"text": text})

    rows = tuple(tuple(cut(cell, wide) for cell, wide in zip(row, measured.columns, strict=True)) for row in grid.rows)
    return grid.model_copy(update={"rows": rows})


def describe(grid: Grid) -> str:
    """Return the text that stands for a table where it cannot be seen."""
    names = ", ".join(name for name in grid.heading if name)
    return f"Table of {len(grid.rows)} rows with the columns {names}"[:500]


def _is_numeric(grid: Grid, column: int) -> bool:
    texts = [row[column].text for row in grid.rows if row[column].text.strip("–- ")]
    return (bool(texts) and all(text[:1].isdigit() or text[:1] in "-+€$£" for text in texts)) or (
        numbers_in(grid, column) is not None
    )


def _align(paragraph: _Paragraph, is_right: bool) -> None:
    if is_right:
        paragraph.alignment = PP_ALIGN.RIGHT


def _prepared(cell: _Cell, fill: MSO_THEME_COLOR) -> _Cell:
    cell.margin_left = cell.margin_right = Pt(geometry.CELL_X)
    cell.margin_top = cell.margin_bottom = Pt(geometry.CELL_Y)
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    cell.fill.solid()
    cell.fill.fore_color.theme_color = fill
    cell.text_frame.word_wrap = True
    return cell


def use_no_style(table: Table) -> None:
    """Let a table have no borders and fills but its cells' own."""
    properties = table._tbl.tblPr
    style = properties.find(qn("a:tableStyleId"))
    if style is None:
        style = etree.SubElement(properties, qn("a:tableStyleId"))
    style.text = NO_STYLE
