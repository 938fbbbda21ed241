"""Sets of planted pairs as data (`*.toml`): contradictions of every kind, near-misses, and how many are told right.

Each row is `[kind, question, left, right, value of left, value of right]`; a near-miss has no values. A text that
begins with `@2021-03-01 ` is of that date, one that begins with `# Title` is Markdown.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from activities.research.claims import candidates, claim_id, stitch
from activities.research.conflicts import find_conflicts
from activities.research.extractive import ExtractiveReasoner
from activities.research.findings import merge_claims
from activities.research.text import normalise
from schema.contracts.research import Brief, Claim, Conflict
from tests.support.corpus import Outcome, ReadCorpus, research


@dataclass(frozen=True)
class PlantedPair:
    """Two documents and a question about what they say."""

    kind: str
    """`plain`, `stale`, `unit`, `scope`, or `near`: no contradiction."""
    question: str
    texts: tuple[str, str]
    values: tuple[str, str]

    def files(self, name: str) -> dict[str, str]:
        """Return the two documents by file name."""
        return dict(_file(text, f"{name}-{side}") for side, text in zip("ab", self.texts, strict=True))


def _file(text: str, name: str) -> tuple[str, str]:
    dated = re.match(r"@(\d{4}-\d\d-\d\d) ", text)
    if dated:
        return f"{name}.md", f"---\ndate: {dated[1]}\n---\n\n{text[dated.end() :]}\n"
    return (f"{name}.md" if text.startswith("# ") else f"{name}.txt"), text + "\n"


def load(name: str) -> tuple[list[PlantedPair], list[PlantedPair]]:
    """Return the contradictions and the near-misses of a set."""
    found = tomllib.loads(files("tests.support.pairs").joinpath(f"{name}.toml").read_text("utf-8"))
    pairs = [PlantedPair(row[0], row[1], (row[2], row[3]), (row[4], row[5])) for row in found["pairs"]]
    return pairs, [PlantedPair(row[0], row[1], (row[2], row[3]), ("", "")) for row in found["near"]]


def compared(pair: PlantedPair) -> tuple[tuple[Conflict, ...], Mapping[str, Claim]]:
    """Find the conflicts between all that the two documents say, without a question."""
    corpus = ReadCorpus(pair.files("pair"))
    passages = [passage for number in range(2) for passage in corpus.read(f"doc_{number:04}")]
    claims = {}
    for candidate in candidates(stitch(passages)):
        text = getattr(candidate, "statement", "") or normalise(candidate.quote)
        claim = Claim(
            id=claim_id(candidate.source.snapshot_sha256, candidate.start, candidate.end, text),
            agent_number=1,
            text=text,
            source=candidate.source,
            start=candidate.start,
            end=candidate.end,
            quote=candidate.quote,
            relevance=0.6,
        )
        claims[claim.id] = claim
    return find_conflicts(merge_claims(list(claims.values())), claims), claims


async def asked(corpus: ReadCorpus, question: str) -> Outcome:
    """Ask a question of a corpus, through the product's own reading, splitting, ranking and reasoning."""
    return await research(ExtractiveReasoner(), corpus, Brief(task=question, agents_max=4), steps=8)


def disagreements_of(outcome: Outcome) -> str:
    """Return the report's part on disagreements."""
    _, _, tail = outcome.rendered.markdown.partition("### Disagreements")
    return tail.partition("## Recommendations")[0]


def is_disclosed(pair: PlantedPair, told: str) -> bool:
    """Tell whether a part of a report shows both values."""
    return all(value in told for value in pair.values)
