"""Text on slides: runs in their language and direction, citations that lead to the slide of sources, links."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lxml import etree
from pptx.opc.constants import RELATIONSHIP_TYPE as RELATION
from pptx.oxml import parse_xml
from pptx.oxml.ns import qn
from pptx.slide import Slide
from pptx.text.text import TextFrame, _Paragraph, _Run
from pptx.util import Pt

from activities.deliverables.deck.wording import FIGURE
from activities.deliverables.look import CJK_FONT, HEBREW_FONT
from schema.contracts.deliverables import Statement

_LANGUAGES = (
    (re.compile("[\u3040-\u30ff]"), "ja-JP"),
    (re.compile("[\uac00-\ud7af]"), "ko-KR"),
    (re.compile("[\u3400-\u9fff]"), "zh-CN"),
    (re.compile("[\u0590-\u05ff]"), "he-IL"),
    (re.compile("[\u0600-\u06ff]"), "ar-SA"),
    (re.compile("[\u0370-\u03ff]"), "el-GR"),
    (re.compile("[\u0400-\u04ff]"), "ru-RU"),
    (re.compile("[\u0e00-\u0e7f]"), "th-TH"),
    (re.compile("[\u0900-\u097f]"), "hi-IN"),
)
_CJK_FONTS = {"ja-JP": "Noto Sans CJK JP", "ko-KR": "Noto Sans CJK KR", "zh-CN": CJK_FONT}
MARK_RAISE = "30000"
"""Superscript, in thousandths of a percent."""
_SLIDE_JUMP = "ppaction://hlinksldjump"


def language_of(text: str) -> str:
    """Return a text's language tag by the script that most of its letters are in; Latin letters count as English."""
    letters = sum(character.isalpha() for character in text)
    for script, tag in _LANGUAGES:
        if 3 * len(script.findall(text)) > letters > 0:
            return tag
    return "en-US"


def is_rtl(text: str) -> bool:
    """Tell whether a paragraph reads from right to left: by most of its letters."""
    hebrew_or_arabic = sum("\u0590" <= each <= "\u08ff" or "\ufb1d" <= each <= "\ufdff" for each in text)
    return 2 * hebrew_or_arabic > sum(character.isalpha() for character in text)


@dataclass
class Citations:
    """Where the marks of a deck lead: the slide that lists each source."""

    slides: Mapping[int, Slide] = field(default_factory=dict)


def style(run: _Run, text: str) -> None:
    """Give a run its language and, where the theme's fonts have no glyphs for it, its font."""
    language = language_of(text)
    properties = run._r.get_or_add_rPr()
    properties.set("lang", language)
    if language in _CJK_FONTS:
        properties.set("altLang", "en-US")
        _font(properties, "ea", _CJK_FONTS[language])
    elif language == "he-IL":
        _font(properties, "cs", HEBREW_FONT)


def _font(properties: etree._Element, slot: str, family: str) -> None:
    element = etree.SubElement(properties, qn(f"a:{slot}"))
    element.set("typeface", family)


def first_paragraph(frame: TextFrame) -> _Paragraph:
    """Return a text frame's only paragraph, emptied."""
    frame.clear()
    return frame.paragraphs[0]


def write_text(paragraph: _Paragraph, text: str, *, size: float | None = None, bold: bool | None = None) -> _Run:
    """Add a run of text."""
    run = paragraph.add_run()
    run.text = text
    if size is not None:
        run.font.size = Pt(size)
    if bold is not None:
        run.font.bold = bold
    style(run, text)
    return run


def direct(paragraph: _Paragraph, text: str) -> None:
    """Set a paragraph's direction by its text; said of every paragraph, since LibreOffice hands it on to the next."""
    properties = paragraph._p.get_or_add_pPr()
    rtl = is_rtl(text)
    properties.set("rtl", "1" if rtl else "0")
    if rtl:
        properties.set("algn", "r")


def align_left(paragraph: _Paragraph) -> None:
    """Align a paragraph that reads from left to right beside others that do not."""
    properties = paragraph._p.get_or_add_pPr()
    if properties.get("rtl") != "1":
        properties.set("algn", "l")


def write_statement(
    slide: Slide,
    paragraph: _Paragraph,
    statement: Statement,
    citations: Citations,
    *,
    text: str | None = None,
    size: float | None = None,
    bold: bool | None = None,
    emphasis: bool = False,
) -> None:
    """Write a statement and its marks, each a link to the slide that lists the source."""
    said = statement.text if text is None else text
    at = 0
    for found in FIGURE.finditer(said) if emphasis else ():
        if found.start() > at:
            write_text(paragraph, said[at : found.start()], size=size, bold=bold)
        write_text(paragraph, found.group(), size=size, bold=True)
        at = found.end()
    if at < len(said) or not said:
        write_text(paragraph, said[at:], size=size, bold=bold)
    write_marks(slide, paragraph, statement.marks, citations, size=size)
    direct(paragraph, said)


def write_marks(
    slide: Slide, paragraph: _Paragraph, marks: Sequence[int], citations: Citations, *, size: float | None = None
) -> None:
    """Add `[n]` for every mark, raised; marks whose sources stand on one slide are one link."""
    for target, group in groupby(marks, citations.slides.get):
        # Keeps a mark on its statement's last line; and LibreOffice takes links that touch for one.
        _raised(paragraph, "\u00a0", size)
        run = _raised(paragraph, "".join(f"[{mark}]" for mark in group), size)
        if target is not None:
            jump(slide, run, target)


def _raised(paragraph: _Paragraph, text: str, size: float | None) -> _Run:
    run = write_text(paragraph, text, size=size, bold=False)
    run._r.get_or_add_rPr().set("baseline", MARK_RAISE)
    return run


def jump(slide: Slide, run: _Run, target: Slide) -> None:
    """Let a run lead to another slide of the deck."""
    rid = slide.part.relate_to(target.part, RELATION.SLIDE)
    run._r.get_or_add_rPr().append(_link(rid, _SLIDE_JUMP))


def link(slide: Slide, run: _Run, uri: str) -> None:
    """Let a run lead to an address, which the caller has checked."""
    rid = slide.part.relate_to(uri, RELATION.HYPERLINK, is_external=True)
    run._r.get_or_add_rPr().append(_link(rid))


def _link(rid: str, action: str = "") -> etree._Element:
    does = f' action="{action}"' if action else ""
    return parse_xml(
        '<a:hlinkClick xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
        f'r:id="{rid}"{does}/>'
    )
