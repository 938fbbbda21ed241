"""A deck, opened again: native text, tables, charts, notes, links and alternative text; the same bytes every time."""

import hashlib
import io
import re
import subprocess
import sys
import zipfile
from typing import Any

import pytest
from lxml import etree
from PIL import Image
from pptx import Presentation

from activities.deliverables.colours import TEXT_CONTRAST, contrast
from activities.deliverables.deck.building import to_pptx
from activities.deliverables.deck.colours import Palette
from activities.deliverables.deck.lint import lint
from activities.deliverables.deck.master import LAYOUTS
from activities.deliverables.deck.planning import plan_deck
from activities.deliverables.look import Look, Picture
from activities.insights import specs
from schema.contracts.deliverables import Figure, Theme
from schema.contracts.slides import SlideKind, VisualKind
from tests.support.hostile_records import hostile_record
from tests.support.records import SCRIPTS, Shape, made_record

RECORD = made_record(21, Shape(figures=3, scripts=tuple(SCRIPTS)))
SPACE = {"a": "http://schemas.openxmlformats.org/drawingml/2006/main"}


@pytest.fixture(scope="module")
def made() -> bytes:
    return to_pptx(RECORD, Look(theme=Theme(footer="Muster AG, confidential")), 20)


def opened(pptx: bytes) -> Any:
    return Presentation(io.BytesIO(pptx))


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "#0b6b3a").save(out, "PNG")
    return out.getvalue()


def texts(slide: Any) -> str:
    return "\n".join("".join(p.itertext(f"{{{SPACE['a']}}}t")) for p in slide._element.iter(f"{{{SPACE['a']}}}p"))


def test_every_statement_note_chart_and_link_of_the_plan_is_in_the_file(made: bytes) -> None:
    plan, deck = plan_deck(RECORD, 20), opened(made)
    assert len(deck.slides) == len(plan.slides)
    charts = 0
    for planned, slide in zip(plan.slides, deck.slides, strict=True):
        said = texts(slide).replace("\u00a0", " ")
        assert planned.title in said
        for each in planned.cited:
            assert each.text.rstrip(".。") in said
            assert all(f"[{mark}]" in said for mark in each.marks)
        assert slide.notes_slide.notes_text_frame.text == planned.notes
        charts += sum(shape.has_chart for shape in slide.shapes)
        if planned.visual and planned.visual.kind == VisualKind.TABLE and planned.visual.grid:
            [table] = [shape.table for shape in slide.shapes if shape.has_table]
            assert len(table.rows) == len(planned.visual.grid.rows) + 1
        if planned.kind == SlideKind.SOURCES:
            links = {rel.target_ref for rel in slide.part.rels.values() if rel.is_external}
            assert links == {source.uri for source in RECORD.sources if source.uri.startswith("http")}
    assert charts >= 3


def test_marks_lead_to_the_slide_of_sources(made: bytes) -> None:
    deck = opened(made)
    last = deck.slides[len(deck.slides) - 1]
    found = 0
    for slide in deck.slides:
        for run in slide._element.iter(f"{{{SPACE['a']}}}r"):
            if re.fullmatch(r"(\[\d+\])+", run.findtext("a:t", namespaces=SPACE) or "") and slide is not last:
                click = run.find("a:rPr/a:hlinkClick", SPACE)
                if click is not None:
                    [rid] = [value for key, value in click.attrib.items() if key.endswith("}id")]
                    assert slide.part.rels[rid].target_part is last.part
                    found += 1
    assert found > 10


def test_slides_stand_on_layouts_and_no_slide_is_a_picture(made: bytes) -> None:
    deck = opened(made)
    assert tuple(layout.name for layout in deck.slide_layouts) == LAYOUTS
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9, abs=0.001)
    for slide in deck.slides:
        assert slide.shapes.title.has_text_frame
        assert not any(shape.shape_type == 13 for shape in slide.shapes)
        assert all(shape.is_placeholder or shape.shape_type == 6 for shape in slide.shapes), "diagrams alone are free"
    footers = [shape.text_frame.text for slide in deck.slides for shape in slide.placeholders if "Footer" in shape.name]
    assert set(footers) == {"Muster AG, confidential"}


