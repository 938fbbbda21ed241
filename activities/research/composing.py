"""Composing: the parts of a report that code writes, for both reasoners, and the whole report of the extractive one.

Every statement about the world carries its claims; all other sentences come from `phrases.py`.
"""

import re
from collections.abc import Mapping, Sequence

from activities.research.material import Material
from activities.research.outlived import old_answer
from activities.research.phrased import as_question
from activities.research.phrases import counted, say
from activities.research.questions import query_terms, single_questions
from activities.research.rows import read_said
from activities.research.telling import lacks_subject, leans_on_previous
from activities.research.text import as_sentence, terms
from schema.contracts.research import BY_RULE, Brief, Claim, Finding, Report, Section, Sentence, Subtask

SUMMARY_STATEMENTS_MAX = 6
KEY_FINDINGS_PER_SUBTASK = 3
KEY_FINDINGS_MAX = 12
ANALYSIS_PER_SUBTASK_MAX = 10
RECOMMENDATIONS_MAX = 12
CITATIONS_PER_SENTENCE_MAX = 4
TITLE_CHARACTERS_MAX = 110

EXECUTIVE_SUMMARY = "Executive summary"
KEY_FINDINGS = "Key findings"
ANALYSIS = "Analysis"
DISAGREEMENTS = "Disagreements"
RECOMMENDATIONS = "Recommendations"


