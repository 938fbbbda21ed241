"""What slides are shown as: a chart of numbers, a timeline of dated statements, a table of what is compared, steps.

All of it is drawn from the record, natively, without a model and without a network: there is no slide whose visual is
missing. A model's picture stands on the cover alone, as bytes (`Look.cover`). Nothing here fetches an address that a
model wrote.
"""

from collections.abc import Sequence

from activities.deliverables.deck import geometry as geometry
from activities.deliverables.deck.cards import cards_of
from activities.deliverables.deck.figures import (
    RANKED,
    columns_to_draw,
    heading,
    marks_of,
    named,
    numbers_in,
    points_of,
    takeaways,
)
from activities.deliverables.deck.gridding import split_grid
from activities.deliverables.deck.keyfigures import key_figures_of
from activities.deliverables.deck.metrics import text_height
from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.sections import Topic, clean
from activities.deliverables.deck.wording import dated, elided, steps_in
from schema.contracts.deliverables import Grid, RunRecord, Statement
from schema.contracts.slides import SlideKind, SlidePlan, Visual, VisualKind

EVENTS_MIN, EVENTS_MAX = 3, 4
STEPS_MAX = 5
EVENT_HEIGHT = 240.0
CARD_MARGIN = 12.0
CHARTS_OF_A_TABLE = 2
DIAGRAM_PT = 14.0
COLUMN_GAP = 18.0
TITLE_MOST = 84


def rows_or_cards(kind: SlideKind, statements: Sequence[Statement], factor: float) -> Visual | None:
    """Return how a list of statements is shown better than as a list: with their figures, or side by side."""
    if kind not in (SlideKind.FINDINGS, SlideKind.ANALYSIS):
        return None
    return key_figures_of(statements, factor) or cards_of(statements, factor)


def column_width(count: int) -> float:
    """Return the width of one of `count` columns of a diagram, in points."""
    return (geometry.WIDTH - (count - 1) * COLUMN_GAP) / count


def _fits(statement: Statement, count: int, factor: float) -> bool:
    text = statement.text + marks_text(statement)
    return card_height(text, count, DIAGRAM_PT, factor) <= EVENT_HEIGHT


def card_height(text: str, count: int, size: float, factor: float) -> float:
    """Return the height that a text takes in one of `count` cards, with its margins, in points."""
    return text_height(text, size, column_width(count) - 2 * CARD_MARGIN - 2, factor=factor) + 2 * CARD_MARGIN


def timeline_in(topic: Topic, factor: float) -> tuple[SlidePlan, list[Statement]] | None:
    """Return a slide of a topic's dated statements, and the statements that it does not show."""
    events = [(found, each) for each in topic.statements if (found := dated(each.text)) and _fits(each, 4, factor)]
    distinct = list({when[0]: (when, each) for when, each in reversed(events)}.values())
    chosen = sorted(distinct[::-1][:EVENTS_MAX], key=lambda event: event[0][0])
    # Statements that happen to name a year are no course of events: most of a topic's have to.
    if len(chosen) < EVENTS_MIN or 2 * len(distinct) < len(topic.statements):
        return None
    first, last = chosen[0][0][1], chosen[-1][0][1]
    shown = tuple(each for _, each in chosen)
    visual = Visual(kind=VisualKind.TIMELINE, labels=tuple(when[1] for when, _ in chosen))
    title = f"{elided(topic.title, 60)}: from {first} to {last}"
    plan = SlidePlan(
        kind=SlideKind.ANALYSIS, title=title, topic=topic.title, statements=shown, visual=visual, size_pt=DIAGRAM_PT
    )
    return plan, [each for each in topic.statements if each not in shown]


