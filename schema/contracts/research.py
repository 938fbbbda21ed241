"""What research is made of: subtasks, passages, claims, findings, conflicts, a report.

A claim points to a span of a snapshot; a citation `[n]` is made by code from claims.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from schema.contracts.common import Contract, Tokens

T = TypeVar("T")

BY_RULE = "extractive"
"""The name of the reasoner that works by rule, without a model."""


class SourceKind(StrEnum):
    """Where a source comes from."""

    WEB = "web"
    ACADEMIC = "academic"
    NEWS = "news"
    CORPUS = "corpus"


class Brief(Contract):
    """What the user asked for."""

    task: str
    name: str = ""
    context: dict[str, Any] = Field(default_factory=dict)
    agents_max: int = 10
    tokens_max: int = 100_000
    asked_at: datetime | None = None
    """When the run was created: how old a source is counts from here, whenever it is written up. Agents need none."""


class Subtask(Contract):
    """One independent part of the question, worked on by one agent."""

    number: int
    """From 1; also the agent's number."""
    title: str
    question: str
    """A full question that can be searched for without the others."""
    urls: tuple[str, ...] = ()
    """Addresses that the user named and that belong to this part."""
    is_row: bool = False
    """It stands for the row of that number: item and columns are read from PostgreSQL, and cells are the result."""


class Score(Contract):
    """Why a source was ranked where it was: 0.5 relevance + 0.3 trust + 0.2 recency, each in 0..1."""

    relevance: float
    trust: float
    recency: float
    reasons: dict[str, str] = Field(default_factory=dict)
    """One short sentence per part."""

    @property
    def combined(self) -> float:
        """Return 0.5 relevance + 0.3 trust + 0.2 recency (specification, 4.2)."""
        return 0.5 * self.relevance + 0.3 * self.trust + 0.2 * self.recency


class SourceRef(Contract):
    """One source, pinned to the snapshot of what was read."""

    snapshot_sha256: str
    """SHA-256 of the snapshot's UTF-8 text; together with the organisation it is the source's identity."""
    kind: SourceKind
    title: str
    uri: str
    """URL, or `document:ID` for a document of the corpus."""
    document_id: str | None = None
    published_at: datetime | None = None
    copy_of: str | None = None
    """Snapshot of the source of the same run that this one is a copy of; known once the report is written."""
    score: Score


class Outcome(StrEnum):
    """What became of a source that a run met."""

    READ = "read"
    LEFT_OUT = "left_out"
    """Found by a search, and nothing of it was taken."""
    FAILED = "failed"
    """It could not be loaded."""


class ConsideredSource(Contract):
    """A source that was met and not read."""

    kind: SourceKind
    title: str
    uri: str
    outcome: Outcome
    detail: str
    """Why, as a sentence."""
    document_id: str | None = None
    published_at: datetime | None = None
    score: Score


def considered(source: SourceRef, outcome: Outcome, detail: str) -> ConsideredSource:
    """Return a source as one that was not read."""
    return ConsideredSource(
        kind=source.kind,
        title=source.title,
        uri=source.uri,
        outcome=outcome,
        detail=detail,
        document_id=source.document_id,
        published_at=source.published_at,
        score=source.score,
    )


class Passage(Contract):
    """A span of a snapshot: `snapshot_text[start:end] == text`."""

    source: SourceRef
    start: int
    end: int
    text: str
    heading: str = ""
    """The headings above it, where they are known; says what a passage is about that does not name it."""


class Claim(Contract):
    """One checkable statement and the span that shows it."""

    id: str
    """`clm_...`, derived from the snapshot, the span and the text."""
    agent_number: int
    text: str
    """The statement as a sentence; equals `quote` with the extractive reasoner."""
    source: SourceRef
    start: int
    end: int
    quote: str
    """`snapshot_text[start:end]`, verbatim."""
    relevance: float = 0.0
    """How well it answers the subtask, 0..1."""
    drawn_by: str | None = BY_RULE
    """The model that drew it, or `extractive`; None in rows from before this was recorded."""


class ToolCall(Contract):
    """The agent wants a tool called."""

    kind: Literal["tool"] = "tool"
    tool: str
    arguments: dict[str, Any]
    reason: str = ""


class Finish(Contract):
    """The agent has what it needs, or nothing more can be had."""

    kind: Literal["finish"] = "finish"
    reason: str = ""


class FoundItem(Contract):
    """What a search outside the corpus pointed to: where something may stand, no evidence by itself."""

    title: str
    url: str
    """The page; of an academic work its DOI or landing page."""
    snippet: str = ""
    kind: SourceKind
    provider: str
    published_at: datetime | None = None
    authors: tuple[str, ...] = ()
    score: Score
    full_text_url: str | None = None
    """Where the whole work can be read, where that is another address."""
    has_text: bool = False
    """Its text (an abstract) came with the search, as passages that can be cited."""

    @property
    def read_url(self) -> str:
        """Return the address to fetch."""
        return self.full_text_url or self.url


