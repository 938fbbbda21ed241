"""Claims: the sentences of the passages that answer a question best, as exact spans of their snapshots."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from activities.research.alignment import disagreement, keys_of
from activities.research.polarity import polar, rank
from activities.research.quantities import dates, designations, figures, names, quotations, versions
from activities.research.questions import PLACING_WEIGHT, key_terms, query_terms, single_questions, specific_terms
from activities.research.relations import relations_of
from activities.research.rows import rows_of
from activities.research.similarity import Bm25, overlap, select_diverse
from activities.research.statements import Fact, facts_of
from activities.research.text import (
    STATEMENT_CHARACTERS_MAX,
    STOP_WORDS,
    Sentence,
    display,
    has_verb,
    is_navigation,
    lacks_subject,
    leans_on_previous,
    normalise,
    sentences,
    singular,
    terms,
    uninflected,
    words,
)
from activities.research.values import designated, spelled_out, subject_names
from activities.research.wanted import wanted
from schema.contracts.research import AgentView, Claim, Finding, Passage, SourceRef
from schema.ids import CLAIM, derived_id

CLAIMS_PER_CALL_MAX = 8
CLAIMS_PER_AGENT_MAX = 24
RELEVANCE_MIN = 0.22
RELEVANCE_OF_BEST_MIN = 0.5
"""A sentence is kept only where it is at least this part as relevant as the best one."""

RELEVANCE_OF_ANSWER_MIN = 0.65
"""The same where the question asks for one property of something named: what does not state it is no answer."""


@dataclass(frozen=True)
class Region:
    """A stretch of a snapshot: overlapping and adjoining passages put together."""

    source: SourceRef
    start: int
    text: str
    headings: tuple[tuple[int, str], ...] = ()
    """Where in the snapshot which heading begins to hold, in order."""

    def heading_at(self, offset: int) -> str:
        """Return the heading above an offset of the snapshot."""
        return next((heading for start, heading in reversed(self.headings) if start <= offset), "")


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
    said: str = ""
    """A row with what stands above it, in one line; nothing for sentences."""

    @property
    def statement(self) -> str:
        """Return the claim's text."""
        return self.said or normalise(self.quote)


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
        start, text, source, headings = -1, "", found[0].source, list[tuple[int, str]]()
        for passage in sorted(found, key=lambda passage: (passage.start, passage.end)):
            if start >= 0 and passage.start <= start + len(text):
                text += passage.text[max(0, start + len(text) - passage.start) :]
                headings.append((passage.start, passage.heading))
                continue
            if text:
                regions.append(Region(source, start, text, tuple(headings)))
            start, text, source = passage.start, passage.text, passage.source
            headings = [(passage.start, passage.heading)]
        regions.append(Region(source, start, text, tuple(headings)))
    return regions


def candidates(regions: Sequence[Region]) -> list[Candidate]:
    """Return the statements of the regions; a sentence that points back takes what it points to with it."""
    found = []
    for region in regions:
        read = sentences(region.text, cut_start=region.start > 0)
        for number, sentence in enumerate(read):
            shown = display(sentence.text)
            if not is_navigation(sentence.text) and (has_verb(shown) or _states_value(shown)):
                found.append(_candidate(region, sentence, read[max(0, number - ANTECEDENTS_MAX) : number]))
        found += _rows_between(region, read)
    return found


def _states_value(shown: str) -> bool:
    """Tell whether a sentence whose verb is not known (recycles, churns) states a value all the same."""
    valued = figures(spelled_out(shown)) or dates(shown) or relations_of(shown)
    return bool(valued) and bool(subject_names(shown))


def _rows_between(region: Region, read: Sequence[Sentence]) -> list[Candidate]:
    """Return the rows of a region that are no part of its sentences."""
    found = []
    spans = [(sentence.start, sentence.end) for sentence in read]
    for place, row in enumerate(rows_of(region.text)):
        if any(start < row.end and row.start < end for start, end in spans):
            continue
        start = region.start + row.start
        heading = region.heading_at(start)
        found.append(
            Candidate(
                source=region.source,
                start=start,
                end=region.start + row.end,
                quote=region.text[row.start : row.end],
                heading=heading,
                place=place,
                leans=False,
                said=row.said(heading or region.source.title),
            )
        )
    return found