def process_in(topic: Topic, factor: float) -> tuple[SlidePlan, list[Statement]] | None:
    """Return a slide of a topic's ordered steps, and the statements that it does not show."""
    start, end = steps_in(topic.statements)
    steps = topic.statements[start:end]
    if not 3 <= len(steps) <= STEPS_MAX or not all(_fits(each, len(steps), factor) for each in steps):
        return None
    plan = SlidePlan(
        kind=SlideKind.ANALYSIS,
        title=f"{elided(topic.title, 70)}: {len(steps)} steps",
        topic=topic.title,
        statements=tuple(steps),
        visual=Visual(kind=VisualKind.PROCESS),
        size_pt=DIAGRAM_PT,
    )
    return plan, topic.statements[:start] + topic.statements[end:]


def tables_of(topic: Topic, factor: float) -> list[SlidePlan]:
    """Return a topic's tables, each over as many slides as its rows and columns need, and a chart of their numbers."""
    slides = list[SlidePlan]()
    for grid in topic.grids:
        pieces = split_grid(grid, factor=factor)
        for number, piece in enumerate(pieces, 1):
            caption = f"Part {number} of {len(pieces)} of the table; {len(grid.rows)} rows" if len(pieces) > 1 else ""
            visual = Visual(kind=VisualKind.TABLE, grid=piece, caption=caption)
            slides.append(_visual_slide(_grid_title(piece), topic.title, visual))
        slides += [_chart_of(cut, grid, topic.title) for cut in columns_to_draw(grid, CHARTS_OF_A_TABLE)]
    return slides


def _grid_title(grid: Grid) -> str:
    names = [name for name in grid.heading[1:] if name]
    return elided(f"{grid.heading[0] or 'Comparison'}: {', '.join(names)}", 84)


def _chart_of(cut: Grid, whole: Grid, topic: str) -> SlidePlan:
    values = numbers_in(cut, 1) or []
    best, highest = _ends(cut, values, max(values), "Highest")
    said = [highest]
    if len(cut.rows) == RANKED < len(whole.rows):
        caption = f"The {RANKED} highest of the {len(whole.rows)} rows of the report's table"
    else:
        caption = "Drawn from the report's table"
        said.append(_ends(cut, values, min(values), "Lowest")[1])
    visual = Visual(kind=VisualKind.CHART, grid=cut, column=1, caption=caption, marks=marks_of(cut.rows))
    title = cut.heading[1] if best is None else f"{cut.heading[1]}: {best[0].text} leads with {best[1].text}"
    title = elided(title, 84)
    return SlidePlan(
        kind=SlideKind.ANALYSIS, title=title, topic=topic, statements=tuple(said), visual=visual, size_pt=16
    )


def _ends(cut: Grid, values: Sequence[float], value: float, word: str) -> tuple[Sequence[Statement] | None, Statement]:
    """Return the one row with a value, None where several share it, and what is to be said of them."""
    rows = [row for row, each in zip(cut.rows, values, strict=True) if each == value]
    text = f"{word}: {named([row[0].text for row in rows])} with {rows[0][1].text}"
    return (rows[0] if len(rows) == 1 else None), Statement(text=text, marks=marks_of(rows))


def _visual_slide(title: str, topic: str, visual: Visual, said: Sequence[Statement] = ()) -> SlidePlan:
    return SlidePlan(
        kind=SlideKind.ANALYSIS, title=title, topic=topic, visual=visual, statements=tuple(said), size_pt=16
    )


def figures_of(record: RunRecord) -> list[SlidePlan]:
    """Return a slide for every figure that has numbers, with what they say."""
    slides, told = list[SlidePlan](), set[str]()
    for figure in record.figures:
        if len(points_of(figure)) < 2:
            continue
        said = list(takeaways(figure))
        more = [each for each in record.insights if each.origin == figure.origin and each.sentence not in told]
        for each in more[:1]:
            told.add(each.sentence)
            said.append(Statement(text=clean(each.sentence)))
        visual = Visual(kind=VisualKind.CHART, figure=figure.name, caption=f"Data: {elided(clean(figure.origin), 80)}")
        title = heading(figure) if len(heading(figure)) <= TITLE_MOST else elided(clean(figure.title), TITLE_MOST)
        slides.append(_visual_slide(title, "What the data shows", visual, said))
    return slides
