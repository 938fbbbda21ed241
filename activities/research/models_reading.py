"""Reading: what a model's answers come to once they were checked against what they were given."""

import re
from collections.abc import Iterable, Mapping, Sequence

from activities.research.answers import Decomposition, DrawnClaim, PlannedSlides, SeenConflict, WrittenSentence
from activities.research.claims import claim_id, differ
from activities.research.composing import (
    CITATIONS_PER_SENTENCE_MAX,
    EXECUTIVE_SUMMARY,
    KEY_FINDINGS,
    RECOMMENDATIONS,
    disagreements,
    gaps,
    recommendations,
    report_title,
    scope_note,
)
from activities.research.conflicts import conflict_of, contradict, subject_of
from activities.research.decomposition import QUESTION_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, plan_subtasks
from activities.research.material import Material
from activities.research.quotes import locate
from activities.research.rows import row_at
from activities.research.similarity import contained, overlap
from activities.research.statements import facts_of
from activities.research.support import check_support
from activities.research.text import normalise, terms
from schema.contracts.research import (
    Brief,
    Claim,
    Conflict,
    ConflictKind,
    Finding,
    Passage,
    Report,
    Section,
    Sentence,
    Subtask,
)
from schema.contracts.slides import Outline, OutlinedSlide, OutlineRequest, SlideKind

STATEMENT_CHARACTERS_MAX = 600
SLIDE_TITLE_CHARACTERS_MAX, SLIDE_NOTES_CHARACTERS_MAX = 160, 600


def subtasks_of(answer: Decomposition, brief: Brief) -> tuple[Subtask, ...]:
    kept: list[Subtask] = []
    for planned in answer.subtasks:
        question = normalise(planned.question)[:QUESTION_CHARACTERS_MAX]
        same = any(overlap(terms(question), terms(other.question)) > 0.85 for other in kept)
        if not re.search(r"\w", question) or same or len(kept) >= max(1, brief.agents_max):
            continue
        # Only addresses that the user wrote: a model must not send an agent anywhere else.
        urls = tuple(dict.fromkeys(url for url in planned.urls if url in brief.task))
        title = normalise(planned.title)[:TITLE_CHARACTERS_MAX] or question[:TITLE_CHARACTERS_MAX]
        kept.append(Subtask(number=len(kept) + 1, title=title, question=question, urls=urls))
    return _with_lost_urls(kept, brief)


def _with_lost_urls(kept: list[Subtask], brief: Brief) -> tuple[Subtask, ...]:
    """Give the first subtask the addresses of the task that the model put nowhere."""
    placed = {url for subtask in kept for url in subtask.urls}
    named = [url for subtask in plan_subtasks(brief) for url in subtask.urls]
    lost = tuple(url for url in named if url not in placed)
    if kept and lost:
        kept[0] = kept[0].model_copy(update={"urls": kept[0].urls + lost})
    return tuple(kept)


def claim_of(drawn: DrawnClaim, batch: Sequence[Passage], agent_number: int, *, drawn_by: str) -> Claim | None:
    """Look a quotation up, in the passage it is said to come from first; None where no passage has it."""
    named = batch[drawn.passage - 1 : drawn.passage] if drawn.passage > 0 else []
    for passage in (*named, *batch):
        span = locate(drawn.quote, passage.text)
        if span is None:
            continue
        row = row_at(passage.text, *span)
        if row is not None:
            span = (row.start, row.end)
        quote = passage.text[span[0] : span[1]]
        statement = (
            row.said(passage.heading or passage.source.title)
            if row
            else normalise(drawn.statement)[:STATEMENT_CHARACTERS_MAX]
        )
        if row is None and (not statement or not check_support(statement, [quote]).ok):
            statement = normalise(quote)
        start, end = passage.start + span[0], passage.start + span[1]
        return Claim(
            id=claim_id(passage.source.snapshot_sha256, start, end, statement),
            agent_number=agent_number,
            text=statement,
            source=passage.source,
            start=start,
            end=end,
            quote=quote,
            relevance=min(max(drawn.relevance, 0.0), 1.0) if drawn.relevance == drawn.relevance else 0.0,
            drawn_by=drawn_by,
        )
    return None


