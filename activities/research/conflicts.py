"""Conflicts: statements that cannot all be true, and the reason to prefer one.

Two statements conflict where they say different values of the same thing: the same subject (names, designations), the
same attribute (unit, and words such as *produces*, *output*), no different circumstances (years, *peak* against
*continuous*), or where one denies what the other says. When in doubt there is no conflict: false alarms bury true ones.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import combinations, pairwise

from activities.research.findings import independent_sources
from activities.research.lexicon import groups_of, words_of
from activities.research.quantities import dates, figures, negations, versions
from activities.research.similarity import Groups, contained, overlap
from activities.research.text import STOP_WORDS, display, has_verb, leans_on_previous, sentences, stem, terms, words
from activities.research.values import (
    Event,
    Relation,
    Value,
    agree,
    concept,
    contrasting,
    designated,
    events_of,
    part_of,
    relations_of,
    subject_names,
    values_of,
)
from schema.contracts.research import Claim, Conflict, ConflictKind, Finding

NEWER_BY = timedelta(days=90)
TRUST_MARGIN = 0.15
CONFLICTS_MAX = 50
FIGURES_PER_STATEMENT_MAX = 6
"""A sentence with more figures is a list; comparing its parts with another's makes false alarms."""
STATEMENT_WORDS_MAX = 45


def find_conflicts(findings: Sequence[Finding], claims: Mapping[str, Claim]) -> tuple[Conflict, ...]:
    """Return the disagreements among `findings`, heaviest first, each with the choice and its reason."""
    facts = [fact for finding in findings for fact in facts_of(finding, claims)]
    groups = Groups(len(facts))
    kinds: dict[tuple[int, int], ConflictKind] = {}
    for left, right in _pairs(facts):
        kind = disagreement(facts[left], facts[right])
        if kind is not None:
            kinds[left, right] = kind
            groups.join(left, right)
    found = []
    for members in groups.members():
        between = [kinds[pair] for pair in combinations(members, 2) if pair in kinds]
        found.append(_conflict([facts[member] for member in members], between[0]))
    return tuple(found[:CONFLICTS_MAX])


@dataclass(frozen=True)
class Fact:
    """What a finding says, ready for comparison."""

    finding: Finding
    claims: tuple[Claim, ...]
    text: str
    """The sentence that is compared: the last one of the claim."""
    names: frozenset[str]
    """Words of its names; those of the sentence before it or of its title where it has none itself."""
    subject: frozenset[str]
    """The names before its verb: what it is about."""
    designations: frozenset[str]
    """Zephyr-9: what tells one member of a family from another."""
    values: tuple[Value, ...]
    events: tuple[Event, ...]
    relations: tuple[Relation, ...]
    years: frozenset[str]
    versions: frozenset[str]
    negative: bool
    words: frozenset[str]
    """Stems of the content words without names and figures."""


def facts_of(finding: Finding, claims: Mapping[str, Claim]) -> list[Fact]:
    """Read the sentences of a finding's best claim, each for itself, without lists and what leans on absent text."""
    backing = tuple(claims[claim] for claim in finding.claim_ids if claim in claims)
    if not backing:
        return []
    parts = _sentences_of(display(backing[0].quote))
    read = [_fact(finding, backing, parts[: number + 1]) for number in range(len(parts))]
    return [fact for fact in read if fact is not None]


def _fact(finding: Finding, backing: tuple[Claim, ...], parts: Sequence[str]) -> Fact | None:
    """Read the last one of `parts`; those before it say what it points to."""
    text = parts[-1]
    leans = leans_on_previous(text)
    if len(figures(text)) > FIGURES_PER_STATEMENT_MAX or len(words(text)) > STATEMENT_WORDS_MAX:
        return None
    if leans and len(parts) == 1:
        return None
    title = backing[0].source.title
    named = subject_names(text) | _leading_name(text)
    coded = designated(text)
    subject = _subject(text)
    if len(parts) > 1 and (leans or not named):
        before = " ".join(parts[:-1])
        named |= subject_names(before) | _leading_name(before)
        coded = coded or designated(before)
        subject = _subject(parts[0])
    if not named:
        named = frozenset(term for term in words(title) if not term.isdigit() and term not in STOP_WORDS)
        coded = coded or designated(title)
    return Fact(
        finding=finding,
        claims=backing,
        text=text,
        names=named,
        subject=subject or named,
        designations=coded,
        values=values_of(text),
        events=events_of(text),
        relations=relations_of(text),
        years=frozenset(date.iso for date in dates(text)),
        versions=frozenset(version for version, _, _ in versions(text)),
        negative=negations(text) % 2 == 1,
        words=_attribute_words(text, named),
    )


