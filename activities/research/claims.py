"""Claims: the sentences of the passages that answer a question best, as exact spans of their snapshots."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from activities.research.about import is_of, meant_by, of_one, stripped
from activities.research.alignment import disagreement, keys_of
from activities.research.asked import answers_otherwise
from activities.research.dating import OLD_AFTER, newest
from activities.research.meanings import Meanings
from activities.research.nearness import is_far, nearest, open_to, passages_near, worth
from activities.research.outlived import PERHAPS_ALIKE_MIN, outlives
from activities.research.polarity import polar, rank
from activities.research.quantities import dates, designations, figures, names, versions
from activities.research.questions import single_questions
from activities.research.rows import rows_of
from activities.research.sentences import Sentence, sentences
from activities.research.similarity import overlap, select_diverse
from activities.research.statements import Fact, facts_of
from activities.research.strangers import Told, strangers, told_by, unheard_of
from activities.research.telling import STATEMENT_CHARACTERS_MAX, has_verb, is_navigation, leans_on_previous
from activities.research.text import display, normalise, terms, words
from activities.research.values import subject_names
from activities.research.wanted import wanted
from schema.contracts.research import AgentView, Claim, Finding, Passage, SourceRef
from schema.ids import CLAIM, derived_id

CLAIMS_PER_CALL_MAX = 8
CLAIMS_PER_AGENT_MAX = 24
RELEVANCE_MIN = 0.3
RELEVANCE_OF_BEST_MIN = 0.75
"""A sentence is kept only where it is at least this part as relevant as the best one."""

RELEVANCE_OF_ANSWER_MIN = 0.75
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
    before: str = ""
    """What stands right before it in the region: it may say what the sentence is about."""
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
        cut = region.start > 0 and not _begins_with_title(region)
        read = sentences(region.text, cut_start=cut, title=region.source.title)
        for number, sentence in enumerate(read):
            if not is_navigation(sentence.text) and not _is_title(sentence.text, region.source):
                found.append(_candidate(region, sentence, read[max(0, number - ANTECEDENTS_MAX) : number]))
        found += _rows_between(region, read)
    return found


_ASKS = re.compile(r": (?:what|how|why|where|who|when)\b", re.IGNORECASE)


def _is_title(text: str, source: SourceRef) -> bool:
    """Tell whether a line is what its document is called and states nothing (X in brief; X: what we found out)."""
    title, line = (normalise(each).strip(" .:") for each in (source.title, text))
    if line != title:
        return bool(line) and title.endswith(f" {line}")  # Its end, taken for a row (X Plus: what ...).
    return bool(_ASKS.search(title)) or not (has_verb(title) or figures(title) or dates(title))


def _begins_with_title(region: Region) -> bool:
    """Tell whether a stretch begins with what its document is about, written small as it may be: nothing is cut off."""
    return bool(set(words(region.text[:BEGINNING_CHARACTERS])[:1]) & set(words(region.source.title)))


def _rows_between(region: Region, read: Sequence[Sentence]) -> list[Candidate]:
    """Return the rows of a region that are no part of its sentences."""
    found = []
    spans = [(sentence.start, sentence.end) for sentence in read]
    for place, row in enumerate(rows_of(region.text)):
        if any(start < row.end and row.start < end for start, end in spans):
            continue
        if _is_title(region.text[row.start : row.end], region.source):
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


BEFORE_CHARACTERS = 400
BEGINNING_CHARACTERS = 60
ANTECEDENTS_MAX = 3
"""How many sentences back a sentence may point to what it is about."""


def _candidate(region: Region, sentence: Sentence, before: Sequence[Sentence]) -> Candidate:
    start, leans = sentence.start, leans_on_previous(sentence.text)
    if leans or _is_definite(display(sentence.text)):
        for earlier in reversed(before):
            if not _adjoin(region.text, earlier, sentence):
                break
            if _is_definite(display(earlier.text)):
                continue
            if leans_on_previous(earlier.text):
                continue
            # What a definite sentence (The company ...) points to is worth quoting only where it names something.
            if leans or subject_names(display(earlier.text)):
                start, leans = earlier.start, False
            break
        if leans and before and _adjoin(region.text, before[-1], sentence):
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
        before=region.text[max(0, start - BEFORE_CHARACTERS) : start],
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


def extract(view: AgentView, passages: Sequence[Passage], meanings: Meanings | None = None) -> tuple[Claim, ...]:
    """Choose the statements of `passages` that answer the agent's question and that it does not have yet.

    Args:
        meanings: compares meanings; None: words alone decide.
    """
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
        weights = list(map(max, weights, _worths(question, pool, passages, view.claims, meanings)))
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
    questions = single_questions(view.subtask.question)
    return (*claims, *_rivals((*view.claims, *claims), left, view.subtask.number, room, questions, meanings))


RIVALS_PER_CALL_MAX = 4


def rivals_in(passages: Sequence[Passage], held: Sequence[Claim], agent_number: int) -> list[Claim]:
    """Draw from passages what contradicts claims that are held, whoever drew those."""
    meet = [(claim.source.snapshot_sha256, claim.start, claim.end) for claim in held]
    pool = [each for each in candidates(stitch(passages)) if not _overlaps(each, set(meet))]
    return _rivals(held, pool, agent_number, RIVALS_PER_CALL_MAX)


def stating(claims: Sequence[Claim], passages: Sequence[Passage]) -> list[Claim]:
    """Keep the claims whose span meets a sentence or a row of the passages: a heading alone states nothing."""
    pool = candidates(stitch(passages))
    return [
        claim
        for claim in claims
        if any(
            each.source.snapshot_sha256 == claim.source.snapshot_sha256
            and each.start < claim.end
            and claim.start < each.end
            for each in pool
        )
    ]


def _rivals(
    held: Sequence[Claim],
    others: Sequence[Candidate],
    agent_number: int,
    room: int,
    questions: Sequence[str] = (),
    meanings: Meanings | None = None,
) -> list[Claim]:
    """Return what contradicts a claim that is held: whoever reads the one must see the other, however it is worded.

    What answers one of `questions` otherwise contradicts, too, and so does what may have taken an old answer's place.
    """
    ours = [(claim, fact, frozenset(keys_of(fact))) for claim in held for fact in _facts(claim)]
    if not ours or room <= 0:
        return []
    sayable = frozenset().union(*(keys for _, _, keys in ours))
    names = frozenset(name for _, name in sayable)
    found: list[Claim] = []
    for candidate in others:
        if len(found) >= room:
            break
        if not names & {"", *words(candidate.statement), *words(candidate.source.title)}:
            continue
        other = _claim(candidate, 0.0, agent_number)
        theirs = [(fact, frozenset(keys_of(fact))) for fact in _facts(other)]
        against = [
            claim.relevance
            for claim, fact, keys in ours
            for peer, others_keys in theirs
            if (keys & others_keys and disagreement(fact, peer))
            or any(
                answers_otherwise(question, fact, peer, meanings) or outlives(question, peer, fact, meanings)
                for question in questions
            )
        ]
        against += _old_beside(other, held, questions, meanings)
        if against:
            found.append(other.model_copy(update={"relevance": max(against)}))
    return found


def _old_beside(
    newer: Claim, held: Sequence[Claim], questions: Sequence[str], meanings: Meanings | None
) -> list[float]:
    """Return the relevance of the old claims about one thing that a statement of years later may be about, too.

    Whoever holds an old statement must see what a newer source says of the same, asked for or not.
    """
    asked = next((asked for question in questions if (asked := of_one(question))), None)
    at = newest([newer.source])
    if meanings is None or asked is None or at is None or not is_of(asked, newer.text, newer.source.title):
        return []
    old = [
        claim
        for claim in held
        if (stated := newest([claim.source])) and at - stated >= OLD_AFTER
        if is_of(asked, claim.text, claim.source.title)
    ]
    near = meanings.alike(stripped(newer.text, asked), [stripped(claim.text, asked) for claim in old]) if old else None
    return [claim.relevance for claim, value in zip(old, near or (), strict=False) if value >= PERHAPS_ALIKE_MIN]


def _facts(claim: Claim) -> list[Fact]:
    alone = Finding(id="", text=claim.text, subtask_number=0, claim_ids=(claim.id,), weight=0.0)
    return facts_of(alone, {claim.id: claim})


def _worths(
    question: str,
    pool: Sequence[Candidate],
    passages: Sequence[Passage],
    known: Sequence[Claim],
    meanings: Meanings | None,
) -> list[float]:
    """Return what the candidates are worth by themselves and by the passages they stand in, 0 for what is not kept."""
    near = passages_near(question, passages, meanings)
    read = [f"{each.source.title} {each.heading} {each.text}" for each in passages]
    held = [f"{claim.source.title} {claim.text}" for claim in known]
    if is_far(question, near, is_unheard_of=unheard_of(question, (*held, *read))):
        return [0.0] * len(pool)
    kept = _worth_keeping(question, pool, known, meanings)
    if meanings is not None and near is not None:
        said = [(claim.text, claim.source) for claim in known]
        said += [(each.statement, each.source) for each, weight in zip(pool, kept, strict=True) if weight]
        asked = open_to(question, said, passages)
        left = [
            (passage, value)
            for passage, value in zip(passages, near, strict=True)
            if passage.source.snapshot_sha256 in asked
        ]
        for number, weight in nearest(question, pool, left, meanings, is_last=not said).items():
            kept[number] = max(kept[number], weight, RELEVANCE_MIN)
    for number, weight in meant_by(question, pool, known, meanings).items():
        kept[number] = max(kept[number], weight)
    return kept


def _worth_keeping(
    question: str, pool: Sequence[Candidate], known: Sequence[Claim], meanings: Meanings | None
) -> list[float]:
    """Return what the candidates are worth, 0 where it is far below the best, of this call or before."""
    weights = worth(question, pool, meanings)
    others = _of_others(question, pool, known)
    weights = [0.0 if number in others else weight for number, weight in enumerate(weights)]
    best = max(weights, default=0.0)
    share = RELEVANCE_OF_BEST_MIN
    if wanted(question).is_definite:
        best, share = max(best, max((claim.relevance for claim in known), default=0.0)), RELEVANCE_OF_ANSWER_MIN
    floor = max(RELEVANCE_MIN, share * best)
    return [weight if weight >= floor else 0.0 for weight in weights]


def _of_others(question: str, pool: Sequence[Candidate], known: Sequence[Claim]) -> frozenset[int]:
    told = [Told(each.statement, f"{each.heading} {each.source.title}", each.source.snapshot_sha256) for each in pool]
    return strangers(question, told, [told_by(claim) for claim in known])


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