def findings_named(short_ids: Iterable[str], findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that short ids (`f3`) stand for; ids that do not exist are dropped."""
    numbers = [int(short[1:]) for short in short_ids if re.fullmatch(r"f\d{1,4}", short)]
    return [findings[number - 1] for number in dict.fromkeys(numbers) if 0 < number <= len(findings)]


def joined(findings: list[Finding], same: list[Finding], claims: Mapping[str, Claim]) -> list[Finding]:
    """Put findings together that the model calls the same, unless they differ in a value or contradict each other."""
    ids = {finding.id for finding in findings}
    same = [finding for finding in same if finding.id in ids]
    if len(same) < 2:
        return findings
    first = same[0]
    others = [
        finding
        for finding in same[1:]
        if not differ(first.text, finding.text) and not contradict(first, finding, claims)
    ]
    merged_ids = tuple(dict.fromkeys(claim for finding in (first, *others) for claim in finding.claim_ids))
    weight = max(finding.weight for finding in (first, *others))
    merged = first.model_copy(update={"claim_ids": merged_ids, "weight": weight})
    gone = {finding.id for finding in others}
    return [merged if finding.id == first.id else finding for finding in findings if finding.id not in gone]


def conflict_seen(seen: SeenConflict, batch: Sequence[Finding], claims: Mapping[str, Claim]) -> Conflict | None:
    named = findings_named(seen.findings, batch)
    facts = [fact for finding in named for fact in facts_of(finding, claims)[-1:]]
    if len(facts) < 2:
        return None
    subject = normalise(seen.subject)[:120]
    said = terms(" ".join(finding.text for finding in named))
    told = subject if subject and contained(terms(subject), said) >= 0.6 else subject_of(facts)
    return conflict_of([[fact] for fact in facts], ConflictKind(seen.kind), told)


def is_known(conflict: Conflict, others: Sequence[Conflict]) -> bool:
    return any(len(set(conflict.finding_ids) & set(other.finding_ids)) >= 2 for other in others)


def sentence_of(written: WrittenSentence, findings: Sequence[Finding]) -> Sentence | None:
    """Turn a model's sentence into one that names claims; a sentence that rests on no finding is dropped."""
    named = findings_named(written.findings, findings)
    text = normalise(written.text)[:STATEMENT_CHARACTERS_MAX]
    claims = list(dict.fromkeys(claim for finding in named for claim in finding.claim_ids[:2]))
    if not claims or not text:
        return None
    return Sentence(text=text, claim_ids=tuple(claims[: 2 * CITATIONS_PER_SENTENCE_MAX]))


def report_of(material: Material, written: Mapping[str, tuple[Sentence, ...]], sections: list[Section]) -> Report:
    summary = tuple(part for part in (written[EXECUTIVE_SUMMARY], scope_note(material, "modelled")) if part)
    advised = tuple((sentence,) for sentence in written[RECOMMENDATIONS])
    return Report(
        title=report_title(material.brief),
        sections=(
            Section(title=EXECUTIVE_SUMMARY, paragraphs=summary),
            Section(title=KEY_FINDINGS, paragraphs=tuple((sentence,) for sentence in written[KEY_FINDINGS])),
            *sections,
            *disagreements(material),
            Section(title=RECOMMENDATIONS, paragraphs=(*advised, *recommendations(material))),
        ),
        disclosures=gaps(material),
    )


def outline_of(answer: PlannedSlides, request: OutlineRequest) -> Outline:
    """Keep slides of statements that exist, each on one slide; what titles may say is the deck's to check."""
    known, slides = {each.number for each in request.statements}, list[OutlinedSlide]()
    for slide in answer.slides[: 2 * request.slides_max]:
        numbers = tuple(each for each in dict.fromkeys(slide.statements) if each in known)
        known -= set(numbers)
        if numbers:
            slides.append(
                OutlinedSlide(
                    kind=SlideKind(slide.kind),
                    title=normalise(slide.title)[:SLIDE_TITLE_CHARACTERS_MAX],
                    statements=numbers,
                    notes=normalise(slide.notes)[:SLIDE_NOTES_CHARACTERS_MAX],
                )
            )
    return Outline(slides=tuple(slides[: request.slides_max]))
