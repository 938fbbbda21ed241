"""What a document says of its run in small: counts, dates, places, who made it and what it cost."""

from collections.abc import Iterator
from datetime import UTC, datetime

from activities.deliverables.text import clean, shortened
from schema.contracts.deliverables import RecordedSource, RunRecord
from schema.money import ucr_to_credits

MADE_BY = "Swissbrain"
_KINDS = {"web": "Web page", "academic": "Academic paper", "news": "News", "corpus": "Own document"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_TOOLTIP_CHARACTERS = 300


def highlights(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield figures for the cover, each with what it counts."""
    quality = record.quality
    yield f"{quality.sources_read:,}", _counted(quality.sources_read, "source read", "sources read")
    yield f"{quality.sources_cited:,}", _counted(quality.sources_cited, "source cited", "sources cited")
    yield (
        f"{quality.supported:,}",
        _counted(quality.supported, "statement checked against its source", "statements checked against their sources"),
    )
    if figures := len(record.figures):
        yield f"{figures:,}", _counted(figures, "figure", "figures")


def _counted(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def quality_facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield what the citation gate counted."""
    quality = record.quality
    yield "Sources read", f"{quality.sources_read:,}"
    yield "Sources cited", f"{quality.sources_cited:,}"
    yield "Claims drawn from them", f"{quality.claims:,}"
    yield "Cited statements, each checked against its source", f"{quality.supported:,}"
    yield "Of these, replaced by the quotation that they cite", f"{quality.repaired:,}"
    yield "Statements left out, because nothing showed them", f"{quality.dropped:,}"
    yield "Contradictions between sources", f"{quality.conflicts:,}"
    for name, count in quality.drawn_by.items():
        yield f"Claims drawn by {clean(name)}", f"{count:,}"


def colophon(record: RunRecord) -> Iterator[str]:
    """Yield who made the document and when, and what the run cost."""
    run, bill = record.run, record.bill
    at = run.completed_at.astimezone(UTC)
    charged = f"{ucr_to_credits(bill.charged_ucr)} credits charged"
    if bill.refunded_ucr:
        charged += f", {ucr_to_credits(bill.refunded_ucr)} refunded"
    yield f"Made by {MADE_BY} on {day(at)} at {at:%H:%M} UTC; run {clean(run.id)}."
    yield f"{run.agents:,} agents, {run.tokens:,} tokens; {charged}."


def tooltip(source: RecordedSource) -> str:
    """Return what is shown when a citation is pointed at: the title of the source and its first quotation."""
    said = shortened(clean(source.title or source.uri), 120)
    if source.quotations:
        said += f": “{shortened(clean(source.quotations[0].quote), _TOOLTIP_CHARACTERS)}”"
    return said


def place(source: RecordedSource) -> str:
    """Return the pages or times of a source; empty: the whole of it."""
    places = list[str]()
    if source.pages:
        numbers = ", ".join(map(str, source.pages[:12])) + (", …" if len(source.pages) > 12 else "")
        places.append(f"{'page' if len(source.pages) == 1 else 'pages'} {numbers}")
    if source.seconds:
        places.append("at " + ", ".join(map(_clock, source.seconds[:12])))
    return "; ".join(places)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def published(value: str | None) -> str:
    """Return when a source was published, as far as that can be told."""
    if not value:
        return ""
    try:
        return day(datetime.fromisoformat(value))
    except ValueError:
        return shortened(clean(value), 40)


def day(at: datetime) -> str:
    """Return a date as it is written out."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def size(size_bytes: int) -> str:
    """Return a size in bytes as it is read."""
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"


def kind(source: RecordedSource) -> str:
    """Return what a source is, in words."""
    return _KINDS.get(source.kind, clean(source.kind).capitalize())
