"""Corroboration: independent sources that say the same are trusted more. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from activities.research.independence import independent
from schema.contracts.research import Claim, Finding, SourceRef

CLOSED_EACH = 0.25
"""Share of what is missing to full trust that each independent source closes."""
CLOSED_MAX = 0.6
"""Agreement never makes a source certain: many can repeat one error."""


def corroborated(trust: float, others: int) -> float:
    """Return a trust that `others` independent sources raised: 1 - (1 - trust) * 0.75 ^ others, capped."""
    closed = min(1 - (1 - CLOSED_EACH) ** max(others, 0), CLOSED_MAX)
    return trust + (1 - trust) * closed


def corroborated_trust(findings: Iterable[Finding], claims: Mapping[str, Claim]) -> dict[str, tuple[float, str]]:
    """Return the trust of the sources that others agree with: snapshot -> (trust, reason).

    A source counts by the finding in which most independent sources say the same as it does.
    """
    agreeing: dict[str, int] = {}
    sources: dict[str, SourceRef] = {}
    for finding in findings:
        saying = [claims[claim_id].source for claim_id in finding.claim_ids if claim_id in claims]
        others = len(independent(saying)) - 1
        for source in saying:
            sources[source.snapshot_sha256] = source
            agreeing[source.snapshot_sha256] = max(agreeing.get(source.snapshot_sha256, 0), others)
    found = {}
    for sha256, others in sorted(agreeing.items()):
        if others < 1:
            continue
        before = sources[sha256].score
        trust = round(corroborated(before.trust, others), 4)
        said = "1 independent source says" if others == 1 else f"{others} independent sources say"
        found[sha256] = trust, f"{before.reasons.get('trust', '')} {said} the same: {trust:.2f}.".strip()
    return found


def marked(claims: Sequence[Claim], copies: Mapping[str, str]) -> tuple[Claim, ...]:
    """Return claims whose sources know what they are copies of."""
    return tuple(
        claim.model_copy(update={"source": claim.source.model_copy(update={"copy_of": original})})
        if (original := copies.get(claim.source.snapshot_sha256))
        else claim
        for claim in claims
    )


def with_trust(claim: Claim, trusted: Mapping[str, tuple[float, str]]) -> Claim:
    """Return a claim whose source has the raised trust, where there is one."""
    if (raised := trusted.get(claim.source.snapshot_sha256)) is None:
        return claim
    trust, reason = raised
    score = claim.source.score
    reasons = {**score.reasons, "trust": reason}
    source = claim.source.model_copy(update={"score": score.model_copy(update={"trust": trust, "reasons": reasons})})
    return claim.model_copy(update={"source": source})
