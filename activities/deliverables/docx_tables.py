"""Tables of a DOCX: native ones, whose headings are repeated on every page."""

from collections.abc import Callable, Sequence

from docx.document import Document as DocumentObject
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.shared import Twips
from docx.table import Table, _Cell

from activities.deliverables.blocks import Said
from activities.deliverables.docx_pieces import element, set_direction


def new_table(document: DocumentObject, style: str, widths: Sequence[int]) -> Table:
    """Add a table of one row.

    Args:
        widths: of its columns, in twentieths of a point.
    """
    table: Table = document.add_table(rows=1, cols=len(widths))
    table.style = style
    table.autofit = False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Twips(width)
    for cell, width in zip(table.rows[0].cells, widths, strict=True):
        cell.width = Twips(width)
    return table


def fill_table(
    table: Table,
    rows: Sequence[Sequence[Said]],
    numeric: Sequence[bool],
    write: Callable[[Said], list[BaseOxmlElement]],
    *,
    heading: bool,
) -> None:
    """Write rows into a table that has one yet.

    Args:
        numeric: which columns are set to the right.
        write: gives the runs of a cell.
        heading: the first row is one.
    """
    look = table._tbl.tblPr.find(qn("w:tblLook"))
    if look is not None:
        table._tbl.tblPr.remove(look)
    table._tbl.tblPr.append(
        element(
            "w:tblLook",
            {"w:val": "04A0" if heading else "0480", "w:firstRow": str(int(heading)), "w:firstColumn": "1"},
        )
    )
    for number, row in enumerate(rows):
        added = table.rows[0] if number == 0 else table.add_row()  # type: ignore[no-untyped-call]
        properties = added._tr.get_or_add_trPr()
        properties.append(element("w:cantSplit"))
        if heading and number == 0:
            properties.append(element("w:tblHeader"))
        for at, (cell, said) in enumerate(zip(added._tr.tc_lst, row, strict=False)):
            paragraph = _Cell(cell, table).paragraphs[0]
            paragraph.style = "Table Text"
            set_direction(paragraph, said.words.direction)
            if at < len(numeric) and numeric[at]:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            paragraph._p.extend(write(said))
