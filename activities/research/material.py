"""Material: what a report is made of, sorted by what it may be stated as. Pure.

Every finding is one of these: stated as it is, best first; one side of a disagreement (`conflicts.py`); an older
source's, beside what newer ones say (`outlived.py`, `unconfirmed.py`); or left out, because it is about something else
(`strangers.py`), beside the point and old (`outlived.asides`), or has no claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from activities.research.conflicts import lost
from activities.research.meanings import Meanings
from activities.research.outlived import Outlived, asides, differing, outlived
from activities.research.strangers import strange_findings
from activities.research.unconfirmed import unconfirmed
from schema.contracts.research import Brief, Claim, Conflict, Finding, Subtask


@dataclass
class Material:
    """What a report is made of, sorted.

    Comparing meanings takes the processor: make it in a thread where others wait for the same event loop.
    """

    brief: Brief
    subtasks: Sequence[Subtask]
    findings: Sequence[Finding]
    conflicts: Sequence[Conflict]
    claims: Mapping[str, Claim]
    missing: tuple[str, ...]
    meanings: Meanings | None = None
    """Compares what statements of different age, or of one, may both answer; None: words alone decide."""
    by_subtask: dict[int, list[Finding]] = field(init=False)
    """The findings of each subtask without those that another one is preferred to, best first."""
    outlived: tuple[Outlived, ...] = field(init=False)
    """What only older sources say, and newer ones otherwise, or perhaps otherwise."""
    differing: tuple[tuple[Finding, ...], ...] = field(init=False)
    """What sources of one age answer with different values, where nothing tells that they mean the same."""

    def __post_init__(self) -> None:
        disputed = lost(self.conflicts, self.findings, self.claims)
        backed = [finding for finding in self.findings if self.claims_of(finding)]
        disputing = [finding for finding in backed if finding.id in disputed]
        stated = self._statable(backed, disputed)
        self.outlived = self._outlived(stated, disputing)
        past = {each.finding.id for each in self.outlived}
        past |= asides(self.brief, self.subtasks, stated, self.claims, self.meanings)
        current = [finding for finding in stated if finding.id not in past]
        self.differing = differing(self.subtasks, current, self.claims, self.meanings)
        self.by_subtask = {subtask.number: [] for subtask in self.subtasks}
        for finding in current:
            self.by_subtask.setdefault(finding.subtask_number, []).append(finding)

    def claims_of(self, finding: Finding) -> list[Claim]:
        """Return the claims that a finding rests on, best first."""
        return [self.claims[claim] for claim in finding.claim_ids if claim in self.claims]

    def _statable(self, backed: Sequence[Finding], disputed: frozenset[str] | set[str]) -> list[Finding]:
        """Return what is neither disputed nor about something else, best first."""
        strange = strange_findings(self.subtasks, self.findings, self.claims)
        best_first = sorted(backed, key=lambda finding: (-finding.weight, finding.id))
        return [finding for finding in best_first if finding.id not in disputed | strange]

    def _outlived(self, stated: Sequence[Finding], disputing: Sequence[Finding]) -> tuple[Outlived, ...]:
        """Return what newer sources say otherwise; of what is left, what they may say otherwise."""
        sure = outlived(self.subtasks, stated, self.claims, self.meanings, disputing)
        gone = {each.finding.id for each in sure}
        lasting = [finding for finding in stated if finding.id not in gone]
        telling = [*disputing, *(finding for finding in stated if finding.id in gone)]
        return sure + unconfirmed(self.brief, self.subtasks, lasting, self.claims, self.meanings, telling)
