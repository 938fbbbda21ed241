"""The citation gate: turns a report into Markdown whose every `[n]` is made and checked by code.

`render_report` writes; `check_citations` knows nothing of how it was written and verifies the result against the
snapshots. One sentence stands on one line of the Markdown. `[n]` numbers a source (one snapshot) by first appearance;
the exact spans of every sentence stand in the sidecar (`RenderedReport.sidecar`, stored as `citations.json`).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from activities.documents.builder import clock, page_at, time_at
from activities.research.composing import ANALYSIS, DISAGREEMENTS, KEY_FINDINGS, RECOMMENDATIONS
from activities.research.context import context_of
from activities.research.dating import dated, old_since, undated
from activities.research.markdown import autolink, escape, unescape
from activities.research.phrases import is_connective, say
from activities.research.support import check_support, contributes
from activities.research.text import display, normalise
from schema.contracts.common import Contract
from schema.contracts.deliverables import ReportInputs
from schema.contracts.research import (
    Brief,
    Claim,
    Quality,
    Report,
    ReportCell,
    ReportTable,
    Section,
    Sentence,
    SourceRef,
)

Snapshots = Callable[[str], str]
"""Returns the text of a snapshot by its SHA-256; raises LookupError where it is gone."""

CITATIONS = "Citations"
NOT_COVERED = "Not covered"
_BULLETED = (KEY_FINDINGS, RECOMMENDATIONS, NOT_COVERED)


class CitedSpan(Contract):
    """One span that a sentence cites."""

    n: int
    claim_id: str
    snapshot_sha256: str
    start: int
    end: int
    quote: str
    """`snapshot_text[start:end]`."""
    drawn_by: str | None = None
    """Who drew the claim: a model's name, or `extractive`."""


class CitedSentence(Contract):
    """One line of the report's body; without spans it speaks of the run, not of the world."""

    section: str
    text: str
    spans: tuple[CitedSpan, ...] = ()
    is_cell: bool = False
    """A cell of a table: its words must stand in every span, letter for letter."""


class CitedSource(Contract):
    """One entry of the list of citations."""

    n: int
    title: str
    uri: str
    kind: str
    document_id: str | None
    published_at: str | None
    snapshot_sha256: str
    score: float
    spans: tuple[tuple[int, int], ...]
    pages: tuple[int, ...] = ()
    """On which pages the spans begin, where the source has pages."""
    seconds: tuple[float, ...] = ()
    """When the spans are heard, from the beginning, where the source is a recording."""


class Sidecar(Contract):
    """The report's citations for machines: `citations.json`."""

    version: int = 1
    sentences: tuple[CitedSentence, ...] = ()
    sources: tuple[CitedSource, ...] = ()


class RenderedReport(Contract):
    """A report that passed the gate."""

    markdown: str
    sidecar: Sidecar
    quality: Quality

    @property
    def citations(self) -> tuple[CitedSource, ...]:
        """Return the numbered sources."""
        return self.sidecar.sources


class Problem(Contract):
    """One thing that is wrong with a report's citations."""

    code: str
    """`text`, `number`, `entry`, `snapshot`, `quote`, `support`, `uncited`."""
    sentence: str
    detail: str


def render_report(
    report: Report,
    claims: Mapping[str, Claim],
    snapshots: Snapshots,
    *,
    brief: Brief,
    conflicts: int = 0,
    sources_read: int = 0,
    dates_old: bool = True,
) -> RenderedReport:
    """Write a report as Markdown with citations, leaving out what its sources do not show.

    Args:
        report: what a reasoner wrote; its sentences name claims.
        claims: every claim of the run by id.
        snapshots: the texts that were read.
        brief: the task; its text is the title's fallback, and how old a source is counts from when it was asked.
        conflicts: how many disagreements were found, for the quality record.
        sources_read: how many snapshots the agents read, for the quality record.
        dates_old: a sentence that rests on old sources alone gives their date (`dating.py`).
    """
    gate = _Gate(claims, snapshots, brief.asked_at if dates_old else None)
    lines = [f"# {escape(report.title or brief.task) or 'Report'}", ""]
    for section in _sections(report):
        lines += gate.section(section)
    lines += [f"## {CITATIONS}", "", *gate.list_sources()]
    quality = Quality(
        claims=len(claims),
        supported=gate.supported,
        repaired=gate.repaired,
        dropped=gate.dropped,
        conflicts=conflicts,
        sources_read=sources_read,
        sources_cited=len(gate.numbers),
        drawn_by=dict(sorted(Counter(claim.drawn_by for claim in claims.values() if claim.drawn_by).items())),
    )
    sidecar = Sidecar(sentences=tuple(gate.sentences), sources=tuple(gate.sources()))
    return RenderedReport(markdown="\n".join(lines).rstrip() + "\n", sidecar=sidecar, quality=quality)


