"""Conflicts: statements that cannot all be true, and the reason to prefer one.

What a statement is, and when two of them disagree, is told in `statements.py` and `alignment.py`; here pairs are chosen,
put together, and weighed.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations

from activities.research.alignment import NEWER_BY, disagreement, keys_of, stated_at
from activities.research.asked import asked_disagreements
from activities.research.findings import independent_sources
from activities.research.similarity import Groups
from activities.research.statements import VERBS, Fact, facts_of
from activities.research.text import stem, terms
from schema.contracts.research import Claim, Conflict, ConflictKind, Finding

__all__ = ["Fact", "choose", "facts_of", "find_conflicts", "subject_of"]

TRUST_MARGIN = 0.15
CONFLICTS_MAX = 50
BLOCK_MAX = 40
"""Facts that share a kind of value, a name and a property are all compared up to this number."""
HEAVIEST_MAX = 12


def find_conflicts(
    findings: Sequence[Finding], claims: Mapping[str, Claim], questions: Sequence[str] = ()
) -> tuple[Conflict, ...]:
    """Return the disagreements among `findings`, heaviest first, each with the choice and its reason.

    Args:
        questions: what was asked; answers with different values disagree, however they are worded (`asked.py`).
    """
    facts = [fact for finding in findings for fact in facts_of(finding, claims)]
    groups = Groups(len(facts))
    kinds: dict[tuple[int, int], ConflictKind] = {}
    for left, right in pairs(facts):
        kind = disagreement(facts[left], facts[right])
        if kind is not None:
            kinds[left, right] = kind
            groups.join(left, right)
    for left, right, kind in asked_disagreements(questions, facts):
        kinds.setdefault((left, right), kind)
        groups.join(left, right)
    found = []
    for members in groups.members():
        between = [kinds[pair] for pair in combinations(members, 2) if pair in kinds]
        allies = {
            facts[member].text: [
                facts[other] for other in members if (min(member, other), max(member, other)) not in kinds
            ]
            for member in members
        }
        found.append(_conflict([facts[member] for member in members], between[0], allies))
    return tuple(found[:CONFLICTS_MAX])


def pairs(facts: Sequence[Fact]) -> list[tuple[int, int]]:
    """Return the pairs of facts that may disagree: they say the same kind of thing of the same name.

    At most HEAVIEST_MAX facts of a block are compared with all of it, so that the work grows with the number of facts
    and not with its square; facts come heaviest first.
    """
    blocks: dict[tuple[str, str], list[int]] = {}
    for index, fact in enumerate(facts):
        for key in keys_of(fact):
            blocks.setdefault(key, []).append(index)
    seen: set[tuple[int, int]] = set()
    for (kind, _), indices in blocks.items():
        if kind.startswith("!"):
            _across(facts, indices, seen)
        elif len(indices) <= BLOCK_MAX:
            seen.update(combinations(indices, 2))
        else:
            seen.update((left, right) for left in indices[:HEAVIEST_MAX] for right in indices if left < right)
    return sorted(seen)


def _across(facts: Sequence[Fact], indices: Sequence[int], seen: set[tuple[int, int]]) -> None:
    """Add the pairs of which one denies: only they can deny one another."""
    denying = [index for index in indices if facts[index].denies]
    affirming = [index for index in indices if facts[index].affirms]
    for left in denying[:HEAVIEST_MAX]:
        seen.update((min(left, right), max(left, right)) for right in affirming[:BLOCK_MAX] if left != right)


def _conflict(facts: list[Fact], kind: ConflictKind, allies: Mapping[str, Sequence[Fact]]) -> Conflict:
    chosen, reason = choose(facts, kind, allies)
    return Conflict(
        subject=subject_of(facts),
        finding_ids=tuple(dict.fromkeys(fact.finding.id for fact in facts)),
        chosen_finding_id=chosen.finding.id if chosen else None,
        reason=reason,
        kind=kind,
    )


def choose(
    facts: Sequence[Fact], kind: ConflictKind, allies: Mapping[str, Sequence[Fact]] | None = None
) -> tuple[Fact | None, str]:
    """Choose the statement to prefer: the newer source, the more trusted one, the one with more independent sources.

    Args:
        allies: text of a fact -> the facts of the disagreement that do not contradict it, itself included: their
            sources speak for it too.
    """
    if kind is ConflictKind.SCOPE:
        return None, "The statements name different circumstances and may both hold."
    if kind is ConflictKind.UNIT:
        return None, "The same number stands with different units; one of them is likely a slip."
    dated = sorted(((at, index) for index, fact in enumerate(facts) if (at := stated_at(fact))), reverse=True)
    if len(dated) == len(facts) and dated[0][0] - dated[1][0] >= NEWER_BY:
        newest = f"{dated[0][0]:%Y-%m-%d}"
        return facts[dated[0][1]], f"Preferred: the newer source ({newest}; the other is of {dated[1][0]:%Y-%m-%d})."
    trust = sorted(((_trust(fact), -index) for index, fact in enumerate(facts)), reverse=True)
    if trust[0][0] - trust[1][0] >= TRUST_MARGIN:
        best = facts[-trust[0][1]]
        return best, f"Preferred: the more trusted source (trust {trust[0][0]:.2f} against {trust[1][0]:.2f})."
    support = sorted(((_support(fact, allies or {}), -index) for index, fact in enumerate(facts)), reverse=True)
    others = [
        count for count, index in support if facts[-index] not in (allies or {}).get(facts[-support[0][1]].text, ())
    ]
    if others and support[0][0] > others[0]:
        best = facts[-support[0][1]]
        return best, f"Preferred: {support[0][0]} independent sources against {others[0]}."
    return None, "Neither age, trust nor number of the sources gives a reason to prefer one."


def _support(fact: Fact, allies: Mapping[str, Sequence[Fact]]) -> int:
    return independent_sources([claim for each in allies.get(fact.text) or (fact,) for claim in each.claims])


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
        if word in VERBS:
            continue
        if word.lower() in shared or (terms(word) and set(terms(word)) <= common and not word[0].isdigit()):
            kept.setdefault(word.lower(), word)
    return " ".join(list(kept.values())[:8]) or " ".join(first.split()[:6])
