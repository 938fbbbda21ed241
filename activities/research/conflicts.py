"""Conflicts: statements that cannot all be true, and the reason to prefer one.

What a statement is, and when two of them disagree, is told in `statements.py` and `alignment.py`; here pairs are
chosen, put together, and weighed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations, product

from activities.research.alignment import disagreement, keys_of, repeats, stated_at
from activities.research.asked import asked_disagreements
from activities.research.dating import NEWER_BY
from activities.research.findings import independent_sources
from activities.research.meanings import Meanings
from activities.research.similarity import Groups
from activities.research.statements import VERBS, Fact, facts_of
from activities.research.text import stem, terms
from schema.contracts.research import Claim, Conflict, ConflictKind, Finding

TRUST_MARGIN = 0.15
CONFLICTS_MAX = 50
BLOCK_MAX = 40
"""Facts that share a kind of value, a name and a property are all compared up to this number."""
HEAVIEST_MAX = 12


def find_conflicts(
    findings: Sequence[Finding],
    claims: Mapping[str, Claim],
    questions: Sequence[str] = (),
    meanings: Meanings | None = None,
) -> tuple[Conflict, ...]:
    """Return the disagreements among `findings`, heaviest first, each with the choice and its reason.

    Args:
        questions: what was asked; answers with different values disagree, however they are worded (`asked.py`).
        meanings: compares meanings; None: words alone decide.
    """
    facts = [fact for finding in findings for fact in facts_of(finding, claims)]
    groups = Groups(len(facts))
    kinds: dict[tuple[int, int], ConflictKind] = {}
    for left, right in pairs(facts):
        kind = disagreement(facts[left], facts[right], meanings)
        if kind is not None:
            kinds[left, right] = kind
            groups.join(left, right)
    for left, right, kind in asked_disagreements(questions, facts, dict(kinds), meanings):
        if kind is ConflictKind.STALE or (left, right) not in kinds:
            kinds[left, right] = kind
        groups.join(left, right)
    found = []
    for members in groups.members():
        sides = _sides(members, kinds)
        between = [kinds[pair] for pair in combinations(members, 2) if pair in kinds]
        found.append(conflict_of([[facts[member] for member in side] for side in sides], between[0]))
    return tuple(found[:CONFLICTS_MAX])


def _sides(members: Sequence[int], kinds: Mapping[tuple[int, int], ConflictKind]) -> list[list[int]]:
    """Put those together that do not disagree; heaviest first."""
    sides: list[list[int]] = []
    for member in members:
        side = next((side for side in sides if not any((other, member) in kinds for other in side)), None)
        if side is None:
            sides.append([member])
        else:
            side.append(member)
    return sides


def contradict(left: Finding, right: Finding, claims: Mapping[str, Claim]) -> bool:
    """Tell whether two findings contradict each other in any of their sentences."""
    theirs = facts_of(right, claims)
    return any(disagreement(ours, other) for ours in facts_of(left, claims) for other in theirs)


def lost(conflicts: Sequence[Conflict], findings: Sequence[Finding], claims: Mapping[str, Claim]) -> frozenset[str]:
    """Return the findings that only a section on disagreements may state: the losing sides, and who repeats them.

    Where no side is preferred, all of them are.
    """
    if not conflicts:
        return frozenset()
    losing: set[str] = set()
    for conflict in conflicts:
        losing |= set(conflict.finding_ids) - {conflict.chosen_finding_id, *conflict.agreeing_finding_ids}
    facts = {finding.id: facts_of(finding, claims) for finding in findings}
    disputed = _disputed(conflicts, facts)
    for finding_id, said in facts.items():
        rivals = {id(pair): pair for fact in said for key in keys_of(fact) for pair in disputed.get(key, ())}
        if any(repeats(fact, loser, winner) for fact in said for loser, winner in rivals.values()):
            losing.add(finding_id)
    return frozenset(losing)


def _disputed(
    conflicts: Sequence[Conflict], facts: Mapping[str, Sequence[Fact]]
) -> dict[tuple[str, str], list[tuple[Fact, Fact]]]:
    """Return the pairs of (loser, winner), by what both say something of."""
    found: dict[tuple[str, str], list[tuple[Fact, Fact]]] = {}
    for conflict in conflicts:
        winners = facts.get(conflict.chosen_finding_id or "", ())
        kept = {conflict.chosen_finding_id, *conflict.agreeing_finding_ids}
        losers = [fact for each in conflict.finding_ids if each not in kept for fact in facts.get(each, ())]
        for loser, winner in product(losers, winners):
            if disagreement(loser, winner):
                pair = (loser, winner)
                for key in set(keys_of(loser)) & set(keys_of(winner)):
                    found.setdefault(key, []).append(pair)
    return found


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


def conflict_of(sides: Sequence[Sequence[Fact]], kind: ConflictKind, subject: str = "") -> Conflict:
    """Describe a disagreement between sides, each of facts that say the same."""
    facts = [fact for side in sides for fact in side]
    chosen, reason = choose(sides, kind)
    agreeing = sides[chosen][1:] if chosen is not None else ()
    return Conflict(
        subject=subject or subject_of(facts),
        finding_ids=tuple(dict.fromkeys(fact.finding.id for fact in facts)),
        chosen_finding_id=sides[chosen][0].finding.id if chosen is not None else None,
        reason=reason,
        kind=kind,
        agreeing_finding_ids=tuple(dict.fromkeys(fact.finding.id for fact in agreeing)),
    )


def choose(sides: Sequence[Sequence[Fact]], kind: ConflictKind) -> tuple[int | None, str]:
    """Choose the side to prefer: the newer, the more trusted, the one with more independent sources, in this order."""
    if kind is ConflictKind.SCOPE:
        return None, "The statements name different circumstances and may both hold."
    dated = sorted(((at, -index) for index, side in enumerate(sides) if (at := _stated(side))), reverse=True)
    if len(dated) == len(sides) and dated[0][0] - dated[1][0] >= NEWER_BY:
        newest = f"{dated[0][0]:%Y-%m-%d}"
        return -dated[0][1], f"Preferred: the newer source ({newest}; the other is of {dated[1][0]:%Y-%m-%d})."
    trust = sorted(((max(map(_trust, side)), -index) for index, side in enumerate(sides)), reverse=True)
    if trust[0][0] - trust[1][0] >= TRUST_MARGIN:
        return -trust[0][1], f"Preferred: the more trusted source (trust {trust[0][0]:.2f} against {trust[1][0]:.2f})."
    support = sorted(((_independent(side), -index) for index, side in enumerate(sides)), reverse=True)
    if support[0][0] > support[1][0]:
        return -support[0][1], f"Preferred: {support[0][0]} independent sources against {support[1][0]}."
    if kind is ConflictKind.UNIT:
        return None, "The same number stands with different units; one of them is likely a slip."
    return None, "Neither age, trust nor number of the sources gives a reason to prefer one."


def _stated(side: Sequence[Fact]) -> datetime | None:
    return max((at for fact in side if (at := stated_at(fact))), default=None)


def _independent(side: Sequence[Fact]) -> int:
    return independent_sources([claim for fact in side for claim in fact.claims])


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
