"""Word documents: headings, paragraphs, lists and tables in their order, notes after what they belong to. Pure.

python-docx opens the package; its paragraphs leave out what stands in content controls, text boxes, tracked insertions
and notes, so the tree is walked here. What nobody sees is left out: deleted and hidden text, field codes, comments.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from activities.documents.builder import TextBuilder
from activities.documents.numbering import Numbering
from activities.documents.office import DAMAGED, READERS_FAIL_WITH, metadata_of
from schema.errors import UnsupportedFormat
from schema.policies import DOCUMENT_CHARACTERS_MAX

HEADING_LENGTH_MAX = 300
"""Longer paragraphs are prose, whatever their style says."""
_STYLES_NESTED_MAX = 20
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_UNSEEN = frozenset(
    (*(qn(f"w:{name}") for name in ("del", "moveFrom", "instrText", "rPr", "pPr", "sdtPr", "rt", "delText")), _FALLBACK)
)
_NOTES = {qn("w:footnoteReference"): "footnote", qn("w:endnoteReference"): "endnote"}
_AS_TEXT = {qn("w:tab"): " ", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_HOLDERS = frozenset(
    qn(f"w:{name}") for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "body", "txbxContent")
)
_OFF = ("0", "false", "off", "none")


def read_word(data: bytes, builder: TextBuilder) -> None:
    """Append a document's text. `office.check_office` has looked at it before.

    Raises:
        UnsupportedFormat: it is damaged.
    """
    try:
        document = docx.Document(BytesIO(data))
        walker = _Walker(builder, _Styles(document.styles.element), Numbering(_related(document.part, "NUMBERING")))
        walker.notes = {
            kind: _notes(_related(document.part, f"{kind.upper()}S"), kind) for kind in ("footnote", "endnote")
        }
        walker.blocks(document.element.body)
        builder.metadata = metadata_of(document.core_properties)
    except (*READERS_FAIL_WITH, OpcError) as error:
        raise UnsupportedFormat(DAMAGED) from error


def _related(part: Any, kind: str) -> Any | None:
    try:
        found = part.part_related_by(getattr(RELATIONSHIP_TYPE, kind))
    except KeyError:
        return None
    return found.element if hasattr(found, "element") else parse_xml(found.blob)


def _notes(element: Any | None, kind: str) -> dict[str, Any]:
    """Return notes by their id, without the lines that separate them from the page."""
    found = element.iter(qn(f"w:{kind}")) if element is not None else ()
    return {note.get(qn("w:id"), ""): note for note in found if note.get(qn("w:type")) in (None, "normal")}


@dataclass
class _Styles:
    """What the styles of paragraphs come to, each with those that it is based on."""

    element: Any
    _by_id: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id = {style.get(qn("w:styleId"), ""): style for style in self.element.iter(qn("w:style"))}

    def chain(self, style_id: str) -> Iterator[Any]:
        for _ in range(_STYLES_NESTED_MAX):
            style = self._by_id.get(style_id)
            if style is None:
                return
            yield style
            style_id = _value(style, "w:basedOn")

    def name(self, style_id: str) -> str:
        style = self._by_id.get(style_id)
        return _value(style, "w:name").lower() if style is not None else ""


class _Walker:
    """Appends what stands in a tree, block by block."""

    def __init__(self, builder: TextBuilder, styles: _Styles, numbering: Numbering) -> None:
        self._builder = builder
        self._styles = styles
        self._numbering = numbering
        self.notes: dict[str, dict[str, Any]] = {}
        self._told: dict[str, int] = {"footnote": 0, "endnote": 0}
        self._titled = False
        self._in_list = False

    def blocks(self, holder: Any) -> None:
        """Append paragraphs and tables."""
        for child in holder:
            if self._builder.length > DOCUMENT_CHARACTERS_MAX:
                return
            if child.tag == qn("w:p"):
                self._paragraph(child)
            elif child.tag == qn("w:tbl"):
                self._table(child)
            elif child.tag in _HOLDERS and not _is_placeholder(child):
                self.blocks(child)

    def _paragraph(self, paragraph: Any) -> None:
        found = _Inline()
        found.add(paragraph)
        text = found.text().strip()
        style_id = _value(paragraph.pPr, "w:pStyle") if paragraph.pPr is not None else ""
        name = self._styles.name(style_id)
        # A table of contents says again what the headings say.
        if text and not name.startswith("toc "):
            self._block(paragraph, text, style_id, name)
        for box in found.boxes:
            self._in_list = False
            self.blocks(box)
        self._append_notes(found)

    def _block(self, paragraph: Any, text: str, style_id: str, name: str) -> None:
        label = self._label(paragraph, style_id)
        numbered = f"{label} {text}" if label else text
        level = self._level(paragraph, style_id, name)
        if level and len(text) <= HEADING_LENGTH_MAX:
            self._in_list = False
            self._builder.heading(level, numbered)
        elif label is not None:
            (self._builder.line if self._in_list else self._builder.prose)(numbered)
            self._in_list = True
        else:
            self._in_list = False
            self._builder.prose(text)

    def _level(self, paragraph: Any, style_id: str, name: str) -> int:
        """Return the level of a heading, from 1; 0: it is none."""
        if name == "title":
            self._titled = True
            return 1
        for properties in self._properties(paragraph, style_id):
            outline = _value(properties, "w:outlineLvl")
            if outline.isdigit():
                return min(int(outline) + 1 + self._titled, 9) if int(outline) < 9 else 0
        return 0

    def _label(self, paragraph: Any, style_id: str) -> str | None:
        """Return the number or bullet before a paragraph; empty for a bullet, None where it is in no list."""
        level = ""
        for properties in self._properties(paragraph, style_id):
            numbering = properties.find(qn("w:numPr"))
            if numbering is None:
                continue
            level = level or _value(numbering, "w:ilvl")
            if number_id := _value(numbering, "w:numId"):
                # 17.9.18: zero takes the numbering of the style away.
                return None if number_id == "0" else self._numbering.label(number_id, int(level or 0))
        return None

    def _properties(self, paragraph: Any, style_id: str) -> Iterator[Any]:
        """Yield a paragraph's properties, then those of its styles."""
        if paragraph.pPr is not None:
            yield paragraph.pPr
        for style in self._styles.chain(style_id):
            if (properties := style.find(qn("w:pPr"))) is not None:
                yield properties

    def _table(self, table: Any) -> None:
        """Append rows, cells separated by `|`; a table of one column is a box around paragraphs."""
        self._in_list = False
        deleted = f"{qn('w:trPr')}/{qn('w:del')}"
        rows = [list(_cells(row)) for row in _inside(table, qn("w:tr")) if row.find(deleted) is None]
        if all(len(row) <= 1 for row in rows):
            for row in rows:
                for cell in row:
                    self.blocks(cell)
            return
        above: dict[int, str] = {}
        emit, found = self._builder.prose, _Inline()
        for row in rows:
            texts, column = [], 0
            for cell in row:
                # A cell that goes on from the row above says the same for this one.
                text = above.get(column, "") if _goes_on(cell) else " ".join(found.of_cell(cell).split())
                texts.append(text)
                above[column] = text
                column += _span(cell)
            if any(texts):
                emit(" | ".join(texts))
                emit = self._builder.line
        self._append_notes(found)

    def _append_notes(self, found: "_Inline") -> None:
        for kind, note_id in found.notes:
            note = self.notes.get(kind, {}).get(note_id)
            if note is None:
                continue
            self._told[kind] += 1
            text = " ".join(_Inline().of_cell(note).split())
            if text:
                self._builder.prose(f"{kind.capitalize()} {self._told[kind]}: {text}")
                self._in_list = False


