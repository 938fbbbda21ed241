"""Dates of documents, as people and programs write them. Pure."""

import re
from datetime import UTC, datetime

HEAD_LINES_MAX = 12
"""A text says when it was published near its top, or not at all."""
_DATED = re.compile(
    r"(?P<label>published|date|dated|posted|issued|released|(?:last )?(?:updated|revised|modified))(?: on)?"
    r"\s*[:\u2013-]\s*(?P<date>[^|;]{4,40})",
    re.IGNORECASE,
)


def date_line(text: str) -> datetime | None:
    """Return the date of publication that one of the first lines of a plain text gives, else that of its last change.

    A line counts only where it is a label and a date (*Published: 3 March 2022*).
    """
    found: dict[bool, datetime] = {}
    lines = [line.strip() for line in text[:4000].splitlines() if line.strip()]
    for line in lines[:HEAD_LINES_MAX]:
        match = _DATED.fullmatch(line)
        date = read_date(match["date"].strip(" .*_")) if match else None
        if match and date:
            changed = match["label"].lower().endswith(("updated", "revised", "modified"))
            found.setdefault(changed, date)
    return found.get(False) or found.get(True)


def read_date(text: str) -> datetime | None:
    """Read a date as people and programs write it, in UTC; None if it is none."""
    if not re.search(r"\d{4}", text):
        return None
    from dateutil.parser import ParserError
    from dateutil.parser import parse as parse_date

    try:
        found = parse_date(text, default=datetime(1, 1, 1, tzinfo=UTC))
    except (ParserError, OverflowError, ValueError):
        return None
    return found.astimezone(UTC) if found.year > 1 else None
