"""The report as a PDF: opened again by pypdf and PDFium."""

import hashlib
import io
import re
import socket
from collections.abc import Iterator
from datetime import UTC
from functools import lru_cache
from typing import Any

import pypdf
import pypdfium2
import pytest
from pypdf.generic import Destination, DictionaryObject

from activities.deliverables import pdf
from activities.deliverables.look import Look, Picture
from activities.deliverables.pdf import to_pdf
from schema.contracts.deliverables import RunRecord, Theme
from schema.errors import PartMissing
from tests.support.records import SCRIPTS, Shape, made_record
from tests.unit.deliverables.hostile import TEXTS, WORD, hostile_record
from tests.unit.deliverables.looks import EVERY_SCRIPT, digest_elsewhere, look_of, needs_pango, picture

pytestmark = needs_pango()
_RECORD = made_record(11, EVERY_SCRIPT)


@lru_cache
def _written() -> bytes:
    return to_pdf(_RECORD, look_of(_RECORD))


@lru_cache
def _reader() -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(_written()))


@lru_cache
def _hostile() -> bytes:
    record = hostile_record(WORD[:3000])
    few = tuple(source.model_copy(update={"quotations": source.quotations[:2]}) for source in record.sources)
    return to_pdf(record.model_copy(update={"sources": few}), Look(theme=Theme(footer=TEXTS[1])))


