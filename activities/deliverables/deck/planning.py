"""The plan of a deck: which slides, in which order, within a number; by rule, or after a model's outline.

Title, agenda, findings, analysis, recommendations, conclusion, sources. Everything that a slide shows is measured
here, so that what is planned fits and the builder only draws. A statement stands on one slide, with its citation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from activities.deliverables.deck import geometry
from activities.deliverables.deck.figures import marks_of
from activities.deliverables.deck.headings import heading_of
from activities.deliverables.deck.notes import source_notes, statement_notes
from activities.deliverables.deck.outlining import outlined
from activities.deliverables.deck.packing import pack, size_for
from activities.deliverables.deck.referencing import day, source_pages
from activities.deliverables.deck.sections import (
    EXECUTIVE_SUMMARY,
    KEY_FINDINGS,
    RECOMMENDATIONS,
    Material,
    clean,
    sort_statements,
)
from activities.deliverables.deck.visuals import figures_of, process_in, rows_or_cards, tables_of, timeline_in
from activities.deliverables.deck.wording import elided
from schema.contracts.deliverables import RecordedSource, RunRecord, Statement
from schema.contracts.slides import (
    SLIDES_DEFAULT,
    SLIDES_MAX,
    SLIDES_MIN,
    DeckPlan,
    Outline,
    SlideKind,
    SlidePlan,
    VisualKind,
)

AGENDA_FROM = 8
"""Slides from which a deck has an agenda."""
AGENDA_ENTRIES_MAX = 9
FINDINGS_SLIDES, ANALYSIS_SLIDES, VISUAL_SLIDES, RECOMMENDATION_SLIDES = 5, 5, 5, 3
"""At most, in a deck of the default length; longer decks have more in proportion."""
CONCLUSION = "Conclusion"


@dataclass
class Drafts:
    """Slides that could be, each list in the order of its worth."""

    findings: list[SlidePlan] = field(default_factory=list)
    analysis: list[SlidePlan] = field(default_factory=list)
    visuals: list[SlidePlan] = field(default_factory=list)
    recommendations: list[SlidePlan] = field(default_factory=list)
    conclusion: list[SlidePlan] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many slides there are."""
        parts = (self.findings, self.analysis, self.visuals, self.recommendations, self.conclusion)
        return sum(map(len, parts))


def plan_deck(
    record: RunRecord, max_slides: int = SLIDES_DEFAULT, outline: Outline | None = None, *, factor: float = 1.0
) -> DeckPlan:
    """Plan a deck of at most `max_slides` slides.

    Args:
        outline: what a model proposes; what it does not hold to is put right, or left to the rules.
        factor: how much wider than Noto Sans the deck's fonts are.

    Raises:
        ValueError: `max_slides` is not within 5 to 60.
    """
    if not SLIDES_MIN <= max_slides <= SLIDES_MAX:
        raise ValueError(f"a deck has {SLIDES_MIN} to {SLIDES_MAX} slides, not {max_slides}")
    material = sort_statements(record)
    drafts = draft_by_rule(record, material, factor)
    if outline is not None and outline.slides:
        drafts = _with_outline(drafts, outlined(outline, material, factor))
    reserved = 1 if record.sources else 0
    while True:
        chosen = _chosen(drafts, max_slides - 1 - reserved)
        listed = _sources_for(record, chosen, max_slides)
        pages = source_pages(listed, max(1, reserved), factor) if listed else []
        if len(pages) <= reserved or max_slides - 1 - reserved <= 2:
            break
        reserved = len(pages)
    ordered = _distinct([each for part in chosen for each in part])
    sources = [
        SlidePlan(
            kind=SlideKind.SOURCES,
            title="Sources" if len(pages) == 1 else f"Sources ({number} of {len(pages)})",
            sources=(*page.left, *page.right),
            split=len(page.left),
            with_quotes=page.with_quotes,
            size_pt=page.size_pt,
        )
        for number, page in enumerate(pages, 1)
    ]
    front = 1 if not _has_agenda(len(ordered) + len(sources) + 1, max_slides) else 2
    slides = [_cover(record), *([_agenda(ordered, sources)] if front == 2 else []), *ordered, *sources]
    shown = {each for slide in ordered for each in slide.cited}
    left_out = sum(1 for _, _, each in material.numbered() if each not in shown)
    noted = [_noted(slide, record, material, left_out, slides) for slide in slides]
    return DeckPlan(title=clean(record.document.title), slides=tuple(noted), left_out=left_out)


