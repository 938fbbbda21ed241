"""Word and PowerPoint: what is read of them, in which order, and what is refused."""

import pytest

from activities.documents.extract import extract
from activities.documents.numbering import Numbering
from activities.documents.office import SLIDES, WORD
from activities.documents.passages import split_passages
from schema.errors import PayloadTooLarge, UnsupportedFormat
from tests.unit.documents.office_files import CREATED, changed, hostile_office, part, slides, word

WORD_TEXT = """\
The harbour bridge

Findings

Three bolts were cracked below the second arch.

Footnote 1: Seen by divers in May.

Work

1. Scaffold
2. Bolts
3. Paint
North side
South side

Part | Year | Cost
Bolts | 2024 | 18
Paint | 2024 | 41

The budget is 90 thousand francs.

Beside the box.

In the box.

In a control."""

SLIDES_TEXT = """\
Costs

Bolts: 18 thousand
Paint: 41 thousand

Notes: Mention the offer of May.
\x0c
Offers

Supplier | Price
North | 27

Below the table.
\x0c
Visitors

| 2023 | 2024
Visitors | 120 | 150.5"""


def test_a_word_document_is_read_in_order() -> None:
    """Also what python-docx's paragraphs leave out; not what nobody sees."""
    found = extract(word(), "report.docx", "application/octet-stream")
    assert found.text == WORD_TEXT
    assert (found.mime, found.title, found.author) == (WORD, "The harbour bridge", "Ada Weber")
    assert found.published_at == CREATED
    assert found.language == "en"
    levels = [(heading.level, found.text[heading.start : heading.end]) for heading in found.headings]
    assert levels == [(1, "The harbour bridge"), (2, "Findings"), (3, "Work")]
    passages = split_passages(found.text, found.headings, found.pages, title=found.title)
    assert [passage.heading for passage in passages] == [
        "The harbour bridge > Findings",
        "The harbour bridge > Findings > Work",
    ]


def test_slides_are_pages() -> None:
    found = extract(slides(), "deck.pptx", "application/octet-stream")
    assert found.text == SLIDES_TEXT
    assert (found.mime, found.title, found.author) == (SLIDES, "Spring report", "Ada Weber")
    assert len(found.pages) == 3


def test_styles_numbers_and_links_of_other_templates() -> None:
    """Headings by the outline of a style's ancestor, in German; numbers that the paragraphs do not hold; a link."""
    plain = word()
    styles = part(plain, "word/styles.xml").replace(b'w:styleId="Heading1"', b'w:styleId="berschrift1"')
    own = (
        b'<w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:basedOn w:val="berschrift1"/>'
        b"</w:style></w:styles>"
    )
    body = part(plain, "word/document.xml").replace(b'w:val="Heading1"', b'w:val="Kapitel"')
    body = body.replace(
        b"In a control.", b"See </w:t></w:r><w:hyperlink><w:r><w:t>the plan</w:t></w:r></w:hyperlink><w:r><w:t>."
    )
    package = changed(plain, {"word/styles.xml": styles.replace(b"</w:styles>", own), "word/document.xml": body})
    found = extract(package, "a.docx", "")
    assert (2, "Findings") in [(heading.level, found.text[heading.start : heading.end]) for heading in found.headings]
    assert found.text.endswith("See the plan.")


def test_numbers_are_counted_as_word_counts() -> None:
    from docx.oxml.ns import nsdecls
    from docx.oxml.parser import parse_xml

    levels = (("0", "decimal", "%1."), ("1", "lowerLetter", "%2)"), ("2", "upperRoman", "%1.%2.%3"))
    drawn = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for level, form, text in levels
    )
    numbering = Numbering(
        parse_xml(
            f'<w:numbering {nsdecls("w")}><w:abstractNum w:abstractNumId="7">{drawn}</w:abstractNum>'
            '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
            '<w:num w:numId="2"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/>'
            "</w:lvlOverride></w:num></w:numbering>"
        )
    )
    asked = [("1", 0), ("1", 1), ("1", 1), ("1", 2), ("1", 0), ("1", 1), ("2", 0), ("2", 0)]
    assert [numbering.label(*each) for each in asked] == ["1.", "a)", "b)", "1.b.I", "2.", "a)", "5.", "6."]
    assert numbering.label("3", 0) is None


def test_hostile_files_are_refused_with_a_reason() -> None:
    for what, (name, data, reason) in hostile_office().items():
        with pytest.raises((UnsupportedFormat, PayloadTooLarge)) as refused:
            extract(data, name, "application/octet-stream")
        assert reason in refused.value.detail, f"{what}: {refused.value.detail}"
        assert "passwd" not in refused.value.detail


def test_an_archive_is_no_document() -> None:
    from tests.support.bombs import zipped

    with pytest.raises(UnsupportedFormat, match="ZIP"):
        extract(zipped([("a.txt", b"x")]), "a.docx", "")
