"""The plan of a deck: within its number of slides, every statement once and cited, titles that say something."""

from datetime import date

import pytest

from activities.deliverables.deck.figures import columns_to_draw
from activities.deliverables.deck.outlining import outline_request
from activities.deliverables.deck.planning import plan_deck
from activities.deliverables.deck.sections import (
    ANALYSIS,
    EXECUTIVE_SUMMARY,
    KEY_FINDINGS,
    NOT_COVERED,
    RECOMMENDATIONS,
    Topic,
    sort_statements,
)
from activities.deliverables.deck.visuals import tables_of
from activities.deliverables.deck.wording import dated, key_figure, shortened, shown_by, steps_in
from activities.research import citations, composing
from schema.contracts.deliverables import Bullets, Document, Grid, Paragraph, Part, RunRecord, Statement
from schema.contracts.slides import Outline, OutlinedSlide, SlideKind, VisualKind
from tests.support.hostile_records import hostile_record
from tests.support.records import SCRIPTS, Shape, made_record

TINY = Shape(subtasks=1, findings=1, paragraphs=1, sources=1, grids=0, figures=0)
LARGE = Shape(subtasks=12, findings=4, paragraphs=3, sources=200, grids=6, grid_rows=40, figures=8)
ORDER = list(SlideKind)


def test_the_parts_of_a_report_are_called_what_the_reports_writer_calls_them() -> None:
    ours = (EXECUTIVE_SUMMARY, KEY_FINDINGS, ANALYSIS, RECOMMENDATIONS, NOT_COVERED)
    theirs = (
        composing.EXECUTIVE_SUMMARY, composing.KEY_FINDINGS, composing.ANALYSIS, composing.RECOMMENDATIONS,
        citations.NOT_COVERED,
    )  # fmt: skip
    assert ours == theirs


@pytest.mark.parametrize(
    "shape", [TINY, Shape(), Shape(scripts=tuple(SCRIPTS)), LARGE], ids=("tiny", "common", "scripts", "large")
)
@pytest.mark.parametrize("most", [5, 8, 20, 31, 60])
def test_a_deck_keeps_to_its_number_of_slides_and_to_their_order(shape: Shape, most: int) -> None:
    record = made_record(11, shape)
    plan = plan_deck(record, most)
    assert len(plan.slides) <= most
    kinds = [slide.kind for slide in plan.slides]
    assert kinds == sorted(kinds, key=ORDER.index)
    assert kinds[0] == SlideKind.TITLE
    assert kinds[-1] == SlideKind.SOURCES
    assert SlideKind.FINDINGS in kinds
    assert SlideKind.CONCLUSION in kinds
    _check(plan_slides := plan.slides, record)
    titles = [(slide.topic, slide.title) for slide in plan_slides]
    assert len(titles) == len(set(titles))


def _check(slides: tuple, record: RunRecord) -> None:  # type: ignore[type-arg]
    known = {(each.text, each.marks) for _, _, each in sort_statements(record).numbered()}
    shown, listed = list[Statement](), {number for slide in slides for number in slide.sources}
    for slide in slides:
        assert slide.title
        assert slide.notes
        if slide.kind in (SlideKind.TITLE, SlideKind.AGENDA, SlideKind.SOURCES):
            continue
        assert slide.cited or slide.visual
        drawn = slide.visual is not None and slide.visual.kind in (VisualKind.CHART, VisualKind.TABLE)
        if not drawn:
            assert {(each.text, each.marks) for each in slide.cited} <= known, "in the record's words, with its marks"
            shown += slide.cited
        marks = {mark for each in slide.cited for mark in each.marks}
        if slide.visual is not None and slide.visual.grid is not None:
            marks |= {mark for row in slide.visual.grid.rows for cell in row for mark in cell.marks}
        assert marks <= listed, "every citation has an entry in the deck"
    assert len(shown) == len(set(shown)), "no statement twice"