def draft_by_rule(record: RunRecord, material: Material, factor: float) -> Drafts:
    """Draft every slide that the record has material for."""
    subject = elided(clean(record.document.title), 84)
    drafts = Drafts(
        findings=_texts(SlideKind.FINDINGS, KEY_FINDINGS, material.findings, subject, factor),
        recommendations=_texts(
            SlideKind.RECOMMENDATIONS, RECOMMENDATIONS, material.recommendations, "What to do next", factor
        ),
        conclusion=_texts(SlideKind.CONCLUSION, CONCLUSION, material.summary, subject, factor),
    )
    topics, visuals = list[list[SlidePlan]](), [figures_of(record)]
    for topic in material.topics:
        slides, rest = list[SlidePlan](), topic.statements
        for draw in (process_in, timeline_in):
            if (drawn := draw(topic, factor)) is not None:
                slides, rest = [drawn[0]], drawn[1]
                break
        slides += _texts(SlideKind.ANALYSIS, topic.title, rest, elided(topic.title, 84), factor)
        topics.append(slides)
        visuals.append(tables_of(topic, factor))
    drafts.analysis = list(_interleaved(topics))
    drafts.visuals = list(_interleaved(visuals))
    return drafts


def _texts(
    kind: SlideKind, topic: str, statements: Sequence[Statement], fallback: str, factor: float
) -> list[SlidePlan]:
    slides = list[SlidePlan]()
    for packed in pack(statements, geometry.BODY, factor=factor):
        heading = heading_of(packed.statements, fallback, factor)
        below = heading.below
        slides.append(
            SlidePlan(
                kind=kind, title=heading.title, topic=topic, headline=heading.headline, statements=below,
                size_pt=size_for(below, geometry.BODY, factor=factor) or packed.size_pt,
                visual=rows_or_cards(kind, below, factor),
            )
        )  # fmt: skip
    return slides


def _interleaved(groups: Iterable[Sequence[SlidePlan]]) -> Iterable[SlidePlan]:
    """Take the first of every group, then the second: what is cut first is what every group has most of."""
    return (each for row in zip_longest(*groups) for each in row if each is not None)


def _has_agenda(others: int, max_slides: int) -> bool:
    return others + 1 >= AGENDA_FROM and others < max_slides


def _chosen(drafts: Drafts, room: int) -> list[list[SlidePlan]]:
    """Choose as many slides as there is room for, from all parts in turn; each part in the record's order."""
    if room >= AGENDA_FROM:
        room -= 1
    scale = max(1.0, room / (SLIDES_DEFAULT - 3))
    parts = {
        "findings": drafts.findings[: round(FINDINGS_SLIDES * scale)],
        "analysis": drafts.analysis[: round(ANALYSIS_SLIDES * scale)],
        "visuals": drafts.visuals[: round(VISUAL_SLIDES * scale)],
        "recommendations": drafts.recommendations[: round(RECOMMENDATION_SLIDES * scale)],
        "conclusion": drafts.conclusion[:1],
    }
    turns = ["findings", "conclusion", "analysis", "recommendations", "visuals", "findings", "analysis", "visuals"]
    taken = dict.fromkeys(parts, 0)
    room = _take(parts, taken, turns, room)
    # What is left goes to the analysis, which has no natural end.
    parts |= {"analysis": drafts.analysis, "visuals": drafts.visuals}
    _take(parts, taken, ["analysis", "visuals"], room)
    kept = {name: part[: taken[name]] for name, part in parts.items()}
    analysis = _by_topic([*kept["analysis"], *kept["visuals"]])
    return [kept["findings"], analysis, kept["recommendations"], kept["conclusion"]]


def _take(parts: dict[str, list[SlidePlan]], taken: dict[str, int], turns: Sequence[str], room: int) -> int:
    """Take slides in turns while there is room for them; return the room that is left."""
    while room and any(taken[name] < len(parts[name]) for name in turns):
        for name in turns:
            if room and taken[name] < len(parts[name]):
                taken[name] += 1
                room -= 1
    return room


def _by_topic(slides: Sequence[SlidePlan]) -> list[SlidePlan]:
    order = list(dict.fromkeys(slide.topic for slide in slides))
    return sorted(slides, key=lambda slide: order.index(slide.topic))


def _with_outline(drafts: Drafts, proposed: dict[SlideKind, list[SlidePlan]]) -> Drafts:
    """Put a model's slides in the place of the rules' text slides, kind by kind; charts and tables stay."""
    return Drafts(
        findings=proposed.get(SlideKind.FINDINGS) or drafts.findings,
        analysis=proposed.get(SlideKind.ANALYSIS) or drafts.analysis,
        visuals=drafts.visuals,
        recommendations=proposed.get(SlideKind.RECOMMENDATIONS) or drafts.recommendations,
        conclusion=proposed.get(SlideKind.CONCLUSION) or drafts.conclusion,
    )


def cited_in(slides: Iterable[SlidePlan]) -> set[int]:
    """Return the numbers of all sources that slides cite."""
    numbers = set[int]()
    for slide in slides:
        numbers.update(mark for each in slide.cited for mark in each.marks)
        if slide.visual is not None and slide.visual.grid is not None:
            numbers.update(marks_of(slide.visual.grid.rows))
    return numbers


