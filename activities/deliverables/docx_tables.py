"""Tables of a DOCX: native ones, whose headings are repeated on every page."""

from collections.abc import Callable, Sequence

from docx.document import Document as DocumentObject
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.shared import Twips
from docx.table import Table, _Cell

from activities.deliverables.blocks import Said
from activities.deliverables.blocks import Table as Shown
from activities.deliverables.docx_pieces import element, set_direction

_MARGINS = 200
"""Of a cell, left and right, in twentieths of a point."""
_CHARACTER = 108
"""Width of one in a table's text, bold and generous."""
_WORD_CHARACTERS = 24
_CELL_CHARACTERS = 42


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


def column_widths(shown: Shown, width: int) -> list[int]:
    """Share a width among columns: each gets room for its longest word first, then what its longest cell wants.

    Args:
        width: of the table, in twentieths of a point, as all widths are.
    """
    least, wanted = list[int](), list[int]()
    for at, heading in enumerate(shown.heading):
        cells = [Said(heading), *(row[at] for row in shown.rows if at < len(row))]
        least.append(_MARGINS + _CHARACTER * min(max(map(_longest_word, cells)), _WORD_CHARACTERS))
        wanted.append(_MARGINS + _CHARACTER * min(max(map(_length, cells)), _CELL_CHARACTERS))
    wanted = list(map(max, least, wanted))
    if sum(wanted) <= width or sum(least) >= width:
        base = wanted if sum(wanted) <= width else least
        return [width * each // sum(base) for each in base]
    left, more = width - sum(least), sum(wanted) - sum(least)
    return [low + (high - low) * left // more for low, high in zip(least, wanted, strict=True)]


def _length(said: Said) -> int:
    marks = ", ".join(str(cite.n) for cite in said.cites)
    return len(said.words.text) + (2 + len(marks) * 2 // 3 if marks else 0)


def _longest_word(said: Said) -> int:
    """Return the characters of the longest word, the last one with its citation."""
    *others, last = said.words.text.split() or [""]
    return max([len(last) + _length(said) - len(said.words.text), *map(len, others)])
