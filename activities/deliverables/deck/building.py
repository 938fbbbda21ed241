"""Builds a deck: every slide of the plan onto a layout of the master, in native text, tables and charts.

A pure function of record and look: no network, no clock, no chance, no fonts of the machine.
"""

import io
from collections.abc import Sequence
from datetime import UTC

from pptx.opc.constants import RELATIONSHIP_TYPE as RELATION
from pptx.oxml import parse_xml
from pptx.presentation import Presentation as Deck
from pptx.shapes.placeholder import SlidePlaceholder
from pptx.slide import Slide
from pptx.util import Pt

from activities.deliverables.deck import geometry
from activities.deliverables.deck import master as layouts
from activities.deliverables.deck.cards import draw_cards
from activities.deliverables.deck.diagrams import draw_process, draw_timeline
from activities.deliverables.deck.drawing import draw_chart, draw_picture, has_picture
from activities.deliverables.deck.keyfigures import draw_key_figures
from activities.deliverables.deck.metrics import OTHER_FONT
from activities.deliverables.deck.package import settled
from activities.deliverables.deck.packing import fitted_line, fitted_text, marks_text
from activities.deliverables.deck.planning import plan_deck
from activities.deliverables.deck.referencing import day, details_of, label_of, link_of, quote_text
from activities.deliverables.deck.sections import clean, same
from activities.deliverables.deck.tables import draw_table
from activities.deliverables.deck.writing import (
    Citations,
    align_left,
    direct,
    first_paragraph,
    is_rtl,
    jump,
    link,
    write_marks,
    write_statement,
    write_text,
)
from activities.deliverables.look import BODY_FONT, Look
from schema.contracts.deliverables import RunRecord
from schema.contracts.slides import SLIDES_DEFAULT, DeckPlan, Outline, SlideKind, SlidePlan, VisualKind

AUTHOR = "Swissbrain"
_APPLICATION = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties '
    b'xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"><Application>Swissbrain'
    b"</Application></Properties>"
)
_PML = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)


def to_pptx(record: RunRecord, look: Look, max_slides: int = SLIDES_DEFAULT, outline: Outline | None = None) -> bytes:
    """Return a record as a deck of at most `max_slides` slides.

    Args:
        outline: what a model proposes for the slides' titles and groups; None or empty: rules plan them.

    Raises:
        ValueError: `max_slides` is not within 5 to 60.
    """
    factor = font_factor(look)
    plan = plan_deck(record, max_slides, outline, factor=factor)
    return build(plan, record, look, factor)


def font_factor(look: Look) -> float:
    """Return how much wider than Noto Sans the look's fonts may be."""
    return 1.0 if {look.heading_font, look.body_font} == {BODY_FONT} else OTHER_FONT


def build(plan: DeckPlan, record: RunRecord, look: Look, factor: float = 1.0) -> bytes:
    """Return a plan as a file."""
    footer = clean(look.theme.footer or "") or plan.title
    footer = fitted_line(footer, geometry.SMALL_PT, geometry.FOOTER, factor=factor)
    deck = layouts.new_deck(look, footer)
    pictured = {figure.name for figure in record.figures if has_picture(figure, look)}
    cover = look.cover if look.cover is not None and layouts.logo_size(look.cover) is not None else None
    named = [_layout(each, pictured, illustrated=cover is not None) for each in plan.slides]
    slides = [deck.slides.add_slide(layouts.layout_named(deck, name)) for name in named]
    listing = {number: slide for planned, slide in zip(plan.slides, slides, strict=True) for number in planned.sources}
    builder = _Builder(record, look, factor, Citations(listing), slides, cover)
    for number, (planned, slide) in enumerate(zip(plan.slides, slides, strict=True), 1):
        builder.fill(slide, planned)
        if planned.kind != SlideKind.TITLE:
            _add_feet(slide, footer, number)
        _write_notes(slide, planned.notes)
    _write_properties(deck, plan, record)
    out = io.BytesIO()
    deck.save(out)
    return settled(out.getvalue(), record.made_at.astimezone(UTC))


def _layout(planned: SlidePlan, pictured: set[str], *, illustrated: bool) -> str:
    visual = planned.visual
    if planned.kind == SlideKind.TITLE:
        return "Illustrated title" if illustrated else "Title"
    if planned.kind == SlideKind.SOURCES:
        return "Sources"
    if visual is None:
        return "Closing" if planned.kind == SlideKind.CONCLUSION else "Title and content"
    if visual.kind == VisualKind.CARDS:
        return ("One card", "Two cards", "Three cards")[len(planned.statements) - 1]
    if visual.kind == VisualKind.CHART:
        return "Picture" if visual.figure in pictured else "Chart"
    return {VisualKind.TABLE: "Table", VisualKind.KEY_FIGURES: "Key figures"}.get(visual.kind, "Diagram")


