"""Claims: the sentences of the passages that answer a question best, as exact spans of their snapshots."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from activities.research.quantities import dates, designations, figures, names, negations, quotations, versions
from activities.research.questions import PLACING_WEIGHT, key_terms, query_terms, specific_terms
from activities.research.similarity import Bm25, overlap, select_diverse
from activities.research.text import (
    STATEMENT_CHARACTERS_MAX,
    STOP_WORDS,
    Sentence,
    display,
    has_verb,
    is_navigation,
    leans_on_previous,
    normalise,
    sentences,
    singular,
    terms,
    words,
)
from schema.contracts.research import AgentView, Claim, Passage, SourceRef
from schema.ids import CLAIM, derived_id

CLAIMS_PER_CALL_MAX = 8
CLAIMS_PER_AGENT_MAX = 24
RELEVANCE_MIN = 0.22
RELEVANCE_OF_BEST_MIN = 0.5
"""A sentence is kept only where it is at least this part as relevant as the best one."""


@dataclass(frozen=True)
class Region:
    """A stretch of a snapshot: overlapping and adjoining passages put together."""

    source: SourceRef
    start: int
    text: str
    heading: str = ""


@dataclass(frozen=True)
class Candidate:
    """A sentence, or one with the sentence it leans on: `snapshot_text[start:end] == quote`."""

    source: SourceRef
    start: int
    end: int
    quote: str
    heading: str
    place: int
    leans: bool
    """It points back, and what it points to could not be had."""
    own: str = ""
    """The sentence alone, where `quote` has the one before it with it."""


def claim_id(snapshot_sha256: str, start: int, end: int, text: str) -> str:
    """Derive the identifier of a claim: the same statement from the same span is the same claim for every agent."""
    return derived_id(CLAIM, snapshot_sha256, start, end, text)


def stitch(passages: Sequence[Passage]) -> list[Region]:
    """Put passages that overlap or adjoin together, snapshot by snapshot, in order of first appearance."""
    by_snapshot: dict[str, list[Passage]] = {}
    for passage in passages:
        by_snapshot.setdefault(passage.source.snapshot_sha256, []).append(passage)
    regions: list[Region] = []
    for found in by_snapshot.values():
        start, text, source, heading = -1, "", found[0].source, found[0].heading
        for passage in sorted(found, key=lambda passage: (passage.start, passage.end)):
            if start >= 0 and passage.start <= start + len(text):
                text += passage.text[max(0, start + len(text) - passage.start) :]
                continue
            if text:
                regions.append(Region(source, start, text, heading))
            start, text, source, heading = passage.start, passage.text, passage.source, passage.heading
        regions.append(Region(source, start, text, heading))
    return regions


def candidates(regions: Sequence[Region]) -> list[Candidate]:
    """Return the statements of the regions; a sentence that points back takes the one before with it."""
    found = []
    for region in regions:
        before: Sentence | None = None
        for sentence in sentences(region.text, cut_start=region.start > 0):
            if not is_navigation(sentence.text) and has_verb(display(sentence.text)):
                found.append(_candidate(region, sentence, before))
            before = sentence
    return found


def _candidate(region: Region, sentence: Sentence, before: Sentence | None) -> Candidate:
    start, leans = sentence.start, leans_on_previous(sentence.text)
    if leans and before is not None and has_verb(display(before.text)) and _adjoin(region.text, before, sentence):
        start = before.start
        leans = leans_on_previous(before.text)
    quote = region.text[start : sentence.end]
    absolute = region.start + start
    return Candidate(
        source=region.source,
        start=absolute,
        end=absolute + len(quote),
        quote=quote,
        heading=f"{region.heading} {sentence.heading}".strip(),
        place=sentence.place,
        leans=leans,
        own=sentence.text if start != sentence.start else "",
    )


def _adjoin(text: str, before: Sentence, sentence: Sentence) -> bool:
    return (
        before.block == sentence.block
        and not text[before.end : sentence.start].strip()
        and sentence.end - before.start <= STATEMENT_CHARACTERS_MAX
        and not is_navigation(before.text)
    )


def extract(view: AgentView, passages: Sequence[Passage]) -> tuple[Claim, ...]:
    """Choose the statements of `passages` that answer the agent's question and that it does not have yet."""
    known = {(claim.source.snapshot_sha256, claim.start, claim.end) for claim in view.claims}
    said = {normalise(claim.text).lower() for claim in view.claims}
    pool = []
    for candidate in candidates(stitch(passages)):
        text = normalise(candidate.quote).lower()
        if text not in said and not _overlaps(candidate, known):
            pool.append(candidate)
            said.add(text)
    weights = relevance(view.subtask.question, pool)
    floor = max(RELEVANCE_MIN, RELEVANCE_OF_BEST_MIN * max(weights, default=0.0))
    weights = [weight if weight >= floor else 0.0 for weight in weights]
    room = max(0, min(CLAIMS_PER_CALL_MAX, CLAIMS_PER_AGENT_MAX - len(view.claims)))
    order = select_diverse(weights, lambda left, right: alike(pool[left].quote, pool[right].quote), room)
    taken: list[Candidate] = []
    claims = []
    for index in order:
        if not any(_spans_meet(pool[index], other) for other in taken):
            taken.append(pool[index])
            claims.append(_claim(pool[index], weights[index], view.subtask.number))
    return tuple(claims)


