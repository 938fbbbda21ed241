"""The report as a DOCX: opened again by python-docx, its parts read as XML."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache

import pytest
from docx import Document
from docx.document import Document as DocumentObject
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from lxml import etree

from activities.deliverables.blocks import Cite, Said, Table, words
from activities.deliverables.docx import to_docx
from activities.deliverables.docx_tables import column_widths
from activities.deliverables.look import Look
from schema.contracts.deliverables import RunRecord, Theme
from tests.support.records import made_record
from tests.unit.deliverables.hostile import TEXTS, WORD, hostile_record
from tests.unit.deliverables.looks import EVERY_SCRIPT, digest_elsewhere, look_of

_RECORD = made_record(11, EVERY_SCRIPT)
_STYLES = ("Title", "Subtitle", "Heading 1", "Heading 2", "List Bullet", "Caption", "Summary", "Quote", "TOC Heading")


@lru_cache
def _written() -> bytes:
    return to_docx(_RECORD, look_of(_RECORD))


@lru_cache
def _opened() -> DocumentObject:
    return Document(io.BytesIO(_written()))


@lru_cache
def _hostile() -> bytes:
    return to_docx(hostile_record(), Look(theme=Theme(footer=TEXTS[1])))


def _parts(written: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(written)) as package:
        assert package.testzip() is None
        return {name: package.read(name) for name in package.namelist()}


def _text(written: bytes) -> str:
    body = etree.fromstring(_parts(written)["word/document.xml"])
    return "\n".join("".join(each.text or "" for each in p.iter(qn("w:t"))) for p in body.iter(qn("w:p")))


def _said(record: RunRecord) -> list[tuple[str, tuple[int, ...]]]:
    return [
        (said.text, said.marks)
        for part in record.document.parts
        for block in part.blocks
        for said in (
            *getattr(block, "sentences", ()),
            *getattr(block, "items", ()),
            *(cell for row in getattr(block, "rows", ()) for cell in row),
        )
    ]


def test_every_statement_keeps_its_citations() -> None:
    text = _text(_written())
    for said, marks in _said(_RECORD):
        assert said + (f"[{', '.join(map(str, marks))}]" if marks else "") in text


@pytest.mark.parametrize("written", [_written, _hostile])
def test_every_link_leads_somewhere(written: Callable[[], bytes]) -> None:
    parts = _parts(written())
    body = etree.fromstring(parts["word/document.xml"])
    marks = [each.get(qn("w:name")) for each in body.iter(qn("w:bookmarkStart"))]
    numbers = [each.get(qn("w:id")) for each in body.iter(qn("w:bookmarkStart"))]
    assert len(set(marks)) == len(marks)
    assert len(set(numbers)) == len(numbers)
    assert sorted(numbers) == sorted(each.get(qn("w:id")) for each in body.iter(qn("w:bookmarkEnd")))
    assert all(re.fullmatch(r"[A-Za-z_]\w{0,39}", each) for each in marks)
    anchors = {each.get(qn("w:anchor")) for each in body.iter(qn("w:hyperlink")) if each.get(qn("w:anchor"))}
    assert anchors <= set(marks)
    assert {each for each in anchors if each.startswith("source_")}
    targets = re.findall(rb'Target="([^"]*)" TargetMode="External"', parts["word/_rels/document.xml.rels"])
    assert targets
    assert all(re.match(rb"https?://", each, re.IGNORECASE) for each in targets)


def test_citations_name_their_source_and_its_quotation() -> None:
    body = etree.fromstring(_parts(_written())["word/document.xml"])
    links = [each for each in body.iter(qn("w:hyperlink")) if str(each.get(qn("w:anchor"))).startswith("source_")]
    assert len(links) == sum(len(marks) for _, marks in _said(_RECORD))
    for link in links:
        n = int("".join(link.itertext()))
        assert link.get(qn("w:anchor")) == f"source_{n}"
        assert _RECORD.sources[n - 1].quotations[0].quote[:30] in link.get(qn("w:tooltip"))
        assert len(link.get(qn("w:tooltip"))) <= 260


def test_styles_are_real_and_their_colours_and_fonts_the_themes() -> None:
    document = _opened()
    used = {paragraph.style.name for paragraph in document.paragraphs if paragraph.style is not None}
    assert {"Title", "Heading 1", "Heading 2", "List Bullet", "Caption", "Summary", "Quote", "Source"} <= used
    assert all(document.styles[name] is not None for name in _STYLES)
    theme = Theme(primary="#336600", accent="#990033", heading_font="Fira Sans", body_font="Noto Serif")
    parts = _parts(to_docx(_RECORD, Look(theme=theme)))
    written = parts["word/theme/theme1.xml"].decode()
    assert all(f'val="{each}"' in written for each in ("336600", "990033"))
    assert all(f'<a:latin typeface="{each}"/>' in written for each in ("Fira Sans", "Noto Serif"))
    styles = etree.fromstring(parts["word/styles.xml"])
    for colour in styles.iter(qn("w:color")):
        assert colour.get(qn("w:themeColor"))
    families = [each for each in styles.iter(qn("w:rFonts")) if each.get(qn("w:ascii"))]
    assert [each.get(qn("w:ascii")) for each in families] == ["Courier New"]


def test_contents_are_filled_in_and_ask_nothing() -> None:
    parts = _parts(_written())
    body = etree.fromstring(parts["word/document.xml"])
    (box,) = body.iter(qn("w:sdt"))
    assert "TOC \\o" in "".join(each.text or "" for each in box.iter(qn("w:instrText")))
    shown = ["".join(each.text or "" for each in p.iter(qn("w:t"))) for p in box.iter(qn("w:p"))]
    headings = [p.text for p in _opened().paragraphs if p.style is not None and p.style.name.startswith("Heading")]
    assert shown[0] == "Contents"
    assert [re.sub(r"^[\d.]+", "", each) for each in shown[1:]] == headings
    assert b"updateFields" not in parts["word/settings.xml"]
    kinds = [each.get(qn("w:fldCharType")) for each in body.iter(qn("w:fldChar"))]
    assert kinds.count("begin") == kinds.count("separate") == kinds.count("end")
    assert b"w:dirty" not in parts["word/document.xml"]


def test_header_footer_and_pages() -> None:
    section = _opened().sections[0]
    assert section.different_first_page_header_footer
    assert section.header.paragraphs[0].text.startswith(_RECORD.document.title)
    fields = [each.text.strip() for each in section.footer._element.iter(qn("w:instrText")) if each.text]
    assert fields == ["PAGE", "NUMPAGES"]
    assert section.footer.paragraphs[0].text.startswith("Norrvik Energi AB")


def test_tables_and_pictures() -> None:
    document = _opened()
    tables = [each for each in document.tables if each.style is not None and each.style.name == "Report Table"]
    first = tables[0]
    assert [cell.text for cell in first.rows[0].cells] == ["Site", "Opened", "Output (GWh)", "Cost (M EUR)", "Operator"]
    assert first._tbl.tr_lst[0].find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None
    descriptions = [shape._inline.docPr.get("descr") for shape in document.inline_shapes]
    assert len(descriptions) == 1 + len(_RECORD.figures)
    assert all("chart:" in each for each in descriptions[1:])
    captions = [p.text for p in document.paragraphs if p.style is not None and p.style.name == "Caption"]
    assert captions[0].startswith("Table 1. ")
    assert "Figure 2. " in captions[-1]


def test_scripts_are_set_as_such() -> None:
    body = etree.fromstring(_parts(_written())["word/document.xml"])
    for paragraph in body.iter(qn("w:p")):
        text = "".join(each.text or "" for each in paragraph.iter(qn("w:t")))
        if re.match("[א-ת\u0600-\u06ff]", text):
            assert paragraph.find(f"{qn('w:pPr')}/{qn('w:bidi')}") is not None
            first = next(paragraph.iter(qn("w:r")))
            assert first.find(f"{qn('w:rPr')}/{qn('w:rtl')}") is not None
    tags = {value for each in body.iter(qn("w:lang")) for value in each.attrib.values()}
    assert {"ar-SA", "he-IL", "zh-CN", "ja-JP", "el-GR", "ru-RU"} <= tags


def test_columns_have_room_for_their_words() -> None:
    heading = (words("Name"), words("Commissioned by"), words("n"))
    rows = ((Said(words("A")), Said(words("x " * 200)), Said(words("2014"), (Cite(10, "a", ""), Cite(11, "b", "")))),)
    name, long, number = column_widths(Table(heading, rows), 6000)
    assert name + long + number <= 6000
    assert name >= 200 + 4 * 108
    assert number >= 200 + 8 * 108
    assert long > 3 * number
    narrow = column_widths(Table(heading, rows), 1000)
    assert sum(narrow) <= 1000
    assert min(narrow) > 0


def test_a_long_task_has_a_section_of_its_own() -> None:
    task = "What is known of " + "the ferry to Norrvik, " * 40 + "and why?"
    long = _RECORD.model_copy(update={"run": _RECORD.run.model_copy(update={"task": task})})
    opened = Document(io.BytesIO(to_docx(long, Look())))
    assert next(p.text for p in opened.paragraphs if p.style is not None and p.style.name == "Subtitle").endswith("…")
    assert task in [p.text for p in opened.paragraphs]


def test_wide_tables_lie() -> None:
    (grid,) = [block for part in _RECORD.document.parts for block in part.blocks if block.kind == "grid"]
    wide = grid.model_copy(update={"heading": grid.heading * 2, "rows": tuple(row * 2 for row in grid.rows)})
    parts = [part.model_copy(update={"blocks": (wide,)}) for part in _RECORD.document.parts[:1]]
    document = _RECORD.document.model_copy(update={"parts": tuple(parts)})
    opened = Document(io.BytesIO(to_docx(_RECORD.model_copy(update={"document": document}), Look())))
    assert [section.orientation for section in opened.sections] == [
        WD_ORIENT.PORTRAIT,
        WD_ORIENT.LANDSCAPE,
        WD_ORIENT.PORTRAIT,
    ]


def test_properties_are_the_record_and_no_clock() -> None:
    properties = _opened().core_properties
    assert (properties.title, properties.author) == (_RECORD.document.title, "Swissbrain")
    assert properties.created is not None
    assert properties.created.replace(tzinfo=properties.created.tzinfo or UTC) == _RECORD.made_at
    assert properties.modified == properties.created
    with zipfile.ZipFile(io.BytesIO(_written())) as package:
        assert {each.date_time for each in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert package.namelist()[0] == "[Content_Types].xml"


def test_hostile_text_stays_text() -> None:
    text = _text(_hostile())
    for each in (TEXTS[0], TEXTS[2], TEXTS[3], TEXTS[4], TEXTS[5], WORD):
        assert " ".join(each.split()) in text
    assert "before[31mafter" in text
    body = etree.fromstring(_parts(_hostile())["word/document.xml"])
    codes = {(each.text or "").split()[0] for each in body.iter(qn("w:instrText"))}
    assert codes == {"TOC", "SEQ"}
    assert not list(body.iter(qn("w:fldSimple")))


def test_the_same_bytes_in_another_process() -> None:
    assert hashlib.sha256(_written()).hexdigest() == digest_elsewhere("docx", "to_docx")