class _Builder:
    def __init__(
        self,
        record: RunRecord,
        look: Look,
        factor: float,
        citations: Citations,
        slides: Sequence[Slide],
        cover: bytes | None,
    ) -> None:
        self._record = record
        self._look = look
        self._factor = factor
        self._citations = citations
        self._slides = slides
        self._illustration = cover
        self._sources = {source.n: source for source in record.sources}
        self._figures = {figure.name: figure for figure in record.figures}

    def fill(self, slide: Slide, planned: SlidePlan) -> None:
        """Write one slide."""
        self._title(slide, planned)
        if planned.kind == SlideKind.TITLE:
            self._cover(slide, planned)
        elif planned.kind == SlideKind.AGENDA:
            self._agenda(slide, planned)
        elif planned.kind == SlideKind.SOURCES:
            self._references(slide, planned)
        else:
            self._content(slide, planned)
        for empty in [each for each in slide.placeholders if _is_empty(each)]:
            empty._element.getparent().remove(empty._element)

    def _title(self, slide: Slide, planned: SlidePlan) -> None:
        is_cover = planned.kind == SlideKind.TITLE
        cover = geometry.COVER_TITLE if self._illustration is None else geometry.COVER_TITLE_BESIDE
        box = cover if is_cover else geometry.TITLE
        size = geometry.COVER_TITLE_PT if is_cover else geometry.TITLE_PT
        marks = planned.headline.marks if planned.headline else ()
        tail = marks_text(planned.headline) if planned.headline else ""
        text = fitted_line(planned.title, size, box, bold=True, factor=self._factor, tail=tail)
        paragraph = first_paragraph(slide.shapes.title.text_frame)
        write_text(paragraph, text)
        write_marks(slide, paragraph, marks, self._citations)
        direct(paragraph, text)
        if planned.topic and planned.topic != planned.title:
            self._line(slide, layouts.TOPIC_IDX, planned.topic, geometry.SMALL_PT + 1, geometry.TOPIC, bold=True)

    def _line(self, slide: Slide, idx: int, text: str, size: float, box: geometry.Box, *, bold: bool = False) -> None:
        said = fitted_line(text, size, box, bold=bold, factor=self._factor)
        paragraph = first_paragraph(_at(slide, idx).text_frame)
        write_text(paragraph, said)
        direct(paragraph, said)

    def _cover(self, slide: Slide, planned: SlidePlan) -> None:
        record = self._record
        if self._illustration is not None:
            shape = _at(slide, layouts.CONTENT_IDX).insert_picture(io.BytesIO(self._illustration))
            shape._element.nvPicPr.cNvPr.set("descr", "Illustration, drawn by a model; it shows no data")
        for each in planned.statements:
            if each.text and same(each.text) != same(planned.title):
                self._line(slide, layouts.BODY_IDX, each.text, geometry.COVER_TEXT_PT, geometry.COVER_TEXT)
        cited = len(record.sources)
        facts = [day(record.made_at), f"{cited} source{'' if cited == 1 else 's'}", AUTHOR]
        self._line(slide, layouts.FACTS_IDX, "  ·  ".join(facts), 12, geometry.COVER_FACTS)

    def _agenda(self, slide: Slide, planned: SlidePlan) -> None:
        frame = _at(slide, layouts.BODY_IDX).text_frame
        frame.clear()
        size = 24.0 if len(planned.targets) <= 7 else 20.0
        for place, (entry, target) in enumerate(zip(planned.statements, planned.targets, strict=True)):
            paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
            run = write_text(paragraph, entry.text, size=size)
            jump(slide, run, self._slides[target - 1])
            write_text(paragraph, f"   {target}", size=size)
            direct(paragraph, entry.text)

    def _references(self, slide: Slide, planned: SlidePlan) -> None:
        size, columns = planned.size_pt, self._columns(planned)
        for idx, numbers in zip((layouts.BODY_IDX, layouts.SECOND_IDX), columns, strict=True):
            frame = _at(slide, idx).text_frame
            frame.clear()
            for place, number in enumerate(numbers):
                source = self._sources[number]
                paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
                paragraph.space_before = Pt(size * geometry.GAP / 2)
                write_text(paragraph, f"[{number}] ", size=size, bold=True)
                run = write_text(paragraph, label_of(source), size=size)
                if (address := link_of(source.uri)) is not None:
                    link(slide, run, address)
                write_text(paragraph, f"  {details_of(source)}", size=size)
                direct(paragraph, label_of(source))
                if planned.with_quotes and (quote := quote_text(source)):
                    paragraph = frame.add_paragraph()
                    paragraph.space_before = Pt(0)
                    write_text(paragraph, quote, size=size)
                    direct(paragraph, quote)

    @staticmethod
    def _columns(planned: SlidePlan) -> tuple[Sequence[int], Sequence[int]]:
        return planned.sources[: planned.split], planned.sources[planned.split :]

    def _content(self, slide: Slide, planned: SlidePlan) -> None:
        visual = planned.visual
        if visual is not None and visual.caption:
            self._line(slide, layouts.CAPTION_IDX, visual.caption, geometry.SMALL_PT, geometry.CAPTION)
            write_marks(slide, _at(slide, layouts.CAPTION_IDX).text_frame.paragraphs[0], visual.marks, self._citations)
        if visual is None:
            self._list(slide, planned, geometry.BODY)
        elif visual.kind == VisualKind.TIMELINE:
            draw_timeline(slide, planned.statements, visual.labels, self._citations, self._factor)
        elif visual.kind == VisualKind.PROCESS:
            draw_process(slide, planned.statements, self._citations, self._factor)
        elif visual.kind == VisualKind.KEY_FIGURES:
            place = _at(slide, layouts.CONTENT_IDX)
            draw_key_figures(slide, place, planned, visual.labels, self._citations, self._factor)
        elif visual.kind == VisualKind.CARDS:
            places = [_at(slide, idx) for idx in layouts.CARD_IDXS[: len(planned.statements)]]
            draw_cards(slide, places, planned, self._sources, self._citations, self._factor)
        elif visual.kind == VisualKind.TABLE and visual.grid is not None:
            draw_table(slide, _at(slide, layouts.CONTENT_IDX), visual.grid, self._citations, self._factor)
        else:
            said, place = [each.text for each in planned.statements], _at(slide, layouts.CONTENT_IDX)
            figure = self._figures.get(visual.figure or "")
            if figure is not None and has_picture(figure, self._look):
                draw_picture(place, figure, self._look, said)
            else:
                draw_chart(place, visual, self._figures, self._look, said)
            self._list(slide, planned, geometry.BESIDE)

    def _list(self, slide: Slide, planned: SlidePlan, box: geometry.Box) -> None:
        frame = _at(slide, layouts.BODY_IDX).text_frame
        frame.clear()
        size = None if planned.size_pt == 18.0 else planned.size_pt
        for place, each in enumerate(planned.statements):
            paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
            text = fitted_text(each, box, planned.size_pt, self._factor) if len(planned.statements) == 1 else each.text
            write_statement(slide, paragraph, each, self._citations, text=text, size=size, emphasis=True)
        if any(is_rtl(each.text) for each in planned.statements):
            for paragraph in frame.paragraphs:
                align_left(paragraph)