class StepRecord(Contract):
    """One past act of an agent, as the reasoner sees it."""

    step: int
    tool: str
    arguments: dict[str, Any]
    ok: bool
    error: str | None = None
    passages: tuple[Passage, ...] = ()
    """What came back, best first; only the latest acts keep their passages."""
    results: tuple[FoundItem, ...] = ()
    """What a search pointed to, best first; every search keeps its results."""
    snapshots: tuple[str, ...] = ()
    """Hashes of the texts that it brought."""
    printed: str = ""
    """What a program wrote, and how it ended; only the latest act keeps it."""


class AgentView(Contract):
    """All that a reasoner may know when it chooses an agent's next action."""

    brief: Brief
    subtask: Subtask
    steps: tuple[StepRecord, ...] = ()
    claims: tuple[Claim, ...] = ()
    tools: tuple[str, ...] = ()
    tool_arguments: dict[str, str] = Field(default_factory=dict)
    """The one argument that each tool from outside the product takes, where one is enough; set by the reasoner."""
    steps_left: int = 0


class Finding(Contract):
    """Claims that say the same, merged across agents."""

    id: str
    text: str
    """The statement that stands for all of them."""
    subtask_number: int
    claim_ids: tuple[str, ...]
    """Best first; the first one's text is `text` with the extractive reasoner."""
    weight: float
    """Ranking weight: relevance, score of the sources, number of independent sources."""


class ConflictKind(StrEnum):
    """How findings disagree."""

    PLAIN = "plain"
    """The same thing, different values."""
    STALE = "stale"
    """The sources are of different age; the older one may once have been right."""
    UNIT = "unit"
    """The same number with different units."""
    SCOPE = "scope"
    """The statements name different circumstances; both may hold."""


class Conflict(Contract):
    """Findings that cannot all be true."""

    subject: str
    """What they disagree about, as words of the sources."""
    finding_ids: tuple[str, ...]
    chosen_finding_id: str | None
    """None: no reason to prefer one."""
    reason: str
    """Why that one was chosen, or why none was; printed in the report."""
    kind: ConflictKind = ConflictKind.PLAIN
    agreeing_finding_ids: tuple[str, ...] = ()
    """Those that say what the chosen one says, in other words."""


class Sentence(Contract):
    """One sentence of a report; without claims it is connective text of code, never a statement about the world."""

    text: str
    claim_ids: tuple[str, ...] = ()


class ReportCell(Contract):
    """One cell of a table in the report; without claims it says that nothing was found."""

    text: str
    """Words of the source, or a statement about them that they support."""
    claim_ids: tuple[str, ...] = ()


class ReportTable(Contract):
    """A table in the report: one line per row, a label first."""

    heading: tuple[str, ...]
    """Of the label and of every column."""
    rows: tuple[tuple[str, tuple[ReportCell, ...]], ...]
    """(label, one cell per column)."""


class Section(Contract):
    """One part of the report."""

    title: str
    paragraphs: tuple[tuple[Sentence, ...], ...] = ()
    level: int = 2
    """Heading level: 2 for the parts of a report, 3 for a heading within the part above it."""
    table: ReportTable | None = None
    """Stands below the paragraphs."""


class Report(Contract):
    """The five parts in order: executive summary, key findings, analysis, recommendations, citations.

    The fifth is made by code when it is rendered.
    """

    title: str
    sections: tuple[Section, ...]
    disclosures: tuple[Sentence, ...] = ()
    """What is missing (agents that failed, subtasks without evidence); disagreements are a section of the analysis."""


class Quality(Contract):
    """What the citation gate counted."""

    claims: int = 0
    """Claims that the agents drew."""
    supported: int = 0
    """Cited sentences of the report; all of them passed the gate."""
    repaired: int = 0
    """Of these, sentences that were replaced by the quotation they cite."""
    dropped: int = 0
    """Sentences that were left out because their support could not be shown."""
    conflicts: int = 0
    sources_read: int = 0
    sources_cited: int = 0
    drawn_by: dict[str, int] = Field(default_factory=dict)
    """Of `claims`, how many each drew: a model's name, or `extractive` where it was done by rule."""


class Fallback(Contract):
    """One piece of work that a model did not bring to a usable end, and that was done by rule instead."""

    operation: str
    """The reasoner's method: `extract_claims` and the like."""
    reason: Literal["unusable_answer", "nothing_shown", "not_allowed", "has_not_looked"]
    sources: tuple[str, ...] = ()
    """Of `extract_claims`: titles of the sources of which the model drew nothing that they show."""
    claims: int = 0
    """Of `extract_claims`: how many were drawn by rule."""


class Reasoned(Contract, Generic[T]):
    """A reasoner's answer and what it cost."""

    value: T
    tokens: Tokens = Tokens()
    """All that were bought, for unusable answers as well."""
    unusable: int = 0
    """How many of a model's answers could not be used, after their repair."""
    fallbacks: tuple[Fallback, ...] = ()
