"""What a finished run is worth to others: the record that every export is made of, and what can be asked for.

A `RunRecord` is collected once per export and everything that follows is a pure function of it: the same record gives
the same file, byte for byte. It is also the JSON export (docs/exports.md), so its fields are a promise to readers.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schema.contracts.common import Contract, ObjectRef
from schema.contracts.research import Brief, Claim, Quality, Report
from schema.policies import SLIDES_DEFAULT

RECORD_FORMAT = "swissbrain.run"
RECORD_VERSION = 1


class ExportFormat(StrEnum):
    """Formats that a run can be exported to."""

    MD = "md"
    HTML = "html"
    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    JSON = "json"
    ZIP = "zip"
    WAV = "wav"


class ExportOptions(Contract):
    """What an export holds, beside the report."""

    include_artifacts: bool = False
    """The run's artifacts: in a `zip` the files themselves, elsewhere their list with sizes and hashes."""
    include_logs: bool = False
    """The run's log."""
    max_slides: int = SLIDES_DEFAULT
    """Of a `pptx`; title, agenda and sources count."""


class Statement(Contract):
    """One sentence, list item or cell as the report has it, without Markdown."""

    text: str
    marks: tuple[int, ...] = ()
    """Numbers of the sources that it cites, in their order; empty: it speaks of the run, or is a label."""


class ReportInputs(Contract):
    """All that a report was made of but the texts of its sources: with them it can be made again, byte for byte.

    Kept when the report is rendered; `activities/research/citations.py: render_report` takes exactly this.
    """

    report: Report
    claims: tuple[Claim, ...]
    """With the trust that agreement gave their sources."""
    brief: Brief
    conflicts: int
    sources_read: int
    dates_old: bool = False
    """Whether sentences give the date of old sources; reports from before that was done do not."""


class Paragraph(Contract):
    """Sentences that stand together."""

    kind: Literal["paragraph"] = "paragraph"
    sentences: tuple[Statement, ...]


class Bullets(Contract):
    """A list without order."""

    kind: Literal["bullets"] = "bullets"
    items: tuple[Statement, ...]


class Grid(Contract):
    """A table: every row has as many cells as the heading; the first column holds the rows' names."""

    kind: Literal["grid"] = "grid"
    heading: tuple[str, ...]
    rows: tuple[tuple[Statement, ...], ...]


Block = Paragraph | Bullets | Grid


class Part(Contract):
    """A heading and what stands below it, to the next heading."""

    title: str
    level: int
    """2 for the parts of a report, 3 for a heading within the part above it."""
    blocks: tuple[Block, ...] = ()


class Document(Contract):
    """The report as it was delivered, without its list of citations (those are the record's `sources`)."""

    title: str
    parts: tuple[Part, ...]


class Quotation(Contract):
    """A span of a source that a sentence of the report rests on."""

    quote: str
    """Verbatim."""
    start: int
    """Offset in the snapshot's text, in characters."""
    end: int
    claim_id: str
    drawn_by: str | None = None


class RecordedSource(Contract):
    """One numbered source."""

    n: int
    title: str
    uri: str
    """URL; `document:ID` or `file:ID` for the organisation's own."""
    kind: str
    published_at: str | None = None
    """ISO 8601."""
    snapshot_sha256: str
    score: float
    """0.5 relevance + 0.3 trust + 0.2 recency."""
    pages: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    quotations: tuple[Quotation, ...] = ()
    """By their place in the source."""


class Figure(Contract):
    """A chart of the run's data: a Vega-Lite 5 specification with its (aggregated) data inside."""

    name: str
    """Unique in the record; names the picture's file."""
    kind: str
    """`line`, `bar`, `histogram`, `scatter` or `box`."""
    title: str
    columns: tuple[str, ...] = ()
    query: str = ""
    """What was computed, as SQL."""
    origin: str
    """Where the numbers are from: the name of a file, or of the run's table."""
    spec: dict[str, Any]


class DataSentence(Contract):
    """A sentence about a file of data, every number of which was recomputed from its query."""

    sentence: str
    query: str
    origin: str


class RecordedLine(Contract):
    """One entry of the ledger that is the run's."""

    sequence_number: int
    type: str
    amount_ucr: int
    """Micro-credits, signed as in the ledger."""
    description: str
    created_at: AwareDatetime
    attempt: int | None = None


class RecordedEvent(Contract):
    """One line of the run's log."""

    sequence_number: int
    at: AwareDatetime
    type: str
    message: str


class RecordedFile(Contract):
    """An artifact of the run."""

    name: str
    mime_type: str
    description: str
    object: ObjectRef


class Bill(Contract):
    """What the run cost, of all its attempts, in micro-credits."""

    held_ucr: int
    charged_ucr: int
    released_ucr: int
    refunded_ucr: int = 0
    lines: tuple[RecordedLine, ...] = ()


class RecordedRun(Contract):
    """The run itself."""

    id: str
    name: str
    task: str
    status: str
    attempt: int
    created_at: AwareDatetime
    completed_at: AwareDatetime
    agents: int
    tokens: int


class Theme(Contract):
    """An organisation's look; what is None is the product's own."""

    primary: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    """Titles, first series of charts."""
    accent: str | None = Field(default=None, pattern=r"^#[0-9a-fA-F]{6}$")
    """Emphasis, second series of charts."""
    heading_font: str | None = Field(default=None, max_length=60, pattern=r"^[\w .-]+$")
    body_font: str | None = Field(default=None, max_length=60, pattern=r"^[\w .-]+$")
    footer: str | None = Field(default=None, max_length=120)
    """Stands on every page and slide: a name, a notice."""
    logo: ObjectRef | None = None
    logo_mime: str | None = None
    """`image/png` or `image/jpeg`."""


class RunRecord(Contract):
    """All that an export of a run shows."""

    format: Literal["swissbrain.run"] = "swissbrain.run"
    version: Literal[1] = 1
    run: RecordedRun
    document: Document
    sources: tuple[RecordedSource, ...]
    """By number; `n` is what the marks of statements name."""
    quality: Quality
    output: dict[str, Any] | None = None
    """The structured output, where the run was asked for one."""
    figures: tuple[Figure, ...] = ()
    insights: tuple[DataSentence, ...] = ()
    bill: Bill
    artifacts: tuple[RecordedFile, ...] = ()
    """With `include_artifacts`."""
    log: tuple[RecordedEvent, ...] = ()
    """With `include_logs`."""

    @property
    def made_at(self) -> datetime:
        """Return the one time that a file made of this record may carry, so that it is the same every time."""
        return self.run.completed_at
