"""The report as HTML: read again by a parser."""

import base64
import hashlib
import re
from functools import lru_cache
from xml.etree import ElementTree

import pytest
import tinyhtml5
from lxml import etree

from activities.deliverables.contents import EXECUTIVE_SUMMARY, KEY_FINDINGS
from activities.deliverables.html import to_html
from activities.deliverables.look import Look
from activities.research import composing
from schema.contracts.deliverables import Theme
from tests.support.records import made_record
from tests.unit.deliverables.hostile import TEXTS, WORD, hostile_record
from tests.unit.deliverables.looks import EVERY_SCRIPT, digest_elsewhere, look_of

_TAGS = """html head meta title style body header div img span h1 h2 h3 p ul ol li b time nav a main section bdi sup wbr
table thead tbody tr th td figure figcaption code dl dt dd article blockquote footer"""
_RECORD = made_record(11, EVERY_SCRIPT)


def _read(written: bytes) -> etree._Element:
    """Parse as browsers do."""
    return etree.fromstring(ElementTree.tostring(tinyhtml5.parse(written.decode(), namespace_html_elements=False)))


@lru_cache
def _page() -> etree._Element:
    return _read(to_html(_RECORD, look_of(_RECORD)))


@lru_cache
def _hostile() -> etree._Element:
    return _read(to_html(hostile_record(), Look(theme=Theme(footer=TEXTS[1]))))


def _text(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _of(page: etree._Element, anchor: str) -> etree._Element:
    (found,) = page.xpath("//*[@id=$anchor]", anchor=anchor.removeprefix("#"))
    return found


def test_headings_are_those_of_reports() -> None:
    assert (EXECUTIVE_SUMMARY, KEY_FINDINGS) == (composing.EXECUTIVE_SUMMARY, composing.KEY_FINDINGS)


def test_every_statement_keeps_its_citations() -> None:
    page = _page()
    text = _text(page)
    for part in _RECORD.document.parts:
        assert part.title in text
        for block in part.blocks:
            for said in (
                *getattr(block, "sentences", ()),
                *getattr(block, "items", ()),
                *(cell for row in getattr(block, "rows", ()) for cell in row),
            ):
                marks = f"[{', '.join(map(str, said.marks))}]" if said.marks else ""
                assert said.text + marks in text
    for link in page.xpath("//sup[contains(@class, 'cites')]/a"):
        entry = _of(page, link.get("href"))
        assert f"[{link.text}]" in _text(entry)
        first = _RECORD.sources[int(link.text) - 1].quotations[0].quote
        assert first[:40] in link.get("title")


def test_sources_show_all_that_is_known_and_lead_back() -> None:
    page = _page()
    for source in _RECORD.sources:
        entry = _of(page, f"source-{source.n}")
        assert source.title in _text(entry)
        assert [_text(each) for each in entry.iter("blockquote")] == [each.quote for each in source.quotations]
        links = entry.xpath(".//p[@class='address']/a/@href")
        assert links == ([source.uri] if source.uri.startswith("https") else [])
    for back in page.xpath("//a[@class='back']"):
        cite = _of(page, back.get("href"))
        assert cite.tag == "a"


def test_anchors_are_unique_and_resolve() -> None:
    for page in (_page(), _hostile()):
        anchors = page.xpath("//@id")
        assert len(anchors) == len(set(anchors))
        inside = {each.removeprefix("#") for each in page.xpath("//a/@href") if each.startswith("#")}
        assert inside
        assert inside <= set(anchors)


def test_figures_tables_and_contents() -> None:
    page = _page()
    assert len(page.xpath("//figure/img[starts-with(@src, 'data:image/svg+xml;base64,')][@alt != '']")) == 2
    assert "Figure 1. Orders by region (1). From orders.csv: select …" in _text(page)
    assert "Table 1." in _text(page)
    titles = [_text(each) for each in page.xpath("//nav//li/a")]
    assert titles == [_text(each) for each in page.xpath("//main//h2 | //main//h3")]
    assert "1.2345 credits charged" in _text(page.xpath("//footer")[0])
    assert page.xpath("//img[@class='logo']/@src")[0].startswith("data:image/png;base64,")


def test_scripts_are_told_apart() -> None:
    page = _page()
    assert page.xpath("//li[@dir='rtl'][@lang='ar'] | //p[@dir='rtl'][.//*[@lang='ar']]")
    assert {"el", "ru", "zh", "ja"} <= set(page.xpath("//@lang"))
    assert not page.xpath("//p[@dir='rtl'][contains(., 'county')]")


def test_nothing_is_fetched_and_nothing_runs() -> None:
    for written in (to_html(_RECORD, look_of(_RECORD)), to_html(hostile_record(), Look())):
        page = _read(written)
        policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
        style = page.xpath("//style/text()")
        assert len(style) == 1
        digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
        assert "var(" not in style[0]
        assert "url(" not in style[0]
        assert not page.xpath("//script | //iframe | //object | //embed | //form | //base | //link | //@style")
        assert not [name for name in page.xpath("//@*") if name.attrname.startswith("on")]
        assert all(each.startswith("data:image/") for each in page.xpath("//@src"))
        assert all(re.match(r"#|https?://", each, re.IGNORECASE) for each in page.xpath("//@href"))


def test_hostile_text_stays_text() -> None:
    page = _hostile()
    text = _text(page)
    for each in (TEXTS[0], TEXTS[1], TEXTS[2], TEXTS[3], TEXTS[4], TEXTS[9].split("\u2028")[0]):
        assert " ".join(each.split()) in text
    assert WORD in text
    assert "before[31mafter" in text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "".join(page.itertext()))
    assert "[99]" in text
    tags = {each.tag for each in page.iter() if isinstance(each.tag, str)}
    assert tags <= set(_TAGS.split())


@pytest.mark.parametrize("colour", ["#ffff99", "#fefefe"])
def test_pale_colours_are_darkened(colour: str) -> None:
    style = to_html(_RECORD, Look(theme=Theme(primary=colour, accent=colour))).decode()
    assert f"color: {colour};" not in style.split("</style>")[0].replace("-color: ", "")


def test_a_figure_without_a_picture_is_its_numbers() -> None:
    page = _read(to_html(_RECORD, Look()))
    assert not page.xpath("//figure//img")
    assert [_text(each) for each in page.xpath("//figure[@id='figure-1']//tbody/tr/th")][:2] == ["North", "South"]


def test_the_same_bytes_in_another_process() -> None:
    written = to_html(_RECORD, look_of(_RECORD))
    assert hashlib.sha256(written).hexdigest() == digest_elsewhere("html", "to_html")
