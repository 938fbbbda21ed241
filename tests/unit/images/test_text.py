"""What becomes of pages: the text, tables as files, the description."""

import csv
import io

import pytest

from activities.documents.builder import TextBuilder, page_at
from activities.images.describing import colour_name, describe
from activities.images.text import add_page, document_of, table_csv
from schema.contracts.images import Appearance, Box, Caption, Colour, ImageFacts, ReadPage, ReadTable, Region, TextLine

LOOK = Appearance(colours=(Colour(name="white", share=0.9),), text_share=0.1, brightness=0.9, grey=True)
BOX = Box(left=0, top=0, width=10, height=10)


def page(number: int, parts: list[tuple[str, list[str]]], table: ReadTable | None = None) -> ReadPage:
    lines: list[TextLine] = []
    regions = []
    for kind, texts in parts:
        numbers = range(len(lines), len(lines) + len(texts))
        lines += [TextLine(text=text, confidence=0.9, box=BOX) for text in texts]
        regions.append(Region(kind=kind, box=BOX, lines=tuple(numbers), table=0 if kind == "table" else None))
    return ReadPage(
        number=number,
        width_px=100,
        height_px=100,
        turned_degrees=0,
        straightened_degrees=0,
        lines=tuple(lines),
        regions=tuple(regions),
        tables=(table,) if table else (),
        appearance=LOOK,
        engine="test 1",
    )


FACTS = ImageFacts(format="TIFF", width_px=100, height_px=100, pages=2)
TABLE = ReadTable(rows=(("Site", "Range"), ("Barry", "-3.5")), columns=2, ruled=True)


def test_the_text_keeps_pages_headings_and_rows() -> None:
    """A citation names the page; hyphens at the end of a line go; what was measured comes last, and says so."""
    pages = [
        page(1, [("title", ["Tides"]), ("text", ["The range at Avon-", "mouth is large."])]),
        page(2, [("table", []), ("list", ["- one", "- two"])], TABLE),
    ]
    said = Caption(text="A page of a report.", model="m/vision")
    document = document_of("scan_1.tiff", "image/tiff", pages, describe(FACTS, pages), said)
    first, second = document.text.split("\x0c")
    assert first.strip() == "Tides\n\nThe range at Avonmouth is large."
    assert second.strip().startswith("Site | Range\nBarry | -3.5\n- one\n- two")
    assert page_at(document.text, document.text.index("Barry")) == 2
    assert document.title == "Tides"
    assert "Description by measurement: A TIFF picture of 2 pages" in document.text
    assert document.text.endswith("Description by the model m/vision: A page of a report.")


def test_text_of_a_picture_stays_text() -> None:
    """Controls and page breaks that a picture would smuggle in are removed."""
    builder = TextBuilder()
    builder.page()
    add_page(builder, page(1, [("text", ["a\x0cb\u202ec"])]))
    assert builder.text() == "a\nbc"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1-2", "'+1-2"),
        ("-3.5", "-3.5"),
        ("@x", "'@x"),
        ("-5 %", "-5 %"),
        ("a,b", "a,b"),
    ],
)
def test_tables_are_no_formulas(cell: str, written: str) -> None:
    """What a spreadsheet would run gets an apostrophe; numbers keep their sign."""
    data = table_csv(ReadTable(rows=((cell, ""),), columns=2, ruled=False))
    assert list(csv.reader(io.StringIO(data.decode()))) == [[written, ""]]


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((220, 30, 30), "red"),
        ((20, 60, 200), "blue"),
        ((20, 140, 40), "green"),
        ((250, 220, 40), "yellow"),
        ((120, 70, 20), "brown"),
        ((10, 20, 90), "dark blue"),
        ((250, 130, 20), "orange"),
    ],
)
def test_colours_have_plain_names(colour: tuple[int, int, int], name: str) -> None:
    """The names that people would give."""
    assert colour_name(*colour) == name


def test_a_description_invents_nothing() -> None:
    """Without text it says so."""
    facts = ImageFacts(format="PNG", width_px=640, height_px=480, pages=1)
    assert describe(facts, [page(1, [("figure", [])])]) == (
        "A PNG picture of 640 by 480 pixels. Its main colours are white (90%). No text was found in it."
    )