def _sentences_of(text: str) -> list[str]:
    """Return the sentences of a claim; the claim itself where it does not divide plainly."""
    found = sentences(text)
    return [each.text for each in found] if found and found[-1].end == len(text) else [text]


def _subject(text: str) -> frozenset[str]:
    """Return the words of the names that stand before a sentence's verb."""
    before: list[str] = []
    for match in re.finditer(r"\S+", text):
        token = match.group().strip(".,;:()\"'“”").lower()
        if before and (token in _VERBS or token.endswith("ed")):
            break
        before.append(token)
    else:
        return frozenset()
    cut = " ".join(text.split()[: len(before)])
    return (subject_names(cut + " x") | _leading_name(text)) & (subject_names(text) | _leading_name(text))


_VERBS = words_of("verbs")


def _leading_name(text: str) -> frozenset[str]:
    """Take the capitalised word right before a verb at a sentence's start for a name (Rich requires, Venus is)."""
    match = re.match(r"(?:The )?([A-Z][\w-]+)(?:'s|’s)? ([a-z]+)\b", text)
    if not match or match.group(1).lower() in STOP_WORDS or not has_verb(match.group(2)):
        return frozenset()
    is_attribute = concept(stem(match.group(1).lower())).startswith("=")
    return frozenset() if is_attribute else frozenset({match.group(1).lower()})


@lru_cache(maxsize=16_384)
def _attribute_words(text: str, named: frozenset[str]) -> frozenset[str]:
    of_names = {stem(name) for name in named}
    unit_words = {
        text[figure.end :].split(maxsplit=1)[0].lower()
        for figure in figures(text)
        if figure.dimension != "count" and text[figure.end :].strip()
    }
    skipped = of_names | {stem(word.strip(".,;:!?")) for word in unit_words}
    return frozenset(term for term in terms(text) if not term[:1].isdigit() and term not in skipped)


