"""Speaker notes: what a slide says in full, and for every statement its sources with their words."""

import re
from collections.abc import Iterable

from activities.deliverables.deck.packing import marks_text
from activities.deliverables.deck.sections import clean
from activities.deliverables.deck.wording import elided
from schema.contracts.deliverables import RecordedSource, RunRecord, Statement

QUOTE_CHARACTERS_MAX = 320
QUOTES_PER_MARK = 1


def statement_notes(statements: Iterable[Statement], record: RunRecord) -> str:
    """Return every statement with its sources, and the quotation of each that is nearest to the statement."""
    sources = {source.n: source for source in record.sources}
    lines = list[str]()
    for statement in statements:
        lines.append(statement.text + marks_text(statement))
        lines += [f"    {_evidence(sources[mark], statement)}" for mark in statement.marks if mark in sources]
    return "\n".join(lines)


def _evidence(source: RecordedSource, statement: Statement) -> str:
    quotes = sorted(source.quotations, key=lambda each: (-_nearness(each.quote, statement.text), each.start))
    words = [f"“{elided(clean(each.quote), QUOTE_CHARACTERS_MAX)}”" for each in quotes[:QUOTES_PER_MARK]]
    return f"[{source.n}] {clean(source.title)}: {' '.join(words)}" if words else f"[{source.n}] {clean(source.title)}"


def _nearness(one: str, other: str) -> float:
    first, second = (set(re.findall(r"\w+", text.casefold())) for text in (one, other))
    return len(first & second) / max(1, len(first | second))


def source_notes(sources: Iterable[RecordedSource]) -> str:
    """Return sources with their addresses, one a line."""
    return "\n".join(f"[{source.n}] {clean(source.title)}, {clean(source.uri)}" for source in sources)