def render_again(inputs: ReportInputs, snapshots: Snapshots) -> RenderedReport:
    """Write a report of what was kept of its making: the same bytes every time."""
    return render_report(
        inputs.report,
        {claim.id: claim for claim in inputs.claims},
        snapshots,
        brief=inputs.brief,
        conflicts=inputs.conflicts,
        sources_read=inputs.sources_read,
        dates_old=inputs.dates_old,
    )


def _sections(report: Report) -> list[Section]:
    """Put what is not covered at the end of the analysis, and keep the analysis from standing empty."""
    sections = list(report.sections)
    ends = [number for number, section in enumerate(sections) if section.title == RECOMMENDATIONS]
    at = ends[0] if ends else len(sections)
    if report.disclosures:
        paragraphs = tuple((sentence,) for sentence in report.disclosures)
        sections.insert(at, Section(title=NOT_COVERED, level=3, paragraphs=paragraphs))
    for number, section in enumerate(sections):
        following = sections[number + 1] if number + 1 < len(sections) else None
        alone = following is None or following.level <= section.level
        if section.title == ANALYSIS and not section.paragraphs and alone:
            sections[number] = section.model_copy(update={"paragraphs": ((Sentence(text=say("no_analysis")),),)})
    return sections


@dataclass(frozen=True)
class _Backing:
    """A claim and the spans that show it: its quotation and, for a row, the lines above it."""

    claim: Claim
    text: str
    """What is said where the sentence itself cannot be shown."""
    spans: tuple[tuple[int, int, str], ...]

    @property
    def quotes(self) -> list[str]:
        return [quote for _, _, quote in self.spans]


EMPTY_CELL = "–"
"""A cell of a table for which no value could be shown."""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shows(text: str, quote: str) -> bool:
    """Tell whether a span has the words of a cell, letter for letter, and not as part of a longer word or number."""
    words_of_cell, whole = normalise(display(text)).casefold(), normalise(display(quote)).casefold()
    return bool(re.search(rf"(?<!\w)(?<!\d[.,]){re.escape(words_of_cell)}(?!\w|[.,]\d)", whole))