ANTECEDENTS_MAX = 3
"""How many sentences back a sentence may point to what it is about."""


def _candidate(region: Region, sentence: Sentence, before: Sequence[Sentence]) -> Candidate:
    start, leans = sentence.start, leans_on_previous(sentence.text)
    if leans or _is_definite(display(sentence.text)):
        for earlier in reversed(before):
            if not has_verb(display(earlier.text)) or not _adjoin(region.text, earlier, sentence):
                break
            if _is_definite(display(earlier.text)):
                continue
            if leans_on_previous(earlier.text):
                continue
            # What a definite sentence (The company ...) points to is worth quoting only where it names something.
            if leans or subject_names(display(earlier.text)):
                start, leans = earlier.start, False
            break
        if leans and before and has_verb(display(before[-1].text)) and _adjoin(region.text, before[-1], sentence):
            start = before[-1].start
    quote = region.text[start : sentence.end]
    absolute = region.start + start
    return Candidate(
        source=region.source,
        start=absolute,
        end=absolute + len(quote),
        quote=quote,
        heading=f"{region.heading_at(absolute)} {sentence.heading}".strip(),
        place=sentence.place,
        leans=leans,
        own=sentence.text if start != sentence.start else "",
    )


def _is_definite(shown: str) -> bool:
    """Tell whether a sentence states a value of something that it only points to (The company employs 1,200 people)."""
    return (
        bool(re.match(r"(?:the|its|their|his|her) [a-z]", shown, re.IGNORECASE))
        and not subject_names(shown)
        and bool(figures(shown) or dates(shown))
    )


def _adjoin(text: str, before: Sentence, sentence: Sentence) -> bool:
    return (
        before.block == sentence.block
        and sentence.end - before.start <= STATEMENT_CHARACTERS_MAX
        and not is_navigation(before.text)
    )


def extract(view: AgentView, passages: Sequence[Passage]) -> tuple[Claim, ...]:
    """Choose the statements of `passages` that answer the agent's question and that it does not have yet."""
    known = {(claim.source.snapshot_sha256, claim.start, claim.end) for claim in view.claims}
    said = {normalise(claim.text).lower() for claim in view.claims}
    pool = []
    for candidate in candidates(stitch(passages)):
        text = candidate.statement.lower()
        if text not in said and not _overlaps(candidate, known):
            pool.append(candidate)
            said.add(text)
    weights = [0.0] * len(pool)
    for question in single_questions(view.subtask.question):
        weights = list(map(max, weights, _worth_keeping(question, pool, view.claims)))
    room = max(0, min(CLAIMS_PER_CALL_MAX, CLAIMS_PER_AGENT_MAX - len(view.claims)))
    order = select_diverse(weights, lambda left, right: alike(pool[left].quote, pool[right].quote), room)
    taken: list[Candidate] = []
    claims = []
    for index in order:
        if not any(_spans_meet(pool[index], other) for other in taken):
            taken.append(pool[index])
            claims.append(_claim(pool[index], weights[index], view.subtask.number))
    left = [candidate for candidate in pool if not any(_spans_meet(candidate, other) for other in taken)]
    room = min(RIVALS_PER_CALL_MAX, CLAIMS_PER_AGENT_MAX - len(view.claims) - len(claims))
    others = [_claim(candidate, 0.0, view.subtask.number) for candidate in left]
    return (*claims, *_rivals((*view.claims, *claims), others, room))


RIVALS_PER_CALL_MAX = 4


def rivals_in(passages: Sequence[Passage], held: Sequence[Claim], agent_number: int) -> list[Claim]:
    """Draw from passages what contradicts claims that are held, whoever drew those."""
    meet = [(claim.source.snapshot_sha256, claim.start, claim.end) for claim in held]
    pool = [each for each in candidates(stitch(passages)) if not _overlaps(each, set(meet))]
    return _rivals(held, [_claim(each, 0.0, agent_number) for each in pool], RIVALS_PER_CALL_MAX)


