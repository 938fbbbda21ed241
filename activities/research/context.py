"""Context: the lines above a row that say what it is about, as spans of the snapshot.

A row (`420 kW` beside `Power`) says little without its heading and the head of its column. What a claim says of them
must stand in the snapshot, above the row, as a line of its own or as a cell of the table's head.
"""

from dataclasses import dataclass

from activities.research.rows import LINE_CHARACTERS_MAX, MARK, PATH, Said, read_said
from activities.research.text import display
from schema.contracts.research import Claim

CHARACTERS_ABOVE_MAX = 40_000
"""How far above a row its headings are looked for; the first line of a document always counts."""


@dataclass(frozen=True)
class Context:
    """What the snapshot shows of a row's claim."""

    text: str
    """The claim without the parts that stand nowhere above the row."""
    spans: tuple[tuple[int, int], ...]
    """Of the lines above it, in order."""


def context_of(claim: Claim, snapshot: str) -> Context | None:
    """Find the lines that a row's claim rests on; None where the claim is a sentence, or says what its row does not."""
    said = read_said(claim.text)
    if said is None:
        return None
    above = _lines_above(snapshot, claim.start)
    spans, shown = [], []
    for part in said.path:
        span = above.get(part) or _cell(part, claim, snapshot)
        if span:
            shown.append(part)
            spans.append(span)
    row = display(claim.quote)
    for field in said.fields:
        if field.value not in row:
            return None
        for label in (field.label, field.subject):
            if label and label not in row:
                head = next((span for line, span in reversed(above.items()) if _has_cell(line, label)), None)
                if head is None:
                    return None
                spans.append(head)
    inside = {(start, end) for start, end in spans if end <= claim.start}
    return Context(_text(claim, said, shown), tuple(sorted(inside)))


def _text(claim: Claim, said: Said, shown: list[str]) -> str:
    fields = claim.text.rpartition(MARK)[2]
    return f"{PATH.join(shown)}{MARK}{fields}" if shown else fields


def _cell(part: str, claim: Claim, snapshot: str) -> tuple[int, int] | None:
    """Return the row's own span where its first cell is the part (Kestrel 40 | 420 kW)."""
    return (claim.start, claim.end) if _has_cell(display(snapshot[claim.start : claim.end]), part) else None


def _has_cell(line: str, label: str) -> bool:
    return label in [cell.strip() for cell in line.strip().strip("|").split("|")]


def _lines_above(snapshot: str, start: int) -> dict[str, tuple[int, int]]:
    """Return the lines above an offset as they are shown, the nearest of equal ones, with their spans."""
    found: dict[str, tuple[int, int]] = {}
    position = max(0, start - CHARACTERS_ABOVE_MAX)
    position = snapshot.rfind("\n", 0, position) + 1 if position else 0
    for raw in snapshot[position:start].splitlines(keepends=True):
        line = raw.strip()
        if line and len(line) <= LINE_CHARACTERS_MAX:
            bare = line.lstrip("# ")
            end = position + raw.index(line) + len(line)
            key = display(bare)
            found.pop(key, None)
            found[key] = (end - len(bare), end)
        position += len(raw)
    title = snapshot[: snapshot.find("\n")].strip() if "\n" in snapshot else ""
    if title and display(title) not in found and len(title) <= LINE_CHARACTERS_MAX:
        at = snapshot.index(title)
        found = {display(title): (at, at + len(title))} | found
    return found