@dataclass
class _Gate:
    """Checks sentence by sentence, numbers sources, and counts."""

    claims: Mapping[str, Claim]
    snapshots: Snapshots
    asked_at: datetime | None = None
    """From here counts how old a source is; None: no sentence gives its sources' date."""
    numbers: dict[str, int] = field(default_factory=dict)
    cited: dict[str, tuple[SourceRef, set[tuple[int, int]]]] = field(default_factory=dict)
    sentences: list[CitedSentence] = field(default_factory=list)
    supported: int = 0
    repaired: int = 0
    dropped: int = 0
    _said: set[str] = field(default_factory=set)
    _texts: dict[str, str | None] = field(default_factory=dict)

    def section(self, section: Section) -> list[str]:
        body: list[str] = []
        for paragraph in section.paragraphs:
            written = [line for sentence in paragraph if (line := self._sentence(section.title, sentence))]
            if not written:
                continue
            if section.title in _BULLETED:
                body += [f"- {line}" for line in written]
            else:
                body += [*written, ""]
        if section.table is not None and section.table.rows:
            body += [*self._table(section.title, section.table), ""]
        if not body and section.level > 2:
            return []
        if body and section.title in _BULLETED:
            body.append("")
        return [f"{'#' * section.level} {escape(section.title)}", "", *body]

    def _table(self, section: str, table: ReportTable) -> list[str]:
        """Write a table: every cell that holds a value passes the gate alone, and cites its own spans."""
        lines = [_row(escape(label) for label in table.heading), _row("---" for _ in table.heading)]
        for label, cells in table.rows:
            lines.append(_row([escape(normalise(label)), *(self._cell(section, cell) for cell in cells)]))
        return lines

    def _cell(self, section: str, cell: ReportCell) -> str:
        text = normalise(cell.text)
        known = [self.claims[claim] for claim in dict.fromkeys(cell.claim_ids) if claim in self.claims]
        backing = [claim for claim in known if self._is_exact(claim) and _shows(text, claim.quote)]
        if not text or not backing:
            self.dropped += bool(text and cell.claim_ids)
            return EMPTY_CELL
        self.supported += 1
        alone = [_Backing(claim, text, ((claim.start, claim.end, claim.quote),)) for claim in backing]
        spans = [span for each in alone for span in self._spans(each)]
        self.sentences.append(CitedSentence(section=section, text=text, spans=tuple(spans), is_cell=True))
        marks = "".join(f"[{number}]" for number in dict.fromkeys(span.n for span in spans))
        return f"{escape(text)} {marks}"

    def _sentence(self, section: str, sentence: Sentence) -> str | None:
        text = normalise(sentence.text)
        if not sentence.claim_ids:
            if not is_connective(text) and section != NOT_COVERED:
                self.dropped += 1
                return None
            self.sentences.append(CitedSentence(section=section, text=text))
            return escape(text)
        known = [self.claims[claim] for claim in dict.fromkeys(sentence.claim_ids) if claim in self.claims]
        checked = self._passed(text, [self._backing(claim) for claim in known if self._is_exact(claim)])
        if checked is None:
            self.dropped += 1
            return None
        if checked[0].lower() in self._said and section != DISAGREEMENTS:
            return None  # Said already.
        text, backing = checked
        self._said.add(text.lower())
        self.supported += 1
        if section != DISAGREEMENTS:  # There the date of each side is told already.
            text = dated(text, old_since([each.claim.source for each in backing], self.asked_at))
        spans = list(dict.fromkeys(span for each in backing for span in self._spans(each)))
        self.sentences.append(CitedSentence(section=section, text=text, spans=tuple(spans)))
        marks = "".join(f"[{number}]" for number in dict.fromkeys(span.n for span in spans))
        return f"{escape(text)} {marks}"

    def _is_exact(self, claim: Claim) -> bool:
        text = self._snapshot(claim.source.snapshot_sha256)
        return text is not None and bool(claim.quote.strip()) and text[claim.start : claim.end] == claim.quote

    def _snapshot(self, sha256: str) -> str | None:
        if sha256 not in self._texts:
            try:
                self._texts[sha256] = self.snapshots(sha256)
            except LookupError:
                self._texts[sha256] = None
        return self._texts[sha256]

    def _backing(self, claim: Claim) -> "_Backing":
        """Return a claim with what its sentence may rest on: a row has the lines above it with it."""
        text = self._snapshot(claim.source.snapshot_sha256) or ""
        context = context_of(claim, text)
        if context is None:
            return _Backing(claim, display(claim.quote), ((claim.start, claim.end, claim.quote),))
        above = tuple((start, end, text[start:end]) for start, end in context.spans)
        return _Backing(claim, context.text, (*above, (claim.start, claim.end, claim.quote)))

    def _passed(self, text: str, backing: list["_Backing"]) -> tuple[str, list["_Backing"]] | None:
        """Return the sentence and the claims that show it; else its first quotation instead; else nothing."""
        if not backing:
            return None
        # A row is said with what stands above it; a title that the snapshot does not have falls away.
        text = next((each.text for each in backing if text == normalise(each.claim.text)), text)
        fitting = [each for each in backing if contributes(text, " ".join(each.quotes))]
        if fitting and check_support(text, [quote for each in fitting for quote in each.quotes]).ok:
            return text, fitting
        self.repaired += 1
        best = backing[0]
        return best.text, [best]

    def _spans(self, backing: "_Backing") -> list[CitedSpan]:
        claim = backing.claim
        sha256 = claim.source.snapshot_sha256
        number = self.numbers.setdefault(sha256, len(self.numbers) + 1)
        cited = self.cited.setdefault(sha256, (claim.source, set()))[1]
        cited.update((start, end) for start, end, _ in backing.spans)
        return [
            CitedSpan(
                n=number,
                claim_id=claim.id,
                snapshot_sha256=sha256,
                start=start,
                end=end,
                quote=quote,
                drawn_by=claim.drawn_by,
            )
            for start, end, quote in backing.spans
        ]

    def sources(self) -> list[CitedSource]:
        found = []
        for sha256, number in self.numbers.items():
            source, spans = self.cited[sha256]
            found.append(
                CitedSource(
                    n=number,
                    title=normalise(source.title),
                    uri=source.uri,
                    kind=source.kind.value,
                    document_id=source.document_id,
                    published_at=source.published_at.isoformat() if source.published_at else None,
                    snapshot_sha256=sha256,
                    score=round(source.score.combined, 4),
                    spans=tuple(sorted(spans)),
                    pages=self._pages(sha256, [start for start, _ in spans]),
                    seconds=self._seconds(sha256, [start for start, _ in spans]),
                )
            )
        return found

    def _pages(self, sha256: str, offsets: Iterable[int]) -> tuple[int, ...]:
        text = self._snapshot(sha256) or ""
        return tuple(sorted({page for offset in offsets if (page := page_at(text, offset)) is not None}))

    def _seconds(self, sha256: str, offsets: Iterable[int]) -> tuple[float, ...]:
        text = self._snapshot(sha256) or ""
        return tuple(sorted({second for offset in offsets if (second := time_at(text, offset)) is not None}))

    def list_sources(self) -> list[str]:
        lines: list[str] = []
        for source in self.sources():
            lines += [_entry(source), ""]
        return lines or [escape(say("no_citations")), ""]


