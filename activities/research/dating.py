"""Dating: what rests on old sources alone is said with their date, and never as if it held today. Pure.

Whether an old statement still holds can often be told (`conflicts.py`, `outlived.py`), by words that both sides use. Where
it cannot, because nothing newer was read or nobody knows its words, the date remains, which takes no understanding.
Decision 0029.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from schema.contracts.research import SourceRef

OLD_AFTER = timedelta(days=2 * 365)
"""After so long, what a source says may well have changed."""
_FORM = re.compile(r"As of (?P<stated>\d{4}-\d{2}-\d{2}): (?P<text>.+)", re.DOTALL)


def old_since(sources: Iterable[SourceRef], asked_at: datetime | None) -> str | None:
    """Return the ISO date of the newest of `sources` where all of them are old; None where one is not, or has no date.

    Args:
        asked_at: when the run was created; None: nobody knows, and nothing counts as old.
    """
    dates = [_aware(source.published_at) if source.published_at else None for source in sources]
    newest = max((at for at in dates if at is not None), default=None)
    if asked_at is None or newest is None or None in dates or _aware(asked_at) - newest < OLD_AFTER:
        return None
    return f"{newest:%Y-%m-%d}"


def dated(text: str, since: str | None) -> str:
    """Return a statement as a report says it: with the date, where its sources are old."""
    return f"As of {since}: {text}" if since else text


def undated(text: str) -> tuple[str, str | None]:
    """Return what `dated` was given."""
    match = _FORM.fullmatch(text)
    return (match["text"], match["stated"]) if match else (text, None)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
