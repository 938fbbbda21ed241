"""The report as a DOCX: real styles, a table of contents, captions that count, and links that lead to the sources."""

import io
from collections.abc import Sequence
from datetime import UTC

from docx.document import Document as DocumentObject
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.section import Section as PageSection
from docx.shared import Cm, Twips
from docx.text.paragraph import Paragraph

from activities.deliverables.blocks import (
    Computed,
    Contents,
    Drawn,
    Facts,
    Items,
    Prose,
    Said,
    Section,
    Shown,
    Source,
    Table,
    Words,
    words,
)
from activities.deliverables.contents import contents
from activities.deliverables.docx_pieces import (
    Bookmarks,
    element,
    field,
    field_end,
    field_start,
    link_inside,
    link_outside,
    run,
    set_direction,
    tab,
)
from activities.deliverables.docx_tables import column_widths, fill_table, new_table
from activities.deliverables.docx_template import TEXT_WIDTH, WIDE_WIDTH, empty_document
from activities.deliverables.html import logo_uri
from activities.deliverables.look import Look
from activities.deliverables.ooxml import repacked
from activities.deliverables.particulars import MADE_BY
from activities.deliverables.text import shortened
from schema.contracts.deliverables import RunRecord

WIDE_COLUMNS = 8
"""A table with more of them gets a page that lies."""
_PICTURE_WIDTH = Cm(15.5)
_PROPERTY_CHARACTERS = 250
"""Of a core property (python-docx: 255)."""
_STYLES = {"summary": "Summary"}
"""Of the prose of a section, where it is not the usual one."""


def to_docx(record: RunRecord, look: Look) -> bytes:
    """Return the report as a DOCX; the same record and look give the same bytes."""
    document = empty_document(look)
    _Writer(document, contents(record, look.theme.footer), look).write()
    out = io.BytesIO()
    document.save(out)
    return repacked(out.getvalue())