def _entry(source: CitedSource) -> str:
    published = f", published {source.published_at[:10]}" if source.published_at else ""
    spans = ", ".join(f"{start}–{end}" for start, end in source.spans)
    pages = f", p. {', '.join(map(str, source.pages))}" if source.pages else ""
    times = f", at {', '.join(clock(second) for second in source.seconds)}" if source.seconds else ""
    told = f"{source.kind}{published}{pages}{times}"
    return (
        f"[{source.n}] {escape(source.title or source.uri)} ({told}). {autolink(source.uri)} "
        f"Snapshot `{source.snapshot_sha256}`, characters {spans}."
    )


_MARKS = re.compile(r" ((?:\[\d+\])+)$")
_ENTRY = re.compile(r"\[(\d+)\] .* Snapshot `([0-9a-f]*)`, characters ([\d–, ]+)\.$")


def check_citations(markdown: str, sidecar: Sidecar, snapshots: Snapshots) -> list[Problem]:
    """Verify a report's citations from the outside: its Markdown, its sidecar and the snapshots.

    Finds sentences whose `[n]` do not resolve, whose quotation is not what the snapshot has, or that say what the
    quotation does not; entries that are missing or that nobody cites; and sentences without citation.
    """
    body, _, tail = markdown.partition(f"\n## {CITATIONS}\n")
    entries, problems = _read_entries(tail, sidecar)
    lines = _body_lines(body)
    problems += _check_order(lines, sidecar)
    texts = _Texts(snapshots)
    for (text, numbers), record in zip(lines, sidecar.sentences, strict=False):
        problems += _check_line(text, numbers, record, entries, texts)
    problems += _check_numbering(lines, entries)
    return problems


def _body_lines(body: str) -> list[tuple[str, list[int]]]:
    """Return (sentence, numbers) of every line of the body that is no heading."""
    found = []
    for line in body.splitlines():
        if not line.strip() or re.match(r"#{1,6} ", line):
            continue
        if line.startswith("| "):
            # The first cell is what the row is about, as the caller wrote it; a heading or a rule cites nothing.
            cells = re.split(r"(?<!\\)\|", line.strip("| "))[1:]
            found += [read_line(cell.strip()) for cell in cells if _MARKS.search(cell.strip())]
            continue
        found.append(read_line(line.removeprefix("- ")))
    return found


def read_line(line: str) -> tuple[str, list[int]]:
    """Return what a line or a cell of a report says, without Markdown, and the numbers that it cites."""
    marks = _MARKS.search(line)
    numbers = [int(number) for number in re.findall(r"\d+", marks.group(1))] if marks else []
    return unescape(line[: marks.start()] if marks else line), numbers


