"""Findings: claims that say the same, put together across agents and sources, and weighed."""

from collections import defaultdict
from collections.abc import Sequence

from activities.research.claims import differ, profile
from activities.research.independence import independent, origin_of
from activities.research.similarity import contained, overlap
from activities.research.text import normalise
from schema.contracts.research import Claim, Finding
from schema.ids import derived_id

SAME_OVERLAP_MIN = 0.65
"""Jaccard overlap of content words, with equal figures and polarity, above which two statements say the same."""
SAME_CONTAINED_MIN = 0.9
TERM_SPREAD_MAX = 200
"""A term found in more claims than this does not suggest a comparison by itself."""


def merge_claims(claims: Sequence[Claim]) -> tuple[Finding, ...]:
    """Put claims that say the same into findings, best first.

    A claim joins the finding whose best claim it repeats, so that a chain of small differences does not run together.
    """
    order = sorted(_distinct(claims), key=lambda claim: (-strength(claim), claim.id))
    groups: list[list[Claim]] = []
    by_term: dict[str, list[int]] = defaultdict(list)
    for claim in order:
        group = _group_of(claim, groups, by_term)
        if group is None:
            for term in sorted(profile(claim.text).terms):
                by_term[term].append(len(groups))
            groups.append([claim])
        else:
            groups[group].append(claim)
    findings = [_finding(group) for group in groups]
    return tuple(sorted(findings, key=lambda finding: (-finding.weight, finding.id)))


def _distinct(claims: Sequence[Claim]) -> list[Claim]:
    """Return each claim once; where two agents found the same span, the one it answers best."""
    best: dict[str, Claim] = {}
    for claim in claims:
        kept = best.get(claim.id)
        if kept is None or (claim.relevance, -claim.agent_number) > (kept.relevance, -kept.agent_number):
            best[claim.id] = claim
    return list(best.values())


def strength(claim: Claim) -> float:
    """Weigh one claim: how well it answers, and how good its source is."""
    return 0.75 * claim.relevance + 0.25 * claim.source.score.combined


def _group_of(claim: Claim, groups: list[list[Claim]], by_term: dict[str, list[int]]) -> int | None:
    votes: dict[int, int] = defaultdict(int)
    for term in profile(claim.text).terms:
        if len(by_term[term]) <= TERM_SPREAD_MAX:
            for index in by_term[term]:
                votes[index] += 1
    for index in sorted(votes, key=lambda index: (-votes[index], index))[:20]:
        if _spans_meet(groups[index][0], claim) or says_the_same(groups[index][0].text, claim.text):
            return index
    return None


def _spans_meet(left: Claim, right: Claim) -> bool:
    """Tell whether two claims quote some of the same words (one may have the sentence before it with it)."""
    same = left.source.snapshot_sha256 == right.source.snapshot_sha256
    return same and left.start < right.end and right.start < left.end


def says_the_same(left: str, right: str) -> bool:
    """Tell whether two statements say the same: most words, every figure, the same polarity."""
    if normalise(left).lower() == normalise(right).lower():
        return True
    ours, theirs = profile(left), profile(right)
    if differ(left, right) or (ours.names - theirs.names and theirs.names - ours.names):
        return False
    if ours.first not in theirs.terms or theirs.first not in ours.terms:
        return False
    shared = overlap(ours.terms, theirs.terms)
    nested = max(contained(ours.terms, theirs.terms), contained(theirs.terms, ours.terms)) >= SAME_CONTAINED_MIN
    few = min(len(ours.terms), len(theirs.terms))
    return shared >= SAME_OVERLAP_MIN or (nested and shared >= SAME_OVERLAP_MIN / 2 and few >= 5)


def independent_sources(claims: Sequence[Claim]) -> int:
    """Count the sources that say it independently: copies of one text, and pages of one domain, count once."""
    texts: dict[str, Claim] = {}
    for claim in claims:
        texts.setdefault(normalise(claim.quote).lower(), claim)
    return len(independent(claim.source for claim in texts.values()))


def origin(claim: Claim) -> str:
    """Name where a claim comes from: the registered domain of a web page, else the document itself."""
    return origin_of(claim.source)


def _finding(group: list[Claim]) -> Finding:
    best = group[0]
    agreement = 1 - 1 / independent_sources(group)
    return Finding(
        id=finding_id(best.id),
        text=best.text,
        subtask_number=best.agent_number,
        claim_ids=tuple(claim.id for claim in group),
        weight=round(0.8 * strength(best) + 0.2 * agreement, 4),
    )


def finding_id(best_claim_id: str) -> str:
    """Derive the identifier of a finding from its best claim."""
    return derived_id("fnd", best_claim_id)