class _Writer:
    def __init__(self, document: DocumentObject, shown: Contents, look: Look) -> None:
        self._document = document
        self._shown = shown
        self._look = look
        self._bookmarks = Bookmarks()
        self._backlinks = {back.anchor for source in shown.sources for back in source.backlinks}

    def write(self) -> None:
        self._properties()
        self._frame(self._document.sections[0])
        self._cover()
        self._table_of_contents()
        for number, section in enumerate(self._shown.sections):
            self._section(section, first=number == 0)
        for line in self._shown.colophon:
            self._paragraph("Note", [run(line)])

    def _properties(self) -> None:
        shown, properties = self._shown, self._document.core_properties
        properties.title = shortened(shown.title.text, _PROPERTY_CHARACTERS)
        properties.subject = shortened(shown.task.text, _PROPERTY_CHARACTERS)
        properties.author = properties.last_modified_by = MADE_BY
        properties.created = properties.modified = shown.made_at.astimezone(UTC).replace(tzinfo=None)
        properties.revision = 1
        properties.language = "en"

    def _frame(self, page: PageSection) -> None:
        """Write the running header and footer; the first page has none."""
        shown = self._shown
        title = words(shortened(shown.title.text, 80))
        header, footer = page.header.paragraphs[0], page.footer.paragraphs[0]
        header.style, footer.style = "Header", "Footer"
        header._p.extend([run(title.text, None, title), tab(), run(shown.date)])
        pages = [run("Page "), *field("PAGE", "1"), run(" of "), *field("NUMPAGES", "1")]
        footer._p.extend([run(shown.footer.text, None, shown.footer), tab(), *pages])

    def _cover(self) -> None:
        shown = self._shown
        if logo_uri(self._look):
            assert self._look.logo is not None
            self._picture(self._paragraph("Cover Text"), self._look.logo, "Logo", "", height=Cm(1.5))
        self._paragraph("Report Type", [run("Research report")])
        self._said("Title", shown.title)
        self._said("Subtitle", shown.task)
        self._paragraph("Cover Text", [run(shown.date)])
        if shown.footer.text:
            self._said("Cover Text", shown.footer)
        # Word keeps the space before a table with the paragraph above it.
        self._document.paragraphs[-1].paragraph_format.space_after = Cm(1.5)
        table = new_table(self._document, "Cover Table", [TEXT_WIDTH // 4] * len(shown.highlights))
        for cell, (figure, label) in zip(table.rows[0].cells, shown.highlights, strict=True):
            cell.paragraphs[0].style = "Cover Number"
            cell.paragraphs[0]._p.append(run(figure))
            cell.add_paragraph(style="Cover Text")._p.append(run(label))

    def _table_of_contents(self) -> None:
        """Write the field with its entries in it; pages come when the field is updated."""
        heading = self._paragraph("TOC Heading", [run("Contents")])
        entries = list[Paragraph]()
        for section in self._shown.sections:
            text = [run(section.number), tab(), run(section.title.text, None, section.title)]
            link = link_inside(_heading(section), "", *text)
            entries.append(self._paragraph(f"toc {section.level}", [link]))
        first, last = entries[0], entries[-1]
        place = 1 if first._p.pPr is not None else 0
        for at, each in enumerate(field_start('TOC \\o "1-2" \\h \\z \\u')):
            first._p.insert(place + at, each)
        last._p.append(field_end())
        gallery = element(
            "w:docPartObj",
            None,
            element("w:docPartGallery", {"w:val": "Table of Contents"}),
            element("w:docPartUnique"),
        )
        content = element("w:sdtContent")
        heading._p.addprevious(element("w:sdt", None, element("w:sdtPr", None, gallery), content))
        content.extend([each._p for each in (heading, *entries)])

    def _section(self, section: Section, *, first: bool) -> None:
        heading = self._paragraph(f"Heading {section.level}", direction=section.title.direction)
        title = run(section.title.text, None, section.title)
        inside = self._bookmarks.around(section.anchor, [title])
        heading._p.extend(self._bookmarks.around(_heading(section), inside))
        heading.paragraph_format.page_break_before = True if first or section.kind == "sources" else None
        for block in section.blocks:
            self._block(block, _STYLES.get(section.kind, "Normal"))
        if section.kind == "sources":
            for source in self._shown.sources:
                self._source(source)

    def _block(self, block: Shown, style: str) -> None:
        if isinstance(block, Prose):
            parts = list[BaseOxmlElement]()
            for said in block.sentences:
                parts += [*([run(" ")] if parts else []), *self._cited(said)]
            self._paragraph(style, parts, direction=block.sentences[0].words.direction)
        elif isinstance(block, Items):
            for said in block.items:
                self._paragraph("List Bullet", self._cited(said), direction=said.words.direction)
        elif isinstance(block, Table):
            self._table(block)
        elif isinstance(block, Drawn):
            self._figure(block)
        elif isinstance(block, Computed):
            self._paragraph("Normal", [run(block.words.text, None, block.words)], direction=block.words.direction)
            self._paragraph("Note", _origin(block.origin, block.query))
        elif isinstance(block, Facts):
            table = new_table(self._document, "Report Table", [TEXT_WIDTH * 4 // 5, TEXT_WIDTH // 5])
            pairs = [(Said(words(name)), Said(words(value))) for name, value in block.pairs]
            fill_table(table, pairs, (False, True), self._cited, heading=False)

    def _table(self, shown: Table) -> None:
        wide = len(shown.heading) > WIDE_COLUMNS
        if wide:
            self._turn(WD_ORIENT.LANDSCAPE)
        if shown.number and shown.caption:
            self._caption("Table", shown.number, shown.anchor, shown.caption, [], keep=True)
        table = new_table(self._document, "Report Table", column_widths(shown, WIDE_WIDTH if wide else TEXT_WIDTH))
        heading = tuple(Said(each) for each in shown.heading)
        fill_table(table, [heading, *shown.rows], shown.numeric, self._cited, heading=True)
        self._paragraph("Note", [run(shown.note)] if shown.note else [])
        if wide:
            self._turn(WD_ORIENT.PORTRAIT)

    def _turn(self, orientation: WD_ORIENT) -> None:
        page = self._document.add_section(WD_SECTION.NEW_PAGE)
        page.different_first_page_header_footer = False
        if page.orientation != orientation:
            page.orientation = orientation
            page.page_width, page.page_height = page.page_height, page.page_width

    def _figure(self, figure: Drawn) -> None:
        picture = self._look.pictures.get(figure.name)
        if picture is not None:
            self._picture(self._paragraph("Figure"), picture.png, f"Figure {figure.number}", figure.description)
        else:
            self._table(figure.numbers)
        self._caption("Figure", figure.number, figure.anchor, figure.title, _origin(figure.origin, figure.query))

    def _picture(self, paragraph: Paragraph, image: bytes, name: str, description: str, **size: Cm) -> None:
        shape = paragraph.add_run().add_picture(io.BytesIO(image), **size)
        if not size and shape.width > _PICTURE_WIDTH:
            shape.height = Twips(int(shape.height.twips * _PICTURE_WIDTH / shape.width))
            shape.width = _PICTURE_WIDTH
        properties = shape._inline.docPr
        properties.set("name", name)
        properties.set("descr", description)

    def _caption(
        self,
        kind: str,
        number: int,
        anchor: str,
        title: Words,
        more: Sequence[BaseOxmlElement],
        *,
        keep: bool = False,
    ) -> None:
        label = [run(f"{kind} ", "Strong"), *field(f"SEQ {kind} \\* ARABIC", str(number), "Strong"), run(".", "Strong")]
        paragraph = self._paragraph("Caption", self._bookmarks.around(anchor, label))
        paragraph._p.extend([run(" "), run(title.text, None, title), *([run(". "), *more] if more else [])])
        paragraph.paragraph_format.keep_with_next = True if keep else None

    def _source(self, source: Source) -> None:
        mark = self._bookmarks.around(source.anchor, [run(f"[{source.n}]", "Strong")])
        self._paragraph("Source", [*mark, tab(), run(source.title.text, None, source.title)])
        details = [run(" · ".join(source.details))]
        for at, back in enumerate(source.backlinks):
            details += [run(", " if at else " · cited in ")]
            details += [link_inside(back.anchor, "", run(back.section, "Hyperlink"))]
        self._paragraph("Source Details", details)
        address = self._paragraph("Source Details")
        shown = run(source.address, "Hyperlink" if source.link else None)
        address._p.append(link_outside(address, source.link, shown) if source.link else shown)
        for quotation in source.quotations:
            self._said("Quote", quotation)

    def _cited(self, said: Said) -> list[BaseOxmlElement]:
        """Return a statement's runs, each citation a link to its source."""
        made = [run(said.words.text, None, said.words)]
        if not said.cites:
            return made
        made.append(run("[", "Citation"))
        for at, cite in enumerate(said.cites):
            if at:
                made.append(run(", ", "Citation"))
            shown = [run(str(cite.n), "Citation")]
            if cite.known:
                shown = [link_inside(f"source-{cite.n}", cite.tooltip, *shown)]
            made += self._bookmarks.around(cite.anchor, shown) if cite.anchor in self._backlinks else shown
        return [*made, run("]", "Citation")]

    def _said(self, style: str, said: Words) -> None:
        self._paragraph(style, [run(said.text, None, said)], direction=said.direction)

    def _paragraph(self, style: str, parts: Sequence[BaseOxmlElement] = (), direction: str = "ltr") -> Paragraph:
        paragraph = self._document.add_paragraph(style=style)
        set_direction(paragraph, direction)
        paragraph._p.extend(parts)
        return paragraph


def _heading(section: Section) -> str:
    """Return the bookmark by which a table of contents finds a heading."""
    return f"_Toc_{section.number.replace('.', '_')}"


def _origin(origin: Words, query: str) -> list[BaseOxmlElement]:
    more = [run(": "), run(query, "Query")] if query else []
    return [run("From "), run(origin.text, None, origin), *more]
