"""A model's outline: what it is asked with, and what is kept of its answer."""

from collections import Counter

from activities.deliverables.deck import geometry
from activities.deliverables.deck.headings import fits_title, heading_of
from activities.deliverables.deck.packing import pack, size_for
from activities.deliverables.deck.sections import Material, clean, same, sort_statements
from activities.deliverables.deck.visuals import rows_or_cards
from activities.deliverables.deck.wording import TITLE_CHARACTERS_MAX, elided, shown_by
from schema.contracts.deliverables import RunRecord, Statement
from schema.contracts.slides import NumberedStatement, Outline, OutlineRequest, SlideKind, SlidePlan

CONTENT = (SlideKind.FINDINGS, SlideKind.ANALYSIS, SlideKind.RECOMMENDATIONS, SlideKind.CONCLUSION)
STATEMENTS_SHOWN_MAX = 200
"""Of a request, taken from all parts."""
_TOPICS = {SlideKind.FINDINGS: "Key findings", SlideKind.RECOMMENDATIONS: "Recommendations"}
NOTES_CHARACTERS_MAX = 600


def outline_request(record: RunRecord, max_slides: int) -> OutlineRequest:
    """Return what a model needs to propose an outline; statements are numbered as `outlined` reads them."""
    numbered = [
        NumberedStatement(number=number, kind=kind, topic=topic, text=statement.text)
        for number, (kind, topic, statement) in enumerate(sort_statements(record).numbered(), 1)
    ]
    return OutlineRequest(
        title=clean(record.document.title),
        task=clean(record.run.task),
        statements=tuple(numbered[:STATEMENTS_SHOWN_MAX]),
        slides_max=max(1, max_slides - 3),
    )


def outlined(outline: Outline, material: Material, factor: float = 1.0) -> dict[SlideKind, list[SlidePlan]]:
    """Return the slides of an outline that hold: each statement once, as many as fit a slide, titles that are shown.

    A title with a figure or a name that none of its slide's statements has is replaced by the rules' title, and notes
    likewise are left out.
    """
    numbered, used = material.numbered(), set[int]()
    found = dict[SlideKind, list[SlidePlan]]()
    for proposed in outline.slides:
        if proposed.kind not in CONTENT:
            continue
        numbers = [
            each for each in dict.fromkeys(proposed.statements) if 0 < each <= len(numbered) and each not in used
        ]
        if not numbers:
            continue
        used.update(numbers)
        chosen = [numbered[number - 1] for number in numbers]
        topic = _topic(proposed.kind, [each[1] for each in chosen])
        statements = [each[2] for each in chosen]
        for place, packed in enumerate(pack(statements, geometry.BODY, factor=factor)):
            plan = _slide(proposed.kind, topic, packed.statements, packed.size_pt, factor)
            title = clean(proposed.title)
            if place == 0 and _holds(title, packed.statements, topic, factor):
                plan = plan.model_copy(
                    update={
                        "title": title,
                        "headline": None,
                        "statements": packed.statements,
                        "size_pt": packed.size_pt,
                        "visual": rows_or_cards(proposed.kind, packed.statements, factor),
                    }
                )
            notes = elided(clean(proposed.notes), NOTES_CHARACTERS_MAX)
            if place == 0 and notes and shown_by(notes, statements, [topic]):
                plan = plan.model_copy(update={"notes": notes})
            found.setdefault(proposed.kind, []).append(plan)
    return found


def _topic(kind: SlideKind, topics: list[str]) -> str:
    if kind == SlideKind.CONCLUSION:
        return "Conclusion"
    return _TOPICS.get(kind) or Counter(topics).most_common(1)[0][0]


def _slide(kind: SlideKind, topic: str, statements: tuple[Statement, ...], size_pt: float, factor: float) -> SlidePlan:
    heading = heading_of(statements, topic, factor)
    return SlidePlan(
        kind=kind,
        title=heading.title,
        topic=topic,
        headline=heading.headline,
        statements=heading.below,
        size_pt=size_for(heading.below, geometry.BODY, factor=factor) or size_pt,
        visual=rows_or_cards(kind, heading.below, factor),
    )


def _holds(title: str, statements: tuple[Statement, ...], topic: str, factor: float) -> bool:
    """Tell whether a model's title may stand: short, shown by its statements, and not one of them repeated."""
    return (
        0 < len(title) <= TITLE_CHARACTERS_MAX
        and fits_title(title, "", factor)
        and shown_by(title, statements, [topic])
        and same(title) not in {same(each.text) for each in statements}
    )