def _overlaps(candidate: Candidate, known: set[tuple[str, int, int]]) -> bool:
    sha = candidate.source.snapshot_sha256
    return any(sha == other and candidate.start < end and start < candidate.end for other, start, end in known)


def _spans_meet(left: Candidate, right: Candidate) -> bool:
    same = left.source.snapshot_sha256 == right.source.snapshot_sha256
    return same and left.start < right.end and right.start < left.end


def _claim(candidate: Candidate, weight: float, agent_number: int) -> Claim:
    text = normalise(candidate.quote)
    return Claim(
        id=claim_id(candidate.source.snapshot_sha256, candidate.start, candidate.end, text),
        agent_number=agent_number,
        text=text,
        source=candidate.source,
        start=candidate.start,
        end=candidate.end,
        quote=candidate.quote,
        relevance=round(weight, 4),
    )


@dataclass(frozen=True)
class Profile:
    """What two statements are compared by."""

    terms: frozenset[str]
    first: str
    """The first content word: as a rule, what the sentence is about."""
    values: frozenset[str]
    """Figures, dates, versions and designations."""
    names: frozenset[str]
    negative: bool


@lru_cache(maxsize=16_384)
def profile(text: str) -> Profile:
    """Read a statement for comparison."""
    shown = display(text)
    content = terms(shown)
    values = {f"{figure.value}{figure.unit}" for figure in figures(shown)}
    values |= {date.iso for date in dates(shown)} | {version for version, _, _ in versions(shown)}
    return Profile(
        terms=frozenset(content),
        first=content[0] if content else "",
        values=frozenset(values | designations(shown)),
        names=frozenset(names(shown)),
        negative=negations(shown) % 2 == 1,
    )


def alike(left: str, right: str) -> float:
    """Say how much two statements repeat each other; what differs in a figure, a date or a negation does not repeat."""
    shared = overlap(profile(left).terms, profile(right).terms)
    return 0.4 * shared if differ(left, right) else shared


def differ(left: str, right: str) -> bool:
    """Tell whether two statements have different figures, dates or versions, or only one of them denies."""
    ours, theirs = profile(left), profile(right)
    return ours.values != theirs.values or ours.negative != theirs.negative


def relevance(question: str, pool: Sequence[Candidate]) -> list[float]:
    """Return how well each candidate answers `question`, 0..1.

    Words of the question weigh by their rarity among the candidates (BM25); a heading or a title that names the topic
    lends some of its weight to the sentences below it.
    """
    if not specific_terms(question):
        return _by_position(pool)
    shown = [terms(display(candidate.quote)) for candidate in pool]
    index = Bm25(shown)
    asked = _Asked(question, index)
    scores = [index.score(key_terms(question), number) for number in range(len(pool))]
    best = max(scores, default=0.0) or 1.0
    return [asked.relevance(candidate, scores[number] / best) for number, candidate in enumerate(pool)]


def _by_position(pool: Sequence[Candidate]) -> list[float]:
    """Rank by position: the task names documents, not a topic."""
    first: dict[str, int] = {}
    for candidate in pool:
        first.setdefault(candidate.source.snapshot_sha256, candidate.start)
    return [
        0.0
        if candidate.leans
        else round(0.9 / (1 + (candidate.start - first[candidate.source.snapshot_sha256]) / 3000), 4)
        for candidate in pool
    ]


FORM_FACTOR_MAX = 1.5
"""What the form of a sentence can add at most: a definition, of exactly the thing asked for, at a paragraph's start."""
STEM_MATCH = 0.45
"""What a word counts that shares only its stem with a word of the question (generators, generate)."""