def _at(slide: Slide, idx: int) -> SlidePlaceholder:
    return next(each for each in slide.placeholders if each.placeholder_format.idx == idx)


def _is_empty(placeholder: SlidePlaceholder) -> bool:
    return placeholder.has_text_frame and not placeholder.text_frame.text.strip()


def _add_feet(slide: Slide, footer: str, number: int) -> None:
    """Give a slide its footer and number, as fields that follow the master."""
    identity = max(int(each) for each in slide._element.xpath(".//p:cNvPr/@id")) + 1
    for kind, idx, text in (("ftr", layouts.FOOTER_IDX, footer), ("sldNum", layouts.NUMBER_IDX, None)):
        name = "Footer" if text is not None else "Slide number"
        shape = parse_xml(
            f'<p:sp {_PML}><p:nvSpPr><p:cNvPr id="{identity}" name="{name}"/><p:cNvSpPr><a:spLocks noGrp="1"/>'
            f'</p:cNvSpPr><p:nvPr><p:ph type="{kind}" sz="quarter" idx="{idx}"/></p:nvPr></p:nvSpPr><p:spPr/>'
            "<p:txBody><a:bodyPr/><a:lstStyle/><a:p>"
            + (
                ""
                if text is not None
                else '<a:fld id="{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}" type="slidenum"><a:rPr lang="en-US"/>'
                f"<a:t>{number}</a:t></a:fld>"
            )
            + "</a:p></p:txBody></p:sp>"
        )
        slide.shapes._spTree.append(shape)
        identity += 1
        if text is not None:
            paragraph = slide.shapes[-1].text_frame.paragraphs[0]
            write_text(paragraph, text)
            direct(paragraph, text)


def _write_notes(slide: Slide, notes: str) -> None:
    frame = slide.notes_slide.notes_text_frame
    frame.clear()
    for place, line in enumerate(notes.split("\n")):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        write_text(paragraph, line)
        direct(paragraph, line)


def _write_properties(deck: Deck, plan: DeckPlan, record: RunRecord) -> None:
    described = deck.part.package.part_related_by(RELATION.EXTENDED_PROPERTIES)
    described._blob = _APPLICATION
    properties, made_at = deck.core_properties, record.made_at.astimezone(UTC).replace(tzinfo=None)
    properties.title, properties.subject = plan.title[:250], clean(record.run.task)[:250]
    properties.author = properties.last_modified_by = AUTHOR
    properties.created = properties.modified = made_at
    properties.revision, properties.language, properties.keywords, properties.comments = 1, "en-US", "", ""