def test_a_master_that_is_changed_changes_the_slides(made: bytes) -> None:
    for slide in opened(made).slides:
        for run in slide._element.iter(f"{{{SPACE['a']}}}rPr"):
            assert run.find("a:latin", SPACE) is None, "fonts are the theme's"
            assert run.find("a:solidFill/a:srgbClr", SPACE) is None, "colours are the theme's"
        for shape in slide.placeholders:
            if shape.has_text_frame:
                assert shape._element.spPr.find("a:xfrm", SPACE) is None, "places are the layout's"


def test_charts_hold_their_numbers_and_tell_what_they_show(made: bytes) -> None:
    figures = {figure.title: figure for figure in RECORD.figures}
    seen = 0
    for slide in opened(made).slides:
        for shape in slide.shapes:
            if shape.has_chart:
                description = shape._element.nvGraphicFramePr.cNvPr.get("descr")
                assert description
                figure = next((each for title, each in figures.items() if title in description), None)
                if figure is not None:
                    values = [point["y"] for point in figure.spec["data"]["values"]]
                    assert list(shape.chart.plots[0].series[0].values) == pytest.approx(values)
                    seen += 1
    assert seen == len(RECORD.figures)


def test_properties_languages_and_directions(made: bytes) -> None:
    deck = opened(made)
    assert deck.core_properties.title == RECORD.document.title
    assert deck.core_properties.author == "Swissbrain"
    assert deck.core_properties.created == deck.core_properties.modified
    assert deck.core_properties.created == RECORD.made_at.replace(tzinfo=None)
    languages, directions = set(), set()
    for slide in deck.slides:
        for paragraph in slide._element.iter(f"{{{SPACE['a']}}}p"):
            said = "".join(paragraph.itertext(f"{{{SPACE['a']}}}t"))
            properties = paragraph.find("a:pPr", SPACE)
            if re.search("[\u0590-\u06ff]", said) and len(said) > 12:
                directions.add(properties.get("rtl"))
            languages |= {run.get("lang") for run in paragraph.iter(f"{{{SPACE['a']}}}rPr")}
    assert directions == {"1"}
    assert {"en-US", "ar-SA", "he-IL", "zh-CN", "ja-JP", "ru-RU", "el-GR"} <= languages