def _pages(written: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(written)
    try:
        return [re.sub(r"\s+", " ", page.get_textpage().get_text_bounded()) for page in document]
    finally:
        document.close()


def _links(written: bytes) -> Iterator[DictionaryObject]:
    for page in pypdf.PdfReader(io.BytesIO(written)).pages:
        for each in page.get("/Annots", ()):
            annotation = each.get_object()
            if annotation["/Subtype"] == "/Link":
                yield annotation


def _outline(entries: list[Any], level: int = 0) -> Iterator[tuple[int, Destination]]:
    for each in entries:
        if isinstance(each, list):
            yield from _outline(each, level + 1)
        else:
            yield level, each


def test_statements_and_sources_are_there() -> None:
    text = "".join(_pages(_written())).replace(" ", "")
    for part in _RECORD.document.parts:
        for block in part.blocks:
            for said in (*getattr(block, "sentences", ()), *getattr(block, "items", ())):
                if re.fullmatch(r"[ -~]+", said.text):
                    assert (said.text + f"[{', '.join(map(str, said.marks))}]").replace(" ", "") in text
    for source in _RECORD.sources:
        assert f"[{source.n}]{source.title}".replace(" ", "") in text
        assert source.uri.replace(" ", "") in text


def test_letters_of_every_script_can_be_read_and_copied() -> None:
    text = "".join(_pages(_written()))
    for tag, sentence in SCRIPTS.items():
        words = sentence.replace("{n}", " ").split()
        # A right-to-left line comes back as it is drawn, or as it is read: readers differ.
        assert any(word in text or word[::-1] in text for word in words), tag


def test_fonts_are_embedded_and_none_is_a_last_resort() -> None:
    fonts = set[str]()
    for page in _reader().pages:
        for font in page["/Resources"]["/Font"].get_object().values():
            base = font.get_object()
            descriptor = base["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
            fonts.add(str(base["/BaseFont"]).partition("+")[2])
    assert {"Noto-Sans", "Noto-Sans-Bold", "Noto-Sans-CJK-SC", "Noto-Sans-CJK-JP"} <= fonts
    assert {"Noto-Sans-Arabic", "Noto-Sans-Hebrew"} <= fonts
    assert all(each.startswith(("Noto-Sans", "DejaVu-Sans")) for each in fonts)


def test_every_glyph_is_in_its_font() -> None:
    for page in _reader().pages:
        drawn = page.get_contents().get_data()
        assert b"<0000>" not in drawn
        assert b"<0000" not in drawn.replace(b" ", b"")


def test_metadata_is_the_record_and_no_clock() -> None:
    metadata = _reader().metadata
    assert metadata is not None
    assert (metadata.title, metadata.author) == (_RECORD.document.title, "Swissbrain")
    assert metadata.creation_date is not None
    assert metadata.creation_date.astimezone(UTC) == _RECORD.made_at
    assert _reader().root_object["/Lang"] == "en"


def test_it_is_tagged_for_screen_readers() -> None:
    root = _reader().root_object
    assert root["/MarkInfo"]["/Marked"]
    kinds, described = set[str](), list[str]()
    pending = [root["/StructTreeRoot"]]
    while pending:
        each = pending.pop()
        each = each.get_object() if hasattr(each, "get_object") else each
        if isinstance(each, dict):
            kinds.add(str(each.get("/S")))
            described += [str(each["/Alt"])] if each.get("/S") == "/Figure" else []
            below = each.get("/K", [])
            pending += below if isinstance(below, list) else [below]
    assert {"/H1", "/H2", "/H3", "/P", "/L", "/LI", "/Table", "/TH", "/TD", "/Link", "/Figure"} <= kinds
    assert any("chart: Orders by region (1)." in each for each in described)


def test_outline_and_contents_name_the_pages() -> None:
    reader = _reader()
    entries = [
        (level, each.title, reader.get_destination_page_number(each)) for level, each in _outline(reader.outline)
    ]
    titles = [part.title for part in _RECORD.document.parts]
    assert [title.partition(" ")[2] for _, title, _ in entries][: len(titles)] == titles
    assert {level for level, _, _ in entries} == {0, 1}
    pages = _pages(_written())
    contents = pages[1]
    for _, title, page in entries:
        assert re.search(re.escape(title) + r"[ .]+" + str(page + 1) + r"\b", contents), title
        assert title in pages[page]


def test_headers_and_footers_number_the_pages() -> None:
    pages = _pages(_written())
    assert "Page" not in pages[0]
    for number, text in enumerate(pages[1:], 2):
        assert f"Page {number} of {len(pages)}" in text
        assert "Norrvik Energi AB" in text
        assert _RECORD.document.title in text


def test_citations_lead_to_their_sources_and_links_out() -> None:
    named = _reader().named_destinations
    inside, outside = list[str](), set[str]()
    for link in _links(_written()):
        if "/A" in link and link["/A"]["/S"] == "/URI":
            outside.add(str(link["/A"]["/URI"]))
        else:
            inside.append(str(link.get("/Dest") or link["/A"]["/D"]))
    assert set(inside) <= set(named)
    cited = {f"source-{mark}" for mark in _marks(_RECORD)}
    assert cited <= set(inside)
    assert any(each.startswith("cite-") for each in inside)
    assert outside == {each.uri for each in _RECORD.sources if each.uri.startswith("https")}


def _marks(record: RunRecord) -> set[int]:
    return {
        mark
        for part in record.document.parts
        for block in part.blocks
        for said in (*getattr(block, "sentences", ()), *getattr(block, "items", ()))
        for mark in said.marks
    }


def test_wide_tables_lie_and_repeat_their_heading() -> None:
    record = made_record(2, Shape(subtasks=1, findings=1, paragraphs=0, grids=1, grid_rows=24, figures=0, sources=2))
    (grid,) = [block for part in record.document.parts for block in part.blocks if block.kind == "grid"]
    wide = grid.model_copy(update={"heading": grid.heading * 2, "rows": tuple(row * 2 for row in grid.rows)})
    parts = [part.model_copy(update={"blocks": (wide,)}) for part in record.document.parts[:1]]
    document = record.document.model_copy(update={"parts": tuple(parts)})
    written = to_pdf(record.model_copy(update={"document": document}), Look())
    across = [at for at, text in enumerate(_pages(written)) if "Output (GWh)" in text]
    assert len(across) >= 2
    for at in across:
        box = pypdf.PdfReader(io.BytesIO(written)).pages[at].mediabox
        assert box.width > box.height
    assert sum("Table 1." in text for text in _pages(written)) == 1


def test_hostile_text_stays_text() -> None:
    text = "".join(_pages(_hostile())).replace(" ", "")
    for each in (TEXTS[0], TEXTS[2], TEXTS[3], TEXTS[5]):
        assert each.replace(" ", "") in text
    assert WORD[:1000] in text
    raw = _hostile()
    assert not re.search(rb"/(JavaScript|JS|Launch|EmbeddedFile|SubmitForm|OpenAction)\b", raw)
    for link in _links(raw):
        if "/A" in link and link["/A"]["/S"] == "/URI":
            assert re.match(r"https?://", str(link["/A"]["/URI"]), re.IGNORECASE)


def test_pictures_reach_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refused)
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40">'
        b"<style>@import url(http://127.0.0.1:9/x);</style>"
        b'<image href="file:///etc/passwd" width="9" height="9"/>'
        b'<image href="http://127.0.0.1:9/x.png" width="9" height="9"/></svg>'
    )
    record = made_record(2, Shape(subtasks=1, findings=1, figures=1, sources=2))
    look = Look(logo=b"<svg/>", pictures={record.figures[0].name: Picture(png=picture(), svg=svg)})
    assert to_pdf(record, look).startswith(b"%PDF-")


def test_the_same_bytes_in_another_process() -> None:
    assert hashlib.sha256(_written()).hexdigest() == digest_elsewhere("pdf", "to_pdf")


def test_without_pango_it_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_is_here", lambda name: name != "harfbuzz-subset")
    pdf.require_pdf.cache_clear()
    try:
        with pytest.raises(PartMissing, match=r"harfbuzz-subset: apt-get install libpango-1\.0-0"):
            to_pdf(_RECORD, Look())
    finally:
        pdf.require_pdf.cache_clear()
