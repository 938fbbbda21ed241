"""The deck lint: each rule finds what it is for, and decks that are built keep to all of them."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.util import Pt

from activities.deliverables.deck import fonts, metrics
from activities.deliverables.deck.building import to_pptx
from activities.deliverables.deck.lint import LintRule, lint
from activities.deliverables.look import Look
from tests.support.decks import deck_case
from tests.support.hostile_records import hostile_record
from tests.support.records import Shape, made_record

EXTENDED_SEEDS = range(30)


@pytest.fixture(scope="module")
def clean_deck() -> bytes:
    made = to_pptx(made_record(1, Shape(subtasks=2, sources=5, figures=1)), Look(), 11)
    assert lint(made) == []
    return made


def body(deck: Any) -> Any:
    """Return the first body placeholder with a list in it."""
    return next(
        shape
        for slide in deck.slides
        for shape in slide.placeholders
        if shape.placeholder_format.idx == 1 and shape.has_text_frame and slide.slide_layout.name == "Title and content"
    )


def content(deck: Any, kind: str) -> Any:
    return next(shape for slide in deck.slides for shape in slide.shapes if getattr(shape, f"has_{kind}", False))


def _long_text(deck: Any) -> None:
    body(deck).text_frame.paragraphs[0].runs[0].text = "Many words that go on and on. " * 60


def _high_row(deck: Any) -> None:
    content(deck, "table").table.cell(1, 0).text_frame.paragraphs[0].runs[0].text = "word " * 300


def _lies_over(deck: Any) -> None:
    shape = body(deck)
    shape.left, shape.top, shape.width, shape.height = Pt(48), Pt(60), Pt(600), Pt(340)


def _leaves_the_slide(deck: Any) -> None:
    content(deck, "chart").left = Pt(700)


def _pale(deck: Any) -> None:
    body(deck).text_frame.paragraphs[0].runs[-1].font.color.rgb = RGBColor(0xDD, 0xDD, 0xDD)


def _small(deck: Any) -> None:
    body(deck).text_frame.paragraphs[0].runs[-1].font.size = Pt(9)


def _small_cell(deck: Any) -> None:
    content(deck, "table").table.cell(1, 0).text_frame.paragraphs[0].runs[0].font.size = Pt(10)


def _emptied(deck: Any) -> None:
    body(deck).text_frame.clear()


def _layout_alone(deck: Any) -> None:
    deck.slides.add_slide(deck.slide_layouts[3])


def _speechless(deck: Any) -> None:
    deck.slides[3].notes_slide.notes_text_frame.clear()


def _wordy(deck: Any) -> None:
    shape = body(deck)
    shape.text_frame.paragraphs[0].runs[0].text = "a " * 200


def _undescribed(deck: Any) -> None:
    content(deck, "chart")._element.nvGraphicFramePr.cNvPr.set("descr", " ")


def _uncited(deck: Any) -> None:
    mark = next(_marks(deck))
    mark.text = "[99]"


def _leads_elsewhere(deck: Any) -> None:
    mark = next(_marks(deck))
    click = mark._r.find(".//{*}hlinkClick")
    click.getparent().remove(click)


def _leads_nowhere(deck: Any) -> None:
    next(_marks(deck))._r.find(".//{*}hlinkClick").set(
        "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id", "rId999"
    )


def _script(deck: Any) -> None:
    run = body(deck).text_frame.paragraphs[0].runs[0]
    run.hyperlink.address = "javascript:alert(1)"


def _marks(deck: Any) -> Any:
    for slide in deck.slides:
        for shape in slide.placeholders:
            for paragraph in shape.text_frame.paragraphs if shape.has_text_frame else ():
                for run in paragraph.runs:
                    if run._r.find(".//{*}hlinkClick") is not None and run.text.startswith("["):
                        yield run


def _bare(deck: Any) -> None:
    shape = body(deck)
    shape._element.getparent().remove(shape._element)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_long_text, LintRule.OVERFLOW),
        (_high_row, LintRule.OVERFLOW),
        (_lies_over, LintRule.OVERLAP),
        (_leaves_the_slide, LintRule.OFF_SLIDE),
        (_pale, LintRule.CONTRAST),
        (_small, LintRule.FONT_SIZE),
        (_small_cell, LintRule.FONT_SIZE),
        (_emptied, LintRule.EMPTY_PLACEHOLDER),
        (_layout_alone, LintRule.EMPTY_PLACEHOLDER),
        (_speechless, LintRule.MISSING_NOTES),
        (_wordy, LintRule.TOO_MANY_WORDS),
        (_undescribed, LintRule.MISSING_ALT_TEXT),
        (_uncited, LintRule.BROKEN_CITATION),
        (_leads_elsewhere, LintRule.BROKEN_CITATION),
        (_leads_nowhere, LintRule.BROKEN_CITATION),
        (_script, LintRule.BROKEN_CITATION),
        (_bare, LintRule.EMPTY_SLIDE),
    ],
)
def test_each_rule_finds_what_it_is_for(clean_deck: bytes, spoil: Callable[[Any], None], rule: LintRule) -> None:
    deck = Presentation(io.BytesIO(clean_deck))
    spoil(deck)
    out = io.BytesIO()
    deck.save(out)
    found = lint(out.getvalue())
    assert rule in {each.rule for each in found}
    assert all(each.message and each.slide >= 1 for each in found)


@pytest.mark.parametrize("seed", [1, 4])
def test_built_decks_keep_to_every_rule(seed: int) -> None:
    assert lint(to_pptx(*deck_case(seed))) == []


def test_a_deck_of_hostile_text_keeps_to_every_rule() -> None:
    assert lint(to_pptx(hostile_record(), Look(), 12)) == []


@pytest.mark.extended
@pytest.mark.parametrize("seed", EXTENDED_SEEDS)
def test_thirty_decks_keep_to_every_rule(seed: int) -> None:
    assert lint(to_pptx(*deck_case(100 + seed))) == []


@pytest.mark.extended
def test_the_longest_deck_of_hostile_text_keeps_to_every_rule() -> None:
    assert lint(to_pptx(hostile_record(), Look(), 60)) == []


@pytest.mark.parametrize("bold", [False, True])
def test_the_table_of_widths_is_noto_sans(bold: bool) -> None:
    if fonts._font("Noto Sans", bold) is None or "NotoSans-Regular.ttf" not in fonts._files():
        pytest.skip("needs Noto Sans (apt-get install fonts-noto-core)")
    for text in ("The quick brown fox jumps over", "Новая линия перевозит", "Η νέα γραμμή μεταφέρει", "1234567890 %€"):
        real = fonts.width(text, 20, "Noto Sans", bold)
        assert real <= metrics.width(text, 20, bold=bold) <= 1.05 * real