def compose_report(material: Material, *, made: str = "extracted") -> Report:
    """Write the report of the extractive reasoner: quoted sentences, each once, under the heading it answers."""
    picks = {number: list(found) for number, found in material.by_subtask.items()}
    summary = [finding for found in picks.values() for finding in _best_answers(found, material, len(picks))]
    summary = summary[:SUMMARY_STATEMENTS_MAX]
    summarised = {finding.id for finding in summary}
    for number, found in material.by_subtask.items():
        picks[number] = [finding for finding in found if finding.id not in summarised]
    each = max(1, min(KEY_FINDINGS_PER_SUBTASK, KEY_FINDINGS_MAX // max(1, len(picks))))
    key = {number: found[:each] for number, found in picks.items()}
    rest = {number: found[each : each + ANALYSIS_PER_SUBTASK_MAX] for number, found in picks.items()}
    keys = [finding for found in key.values() for finding in found][: 2 * KEY_FINDINGS_MAX]
    listed = tuple((quoted(finding, material),) for finding in keys)
    if not listed:
        listed = ((Sentence(text=say("disputed_only" if _is_disputed(material) and not summary else "no_analysis")),),)
    sections = [
        Section(title=EXECUTIVE_SUMMARY, paragraphs=_summary(material, summary, made)),
        Section(title=KEY_FINDINGS, paragraphs=listed),
        *_analysis(material, rest),
        Section(title=RECOMMENDATIONS, paragraphs=recommendations(material)),
    ]
    return Report(title=report_title(material.brief), sections=tuple(sections), disclosures=gaps(material))


def _best_answers(found: Sequence[Finding], material: Material, subtasks: int) -> list[Finding]:
    """Choose what answers a subtask best and can be read alone; two where there are few subtasks."""
    whole = [finding for finding in found if _reads_alone(finding, material)]
    wanted = 1 if subtasks > 3 else 2
    best = max((finding.weight for finding in whole), default=0.0)
    return [finding for finding in whole[:wanted] if finding.weight >= SUMMARY_OF_BEST_MIN * best]


SUMMARY_OF_BEST_MIN = 0.8
"""A second statement of a subtask stands in the summary only where it is nearly as good as the first one."""


def _reads_alone(finding: Finding, material: Material) -> bool:
    text = shown(material.claims_of(finding)[0])
    return not (lacks_subject(text) or leans_on_previous(text) or text.endswith("?"))


_NAMELESS = re.compile(
    r"(?:(?:my|the|a|an|new|first|second|third|last|test|demo|example|sample|untitled|unnamed|default|research|report|"
    r"run|task|question|job|draft|tmp|temp|foo|bar|try|trial|\W|\d|_)+)",
    re.IGNORECASE,
)


def report_title(brief: Brief) -> str:
    """Return the task cut to a line; the run's name where it says more than that it is a run (First, test 2).

    A name that is the task's beginning was made of it: the task says where it ends.
    """
    name, task = " ".join(brief.name.split()), " ".join(brief.task.split())
    says = len(name.split()) >= 2 and not _NAMELESS.fullmatch(name) and not task.startswith(name)
    text = name if says else task or name
    if len(text) <= TITLE_CHARACTERS_MAX:
        return text
    return text[: TITLE_CHARACTERS_MAX - 1].rsplit(" ", 1)[0] + "…"


def quoted(finding: Finding, material: Material) -> Sentence:
    """Say a finding in the words of its best claim, and cite the claims that say the same, one per source."""
    backing = material.claims_of(finding)
    sources: dict[str, str] = {}
    for claim in backing:
        sources.setdefault(claim.source.snapshot_sha256, claim.id)
    return Sentence(text=shown(backing[0]), claim_ids=tuple(list(sources.values())[:CITATIONS_PER_SENTENCE_MAX]))


def shown(claim: Claim) -> str:
    """Return a claim as a report says it: its quotation, or its row with what stands above it."""
    return claim.text if read_said(claim.text) else as_sentence(claim.quote)


def scope_note(material: Material, phrase: str) -> tuple[Sentence, ...]:
    """Say how the report was made and what it rests on."""
    used = [claim for finding in material.findings for claim in material.claims_of(finding)]
    sources = len({claim.source.snapshot_sha256 for claim in used})
    note = [Sentence(text=say(phrase))]
    by_rule = [claim for claim in used if claim.drawn_by == BY_RULE]
    if by_rule and phrase != "extracted":
        drawn = len({claim.id for claim in by_rule})
        claims = counted(len({claim.id for claim in used}), "claim")
        note.append(Sentence(text=say("by_rule", claims=claims, drawn=f"{drawn} {'was' if drawn == 1 else 'were'}")))
    if used:
        note.append(
            Sentence(
                text=say(
                    "scope",
                    claims=counted(len({claim.id for claim in used}), "claim"),
                    sources=counted(sources, "source"),
                    subtasks=counted(len(material.subtasks), "subtask"),
                )
            )
        )
    if material.conflicts:
        subjects = list(dict.fromkeys(conflict.subject for conflict in material.conflicts))[:3]
        note.append(Sentence(text=say("disagreements", subjects="; ".join(subjects))))
    if material.outlived:
        note.append(Sentence(text=say("aged")))
    if gaps(material):
        note.append(Sentence(text=say("gaps")))
    return tuple(note)


def _is_disputed(material: Material) -> bool:
    return bool(material.conflicts or material.outlived)


def _summary(material: Material, summary: list[Finding], made: str) -> tuple[tuple[Sentence, ...], ...]:
    statements = tuple(quoted(finding, material) for finding in summary)
    if not statements and not _is_disputed(material):
        statements = (Sentence(text=say("nothing")),)
    return tuple(part for part in (statements, scope_note(material, made)) if part)


def _analysis(material: Material, rest: Mapping[int, list[Finding]]) -> list[Section]:
    sections = [Section(title=ANALYSIS)]
    for subtask in material.subtasks:
        found = rest.get(subtask.number, [])
        if found:
            sections.append(quoted_section(subtask, found, material))
    return sections + disagreements(material)


def quoted_section(subtask: Subtask, found: Sequence[Finding], material: Material) -> Section:
    """Write the analysis of one subtask in the words of its sources."""
    return Section(title=subtask.title, level=3, paragraphs=_by_source(found, material))


def _by_source(found: Sequence[Finding], material: Material) -> tuple[tuple[Sentence, ...], ...]:
    """Make a paragraph per source, its sentences in the order in which the source has them."""
    by_source: dict[str, list[Finding]] = {}
    for finding in found:
        by_source.setdefault(material.claims_of(finding)[0].source.snapshot_sha256, []).append(finding)
    return tuple(
        tuple(
            quoted(finding, material)
            for finding in sorted(group, key=lambda finding: (material.claims_of(finding)[0].start, finding.id))
        )
        for group in by_source.values()
    )


def disagreements(material: Material) -> list[Section]:
    """Disclose every conflict: both statements with their sources, and why one is preferred, or that none is.

    Where nothing tells that statements are of the same property, that is said.
    """
    findings = {finding.id: finding for finding in material.findings}
    paragraphs = []
    for conflict in material.conflicts:
        sides = [findings[each] for each in conflict.finding_ids if each in findings]
        sides = [side for side in sides if material.claims_of(side)]
        if len(sides) < 2:
            continue
        kept = (conflict.chosen_finding_id, *conflict.agreeing_finding_ids)
        sides.sort(key=lambda side: kept.index(side.id) if side.id in kept else len(kept))
        told = say("disagree", subject=conflict.subject, kind=_KINDS[conflict.kind.value])
        paragraphs.append((*_sides(told, sides, material), Sentence(text=say("choice", reason=conflict.reason))))
    for each in material.outlived:
        told = say(
            "may_be_old" if each.may_differ else "older",
            stated=f"{each.stated:%Y-%m-%d}",
            newer=f"{each.newer:%Y-%m-%d}",
        )
        newer, older = quoted(each.newer_finding, material), quoted(each.finding, material)
        paragraphs.append((Sentence(text=told), newer, Sentence(text=say("older_one")), older))
    paragraphs += [_sides(say("differ"), found, material) for found in material.differing]
    return [Section(title=DISAGREEMENTS, level=3, paragraphs=tuple(paragraphs))] if paragraphs else []


def _sides(told: str, sides: Sequence[Finding], material: Material) -> tuple[Sentence, ...]:
    """Say what follows, and then each side in its own words."""
    sentences = [Sentence(text=told)]
    for number, side in enumerate(sides):
        sentences += [Sentence(text=say("another_says" if number else "one_says")), quoted(side, material)]
    return tuple(sentences)


_KINDS = {
    "plain": "different values",
    "stale": "sources of different age",
    "unit": "different units",
    "scope": "different circumstances",
}


def gaps(material: Material) -> tuple[Sentence, ...]:
    """Say what is missing: agents that failed, and subtasks without evidence."""
    told = [Sentence(text=say("missing", reason=reason)) for reason in material.missing]
    bare = [
        subtask
        for subtask in material.subtasks
        if not material.by_subtask.get(subtask.number) and not _disputed(material, subtask)
    ]
    return (*told, *(Sentence(text=say("no_evidence", subtask=subtask.title)) for subtask in bare))


def _disputed(material: Material, subtask: Subtask) -> bool:
    return any(finding.subtask_number == subtask.number for finding in material.findings)


def recommendations(material: Material) -> tuple[tuple[Sentence, ...], ...]:
    """Recommend only what follows from the evidence and its gaps: what to settle, look for and read."""
    told = [say("settle", subject=conflict.subject) for conflict in material.conflicts[:4]]
    for subtask in material.subtasks:
        found = material.by_subtask.get(subtask.number, [])
        told += _recommended(subtask, found, material)
    told = told[:RECOMMENDATIONS_MAX] or [say("no_recommendation")]
    return tuple((Sentence(text=text),) for text in told)


def _recommended(subtask: Subtask, found: Sequence[Finding], material: Material) -> list[str]:
    if not found:
        return [] if _disputed(material, subtask) else [say("add_sources", subtask=subtask.title)]
    told = []
    said = {term for finding in found for claim in material.claims_of(finding) for term in terms(claim.text)}
    asked = (term for each in single_questions(subtask.question) for term in query_terms(as_question(each)))
    unsaid = list(dict.fromkeys(term.word for term in asked if term.is_core and term.stem not in said))
    if unsaid:
        told.append(say("open_point", subtask=subtask.title, words=_listed(unsaid[:3])))
    if (stated := old_answer(material.brief, subtask, found, material.claims)) is not None:
        told.append(say("dated", subtask=subtask.title, stated=f"{stated:%Y-%m-%d}"))
    titles: dict[str, int] = {}
    for finding in found:
        title = material.claims_of(finding)[0].source.title
        titles[title] = titles.get(title, 0) + 1
    best = max(titles, key=lambda title: (titles[title], title))
    if titles[best] >= 2:
        told.append(say("read_on", subtask=subtask.title, title=best, count=str(titles[best])))
    return told


def _listed(items: Sequence[str]) -> str:
    quoted_items = [f"“{item}”" for item in items]
    return quoted_items[0] if len(quoted_items) == 1 else f"{', '.join(quoted_items[:-1])} or {quoted_items[-1]}"