def _rivals(held: Sequence[Claim], others: Sequence[Claim], room: int) -> list[Claim]:
    """Return what contradicts a claim that is held: whoever reads the one must see the other, however it is worded."""
    ours = [(claim, fact, frozenset(keys_of(fact))) for claim in held for fact in _facts(claim)]
    if not ours or room <= 0:
        return []
    sayable = frozenset().union(*(keys for _, _, keys in ours))
    names = frozenset(name for _, name in sayable)
    found: list[Claim] = []
    for other in others:
        if len(found) >= room:
            break
        if not names & {"", *words(other.text), *words(other.source.title)}:
            continue
        theirs = [(fact, frozenset(keys_of(fact))) for fact in _facts(other)]
        against = [
            claim.relevance
            for claim, fact, keys in ours
            for peer, others_keys in theirs
            if keys & others_keys and disagreement(fact, peer)
        ]
        if against:
            found.append(other.model_copy(update={"relevance": max(against)}))
    return found


def _facts(claim: Claim) -> list[Fact]:
    alone = Finding(id="", text=claim.text, subtask_number=0, claim_ids=(claim.id,), weight=0.0)
    return facts_of(alone, {claim.id: claim})


def _worth_keeping(question: str, pool: Sequence[Candidate], known: Sequence[Claim]) -> list[float]:
    """Return the relevance of the candidates, 0 where it is far below that of the best, of this call or before."""
    weights = relevance(question, pool)
    best = max(weights, default=0.0)
    share = RELEVANCE_OF_BEST_MIN
    if wanted(question).is_definite:
        best, share = max(best, max((claim.relevance for claim in known), default=0.0)), RELEVANCE_OF_ANSWER_MIN
    floor = max(RELEVANCE_MIN, share * best)
    return [weight if weight >= floor else 0.0 for weight in weights]


def _overlaps(candidate: Candidate, known: set[tuple[str, int, int]]) -> bool:
    sha = candidate.source.snapshot_sha256
    return any(sha == other and candidate.start < end and start < candidate.end for other, start, end in known)


def _spans_meet(left: Candidate, right: Candidate) -> bool:
    same = left.source.snapshot_sha256 == right.source.snapshot_sha256
    return same and left.start < right.end and right.start < left.end


def _claim(candidate: Candidate, weight: float, agent_number: int) -> Claim:
    text = candidate.statement
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
    rank: int


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
        negative=polar(shown)[0].negative,
        rank=rank(shown)[0],
    )


def alike(left: str, right: str) -> float:
    """Say how much two statements repeat each other; what differs in a figure, a date or a negation does not repeat."""
    shared = overlap(profile(left).terms, profile(right).terms)
    return 0.4 * shared if differ(left, right) else shared


def differ(left: str, right: str) -> bool:
    """Tell whether two statements have different figures, dates or versions, or only one of them denies."""
    ours, theirs = profile(left), profile(right)
    return ours.values != theirs.values or ours.negative != theirs.negative or ours.rank != theirs.rank


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