class _Inline:
    """Gathers what is read in a paragraph, and what hangs on it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.notes: list[tuple[str, str]] = []
        """Kind and id, in their order."""
        self.boxes: list[Any] = []
        """Text boxes."""

    def text(self) -> str:
        return "".join(self._parts)

    def of_cell(self, cell: Any) -> str:
        """Return the text of all paragraphs in a cell or a note."""
        texts = []
        for paragraph in cell.iter(qn("w:p")):
            self._parts = []
            self.add(paragraph)
            texts.append(self.text())
        self.boxes = []
        return " ".join(texts)

    def add(self, element: Any) -> None:
        for child in element:
            tag = child.tag
            if tag in _UNSEEN or _is_placeholder(child) or (tag == qn("w:r") and _is_hidden(child)):
                continue
            if tag in (qn("w:t"), _MATH):
                self._parts.append(child.text or "")
            elif tag in _AS_TEXT:
                self._parts.append(_AS_TEXT[tag])
            elif tag in _NOTES:
                self.notes.append((_NOTES[tag], child.get(qn("w:id"), "")))
            elif tag == qn("w:txbxContent"):
                self.boxes.append(child)
            else:
                self.add(child)


def _inside(holder: Any, tag: str) -> Iterator[Any]:
    """Yield children, also those in content controls and tracked insertions."""
    for child in holder:
        if child.tag == tag:
            yield child
        elif child.tag in _HOLDERS:
            yield from _inside(child, tag)


def _cells(row: Any) -> Iterator[Any]:
    return _inside(row, qn("w:tc"))


def _span(cell: Any) -> int:
    span = _value(cell.find(qn("w:tcPr")), "w:gridSpan")
    return int(span) if span.isdigit() and len(span) < 4 else 1


def _goes_on(cell: Any) -> bool:
    properties = cell.find(qn("w:tcPr"))
    merged = properties.find(qn("w:vMerge")) if properties is not None else None
    return merged is not None and merged.get(qn("w:val"), "continue") == "continue"


def _is_hidden(run: Any) -> bool:
    properties = run.find(qn("w:rPr"))
    hidden = properties.find(qn("w:vanish")) if properties is not None else None
    return hidden is not None and hidden.get(qn("w:val"), "1") not in _OFF


def _is_placeholder(control: Any) -> bool:
    """Tell whether a content control only says what to write in it."""
    return control.tag == qn("w:sdt") and control.find(f"{qn('w:sdtPr')}/{qn('w:showingPlcHdr')}") is not None


def _value(parent: Any | None, tag: str) -> str:
    child = parent.find(qn(tag)) if parent is not None else None
    return str(child.get(qn("w:val"), "")) if child is not None else ""