def _read_entries(tail: str, sidecar: Sidecar) -> tuple[dict[int, CitedSource], list[Problem]]:
    problems = []
    listed: dict[int, tuple[str, str]] = {}
    for line in filter(None, map(str.strip, tail.splitlines())):
        if match := _ENTRY.match(line):
            listed[int(match.group(1))] = (match.group(2), match.group(3))
        elif not is_connective(unescape(line)):
            problems.append(Problem(code="entry", sentence="", detail=f"not a citation: {line[:80]}"))
    entries = {source.n: source for source in sidecar.sources}
    for number in sorted(listed.keys() | entries.keys()):
        source = entries.get(number)
        spans = ", ".join(f"{start}–{end}" for start, end in source.spans) if source else ""
        if source is None or listed.get(number) != (source.snapshot_sha256, spans):
            problems.append(Problem(code="entry", sentence="", detail=f"entry [{number}] and sidecar differ"))
    return entries, problems


def _check_order(lines: Sequence[tuple[str, list[int]]], sidecar: Sidecar) -> list[Problem]:
    if len(lines) == len(sidecar.sentences):
        return []
    detail = f"{len(lines)} sentences in the text, {len(sidecar.sentences)} in the sidecar"
    return [Problem(code="text", sentence="", detail=detail)]


class _Texts:
    """Snapshots that were checked against their own hash, each once."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._known: dict[str, str | None] = {}

    def get(self, sha256: str) -> str | None:
        if sha256 not in self._known:
            try:
                text: str | None = self._snapshots(sha256)
            except LookupError:
                text = None
            intact = text is not None and hashlib.sha256(text.encode()).hexdigest() == sha256
            self._known[sha256] = text if intact else None
        return self._known[sha256]


def _check_line(
    text: str, numbers: list[int], record: CitedSentence, entries: Mapping[int, CitedSource], texts: _Texts
) -> list[Problem]:
    def problem(code: str, detail: str) -> Problem:
        return Problem(code=code, sentence=text, detail=detail)

    problems = []
    if text != record.text:
        problems.append(problem("text", f"the sidecar says: {record.text}"))
    if not numbers and not record.spans:
        if not is_connective(text) and record.section != NOT_COVERED:
            problems.append(problem("uncited", "a statement without a citation"))
        return problems
    if list(dict.fromkeys(span.n for span in record.spans)) != numbers:
        problems.append(problem("number", f"the sidecar cites {sorted({span.n for span in record.spans})}"))
    for span in record.spans:
        problems += [problem(code, detail) for code, detail in _check_span(span, entries, texts)]
    if (lacking := _lacking_support(text, record, entries)) is not None:
        problems.append(problem("support", lacking))
    return problems


def _check_span(span: CitedSpan, entries: Mapping[int, CitedSource], texts: _Texts) -> Iterator[tuple[str, str]]:
    source, whole = entries.get(span.n), texts.get(span.snapshot_sha256)
    if source is None or source.snapshot_sha256 != span.snapshot_sha256:
        yield "number", f"[{span.n}] is another source"
    elif (span.start, span.end) not in source.spans:
        yield "entry", f"entry [{span.n}] does not list the span"
    if whole is None:
        yield "snapshot", f"snapshot {span.snapshot_sha256} is missing or altered"
    elif whole[span.start : span.end] != span.quote:
        yield "quote", "the snapshot says something else there"
    elif _cuts_word(whole, span.start) or _cuts_word(whole, span.end):
        yield "quote", "the span begins or ends within a word"


def _cuts_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum() and text[at].isascii()


def _lacking_support(text: str, record: CitedSentence, entries: Mapping[int, CitedSource]) -> str | None:
    """Return why the cited spans do not show a sentence, or a cell of a table; None where they do."""
    if record.is_cell:
        shown = all(_shows(text, span.quote) for span in record.spans)
        return None if shown else "the cited text has other words than the cell"
    quotes = [span.quote for span in record.spans]
    said, stated = undated(text)
    verdict = check_support(text, quotes)
    if verdict.ok or stated is None:
        return None if verdict.ok else verdict.reason
    if stated != max((_published(entries.get(span.n)) for span in record.spans), default=""):
        return f"its newest source is not of {stated}"
    verdict = check_support(said, quotes)
    return None if verdict.ok else verdict.reason


def _published(source: CitedSource | None) -> str:
    return (source.published_at or "")[:10] if source else ""


def _check_numbering(lines: Sequence[tuple[str, list[int]]], entries: Mapping[int, CitedSource]) -> list[Problem]:
    order = list(dict.fromkeys(number for _, numbers in lines for number in numbers))
    if order == list(range(1, len(order) + 1)) and sorted(entries) == sorted(order):
        return []
    return [Problem(code="number", sentence="", detail="the numbers are not those of the list, by first appearance")]
