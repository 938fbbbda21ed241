"""Measures a finished deck as a critical reader would: on the file, with real fonts, knowing nothing of its plan."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

from pptx import Presentation
from pptx.opc.constants import RELATIONSHIP_TYPE as RELATION
from pptx.oxml.ns import qn

from activities.deliverables.colours import TEXT_CONTRAST, contrast
from activities.deliverables.deck import master as layouts
from activities.deliverables.deck.colours import LARGE_CONTRAST
from activities.deliverables.deck.geometry import EMU, Box
from activities.deliverables.deck.inspecting import Inspected, Run, box_of, paragraph_height

BODY_LEAST_PT, TABLE_LEAST_PT, FOOTNOTE_LEAST_PT, TITLE_LEAST_PT = 14.0, 11.0, 9.0, 20.0
WORDS_MAX, SOURCE_WORDS_MAX = 130, 1_200
TOLERANCE = 1.0
"""In points."""
_LARGE_PT, _LARGE_BOLD_PT = 18.0, 14.0
"""Text that WCAG 2.2 calls large."""
_FOOTNOTES = (layouts.CAPTION_IDX, layouts.TOPIC_IDX, layouts.FACTS_IDX, layouts.FOOTER_IDX, layouts.NUMBER_IDX)
_MARK = re.compile(r"\[(\d+)\]")


class LintRule(StrEnum):
    """What can be wrong with a slide."""

    OVERFLOW = "overflow"
    OVERLAP = "overlap"
    OFF_SLIDE = "off_slide"
    CONTRAST = "contrast"
    FONT_SIZE = "font_size"
    EMPTY_PLACEHOLDER = "empty_placeholder"
    MISSING_NOTES = "missing_notes"
    TOO_MANY_WORDS = "too_many_words"
    MISSING_ALT_TEXT = "missing_alt_text"
    BROKEN_CITATION = "broken_citation"
    EMPTY_SLIDE = "empty_slide"


@dataclass(frozen=True)
class LintFinding:
    """One thing that is wrong."""

    slide: int
    """From 1."""
    rule: LintRule
    shape: str
    """The shape's name; empty: the slide as a whole."""
    message: str


@dataclass
class _Text:
    """A paragraph in its place."""

    shape: Any
    runs: list[Run]
    background: str
    least: float


def lint(pptx: bytes) -> list[LintFinding]:
    """Return what is wrong with a deck, in the order of its slides."""
    deck = Presentation(io.BytesIO(pptx))
    entries = _entries(deck)
    found = list[LintFinding]()
    for number, slide in enumerate(deck.slides, 1):
        linter = _Linter(number, Inspected(slide), Box(0, 0, deck.slide_width / EMU, deck.slide_height / EMU), entries)
        found += linter.findings()
    return found


def _entries(deck: Any) -> dict[str, set[int]]:
    """Return which sources each slide lists, by the name of its part."""
    found = dict[str, set[int]]()
    for slide in deck.slides:
        if slide.slide_layout.name != "Sources":
            continue
        for shape in slide.placeholders:
            for paragraph in shape.text_frame.paragraphs if shape.has_text_frame else ():
                if mark := re.match(r"\[(\d+)\] ", paragraph.text):
                    found.setdefault(str(slide.part.partname), set()).add(int(mark.group(1)))
    return found