def _sources_for(record: RunRecord, chosen: Sequence[Sequence[SlidePlan]], max_slides: int) -> list[RecordedSource]:
    """Return all sources where there is room for them, else those that the deck cites."""
    everything = list(record.sources)
    if len(source_pages(everything, 1)) <= max(1, max_slides // 8):
        return everything
    numbers = cited_in(each for part in chosen for each in part)
    return [source for source in everything if source.n in numbers]


def _distinct(slides: Sequence[SlidePlan]) -> list[SlidePlan]:
    """Number titles that occur twice; of two slides that say the same the first stays."""
    known, kept = set[object](), list[SlidePlan]()
    for slide in slides:
        content = (slide.cited, slide.visual)
        if content not in known:
            known.add(content)
            kept.append(slide)
    titles = Counter((slide.topic, slide.title) for slide in kept)
    seen = Counter[tuple[str, str]]()
    for place, slide in enumerate(kept):
        key = (slide.topic, slide.title)
        if titles[key] > 1:
            seen[key] += 1
            kept[place] = slide.model_copy(update={"title": f"{slide.title} ({seen[key]} of {titles[key]})"})
    return kept


def _cover(record: RunRecord) -> SlidePlan:
    return SlidePlan(
        kind=SlideKind.TITLE, title=clean(record.document.title), statements=(Statement(text=clean(record.run.task)),)
    )


def _agenda(ordered: Sequence[SlidePlan], sources: Sequence[SlidePlan]) -> SlidePlan:
    entries = list[tuple[str, int]]()
    for number, slide in enumerate([*ordered, *sources], 3):
        name = "Sources" if slide.kind == SlideKind.SOURCES else slide.topic
        if name not in (known for known, _ in entries):
            entries.append((name, number))
    if len(entries) > AGENDA_ENTRIES_MAX:
        topics = [number for number, slide in enumerate(ordered, 3) if slide.kind == SlideKind.ANALYSIS]
        names = {slide.topic for slide in ordered if slide.kind == SlideKind.ANALYSIS}
        entries = [each for each in entries if each[0] not in names]
        entries = sorted([*entries, ("Analysis", topics[0])], key=lambda entry: entry[1])
    return SlidePlan(
        kind=SlideKind.AGENDA,
        title="Agenda",
        statements=tuple(Statement(text=elided(name, 80)) for name, _ in entries),
        targets=tuple(number for _, number in entries),
    )


def _noted(
    slide: SlidePlan, record: RunRecord, material: Material, left_out: int, slides: Sequence[SlidePlan]
) -> SlidePlan:
    """Give a slide its speaker notes."""
    run, lines = record.run, list[str]()
    if slide.notes:
        lines.append(slide.notes)
    if slide.kind == SlideKind.TITLE:
        lines.append(f"The task: {clean(run.task)}")
        lines.append(
            f"Made from a run that was completed on {day(record.made_at)}; {record.quality.sources_cited} sources are "
            f"cited. Every statement carries the numbers of its sources, which are listed at the end."
        )
    elif slide.kind == SlideKind.AGENDA:
        lines += [f"{each.text}: from slide {at}" for each, at in zip(slide.statements, slide.targets, strict=True)]
    elif slide.kind == SlideKind.SOURCES:
        lines.append(source_notes(each for each in record.sources if each.n in slide.sources))
        if slide is slides[-1]:
            listed = {number for each in slides for number in each.sources}
            others = [each for each in record.sources if each.n not in listed]
            if others:
                lines += ["Sources of the report that this deck does not cite:", source_notes(others)]
    else:
        lines.append(statement_notes(slide.cited, record))
        if slide.visual is not None:
            lines += _visual_notes(slide, record)
    if slide.kind == SlideKind.CONCLUSION or (slide.kind == SlideKind.TITLE and not material.summary):
        if left_out:
            lines.append(f"The report makes {left_out} more statement{'s' if left_out > 1 else ''} than this deck.")
        lines += [each.text for each in material.remarks[:8]]
    return slide.model_copy(update={"notes": "\n".join(line for line in lines if line)})


def _visual_notes(slide: SlidePlan, record: RunRecord) -> list[str]:
    visual = slide.visual
    if visual is None:
        return []
    if visual.figure is not None:
        figure = next(each for each in record.figures if each.name == visual.figure)
        return [f"Data: {clean(figure.origin)}", *([f"Query: {clean(figure.query)}"] if figure.query else [])]
    if visual.grid is not None:
        kind = "chart" if visual.kind == VisualKind.CHART else "table"
        rows = [
            "; ".join(f"{name}: {cell.text}{''.join(f'[{mark}]' for mark in cell.marks)}"
                      for name, cell in zip(visual.grid.heading, row, strict=True))
            for row in visual.grid.rows
        ]  # fmt: skip
        numbers = marks_of(visual.grid.rows)
        listed = source_notes(each for each in record.sources if each.n in numbers)
        return [f"The {kind} shows, row by row:", *rows, *([listed] if listed else [])]
    return []


__all__ = ["CONCLUSION", "EXECUTIVE_SUMMARY", "cited_in", "plan_deck"]