def _pairs(facts: Sequence[Fact]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of facts that share a name or several words: all others are about different things."""
    by_key: dict[str, list[int]] = {}
    for index, fact in enumerate(facts):
        for key in fact.names | fact.words:
            by_key.setdefault(key, []).append(index)
    shared: dict[tuple[int, int], int] = {}
    for indices in by_key.values():
        if len(indices) <= 60:
            for pair in combinations(indices, 2):
                shared[pair] = shared.get(pair, 0) + 1
    for left, right in sorted(shared):
        if shared[left, right] >= 2 or facts[left].names & facts[right].names:
            yield left, right


def disagreement(left: Fact, right: Fact) -> ConflictKind | None:
    """Say how two facts disagree, or None where they do not."""
    if not _independent(left, right) or not same_subject(left, right):
        return None
    if _denies(left, right):
        return _aged(left, right) or ConflictKind.PLAIN
    if other_circumstances(left, right):
        return None
    found = _different_figures(left, right) or _different_values(left, right)
    if found is ConflictKind.PLAIN:
        if _circumstances(left.text) != _circumstances(right.text):
            return ConflictKind.SCOPE
        return _aged(left, right) or ConflictKind.PLAIN
    return found


def _independent(left: Fact, right: Fact) -> bool:
    """Tell whether they come from different sources; within one, the author knew both sentences."""
    ours = {claim.source.snapshot_sha256 for claim in left.claims}
    theirs = {claim.source.snapshot_sha256 for claim in right.claims}
    return not ours & theirs


def same_subject(left: Fact, right: Fact) -> bool:
    """Tell whether both speak of one thing: the subject of one is among the names of the other, no code differs."""
    if left.designations and right.designations:
        if not left.designations & right.designations:
            return False
        if left.designations - right.designations and right.designations - left.designations:
            return False
    elif left.designations or right.designations:
        coded = left if left.designations else right
        if not _in_title(coded.designations, right if coded is left else left):
            return False
    if not (left.designations and right.designations) and _heads_apart(left, right):
        return False
    if left.names and right.names:
        ours, theirs = left.subject & left.names or left.names, right.subject & right.names or right.names
        return ours <= right.names or theirs <= left.names or overlap(left.names, right.names) >= 0.67
    return not left.names and not right.names


def _heads_apart(left: Fact, right: Fact) -> bool:
    """Tell whether a name they share stands for different things (the Orlen pump, the Orlen valve)."""
    for name in sorted(left.subject & right.subject):
        ours, theirs = _head_of(name, left.text), _head_of(name, right.text)
        if ours and theirs and not {concept(each) for each in ours} & {concept(each) for each in theirs}:
            return True
    return False


def _head_of(name: str, text: str) -> frozenset[str]:
    """Return the common nouns right after a name (lamp, in *the Lumo desk lamp costs*)."""
    match = re.search(rf"\b{re.escape(name)}\b((?: [a-z-]+){{1,3}})", text, re.IGNORECASE)
    if not match or re.match(r" [A-Z]", match[1]):
        return frozenset()
    held: list[str] = []
    for word in match[1].split():
        done = word.endswith(("s", "ed")) and (word in _VERBS or word.endswith("ed"))
        if done or word in STOP_WORDS or stem(word) in _EVENT_STEMS:
            break
        held.append(word)
    return frozenset(stem(word) for word in held if stem(word) not in _EMPTY)


def _in_title(coded: frozenset[str], fact: Fact) -> bool:
    """Tell whether the title of a fact's source names one of the designations that the sentence leaves out."""
    return bool(coded & designated(fact.claims[0].source.title))


def other_circumstances(left: Fact, right: Fact) -> bool:
    """Tell whether both name circumstances, and not the same (at full load, at idle; in 2022, in 2023)."""
    ours, theirs = frozenset(terms(left.text)), frozenset(terms(right.text))
    if contrasting(ours - theirs - _dated(left), theirs - ours - _dated(right)) or _modified_apart(left, right):
        return True
    if part_of(left.text) != part_of(right.text) and (part_of(left.text) or part_of(right.text)) and left.values:
        parts = part_of(left.text) | part_of(right.text)
        if not parts & ours & theirs:
            return True
    if left.values and right.values and left.years and right.years and not _same_time(left, right):
        return True
    named, other = _circumstances(left.text), _circumstances(right.text)
    if named and other and not named & other:
        return True
    return _placed_apart(left, right)


def _dated(fact: Fact) -> frozenset[str]:
    return frozenset(term for date in dates(fact.text) for term in terms(fact.text[date.start : date.end]))


def _same_time(left: Fact, right: Fact) -> bool:
    return any(one.startswith(other) or other.startswith(one) for one in left.years for other in right.years)


def _modified_apart(left: Fact, right: Fact) -> bool:
    """Tell whether two sentences differ, besides the figure, only in the word before a noun (road tyre, rain tyre)."""
    only_left, only_right = left.words - right.words, right.words - left.words
    only_left = frozenset(word for word in only_left if concept(word) not in {concept(each) for each in only_right})
    only_right = frozenset(word for word in only_right if concept(word) not in {concept(each) for each in only_left})
    if len(only_left) != 1 or len(only_right) != 1 or len(left.words & right.words) < 2:
        return False
    ours, theirs = _following(left.text, next(iter(only_left))), _following(right.text, next(iter(only_right)))
    return bool(ours & theirs)


def _following(text: str, word: str) -> frozenset[str]:
    stems = [stem(each) for each in words(text)]
    return frozenset(after for before, after in pairwise(stems) if before == word and after not in _VERB_STEMS)


_VERB_STEMS = frozenset(stem(word) for word in _VERBS)
_PLACED = re.compile(
    r"\b(at|in|under|during|with|without|for|when|if|on|after|before|above|below) "
    r"((?:(?:the|an?|its|full|\d[\d.,]*) ?)*"
    r"[\w%°’-]+(?: (?!at\b|in\b|and\b|of\b|is\b|was\b|has\b|the\b)[\w%°’-]+)?)",
    re.IGNORECASE,
)


def _placed_apart(left: Fact, right: Fact) -> bool:
    """Tell whether phrases of one preposition name different places or states of what is measured."""
    if not (left.values and right.values):
        return False
    ours, theirs = _placings(left), _placings(right)
    for preposition in ours.keys() & theirs.keys():
        here, there = ours[preposition], theirs[preposition]
        if preposition in _PLACES and here and there and not here & there:
            return True
    return False


_PLACES = frozenset({"at", "in", "under", "during", "with", "without", "when", "if", "above", "below", "for"})


def _placings(fact: Fact) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for preposition, phrase in _PLACED.findall(fact.text):
        held = {term for term in terms(phrase) if concept(term) == term or preposition in ("at", "for")}
        figured = figures(phrase)
        if figured and not any(value.condition for value in fact.values):
            continue
        held = {term for term in held if term not in {stem(name) for name in fact.subject}}
        if not any(date for date in dates(phrase)):
            found.setdefault(preposition.lower(), set()).update(held)
    return {preposition: frozenset(held) for preposition, held in found.items()}


_TELLING = frozenset(
    {
        "power",
        "speed",
        "voltage",
        "temperature",
        "frequency",
        "torque",
        "thrust",
        "rate",
        "energy",
        "pressure",
        "mass",
        "current",
        "area",
    }
)
"""Dimensions that say by themselves, for one subject, what was measured."""


def same_attribute(left: Value, right: Value, ours: Fact, theirs: Fact) -> bool:
    """Tell whether two figures are of the same property of their subject."""
    named = {stem(name) for name in ours.names | theirs.names}
    here = frozenset(each for each in left.concepts if each not in named and each not in _EMPTY)
    there = frozenset(each for each in right.concepts if each not in named and each not in _EMPTY)
    grouped_here = frozenset(each for each in here if each.startswith("="))
    grouped_there = frozenset(each for each in there if each.startswith("="))
    if grouped_here and grouped_there and not grouped_here & grouped_there:
        return False
    shared = overlap(here, there)
    if left.figure.dimension in _TELLING:
        return (
            bool(grouped_here & grouped_there)
            or not (here and there)
            or shared >= 0.2
            or (not grouped_here or not grouped_there)
        )
    counted = left.figure.dimension == "count" and right.figure.dimension == "count"
    if counted and concept(left.figure.unit) == concept(right.figure.unit):
        return True
    if grouped_here & grouped_there:
        rest_here, rest_there = here - grouped_there, there - grouped_here
        return shared >= 0.25 or not rest_here or not rest_there or len(rest_here) + len(rest_there) <= 5
    return shared >= (0.3 if left.figure.dimension == "share" else 0.5)


_EMPTY = frozenset(stem(word) for word in words_of("generic_words") | words_of("empty"))


def _comparable(left: Value, right: Value) -> bool:
    if left.condition or right.condition or left.per != right.per:
        return False
    ours, theirs = left.figure, right.figure
    if ours.dimension == theirs.dimension == "count":
        here, there = concept(ours.unit), concept(theirs.unit)
        stated = {each for each in (here, there) if each.startswith("=")}
        return here == there or bool(stated & left.concepts & right.concepts)
    if {ours.dimension, theirs.dimension} == {"count", "plain"}:
        counted = left if ours.dimension == "count" else right
        other = right if counted is left else left
        return concept(counted.figure.unit).startswith("=") and concept(counted.figure.unit) in other.concepts
    return ours.dimension == theirs.dimension


def _different_figures(left: Fact, right: Fact) -> ConflictKind | None:
    """Compare the figures of the same property; agreement in any of them is agreement."""
    if left.versions and right.versions and left.versions != right.versions:
        return None
    found: ConflictKind | None = None
    for ours in left.values:
        peers = [each for each in right.values if _comparable(ours, each) and same_attribute(ours, each, left, right)]
        rivals = [each for each in left.values if any(_comparable(each, peer) for peer in peers)]
        if not peers:
            continue
        if any(agree(ours, peer) for peer in peers):
            return None
        if (len(peers) > 1 or len(rivals) > 1) and not any(
            overlap(ours.concepts, peer.concepts) >= 0.6 for peer in peers
        ):
            continue
        same = any(
            peer.figure.value == ours.figure.value
            and peer.figure.unit != ours.figure.unit
            and ours.figure.dimension not in ("count", "plain")
            for peer in peers
        )
        found = found or (ConflictKind.UNIT if same else ConflictKind.PLAIN)
    return found


_STATES_VERSION = re.compile(
    r"\b(?:requires?|needs?|supports?|latest|current|stable|minimum|at least|or later|or newer|runs on|ships with)\b",
    re.I,
)


def _different_values(left: Fact, right: Fact) -> ConflictKind | None:
    """Compare versions, dates and names in a relation where the sentence is about them."""
    alike_enough = overlap(left.words, right.words) >= 0.5 or bool(_grouped(left.words) & _grouped(right.words))
    stated = _STATES_VERSION.search(left.text) and _STATES_VERSION.search(right.text) and _same_owner(left, right)
    if alike_enough and stated and len(left.versions) == len(right.versions) == 1 and left.versions != right.versions:
        return ConflictKind.PLAIN
    if left.versions and right.versions and left.versions != right.versions:
        return None
    if _different_dates(left, right) or _different_names(left, right):
        return ConflictKind.PLAIN
    return None


def _grouped(stems: frozenset[str]) -> frozenset[str]:
    return frozenset(each for each in map(concept, stems) if each.startswith("="))


def _different_dates(left: Fact, right: Fact) -> bool:
    """Tell whether the same event has different dates; a date that is part of another one agrees with it."""
    found = False
    for ours in left.events:
        for theirs in right.events:
            if not ours.events & theirs.events:
                continue
            if ours.iso.startswith(theirs.iso) or theirs.iso.startswith(ours.iso) or ours.loose or theirs.loose:
                return False
            if len(left.events) == len(right.events) == 1 or overlap(ours.concepts, theirs.concepts) >= 0.5:
                found = found or _same_object(left, right)
    return found


def _same_object(left: Fact, right: Fact) -> bool:
    """Tell whether what happened happened to the same: words that only one has may not be of another thing."""
    ours, theirs = left.words - right.words, right.words - left.words
    plain_ours = {each for each in ours if concept(each) == each and each not in _EMPTY and each not in _EVENT_STEMS}
    plain_theirs = {
        each for each in theirs if concept(each) == each and each not in _EMPTY and each not in _EVENT_STEMS
    }
    shared = (left.words & right.words) - _EVENT_STEMS
    return not plain_ours or not plain_theirs or bool(shared) or not (_things(left) and _things(right))


def _things(fact: Fact) -> bool:
    """Tell whether the subject of a sentence is a thing of what it names (the second plant of Acme), not the named."""
    return bool(re.match(r"(?:the|its|an?) [a-z]", fact.text, re.IGNORECASE))


_EVENT_STEMS = frozenset(stem(word) for group in groups_of("events") for word in group)


def _different_names(left: Fact, right: Fact) -> bool:
    """Tell whether the same relation holds to different names (made by X, made by Y)."""
    for ours in left.relations:
        peers = [theirs for theirs in right.relations if theirs.kind == ours.kind]
        subject = (left.names - ours.value) & frozenset().union(
            *(right.names - peer.value for peer in peers), frozenset()
        )
        if peers and subject and not any(_same_name(ours.value, peer.value) for peer in peers):
            return True
    return False


def _same_name(left: frozenset[str], right: frozenset[str]) -> bool:
    """Tell whether two names may be one: a shared word, or the one's initials (GPL, General Public License)."""
    if left & right:
        return True
    initials = [("".join(sorted(word[0] for word in each)), other) for each, other in ((left, right), (right, left))]
    return any("".join(sorted(word)) == short for short, other in initials for word in other if len(word) > 1)


def _same_owner(left: Fact, right: Fact) -> bool:
    """Tell whether two statements about a version name the same owner of it, in the sentence or by their titles."""
    owners = []
    for fact in (left, right):
        versioned = {
            word for _, start, _ in versions(fact.text) for word in words(fact.text[max(0, start - 20) : start])[-1:]
        }
        title = frozenset(word for word in words(fact.claims[0].source.title) if word not in STOP_WORDS)
        owners.append((fact.names - versioned) or title)
    return overlap(*owners) >= 0.5


def _denies(left: Fact, right: Fact) -> bool:
    """Tell whether one says that it is not so, in nearly the same words."""
    if left.negative == right.negative or not (left.words and right.words):
        return False
    if _circumstances(left.text) != _circumstances(right.text) or left.versions != right.versions:
        return False
    fewest = min(len(left.words), len(right.words))
    nested = max(contained(left.words, right.words), contained(right.words, left.words))
    return fewest >= 2 and overlap(left.words, right.words) >= 0.6 and nested >= 0.8


_CIRCUMSTANCES = frozenset(stem(word) for word in words_of("circumstances"))
_BOUNDS = re.compile(r"\b(?:if|when|unless|except)\b", re.IGNORECASE)


def _circumstances(text: str) -> frozenset[str]:
    bounds = {match.lower() for match in _BOUNDS.findall(text)}
    return frozenset(term for term in terms(text) if term in _CIRCUMSTANCES) | bounds


def _published(fact: Fact) -> datetime | None:
    found = [claim.source.published_at for claim in fact.claims if claim.source.published_at is not None]
    return max((at if at.tzinfo else at.replace(tzinfo=UTC) for at in found), default=None)


def _aged(left: Fact, right: Fact) -> ConflictKind | None:
    ours, theirs = _published(left), _published(right)
    return ConflictKind.STALE if ours and theirs and abs(ours - theirs) >= NEWER_BY else None


def _conflict(facts: list[Fact], kind: ConflictKind) -> Conflict:
    chosen, reason = choose(facts, kind)
    return Conflict(
        subject=subject_of(facts),
        finding_ids=tuple(dict.fromkeys(fact.finding.id for fact in facts)),
        chosen_finding_id=chosen.finding.id if chosen else None,
        reason=reason,
        kind=kind,
    )


def choose(facts: Sequence[Fact], kind: ConflictKind) -> tuple[Fact | None, str]:
    """Choose the statement to prefer: the newer source, the more trusted one, the one with more independent sources."""
    if kind is ConflictKind.SCOPE:
        return None, "The statements name different circumstances and may both hold."
    if kind is ConflictKind.UNIT:
        return None, "The same number stands with different units; one of them is likely a slip."
    dated = sorted(((at, index) for index, fact in enumerate(facts) if (at := _published(fact))), reverse=True)
    if len(dated) == len(facts) and dated[0][0] - dated[1][0] >= NEWER_BY:
        newest = f"{dated[0][0]:%Y-%m-%d}"
        return facts[dated[0][1]], f"Preferred: the newer source ({newest}; the other is of {dated[1][0]:%Y-%m-%d})."
    trust = sorted(((_trust(fact), -index) for index, fact in enumerate(facts)), reverse=True)
    if trust[0][0] - trust[1][0] >= TRUST_MARGIN:
        best = facts[-trust[0][1]]
        return best, f"Preferred: the more trusted source (trust {trust[0][0]:.2f} against {trust[1][0]:.2f})."
    support = sorted(((independent_sources(fact.claims), -index) for index, fact in enumerate(facts)), reverse=True)
    if support[0][0] > support[1][0]:
        best = facts[-support[0][1]]
        return best, f"Preferred: {support[0][0]} independent sources against {support[1][0]}."
    return None, "Neither age, trust nor number of the sources gives a reason to prefer one."


def _trust(fact: Fact) -> float:
    return max(claim.source.score.trust for claim in fact.claims)


def subject_of(facts: Sequence[Fact]) -> str:
    """Name what the statements have in common, in the words of the first one."""
    shared = frozenset.intersection(*(fact.names for fact in facts))
    common = frozenset.intersection(*(fact.words for fact in facts)) | frozenset(stem(name) for name in shared)
    first = facts[0].text
    kept: dict[str, str] = {}
    for match in re.finditer(r"[\w][\w.+-]*[\w]|\w", first):
        word = match.group()
        if word in _VERBS:
            continue
        if word.lower() in shared or (terms(word) and set(terms(word)) <= common and not word[0].isdigit()):
            kept.setdefault(word.lower(), word)
    return " ".join(list(kept.values())[:8]) or " ".join(first.split()[:6])
