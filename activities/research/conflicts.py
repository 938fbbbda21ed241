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
from itertools import combinations

from activities.research.findings import independent_sources
from activities.research.lexicon import groups_of, words_of
from activities.research.quantities import Figure, dates, figures, names, negations, versions
from activities.research.similarity import Groups, contained, overlap
from activities.research.text import STOP_WORDS, display, has_verb, leans_on_previous, stem, terms, words
from schema.contracts.research import Claim, Conflict, ConflictKind, Finding

NEWER_BY = timedelta(days=90)
TRUST_MARGIN = 0.15
CONFLICTS_MAX = 50
FIGURES_PER_STATEMENT_MAX = 3
"""A sentence with more figures is a list; comparing its parts with another's makes false alarms."""
STATEMENT_WORDS_MAX = 45


def find_conflicts(findings: Sequence[Finding], claims: Mapping[str, Claim]) -> tuple[Conflict, ...]:
    """Return the disagreements among `findings`, heaviest first, each with the choice and its reason."""
    facts = [fact for finding in findings if (fact := _fact(finding, claims)) is not None]
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
    names: frozenset[str]
    figures: tuple[Figure, ...]
    years: frozenset[str]
    versions: frozenset[str]
    negative: bool
    words: frozenset[str]
    """Stems of the content words without names and figures."""


def _fact(finding: Finding, claims: Mapping[str, Claim]) -> Fact | None:
    backing = tuple(claims[claim] for claim in finding.claim_ids if claim in claims)
    if not backing:
        return None
    return fact_of(finding, backing)


def fact_of(finding: Finding, backing: tuple[Claim, ...]) -> Fact | None:
    """Read a finding's best claim; None where it is a list, too long, or leans on text that is not there."""
    text = display(backing[0].quote)
    found = figures(text)
    if len(found) > FIGURES_PER_STATEMENT_MAX or len(words(text)) > STATEMENT_WORDS_MAX or leans_on_previous(text):
        return None
    named = (frozenset(names(text)) | _leading_name(text)) or _names_of_title(backing[0].source.title)
    return Fact(
        finding=finding,
        claims=backing,
        text=text,
        names=named,
        figures=found,
        years=frozenset(date.iso for date in dates(text)),
        versions=frozenset(version for version, _, _ in versions(text)),
        negative=negations(text) % 2 == 1,
        words=_attribute_words(text, named),
    )


def _names_of_title(title: str) -> frozenset[str]:
    """Take the subject from the source's title where a sentence names none (Requires version 3 or later)."""
    return frozenset(term for term in terms(title) if not term.isdigit())


def _leading_name(text: str) -> frozenset[str]:
    """Take the capitalised word right before a verb at a sentence's start for a name (Rich requires, Venus is)."""
    match = re.match(r"([A-Z][\w-]+) ([a-z]+)\b", text)
    if not match or match.group(1).lower() in STOP_WORDS or not has_verb(match.group(2)):
        return frozenset()
    is_attribute = any(stem(match.group(1).lower()) in group for group in _ATTRIBUTES)
    return frozenset() if is_attribute else frozenset({match.group(1).lower()})