def test_the_same_record_gives_the_same_bytes_in_another_process(made: bytes) -> None:
    program = (
        "import hashlib, sys; from tests.unit.deliverables.test_deck_building import *; "
        "made = to_pptx(RECORD, Look(theme=Theme(footer='Muster AG, confidential')), 20); "
        "sys.stdout.write(hashlib.sha256(made).hexdigest())"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout == hashlib.sha256(made).hexdigest()
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        assert {info.date_time for info in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        for name in package.namelist():
            if name.endswith((".xml", ".rels")):
                shapes = etree.fromstring(package.read(name)).iter("{*}cNvPr")
                ids = [shape.get("id") for shape in shapes]
                assert len(ids) == len(set(ids)), f"{name}: PowerPoint repairs a slide of which two shapes share an id"


def test_hostile_text_stays_text() -> None:
    made = to_pptx(hostile_record(), Look(), 30)
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        for name in package.namelist():
            content = package.read(name)
            if name.endswith(".rels"):
                targets = re.findall(rb'Target="([^"]*)" TargetMode="External"', content)
                assert all(target.lower().startswith((b"http://", b"https://")) for target in targets)
            if name.endswith(".xlsx"):
                with zipfile.ZipFile(io.BytesIO(content)) as workbook:
                    sheet = workbook.read("xl/worksheets/sheet1.xml")
                    assert b"<f>" not in sheet, "no formulas"
                    assert b"hyperlink" not in sheet
    deck = opened(made)
    assert any("=cmd|' /C calc'!A0" in texts(slide) for slide in deck.slides)
    assert any("<script>alert(1)</script>" in texts(slide) for slide in deck.slides)
    assert not any("\u202e" in texts(slide) for slide in deck.slides)


@pytest.mark.parametrize("colour", ["#ffe08a", "#ffffff", "#000000", "#777777", "#00ff00", "#1f4e79"])
def test_an_organisations_colours_stay_readable(colour: str) -> None:
    palette = Palette(Look(theme=Theme(primary=colour, accent=colour)))
    assert contrast(palette.heading, "#ffffff") >= TEXT_CONTRAST
    assert contrast(palette.heading, palette.pale) >= TEXT_CONTRAST - 0.6
    assert contrast(palette.link, palette.pale) >= TEXT_CONTRAST
    assert contrast(palette.on_panel, palette.panel) >= TEXT_CONTRAST
    assert all(contrast(each, "#ffffff") >= 3 for each in palette.series)


def test_a_logo_stands_on_the_master_and_what_is_none_is_left_out() -> None:
    record = made_record(1, Shape(subtasks=1, grids=0, figures=0))
    deck = opened(to_pptx(record, Look(logo=png(400, 100)), 8))
    for holder in (deck.slide_master, deck.slide_layouts[0]):
        [logo] = [shape for shape in holder.shapes if shape.shape_type == 13]
        assert logo.width / logo.height == pytest.approx(4, rel=0.01)
    for broken in (b"<svg/>", b"", b"\x89PNG\r\n\x1a\n"):
        deck = opened(to_pptx(record, Look(logo=broken), 8))
        assert not [shape for shape in deck.slide_master.shapes if shape.shape_type == 13]


def test_box_plots_are_pictures_with_their_text_or_their_medians() -> None:
    boxes = [
        {"x": name, "low": 1, "q1": 2, "median": median, "q3": 9, "high": 12, "outliers": [20]}
        for name, median in (("North", 4), ("South", 6))
    ]
    figure = Figure(
        name="spread", kind="box", title="Prices by region", origin="orders.csv",
        spec=specs.box("Prices by region", boxes, "region", "price"),
    )  # fmt: skip
    record = made_record(1, Shape(subtasks=1, grids=0, figures=0)).model_copy(update={"figures": (figure,)})
    drawn = opened(to_pptx(record, Look(pictures={"spread": Picture(png=png(700, 300), svg=b"")}), 10))
    [picture] = [
        shape for slide in drawn.slides for shape in slide.shapes if shape.shape_type == 14 and hasattr(shape, "image")
    ]
    assert "Prices by region" in picture._element.nvPicPr.cNvPr.get("descr")
    assert picture.width / picture.height == pytest.approx(7 / 3, rel=0.01)
    told = opened(to_pptx(record, Look(), 10))
    [chart] = [shape.chart for slide in told.slides for shape in slide.shapes if shape.has_chart]
    assert list(chart.plots[0].series[0].values) == [4, 6]


def test_a_cover_is_illustrated() -> None:
    """The picture fills its placeholder and says that it is decoration; one that is broken is left out."""
    drawn = io.BytesIO()
    Image.new("RGB", (640, 480), (20, 60, 90)).save(drawn, "PNG")
    data = to_pptx(made_record(5), Look(cover=drawn.getvalue()), 8)
    (picture,) = [shape for shape in Presentation(io.BytesIO(data)).slides[0].shapes if hasattr(shape, "image")]
    assert "no data" in picture._element.nvPicPr.cNvPr.get("descr")
    assert lint(data) == []
    broken = to_pptx(made_record(5), Look(cover=b"\x89PNG\r\n\x1a\nbroken"), 8)
    assert not [shape for shape in Presentation(io.BytesIO(broken)).slides[0].shapes if hasattr(shape, "image")]