class _Linter:
    def __init__(self, number: int, inspected: Inspected, page: Box, entries: dict[str, set[int]]) -> None:
        self._number = number
        self._inspected = inspected
        self._slide = inspected.slide
        self._page = page
        self._entries = entries
        self._is_sources = inspected.layout.name == "Sources"
        self._heights: dict[int, float] = {}

    def findings(self) -> Iterator[LintFinding]:
        texts = list[_Text]()
        for shape in self._shapes(self._slide.shapes):
            yield from self._filled(shape)
            if shape.has_text_frame and shape.text_frame.text.strip():
                yield from self._overflow(shape)
                texts += self._texts(shape)
            elif getattr(shape, "has_table", False):
                yield from self._table(shape, texts)
        for text in texts:
            yield from self._readable(text)
            yield from self._cited(text)
        yield from self._placed()
        yield from self._words()
        if not self._slide.has_notes_slide or not self._slide.notes_slide.notes_text_frame.text.strip():
            yield self._says(LintRule.MISSING_NOTES, "", "the slide has no speaker notes")

    def _says(self, rule: LintRule, shape: str, message: str) -> LintFinding:
        return LintFinding(self._number, rule, shape, message)

    def _shapes(self, shapes: Any) -> Iterator[Any]:
        for shape in shapes:
            if shape.shape_type is not None and "GROUP" in str(shape.shape_type):
                yield from self._shapes(shape.shapes)
            else:
                yield shape

    def _filled(self, shape: Any) -> Iterator[LintFinding]:
        if shape.is_placeholder and not shape._element.tag.endswith(("}graphicFrame", "}pic")):
            is_content = shape.placeholder_format.idx == layouts.CONTENT_IDX
            if is_content or not shape.text_frame.text.strip():
                yield self._says(LintRule.EMPTY_PLACEHOLDER, shape.name, "nothing stands in the placeholder")

    def _overflow(self, shape: Any) -> Iterator[LintFinding]:
        inspected, box = self._inspected, box_of(shape)
        inset = inspected.insets(shape)
        high = inset["tIns"] + inset["bIns"]
        for paragraph in shape.text_frame.paragraphs:
            styles = list(inspected.styles(shape, paragraph))
            margin = next((int(style.get("marL")) / EMU for style in styles if style.get("marL") is not None), 0.0)
            room = box.width - inset["lIns"] - inset["rIns"] - margin
            runs = inspected.runs(paragraph, styles, 18.0)
            high += paragraph_height(paragraph, runs, styles, room)
        if high > box.height + TOLERANCE:
            message = f"its text is {high:.0f} pt high, the box {box.height:.0f} pt"
            yield self._says(LintRule.OVERFLOW, shape.name, message)

    def _texts(self, shape: Any) -> Iterator[_Text]:
        background = self._background(shape)
        for paragraph in shape.text_frame.paragraphs:
            runs = self._inspected.runs(paragraph, list(self._inspected.styles(shape, paragraph)), 18.0)
            yield _Text(shape, runs, background, self._least(shape))

    def _least(self, shape: Any) -> float:
        if shape.is_placeholder:
            idx = shape.placeholder_format.idx
            if idx in _FOOTNOTES or (self._is_sources and idx != layouts.TITLE_IDX):
                return FOOTNOTE_LEAST_PT
            return TITLE_LEAST_PT if idx == layouts.TITLE_IDX else BODY_LEAST_PT
        return BODY_LEAST_PT

    def _background(self, shape: Any) -> str:
        """Return the colour behind a text: its shape's, or that of the layout's shape below it, or the master's."""
        for element in self._inspected.chain(shape):
            if (own := self._inspected.colour_in(element.find(qn("p:spPr")))) is not None:
                return own
        box = box_of(shape)
        for each in reversed(list(self._inspected.layout.shapes)):
            if each.is_placeholder or not each.has_text_frame:
                continue
            fill, under = self._inspected.colour_in(each._element.find(qn("p:spPr"))), box_of(each)
            if (
                fill
                and under.x <= box.x + 1
                and under.right >= box.right - 1
                and (under.y <= box.y + 1 and under.bottom >= box.bottom - 1)
            ):
                return fill
        fill = self._inspected.colour_in(self._inspected.master._element.find(f".//{qn('p:bgPr')}"))
        return fill or "#ffffff"

    def _table(self, shape: Any, texts: list[_Text]) -> Iterator[LintFinding]:
        inspected, table, total = self._inspected, shape.table, 0.0
        style = [inspected.master._element.find(f".//{qn('p:otherStyle')}/{qn('a:lvl1pPr')}")]
        for row in table.rows:
            high = row.height / EMU
            for cell, column in zip(row.cells, table.columns, strict=True):
                room = (column.width - cell.margin_left - cell.margin_right) / EMU
                needed = (cell.margin_top + cell.margin_bottom) / EMU
                fill = inspected.colour_in(cell._tc.tcPr) or "#ffffff"
                for paragraph in cell.text_frame.paragraphs:
                    runs = inspected.runs(paragraph, style, 18.0)
                    needed += paragraph_height(paragraph, runs, style, room)
                    texts.append(_Text(shape, runs, fill, TABLE_LEAST_PT))
                high = max(high, needed)
            total += high
        self._heights[shape.shape_id] = total
        box = box_of(shape)
        if total > box.height + 3 * TOLERANCE:
            message = f"its rows need {total:.0f} pt, and it is drawn {box.height:.0f} pt high"
            yield self._says(LintRule.OVERFLOW, shape.name, message)

    def _readable(self, text: _Text) -> Iterator[LintFinding]:
        for run in text.runs:
            if not run.text.strip():
                continue
            if run.size < text.least:
                message = f"{run.size:g} pt is smaller than {text.least:g} pt: {run.text[:40]}"
                yield self._says(LintRule.FONT_SIZE, text.shape.name, message)
            large = run.size >= _LARGE_PT or (run.bold and run.size >= _LARGE_BOLD_PT)
            seen = contrast(run.colour, text.background)
            if seen < (LARGE_CONTRAST if large else TEXT_CONTRAST):
                message = f"{run.colour} on {text.background} has a contrast of {seen:.1f}: {run.text[:40]}"
                yield self._says(LintRule.CONTRAST, text.shape.name, message)

    def _cited(self, text: _Text) -> Iterator[LintFinding]:
        relations = self._slide.part.rels
        for run in text.runs:
            click = run.element.find(f"{qn('a:rPr')}/{qn('a:hlinkClick')}")
            target = relations.get(click.get(qn("r:id"))) if click is not None else None
            if click is not None and target is None:
                yield self._says(LintRule.BROKEN_CITATION, text.shape.name, f"a link leads nowhere: {run.text[:40]}")
                continue
            if target is not None and target.reltype == RELATION.HYPERLINK:
                if not target.target_ref.lower().startswith(("http://", "https://")):
                    message = f"a link leads to {target.target_ref[:60]}"
                    yield self._says(LintRule.BROKEN_CITATION, text.shape.name, message)
                continue
            if not run.raised:
                continue
            listed = self._entries.get(str(target.target_part.partname), set()) if target is not None else set()
            for mark in _MARK.findall(run.text):
                if int(mark) not in listed:
                    message = f"[{mark}] does not lead to a slide that lists it"
                    yield self._says(LintRule.BROKEN_CITATION, text.shape.name, message)

    def _placed(self) -> Iterator[LintFinding]:
        top = [(shape, self._grown(shape)) for shape in self._slide.shapes]
        for shape, box in top:
            if (
                box.x < -TOLERANCE
                or box.y < -TOLERANCE
                or box.right > self._page.right + TOLERANCE
                or (box.bottom > self._page.bottom + TOLERANCE)
            ):
                yield self._says(LintRule.OFF_SLIDE, shape.name, f"it reaches to {box.right:.0f}, {box.bottom:.0f} pt")
            properties = shape._element.xpath(".//p:cNvPr")[0]
            needs_text = shape._element.tag.endswith(("}graphicFrame", "}pic", "}grpSp"))
            if needs_text and not (properties.get("descr") or "").strip():
                yield self._says(LintRule.MISSING_ALT_TEXT, shape.name, "no text describes what it shows")
        logos = [(each, box_of(each)) for each in self._behind() if each._element.tag.endswith("}pic")]
        for (one, first), (other, second) in combinations([*top, *logos], 2):
            if _overlap(first, second):
                yield self._says(LintRule.OVERLAP, one.name, f"it lies over {other.name}")
        for shape, _ in top:
            if shape._element.tag.endswith("}grpSp"):
                worded = [(each, box_of(each)) for each in shape.shapes if each.has_text_frame and each.text_frame.text]
                for (one, first), (other, second) in combinations(worded, 2):
                    if _overlap(first, second):
                        yield self._says(LintRule.OVERLAP, one.name, f"it lies over {other.name}")

    def _behind(self) -> list[Any]:
        layout = self._inspected.layout
        shows_master = layout._element.get("showMasterSp") != "0"
        return [*layout.shapes, *(self._inspected.master.shapes if shows_master else [])]

    def _grown(self, shape: Any) -> Box:
        box = box_of(shape)
        return Box(box.x, box.y, box.width, max(box.height, self._heights.get(shape.shape_id, 0.0)))

    def _words(self) -> Iterator[LintFinding]:
        said = list[str]()
        for shape in self._shapes(self._slide.shapes):
            idx = shape.placeholder_format.idx if shape.is_placeholder else None
            if shape.has_text_frame and idx not in (*_FOOTNOTES, layouts.TITLE_IDX):
                said.append(shape.text_frame.text)
        words = sum(max(len(text.split()), len(text) // 12) for text in said)
        if words > (SOURCE_WORDS_MAX if self._is_sources else WORDS_MAX):
            yield self._says(LintRule.TOO_MANY_WORDS, "", f"{words} words")
        shows = any(shape._element.tag.endswith(("}graphicFrame", "}pic", "}grpSp")) for shape in self._slide.shapes)
        if not words and not shows and self._inspected.layout.name not in ("Title", "Section"):
            yield self._says(LintRule.EMPTY_SLIDE, "", "nothing stands below the title")


def _overlap(one: Box, other: Box) -> bool:
    wide = min(one.right, other.right) - max(one.x, other.x)
    high = min(one.bottom, other.bottom) - max(one.y, other.y)
    return wide > TOLERANCE and high > TOLERANCE