class _Asked:
    """A question, ready to be compared with sentences."""

    def __init__(self, question: str, index: Bm25) -> None:
        self._terms = query_terms(question)
        rarest = max((index.idf(term.stem) for term in self._terms), default=0.0) or 1.0
        # Rarity decides a little only: among few sentences, the very word that was asked for is no longer rare.
        self._weights = [
            term.weight * (PLACING_WEIGHT if term.places else 1.0) * (0.7 + 0.3 * index.idf(term.stem) / rarest)
            for term in self._terms
        ]
        self._total = sum(self._weights) or 1.0
        ordered = [term.singular for term in self._terms if term.weight == 1.0]
        self._pairs = set(pairwise(ordered))
        self._core = [number for number, term in enumerate(self._terms) if term.is_core]
        self._wanted = min(2, len(self._core))
        self._designations = designations(question)
        self._figure = bool(re.search(r"\bhow (?:many|much|long|far|fast|heavy|often|large|big)\b", question, re.I))
        self._date = bool(re.match(r"\s*(?:when|since when|in (?:what|which) year)\b", question, re.I))
        self._explains = bool(re.match(r"\s*(?:what |how (?:do|does)|explain|describe|define)", question, re.I))

    def relevance(self, candidate: Candidate, score: float) -> float:
        """Weigh one sentence by its words, those of its heading, and its form."""
        shown = display(candidate.quote)
        here = self._matches(shown)
        around = self._matches(f"{candidate.heading} {candidate.source.title}")
        own = self._matches(display(candidate.own)) if candidate.own else here
        if not any(own[number] for number in self._core):
            return 0.0
        covered = self._share(here)
        topic = self._share([max(pair) for pair in zip(here, around, strict=True)])
        weight = 0.5 * covered + 0.2 * score + 0.2 * topic + 0.1 * self._in_phrase(shown)
        if not any(here[number] == 1.0 for number in self._core):
            weight *= 0.6
        if sum(max(here[number], 0.8 * around[number]) for number in self._core) < 0.7 * self._wanted:
            weight *= 0.5
        return min(1.0, weight * self._form(candidate, shown) / FORM_FACTOR_MAX)

    def _matches(self, text: str) -> list[float]:
        """Return how well `text` has each word of the question: itself 1, another word of its stem less."""
        found = {singular(word) for word in words(text)}
        stems = set(terms(text))
        return [1.0 if term.singular in found else STEM_MATCH if term.stem in stems else 0.0 for term in self._terms]

    def _share(self, matches: Sequence[float]) -> float:
        return sum(weight * match for weight, match in zip(self._weights, matches, strict=True)) / self._total

    def _in_phrase(self, shown: str) -> float:
        """Return 1 where words that stand together in the question stand together here (context manager)."""
        if not self._pairs:
            return 0.5
        return 1.0 if self._pairs & set(pairwise(singular(word) for word in words(shown))) else 0.0

    def _form(self, candidate: Candidate, shown: str) -> float:
        """Weigh the form of a sentence: definitions and wanted figures up; what leans on something else down."""
        factor = 1.0
        for applies, weight in (
            (self._explains and self._defines(shown, exactly=True), 1.3),
            (self._explains and self._defines(shown), 1.1),
            ((self._figure and bool(figures(shown))) or (self._date and bool(dates(shown))), 1.25),
            (self._is_about_another(shown), 0.4),
            (not self._names_designation(f"{shown} {candidate.heading} {candidate.source.title}"), 0.6),
            (candidate.leans, 0.55),
            (bool(candidate.own), 0.8),
            (shown.count(",") > 5 or len(quotations(shown)) > 3, 0.7),
            (shown.endswith("?"), 0.5),
            (len(shown) < 60, 0.85),
            (bool(_ASIDE.match(shown)), 0.8),
            (candidate.place == 0, 1.05),
        ):
            factor *= weight if applies else 1.0
        return factor

    def _is_about_another(self, shown: str) -> bool:
        """Tell whether a sentence names another member of the family that the question asks about (Zephyr-8)."""
        named = designations(shown)
        return bool(self._designations and named) and not self._designations & named

    def _names_designation(self, text: str) -> bool:
        return not self._designations or bool(self._designations & designations(text))

    def _defines(self, shown: str, *, exactly: bool = False) -> bool:
        """Tell whether a sentence says what something of the question is; `exactly`: of nothing more special."""
        verb = _DEFINES.search(shown)
        if not verb or leans_on_previous(shown):
            return False
        subject = {singular(word) for word in words(shown[: verb.start()]) if word not in STOP_WORDS}
        asked = {term.singular for term in self._terms}
        if exactly and (subject - asked or not _IS_A.match(verb.group())):
            return False
        return len(subject) <= 5 and any(self._terms[number].singular in subject for number in self._core)


_DEFINES = re.compile(
    r"\b(?:(?:is|are|was|were) (?:an?|the|any|one|used|designed|intended|responsible)\b|means?|refers? to|denotes?|"
    r"defines?|describes?|consists? of|allows?|lets?|provides?|specif(?:y|ies)|controls?|handles?|returns?)\b",
    re.IGNORECASE,
)
_IS_A = re.compile(r"(?:is|are|was|were|means?|refers?|denotes?|defines?|describes?|consists?)\b", re.IGNORECASE)
_ASIDE = re.compile(
    r"(?:note|programmer’s note|important|warning|tip|caution|we|i|our|my|you can also|thanks)\b", re.IGNORECASE
)