FORM_FACTOR_MAX = 1.6
"""What the form of a sentence can add at most: a definition, of exactly the thing asked for, at a paragraph's start."""
INFLECTED = 0.9
"""What another form of a word counts (chained, chain)."""
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
        self._designations = designations(question)
        self._figure = bool(re.search(r"\bhow (?:many|much|long|far|fast|heavy|often|large|big)\b", question, re.I))
        self._date = bool(re.match(r"\s*(?:when|since when|in (?:what|which) year)\b", question, re.I))
        self._wanted_values = wanted(question)
        self._defined = bool(re.match(r"\s*(?:what|who) (?:is|are|was|were) [^,]*$", question.strip(" ?"), re.I))
        self._explains = bool(re.match(r"\s*(?:what |how (?:do|does)|explain|describe|define)", question, re.I))

    def relevance(self, candidate: Candidate, score: float) -> float:
        """Weigh one sentence by its words, those of its heading, and its form."""
        shown = display(candidate.quote)
        said = display(candidate.own) if candidate.own else shown
        here = self._matches(shown)
        around = self._matches(f"{candidate.heading} {candidate.source.title}")
        answer = self._answer(candidate, shown, said, around)
        own = self._matches(said) if candidate.own else here
        if not any(own[number] for number in self._core):
            return answer
        covered = self._share(here)
        topic = self._share([max(pair) for pair in zip(here, around, strict=True)])
        weight = 0.5 * covered + 0.2 * score + 0.2 * topic + 0.1 * self._in_phrase(shown)
        if not any(here[number] >= INFLECTED for number in self._core):
            weight *= 0.6
        weight *= self._aboutness(here, around)
        if len(self._core) == len(self._pairs) + 1 == 2 and not self._in_phrase(f"{shown} {candidate.heading}"):
            weight *= 0.7  # The words of one notion (yield expression), far apart: chance.
        weight *= self._form(candidate, shown) / FORM_FACTOR_MAX
        if self._wanted_values.is_definite and not answer:
            weight *= 0.7
        return max(answer, min(1.0, weight))

    def _aboutness(self, here: Sequence[float], around: Sequence[float]) -> float:
        """Return 1 where a sentence (or what stands above it) has what the question is about, less where it has not.

        One common word of several is chance; the words that are names, or the only ones, must be there.
        """
        total = sum(self._weights[number] for number in self._core) or 1.0
        held = sum(self._weights[number] * max(here[number], 0.8 * around[number]) for number in self._core) / total
        factor = min(1.0, 0.25 + held) if len(self._core) > 1 else 1.0
        if len(self._core) > 1 and held < 0.55:
            factor *= 0.45
        named = [number for number in self._core if self._terms[number].is_name]
        if named and not any(max(here[number], around[number]) for number in named):
            factor *= 0.4
        return factor

    def _answer(self, candidate: Candidate, shown: str, said: str, around: Sequence[float]) -> float:
        """Return how well a sentence answers as a statement of the wanted property of the subject asked about."""
        asked = self._wanted_values
        if not asked.is_definite:
            return 0.0
        value = asked.answered_by(said)
        if not value:
            return 0.0
        subject = self._subject(candidate, shown)
        if not subject:
            return 0.0
        others = sum(1 for term in self._terms if term.is_core and not term.is_name and term.stem in set(terms(said)))
        weight = subject * (0.35 + 0.4 * value) + min(0.15, 0.05 * others)
        return 0.0 if candidate.leans and subject < 1 else min(0.95, weight * (0.9 if shown.endswith("?") else 1.0))

    def _subject(self, candidate: Candidate, shown: str) -> float:
        """Return how surely a sentence is about the subject asked about: it names it, or its headings do."""
        asked = self._wanted_values
        context = f"{candidate.heading} {candidate.source.title}"
        named, above = designated(shown), designated(context)
        if asked.designations:
            if named:
                return 1.0 if asked.designations & named else 0.0
            if asked.designations & above and not subject_names(shown) - set(words(context)):
                return 0.75
            return 0.0
        here, there = set(terms(shown)), set(terms(context))
        if asked.subject <= here or (len(asked.subject) > 2 and len(asked.subject & here) >= 2):
            return 1.0
        if asked.subject <= here | there and not subject_names(shown) - set(words(context)):
            return 0.75
        return 0.6 if asked.subject & here else 0.0

    def _matches(self, text: str) -> list[float]:
        """Return how well `text` has each word of the question: itself 1, another form or word of its stem less."""
        tokens = words(text)
        found = {singular(word) for word in tokens}
        inflected = {uninflected(word) for word in tokens}
        stems = set(terms(text))
        return [
            1.0
            if term.singular in found
            else INFLECTED
            if uninflected(term.word) in inflected
            else STEM_MATCH
            if term.stem in stems
            else 0.0
            for term in self._terms
        ]

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
            (self._defined and self._defines(shown, exactly=True), 1.4),
            (lacks_subject(shown), 0.55),
            (self._explains and self._defines(shown), 1.1),
            ((self._figure and bool(figures(shown))) or (self._date and bool(dates(shown))), 1.25),
            (self._is_about_another(shown), 0.4),
            (not self._names_designation(f"{shown} {candidate.heading} {candidate.source.title}"), 0.6),
            (candidate.leans, 0.55),
            (bool(candidate.own), 0.85),
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