@lru_cache(maxsize=16_384)
def _attribute_words(text: str, named: frozenset[str]) -> frozenset[str]:
    of_names = {term for name in named for term in terms(name)}
    unit_words = {
        text[figure.end :].split(maxsplit=1)[0].lower() for figure in figures(text) if text[figure.end :].strip()
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
    if not _independent(left, right) or not _same_subject(left, right):
        return None
    if _denies(left, right):
        return _aged(left, right) or ConflictKind.PLAIN
    found = _different_figures(left, right) or _different_values(left, right)
    if found is None:
        return None
    if found is ConflictKind.PLAIN:
        if left.years != right.years and left.years and right.years and left.figures:
            return None  # Two years of a series.
        if _circumstances(left.text) != _circumstances(right.text):
            return ConflictKind.SCOPE
        return _aged(left, right) or ConflictKind.PLAIN
    return found


def _independent(left: Fact, right: Fact) -> bool:
    """Tell whether they come from different sources; within one, the author knew both sentences."""
    ours = {claim.source.snapshot_sha256 for claim in left.claims}
    theirs = {claim.source.snapshot_sha256 for claim in right.claims}
    return not ours & theirs


def _same_subject(left: Fact, right: Fact) -> bool:
    """Tell whether both speak of the same thing: a shared name, and no designation that only one of them has."""
    coded_left, coded_right = _coded(left), _coded(right)
    if coded_left or coded_right:
        return coded_left == coded_right
    if left.names and right.names:
        return overlap(left.names, right.names) >= 0.5
    return not left.names and not right.names


def _coded(fact: Fact) -> frozenset[str]:
    return frozenset(name for name in fact.names if re.search(r"\d", name))


_ATTRIBUTES = tuple(frozenset(stem(word) for word in group) for group in groups_of("attributes"))


def _attributes(fact: Fact) -> frozenset[int]:
    return frozenset(number for number, group in enumerate(_ATTRIBUTES) if group & fact.words)


def _same_attribute(left: Fact, right: Fact, *, strict: bool) -> bool:
    """Tell whether both state the same property of their subject.

    Without a unit that tells the property (`strict`), the words themselves must agree.
    """
    ours, theirs = _attributes(left), _attributes(right)
    shared = overlap(left.words, right.words)
    if strict:
        terse = len(left.words | right.words) <= 4
        return shared >= 0.5 or (bool(ours & theirs) and (shared >= 0.34 or terse))
    if ours and theirs:
        return bool(ours & theirs) and (shared > 0 or len(left.words | right.words) <= 6)
    return shared >= 0.34 or len(left.words | right.words) <= 3


def _different_figures(left: Fact, right: Fact) -> ConflictKind | None:
    """Compare the figures of the same dimension; agreement in any of them is agreement."""
    for ours in left.figures:
        peers = [figure for figure in right.figures if figure.dimension == ours.dimension]
        if ours.dimension == "count":
            peers = [figure for figure in peers if figure.unit == ours.unit]
        strict = ours.dimension in ("count", "plain", "share", "time")
        if not peers or not _same_attribute(left, right, strict=strict):
            continue
        if any(ours.agrees_with(peer) for peer in peers):
            return None
        alone = len([figure for figure in left.figures if figure.dimension == ours.dimension]) == len(peers) == 1
        if not alone and overlap(left.words, right.words) < 0.6:
            continue
        if any(peer.value == ours.value and peer.unit != ours.unit for peer in peers):
            return ConflictKind.UNIT
        return ConflictKind.PLAIN
    return None


_STATES_VERSION = re.compile(
    r"\b(?:requires?|supports?|latest|current|stable|minimum|at least|or later|or newer)\b", re.I
)
_STATES_DATE = re.compile(
    r"\b(?:founded|established|incorporated|released|launched|published|introduced|born|died|opened|built|completed|"
    r"invented|discovered|signed|adopted|acquired|began|started|ended|expires?|due)\b",
    re.IGNORECASE,
)


def _different_values(left: Fact, right: Fact) -> ConflictKind | None:
    """Compare versions and dates where the sentence is about them."""
    alike_enough = overlap(left.words, right.words) >= 0.5
    stated = _STATES_VERSION.search(left.text) and _STATES_VERSION.search(right.text) and _same_owner(left, right)
    if alike_enough and stated and len(left.versions) == len(right.versions) == 1 and left.versions != right.versions:
        return ConflictKind.PLAIN
    if left.figures or right.figures or len(left.years) != 1 or len(right.years) != 1:
        return None
    ours, theirs = next(iter(left.years)), next(iter(right.years))
    if ours.startswith(theirs) or theirs.startswith(ours):
        return None
    events = (_STATES_DATE.search(left.text), _STATES_DATE.search(right.text))
    if all(events) and (alike_enough or _same_attribute(left, right, strict=True)):
        return ConflictKind.PLAIN
    return None


def _same_owner(left: Fact, right: Fact) -> bool:
    """Tell whether two statements about a version name the same owner of it, in the sentence or by their titles."""
    owners = []
    for fact in (left, right):
        versioned = {
            word for _, start, _ in versions(fact.text) for word in words(fact.text[max(0, start - 20) : start])[-1:]
        }
        owners.append((fact.names - versioned) or _names_of_title(fact.claims[0].source.title))
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
_BOUNDS = re.compile(
    r"\b(?:up to|at least|at most|more than|less than|over|under|if|when|unless|except)\b", re.IGNORECASE
)


def _circumstances(text: str) -> frozenset[str]:
    bounds = {match.lower() for match in _BOUNDS.findall(text)} & {"if", "when", "unless", "except"}
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
        finding_ids=tuple(fact.finding.id for fact in facts),
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
    common = frozenset.intersection(*(fact.words for fact in facts)) | frozenset(t for n in shared for t in terms(n))
    first = facts[0].text
    kept: dict[str, str] = {}
    for match in re.finditer(r"[\w][\w.+-]*[\w]|\w", first):
        word = match.group()
        if word.lower() in shared or (terms(word) and set(terms(word)) <= common and not word[0].isdigit()):
            kept.setdefault(word.lower(), word)
    return " ".join(list(kept.values())[:8]) or " ".join(first.split()[:6])