def test_spec_counts_of_slides_at_the_default_length() -> None:
    kinds = [slide.kind for slide in plan_deck(made_record(3, Shape(subtasks=8, sources=40)), 20).slides]
    assert 3 <= kinds.count(SlideKind.FINDINGS) <= 5
    assert kinds.count(SlideKind.ANALYSIS) >= 3
    assert 1 <= kinds.count(SlideKind.RECOMMENDATIONS) <= 3
    assert kinds.count(SlideKind.AGENDA) == kinds.count(SlideKind.CONCLUSION) == 1


@pytest.mark.parametrize("most", [4, 0, -1, 61])
def test_numbers_of_slides_that_no_deck_has_are_refused(most: int) -> None:
    with pytest.raises(ValueError, match="5 to 60"):
        plan_deck(made_record(1), most)


def test_a_record_without_anything_still_makes_a_deck() -> None:
    record = made_record(1, TINY).model_copy(update={"document": Document(title="Nothing", parts=()), "sources": ()})
    plan = plan_deck(record, 5)
    assert [slide.kind for slide in plan.slides] == [SlideKind.TITLE]
    assert plan.slides[0].notes


def test_hostile_records_keep_to_the_rules() -> None:
    record = hostile_record()
    _check(plan_deck(record, 40).slides, record)


def test_what_is_left_out_is_counted() -> None:
    plan = plan_deck(made_record(2, LARGE), 10)
    assert plan.left_out > 50
    conclusion = next(slide for slide in plan.slides if slide.kind == SlideKind.CONCLUSION)
    assert f"{plan.left_out} more statements" in conclusion.notes


def test_notes_hold_each_statement_with_the_words_of_its_sources() -> None:
    record = made_record(4)
    quotes = {quote.quote for source in record.sources for quote in source.quotations}
    for slide in plan_deck(record, 20).slides:
        if slide.kind == SlideKind.FINDINGS:
            for each in slide.cited:
                assert each.text in slide.notes
                assert all(f"[{mark}]" in slide.notes for mark in each.marks)
            assert any(f"“{quote}”" in slide.notes for quote in quotes)


def _with(record: RunRecord, *texts: str) -> RunRecord:
    said = tuple(Statement(text=text, marks=(1,)) for text in texts)
    parts = (
        Part(title=KEY_FINDINGS, level=2, blocks=(Bullets(items=(said[0],)),)),
        Part(title=ANALYSIS, level=2),
        Part(title="How it is done", level=3, blocks=(Paragraph(sentences=said),)),
    )
    return record.model_copy(update={"document": Document(title="Notes", parts=parts)})


def test_ordered_steps_become_a_process_and_dated_statements_a_timeline() -> None:
    base = made_record(1, TINY)
    steps = ("It began small.", "First, the ore is ground.", "Then it is washed.", "Finally it is dried in the sun.")
    plan = plan_deck(_with(base, *steps), 12)
    [slide] = [each for each in plan.slides if each.visual and each.visual.kind == VisualKind.PROCESS]
    assert [each.text for each in slide.statements] == list(steps[1:])
    events = (
        "A first hall stood.",
        "It was sold on 3 May 2014.",
        "It was built in 1987.",
        "In June 2009, it was closed.",
    )
    plan = plan_deck(_with(base, *events), 12)
    [slide] = [each for each in plan.slides if each.visual and each.visual.kind == VisualKind.TIMELINE]
    assert slide.visual is not None
    assert slide.visual.labels == ("1987", "June 2009", "3 May 2014")
    assert [each.text for each in slide.statements] == [events[2], events[3], events[1]]


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("The archive cost 7203 thousand euros, after all.", "7203 thousand euros"),
        ("€3.2 million was paid.", "€3.2 million"),
        ("Sales rose 4.5% in 2020.", "4.5%"),
        ("It was opened on 14 March 2022.", "14 March 2022"),
        ("Since 2013 it has stood empty.", "2013"),
        ("It costs about 40 euros.", None),
        ("It has at least 40 rooms.", None),
        ("A Boeing 737 aircraft landed.", None),
        ("In 12 of 14 cases it held.", None),
        ("It stood from 1990 to 2001.", None),
    ],
)
def test_a_rows_figure_tells_nothing_that_its_statement_does_not(text: str, figure: str | None) -> None:
    assert key_figure(text) == figure


