"""Pieces of WordprocessingML that python-docx has no call for: fields, links, bookmarks, text in two directions."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from itertools import count

from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.text.paragraph import Paragraph

from activities.deliverables.blocks import Words
from activities.deliverables.look import ARABIC_FONT, CJK_FONT, HEBREW_FONT
from activities.deliverables.text import shortened

_EAST_ASIAN = {"zh": ("zh-CN", "SC"), "ja": ("ja-JP", "JP"), "ko": ("ko-KR", "KR")}
_COMPLEX = {"ar": ("ar-SA", ARABIC_FONT), "he": ("he-IL", HEBREW_FONT)}
_OTHER = {"el": "el-GR", "ru": "ru-RU"}
_SIDES = [qn(f"w:{side}") for side in ("top", "left", "bottom", "right")]
_TOOLTIP_CHARACTERS = 250
"""Word shows no more (ECMA-376, 17.16.22: 260)."""


class Bookmarks:
    """Gives bookmarks their numbers."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def around(self, name: str, elements: Iterable[BaseOxmlElement]) -> list[BaseOxmlElement]:
        """Return elements within a bookmark."""
        number = str(next(self._numbers))
        start = element("w:bookmarkStart", {"w:id": number, "w:name": bookmark(name)})
        return [start, *elements, element("w:bookmarkEnd", {"w:id": number})]


def bookmark(anchor: str) -> str:
    """Return an anchor as the name of a bookmark: letters, digits and underscores, at most 40."""
    return anchor.replace("-", "_")[:40]


def element(tag: str, attributes: dict[str, str] | None = None, *children: BaseOxmlElement) -> BaseOxmlElement:
    """Return an element by its prefixed names."""
    made = OxmlElement(tag)
    for name, value in (attributes or {}).items():
        made.set(qn(name), value)
    made.extend(children)
    return made


def run(text: str, style: str | None = None, words: Words | None = None) -> BaseOxmlElement:
    """Return a run of text in a character style, with the direction, language and font that the words need."""
    properties = element("w:rPr")
    if style:
        properties.append(element("w:rStyle", {"w:val": style}))
    tag = words.language if words is not None else None
    if tag in _EAST_ASIAN:
        font = f"{CJK_FONT.removesuffix(' SC')} {_EAST_ASIAN[tag][1]}"
        properties.append(element("w:rFonts", {"w:eastAsia": font, "w:hint": "eastAsia"}))
    elif tag in _COMPLEX:
        properties.append(element("w:rFonts", {"w:cs": _COMPLEX[tag][1]}))
    if words is not None and words.direction == "rtl":
        properties.append(element("w:rtl"))
    if tag in _EAST_ASIAN:
        properties.append(element("w:lang", {"w:eastAsia": _EAST_ASIAN[tag][0]}))
    elif tag in _COMPLEX:
        properties.append(element("w:lang", {"w:bidi": _COMPLEX[tag][0]}))
    elif tag in _OTHER:
        properties.append(element("w:lang", {"w:val": _OTHER[tag]}))
    made = element("w:r")
    if len(properties):
        made.append(properties)
    made.append(written(text))
    return made


def written(text: str) -> BaseOxmlElement:
    """Return text of a run, with its blanks."""
    made = element("w:t")
    made.text = text
    made.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return made


def tab() -> BaseOxmlElement:
    """Return a run that is a tabulator."""
    return element("w:r", None, element("w:tab"))


def link_inside(anchor: str, tooltip: str, *runs: BaseOxmlElement) -> BaseOxmlElement:
    """Return a link to a bookmark of the document."""
    attributes = {"w:anchor": bookmark(anchor), "w:history": "1"}
    if tooltip:
        attributes["w:tooltip"] = shortened(tooltip, _TOOLTIP_CHARACTERS)
    return element("w:hyperlink", attributes, *runs)


def link_outside(paragraph: Paragraph, address: str, *runs: BaseOxmlElement) -> BaseOxmlElement:
    """Return a link to an address of the web."""
    relation = paragraph.part.relate_to(address, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    return element("w:hyperlink", {"r:id": relation, "w:history": "1"}, *runs)


def field(instruction: str, shown: str, style: str | None = None) -> list[BaseOxmlElement]:
    """Return a field with the result that is shown until a program computes it anew."""
    # Programs differ in whose style the result takes: all runs have it.
    return [*field_start(instruction, style), run(shown, style), field_end(style)]


def field_start(instruction: str, style: str | None = None) -> list[BaseOxmlElement]:
    """Return the runs before a field's result."""
    code = element("w:instrText")
    code.text = f" {instruction} "
    code.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    marks = [element("w:fldChar", {"w:fldCharType": each}) for each in ("begin", "separate")]
    return [_styled(each, style) for each in (marks[0], code, marks[1])]


def field_end(style: str | None = None) -> BaseOxmlElement:
    """Return the run behind a field's result."""
    return _styled(element("w:fldChar", {"w:fldCharType": "end"}), style)


def _styled(content: BaseOxmlElement, style: str | None) -> BaseOxmlElement:
    look = [element("w:rPr", None, element("w:rStyle", {"w:val": style}))] if style else []
    return element("w:r", None, *look, content)


def set_direction(paragraph: Paragraph, direction: str) -> None:
    """Let a paragraph run from the right, where its words do; the line beside a quotation changes sides."""
    if direction != "rtl":
        return
    properties = paragraph._p.get_or_add_pPr()
    added = [element("w:bidi")]
    style = paragraph.style
    is_quote = style is not None and style.name == "Quote"
    borders = style.element.find(f"{qn('w:pPr')}/{qn('w:pBdr')}") if style is not None and is_quote else None
    if borders is not None and (left := borders.find(qn("w:left"))) is not None:
        mirrored = deepcopy(borders)
        mirrored.remove(mirrored.find(qn("w:left")))
        mirrored.extend([element("w:left", {"w:val": "nil"}), element("w:right", dict(_prefixed(left)))])
        mirrored[:] = sorted(mirrored, key=lambda each: _SIDES.index(each.tag))
        added.insert(0, mirrored)
    later = [qn(name) for name in ("w:spacing", "w:ind", "w:jc", "w:outlineLvl", "w:rPr", "w:sectPr")]
    place = next((each for each in properties if each.tag in later), None)
    for each in added:
        properties.append(each) if place is None else place.addprevious(each)


def _prefixed(border: BaseOxmlElement) -> Iterator[tuple[str, str]]:
    for name, value in border.attrib.items():
        yield f"w:{name.rpartition('}')[2]}", value