def test_the_date_of_an_old_source_is_no_event_and_no_figure() -> None:
    assert dated("As of 2016-05-02: Elena Keltaard is the mayor.") is None
    assert dated("As of 2016-05-02: The hall was opened in 1942.") == (date(1942, 1, 1), "1942")
    assert key_figure("As of 2016-05-02: Elena Keltaard is the mayor.") is None
    steps = [Statement(text=f"As of 2016-05-02: {step}.") for step in ("First wash", "Then rinse", "Finally dry")]
    assert steps_in(steps) == (0, 3)


def test_titles_lose_only_clauses_that_add() -> None:
    long = "The plant produces 40 MW, according to the operator, whose figures nobody audited in the last ten years"
    assert shortened(long) == "The plant produces 40 MW"
    limited = (
        "The new plant produces 40 MW, which holds only if the river carries enough water in all of the summer months"
    )
    assert shortened(limited) is None
    assert shown_by("The plant makes 40 MW", [Statement(text="The plant yields 40 MW.")])
    assert not shown_by("The plant makes 50 MW", [Statement(text="The plant yields 40 MW.")])
    assert not shown_by("Why Norrvik leads", [Statement(text="The plant yields 40 MW.")])
    assert dated("From 3 May 2014 to 7 May 2015.") is None
    assert steps_in([Statement(text="Then it ends."), Statement(text="Next comes more.")]) == (0, 0)


def test_an_outline_is_held_to_the_statements() -> None:
    record = made_record(9, Shape(grids=0, figures=0))
    request = outline_request(record, 20)
    first, second, third = (each for each in request.statements[:3])
    outline = Outline(
        slides=(
            OutlinedSlide(
                kind=SlideKind.FINDINGS, title="Three things stand out", statements=(1, 2, 2, 999), notes="Here."
            ),
            OutlinedSlide(
                kind=SlideKind.FINDINGS, title="Costs rose by 812 percent", statements=(2, 3), notes="By 812 %."
            ),
            OutlinedSlide(kind=SlideKind.FINDINGS, title="Nothing left", statements=(1, 3)),
            OutlinedSlide(kind=SlideKind.TITLE, title="A title of its own", statements=(4,)),
        )
    )
    slides = [slide for slide in plan_deck(record, 20, outline).slides if slide.kind == SlideKind.FINDINGS]
    assert slides[0].title == "Three things stand out"
    assert [each.text for each in slides[0].cited] == [first.text, second.text]
    assert slides[0].notes.startswith("Here.")
    assert "812" not in slides[1].title + slides[1].notes
    assert [each.text for each in slides[1].cited] == [third.text]
    assert len(slides) == 2


def _table(values: list[str]) -> Grid:
    rows = tuple((Statement(text=f"Firm {n}"), Statement(text=value, marks=(1,))) for n, value in enumerate(values, 1))
    return Grid(heading=("Item", "Revenue"), rows=rows)


def test_columns_of_numbers_are_drawn() -> None:
    """With their unit, without empty cells, the highest of many; never years, or numbers of several units."""
    (cut,) = columns_to_draw(_table(["3 million", "–", "1 million", "2 million"]), 2)
    assert [row[1].text for row in cut.rows] == ["3 million", "1 million", "2 million"]
    many = columns_to_draw(_table([str(value) for value in range(1, 31)]), 2)[0]
    assert [row[1].text for row in many.rows] == [str(value) for value in range(30, 18, -1)]
    for values in (
        ["1994", "2001", "2020"],
        ["3 km", "2 m", "1 m"],
        ["3", "none", "2"],
        ["1", "1", "1"],
        ["1", "–", "–"],
    ):
        assert columns_to_draw(_table(values), 2) == [], values


def test_who_shares_a_place_is_named() -> None:
    """Nobody leads where two have as much."""
    topic = Topic("Firms", grids=[_table(["5", "5", "2"])])
    chart = next(slide for slide in tables_of(topic, 1.0) if slide.visual and slide.visual.kind == VisualKind.CHART)
    assert chart.title == "Revenue"
    assert [each.text for each in chart.statements] == ["Highest: Firm 1 and Firm 2 with 5", "Lowest: Firm 3 with 2"]
